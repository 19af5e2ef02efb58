package indexer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/trawl-logs/trawl/responder/block"
)

// However the rate that is measured wavers within a factor of 2, as of a disk that others use too, the blocks
// have one size; a disk that is another by far changes it once.
func TestShapeIsStable(t *testing.T) {
	mean := func() float64 { return 100 }
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var meter block.Meter
		var sample block.DiskSample
		var f figures
		changes, shape := 0, block.Options{}
		look := func(rate float64) {
			rate *= math.Exp2(2*rng.Float64() - 1)
			sample.BusyMs += 1000
			sample.Bytes += uint64(rate)
			sample.Reads += uint64(rate) / (128 << 10)
			meter.Add(sample)
			rate, n := meter.Rate()
			f = f.renew("8:1", "normal", rate, n, mean)
			if now := f.sizing(block.Normal).Shape(); now != shape {
				changes, shape = changes+1, now
			}
		}
		for range 2000 {
			look(900e6) // far from the default, but not by enough
		}
		if changes != 1 {
			t.Fatalf("seed %d: %d sizes of one disk", seed, changes)
		}
		for range 2000 {
			look(6e9)
		}
		if changes != 2 {
			t.Fatalf("seed %d: %d sizes of two disks", seed, changes)
		}
	}
}

// reshaping is a builder over logs, whose blocks are given another shape.
type reshaping struct {
	*Builder
	t     *testing.T
	logs  []Log
	lines int
}

var fewLines = block.Options{Strips: 64, StripLines: 1, RowsPerKey: 2, Common: 0.4}

