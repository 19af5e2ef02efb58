package seal

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// crash is what ends a Sealer in the middle.
type crash struct{ at string }

// faults makes the n-th step from now on the last one: there the process ends, or there is no room any more.
func faults(n int, full bool) (hit *string) {
	hit = new(string)
	step = func(name string) error {
		if n--; n != 0 {
			return nil
		}
		*hit = name
		if full {
			return syscall.ENOSPC
		}
		panic(crash{name})
	}
	return hit
}

func noFaults() { step = func(string) error { return nil } }

// tryTurn is a Turn that may end in a crash.
func (w *world) tryTurn() (crashed string, err error) {
	defer func() {
		if p := recover(); p != nil {
			c, ok := p.(crash)
			if !ok {
				panic(p)
			}
			crashed = c.at
		}
	}()
	for {
		more, err := w.z.Turn(context.Background())
		if err != nil || !more {
			return "", err
		}
	}
}

// What is there when a Store is opened was perhaps renamed by a process that was killed before it could make that durable: no
// power cut may take it back after it has been counted on.
func TestOpenMakesDurable(t *testing.T) {
	dir := t.TempDir()
	before, synced, failure := fsync, 0, error(nil)
	fsync = func(f *os.File) error {
		if f.Name() == dir {
			synced++
		}
		return failure
	}
	t.Cleanup(func() { fsync = before })
	s, err := Open(dir, slog.New(slog.DiscardHandler))
	if err != nil || synced != 1 {
		t.Fatalf("synced %d times: %v", synced, err)
	}
	s.Close()
	failure = syscall.EIO
	if s, err := Open(dir, slog.New(slog.DiscardHandler)); !errors.Is(err, syscall.EIO) {
		if s != nil {
			s.Close()
		}
		t.Errorf("a directory that cannot be synced: %v", err)
	}
}

// powerLoss loses what was not made durable: what was written to files, and a rename.
func (w *world) powerLoss(rng *rand.Rand, at string) {
	entries, err := os.ReadDir(w.store)
	w.must(err)
	newest := ""
	for _, e := range entries {
		name := filepath.Join(w.store, e.Name())
		info, err := e.Info()
		w.must(err)
		if strings.HasSuffix(name, suffix+suffixTmp) && at != "synced" && at != "verified" && at != "indexed" && rng.IntN(2) == 0 {
			w.must(os.Truncate(name, rng.Int64N(info.Size()+1)))
		}
		if id, err := hex.DecodeString(strings.TrimSuffix(e.Name(), suffix)); err == nil && len(id) == len(ID{}) && w.s.blocks[ID(id)] == nil {
			newest = name
		}
	}
	if at == "renamed" && newest != "" && rng.IntN(2) == 0 {
		w.must(os.Rename(newest, newest+suffixTmp))
	}
}

// history is a drawn life of some logs.
type history struct {
	*world
	rng     *rand.Rand
	written strings.Builder
	n       int // of lines
	hits    map[string]int
}

func (h *history) event() string {
	names := []string{"app.log", "app.b.log", "timeless.log"}
	name := names[h.rng.IntN(len(names))]
	_, err := os.Stat(h.path(name))
	there := err == nil
	switch h.rng.IntN(12) {
	case 0, 1, 2, 3:
		h.write(name)
		return "write " + name
	case 4:
		h.now = h.now.Add(time.Duration(h.rng.IntN(100)) * time.Minute)
		return "time goes by"
	case 5, 6, 7:
		h.seal()
		return "seal"
	case 8:
		h.reopen()
		return "restart"
	case 9:
		if there {
			h.rotate(name)
			return "rotate " + name
		}
	case 10:
		if info, err := os.Stat(h.path(name)); err == nil && info.Size() > 0 {
			h.copyTruncate(name)
			return "copy and cut " + name
		}
	case 11:
		if h.o.Most == 0 {
			return "delete " + h.delete()
		}
	}
	return "nothing"
}

func (h *history) write(name string) {
	text := h.dated(h.n, 1+h.rng.IntN(90))
	if name == "timeless.log" {
		text = ""
		for i := range 1 + h.rng.IntN(90) {
			text += fmt.Sprintf("line %d, of which nobody knows when it was written, nor by whom it was: %s\n", h.n+i, name)
		}
	}
	text = strings.ReplaceAll(text, " of ", " of "+name+" ")
	h.n += 100
	h.written.WriteString(text)
	cut := h.rng.IntN(len(text))
	h.append(name, text[:cut])
	if h.rng.IntN(3) == 0 {
		h.seal() // in the middle of a line
	}
	h.append(name, text[cut:])
}

// seal may end in a crash, or find the disk full.
func (h *history) seal() {
	defer noFaults()
	if h.o.Most > 0 && h.rng.IntN(3) == 0 {
		h.s.View() // of a query that runs until the process ends: what is dropped is there again when the next one starts
	}
	full := h.rng.IntN(3) == 0
	hit := new(string)
	if h.rng.IntN(3) > 0 {
		hit = faults(1+h.rng.IntN(30), full)
	}
	crashed, err := h.tryTurn()
	noFaults()
	if *hit != "" {
		h.hits[*hit]++
	}
	switch {
	case crashed != "":
		h.powerLoss(h.rng, crashed)
		h.reopen()
	case err != nil && !errors.Is(err, syscall.ENOSPC) && h.o.Most == 0:
		h.t.Fatal(err)
	case err != nil && h.s.Refused() == "":
		h.t.Fatalf("it does not say that it refuses: %v", err)
	}
}

