package indexer

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/block"
)

func paths(logs []Log) (out []string) {
	for _, l := range logs {
		out = append(out, l.Path)
	}
	return out
}

func TestChoose(t *testing.T) {
	at := func(h int) time.Time { return time.Unix(int64(h)*3600, 0) }
	logs := []Log{
		{ID{1, 1}, "old", "s", 100e6, at(1), false}, {ID{1, 2}, "new", "s", 100e6, at(9), false},
		{ID{1, 3}, "middle", "s", 100e6, at(5), false}, {ID{1, 4}, "tiny", "s", 1000, at(10), false},
	}
	stored := []block.Stored{{Dev: 1, Ino: 1, Bytes: 5e6}, {Dev: 7, Ino: 7, Bytes: 1}}
	for _, tt := range []struct {
		most   int64
		build  []string
		remove []ID
	}{
		{100e6, []string{"new", "middle", "old"}, []ID{{7, 7}}},
		{12e6, []string{"new", "middle"}, []ID{{1, 1}, {7, 7}}}, // the oldest goes, though it is there
		{6e6, []string{"new"}, []ID{{1, 1}, {7, 7}}},
		{0, nil, []ID{{1, 1}, {7, 7}}},
	} {
		build, remove := choose(logs, stored, tt.most, 1e6)
		if !slices.Equal(paths(build), tt.build) || !slices.Equal(remove, tt.remove) {
			t.Errorf("at most %d: build %v, remove %v; want %v, %v", tt.most, paths(build), remove, tt.build, tt.remove)
		}
	}
}

// Chosen indexes never have more than the room there is, and nothing is both built and removed.
func TestChooseKeepsWithinItsRoom(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var logs []Log
		var stored []block.Stored
		size := map[ID]int64{}
		for i := range uint64(rng.IntN(20)) {
			l := Log{ID: ID{1, i}, Size: rng.Int64N(1e9), ModTime: time.Unix(rng.Int64N(100), 0)}
			logs = append(logs, l)
			size[l.ID] = int64(float64(l.Size) * perByte)
			if rng.IntN(2) == 0 {
				stored = append(stored, block.Stored{Ino: i, Dev: 1, Bytes: rng.Int64N(1e8)})
				size[l.ID] = max(size[l.ID], stored[len(stored)-1].Bytes)
			}
		}
		most, sum := rng.Int64N(1e9), int64(0)
		build, remove := choose(logs, stored, most, 1e6)
		for _, l := range build {
			if sum += size[l.ID]; slices.Contains(remove, l.ID) {
				t.Fatalf("seed %d: %v is built and removed", seed, l.ID)
			}
		}
		if sum > most {
			t.Fatalf("seed %d: %d bytes, more than %d", seed, sum, most)
		}
	}
}

