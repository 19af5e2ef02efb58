package bus

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"os/user"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

// DefaultURL is where the bus is looked for when nothing says otherwise.
const DefaultURL = "nats://127.0.0.1:4222"

// connectTimeout bounds each attempt to reach one server, so that a first failure is known within
// seconds even where packets vanish.
const connectTimeout = 2 * time.Second

// Options say where the bus is, and who connects. What is empty is taken from the environment (see
// FromEnvironment), then from the nats command's selected context, then from DefaultURL.
type Options struct {
	Server  string // URLs, joined by commas
	Context string // name or absolute path of a context of the nats command
	Creds   string // file of a user's JWT and seed
	NKey    string // file of an NKey seed
	TLSCert string // file of the client's certificate, with TLSKey
	TLSKey  string
	TLSCA   string // file of the authorities that vouch for the server
	User    string // token for subjects; empty: the operating system's user
	Prefix  string // of all subjects; empty: DefaultPrefix

	Name      string       // of the connection, for the server's lists
	Responder bool         // retry a failed first connect for ever; keep nothing to send while disconnected
	InProcess *Server      // connect to this server without a socket; Server and Context are not used
	Log       *slog.Logger // nil: silent
}

// FromEnvironment fills empty fields from TRAWL_SERVER, TRAWL_NATS_CONTEXT, TRAWL_CREDS, TRAWL_NKEY,
// TRAWL_TLSCERT, TRAWL_TLSKEY, TRAWL_TLSCA, TRAWL_USER and TRAWL_PREFIX, and Server from NATS_URL
// at last. A context named by flag is not overruled by a server of the environment, nor the other
// way round. It touches no field that is set.
func (o Options) FromEnvironment(getenv func(string) string) Options {
	byFlag := o.Server != "" || o.Context != ""
	fill := func(field *string, name string) {
		if *field == "" {
			*field = getenv(name)
		}
	}
	if !byFlag {
		fill(&o.Server, "TRAWL_SERVER")
		fill(&o.Context, "TRAWL_NATS_CONTEXT")
		if o.Context == "" {
			fill(&o.Server, "NATS_URL")
		}
	}
	fill(&o.Creds, "TRAWL_CREDS")
	fill(&o.NKey, "TRAWL_NKEY")
	fill(&o.TLSCert, "TRAWL_TLSCERT")
	fill(&o.TLSKey, "TRAWL_TLSKEY")
	fill(&o.TLSCA, "TRAWL_TLSCA")
	fill(&o.User, "TRAWL_USER")
	fill(&o.Prefix, "TRAWL_PREFIX")
	return o
}

// UserToken returns the token that stands for the user in subjects.
func (o Options) UserToken() (string, error) {
	if o.User != "" {
		return Token("user", o.User)
	}
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("user name: %w; give one with --user", err)
	}
	token, err := sanitize(u.Username)
	if err != nil {
		return "", fmt.Errorf("user name %q: %w; give one with --user", u.Username, err)
	}
	return token, nil
}

// Conn is a connection to the bus. It reconnects by itself, for ever.
type Conn struct {
	nc       *nats.Conn
	subjects Subjects
	user     string
	client   string // random, for what this connection asks by itself
	apiBase  string // JetStream API, "$JS.API."
	log      *slog.Logger
	now      func() time.Time
	memory   rosterMemory
	local    atomic.Pointer[string] // what localServer found out; nil: ask
	older    string                 // a server's version that a test has in its place
	marked   atomic.Bool            // the block list has listKey

	mu        sync.Mutex
	listeners map[int]listener
	nextID    int
}

// listener hears of what happens to a connection, on a goroutine of the connection. What is nil is not
// called.
type listener struct {
	connected    func() // for the first time, after a first failure
	disconnected func()
	reconnected  func()
	failed       func(subject string, err error) // asynchronous errors; subject may be empty
}

