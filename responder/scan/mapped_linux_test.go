package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/trawl-logs/trawl/responder/mapped"
	"github.com/trawl-logs/trawl/responder/match"
	"github.com/trawl-logs/trawl/responder/match/simd"
)

// trustMaps makes searches map even the small files of tests.
func trustMaps(t *testing.T) {
	t.Helper()
	before := mapped.Trust(true)
	t.Cleanup(func() { mapped.Trust(before) })
}

// fileInput is an Input whose bytes begin in a file at the offset at.
func fileInput(name, path string, at int64) Input {
	return Input{Name: name, Open: func() (File, error) {
		f, err := os.Open(path)
		if err != nil {
			return File{}, err
		}
		info, err := f.Stat()
		if err != nil {
			return File{}, err
		}
		size := info.Size() - at
		return File{At: io.NewSectionReader(f, at, size), Size: size, Raw: f, RawAt: at, Closer: f}, nil
	}}
}

// skippingMatcher is a Matcher that passes over lines in place, and looks ahead or not.
type skippingMatcher struct {
	lineMatcher
	passed *atomic.Int64
	calls  int
}

func (m *skippingMatcher) Skip(text []byte, v simd.View, ahead []byte) (n int, next simd.View, seen bool) {
	if real := simd.Look(text); v.And(real) != v {
		panic(fmt.Sprintf("%+v is said of %q", v, text))
	}
	for {
		i := bytes.IndexByte(text[n:], m.term)
		if i < 0 || m.MatchLine(text[n:n+i]) {
			break
		}
		n += i + 1
	}
	m.passed.Add(int64(n))
	if m.calls++; m.calls%4 == 0 {
		return n, next, false
	}
	return n, simd.Look(ahead), true
}

// TestMappedLikeRead: whether a file is mapped must not show in what is found, binary or not, from its
// start or from within.
func TestMappedLikeRead(t *testing.T) {
	trustMaps(t)
	words := []string{"a", "b", "c", "ab", " ", "0", "é", "aaaaa"}
	path := filepath.Join(t.TempDir(), "f")
	var passed atomic.Int64
	for seed := range uint64(1000) {
		rng := rand.New(rand.NewPCG(seed, 5))
		o := drawOptions(rng)
		o.Binary = Binary(rng.IntN(3))
		b := []byte(drawText(rng, '\n', words))
		if rng.IntN(2) == 0 {
			for range rng.IntN(4) {
				if len(b) > 0 {
					b[rng.IntN(len(b))] = []byte{0, 0, 0xff}[rng.IntN(3)]
				}
			}
		}
		at := rng.IntN(20)
		if err := os.WriteFile(path, append(bytes.Repeat([]byte{'a'}, at), b...), 0o600); err != nil {
			t.Fatal(err)
		}
		o.geometry = geometry{window: 16, block: 16 * int64(1+rng.IntN(3))}
		o.geometry.segment = o.geometry.block * int64(1+rng.IntN(3))
		o.Threads = 1 + rng.IntN(4)
		o.MaxLine = 20 + rng.IntN(100)
		newMatcher := matching(patterns[rng.IntN(len(patterns))], '\n')
		skipping := func() Matcher {
			return &skippingMatcher{lineMatcher: *newMatcher().(*lineMatcher), passed: &passed}
		}
		want, wantStats := record(t, []Input{text("f", string(b))}, newMatcher, o)
		got, stats := record(t, []Input{fileInput("f", path, int64(at))}, skipping, o)
		stats.Bytes, wantStats.Bytes = 0, 0
		if got != want || o.Limit == 0 && stats != wantStats {
			t.Fatalf("seed %d, %+v, of %q\n got %+v\n%s\nwant %+v\n%s", seed, o, b, stats, got, wantStats, want)
		}
	}
	if passed.Load() == 0 {
		t.Error("nothing was passed over in place")
	}
}

