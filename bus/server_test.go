package bus_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
)

func TestServerRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { taken.Close() })
	store := t.TempDir()
	first, err := bus.StartServer(bus.ServerOptions{Store: store})
	must(t, err)
	t.Cleanup(first.Stop)
	for _, c := range []struct {
		name, config string
		o            bus.ServerOptions
		want         string
	}{
		{"every address", "", bus.ServerOptions{Listen: "0.0.0.0:0"}, "without authentication"},
		{"no host", "", bus.ServerOptions{Listen: ":0"}, "without authentication"},
		{"another address", "", bus.ServerOptions{Listen: "192.0.2.1:0"}, "clients on 192.0.2.1 without authentication"},
		{"configured address", "host: 0.0.0.0", bus.ServerOptions{}, "without authentication"},
		{"websockets", "websocket { port: 1, no_tls: true }", bus.ServerOptions{}, "websockets on 0.0.0.0 without"},
		{"leaf nodes", "leafnodes { port: 1 }", bus.ServerOptions{}, "leaf nodes on 0.0.0.0 without"},
		{"no port", "", bus.ServerOptions{Listen: "127.0.0.1"}, "listen address"},
		{"port by name", "", bus.ServerOptions{Listen: "127.0.0.1:nats"}, `port "nats"`},
		{"port taken", "", bus.ServerOptions{Listen: taken.Addr().String()}, "address already in use"},
		{"store taken", "", bus.ServerOptions{Store: store}, "in use by another server"},
		{"no configuration", "", bus.ServerOptions{Config: "/nowhere/nats.conf"}, "bus configuration"},
		{"unknown field", "lisen: 1", bus.ServerOptions{}, "lisen"},
		{"jetstream without a store", "jetstream: true", bus.ServerOptions{}, "no store_dir"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.config != "" {
				c.o.Config = filepath.Join(t.TempDir(), "nats.conf")
				must(t, os.WriteFile(c.o.Config, []byte(c.config), 0o600))
			}
			s, err := bus.StartServer(c.o)
			if err == nil {
				s.Stop()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %q, want %q in it", err, c.want)
			}
		})
	}
}

func TestServerWithConfiguration(t *testing.T) {
	b := bustest.Start(t, bustest.Config(`authorization { user: ann, password: secret }`))
	o := b.Options("ann")
	if _, err := bus.Connect(o); err == nil || !strings.Contains(err.Error(), "refuses this login") {
		t.Errorf("without a login: %v", err)
	}
	o.Server = strings.Replace(o.Server, "nats://", "nats://ann:secret@", 1)
	conn, err := bus.Connect(o)
	must(t, err)
	defer conn.Close()
	if strings.Contains(conn.URL(), "secret") {
		t.Errorf("URL shows the password: %s", conn.URL())
	}
}

// Stock clients of a context of the nats command reach the bus with its login.
func TestContextOfTheNatsCommand(t *testing.T) {
	b := bustest.Start(t, bustest.Config(`authorization { user: ann, password: secret }`))
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	must(t, os.MkdirAll(filepath.Join(dir, "nats", "context"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "nats", "context", "c.json"),
		[]byte(`{"description":"","url":"`+b.URL()+`","user":"ann","password":"secret","nsc":"","color_scheme":"x"}`), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "nats", "context.txt"), []byte("c"), 0o600))
	for _, o := range []bus.Options{{User: "ann"}, {User: "ann", Context: "c"}, {User: "ann", Context: "c", Server: b.URL()}} {
		conn, err := bus.Connect(o)
		must(t, err)
		conn.Close()
	}
}

func TestInProcessServerHasNoSocket(t *testing.T) {
	bustest.NoLeaks(t)
	b := bustest.StartInProcess(t)
	if b.URL() != "" {
		t.Errorf("URL is %q", b.URL())
	}
	serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	if got := names(roster(t, b.Connect("alice"))); got != "n1" {
		t.Errorf("roster is %q", got)
	}
}