// Connect reaches the bus. For a requester a first failure is an error that says where it looked and
// what to do; for a responder (Options.Responder) it is logged and retried until the bus is there.
func Connect(o Options) (*Conn, error) {
	subjects, err := NewSubjects(o.Prefix)
	if err != nil {
		return nil, err
	}
	userName, err := o.UserToken()
	if err != nil {
		return nil, err
	}
	c := &Conn{subjects: subjects, user: userName, client: nuid.Next(), apiBase: "$JS.API.", log: o.Log, now: time.Now, listeners: map[int]listener{}}
	if c.log == nil {
		c.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	target, err := o.target()
	if err != nil {
		return nil, err
	}
	options, err := o.natsOptions(c, target)
	if err != nil {
		return nil, err
	}
	if c.nc, err = target.connect(options, c); err != nil {
		return nil, connectError(target, err)
	}
	if !c.nc.IsConnected() {
		c.log.Warn("bus not reachable, retrying", "server", target.String(), "err", c.nc.LastError())
	}
	return c, nil
}

// natsOptions turns o into options of nats.go; they come after those of a context.
func (o Options) natsOptions(c *Conn, t target) ([]nats.Option, error) {
	options := []nats.Option{
		nats.Name(o.Name),
		nats.Timeout(connectTimeout),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 250*time.Millisecond),
		nats.PingInterval(5 * time.Second),
		nats.DisconnectErrHandler(c.onDisconnect),
		nats.ReconnectHandler(c.onReconnect),
		nats.ConnectHandler(c.onConnect),
		nats.ErrorHandler(c.onError),
		privateInbox(c.user),
	}
	if o.Responder {
		// A buffer of what could not be sent is sent once and cleared even on error: a responder
		// repeats from its own window instead.
		options = append(options, nats.RetryOnFailedConnect(true), nats.ReconnectBufSize(-1),
			nats.IgnoreAuthErrorAbort(), nats.ReconnectErrHandler(c.onReconnectError(t)))
	}
	if o.InProcess != nil {
		options = append(options, nats.InProcessServer(o.InProcess.srv))
	}
	if o.Creds != "" && o.NKey != "" {
		return nil, errors.New("--creds and --nkey exclude each other")
	}
	if o.Creds != "" {
		if err := readable("credentials", o.Creds); err != nil {
			return nil, err
		}
		options = append(options, forgetLogin, nats.UserCredentials(o.Creds))
	}
	if o.NKey != "" {
		nkey, err := nats.NkeyOptionFromSeed(o.NKey)
		if err != nil {
			return nil, fmt.Errorf("nkey seed %s: %w", o.NKey, err)
		}
		options = append(options, forgetLogin, nkey)
	}
	return o.tlsOptions(options)
}

func (o Options) tlsOptions(options []nats.Option) ([]nats.Option, error) {
	if (o.TLSCert == "") != (o.TLSKey == "") {
		return nil, errors.New("--tlscert and --tlskey go together")
	}
	if o.TLSCert != "" {
		for _, f := range []string{o.TLSCert, o.TLSKey} {
			if err := readable("TLS", f); err != nil {
				return nil, err
			}
		}
		options = append(options, nats.ClientCert(o.TLSCert, o.TLSKey))
	}
	if o.TLSCA != "" {
		if err := readable("TLS authorities", o.TLSCA); err != nil {
			return nil, err
		}
		options = append(options, nats.RootCAs(o.TLSCA))
	}
	return options, nil
}

// privateInbox puts the user into inbox subjects, so that permissions can keep users out of each
// other's; a context may have said otherwise.
func privateInbox(user string) nats.Option {
	return func(o *nats.Options) error {
		if o.InboxPrefix == "" {
			o.InboxPrefix = "_INBOX." + user
		}
		return nil
	}
}

// forgetLogin drops a context's login in favour of the one that was asked for.
func forgetLogin(o *nats.Options) error {
	o.User, o.Password, o.Token, o.Nkey = "", "", "", ""
	o.UserJWT, o.SignatureCB, o.TokenHandler = nil, nil, nil
	return nil
}

// readable finds a missing file at once: nats.go opens credentials only while it connects, and then
// a responder would retry for ever.
func readable(what, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("%s file: %w", what, err)
	}
	return f.Close()
}

