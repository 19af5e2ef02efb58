package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/responder"
)

// What is printed without names is what PROTOCOL.md has, which bus.TestDocumentedPermissions runs.
func TestAuthIsThatOfTheProtocol(t *testing.T) {
	page, err := os.ReadFile("../../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```conf\n")
	want, _, _ := strings.Cut(rest, "```")
	if status, out, errout := trawl(t, "config", "auth"); status != 0 || out != want || want == "" {
		t.Errorf("status %d, %s\n%s", status, errout, out)
	}
}

// Of two people and two nodes the second of each can do its part, and may nothing of the first's.
func TestAuthOfSeveral(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	status, text, errout := trawl(t, "config", "auth", "--user", "ann", "--user", "bob", "--node", "web1", "--node", "42")
	if status != 0 {
		t.Fatal(errout)
	}
	server := bustest.Start(t, bustest.Config(text))
	login := func(user string) string {
		return strings.Replace(server.URL(), "nats://", "nats://"+user+":change%20me@", 1)
	}
	name := filepath.Join(t.TempDir(), "app.log")
	if err := os.WriteFile(name, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := responder.DefaultConfig()
	config.Node, config.Sources = "42", []responder.SourceConfig{{Logs: responder.List{name}}}
	if err := config.Finish(); err != nil {
		t.Fatal(err)
	}
	node, err := joinNode(t.Context(), config, bus.Options{Server: login("42"), User: "42", Name: "42", Responder: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	if err := node.service.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	status, out, errout := trawl(t, "grep", "--server", login("bob"), "--user", "bob", "--node", "42", "--timeout", "30s", "-h", "two")
	if status != exitMatch || out != "two\n" {
		t.Errorf("bob: status %d, %q, %s", status, out, errout)
	}
	for role, other := range map[string]string{"requester2": "ann", "node2": "web1"} {
		_, rest, ok := strings.Cut(text, "  "+role+" = {\n")
		own, _, closed := strings.Cut(rest, "\n  }\n")
		if !ok || !closed || regexp.MustCompile(`\b`+other+`\b`).MatchString(own) {
			t.Errorf("%s may what is %s's:\n%s", role, other, own)
		}
	}
}
