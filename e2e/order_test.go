package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// dated is a line of JSON output.
type dated struct {
	Type, Node, File, Time, Text string
	Line                         int64
}

func (r result) dated(t *testing.T) (lines []dated) {
	t.Helper()
	for line := range strings.Lines(r.stdout) {
		var d dated
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if d.Type == "match" {
			lines = append(lines, d)
		}
	}
	return lines
}

// Five nodes with real logs of eight forms, some of them cut in two, shuffled or compressed: time order
// is what sorting the answer in node order gives, and its first lines are what --limit gives.
func TestTimeOrderIsSorted(t *testing.T) {
	f := newFleet(t)
	root := filepath.Join(f.home, "logs")
	files := logs(t, root)
	rng := rand.New(rand.NewPCG(7, 7))
	for i, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
		switch i % 3 {
		case 1: // blocks change places
			for range 5 {
				at := rng.IntN(len(lines))
				lines = slices.Concat(lines[at:], lines[:at])
			}
		case 2: // every second line on another node
			var other [][]byte
			for j := 0; j < len(lines); j++ {
				other = append(other, lines[j])
				lines = slices.Delete(lines, j, j+1)
			}
			dir := filepath.Join(root, nodeOrder[(i+2)%len(nodeOrder)])
			if err := os.WriteFile(filepath.Join(dir, "other_"+filepath.Base(path)), bytes.Join(other, nil), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, bytes.Join(lines, nil), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range nodeOrder {
		f.node(name, "--logs", filepath.Join(root, name, "*"))
	}
	f.up(len(nodeOrder))

	all := []string{"--output", "json", "-a", "-e", ""}
	want := f.grep(all...).dated(t)
	if len(want) < 16_000 {
		t.Fatalf("%d lines", len(want))
	}
	slices.SortStableFunc(want, func(a, b dated) int { return cmp.Compare(a.Time, b.Time) }) // "" for none
	got := f.grep(append([]string{"--order", "time"}, all...)...)
	if lines := got.dated(t); got.code != 0 || !slices.Equal(lines, want) {
		n := 0
		for n < min(len(lines), len(want)) && lines[n] == want[n] {
			n++
		}
		t.Fatalf("exit %d, %d lines of %d, the first %d are right; then\n got %+v\nwant %+v\n%s", got.code, len(lines), len(want), n,
			lines[n:min(n+3, len(lines))], want[n:min(n+3, len(want))], got.stderr)
	}
	first := f.grep(append([]string{"--order", "time", "--limit", "500"}, all...)...)
	if lines := first.dated(t); first.code != 0 || !slices.Equal(lines, want[:500]) {
		t.Errorf("--limit: exit %d, %d lines that are not the first\n%s", first.code, len(lines), first.stderr)
	}
}

// datedFleet has nodes that log side by side, a line every millisecond. The second one's file is upside
// down, so that it is sorted, with the disk's help.
func datedFleet(t *testing.T, nodes, lines int) *fleet {
	f := newFleet(t)
	for i := range nodes {
		var b bytes.Buffer
		now := time.Date(2026, 3, 1, 0, 0, 0, i, time.UTC)
		for n := range lines {
			if i == 1 {
				n = lines - n
			}
			b.WriteString(now.Add(time.Duration(n)*time.Millisecond).Format("2006-01-02T15:04:05.000000000Z") + " needle " + strings.Repeat("x", 80) + "\n")
		}
		path := filepath.Join(f.home, "dated"+string(rune('1'+i))+".log")
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		f.node("node"+string(rune('1'+i)), "--logs", path)
	}
	f.up(nodes)
	return f
}

// A node that is killed holds nobody up for longer than its verdict, is named, and leaves the rest in
// order and whole.
func TestTimeOrderKilled(t *testing.T) {
	const lines = 60_000
	f := datedFleet(t, 3, lines)
	q, rest := f.stalled("--output", "json", "--order", "time", "needle")
	f.waiting()
	f.nodes["node2"].end(syscall.SIGKILL)
	r := q.finish(rest)
	receipt, got := r.receipt(t), map[string]int{}
	before := ""
	for i, d := range r.dated(t) {
		if d.Time < before {
			t.Fatalf("line %d: %s behind %s", i, d.Time, before)
		}
		before = d.Time
		got[d.Node]++
	}
	if r.code != 3 || receipt.status("node2") != "partial" || got["node2"] >= lines || got["node1"] != lines || got["node3"] != lines {
		t.Errorf("exit %d, lines %v, %+v", r.code, got, receipt)
	}
}

// A slow reader of lines in time order has nothing pile up anywhere.
func TestTimeOrderSlowReader(t *testing.T) {
	f := datedFleet(t, 4, 50_000)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	q := f.beginInto(w, "grep", "--server", f.url, "--order", "time", "needle")
	peak := watchResident(t, q.cmd.Process.Pid)
	var lines atomic.Int64
	if err := readSlowly(r, &lines, 3*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if got := q.wait(5 * time.Minute); got.code != 0 || lines.Load() != 200_000 {
		t.Errorf("%d lines, exit %d: %s", lines.Load(), got.code, got.stderr)
	}
	if peak() > residentLimit {
		t.Errorf("grep had %d MiB resident", peak()>>20)
	}
	f.checkResident()
}

// A node that finds nothing, and one that is silent, hold nobody up.
func TestTimeOrderNothingFound(t *testing.T) {
	f := datedFleet(t, 2, 1000)
	empty := filepath.Join(f.home, "empty.log")
	if err := os.WriteFile(empty, []byte("2026-03-01T00:00:00Z other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.node("a-nothing", "--logs", empty)
	f.up(3)
	if r := f.grep("--order", "time", "-h", "needle"); r.code != 0 || strings.Count(r.stdout, "\n") != 2000 {
		t.Errorf("exit %d, %d lines: %s", r.code, strings.Count(r.stdout, "\n"), r.stderr)
	}
}