// connectError says where the bus was looked for, and what to do next.
func connectError(t target, err error) error {
	hint := "is it running? `trawl bus` starts one; --server URL or NATS_URL names another"
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAccountAuthExpired):
		hint = "it refuses this login: see --creds, --nkey and --nats-context"
	case strings.Contains(err.Error(), "tls:"), strings.Contains(err.Error(), "x509:"), errors.Is(err, nats.ErrSecureConnRequired):
		hint = "see --tlsca, --tlscert and --tlskey"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		// With TLS 1.3 a client may be through, and write, before the server's refusal comes.
		hint = "it closed the connection; if it wants a certificate of its clients, see --tlscert and --tlskey, and --tlsca"
	}
	return fmt.Errorf("no connection to the bus at %s: %w (%s)", t, err, hint)
}

// Close ends the connection after what is buffered has been written, or a second.
func (c *Conn) Close() {
	if c.nc.IsConnected() {
		_ = c.nc.FlushTimeout(time.Second) // closing anyway
	}
	c.nc.Close()
}

// Leave ends the connection when what is buffered has been written, without waiting until the server has read it:
// a round trip less than Close, for one who has said all that matters.
func (c *Conn) Leave() { c.nc.Close() }

// User returns the token that stands for this connection's user in subjects.
func (c *Conn) User() string { return c.user }

// Subjects returns the names of this connection's subjects.
func (c *Conn) Subjects() Subjects { return c.subjects }

// URL returns the server that the connection is with, without its password; empty while there is none.
func (c *Conn) URL() string { return c.nc.ConnectedUrlRedacted() }

// localServer returns the id of the server that the connection is with, if there is no network on the
// way there; else it is empty.
func (c *Conn) localServer() string {
	if known := c.local.Load(); known != nil {
		return *known
	}
	id, addr := "", c.nc.ConnectedAddr()
	if a, err := netip.ParseAddrPort(addr); addr == "pipe" || err == nil && a.Addr().Unmap().IsLoopback() {
		id = c.nc.ConnectedServerId()
	}
	if addr != "" {
		c.local.Store(&id) // until the connection is another one
	}
	return id
}

// MaxPayload returns the largest message in bytes that the server takes, or 0 before the first connect.
func (c *Conn) MaxPayload() int64 { return c.nc.MaxPayload() }

// listen adds l until the returned func is called.
func (c *Conn) listen(l listener) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.nextID
	c.nextID++
	c.listeners[id] = l
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.listeners, id)
	}
}

// tell calls of each listener the func that pick returns.
func (c *Conn) tell(pick func(listener) func()) {
	c.mu.Lock()
	all := slices.Collect(maps.Values(c.listeners))
	c.mu.Unlock()
	for _, l := range all {
		if f := pick(l); f != nil {
			f()
		}
	}
}

func (c *Conn) onConnect(nc *nats.Conn) {
	c.local.Store(nil)
	c.log.Info("connected to the bus", "server", nc.ConnectedUrlRedacted())
	c.tell(func(l listener) func() { return l.connected })
}

func (c *Conn) onDisconnect(_ *nats.Conn, err error) {
	c.local.Store(nil)
	if err == nil {
		return // closed by us
	}
	c.log.Warn("lost the bus, reconnecting", "err", err)
	c.tell(func(l listener) func() { return l.disconnected })
}

func (c *Conn) onReconnect(nc *nats.Conn) {
	c.local.Store(nil)
	c.log.Info("reconnected to the bus", "server", nc.ConnectedUrlRedacted())
	c.tell(func(l listener) func() { return l.reconnected })
}

// onReconnectError logs the first failed attempt of a row, then one about every half minute.
func (c *Conn) onReconnectError(t target) nats.ConnErrHandler {
	var mu sync.Mutex
	var last time.Time
	return func(_ *nats.Conn, err error) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(last) > 30*time.Second {
			last = now
			c.log.Warn("bus not reachable, retrying", "server", t.String(), "err", err)
		}
	}
}

func (c *Conn) onError(_ *nats.Conn, sub *nats.Subscription, err error) {
	subject := ""
	if sub != nil {
		subject = sub.Subject
	}
	c.log.Warn("bus", "err", err, "subject", subject)
	c.tell(func(l listener) func() {
		if l.failed == nil {
			return nil
		}
		return func() { l.failed(subject, err) }
	})
}