func newReshaping(t *testing.T, logs, lines int) *reshaping {
	t.Helper()
	s, err := OpenStore(filepath.Join(t.TempDir(), "index"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	r := &reshaping{t: t, lines: lines}
	for i := range logs {
		path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.log", i))
		r.logs = append(r.logs, Log{Path: path})
		r.write(i)
	}
	r.Builder = NewBuilder(s, Options{Share: 1, Most: 1 << 30, Shape: fewLines,
		Logs: func() []Log { return r.logs },
		Busy: func() bool { return false },
		Open: func(_ context.Context, l Log) (Opened, error) {
			f, err := os.Open(l.Path)
			return Opened{File: f}, err
		}})
	return r
}

// write appends lines to a log.
func (r *reshaping) write(i int) {
	r.t.Helper()
	l := &r.logs[i]
	f, err := os.OpenFile(l.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	for n := range r.lines {
		fmt.Fprintf(f, "line %d of log %d\n", n, i)
	}
	state, id, err := StateOf(f)
	if err != nil {
		r.t.Fatal(err)
	}
	l.ID, l.Size = id, state.Size
}

// shapes are those of the logs' blocks: every log has an index, and it is right.
func (r *reshaping) shapes() (out []block.Options) {
	r.t.Helper()
	for _, l := range r.logs {
		u := r.store.Use(l.ID)
		if u == nil {
			r.t.Fatalf("%s has no index", l.Path)
		}
		text, err := os.ReadFile(l.Path)
		if err != nil {
			r.t.Fatal(err)
		}
		if err := r.verify(context.Background(), u, bytes.NewReader(text)); err != nil {
			r.t.Errorf("%s: %v", l.Path, err)
		}
		list := u.Blocks()
		for _, k := range list {
			if k.Shape() != list[0].Shape() {
				r.t.Errorf("%s has blocks of different sizes", l.Path)
			}
		}
		out = append(out, list[0].Shape())
		u.Done()
	}
	return out
}

// With another size of the blocks, logs keep their indexes, which grow with them, until they have new ones,
// one after the other.
func TestReshape(t *testing.T) {
	r := newReshaping(t, 3, 1000)
	ctx := t.Context()
	if r.look(ctx) {
		t.Fatal("not through at once")
	}
	more := block.Options{Strips: 64, StripLines: 5, RowsPerKey: 2, Common: 0.4}
	r.o.Shape = more
	clear(r.due) // as shape does
	r.write(0)
	old := r.store.Use(r.logs[0].ID)
	before := len(old.Blocks())
	for left := 2; left >= 0; left-- {
		if got := r.look(ctx); got != (left > 0) {
			t.Errorf("%d logs to go: more is %v", left, got)
		}
		n := 0
		for _, s := range r.shapes() {
			if s != more {
				n++
			}
		}
		if n != left {
			t.Errorf("%d logs have the old size, want %d", n, left)
		}
	}
	if n := len(old.Blocks()); n <= before {
		t.Errorf("the old index did not grow: %d blocks, then %d", before, n)
	}
	old.Done()
	if r.look(ctx) {
		t.Error("never through")
	}
	if _, err := os.Stat(filepath.Join(r.store.dir, besideDir)); !os.IsNotExist(err) {
		t.Errorf("left beside: %v", err)
	}
}

// What was begun beside goes on after a restart; without room for both, the old index goes first; and a log
// that is too short for one of the new blocks keeps its old ones.
func TestReshapeGoesOn(t *testing.T) {
	r := newReshaping(t, 1, 1000)
	ctx, l := t.Context(), &r.logs[0]
	r.look(ctx)
	more := block.Options{Strips: 64, StripLines: 5, RowsPerKey: 2, Common: 0.4}
	r.o.Shape = more
	o, state, err := r.open(ctx, *l)
	if err != nil {
		t.Fatal(err)
	}
	defer o.File.Close()
	f, err := fileOf(*l, &o, state)
	if err != nil {
		t.Fatal(err)
	}
	half, err := r.store.beside(f, o.File, state, more)
	if err != nil {
		t.Fatal(err)
	}
	u := r.store.Use(l.ID)
	begun := state
	begun.Size /= 2
	if _, err := r.feed(ctx, half, u, &o, begun, more); err != nil {
		t.Fatal(err)
	}
	u.Done()
	n := len(half.Blocks())
	half.Close()
	again, err := r.store.beside(f, o.File, state, more)
	if err != nil || n == 0 || len(again.Blocks()) != n {
		t.Fatalf("%d of %d blocks, %v", len(again.Blocks()), n, err)
	}
	again.Close()

	r.other[l.ID] = true
	if left, err := r.remake(ctx, *l, more, 0); !left || err != nil || r.store.Use(l.ID) != nil {
		t.Errorf("without room: left %v, %v", left, err)
	}
	r.look(ctx)
	r.o.Shape = block.Options{Strips: 64, StripLines: 50, RowsPerKey: 2, Common: 0.4}
	clear(r.due)
	if r.look(ctx) || r.shapes()[0] != more {
		t.Errorf("a log of 1000 lines has blocks %+v", r.shapes()[0])
	}
}

// A log that is written in place meanwhile keeps nothing of what was read of it.
func TestReshapeWhileWritten(t *testing.T) {
	r := newReshaping(t, 1, 1000)
	ctx, l := t.Context(), r.logs[0]
	r.look(ctx)
	r.other[l.ID] = true
	open := r.o.Open
	r.o.Open = func(ctx context.Context, l Log) (Opened, error) {
		o, err := open(ctx, l)
		o.Clock = func([]byte) (int64, bool) { // called while the log is read
			if err := os.Truncate(l.Path, l.Size-10); err != nil {
				t.Error(err)
			}
			return 0, false
		}
		return o, err
	}
	more := block.Options{Strips: 64, StripLines: 5, RowsPerKey: 2, Common: 0.4}
	if _, err := r.remake(ctx, l, more, 1<<30); err == nil {
		t.Error("no error")
	}
	if _, err := block.Open(filepath.Join(r.store.dir, besideDir), l.ID.Dev, l.ID.Ino); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("kept: %v", err)
	}
}
