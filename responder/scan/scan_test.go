package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"

	"github.com/trawl-logs/trawl/responder/match"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lineMatcher is a Matcher by the standard library.
type lineMatcher struct {
	re    *regexp.Regexp
	term  byte
	fed   []byte
	spans [][]int
}

// Lines returns one line at a time, and sometimes none, as a Matcher may.
func (m *lineMatcher) Lines(dst []match.Line, buf []byte, from int) ([]match.Line, int) {
	n := bytes.IndexByte(buf[from:], m.term)
	if m.MatchLine(buf[from : from+n]) {
		dst = append(dst, match.Line{Start: from, End: from + n})
	}
	return dst, from + n + 1
}

func (m *lineMatcher) Count(buf []byte, from int) (n int) {
	var lines []match.Line
	for from < len(buf) {
		lines, from = m.Lines(lines[:0], buf, from)
		n += len(lines)
	}
	return n
}

func (m *lineMatcher) MatchLine(line []byte) bool { return m.re.Match(line) }

func (m *lineMatcher) Begin(line []byte) { m.spans = m.re.FindAllIndex(line, -1) }

func (m *lineMatcher) NextSpan() (int, int) {
	for len(m.spans) > 0 {
		span := m.spans[0]
		if m.spans = m.spans[1:]; span[0] < span[1] {
			return span[0], span[1]
		}
	}
	return -1, -1
}

func (m *lineMatcher) Reset()        { m.fed = m.fed[:0] }
func (m *lineMatcher) Feed(p []byte) { m.fed = append(m.fed, p...) }
func (m *lineMatcher) EndLine() bool { return m.re.Match(m.fed) }

func matching(pattern string, term byte) func() Matcher {
	re := regexp.MustCompile(pattern)
	return func() Matcher { return &lineMatcher{re: re, term: term} }
}

// text is an Input over bytes in memory.
func text(name, s string) Input {
	return Input{Name: name, Open: func() (File, error) {
		return File{At: strings.NewReader(s), Size: int64(len(s))}, nil
	}}
}

func stream(name string, open func() io.Reader) Input {
	return Input{Name: name, Open: func() (File, error) { return File{Stream: open()}, nil }}
}

// transcript writes down what a search emits, so that how it is cut into batches does not show.
type transcript struct {
	strings.Builder
	t    *testing.T
	o    *Options
	open bool
}

func (tr *transcript) emit(b *Batch) error {
	if tr.open != b.Continues {
		tr.t.Errorf("continues is %v after more was %v", b.Continues, tr.open)
	}
	if b.Kind != KindLines {
		fmt.Fprintf(tr, "%s: kind %d count %d\n", b.File, b.Kind, b.Count)
		return nil
	}
	rest := b.Text
	next := func() string {
		i := bytes.IndexByte(rest, tr.o.Terminator)
		if i < 0 {
			tr.open = true
			piece := rest
			rest = nil
			return string(piece)
		}
		tr.open = false
		piece := rest[:i]
		rest = rest[i+1:]
		return string(piece) + "$\n"
	}
	if b.Continues {
		tr.WriteString(next())
	}
	groups, run, left, ctx := b.Groups, 0, int64(0), false
	for i := int64(0); len(rest) > 0; i++ {
		for ; len(groups) > 0 && groups[0] == i; groups = groups[1:] {
			tr.WriteString("--\n")
		}
		for left == 0 && run < len(b.Context) {
			left, ctx = b.Context[run], run%2 == 1
			run++
		}
		left--
		fmt.Fprintf(tr, "%s:", b.File)
		if tr.o.Numbers {
			fmt.Fprintf(tr, "%d:", b.Numbers[i])
		}
		if tr.o.Offsets {
			fmt.Fprintf(tr, "%d:", b.Offsets[i])
		}
		if tr.o.Times {
			fmt.Fprintf(tr, "t%d:", b.Times[i])
		}
		fmt.Fprintf(tr, "%v:", ctx)
		tr.WriteString(next())
		if i >= b.Lines {
			tr.t.Errorf("batch says it has %d lines, text has more: %q", b.Lines, b.Text)
		}
	}
	for range groups {
		tr.WriteString("--\n")
	}
	if tr.open != b.More {
		tr.t.Errorf("more is %v, the text ends in a whole line: %v", b.More, !tr.open)
	}
	return nil
}

