package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/needs"
)

// tailFleet is a fleet with a log a node, DIR/NODE/app.log.
func tailFleet(t *testing.T, nodes ...string) *fleet {
	f := newFleet(t)
	for _, n := range nodes {
		f.logNode(n)
	}
	f.up(len(nodes))
	return f
}

func (f *fleet) logNode(name string) {
	f.t.Helper()
	dir := filepath.Join(f.home, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		f.t.Fatal(err)
	}
	f.write(name, "")
	f.node(name, "--logs", dir+"/*")
}

func (f *fleet) write(node, text string) {
	f.t.Helper()
	log, err := os.OpenFile(filepath.Join(f.home, node, "app.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer log.Close()
	if _, err := log.WriteString(text); err != nil {
		f.t.Fatal(err)
	}
}

// followed waits until lines that a node writes are printed.
func (f *fleet) followed(q *query, node string) {
	f.t.Helper()
	n := 0
	f.await(node+" is followed", 30*time.Second, func() bool {
		probe := fmt.Sprintf("probe %s %d\n", node, n)
		n++
		f.write(node, probe)
		return strings.Contains(q.out.String(), "probe "+node+" ")
	})
}

// A node is followed over the real logrotate; one joins, one is killed and comes back, and an interrupt
// ends it on all of them within a second.
func TestTail(t *testing.T) {
	needs.Tool(t, "logrotate", "logrotate")
	f := tailFleet(t, "n1")
	q := f.begin("tail", "--server", f.url, "-h", "line|probe")
	f.followed(q, "n1")

	config := filepath.Join(f.home, "rotate.conf")
	text := fmt.Sprintf("%s/n1/app.log {\nrotate 100\ncreate\n}\n", f.home)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for turn := range 5 {
		for i := range 20 {
			f.write("n1", fmt.Sprintf("line %d\n", 20*turn+i))
		}
		if out, err := exec.Command("logrotate", "--force", "--state", f.home+"/state", config).CombinedOutput(); err != nil {
			t.Fatalf("logrotate: %v: %s", err, out)
		}
	}
	f.write("n1", "line 100\n")
	f.await("the last line", 30*time.Second, func() bool { return strings.Contains(q.out.String(), "line 100\n") })
	next := 0
	for line := range strings.Lines(q.out.String()) {
		if number, ok := strings.CutPrefix(line, "line "); ok {
			if number != fmt.Sprintf("%d\n", next) {
				t.Fatalf("line %s came, not %d", number, next)
			}
			next++
		}
	}

	f.logNode("n2")
	f.await("n2 joins", 30*time.Second, func() bool { return strings.Contains(q.errout.String(), "trawl: n2: joined") })
	f.followed(q, "n2")
	f.nodes["n1"].end(syscall.SIGKILL)
	f.await("n1 is missed", 30*time.Second, func() bool { return strings.Contains(q.errout.String(), "trawl: n1: left") })
	f.node("n1", "--logs", f.home+"/n1/*")
	f.await("n1 is back", 30*time.Second, func() bool { return strings.Contains(q.errout.String(), "trawl: n1: is back") })
	f.write("n1", "line after\n")
	f.await("n1 goes on", 30*time.Second, func() bool { return strings.Contains(q.out.String(), "line after\n") })

	interrupted := time.Now()
	_ = q.cmd.Process.Signal(os.Interrupt)
	if r := q.wait(30 * time.Second); r.code != 130 {
		t.Errorf("exit status %d: %s", r.code, r.stderr)
	}
	ended := regexp.MustCompile(`time=(\S+) .*flags=.*--follow.*status=stopped`)
	for _, n := range []string{"n1", "n2"} {
		var at time.Time
		f.await(n+" has ended", 20*time.Second, func() bool {
			m := ended.FindStringSubmatch(f.nodes[n].log.String())
			if m != nil {
				at, _ = time.Parse(time.RFC3339Nano, m[1])
			}
			return m != nil
		})
		if late := at.Sub(interrupted); late > time.Second {
			t.Errorf("%s ended %v after the interrupt", n, late)
		}
	}
}

// A reader that stops slows no node down: what was left out and what was printed is what was written.
func TestTailSlowReader(t *testing.T) {
	f := tailFleet(t, "n1")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f.write("n1", "history\n")
	q := f.beginInto(w, "tail", "--server", f.url, "-h", "--lines", "1", ".")
	reader := bufio.NewReaderSize(r, 1<<20)
	if line, err := reader.ReadString('\n'); err != nil || line != "history\n" {
		t.Fatalf("%q, %v: %s", line, err, q.errout)
	}
	const blocks, lines = 400, 500
	for b := range blocks { // 20 MB, five times what may wait
		var text strings.Builder
		for i := range lines {
			fmt.Fprintf(&text, "%d %s\n", b*lines+i, strings.Repeat("x", 90))
		}
		f.write("n1", text.String())
	}
	f.write("n1", "end\n")
	skipped := regexp.MustCompile(`n1: skipped ([0-9,]+) lines?`)
	var read atomic.Int64
	go func() {
		for {
			if _, err := reader.ReadString('\n'); err != nil {
				return
			}
			read.Add(1)
		}
	}()
	printed, left := int64(0), int64(0)
	f.await("all lines are printed, or told to be skipped", time.Minute, func() bool {
		left = 0
		for _, m := range skipped.FindAllStringSubmatch(q.errout.String(), -1) {
			n, err := strconv.ParseInt(strings.ReplaceAll(m[1], ",", ""), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			left += n
		}
		printed = read.Load()
		return printed+left >= blocks*lines+1
	})
	if left == 0 {
		t.Error("nothing was skipped: this tests nothing")
	}
	if printed+left != blocks*lines+1 {
		t.Errorf("%d lines printed and %d skipped, of %d", printed, left, blocks*lines+1)
	}
	t.Logf("%d lines printed, %d skipped", printed, left)
}

// How long a line takes from the write to the print; docs/tail.md has the figures.
func TestTailLatency(t *testing.T) {
	f := tailFleet(t, "n1")
	q := f.begin("tail", "--server", f.url, "-h", "line|probe")
	f.followed(q, "n1")
	var took []time.Duration
	for i := range 30 {
		line := fmt.Sprintf("line %d\n", i)
		before := time.Now()
		f.write("n1", line)
		deadline := before.Add(20 * time.Second)
		for !strings.Contains(q.out.String(), line) {
			if time.Now().After(deadline) {
				t.Fatalf("%q was not printed", line)
			}
			time.Sleep(time.Millisecond) // what is measured is the wait
		}
		took = append(took, time.Since(before))
	}
	slices.Sort(took)
	t.Logf("median %v, worst %v", took[len(took)/2], took[len(took)-1])
}

// Over the real logrotate's copytruncate nothing is lost but what copytruncate itself loses, between its
// copy and its cut, and each cut is told.
func TestTailCopytruncate(t *testing.T) {
	needs.Tool(t, "logrotate", "logrotate")
	f := tailFleet(t, "n1")
	q := f.begin("tail", "--server", f.url, "-h", "line|probe")
	f.followed(q, "n1")
	config := filepath.Join(f.home, "cut.conf")
	text := fmt.Sprintf("%s/n1/app.log {\nrotate 100\ncopytruncate\n}\n", f.home)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	const turns, each = 4, 50
	for turn := range turns { // nothing is written while it rotates: copytruncate loses nothing
		for i := range each {
			f.write("n1", fmt.Sprintf("line %d\n", each*turn+i))
		}
		if out, err := exec.Command("logrotate", "--force", "--state", f.home+"/state", config).CombinedOutput(); err != nil {
			t.Fatalf("logrotate: %v: %s", err, out)
		}
		f.await("the cut is told", 30*time.Second, func() bool { return strings.Count(q.errout.String(), "app.log was cut") > turn })
	}
	last := fmt.Sprintf("line %d\n", turns*each)
	f.write("n1", last)
	f.await("the last line", 30*time.Second, func() bool { return strings.Contains(q.out.String(), last) })
	next := 0
	for line := range strings.Lines(q.out.String()) {
		if number, ok := strings.CutPrefix(line, "line "); ok {
			if number != fmt.Sprintf("%d\n", next) {
				t.Fatalf("line %s came, not %d", number, next)
			}
			next++
		}
	}
	_ = q.cmd.Process.Signal(os.Interrupt)
	if r := q.wait(30 * time.Second); r.code != 130 || !strings.Contains(r.stderr, "1 of 1 node followed to the end, ") {
		t.Errorf("exit status %d: %s", r.code, r.stderr)
	}
}
