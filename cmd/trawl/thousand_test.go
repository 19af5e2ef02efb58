package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/responder"
)

// startFleet starts a bus and n responders in this process, each with a log of 100 lines with the
// word "wanted" and 100 without, and returns the bus's URL once all are in the roster.
func startFleet(tb testing.TB, n int) string {
	tb.Helper()
	dir := tb.TempDir()
	server, err := bus.StartServer(bus.ServerOptions{Listen: "127.0.0.1:0", Store: filepath.Join(dir, "bus")})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Stop)
	text := strings.Repeat("2026-11-22T00:00:00.000Z info api[1]: this line is wanted by the one who asks\n"+
		"2026-11-22T00:00:00.000Z info api[1]: this line is of no interest to anybody\n", 100)
	for i := range n {
		name := fmt.Sprintf("node%d", i+1)
		// A directory each: a thousand catalogues of one shared directory would read it a thousand times.
		path := filepath.Join(dir, name, "app.log")
		if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
		config := responder.DefaultConfig()
		config.Node = name
		if err := config.AddLogs(path); err != nil {
			tb.Fatal(err)
		}
		if err := config.Finish(); err != nil {
			tb.Fatal(err)
		}
		options := bus.Options{InProcess: server, Name: name, Responder: true}
		node, err := joinNode(context.Background(), config, options, slog.New(slog.DiscardHandler))
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(node.Close)
	}
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, out, _ := command("nodes", "--server", server.URL()); strings.Count(out, " up ") == n {
			return server.URL()
		}
		select {
		case <-deadline:
			tb.Fatalf("not all of %d nodes are up within 2 minutes", n)
		case <-tick.C:
		}
	}
}

// command runs a command line in this process.
func command(args ...string) (status int, out, errout string) {
	var o, e bytes.Buffer
	status = run(context.Background(), args, strings.NewReader(""), &o, &e)
	return status, o.String(), e.String()
}

// trawl grep ends as soon as it has all, and yet every node hears that its End was taken.
func TestEndsAreAcknowledgedByAProcessThatLeaves(t *testing.T) {
	fleet, err := startSimulation(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	defer fleet.stop()
	if status, _, errout := command("grep", "--server", fleet.server.URL(), "lines 0"); status != exitNoMatch {
		t.Fatalf("exit status %d: %s", status, errout)
	}
	deadline := time.Now().Add(time.Minute)
	for _, n := range fleet.nodes {
		for n.answering() {
			if time.Now().After(deadline) {
				t.Fatalf("%s has not heard it", n.record.Name)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// answering says whether an End of the node is not acknowledged yet.
func (n *simulatedNode) answering() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.answers) > 0
}

// A fleet of some size in one process: every node answers in full, be it with nothing.
func TestManyNodes(t *testing.T) {
	url := startFleet(t, 60)
	if status, out, errout := command("grep", "--server", url, "absent"); status != exitNoMatch || out != "" {
		t.Errorf("absent: exit %d: %q %s", status, out, errout)
	}
	status, out, errout := command("grep", "--server", url, "-h", "wanted")
	if n := strings.Count(out, "\n"); status != exitMatch || n != 60*100 {
		t.Errorf("wanted: exit %d, %d lines: %s", status, n, errout)
	}
}

// 1,000 responders on one embedded server; the times are recorded in docs/thousand-nodes.md.
func BenchmarkThousandNodes(b *testing.B) {
	url := startFleet(b, 1000)
	for _, answer := range []struct {
		name, pattern string
		status, lines int
	}{{"empty", "absent", exitNoMatch, 0}, {"100lines", "wanted", exitMatch, 100_000}} {
		b.Run(answer.name, func(b *testing.B) {
			for b.Loop() {
				status, out, errout := command("grep", "--server", url, "-h", answer.pattern)
				if n := strings.Count(out, "\n"); status != answer.status || n != answer.lines {
					b.Fatalf("exit %d, %d lines: %s", status, n, errout)
				}
			}
		})
	}
}
