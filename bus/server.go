package bus

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// DefaultListen is where `trawl bus` listens when nothing says otherwise.
const DefaultListen = "127.0.0.1:4222"

// serverStart bounds how long a server may take until it accepts connections. It is ready in some
// tens of milliseconds, but may first have to recover a large JetStream store: of the block list with a million records more than
// half a minute, on a machine with other work.
const serverStart = 5 * time.Minute

// ServerOptions say how an embedded server runs. The zero value listens nowhere, has no JetStream,
// and is reached through Options.InProcess.
type ServerOptions struct {
	Listen string // host:port, port 0 for any free one; empty: what Config says, else no socket at all
	Store  string // JetStream's directory; empty: what Config says, else no JetStream
	Config string // file in nats-server's own form; Listen and Store overrule it
	Log    *slog.Logger
}

// Server is a NATS server in this process, with safe defaults: it handles no signals, never exits
// the process, and does not listen beyond loopback unless clients have to authenticate.
type Server struct {
	srv  *server.Server
	log  *serverLog
	lock io.Closer // of the store; nil without one
}

// StartServer starts a server, and returns when it accepts connections.
func StartServer(o ServerOptions) (*Server, error) {
	opts, err := o.serverOptions()
	if err != nil {
		return nil, err
	}
	log := &serverLog{to: o.Log, failed: make(chan struct{})}
	if log.to == nil {
		log.to = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s := &Server{log: log}
	if opts.JetStream {
		if s.lock, err = lockStore(opts.StoreDir); err != nil {
			return nil, err
		}
	}
	if s.srv, err = server.NewServer(opts); err != nil {
		s.unlock()
		return nil, fmt.Errorf("bus: %w", err)
	}
	s.srv.SetLoggerV2(log, opts.Debug, opts.Trace, false)
	go s.srv.Start()
	if err := s.waitReady(); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) waitReady() error {
	deadline := time.Now().Add(serverStart)
	for !s.srv.ReadyForConnections(100 * time.Millisecond) {
		if err := s.log.err(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("bus: not ready after %v", serverStart)
		}
	}
	return s.log.err()
}

// URL is where clients of this machine reach the server; empty if it does not listen.
func (s *Server) URL() string {
	if s.srv.Addr() == nil {
		return ""
	}
	return s.srv.ClientURL()
}

// Failed is closed when the server has met a fatal error after its start; Err then returns it.
func (s *Server) Failed() <-chan struct{} { return s.log.failed }

// Err returns the fatal error that Failed announced.
func (s *Server) Err() error { return s.log.err() }

// Stop disconnects all clients, writes what JetStream holds, and returns when the server has ended.
// It may be called more than once.
func (s *Server) Stop() {
	s.srv.Shutdown()
	s.srv.WaitForShutdown()
	s.unlock()
}

func (s *Server) unlock() {
	if s.lock != nil {
		_ = s.lock.Close() // releases the lock whatever it returns
		s.lock = nil
	}
}

// serverOptions turns o, and the file it names, into nats-server's options.
func (o ServerOptions) serverOptions() (*server.Options, error) {
	opts := &server.Options{}
	if o.Config != "" {
		var err error
		if opts, err = server.ProcessConfigFile(o.Config); err != nil {
			return nil, fmt.Errorf("bus configuration: %w", err)
		}
	}
	opts.NoSigs = true
	opts.DisableJetStreamBanner = true
	if o.Listen != "" {
		if err := setListen(opts, o.Listen); err != nil {
			return nil, err
		}
	} else if o.Config == "" {
		opts.DontListen = true
	}
	if opts.Host == "" && !authenticates(opts) {
		opts.Host = "127.0.0.1" // nats-server's own default is every address
	}
	if o.Store != "" {
		opts.JetStream, opts.StoreDir = true, o.Store
	}
	if opts.JetStream && opts.StoreDir == "" {
		return nil, errors.New("bus configuration: jetstream has no store_dir, and there is no --store")
	}
	return opts, refuseOpen(opts)
}

func setListen(opts *server.Options, listen string) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("listen address: %w", err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("listen address %q: port %q is not a number up to 65535", listen, port)
	}
	if host == "" {
		host = "0.0.0.0" // ":4222" says every address, as elsewhere in Go
	}
	opts.Host, opts.Port = host, int(n)
	if n == 0 {
		opts.Port = server.RANDOM_PORT
	}
	return nil
}

// authenticates tells whether clients have to prove who they are.
func authenticates(o *server.Options) bool {
	return o.Username != "" || o.Authorization != "" || len(o.Users) > 0 || len(o.Nkeys) > 0 ||
		len(o.TrustedOperators) > 0 || len(o.TrustedKeys) > 0 || o.AuthCallout != nil ||
		o.CustomClientAuthentication != nil || o.TLSVerify || o.TLSMap
}

// refuseOpen refuses to offer the bus, and with it the logs of every node, to whoever can reach
// this machine.
func refuseOpen(o *server.Options) error {
	if authenticates(o) {
		return nil
	}
	listeners := []struct {
		what, host string
		on         bool
	}{
		{"clients", o.Host, !o.DontListen},
		{"websockets", o.Websocket.Host, o.Websocket.Port != 0},
		{"MQTT", o.MQTT.Host, o.MQTT.Port != 0},
		{"leaf nodes", o.LeafNode.Host, o.LeafNode.Port != 0 && o.LeafNode.Username == "" && len(o.LeafNode.Users) == 0},
	}
	for _, l := range listeners {
		if l.on && !loopback(l.host) {
			host := l.host
			if host == "" {
				host = "0.0.0.0"
			}
			return fmt.Errorf("bus would take %s on %s without authentication: anyone who reaches it could read every node's logs; "+
				"listen on 127.0.0.1, or give it a configuration with authorization (-c FILE)", l.what, host)
		}
	}
	return nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// serverLog passes the server's log on. A fatal error does not exit: it closes failed.
type serverLog struct {
	to     *slog.Logger
	mu     sync.Mutex
	fatal  error
	failed chan struct{}
}

func (l *serverLog) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

// Fatalf keeps the first fatal error.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == nil {
		l.fatal = fmt.Errorf("bus: "+format, v...)
		close(l.failed)
	}
}

// Noticef and its likes are nats-server's levels; a notice tells what it does at start and stop.
func (l *serverLog) Noticef(format string, v ...any) { l.to.Debug(fmt.Sprintf(format, v...)) }

// Warnf passes a warning on.
func (l *serverLog) Warnf(format string, v ...any) { l.to.Warn(fmt.Sprintf(format, v...)) }

// Errorf passes an error on.
func (l *serverLog) Errorf(format string, v ...any) { l.to.Error(fmt.Sprintf(format, v...)) }

// Debugf passes a debug message on.
func (l *serverLog) Debugf(format string, v ...any) { l.to.Debug(fmt.Sprintf(format, v...)) }

// Tracef passes a protocol trace on.
func (l *serverLog) Tracef(format string, v ...any) { l.to.Debug(fmt.Sprintf(format, v...)) }

// ensureDir makes the store private: it holds what travels on the bus.
func ensureDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("bus store: %w", err)
	}
	return nil
}