func record(t *testing.T, inputs []Input, newMatcher func() Matcher, o Options) (string, Stats) {
	t.Helper()
	tr := &transcript{t: t, o: &o}
	o.OnError = func(i int, err error) { fmt.Fprintf(tr, "error of %s: %v\n", inputs[i].Name, err) }
	stats, err := Run(context.Background(), inputs, newMatcher, o, tr.emit)
	if err != nil {
		t.Fatal(err)
	}
	return tr.String(), stats
}

// drawText draws lines, short and long ones, empty ones, with or without a last newline.
func drawText(rng *rand.Rand, term byte, words []string) string {
	var b strings.Builder
	for range rng.IntN(60) {
		n := rng.IntN(5)
		if rng.IntN(12) == 0 {
			n = 20 + rng.IntN(60)
		}
		for range n {
			b.WriteString(words[rng.IntN(len(words))])
		}
		b.WriteByte(term)
	}
	if rng.IntN(2) == 0 {
		b.WriteString(words[rng.IntN(len(words))])
	}
	return b.String()
}

func drawOptions(rng *rand.Rand) Options {
	o := Options{
		Mode: Mode(rng.IntN(4)), Invert: rng.IntN(4) == 0, OnlyMatching: rng.IntN(4) == 0, MaxCount: -1,
		Numbers: rng.IntN(2) == 0, Offsets: rng.IntN(2) == 0, Terminator: '\n', Threads: 1,
	}
	if rng.IntN(2) == 0 {
		o.Mode = Lines
	}
	if rng.IntN(4) == 0 {
		o.MaxCount = int64(rng.IntN(6))
	}
	if rng.IntN(3) == 0 {
		o.Before, o.After, o.Groups = int64(rng.IntN(5)), int64(rng.IntN(5)), rng.IntN(2) == 0
	}
	if rng.IntN(6) == 0 {
		o.Limit = int64(1 + rng.IntN(8))
	}
	return o
}

var patterns = []string{"a", "^b", "c$", "^$", "ab|ba", "a.*b.*c", "zz", "[ab]+", "x*", "0"}

// seeds is how many draws of n a test makes: fewer where -short asks, as under the race detector.
func seeds(n uint64) uint64 {
	if testing.Short() {
		return n / 8
	}
	return n
}

// How a file is cut up, and by how many it is searched, must not show in what is found: everything in
// one block is the reference.
func TestCutsDoNotShow(t *testing.T) {
	words := []string{"a", "b", "c", "ab", " ", "0", "é", "\r"}
	for seed := range seeds(3000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		o := drawOptions(rng)
		if rng.IntN(4) == 0 {
			o.Terminator = 0
		}
		var inputs []Input
		for i := range 1 + rng.IntN(3) {
			inputs = append(inputs, text(fmt.Sprint("f", i), drawText(rng, o.Terminator, words)))
		}
		newMatcher := matching(patterns[rng.IntN(len(patterns))], o.Terminator)
		want, wantStats := record(t, inputs, newMatcher, o)
		small := o
		small.geometry = geometry{window: 16, block: 16 * int64(1+rng.IntN(3))}
		small.geometry.segment = small.geometry.block * int64(1+rng.IntN(3))
		small.Threads = 1 + rng.IntN(4)
		small.BatchBytes = 32 + rng.IntN(100)
		small.MaxLine = 20 + rng.IntN(100)
		got, stats := record(t, inputs, newMatcher, small)
		stats.Bytes, wantStats.Bytes = 0, 0
		if got != want || o.Limit == 0 && stats != wantStats {
			t.Fatalf("seed %d, %+v\n got %+v\n%s\nwant %+v\n%s", seed, small, stats, got, wantStats, want)
		}
	}
}

