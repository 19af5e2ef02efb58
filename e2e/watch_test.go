package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// watched runs trawl watch run until the test ends; what it prints is in the buffer.
func (f *fleet) watched(args ...string) (p *process, out *syncBuffer) {
	f.t.Helper()
	out = &syncBuffer{}
	p = start(f.t, f.home, "watch run", out, append([]string{"watch", "run", "--server", f.url}, args...)...)
	f.await("it watches", 20*time.Second, func() bool { return strings.Contains(p.log.String(), "trawl: watching") })
	return p, out
}

// watch runs trawl watch, which must not fail.
func (f *fleet) watch(args ...string) string {
	f.t.Helper()
	// The name that add wants comes first.
	r := f.run(slices.Concat([]string{"watch"}, args[:min(2, len(args))], []string{"--server", f.url}, args[min(2, len(args)):])...)
	if r.code != 0 {
		f.t.Fatalf("watch %v: exit status %d: %s", args, r.code, r.stderr)
	}
	return r.stdout
}

// append writes to a log.
func (f *fleet) append(name, text string) {
	f.t.Helper()
	log, err := os.OpenFile(filepath.Join(f.home, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		_, err = log.WriteString(text)
	}
	if err == nil {
		err = log.Close()
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// logs waits until a node has logged what so many times.
func (f *fleet) logs(node, what string, n int) {
	f.t.Helper()
	f.await(fmt.Sprintf("%s logs %q %d times", node, what, n), 30*time.Second, func() bool {
		return strings.Count(f.nodes[node].log.String(), what) >= n
	})
}

// printed waits until all of the lines were printed.
func (f *fleet) printed(out *syncBuffer, lines ...string) {
	f.t.Helper()
	f.await(fmt.Sprintf("%q is printed", lines), 30*time.Second, func() bool {
		for _, line := range lines {
			if !strings.Contains(out.String(), line+"\n") {
				return false
			}
		}
		return true
	})
}

// Every node takes a standing query up, one that starts later too, until it is removed; what another
// client has written is an error that is named, and harms nobody.
func TestStandingQuery(t *testing.T) {
	f := newFleet(t)
	f.append("a.log", "ERROR old\n")
	f.append("b.log", "ERROR old\n")
	f.node("node1", "--logs", "a.log")
	f.up(1)
	f.watch("add", "errors", "-n", "ERROR")
	f.logs("node1", "standing query taken up", 1)
	_, out := f.watched("errors")
	f.append("a.log", "fine\nERROR one\n")
	f.printed(out, "node1:"+filepath.Join(f.home, "a.log")+":3:ERROR one")
	f.node("node2", "--logs", "b.log")
	f.logs("node2", "standing query taken up", 1)
	f.append("b.log", "ERROR two\n")
	f.printed(out, "node2:"+filepath.Join(f.home, "b.log")+":2:ERROR two")

	if r := f.nats(nil, "kv", "put", "trawl_watches", "junk", "not a standing query"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	f.logs("node1", "standing query not taken up", 1)
	if list := f.watch("ls"); !regexp.MustCompile(`(?m)^errors +\S+ +\S+ +100/s +1/1 +no +ERROR +on\n^junk .* not taken up: standing: `).MatchString(list) {
		t.Errorf("watch ls prints\n%s", list)
	}
	f.watch("rm", "errors", "junk")
	f.logs("node1", "standing query ended", 1)
	f.logs("node2", "standing query ended", 1)
	if strings.Contains(out.String(), "old") {
		t.Errorf("what stood there before is printed: %s", out)
	}
	if r := f.run("watch", "run", "--server", f.url, "errors"); r.code != 2 || !strings.Contains(r.stderr, "no such standing query") {
		t.Errorf("one that was removed: exit status %d, %s", r.code, r.stderr)
	}
	if n := strings.Count(f.nodes["node1"].log.String(), "not taken up"); n != 1 {
		t.Errorf("what is wrong is logged %d times", n)
	}
}

// What is printed and what is told to be left out are all lines.
func TestStandingQueryCounts(t *testing.T) {
	f := newFleet(t)
	f.append("a.log", "")
	f.node("node1", "--logs", "a.log")
	f.up(1)
	f.watch("add", "busy", "--rate", "20", "--sample", "1/2", "line")
	f.logs("node1", "standing query taken up", 1)
	p, out := f.watched("busy")
	const lines = 1000
	var text bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	f.append("a.log", text.String())
	told := func(what string) (n int) {
		for _, m := range regexp.MustCompile(`([0-9]+) lines? left out by `+what).FindAllStringSubmatch(p.log.String(), -1) {
			k, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			n += k
		}
		return n
	}
	sum := func() int { return strings.Count(out.String(), "\n") + told("the rate limit") + told("sampling") }
	f.await("the counts come", 30*time.Second, func() bool { return sum() == lines })
	if told("sampling") != lines/2 || told("the rate limit") == 0 || strings.Count(out.String(), "\n") < 20 {
		t.Errorf("%d printed, %d by sampling, %d by the rate", strings.Count(out.String(), "\n"), told("sampling"), told("the rate limit"))
	}
}

// A durable standing query loses nothing and shows nothing twice over a restart of the bus, of the node,
// or of whoever reads it under a name; over a crash of the node it loses nothing.
func TestDurableStandingQuery(t *testing.T) {
	f := newFleet(t)
	f.append("a.log", "")
	f.node("node1", "--logs", "a.log*", "--state", "state")
	f.up(1)
	f.watch("add", "all", "--durable", "line")
	f.logs("node1", "standing query taken up", 1)
	p, out := f.watched("all", "--consumer", "reader")
	f.append("a.log", "line 1\n")
	f.printed(out, "node1:"+filepath.Join(f.home, "a.log")+":line 1")

	f.bus.end(syscall.SIGTERM)
	f.append("a.log", "line 2\n") // while there is no bus
	f.startBus(strings.TrimPrefix(f.url, "nats://"))
	f.append("a.log", "line 3\n")
	log := "node1:" + filepath.Join(f.home, "a.log") + ":"
	f.printed(out, log+"line 2", log+"line 3")

	p.end(syscall.SIGINT)
	f.nodes["node1"].end(syscall.SIGTERM)
	f.append("a.log", "line 4\n") // while there is no node
	if err := os.Rename(filepath.Join(f.home, "a.log"), filepath.Join(f.home, "a.log.1")); err != nil {
		t.Fatal(err)
	}
	f.append("a.log", "line 5\n")
	f.node("node1", "--logs", "a.log*", "--state", "state")
	_, second := f.watched("all", "--consumer", "reader")
	f.printed(second, "node1:"+filepath.Join(f.home, "a.log.1")+":line 4", log+"line 5")

	f.nodes["node1"].end(syscall.SIGKILL)
	f.append("a.log", "line 6\n")
	f.node("node1", "--logs", "a.log*", "--state", "state")
	f.printed(second, log+"line 6")

	// The stream has all, for whoever asks.
	_, all := f.watched("all")
	f.printed(all, log+"line 1", log+"line 2", log+"line 3", log+"line 5", log+"line 6")
	for _, line := range []string{"line 1", "line 2", "line 3"} {
		if n := strings.Count(out.String(), line+"\n"); n != 1 {
			t.Errorf("%s is printed %d times", line, n)
		}
	}
	if strings.Contains(second.String(), "line 1\n") {
		t.Errorf("the reader goes on, and gets again\n%s", second)
	}
	f.watch("rm", "all")
	f.logs("node1", "standing query ended", 1)
}
