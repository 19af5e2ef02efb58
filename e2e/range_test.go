package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const isoMillis = "2006-01-02 15:04:05.000"

// sortedOut returns the lines of text that hold needle and are of a time in [since, until), by the
// standard library's reading: a line without a time has that of the entry above it.
func sortedOut(text, needle string, since, until time.Time) (lines []string) {
	in := false
	for line := range strings.Lines(text) {
		if len(line) > len(isoMillis) {
			if at, err := time.Parse(isoMillis, line[:len(isoMillis)]); err == nil {
				in = !at.Before(since) && at.Before(until)
			}
		}
		if in && strings.Contains(line, needle) {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// entries writes n entries, the i-th at at(i); some are of several lines. The needle is in every second
// entry, and in lines without a time of their own.
func entries(n int, at func(i int) time.Time) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s INFO entry %d", at(i).Format(isoMillis), i)
		if i%2 == 0 {
			b.WriteString(" needle")
		}
		b.WriteString(strings.Repeat(" padding", i%5) + "\n")
		for k := range i % 7 / 5 * (1 + i%3) {
			fmt.Fprintf(&b, "\tat frame.%d(needle.java:%d)\n", i, k)
		}
	}
	return b.String()
}

func (f *fleet) file(name, text string, written time.Time) string {
	f.t.Helper()
	path := filepath.Join(f.home, name)
	data := []byte(text)
	if strings.HasSuffix(name, ".gz") {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(data); err != nil {
			f.t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			f.t.Fatal(err)
		}
		data = b.Bytes()
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Chtimes(path, written, written); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// Ranges give what sorting out by hand gives: of a file whose entries are in no order, and of one log that is
// spread over a live file, a rotated one and compressed ones.
func TestRangesAreWhatSortingOutGives(t *testing.T) {
	f := newFleet(t)
	start := time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC)
	const n = 6000
	at := func(i int) time.Time { return start.Add(time.Duration(i) * 3777 * time.Millisecond) }
	end := at(n)

	order := rand.New(rand.NewPCG(4, 2)).Perm(n)
	texts := map[string]string{}
	add := func(name, text string, written time.Time) { texts[f.file(name, text, written)] = text }
	add("mixed.log", entries(n, func(i int) time.Time { return at(order[i]) }), end)
	for i, name := range []string{"app.log.3.gz", "app.log.2.gz", "app.log.1", "app.log"} {
		add(name, entries(n/4, func(k int) time.Time { return at(i*n/4 + k) }), at((i+1)*n/4))
	}
	f.node("mixed", "--logs", filepath.Join(f.home, "mixed.log"))
	f.node("app", "--logs", filepath.Join(f.home, "app.log*"))
	f.up(2)

	for _, c := range []struct{ from, to int }{
		{0, n}, {0, 2}, {n - 2, n}, {n / 4, n / 2}, {n/4 - 1, n/4 + 1}, // the borders of rotated files
		{n/4 - 100, n/2 + 100}, {n/2 - 3, n}, {17, 1234}, {n/2 + 20, n/2 + 21},
	} {
		since, until := at(c.from), at(c.to)
		var want []string
		for path, text := range texts {
			node := strings.TrimSuffix(filepath.Base(path), ".log")
			if node != "mixed" {
				node = "app"
			}
			for _, line := range sortedOut(text, "needle", since, until) {
				want = append(want, node+":"+path+":"+line)
			}
		}
		args := []string{"--since", since.Format(time.RFC3339Nano), "needle"}
		if c.to < n { // an open end otherwise
			args = append(args, "--until", until.Format(time.RFC3339Nano))
		}
		r := f.grep(args...)
		got := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
		if r.stdout == "" {
			got = nil
		}
		slices.Sort(got)
		slices.Sort(want)
		if r.code != 0 || !slices.Equal(got, want) {
			t.Errorf("entries %d to %d: exit status %d, %d lines, want %d; %s\n%s", c.from, c.to, r.code, len(got), len(want),
				firstDifference(strings.Join(got, "\n"), strings.Join(want, "\n")), r.stderr)
		}
	}

	// The order of a file's lines stays what it is.
	mixed := filepath.Join(f.home, "mixed.log")
	r := f.grep("-h", "--node", "mixed", "--until", at(n/2).Format(time.RFC3339Nano), "needle")
	if want := strings.Join(sortedOut(texts[mixed], "needle", time.Time{}, at(n/2)), "\n") + "\n"; r.stdout != want {
		t.Errorf("--until alone: %s\n%s", firstDifference(r.stdout, want), r.stderr)
	}
}

// Of a sorted file less than a hundredth is read for a minute of it, by its receipt. With -long it is a
// gigabyte, otherwise a fifth of one.
func TestRangeReadsLittle(t *testing.T) {
	f := newFleet(t)
	size := int64(200 << 20)
	if *long {
		size = 1 << 30
	}
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	step, rest := 50*time.Millisecond, " INFO request served "+strings.Repeat("abcdefghij", 20)+" status=200\n"
	lines := int(size / int64(len(isoMillis)+len(rest)))
	path := filepath.Join(f.home, "big.log")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(out, 1<<20)
	var line []byte
	for i := range lines {
		line = append(start.Add(time.Duration(i)*step).AppendFormat(line[:0], isoMillis), rest...)
		if _, err := w.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	f.node("big", "--logs", path)
	f.up(1)

	end := start.Add(time.Duration(lines) * step)
	middle := start.Add(end.Sub(start) / 2).Truncate(time.Minute)
	for i, c := range []struct {
		since, until time.Time
		want         int
	}{
		{end.Add(-10 * time.Second), time.Time{}, 200},
		{middle, middle.Add(10 * time.Second), 200},
		{time.Time{}, start.Add(10 * time.Second), 200},
		{end.Add(10 * time.Minute), time.Time{}, 0},
	} {
		args := []string{"--output", "json", "request served"}
		if !c.since.IsZero() {
			args = append(args, "--since", c.since.Format(time.RFC3339Nano))
		}
		if !c.until.IsZero() {
			args = append(args, "--until", c.until.Format(time.RFC3339Nano))
		}
		r := f.grep(args...)
		receipt := r.receipt(t)
		t.Logf("%v: %d of %d bytes read, %v", args[3:], receipt.BytesRead, receipt.BytesConsidered, r.elapsed)
		if !receipt.Complete || receipt.Lines != int64(c.want) {
			t.Errorf("%v: %+v, want %d lines\n%s", args, receipt, c.want, r.stderr)
		}
		if i == 0 && receipt.AssumedSorted != 1 {
			t.Errorf("%v: nobody has read the file, and %d are assumed to be sorted", args, receipt.AssumedSorted)
		}
		if written, err := os.Stat(path); err != nil || receipt.BytesConsidered != written.Size() || receipt.BytesRead*100 >= receipt.BytesConsidered {
			t.Errorf("%v: read %d of %d bytes; %v", args, receipt.BytesRead, receipt.BytesConsidered, err)
		}
	}
}
