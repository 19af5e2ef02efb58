package requester

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/schemas"
)

// countOf is a count of a log of node a.
func countOf(log byte, file string, n int64) schemas.Chunk {
	return schemas.Chunk{Kind: schemas.ChunkCount, File: file, Count: n, Origin: &schemas.Origin{Node: "a", Log: schemas.BlockID{log}}}
}

// hold has the bench release nothing by itself.
func (b *storeBench) hold() { b.held = true }

// next releases one thing, as "node file:count file:count".
func (b *storeBench) next() string {
	var r Release
	for len(r.Chunks) == 0 {
		var ok bool
		if r, ok = b.g.Next(); !ok {
			return ""
		}
		b.g.Consumed(r, b.now)
	}
	words := r.Node
	for _, c := range r.Chunks {
		words += fmt.Sprintf(" %s:%d", c.File, c.Count)
	}
	return words
}

// Counts are held back until all are in. A query that ends before they are all handed out is not complete, and its
// receipt has the lines that were.
func TestCountsDroppedAtTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		mode   schemas.Mode
		end    func(*Gather)
		status schemas.Status
	}{
		"cancelled":      {schemas.ModeCount, func(g *Gather) { g.Cancel("interrupted") }, schemas.StatusPartial},
		"stopped":        {schemas.ModeCount, func(g *Gather) { g.Stop("enough") }, schemas.StatusStopped},
		"without a line": {schemas.ModeFilesWithout, func(g *Gather) { g.Cancel("interrupted") }, schemas.StatusPartial},
	} {
		for released := range 3 {
			t.Run(fmt.Sprint(name, released), func(t *testing.T) {
				nodes, block := twoOwners(100)
				q := NewQuery("x")
				q.Mode = c.mode
				b := newStoreBench(t, q, nodes, block)
				b.hold()
				n, of := int64(3), int64(2)
				if c.mode == schemas.ModeFilesWithout {
					n, of = 0, 1
				}
				b.frames("a", true, schemas.Chunk{Kind: schemas.ChunkCount, File: "own", Count: n})
				b.frames("b", true, schemas.Chunk{Kind: schemas.ChunkCount, File: "own", Count: n})
				b.frames("c", true)
				for range released {
					if b.next() == "" {
						t.Fatal("nothing is released")
					}
				}
				if got := b.g.Done(); got != (released == 2) {
					t.Fatalf("%d are released, done %t", released, got)
				}
				if !b.g.Done() {
					c.end(b.g)
				}
				r := b.g.Receipt(b.now)
				want := c.status
				if released == 2 {
					want = schemas.StatusComplete
				}
				if r.Complete != (released == 2) || r.Nodes[0].Status != want || r.Nodes[1].Status != want {
					t.Errorf("complete %t\n%s", r.Complete, r.Text())
				}
				if lines := map[int64]int64{2: 3, 1: 1}[of] * int64(released); r.Lines != lines {
					t.Errorf("the receipt has %d lines, want %d", r.Lines, lines)
				}
			})
		}
	}
}

// A node that is down without harm is so only if what others have counted for it has been handed out.
func TestCountsOfAnHeirDropped(t *testing.T) {
	for _, cancelled := range []bool{false, true} {
		nodes, block := twoOwners(100)
		q := NewQuery("x")
		q.Mode, q.Until = schemas.ModeCount, 50
		b := newStoreBench(t, q, nodes, block)
		b.hold()
		b.g.NoResponders("b", b.now)
		b.pump()
		b.frames("c/1", true, countOf(7, "log", 3))
		if cancelled {
			b.g.Cancel("interrupted")
		} else if got := b.next(); got != "a log:3" {
			t.Errorf("%q is released", got)
		}
		if r := b.g.Receipt(b.now); r.Complete == cancelled {
			t.Errorf("cancelled %t:\n%s", cancelled, r.Text())
		}
	}
}

// Whoever sends frames under a name that is not in the plan has no part in what is put together.
func TestStrangerInAPlannedCount(t *testing.T) {
	nodes, block := twoOwners(100)
	q := NewQuery("x")
	q.Mode = schemas.ModeCount
	b := newStoreBench(t, q, nodes, block)
	b.frames("x", true)
	b.frames("a", true, schemas.Chunk{Kind: schemas.ChunkCount, File: "own", Count: 2})
	b.frames("b", true, countOf(7, "log", 3))
	b.frames("c", true)
	if r := b.g.Receipt(b.now); !b.g.Done() || r.Lines != 5 {
		t.Errorf("done %t\n%s", b.g.Done(), r.Text())
	}
}

// Two logs of one name, of which one was deleted before the other began, always come in the same order.
func TestLogsOfOneNameKeepTheirOrder(t *testing.T) {
	for range 20 {
		nodes, block := twoOwners(100)
		q := NewQuery("x")
		q.Mode = schemas.ModeCount
		b := newStoreBench(t, q, nodes, block)
		b.hold()
		b.frames("a", true)
		b.frames("c", true)
		b.frames("b", true, countOf(9, "log", 9), countOf(7, "log", 7), countOf(8, "log", 8))
		if got := b.next(); got != "a log:7 log:8 log:9" {
			t.Fatal(got)
		}
	}
}

// A log of which a failed account has counted a selected line is not one without, though who counts its blocks
// again finds none.
func TestFilesWithoutALineOfAFailedAccount(t *testing.T) {
	nodes, block := twoOwners(100)
	block.Owners = []string{"a", "b"}
	q := NewQuery("x")
	q.Mode = schemas.ModeFilesWithout
	b := newStoreBench(t, q, nodes, block)
	b.hold()
	b.frames("a", false, countOf(7, "log", 1), countOf(8, "other", 0)) // blocks and the file, in which the line is
	b.frames("b", true)
	b.frames("c", true)
	for b.asks["b/1"] == nil {
		b.later()
	}
	b.frames("b/1", true, countOf(7, "log", 0), countOf(8, "other", 0))
	if got := b.next(); got != "a other:0" {
		t.Errorf("%q is without a line", got)
	}
	if r := b.g.Receipt(b.now); r.Complete || !strings.Contains(r.Nodes[0].Reason, "unsealed tail") {
		t.Errorf("%s", r.Text())
	}
}