// A NUL makes a file binary from its window on, however the windows are spread over blocks and
// segments.
func TestCutsDoNotShowInBinaryFiles(t *testing.T) {
	words := []string{"a", "b", "c", "ab", " ", "aaaaa"}
	for seed := range seeds(3000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		o := drawOptions(rng)
		o.Before, o.After, o.Groups, o.Limit = 0, 0, false, 0
		o.Binary = Binary(rng.IntN(3))
		b := []byte(drawText(rng, '\n', words))
		for range rng.IntN(4) {
			if len(b) > 0 {
				b[rng.IntN(len(b))] = []byte{0, 0, 0xff}[rng.IntN(3)]
			}
		}
		inputs := []Input{text("f", string(b))}
		newMatcher := matching(patterns[rng.IntN(len(patterns))], '\n')
		o.geometry = geometry{window: 16, block: 16 << 10, segment: 64 << 10}
		want, wantStats := record(t, inputs, newMatcher, o)
		small := o
		small.geometry.block = 16 * int64(1+rng.IntN(3))
		small.geometry.segment = small.geometry.block * int64(1+rng.IntN(3))
		small.Threads = 1 + rng.IntN(4)
		small.MaxLine = 20 + rng.IntN(100)
		got, stats := record(t, inputs, newMatcher, small)
		stats.Bytes, wantStats.Bytes = 0, 0
		if got != want || stats.Selected != wantStats.Selected {
			t.Fatalf("seed %d, %+v, of %q\n got %+v\n%s\nwant %+v\n%s", seed, small, b, stats, got, wantStats, want)
		}
	}
}

// A stream gives what a file gives.
func TestStreams(t *testing.T) {
	words := []string{"a", "b", "c", "ab", " ", "0"}
	readers := []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader, func(r io.Reader) io.Reader { return r }}
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 3))
		o := drawOptions(rng)
		s := drawText(rng, '\n', words)
		newMatcher := matching(patterns[rng.IntN(len(patterns))], '\n')
		want, wantStats := record(t, []Input{text("f", s)}, newMatcher, o)
		wrap := readers[rng.IntN(len(readers))]
		o.MaxLine, o.BatchBytes = 20+rng.IntN(100), 32+rng.IntN(100)
		in := stream("f", func() io.Reader { return wrap(strings.NewReader(s)) })
		got, stats := record(t, []Input{in}, newMatcher, o)
		stats.Bytes, wantStats.Bytes = 0, 0
		if got != want || o.Limit == 0 && stats != wantStats {
			t.Fatalf("seed %d, %+v, of %q\n got %+v\n%s\nwant %+v\n%s", seed, o, s, stats, got, wantStats, want)
		}
	}
}

// numberClock takes the first digit of a line for its time.
type numberClock struct{}

func (numberClock) Time(line []byte) (int64, bool) {
	if len(line) == 0 || line[0] < '0' || line[0] > '9' {
		return 0, false
	}
	return int64(line[0] - '0'), true
}

// A line without a time has that of the last line before it that has one.
func TestTimes(t *testing.T) {
	words := []string{"a", "b", "1", "2", "3", " ", "x"}
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 4))
		s := drawText(rng, '\n', words)
		o := Options{
			MaxCount: -1, Terminator: '\n', Times: true, NewClock: func(int) Clock { return numberClock{} },
			Invert: rng.IntN(3) == 0, geometry: geometry{window: 16, block: 16, segment: 32}, Threads: 2, MaxLine: 30,
		}
		if rng.IntN(2) == 0 {
			o.Since, o.Until = 2, int64(rng.IntN(4))
		}
		var want strings.Builder
		now := NoTime
		for line := range strings.Lines(s) {
			line = strings.TrimSuffix(line, "\n")
			if n, ok := (numberClock{}).Time([]byte(line)); ok {
				now = n
			}
			in := now != NoTime && now >= o.Since && (o.Until == 0 || now < o.Until)
			if strings.Contains(line, "a") != o.Invert && (in || o.Since == 0) {
				fmt.Fprintf(&want, "f:t%d:false:%s$\n", now, line)
			}
		}
		in := text("f", s)
		if rng.IntN(2) == 0 {
			in = stream("f", func() io.Reader { return iotest.HalfReader(strings.NewReader(s)) })
		}
		if got, _ := record(t, []Input{in}, matching("a", '\n'), o); got != want.String() {
			t.Fatalf("seed %d, of %q\n got\n%s\nwant\n%s", seed, s, got, want.String())
		}
	}
}

func lines() Options { return Options{MaxCount: -1, Terminator: '\n', Threads: 2} }

