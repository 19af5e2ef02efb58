package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

// trawl runs one command line.
func trawl(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errout bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(""), &out, &errout)
	return status, out.String(), errout.String()
}

// startBus runs `trawl bus` until the returned func is called, which gives its exit status.
func startBus(t *testing.T, args ...string) (url string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	t.Cleanup(func() { cancel(nil) })
	reader, writer := io.Pipe()
	status := make(chan int, 1)
	var errout bytes.Buffer
	go func() {
		status <- run(ctx, append([]string{"bus"}, args...), strings.NewReader(""), writer, &errout)
		writer.Close()
	}()
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		t.Fatalf("the bus printed no URL: %s", errout.String())
	}
	return strings.TrimSpace(line), func() int { cancel(errInterrupted); return <-status }
}

func TestBusAndNodes(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	url, stop := startBus(t, "--listen", "127.0.0.1:0", "--store", t.TempDir())
	if !strings.HasPrefix(url, "nats://127.0.0.1:") {
		t.Errorf("URL is %q", url)
	}
	t.Setenv("NATS_URL", url)
	if status, out, errout := trawl(t, "nodes"); status != 0 || strings.Count(out, "\n") != 1 || !strings.Contains(errout, "no node is known") {
		t.Errorf("empty roster: status %d, %q, %q", status, out, errout)
	}

	conn, err := bus.Connect(bus.Options{Server: url, User: "root", Responder: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	record := schemas.Node{Name: "web1", Instance: "i", Host: "h", Version: "v1", Groups: []string{"a", "b"}, Services: []string{"app\x1b[2J x"},
		Files: 3, Bytes: 4096, Started: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC).UnixNano(), Ready: true}
	service, err := bus.Serve(t.Context(), conn, func() schemas.Node { return record }, bus.Handlers{})
	if err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "web1 is registered", service.Registered)

	status, out, _ := trawl(t, "nodes")
	rows := strings.Split(strings.TrimSpace(out), "\n")
	if status != 0 || len(rows) != 2 {
		t.Fatalf("status %d: %s", status, out)
	}
	row := strings.Fields(rows[1])
	since, err := time.Parse(time.RFC3339, row[2])
	if err != nil || since.UnixNano() != record.Started {
		t.Errorf("since %s, %v", row[2], err)
	}
	row[2] = "-"
	if got := strings.Join(row, " "); got != "web1 up - a,b app?[2J?x 3 4096 v1" {
		t.Errorf("row is %q", got)
	}

	service.Close()
	_, out, _ = trawl(t, "nodes", "--output", "json")
	var line nodeLine
	if err := json.Unmarshal([]byte(out), &line); err != nil || line.Node != "web1" || line.State != "down" || line.Roster != "registered" || line.Since == nil {
		t.Errorf("line is %s: %v", out, err)
	}

	if status, _, errout := trawl(t, "nodes", "forget", "db*"); status != 2 || !strings.Contains(errout, "no known node matches db*") {
		t.Errorf("forget of nobody: status %d, %q", status, errout)
	}
	if status, out, errout := trawl(t, "nodes", "forget", "db1", "we?1"); status != 0 || out != "web1\n" {
		t.Errorf("forget: status %d, %q, %q", status, out, errout)
	}
	if _, out, _ := trawl(t, "nodes"); strings.Contains(out, "web1") {
		t.Errorf("still there: %s", out)
	}
	if status := stop(); status != 0 {
		t.Errorf("the bus ended with %d", status)
	}
	if status, _, errout := trawl(t, "nodes"); status != 2 || !strings.Contains(errout, "`trawl bus` starts one") {
		t.Errorf("without a bus: status %d, %q", status, errout)
	}
}

func TestBusRefusesAnOpenAddress(t *testing.T) {
	status, _, errout := trawl(t, "bus", "--listen", "0.0.0.0:0", "--store", t.TempDir())
	if status != 2 || !strings.Contains(errout, "without authentication") {
		t.Errorf("status %d, %q", status, errout)
	}
}

// A node with a service a file would otherwise make every row of the table as wide as its list.
func TestListKeepsRowsShort(t *testing.T) {
	many := make([]string, 10000)
	for i := range many {
		many[i] = fmt.Sprintf("service%d", i)
	}
	for _, c := range []struct {
		names []string
		want  string
	}{
		{nil, "-"},
		{[]string{"api", "b\x1b[31m"}, "api,b?[31m"},
		{many, "service0,service1,service2,service3,+9996"},
		{[]string{strings.Repeat("x", 60), "y"}, strings.Repeat("x", 60) + ",+1"},
	} {
		if got := list(c.names); got != c.want {
			t.Errorf("%d names: %.100s, want %s", len(c.names), got, c.want)
		}
	}
}
