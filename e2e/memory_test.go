package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mostResident is what a responder with the default limits may have resident while it scans, whatever the length of lines.
const mostResident = 64 << 20

// longLine is the length of the lines that no responder may hold.
const longLine = 100 << 20

// giantLog writes a log of rounds of 25 MiB of short lines and then a line of 100 MiB, and says how many lines are short.
// The last long line alone ends in "needle"; a short line ends in " ok", and all hold "user=anna".
func giantLog(t *testing.T, path string, rounds int) (short int) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	word := "2026-11-22T10:00:00.000Z INFO checkout serving user=anna status=503 took=1234ms "
	lines := bytes.Repeat([]byte(word+"ok\n"), 12_000)
	piece := bytes.Repeat([]byte(word), 13_000)
	for round := range rounds {
		for n := 0; n < 25<<20; n += len(lines) {
			w.Write(lines)
			short += 12_000
		}
		for left := longLine - len("needle\n"); left > 0; left -= len(piece) {
			w.Write(piece[:min(left, len(piece))])
		}
		fmt.Fprintln(w, map[bool]string{true: "needle", false: "nought"}[round == rounds-1])
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return short
}

// TestLongLinesInLittleMemory: a responder searches lines of 100 MiB, and sends one, in 64 MiB. The long form is a log of
// a gigabyte and more, and asks four times at once, too.
func TestLongLinesInLittleMemory(t *testing.T) {
	f := newFleet(t)
	path, rounds := filepath.Join(t.TempDir(), "app.log"), 2
	if *long {
		rounds = 8
	}
	short := giantLog(t, path, rounds)
	node := f.node("n1", "--logs", path)
	f.up(1)
	check := func(what string) {
		t.Helper()
		peak, err := peakResident(node.cmd.Process.Pid)
		if err != nil || peak > mostResident {
			t.Errorf("%s: %d MiB resident, at most %d are allowed; %v", what, peak>>20, mostResident>>20, err)
		}
		t.Logf("%s: %d MiB resident at most so far", what, peak>>20)
	}
	check("started")
	counts := []struct {
		args []string
		want int
	}{
		{[]string{"nosuchtokenatall"}, 0},
		{[]string{"user=anna"}, short + rounds},
		{[]string{"-v", "ok$"}, rounds},
		{[]string{`[a-z]+ing\b.*[0-9]{4}.*(needle|nought)$`}, rounds},
	}
	for _, c := range counts {
		r := f.grep(append([]string{"-h", "-c"}, c.args...)...)
		if got := strings.TrimSpace(r.stdout); r.code > 1 || got != fmt.Sprint(c.want) {
			t.Errorf("%v: %q, want %d; exit status %d, stderr:\n%s", c.args, got, c.want, r.code, r.stderr)
		}
		check(strings.Join(c.args, " "))
	}
	if got := f.sizes(1, "-h", "needle"); got[0] != longLine {
		t.Errorf("a line of %d bytes came as %d", longLine, got[0])
	}
	check("a long line was sent")
	if *long {
		for _, n := range f.sizes(4, "-h", "-n", "user=anna.*(needle|nought)$") {
			if n < int64(rounds)*longLine {
				t.Errorf("%d long lines came as %d bytes", rounds, n)
			}
		}
		check("four queries at once, each for all long lines")
	}
}

// sizes runs a grep several times at once, and returns how many bytes each prints.
func (f *fleet) sizes(times int, args ...string) (sizes []int64) {
	f.t.Helper()
	var queries []*query
	var copied []chan int64
	for range times {
		out, in, err := os.Pipe()
		if err != nil {
			f.t.Fatal(err)
		}
		queries = append(queries, f.beginInto(in, append([]string{"grep", "--server", f.url}, args...)...))
		n := make(chan int64, 1)
		copied = append(copied, n)
		go func() {
			defer out.Close()
			size, _ := io.Copy(io.Discard, out) // what it lacks shows in the size
			n <- size
		}()
	}
	for i, q := range queries {
		if r := q.wait(2 * time.Minute); r.code != 0 {
			f.t.Errorf("grep %v: exit status %d\n%s", args, r.code, r.stderr)
		}
		sizes = append(sizes, <-copied[i])
	}
	return sizes
}