// A line longer than any buffer is found, and given whole, in pieces.
func TestLongLine(t *testing.T) {
	long := "start" + strings.Repeat("0123456789abcdef", 600<<10) + "end"
	for _, c := range []struct {
		s, pattern string
		o          func(*Options)
		want       string
	}{
		{"x\n" + long + "\ny\n", "end$", func(*Options) {}, "f:false:" + long + "$\n"},
		{"x\n" + long, "^start", func(*Options) {}, "f:false:" + long + "$\n"},
		{"x\n" + long + "\ny\n", "^y", func(o *Options) { o.Before = 1 }, "--\nf:true:" + long + "$\nf:false:y$\n"},
		{"x\n" + long + "\ny\n", "^x", func(o *Options) { o.After = 2 }, "--\nf:false:x$\nf:true:" + long + "$\nf:true:y$\n"},
		{"x\n" + long + "\ny\n", "^start", func(o *Options) { o.Invert, o.Numbers = true, true }, "f:1:false:x$\nf:3:false:y$\n"},
		{"x\n" + long + "\ny\n", "end", func(o *Options) { o.Mode = Count }, "f: kind 1 count 1\n"},
		{"x\n" + long + "\xff\ny\n", "end", func(*Options) {}, "f: kind 3 count 0\n"},
	} {
		o := lines()
		c.o(&o)
		if got, _ := record(t, []Input{text("f", c.s)}, matching(c.pattern, '\n'), o); got != c.want {
			t.Errorf("pattern %s: got %d bytes %.80q, want %d bytes %.80q", c.pattern, len(got), got, len(c.want), c.want)
		}
	}
	o := lines()
	o.OnlyMatching = true
	got, stats := record(t, []Input{text("f", long+"\nend\n")}, matching("end", '\n'), o)
	if !strings.Contains(got, "error of f: line too long") || !strings.HasSuffix(got, "f:false:end$\n") || stats.Errors != 1 {
		t.Errorf("-o on a long line: %.200q", got)
	}
}

// shrinking is a file that has lost its end.
type shrinking struct{ io.ReaderAt }

func TestFileShrinks(t *testing.T) {
	whole := strings.Repeat("a line\n", 1000)
	o := lines()
	o.geometry = geometry{window: 64, block: 64, segment: 256}
	in := Input{Name: "short", Open: func() (File, error) {
		return File{At: shrinking{strings.NewReader(whole)}, Size: int64(len(whole) + 500)}, nil
	}}
	missing := Input{Name: "missing", Open: func() (File, error) { return File{}, errors.New("gone") }}
	got, stats := record(t, []Input{in, missing, text("next", "a\n")}, matching("a", '\n'), o)
	for _, want := range []string{"error of short: file shrank while it was read", "error of missing: gone\n", "next:false:a$\n"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("no %q in %.2000q", want, got)
		}
	}
	if stats.Errors != 2 || stats.Files != 2 {
		t.Errorf("%+v", stats)
	}
}

// endless is a file without end of lines that match.
type endless struct{ read atomic.Int64 }

func (e *endless) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = "a line to be found\n"[(off+int64(i))%19]
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

func (e *endless) input(name string) Input {
	return Input{Name: name, Open: func() (File, error) { return File{At: e, Size: math.MaxInt64 / 2}, nil }}
}

