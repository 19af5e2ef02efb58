package seal

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func rested(ctx context.Context) error { return ctx.Err() }

// withOther gives the world another node.
func (w *world) withOther() {
	w.t.Helper()
	s, err := OpenForeign(filepath.Join(filepath.Dir(w.store), "other"), slog.New(slog.NewTextHandler(&w.said, nil)))
	w.must(err)
	w.other = s
	w.t.Cleanup(func() { w.other.Close() })
}

// copyOf copies a block from a Store to the Partial of another, from where that ends to a drawn end.
func copyOf(from, to *Store, id ID, most int64) error {
	in, b, err := from.File(id)
	if err != nil {
		return err
	}
	defer in.Close()
	out, at, err := to.Partial(id)
	if err != nil {
		return err
	}
	defer out.Close()
	if at > b.Stored {
		return to.Abandon(id)
	}
	_, err = io.Copy(out, io.NewSectionReader(in, at, min(most, b.Stored-at)))
	return err
}

// move copies a block, all of it, and adopts it.
func move(from, to *Store, id ID) error {
	b, err := from.Block(id)
	if err != nil {
		return err
	}
	if err := copyOf(from, to, id, b.Stored); err != nil {
		return err
	}
	return to.Adopt(context.Background(), id, b.Checksum, rested)
}

// moving draws one step of moving blocks between the node and the other one: nothing is let go of that is not
// adopted elsewhere.
func (h *history) moving() (what string, err error) {
	blocks := h.s.Blocks()
	if len(blocks) == 0 {
		return "nothing to move", nil
	}
	b := blocks[h.rng.IntN(len(blocks))]
	_, elsewhere := h.other.Block(b.ID)
	switch h.rng.IntN(5) {
	case 0:
		if !b.Away {
			return "a part is copied", copyOf(h.s, h.other, b.ID, h.rng.Int64N(b.Stored+1))
		}
	case 1:
		if !b.Away {
			return "a copy is adopted", move(h.s, h.other, b.ID)
		}
	case 2, 3:
		if elsewhere == nil {
			return "a block is shed", h.s.Shed(b.ID)
		}
	case 4:
		if b.Away {
			return "a block comes back", move(h.other, h.s, b.ID)
		}
		if elsewhere == nil {
			return "a copy is dropped", h.other.Shed(b.ID)
		}
	}
	return "nothing moves", nil
}

// tryMoving may end in a crash.
func (h *history) tryMoving() (what, crashed string, err error) {
	defer func() {
		if p := recover(); p != nil {
			c, ok := p.(crash)
			if !ok {
				panic(p)
			}
			crashed = c.at
		}
	}()
	what, err = h.moving()
	return what, "", err
}

// losePower loses what was not durable of the copies and stubs in both directories.
func (h *history) losePower(at string) {
	for _, s := range []*Store{h.s, h.other} {
		entries, err := os.ReadDir(s.dir)
		h.must(err)
		for _, e := range entries {
			name := filepath.Join(s.dir, e.Name())
			info, err := e.Info()
			h.must(err)
			unsynced := strings.HasSuffix(name, suffixPart) && !slices.Contains([]string{"copy synced", "copy verified", "copy indexed"}, at) ||
				strings.HasSuffix(name, suffixAway+suffixTmp) && at != "stub synced"
			if unsynced && h.rng.IntN(2) == 0 {
				h.must(os.Truncate(name, h.rng.Int64N(info.Size()+1)))
				if h.rng.IntN(2) == 0 { // the size came to the disk, the bytes did not
					h.must(os.Truncate(name, info.Size()))
				}
			}
			id, found := strings.CutSuffix(name, suffix)
			if found && at == "copy renamed" && h.rng.IntN(2) == 0 && h.renamed(s, filepath.Base(id)) {
				h.must(os.Rename(name, name+suffixPart))
			}
			if away, found := strings.CutSuffix(name, suffixAway); found && at == "stub renamed" && h.rng.IntN(2) == 0 {
				if _, err := os.Stat(away); err == nil { // its block is there: it is the one
					h.must(os.Rename(name, name+suffixTmp))
				}
			}
		}
	}
	if at == "removed" && h.rng.IntN(2) == 0 { // the directory was not synced: files come back
		for _, b := range h.s.Blocks() {
			if f, _, err := h.other.File(b.ID); err == nil && b.Away {
				p, err := io.ReadAll(f)
				h.must(err)
				f.Close()
				h.must(os.WriteFile(h.s.path(b.ID), p, 0o600))
			}
		}
	}
}

