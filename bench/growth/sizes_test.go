package growth

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/trawl-logs/trawl/bench/procs"
)

func TestUpTo(t *testing.T) {
	for most, want := range map[int64]int{0: 0, 10e6 - 1: 0, 10e6: 1, 1e9: 3, 4e9: 4, 9e9: 4} {
		if got := upTo(most); len(got) != want || !slices.IsSorted(got) {
			t.Errorf("up to %d: %v", most, got)
		}
	}
}

// A log that is whole is taken as it is; what was cut off or changed is made anew.
func TestLogsAreKept(t *testing.T) {
	const size = 500_000
	g := &run{ctx: t.Context(), o: Options{Logs: filepath.Join(t.TempDir(), "kept")}}
	dir := g.kept(size)
	log := filepath.Join(dir, "node1.log")
	when := func() int64 {
		t.Helper()
		if err := g.logs(dir, size); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(log)
		if err != nil || info.Size() > size || info.Size() < size-1000 {
			t.Fatalf("%v, %v", info, err)
		}
		return info.ModTime().UnixNano()
	}
	first := when()
	if again := when(); again != first {
		t.Error("a whole log was made again")
	}
	if made(dir, 2*size) || made(dir, size-2000) {
		t.Error("it is taken for one of another size")
	}
	for name, damage := range map[string]func() error{
		"cut":      func() error { return os.Truncate(log, 1000) },
		"no log":   func() error { return os.Remove(log) },
		"no truth": func() error { return os.Remove(filepath.Join(dir, "truth.json")) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if made(dir, size) {
			t.Errorf("%s: it is taken", name)
		}
		when()
	}
}

func TestMakingLogsEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	g := &run{ctx: ctx, o: Options{Progress: func(done, all int64) {
		if done > 0 && all == 4e9 {
			cancel(cause)
		}
	}}}
	dir := t.TempDir()
	if err := g.logs(dir, 4e9); !errors.Is(err, cause) {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// What does not fit is told before anything is started.
func TestNoRoom(t *testing.T) {
	defer func(old []int64) { sizes = old }(sizes)
	sizes = []int64{10e6, 1 << 60}
	for _, logs := range []string{"", filepath.Join(t.TempDir(), "kept")} {
		_, err := Run(t.Context(), Options{Trawl: "/nonexistent", MaxSize: 1 << 60, Logs: logs})
		space, ok := errors.AsType[*procs.SpaceError](err)
		if !ok || space.Need < 1<<60 {
			t.Errorf("%q: %v", logs, err)
		}
	}
	if _, err := Run(t.Context(), Options{Trawl: "/nonexistent", MaxSize: 10e6}); err == nil || errors.As(err, new(*procs.SpaceError)) {
		t.Errorf("with room: %v", err)
	}
}
