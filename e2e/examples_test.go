package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/needs"
)

// example builds a program of examples/ and starts it on the fleet's bus until the test ends.
func (f *fleet) example(name string, args ...string) (stdout *syncBuffer) {
	f.t.Helper()
	binary := filepath.Join(f.home, "example-"+name)
	if out, err := exec.Command("go", "build", "-o", binary, "../examples/"+name).CombinedOutput(); err != nil {
		f.t.Fatalf("build examples/%s: %v: %s", name, err, out)
	}
	return f.stranger(exec.Command(binary, args...))
}

// stranger starts a program on the fleet's bus until the test ends.
func (f *fleet) stranger(cmd *exec.Cmd) (stdout *syncBuffer) {
	f.t.Helper()
	stdout, stderr := &syncBuffer{}, &syncBuffer{}
	cmd.Env, cmd.Stdout, cmd.Stderr = append(environment(f.home), "NATS_URL="+f.url), stdout, stderr
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	f.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		if f.t.Failed() {
			f.t.Logf("%v: %s\n%s", cmd.Args, tail(stdout.String(), 500), tail(stderr.String(), 500))
		}
	})
	return stdout
}

// A service that asks over the Go package counts what trawl grep counts, and says who is missing.
func TestExampleErrors(t *testing.T) {
	f := twoNodes(t)
	out := f.example("errors", "--listen", "127.0.0.1:0")
	f.await("the example serves", 30*time.Second, func() bool { return strings.HasSuffix(out.String(), "\n") })
	get := func() (s struct {
		Lines    map[string]int
		Complete bool
		Missing  map[string]string
	}) {
		response, err := http.Get(strings.TrimSpace(out.String()) + "?pattern=rare")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err == nil {
			err = json.Unmarshal(body, &s)
		}
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		return s
	}
	want := 0
	for line := range strings.Lines(f.grep("-i", "rare").stdout) {
		if strings.HasPrefix(line, "node1:") {
			want++
		}
	}
	if s := get(); !s.Complete || want == 0 || s.Lines["node1"] != want || len(s.Lines) != 2 || len(s.Missing) != 0 {
		t.Errorf("%+v, want %d of node1", s, want)
	}
	f.nodes["node2"].end(9)
	if s := get(); s.Complete || s.Lines["node1"] != want || !strings.HasPrefix(s.Missing["node2"], "down: ") {
		t.Errorf("without node2: %+v", s)
	}
}

// A subscriber reads along what a query finds, from the nodes' own frames and from those that the query
// sends on.
func TestExampleReadalong(t *testing.T) {
	f := twoNodes(t)
	for _, subject := range []string{"trawl.v1.res.ann.*.*.*", "audit.logs"} {
		out := f.example("readalong", subject)
		f.readsAlong(subject, out)
	}
}

// The same in JavaScript, which decodes the frames from PROTOCOL.md alone.
func TestExampleNode(t *testing.T) {
	needs.Tool(t, "node", "nodejs")
	needs.File(t, "../examples/node/node_modules", "npm ci --prefix examples/node")
	f := twoNodes(t)
	for _, subject := range []string{"trawl.v1.res.ann.*.*.*", "audit.logs"} {
		out := f.stranger(exec.Command("node", "../examples/node/readalong.mjs", subject))
		f.readsAlong(subject, out)
	}
}

// readsAlong holds what a program prints of the frames on subject to what trawl grep prints.
func (f *fleet) readsAlong(subject string, out *syncBuffer) {
	f.t.Helper()
	ask, ends, fence := []string{"--user", "ann"}, 2, ": complete, 3 lines" // of each node
	if !strings.Contains(subject, "*") {
		ask, ends, fence = []string{"--reply-to", subject}, 1, ": complete, 6 lines"
	}
	f.await("the subscription stands", 30*time.Second, func() bool {
		f.grep(append(ask, "-m1", "RARE")...)
		return strings.Contains(out.String(), ": complete, ")
	})
	f.grep(append(ask, "-m3", "RARE")...) // behind its ends nothing comes of those before
	f.await("the queries before are through", 20*time.Second, func() bool { return strings.Count(out.String(), fence) == ends })
	for _, pattern := range []string{"status=50", ".", "absent"} { // a few lines; many packed frames; none
		before := out.Len()
		want := strings.SplitAfter(f.grep(append(ask, pattern)...).stdout, "\n")
		got := func() (lines []string) {
			for line := range strings.Lines(out.String()[before:]) {
				lines = append(lines, line)
			}
			return lines
		}
		said := func(line string) bool { return strings.HasPrefix(line, "# ") }
		f.await(pattern+" on "+subject, 20*time.Second, func() bool {
			return strings.Count(out.String()[before:], ": complete, ") == ends
		})
		lines := slices.DeleteFunc(got(), said)
		want = slices.DeleteFunc(want, func(line string) bool { return line == "" })
		slices.Sort(lines) // nodes answer side by side
		slices.Sort(want)
		if !slices.Equal(lines, want) {
			f.t.Errorf("%s on %s: %s", pattern, subject, firstDifference(strings.Join(lines, ""), strings.Join(want, "")))
		}
		if strings.Contains(out.String()[before:], "missing") {
			f.t.Errorf("%s on %s: %s", pattern, subject, tail(out.String(), 300))
		}
	}
}