// While emit blocks, and however slow it is, only some MiB are read ahead.
func TestReadsAheadWithinBounds(t *testing.T) {
	const bound = 16 << 20
	e := &endless{}
	o := lines()
	o.Offsets, o.Threads = true, 4
	calls := 0
	_, err := Run(context.Background(), []Input{e.input("f")}, matching("a", '\n'), o, func(b *Batch) error {
		for range 200 {
			if ahead := e.read.Load() - b.Offsets[0]; ahead > bound {
				return fmt.Errorf("%d bytes read ahead", ahead)
			}
			runtime.Gosched()
		}
		if calls++; calls > 300 {
			return ErrStop
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A search ends at once when it is cancelled, whatever hangs.
func TestCancel(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	for name, in := range map[string]Input{
		"busy":   (&endless{}).input("f"),
		"stream": stream("f", func() io.Reader { return hanging{hang} }),
		"open":   {Name: "f", Open: func() (File, error) { <-hang; return File{}, errors.New("late") }},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			o := lines()
			o.Mode = Count
			var read atomic.Int64
			o.Read = &read
			done := make(chan error)
			go func() {
				_, err := Run(ctx, []Input{in}, matching("z", '\n'), o, func(*Batch) error { return nil })
				done <- err
			}()
			for name == "busy" && read.Load() == 0 {
				runtime.Gosched()
			}
			start := time.Now()
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(start); took > 2*time.Second { // the goal is 100 ms; CI may be slow
				t.Errorf("took %v", took)
			}
		})
	}
}

type hanging struct{ until chan struct{} }

func (h hanging) Read([]byte) (int, error) { <-h.until; return 0, io.EOF }

// What one hit settles is not read on.
func TestEndsEarly(t *testing.T) {
	for _, o := range []Options{
		{Mode: Quiet, MaxCount: -1, Terminator: '\n', Threads: 2},
		{Mode: Files, MaxCount: -1, Terminator: '\n', Threads: 2},
		{Mode: FilesWithout, MaxCount: -1, Terminator: '\n', Threads: 2},
		{Mode: Count, MaxCount: 3, Terminator: '\n', Threads: 2},
		{Mode: Lines, MaxCount: 1, Terminator: '\n', Threads: 2},
		{Mode: Lines, MaxCount: -1, Limit: 2, Terminator: '\n', Threads: 2},
	} {
		e := &endless{}
		_, stats := record(t, []Input{e.input("f")}, matching("a", '\n'), o)
		if stats.Selected == 0 || e.read.Load() > 16<<20 {
			t.Errorf("%+v: %+v, read %d", o, stats, e.read.Load())
		}
	}
}

// everyLine matches every line and costs nothing.
type everyLine struct{ lineMatcher }

func (everyLine) Lines(dst []match.Line, buf []byte, from int) ([]match.Line, int) {
	for len(dst) < 256 && from < len(buf) {
		n := bytes.IndexByte(buf[from:], '\n')
		dst = append(dst, match.Line{Start: from, End: from + n})
		from += n + 1
	}
	return dst, from
}

func (everyLine) MatchLine([]byte) bool { return true }

func TestAllocatesNothingPerLine(t *testing.T) {
	s := strings.Repeat("a line of a log\n", 100_000)
	o := lines()
	o.Numbers, o.Offsets = true, true
	allocs := testing.AllocsPerRun(5, func() {
		var n int64
		_, err := Run(context.Background(), []Input{text("f", s)}, func() Matcher { return &everyLine{} }, o, func(b *Batch) error {
			n += b.Lines
			return nil
		})
		if err != nil || n != 100_000 {
			t.Fatal(n, err)
		}
	})
	if allocs > 500 {
		t.Errorf("%v allocations for 100,000 lines", allocs)
	}
}

// A file's search stops at its error, those of others go on; an error of emit ends all.
func TestEmitError(t *testing.T) {
	boom := errors.New("boom")
	_, err := Run(context.Background(), []Input{text("a", "a\n"), text("b", "a\n")}, matching("a", '\n'), lines(), func(*Batch) error { return boom })
	if !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if _, err := Run(context.Background(), []Input{text("a", "a\n")}, matching("a", '\n'), lines(), func(*Batch) error { return ErrStop }); err != nil {
		t.Errorf("ErrStop: got %v", err)
	}
}

func FuzzTextChecker(f *testing.F) {
	f.Add([]byte("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), 1)
	f.Add([]byte("\xf8\x88\x80\x80\x80\xfc\x84\x80\x80\x80\x80\xed\xa0\x80"), 2)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		step = max(1, min(step, 100))
		var c textChecker
		for p := b; len(p) > 0; p = p[min(step, len(p)):] {
			c.feed(p[:min(step, len(p))])
		}
		if c.valid() != validText(b) {
			t.Errorf("in pieces of %d: %v, whole: %v: %q", step, c.valid(), validText(b), b)
		}
	})
}

func BenchmarkEveryLine(b *testing.B) {
	s := strings.Repeat("2026-11-22T14:30:00Z a line of a log that is about as long as others\n", 200_000)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		_, _ = Run(context.Background(), []Input{text("f", s)}, func() Matcher { return &everyLine{} }, lines(), func(*Batch) error { return nil })
	}
}