// renamed says whether a block's file has come to a directory without the Store knowing.
func (h *history) renamed(s *Store, id string) bool {
	for have, b := range s.blocks {
		if have.String() == id {
			return b.Away && s.graves[have] == (grave{})
		}
	}
	for have := range s.graves {
		if have.String() == id {
			return false
		}
	}
	return true
}

// Blocks are copied, adopted, shed and taken back between two nodes, and whatever ends when, with what is not
// durable lost: the lines of both, and of the live files, are those that were written, each once.
func TestCrashesOfMoves(t *testing.T) {
	quickly(t)
	seeds := 40
	if testing.Short() {
		seeds = 5
	}
	if n, err := strconv.Atoi(os.Getenv("TRAWL_SEAL_SEEDS")); err == nil {
		seeds = n
	}
	hits := map[string]int{}
	done := map[string]int{}
	steps := []string{"copy synced", "copy verified", "copy indexed", "copy renamed", "copy published", "stub removed", "stub created", "stub written",
		"stub synced", "stub renamed", "stub published", "removed", "a part is copied", "a copy is adopted", "a block is shed", "a block comes back", "a copy is dropped"}
	never := func() []string {
		return slices.DeleteFunc(slices.Clone(steps), func(name string) bool { return hits[name]+done[name] > 0 })
	}
	// Blocks have random names, by which they are drawn: the rarer steps may want more histories than that.
	for seed := 0; seed < seeds || !testing.Short() && seed < 40*seeds && len(never()) > 0; seed++ {
		h := &history{world: newWorld(t, 20+seed%40), rng: rand.New(rand.NewPCG(uint64(seed), 10)), hits: hits}
		h.withOther()
		var events []string
		for range 40 {
			var e string
			if h.rng.IntN(2) == 0 {
				e = h.event()
			} else {
				e = h.moves(done)
			}
			events = append(events, e)
			h.young = ""
			if got, want := all(h.found()), sortedLines(h.written.String()); strings.Join(got, "") != strings.Join(want, "") {
				t.Fatalf("seed %d, after %s: %s", seed, strings.Join(events, ", "), difference(got, want))
			}
		}
		h.s.Close()
		h.other.Close()
		h.must(os.RemoveAll(filepath.Dir(h.logs)))
	}
	if names := never(); len(names) > 0 && !testing.Short() {
		t.Errorf("never: %q", names)
	}
	t.Logf("%d histories; ended or failed at: %v; done: %v", seeds, hits, done)
}

// moves is one move, that may end in a crash or find the disk full.
func (h *history) moves(done map[string]int) string {
	defer noFaults()
	var view *View
	if h.rng.IntN(4) == 0 {
		view = h.s.View() // of a query under way
	}
	hit := new(string)
	full := h.rng.IntN(3) == 0
	if h.rng.IntN(2) == 0 {
		hit = faults(1+h.rng.IntN(8), full)
	}
	what, crashed, err := h.tryMoving()
	noFaults()
	if *hit != "" {
		h.hits[*hit]++
	}
	switch {
	case crashed != "":
		h.losePower(crashed)
		h.reopen()
	case err != nil && !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, ErrDamaged): // a copy that a crash left
		h.t.Fatalf("%s: %v", what, err)
	case err == nil:
		done[what]++
	}
	if view != nil && crashed == "" {
		for _, l := range view.Logs() {
			h.readAnywhere(view, l)
		}
		view.Close()
	}
	return what
}

