// Package bustest starts NATS servers for tests: Start one with a socket, StartInProcess one without.
// Both end with the test.
package bustest

import (
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trawl-logs/trawl/bus"
)

// Bus is a server that belongs to a test.
type Bus struct {
	*bus.Server
	t    testing.TB
	opts bus.ServerOptions
}

// Option changes how a server is started.
type Option func(t testing.TB, o *bus.ServerOptions)

// NoJetStream leaves JetStream off.
func NoJetStream(_ testing.TB, o *bus.ServerOptions) { o.Store = "" }

// Config adds to the server's configuration, in nats-server's own form.
func Config(text string) Option {
	return func(t testing.TB, o *bus.ServerOptions) {
		o.Config = filepath.Join(t.TempDir(), "nats.conf")
		if err := os.WriteFile(o.Config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Start starts a server with JetStream on a free port of the loopback interface.
func Start(t testing.TB, options ...Option) *Bus {
	t.Helper()
	return start(t, "127.0.0.1:0", options)
}

// StartInProcess starts a server with JetStream that is reached within the process alone.
func StartInProcess(t testing.TB, options ...Option) *Bus {
	t.Helper()
	return start(t, "", options)
}

func start(t testing.TB, listen string, options []Option) *Bus {
	t.Helper()
	b := &Bus{t: t, opts: bus.ServerOptions{Listen: listen, Store: t.TempDir(), Log: Log(t)}}
	for _, o := range options {
		o(t, &b.opts)
	}
	b.run()
	t.Cleanup(func() { b.Stop() })
	return b
}

func (b *Bus) run() {
	b.t.Helper()
	var err error
	if b.Server, err = bus.StartServer(b.opts); err != nil {
		b.t.Fatal(err)
	}
}

// Stop stops the server; Restart brings it back.
func (b *Bus) Stop() {
	b.t.Helper()
	if url := b.URL(); url != "" {
		b.opts.Listen = hostOf(b.t, url)
	}
	b.Server.Stop()
}

// Restart stops the server, if it runs, and starts it again on the same port and store.
func (b *Bus) Restart() {
	b.t.Helper()
	b.Stop()
	b.run()
}

// Options returns what it takes to connect to the server as user.
func (b *Bus) Options(user string) bus.Options {
	o := bus.Options{User: user, Name: b.t.Name(), Log: Log(b.t)}
	if b.opts.Listen == "" {
		o.InProcess = b.Server
	} else {
		o.Server = b.URL()
	}
	return o
}

// Connect connects to the server as user, for as long as the test runs.
func (b *Bus) Connect(user string, change ...func(*bus.Options)) *bus.Conn {
	b.t.Helper()
	o := b.Options(user)
	for _, c := range change {
		c(&o)
	}
	conn, err := bus.Connect(o)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(conn.Close)
	return conn
}

// AsResponder is a change for Connect.
func AsResponder(o *bus.Options) { o.Responder = true }

// serverLeaks are goroutines that nats-server 2.15 leaves behind after a shutdown: a clock that is
// started once, and one for each file store.
var serverLeaks = []goleak.Option{
	goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"),
	goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"),
}

// NoLeaks fails the test if goroutines that it started are still running when everything else has been
// cleaned up: call it first.
func NoLeaks(t testing.TB) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, append(serverLeaks, before)...) })
}

// Eventually polls until ok holds, and fails the test after ten seconds.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within ten seconds: %s", what)
		}
	}
}

// Log writes to the test's log until the test ends; what comes later, from a goroutine that is just
// ending, is dropped.
func Log(t testing.TB) *slog.Logger {
	w := &testWriter{t: t}
	t.Cleanup(w.end)
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func hostOf(t testing.TB, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
