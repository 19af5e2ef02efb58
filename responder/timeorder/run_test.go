package timeorder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/trawl-logs/trawl/responder/match"
	"github.com/trawl-logs/trawl/responder/match/syntax"
	"github.com/trawl-logs/trawl/responder/scan"
)

// numberClock reads a time as a number at the start of the line.
type numberClock struct{}

func (numberClock) Time(line []byte) (int64, bool) {
	end := 0
	for end < len(line) && end < 15 && line[end] >= '0' && line[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(string(line[:end]), 10, 64)
	return n, err == nil
}

// memory is a File in memory.
type memory struct {
	mu     sync.Mutex
	b      []byte
	closed bool
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if need := int(off) + len(p); need > len(m.b) {
		m.b = append(m.b, make([]byte, need-len(m.b))...)
	}
	return copy(m.b[off:], p), nil
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if off >= int64(len(m.b)) {
		return 0, io.EOF
	}
	n := copy(p, m.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m *memory) Close() error { m.closed = true; return nil }

// shown is a row as tests compare it.
type shown struct {
	input           int
	text            string
	number, offset  int64
	time            int64
	context, binary bool
	group           bool
}

// trial is a search of a seed.
type trial struct {
	rng    *rand.Rand
	texts  []string
	stream []bool
	so     scan.Options
	o      Options
	opened map[int]int // files that are open
	mu     sync.Mutex

	knows bool // outlines of its files
	known map[int]*scan.Outline
}

func newTrial(seed uint64) *trial {
	rng := rand.New(rand.NewPCG(seed, 5))
	pick := func(of ...int) int { return of[rng.IntN(len(of))] }
	tr := &trial{rng: rng, opened: map[int]int{}}
	span := pick(1, 10, 1000, 1_000_000)
	for range pick(0, 1, 2, 5, 12, 40) {
		tr.texts = append(tr.texts, tr.text(span, pick(0, 1, 20, 20, 400), pick(0, 0, 0, 1, 2)))
		tr.stream = append(tr.stream, rng.IntN(6) == 0)
	}
	tr.so = scan.Options{
		MaxCount: -1, Terminator: '\n', Threads: 1 + rng.IntN(3), Times: true, Numbers: rng.IntN(2) == 0, Offsets: rng.IntN(2) == 0,
		BatchBytes: pick(64, 1000, 0), Invert: rng.IntN(5) == 0, OnlyMatching: rng.IntN(4) == 0,
		NewClock: func(int) scan.Clock { return numberClock{} },
	}
	switch rng.IntN(5) {
	case 0:
		tr.so.Before, tr.so.After, tr.so.Groups = int64(rng.IntN(4)), int64(rng.IntN(4)), true
		tr.so.OnlyMatching = false
	case 1:
		tr.so.MaxCount = int64(rng.IntN(20))
	}
	if tr.knows, tr.known = rng.IntN(2) == 0, map[int]*scan.Outline{}; rng.IntN(3) == 0 {
		tr.so.Since = int64(rng.IntN(span)) + 1
		tr.so.Until = tr.so.Since + int64(rng.IntN(span))
	}
	tr.o = Options{
		Create: func() (File, error) { return &memory{}, nil }, Budget: NewBudget(1 << 30),
		sortBytes: pick(100, 5000, 0), openMost: pick(1, 2, 5, 0),
	}
	return tr
}

// text makes a file of lines. Disorder 0: their times are in order; 1: now and then not; 2: not at all.
func (tr *trial) text(span, lines, disorder int) string {
	var b strings.Builder
	at := tr.rng.IntN(span)
	for range tr.rng.IntN(lines + 1) {
		switch {
		case disorder == 2 || disorder == 1 && tr.rng.IntN(10) == 0:
			at = tr.rng.IntN(span)
		case tr.rng.IntN(2) == 0:
			at += tr.rng.IntN(span/10 + 1)
		}
		if tr.rng.IntN(4) > 0 {
			fmt.Fprintf(&b, "%d ", at)
		}
		for range tr.rng.IntN(4) {
			b.WriteString([]string{"error ", "other ", "x", "ärger "}[tr.rng.IntN(4)])
		}
		if tr.rng.IntN(60) == 0 {
			b.WriteString(strings.Repeat("error ", tr.rng.IntN(500)))
		}
		if tr.rng.IntN(200) == 0 {
			b.WriteString("\x00\xff")
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), []string{"", "\n"}[tr.rng.IntN(2)])
}

type closing func() error

func (c closing) Close() error { return c() }

func (tr *trial) inputs() []scan.Input {
	var inputs []scan.Input
	for i, text := range tr.texts {
		inputs = append(inputs, scan.Input{Name: fmt.Sprint("f", i), Open: func() (scan.File, error) {
			tr.mu.Lock()
			tr.opened[i]++
			tr.mu.Unlock()
			f := scan.File{At: strings.NewReader(text), Size: int64(len(text)), Closer: closing(func() error {
				tr.mu.Lock()
				defer tr.mu.Unlock()
				tr.opened[i]--
				return nil
			})}
			if tr.stream[i] {
				f.At, f.Stream = nil, strings.NewReader(text)
			} else if tr.knows {
				tr.outline(i, &f, text)
			}
			return f, nil
		}})
	}
	return inputs
}

// outline gives a file what earlier searches may have found out of its times, and keeps what this one does.
func (tr *trial) outline(i int, f *scan.File, text string) {
	tr.mu.Lock()
	o := tr.known[i]
	tr.mu.Unlock()
	if o == nil && len(text) > 0 {
		o = &scan.Outline{Grain: 100}
		_ = o.Extend(context.Background(), f.At, int64(len(text)*(i%3)/2), numberClock{}, '\n', nil) // all, half, or none of it
	}
	if f.Outline = o; o != nil && !o.NUL && (tr.so.Since != 0 || tr.so.Until != 0) {
		f.Ranges = scan.UpToTail(o.Within(tr.so.Since, tr.so.Until, f.Size), f.Size)
	}
	f.Outlined = func(o *scan.Outline) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.known[i] = o
	}
}

func pattern(t testing.TB, text string) func() scan.Matcher {
	p, err := match.Compile(match.Spec{Patterns: []string{text}, Syntax: syntax.RE2, Terminator: '\n'})
	if err != nil {
		t.Fatal(err)
	}
	return func() scan.Matcher { return p.NewMatcher() }
}

// collect returns an emit that keeps what comes, with the pieces of lines joined.
func collect(to *[]shown) func(*scan.Batch) error {
	splits := map[int]*splitter{}
	return func(b *scan.Batch) error {
		s := splits[b.Input]
		if s == nil {
			s = &splitter{terminator: '\n', grouped: true}
			splits[b.Input] = s
		}
		for _, r := range s.rows(nil, b) {
			if r.continues {
				(*to)[len(*to)-1].text += string(r.text)
				continue
			}
			*to = append(*to, shown{b.Input, string(r.text), r.number, r.offset, r.time, r.context, r.binary, r.group})
		}
		return nil
	}
}

// sorted is what all results sorted by time are, by the simplest of means.
func sorted(all []shown, grouped bool, limit int64) []shown {
	type unit struct {
		key  key
		rows []shown
	}
	var units []unit
	input, now := -1, int64(0)
	for n, r := range all {
		if r.input != input {
			input, now = r.input, scan.NoTime
		}
		if r.time != scan.NoTime {
			now = r.time
		}
		if n == 0 || all[n-1].input != r.input || !grouped || r.group || r.binary {
			k := key{time: now, input: input}
			units = append(units, unit{key: k})
		}
		u := &units[len(units)-1]
		u.rows = append(u.rows, r)
	}
	slices.SortStableFunc(units, func(a, b unit) int { return a.key.compare(b.key) })
	var out []shown
	for _, u := range units {
		for _, r := range u.rows {
			out = append(out, r)
			if !r.binary && !r.context {
				if limit--; limit == 0 {
					return out
				}
			}
		}
	}
	return out
}

// binaries takes out the rows that say that a file is binary, which stand anywhere, and returns their
// inputs.
func binaries(rows *[]shown) (inputs []int) {
	*rows = slices.DeleteFunc(*rows, func(r shown) bool {
		if r.binary {
			inputs = append(inputs, r.input)
		}
		return r.binary
	})
	slices.Sort(inputs)
	return inputs
}

// TestSorted holds the order to that of sorting everything, over random files, options and limits of
// memory.
func TestSorted(t *testing.T) {
	seeds := uint64(400)
	if testing.Short() {
		seeds = 25
	}
	spilled, full := 0, 0
	for seed := range seeds {
		tr := newTrial(seed)
		newMatcher := pattern(t, "error|ä")
		var all, got []shown
		if tr.rng.IntN(4) == 0 {
			tr.so.Limit = int64(1 + tr.rng.IntN(30))
		}
		limit, knows := tr.so.Limit, tr.knows
		tr.so.Limit, tr.knows = 0, false
		if _, err := scan.Run(t.Context(), tr.inputs(), newMatcher, tr.so, collect(&all)); err != nil {
			t.Fatal(err)
		}
		tr.so.Limit, tr.knows = limit, knows
		want := sorted(all, tr.so.Groups, limit)
		low, emitted := int64(scan.NoTime), collect(&got)
		tr.o.Mark = func(ns int64) { low = max(low, ns) }
		var file *memory
		tr.o.Create = func() (File, error) { file = &memory{}; return file, nil }
		emit := func(b *scan.Batch) error {
			from := len(got)
			_ = emitted(b)
			for _, r := range got[from:] {
				if r.time != scan.NoTime && r.time < low && (r.group || !tr.so.Groups) {
					t.Errorf("seed %d: time %d after the mark %d", seed, r.time, low)
				}
			}
			return nil
		}
		stats, err := Run(t.Context(), tr.inputs(), newMatcher, tr.so, tr.o, emit)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if a, b := binaries(&got), binaries(&want); limit == 0 && !slices.Equal(a, b) {
			t.Errorf("seed %d: binary files %v, want %v", seed, a, b)
		}
		if !slices.Equal(got, want) {
			n := 0
			for n < min(len(got), len(want)) && got[n] == want[n] {
				n++
			}
			t.Fatalf("seed %d, options %+v: differs from row %d of %d and %d:\n got %+v\nwant %+v", seed, tr.so, n, len(got), len(want), got[n:min(n+4, len(got))], want[n:min(n+4, len(want))])
		}
		for i, n := range tr.opened {
			if n != 0 && !tr.stream[i] {
				t.Errorf("seed %d: file %d is open %d times", seed, i, n)
			}
		}
		if file != nil {
			if spilled++; !file.closed || tr.o.Budget.Used() != 0 {
				t.Errorf("seed %d: the spill is not given up", seed)
			}
		}
		if stats.Limited {
			full++
		}
	}
	if spilled == 0 || full == 0 {
		t.Errorf("%d seeds spilled and %d reached their limit: the test does not do what it says", spilled, full)
	}
}

// TestStreams holds a search of files in order to giving lines before it has seen their end, without a
// spill.
func TestStreams(t *testing.T) {
	tr := &trial{opened: map[int]int{}, stream: make([]bool, 200)}
	for i := range 200 {
		var b strings.Builder
		for n := range 400 {
			fmt.Fprintf(&b, "%d error\n", 100_000+200*i+n)
		}
		tr.texts = append(tr.texts, b.String())
	}
	enough := errors.New("enough")
	lines, most := int64(0), 0
	so := scan.Options{MaxCount: -1, Terminator: '\n', Threads: 2, Times: true, NewClock: func(int) scan.Clock { return numberClock{} }}
	create := func() (File, error) { t.Error("spills"); return &memory{}, nil }
	_, err := Run(t.Context(), tr.inputs(), pattern(t, "error"), so, Options{Create: create, Budget: NewBudget(0)}, func(b *scan.Batch) error {
		tr.mu.Lock()
		open := 0
		for _, n := range tr.opened {
			open += n
		}
		tr.mu.Unlock()
		most = max(most, open)
		if lines += b.Lines; lines > 20_000 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("%v after %d lines", err, lines)
	}
	if most > keepMost+openMost {
		t.Errorf("%d of 200 files were open at once", most)
	}
	for i, n := range tr.opened {
		if n != 0 {
			t.Errorf("file %d is still open", i)
		}
	}
}

// TestMarks holds a search that finds nothing to saying how far it is, each time that a segment is done.
func TestMarks(t *testing.T) {
	var b strings.Builder
	for n := 0; b.Len() < 96<<20; n++ {
		fmt.Fprintf(&b, "%d %0400d\n", 1000+n, 0)
	}
	tr := &trial{texts: []string{b.String()}, stream: []bool{false}, opened: map[int]int{}}
	so := scan.Options{MaxCount: -1, Terminator: '\n', Threads: 1, Times: true, NewClock: func(int) scan.Clock { return numberClock{} }}
	var marks []int64
	_, err := Run(t.Context(), tr.inputs(), pattern(t, "error"), so, Options{Mark: func(ns int64) { marks = append(marks, ns) }}, func(*scan.Batch) error { return nil })
	if err != nil || len(marks) < 3 || !slices.IsSorted(marks) || marks[0] != 1000 || marks[len(marks)-1] < 40_000 {
		t.Errorf("marks %d, %v", marks, err)
	}
}

func TestBudget(t *testing.T) {
	tr := &trial{texts: []string{strings.Repeat("2 error\n1 error\n", 100_000)}, stream: []bool{false}, opened: map[int]int{}}
	so := scan.Options{MaxCount: -1, Terminator: '\n', Threads: 1, Times: true, NewClock: func(int) scan.Clock { return numberClock{} }}
	o := Options{Create: func() (File, error) { return TempFile(t.TempDir()) }, Budget: NewBudget(300_000), sortBytes: 100_000}
	_, err := Run(t.Context(), tr.inputs(), pattern(t, "error"), so, o, func(*scan.Batch) error { return nil })
	if !errors.Is(err, ErrBudget) || o.Budget.Used() != 0 {
		t.Errorf("%v, %d bytes are still counted", err, o.Budget.Used())
	}
}

func TestTempFile(t *testing.T) {
	dir := t.TempDir()
	f, err := TempFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
		t.Errorf("%v, %v: a process that is killed would leave it", names, err)
	}
	if _, err := f.WriteAt([]byte("kept"), 1<<20); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, 4)
	if _, err := f.ReadAt(back, 1<<20); err != nil || string(back) != "kept" {
		t.Errorf("%q, %v", back, err)
	}
}

