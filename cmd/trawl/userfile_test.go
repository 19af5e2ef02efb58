package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/responder"
)

func TestUserFileErrors(t *testing.T) {
	for text, want := range map[string]string{
		"server: nats://bus":                                         `line 1: unknown key "server"`,
		"connection:\n  server: nats://bus\n  credz: x":              `line 3: unknown key "credz"`,
		"connection: \"a\\nb\"":                                      "line 1: cannot unmarshal",
		"\"a\\nb c\": 1":                                             `line 1: unknown key "a b c"`,
		"relations: {refresh: -1h, timeout: -1h}":                    "is less than a millisecond; timeout: ",
		"connection: {server: [a]}":                                  "line 1: cannot unmarshal",
		"relation: {}":                                               `line 1: unknown key "relation"`,
		"relations:\n  prometheus:\n  - adress: x":                   `line 3: unknown key "adress"`,
		"relations: {calls: {a: [b/c]}}":                             `calls: service "b/c": holds blanks`,
		"relations: {calls: {'': [b]}}":                              "relations: calls: the name of a service is empty",
		"relations: {services: ['a b']}":                             "services: service",
		"relations: {aliases: {'[': x}}":                             "is no glob",
		"relations: {aliases: {a: ''}}":                              "aliases: the name of a service is empty",
		"relations: {prometheus: [{url: 'prom:9090'}]}":              "prometheus 1: url",
		"relations: {prometheus: [{url: 'http://u:secret@'}]}":       "prometheus 1: url",
		"relations: {prometheus: [{url: 'http://p', metrics: [x]}]}": `metrics: "x" is neither istio nor service-graph`,
		"relations: {jaeger: [{url: 'http://j', lookback: -1h}]}":    "jaeger 1: lookback: -1h0m0s is less",
		"relations: {refresh: soon}":                                 `line 1: duration "soon"`,
		"relations: {timeout: [1s]}":                                 "a duration is wanted",
		"a: b\n---\nc: d":                                            "unknown key",
		"relations: {}\n---\nrelations: {}":                          "more than one document",
		"relations: [":                                               "line 1",
	} {
		_, err := parseUserFile([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Where flags or the environment name a bus or a context, nothing of the file goes to it that is for the file's own.
func TestUserFileIsUnderTheFlags(t *testing.T) {
	file := userConnection{
		Connection: responder.Connection{Server: "nats://file", Creds: "/file.creds", TLSCert: "/c", TLSKey: "/k", TLSCA: "/ca"},
		User:       "ann", Prefix: "p",
	}
	login := userConnection{Connection: responder.Connection{Creds: "/file.creds"}, User: "ann"}
	all := bus.Options{Server: "nats://file", Creds: "/file.creds", TLSCert: "/c", TLSKey: "/k", TLSCA: "/ca", User: "ann", Prefix: "p"}
	changed := func(change func(*bus.Options)) bus.Options {
		o := all
		change(&o)
		return o
	}
	for _, c := range []struct {
		name        string
		file        userConnection
		given, want bus.Options
	}{
		{"nothing is given", file, bus.Options{}, all},
		{"no file", userConnection{}, bus.Options{Creds: "x"}, bus.Options{Creds: "x"}},
		{"another server", file, bus.Options{Server: "nats://flag"}, bus.Options{Server: "nats://flag"}},
		{"a context", file, bus.Options{Context: "prod"}, bus.Options{Context: "prod"}},
		{"a login of no server in particular", login, bus.Options{Server: "nats://flag"}, bus.Options{Server: "nats://flag", Creds: "/file.creds", User: "ann"}},
		{"that, and a context", login, bus.Options{Context: "prod"}, bus.Options{Context: "prod"}},
		{"another login", file, bus.Options{NKey: "/flag.nk"}, changed(func(o *bus.Options) { o.Creds, o.NKey = "", "/flag.nk" })},
		{"another user", file, bus.Options{User: "bob", Prefix: "q"}, changed(func(o *bus.Options) { o.User, o.Prefix = "bob", "q" })},
	} {
		if got := c.file.under(c.given); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestUserFile(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	for _, name := range []string{"TRAWL_SERVER", "TRAWL_NATS_CONTEXT", "NATS_URL", "TRAWL_CREDS"} {
		t.Setenv(name, "")
	}
	if u, err := ownUserFile(); err != nil || *u != (userFile{}) {
		t.Errorf("without a file: %+v, %v", u, err)
	}
	name := filepath.Join(home, "trawl", "trawl.yaml")
	write := func(text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	write("connection: {server: 'nats://127.0.0.1:1', creds: ann.creds, tlsca: /ca.pem}\n")
	u, err := ownUserFile()
	if err != nil || u.Connection.Creds != filepath.Join(home, "trawl", "ann.creds") || u.Connection.TLSCA != "/ca.pem" {
		t.Errorf("%+v, %v", u, err)
	}
	// It is what a command connects with, a flag is before it, and so is the environment.
	write("connection: {server: 'nats://127.0.0.1:1'}\n")
	for _, c := range []struct {
		env  string
		args []string
		want string
	}{
		{"", []string{"nodes"}, "bus at nats://127.0.0.1:1:"},
		{"nats://127.0.0.1:2", []string{"nodes"}, "bus at nats://127.0.0.1:2:"},
		{"nats://127.0.0.1:2", []string{"nodes", "--server", "nats://127.0.0.1:3"}, "bus at nats://127.0.0.1:3:"},
		{"", []string{"relations"}, "no relations are configured"},
	} {
		t.Setenv("NATS_URL", c.env)
		if status, _, errout := trawl(t, c.args...); status != exitUsage || !strings.Contains(errout, c.want) {
			t.Errorf("%s, NATS_URL=%s: status %d, %s", c.args, c.env, status, errout)
		}
	}
	write("connection:\n  sever: nats://127.0.0.1:1\n")
	for _, args := range [][]string{{"nodes"}, {"grep", "x"}, {"relations"}} {
		want := "trawl: config " + name + ": line 2: unknown key \"sever\"\n"
		if status, _, errout := trawl(t, args...); status != exitUsage || errout != want {
			t.Errorf("%s: status %d, %s", args, status, errout)
		}
	}
}

func FuzzParseUserFile(f *testing.F) {
	f.Add([]byte("relations: {calls: {a: [b]}, jaeger: [{url: 'http://j'}], refresh: 1d2h}"))
	f.Add([]byte("relations:\n  aliases: {'a*': b}\n  timeout: 5s\nconnection: {server: x, user: ann}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		u, err := parseUserFile(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %q", text, err)
			}
			return
		}
		if c := u.Relations; c != nil && (c.Refresh <= 0 || c.Timeout <= 0) {
			t.Errorf("%q: refresh %d, timeout %d", text, c.Refresh, c.Timeout)
		}
	})
}