func (h *history) rotate(name string) {
	for i := 4; i > 0; i-- {
		old := h.path(name + "." + strconv.Itoa(i))
		for _, end := range []string{"", ".gz"} {
			if _, err := os.Stat(old + end); err == nil {
				h.must(os.Rename(old+end, h.path(name+"."+strconv.Itoa(i+1))+end))
			}
		}
	}
	h.must(os.Rename(h.path(name), h.path(name+".1")))
	if _, err := os.Stat(h.path(name + ".2")); err == nil && h.rng.IntN(2) == 0 {
		h.zip(name + ".2")
	}
}

func (h *history) copyTruncate(name string) {
	h.rotateRest(name)
	text, err := os.ReadFile(h.path(name))
	h.must(err)
	cut := h.rng.IntN(len(text))
	h.append(name+".1", string(text[:cut]))
	if h.rng.IntN(2) == 0 {
		h.justMade(name + ".1")
		h.seal()
	}
	h.append(name+".1", string(text[cut:]))
	if h.rng.IntN(2) == 0 {
		h.justMade(name + ".1")
		h.seal()
	}
	h.must(os.Truncate(h.path(name), 0))
}

// justMade has a file look as one that is being written.
func (h *history) justMade(name string) { h.young = h.path(name) }

func (h *history) rotateRest(name string) {
	if _, err := os.Stat(h.path(name + ".1")); err == nil {
		h.must(os.Rename(h.path(name+".1"), h.path(name+"."+strconv.Itoa(10+h.n))))
	}
}

// delete deletes a file all lines of which are sealed.
func (h *history) delete() string {
	h.now = h.now.Add(3 * time.Hour)
	_, err := h.tryTurn()
	h.must(err)
	for _, c := range h.candidates() {
		if h.rng.IntN(3) > 0 {
			continue
		}
		if h.outlives(c) {
			h.must(os.Remove(c.Path))
			return c.Path
		}
	}
	return "nothing"
}

// outlives says whether the store has all of a file.
func (h *history) outlives(c Candidate) bool {
	o, err := h.open(context.Background(), c)
	if err != nil {
		return len(h.found()[c.Path]) == 0
	}
	defer o.Close()
	v := h.s.View()
	defer v.Close()
	m := v.Match(context.Background(), []File{o.File}, h.s.Mark(), nil, family)
	if m.Of[0] == nil {
		return c.Size == 0
	}
	end, _ := m.Of[0].End()
	return end == c.Size
}

// Whatever is killed when: the lines in the store and in the live files, together, are those that were
// written, each once.
func TestCrashes(t *testing.T) {
	quickly(t)
	seeds := 100
	if testing.Short() {
		seeds = 6
	}
	if n, err := strconv.Atoi(os.Getenv("TRAWL_SEAL_SEEDS")); err == nil {
		seeds = n
	}
	hits := map[string]int{}
	for seed := range seeds {
		h := &history{world: newWorld(t, 20+seed%40+50*(seed/9%2*(seed%9/8))), rng: rand.New(rand.NewPCG(uint64(seed), 8)), hits: hits}
		h.live(seed)
	}
	for _, name := range []string{"created", "frame written", "written", "synced", "verified", "indexed", "renamed", "published"} {
		if hits[name] == 0 && !testing.Short() {
			t.Errorf("nothing failed at %q: %v", name, hits)
		}
	}
	t.Logf("%d histories; ended or failed at: %v", seeds, hits)
}

// live draws a history, and looks after every event whether each line is found once.
func (h *history) live(seed int) {
	h.t.Helper()
	var events []string
	for range 25 {
		e := h.event()
		events = append(events, e)
		h.young = ""
		if got, want := all(h.found()), sortedLines(h.written.String()); strings.Join(got, "") != strings.Join(want, "") {
			h.t.Fatalf("seed %d, after %s: %s", seed, strings.Join(events, ", "), difference(got, want))
		}
	}
	h.s.Close()
	h.must(os.RemoveAll(filepath.Dir(h.logs)))
}

// Whatever retention drops, and whatever is killed meanwhile: as long as no file is deleted, each line is found
// once.
func TestCrashesUnderRetention(t *testing.T) {
	quickly(t)
	seeds := 40
	if testing.Short() {
		seeds = 6
	}
	if n, err := strconv.Atoi(os.Getenv("TRAWL_SEAL_SEEDS")); err == nil {
		seeds = n
	}
	for seed := range seeds {
		h := &history{world: newWorld(t, 20+seed%40), rng: rand.New(rand.NewPCG(uint64(seed), 9)), hits: map[string]int{}}
		h.o.Age, h.o.Most = time.Duration(1+seed%4)*2*time.Hour, int64(4+seed%7*4)<<10
		h.reopen()
		h.live(seed)
	}
}