// TestCancel holds a search to ending while its files hang.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tr := &trial{texts: []string{"1 error\n", strings.Repeat("2 error\n", 100_000)}, stream: []bool{false, false}, opened: map[int]int{}}
	so := scan.Options{MaxCount: -1, Terminator: '\n', Threads: 1, Times: true, NewClock: func(int) scan.Clock { return numberClock{} }}
	_, err := Run(ctx, tr.inputs(), pattern(t, "error"), so, Options{}, func(*scan.Batch) error { cancel(); return ctx.Err() })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for i, n := range tr.opened {
		if n != 0 {
			t.Errorf("file %d is still open", i)
		}
	}
}

// changing is a file that is out of order when it is read again.
type changing struct {
	reads int
	b     []byte
}

func (c *changing) ReadAt(p []byte, off int64) (int, error) {
	n, err := bytes.NewReader(c.b).ReadAt(p, off)
	if c.reads++; c.reads > 1 {
		for i := range p[:n] {
			if p[i] == '5' {
				p[i] = '2'
			}
		}
	}
	return n, err
}

func TestDisorder(t *testing.T) {
	in := scan.Input{Name: "f", Open: func() (scan.File, error) {
		b := []byte("3 error\n4 error\n5 error\n6 error\n")
		return scan.File{At: &changing{b: b}, Size: int64(len(b))}, nil
	}}
	var failed error
	so := scan.Options{MaxCount: -1, Terminator: '\n', Threads: 1, Times: true, NewClock: func(int) scan.Clock { return numberClock{} },
		OnError: func(_ int, err error) { failed = err }}
	var got []shown
	_, err := Run(t.Context(), []scan.Input{in}, pattern(t, "error"), so, Options{}, collect(&got))
	if err != nil || !errors.Is(failed, ErrDisorder) || len(got) != 2 {
		t.Errorf("%v, the file's error %v, %+v", err, failed, got)
	}
}
