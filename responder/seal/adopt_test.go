package seal

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/block"
)

// withBlocks seals so many blocks, or more, of a log that is gone then, and returns them and their lines.
func (w *world) withBlocks(n int) (blocks []*Block, text string) {
	w.t.Helper()
	for i := range n {
		more := w.dated(i*64, 64)
		w.append("app.log", more)
		text += more
		w.now = w.now.Add(time.Hour)
	}
	w.now = w.now.Add(3 * time.Hour)
	w.turn()
	w.must(os.Remove(w.path("app.log")))
	if blocks = w.s.Blocks(); len(blocks) < n {
		w.t.Fatalf("%d blocks", len(blocks))
	}
	return blocks, text
}

func (w *world) indexes(s *Store) int {
	w.t.Helper()
	list, err := block.List(s.dir)
	w.must(err)
	return len(list)
}

// An index is there only with its block: whatever stops the one that makes it.
func TestAdoptLeavesNoIndex(t *testing.T) {
	quickly(t)
	w := newWorld(t, 64)
	w.withOther()
	blocks, _ := w.withBlocks(1)
	b := blocks[0] // long enough for an index
	stop := errors.New("stopped")
	for done := 0; ; done++ {
		w.must(copyOf(w.s, w.other, b.ID, b.Stored))
		worked := 0
		err := w.other.Adopt(context.Background(), b.ID, b.Checksum, func(context.Context) error {
			if worked++; worked > done {
				return stop
			}
			return nil
		})
		if err == nil {
			if done < 2 {
				t.Errorf("it was adopted after %d pieces of work", done)
			}
			break
		}
		if n := w.indexes(w.other); !errors.Is(err, stop) || n > 0 {
			t.Fatalf("stopped after %d pieces of work: %d indexes; %v", done, n, err)
		}
	}
	if n := w.indexes(w.other); n != 1 {
		t.Errorf("%d indexes of a block that is there", n)
	}
}

// A block that could not be read, and can be, is no longer said to be spoiled; nor is one that is let go of.
func TestSpoiledForAMoment(t *testing.T) {
	quickly(t)
	w := newWorld(t, 64)
	blocks, _ := w.withBlocks(2)
	for i, b := range blocks {
		away := w.s.path(b.ID) + "-unmounted"
		w.must(os.Rename(w.s.path(b.ID), away))
		if err := w.s.Verify(b); err == nil || w.s.Spoiled(b.ID) == nil {
			t.Fatalf("%v", err)
		}
		w.must(os.Rename(away, w.s.path(b.ID)))
		if w.s.Spoiled(b.ID) == nil {
			t.Fatal("nobody has tried again")
		}
		if i == 0 {
			w.must(w.s.Verify(b))
		} else {
			w.must(w.s.Shed(b.ID))
		}
		if err := w.s.Spoiled(b.ID); err != nil {
			t.Errorf("block %d: %v", i, err)
		}
	}
}

// A stub takes no room: for blocks that are at other nodes, none that is here goes.
func TestStubsTakeNoRoom(t *testing.T) {
	quickly(t)
	w := newWorld(t, 64)
	w.withOther()
	blocks, text := w.withBlocks(6)
	var room int64
	for i, b := range blocks {
		if i%2 == 1 {
			room += w.s.size(b)
			continue
		}
		w.must(move(w.s, w.other, b.ID))
		w.must(w.s.Shed(b.ID))
	}
	w.o.Most = room
	w.reopen()
	w.turn()
	if n := len(w.s.Blocks()); n != len(blocks) {
		t.Errorf("%d blocks are left", n)
	}
	w.holds(text)
}

// A View reads the blocks that were there when it was opened.
func TestViewReads(t *testing.T) {
	quickly(t)
	w := newWorld(t, 64)
	w.withOther()
	blocks, _ := w.withBlocks(3)
	expect := func(v *View, want ...bool) {
		t.Helper()
		for i, b := range blocks[:3] {
			if v.Reads(b) != want[i] {
				t.Errorf("block %d: %v", i, !want[i])
			}
		}
	}
	for _, b := range blocks[:3] {
		w.must(move(w.s, w.other, b.ID))
	}
	before := w.s.View()
	defer before.Close()
	w.must(w.s.Shed(blocks[1].ID))
	stub := w.s.View()
	defer stub.Close()
	w.must(move(w.other, w.s, blocks[1].ID))
	after := w.s.View()
	defer after.Close()
	expect(before, true, true, true)
	expect(stub, true, false, true)
	expect(after, true, true, true)
	w.must(w.other.Shed(blocks[2].ID)) // which leaves no stub there
	others := w.other.View()
	defer others.Close()
	expect(others, true, true, false)
	again := *blocks[0] // the same lines once more
	again.ID = newID()
	if !after.Reads(&again) {
		t.Error("another block has the same lines")
	}
	again.Runs = append([]Run(nil), again.Runs...)
	again.Runs[len(again.Runs)-1].To += 1 << 20
	if after.Reads(&again) {
		t.Error("it has more lines than any")
	}
}