// What is not the block is not adopted, and is gone.
func TestAdoptVerifies(t *testing.T) {
	quickly(t)
	w := newWorld(t, 50)
	w.withOther()
	w.append("app.log", w.dated(0, 200))
	w.now = w.now.Add(3 * time.Hour)
	w.turn()
	for i, b := range w.s.Blocks() {
		w.must(copyOf(w.s, w.other, b.ID, b.Stored))
		name := w.other.path(b.ID) + suffixPart
		p, err := os.ReadFile(name)
		w.must(err)
		sum := b.Checksum
		switch i {
		case 0:
			p = p[:len(p)-1]
		case 1:
			p[headerBytes+5] ^= 1
		case 2:
			sum++
		default:
			continue
		}
		w.must(os.WriteFile(name, p, 0o600))
		if err := w.other.Adopt(context.Background(), b.ID, sum, rested); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d: %v", i, err)
		}
		if ids, err := w.other.Partials(); err != nil || slices.Contains(ids, b.ID) {
			t.Errorf("%d: it is there still; %v", i, err)
		}
		if _, err := w.other.Block(b.ID); !errors.Is(err, ErrUnknown) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// A log is parted where its blocks are, and a stub tells all of a block but its lines.
func TestOnly(t *testing.T) {
	quickly(t)
	w := newWorld(t, 20)
	w.withOther()
	w.append("app.log", w.dated(0, 100))
	w.now = w.now.Add(3 * time.Hour)
	w.turn()
	w.must(os.Remove(w.path("app.log")))
	before := w.s.Blocks()
	blocks := slices.Clone(before)
	l := slices.Collect(maps.Values(w.s.logs))[0]
	for i, b := range l.Blocks() {
		blocks[i] = b
	}
	shed := map[ID]bool{blocks[1].ID: true, blocks[3].ID: true}
	for id := range shed {
		w.must(move(w.s, w.other, id))
		w.must(w.s.Shed(id))
	}
	check := func() {
		t.Helper()
		l := w.s.logs[l.ID]
		here := l.Only(func(b *Block) bool { return !b.Away })
		if len(here) != 3 || len(l.Only(func(b *Block) bool { return b.Away })) != 2 || len(l.Only(func(*Block) bool { return true })) != 1 {
			t.Fatalf("%d stretches", len(here))
		}
		for i, s := range here {
			from, line := s.Start()
			if s.Path() != l.Path() || s.ID != l.ID || line != int64(40*i) || (from == 0) != (i == 0) {
				t.Errorf("stretch %d: %d, %d", i, from, line)
			}
		}
		for i, b := range blocks {
			got, err := w.s.Block(b.ID)
			w.must(err)
			want := *b
			want.Away = shed[b.ID]
			if got.Checksum != want.Checksum || got.Stored != want.Stored || got.Lines != want.Lines || got.Away != want.Away || len(got.Runs) != len(want.Runs) || got.Runs[0] != want.Runs[0] {
				t.Errorf("block %d: %+v, want %+v", i, got, want)
			}
			if _, _, err := w.s.File(b.ID); errors.Is(err, ErrAway) != shed[b.ID] {
				t.Error(err)
			}
		}
	}
	check()
	w.reopen()
	check()
	for id := range shed {
		w.must(move(w.other, w.s, id))
	}
	if n := len(w.s.logs[l.ID].Only(func(b *Block) bool { return !b.Away })); n != 1 {
		t.Errorf("%d stretches after all came back", n)
	}
}

// A block that was put aside, and one that cannot be read, are replaced by another node's copy.
func TestAdoptRepairs(t *testing.T) {
	quickly(t)
	w := newWorld(t, 20)
	w.withOther()
	text := w.dated(0, 100)
	w.append("app.log", text)
	w.now = w.now.Add(3 * time.Hour)
	w.turn()
	w.must(os.Remove(w.path("app.log")))
	blocks := w.s.Blocks()
	for _, b := range blocks {
		w.must(move(w.s, w.other, b.ID))
	}
	w.must(w.s.Shed(blocks[2].ID))
	harm := func(name string, at int64) {
		t.Helper()
		p, err := os.ReadFile(name)
		w.must(err)
		p[(int64(len(p))+at)%int64(len(p))] ^= 1
		w.must(os.WriteFile(name, p, 0o600))
	}
	harm(w.s.path(blocks[0].ID), headerBytes+9)
	harm(w.s.path(blocks[1].ID), -30)
	harm(w.s.path(blocks[2].ID)+suffixAway, -30)
	w.reopen()
	for i := range 3 { // what is aside stays known
		if n := len(w.s.Damaged()); n != 2 {
			t.Fatalf("start %d: %d are put aside", i, n)
		}
		w.reopen()
	}
	if err := w.s.Verify(blocks[0]); !errors.Is(err, ErrDamaged) || w.s.Spoiled(blocks[0].ID) == nil {
		t.Fatalf("%v", err)
	}
	for _, b := range blocks[:3] {
		w.must(move(w.other, w.s, b.ID))
	}
	for range 2 {
		if n := len(w.s.Damaged()); n > 0 || w.s.Spoiled(blocks[0].ID) != nil {
			t.Errorf("%d are aside still", n)
		}
		w.holds(text)
		w.reopen()
	}
}