// TestCutOffWhileSkipped cuts a file off while all of it is passed over in place: the search says so, or was faster.
func TestCutOffWhileSkipped(t *testing.T) {
	trustMaps(t)
	path := filepath.Join(t.TempDir(), "f")
	whole := bytes.Repeat([]byte("a line of the file that is cut off while it is passed over\n"), 3000)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pattern, err := match.Compile(match.Spec{Patterns: []string{"absent"}, Terminator: '\n'})
	if err != nil {
		t.Fatal(err)
	}
	o := lines()
	o.geometry = geometry{window: 4 << 10, block: 4 << 10, segment: 64 << 10}
	shrank, rng := 0, rand.New(rand.NewPCG(1, 7))
	for range 500 {
		if _, err := f.WriteAt(whole, 0); err != nil {
			t.Fatal(err)
		}
		var failed error
		o.OnError = func(_ int, err error) { failed = err }
		cut, size := 1+rng.Int64N(40), rng.Int64N(int64(len(whole)))
		var looks atomic.Int64
		_, err := Run(context.Background(), []Input{fileInput("f", path, 0)}, func() Matcher {
			return &cutter{pattern.NewMatcher(), func() {
				if looks.Add(1) == cut {
					_ = f.Truncate(size)
				}
			}}
		}, o, func(*Batch) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case errors.Is(failed, ErrShrank):
			shrank++
		case failed != nil:
			t.Fatal(failed)
		}
	}
	if shrank == 0 {
		t.Error("no file shrank in time: this proved nothing")
	}
}

// cutter calls a function before each look.
type cutter struct {
	*match.Matcher
	before func()
}

func (c *cutter) Skip(text []byte, v simd.View, ahead []byte) (int, simd.View, bool) {
	c.before()
	return c.Matcher.Skip(text, v, ahead)
}

// TestCutOffWhileMapped cuts a file off, thousands of times, while it is searched: SIGBUS must not end
// the process, no zeros behind the file's end may be taken for its content, and a search either has
// every line or says that the file shrank.
func TestCutOffWhileMapped(t *testing.T) {
	trustMaps(t)
	const line = "a line of the file that is cut off while it is searched, again and again\n"
	const count = 2000
	path := filepath.Join(t.TempDir(), "f")
	whole := bytes.Repeat([]byte(line), count)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	o := lines()
	o.geometry = geometry{window: 4 << 10, block: 12 << 10, segment: 48 << 10}
	var where atomic.Int64 // to cut
	start, done := make(chan struct{}), make(chan struct{})
	go func() {
		for range start {
			_ = f.Truncate(where.Load())
			done <- struct{}{}
		}
	}()
	shrank, complete, rng := 0, 0, rand.New(rand.NewPCG(1, 6))
	for round := range 3000 {
		if _, err := f.WriteAt(whole, 0); err != nil {
			t.Fatal(err)
		}
		where.Store(rng.Int64N(int64(len(whole))))
		var failed error
		o.OnError = func(_ int, err error) { failed = err }
		early, read := round%2 == 0, 0
		in := fileInput("f", path, 0)
		open := in.Open
		in.Open = func() (File, error) {
			file, err := open()
			if early { // else once the first lines have come
				start <- struct{}{}
			}
			return file, err
		}
		stats, err := Run(context.Background(), []Input{in}, func() Matcher { return &everyLine{} }, o, func(b *Batch) error {
			if read == 0 && !early {
				start <- struct{}{}
			}
			if b.Kind != KindLines || !bytes.HasPrefix(whole[read:], b.Text) {
				return fmt.Errorf("at %d came a batch of kind %d: %.200q", read, b.Kind, b.Text)
			}
			read += len(b.Text)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if early || read > 0 {
			<-done
		}
		switch {
		case failed == nil && stats.Selected == count && read == len(whole):
			complete++
		case errors.Is(failed, ErrShrank):
			shrank++
		default:
			t.Fatalf("cut off at %d: %+v, %d bytes, %v", where.Load(), stats, read, failed)
		}
	}
	close(start)
	t.Logf("%d searches were complete, %d files shrank in time", complete, shrank)
	if shrank == 0 {
		t.Error("no file shrank in time: this proved nothing")
	}
}
