package requester

import (
	"fmt"
	"testing"

	"github.com/trawl-logs/trawl/schemas"
)

// Who takes over gives the context that is still owed behind the last selected line, and not again what came of it.
func TestHeirGivesTheRestOfTheContext(t *testing.T) {
	for _, c := range []struct {
		came string // before the account failed: a selected line, and context
		from int64  // where the heir begins
		rest string // what is released of the heir
	}{
		{"a/", 100, "b\nc\nd\n [0 2 1]"},
		{"a/b/", 100, "c\nd\n [0 1 1]"},
		{"a/b/c/", 106, "d\n []"},
	} {
		nodes, block := twoOwners(100)
		q := NewQuery("x")
		q.Until, q.After = 50, 2
		b := newStoreBench(t, q, nodes, block)
		first := lines(c.came, []int64{100, 102, 104}[:len(c.came)/2]...)
		if len(first.Offsets) > 1 {
			first.Context = []int64{1, int64(len(first.Offsets) - 1)}
		}
		b.frames("b", false, first)
		for b.asks["c/1"] == nil {
			b.later()
		}
		if skip := b.asks["c/1"].Plan.Skip; len(skip) != 1 || skip[0].From != c.from {
			t.Errorf("%s: skip %v, want %d", c.came, skip, c.from)
		}
		again := lines("a/b/c/d/", 100, 102, 104, 150)
		again.Context = []int64{1, 2, 1}
		if c.from == 106 {
			again = lines("d/", 150)
		}
		b.out = nil
		b.frames("c/1", true, again)
		got := ""
		for _, r := range b.out {
			for i := range r.Chunks {
				got += fmt.Sprintf("%s %v", r.Chunks[i].Text, r.Chunks[i].Context)
			}
		}
		if got != c.rest {
			t.Errorf("%s: %q came, want %q", c.came, got, c.rest)
		}
		if r := b.g.Receipt(b.now); !r.Complete || r.Lines != 2 {
			t.Errorf("%s: %s", c.came, r.Text())
		}
	}
}

// What is noted of a chunk is where its last line ends, and its last selected line, however its runs stand.
func TestNotedContext(t *testing.T) {
	g := &Gather{q: &schemas.Query{After: 3}, terminator: '\n'}
	for _, c := range []struct {
		runs             []int64
		selected, behind int64
	}{
		{nil, 14, 0},
		{[]int64{5}, 14, 0},
		{[]int64{4, 1}, 13, 1},
		{[]int64{1, 1, 1, 2}, 12, 2},
		{[]int64{1, 4, 0}, 10, 4},
		{[]int64{0, 5}, 7, 6}, // of the chunk before
	} {
		m := newMarks()
		m.set(schemas.BlockID{7}, mark{from: 10, last: 8, selected: 7, behind: 1, owes: true})
		chunk := lines("////a/", 10, 11, 12, 13, 14)
		chunk.Context = c.runs
		m.note(g, &Release{Chunks: []schemas.Chunk{chunk}})
		at := m.logs[schemas.BlockID{7}]
		if at.from != 16 || at.last != 14 || at.selected != c.selected || at.behind != c.behind || at.owes != (c.behind < 3) {
			t.Errorf("%v: %+v", c.runs, at)
		}
	}
}

// Context in front of a line that did not come any more owes nothing.
func TestContextInFrontOwesNothing(t *testing.T) {
	g := &Gather{q: &schemas.Query{After: 3}, terminator: '\n'}
	m := newMarks()
	chunk := lines("a/b/", 10, 12)
	chunk.Context = []int64{0, 2}
	m.note(g, &Release{Chunks: []schemas.Chunk{chunk}})
	if list, ok := m.list(); !ok || len(list) != 1 || list[0].From != 14 {
		t.Errorf("%v", list)
	}
}