func TestPaceKeepsItsShare(t *testing.T) {
	for _, tt := range []struct {
		share float64
		busy  bool
		want  time.Duration // of rest for a second of work
	}{{1, false, 0}, {0.5, false, time.Second}, {0.1, false, 9 * time.Second}, {0.1, true, 399 * time.Second}, {1, true, 39 * time.Second}} {
		rested := time.Duration(0)
		p := pace{share: tt.share, busy: func() bool { return tt.busy }, sleep: func(_ context.Context, d time.Duration) error {
			rested += d
			return nil
		}}
		for range 1000 {
			if err := p.worked(context.Background(), time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		if off := (rested - tt.want).Abs(); off > 100*time.Millisecond {
			t.Errorf("share %v, busy %v: rested %v, want %v", tt.share, tt.busy, rested, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := pace{share: 0.1, busy: func() bool { return false }, sleep: sleep}
	if err := p.worked(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("rests on after the end: %v", err)
	}
}

// The figures stay as they are until the level is another, or the rate for long and by far.
func TestFiguresRenew(t *testing.T) {
	mean := func() float64 { return 100 }
	old := figures{Device: "8:1", ReadRate: 400e6, MeanLine: 80, Level: "normal"}
	for _, tt := range []struct {
		device, level string
		rate          float64
		intervals     int
		want          figures
	}{
		{"8:1", "normal", 0, 0, old},
		{"8:1", "normal", 900e6, 64, old},
		{"8:1", "normal", 110e6, 64, old},
		{"8:1", "normal", 1700e6, sure - 1, old},
		{"8:1", "normal", 1700e6, sure, figures{"8:1", 1700e6, 80, "normal"}},
		{"8:1", "normal", 90e6, sure, figures{"8:1", 90e6, 80, "normal"}},
		{"8:1", "small", 0, 0, figures{"8:1", 400e6, 80, "small"}},
		{"8:2", "normal", 0, 0, old},
		{"8:2", "normal", 3e9, sure, figures{"8:2", 3e9, 80, "normal"}},
	} {
		if got := old.renew(tt.device, tt.level, tt.rate, tt.intervals, mean); got != tt.want {
			t.Errorf("%+v: %+v", tt, got)
		}
	}
	if got := (figures{}).renew("8:1", "normal", 0, 0, mean); got != (figures{"", 0, 100, "normal"}) {
		t.Errorf("at first: %+v", got)
	}
	dir := t.TempDir()
	if err := old.save(dir); err != nil || load(dir) != old {
		t.Errorf("saved %+v, loaded %+v, %v", old, load(dir), err)
	}
	if err := os.WriteFile(filepath.Join(dir, sizingFile), []byte("{"), 0o600); err != nil || load(dir) != (figures{}) {
		t.Errorf("damaged figures: %+v, %v", load(dir), err)
	}
}

// A directory is one process's at a time; a used index stays readable after it was dropped.
func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "index")
	log := slog.New(slog.DiscardHandler)
	s, err := OpenStore(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(dir, log); err == nil {
		t.Error("a second process may have the directory")
	}
	u, err := s.create(block.File{Dev: 1, Ino: 2})
	if err != nil {
		t.Fatal(err)
	}
	if other := s.Use(ID{1, 2}); other == nil || other.Index != u.Index {
		t.Error("an open index is opened again")
	} else {
		other.Done()
	}
	s.Drop(ID{1, 2}, block.ErrDamaged)
	if s.Use(ID{1, 2}) != nil || !u.gone() || !s.isSuspect(ID{1, 2}) {
		t.Error("a dropped index is used")
	}
	if err := u.Sync(); err != nil {
		t.Errorf("it is closed while it is used: %v", err)
	}
	u.Done()
	if err := u.Sync(); err == nil {
		t.Error("it stays open")
	}
	s.Close()
	if s, err = OpenStore(dir, log); err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// A log whose index cannot be written, as on a full disk, is left until it has grown.
func TestIndexThatCannotBeWritten(t *testing.T) {
	s, err := OpenStore(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	path := filepath.Join(t.TempDir(), "a.log")
	text := bytes.Repeat([]byte("a line\n"), 100)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	_, id, err := StateOf(file)
	if err != nil {
		t.Fatal(err)
	}
	l := Log{ID: id, Path: path, Size: int64(len(text))}
	b := NewBuilder(s, Options{Share: 1, Most: 1 << 30,
		Shape: block.Options{Strips: 64, StripLines: 1, RowsPerKey: 2, Common: 0.4},
		Logs:  func() []Log { return []Log{l} },
		Busy:  func() bool { return false },
		Open: func(context.Context, Log) (Opened, error) {
			return Opened{File: file, Clock: func([]byte) (int64, bool) {
				s.mu.Lock()
				defer s.mu.Unlock()
				_ = s.open[id].Index.Close() // so that it cannot be written
				return 0, false
			}}, nil
		}})
	_, err = b.guarded(l, func() (bool, error) { return b.extend(t.Context(), l, b.o.Shape) })
	if !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want that the index cannot be written", err)
	}
}
