package mover

import (
	"maps"
	"slices"
	"testing"

	"github.com/trawl-logs/trawl/schemas"
)

// resting is a fleet of three in which there is nothing to do, and has not been for some time.
func resting(t *testing.T) *world {
	w := newWorld(t, 1, 3, 2)
	t.Cleanup(func() {
		for _, n := range w.nodes {
			n.abandon()
		}
	})
	w.calm = true
	for _, n := range w.nodes {
		for range 4 {
			n.write(20)
			n.seal()
		}
	}
	w.settle()
	w.turns(1)
	return w
}

// turns has each node look so often, and returns how often the list was read meanwhile.
func (w *world) turns(times int) int {
	before := w.reads
	for range times {
		for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
			for n := w.nodes[name]; n.up && n.run() == nil; {
				continue
			}
		}
	}
	return w.reads - before
}

// While nothing is another, the list is read now and then alone; after any change that matters, at once, and what is to be done is done.
func TestIdleMoversDoNotRead(t *testing.T) {
	w := resting(t)
	if n := w.turns(10 * (idleMost + 1)); n != 3*10 {
		t.Errorf("an idle fleet of three read the list %d times in %d looks", n, 10*(idleMost+1))
	}
	first := w.nodes["n00"]
	var id schemas.BlockID
	for _, k := range slices.SortedFunc(maps.Keys(first.disk), compareIDs) {
		if first.holds(k) == Whole {
			id = k
		}
	}
	for _, c := range []struct {
		what  string
		do    func()
		reads int // of the first look of all: how many have to look
	}{
		{"a block was sealed", func() { first.write(20); first.seal() }, 1},
		{"a block is damaged", func() { first.disk[id].what = Damaged }, 1},
		{"a record was changed", func() {
			l := w.list[id]
			w.revision++
			l.revision = w.revision
			w.list[id] = l
		}, 3},
		{"a node is down", func() { w.nodes["n02"].end(false) }, 2},
		{"a node drains", func() { w.nodes["n02"].drains = true }, 3},
		{"it does not", func() { w.nodes["n02"].drains = false }, 3},
		{"a node joined", func() { w.join() }, 4},
		{"more copies are wanted", func() { w.replicas = 3 }, 4},
		{"blocks have an age, and none is old", func() { w.age = 100 * hour }, 4},
		{"all are old", func() { w.now += 101 * hour }, 4},
		{"their records may go", func() { w.now += keptRecord + hour }, 4},
	} {
		c.do()
		if n := w.turns(1); n < c.reads {
			t.Errorf("%s: %d nodes read the list, not %d", c.what, n, c.reads)
		}
		w.turns(1)
		w.settle()
		w.turns(2)
		if n := w.turns(2); n > 0 {
			t.Errorf("%s, and all is done: the list was read %d times", c.what, n)
		}
	}
	if len(w.list) > 0 {
		t.Errorf("%d blocks are listed still", len(w.list))
	}
}

// A list that was emptied without a trace of that is made again, though later than one whose revision tells it.
func TestEmptiedList(t *testing.T) {
	w := resting(t)
	clear(w.list)
	w.unlisted = true
	w.turns(idleMost + 3)
	if len(w.list) != len(w.blocks) {
		t.Errorf("%d of %d blocks are listed", len(w.list), len(w.blocks))
	}
}

// A node whose clock is off retires nothing for its age, and says so; the others go by the bus's clock.
func TestClockThatIsOff(t *testing.T) {
	w := resting(t)
	w.age = 100 * hour
	for _, n := range w.nodes {
		n.ahead = 1000 * hour
	}
	w.turns(3)
	retired := func() (n int) {
		for _, l := range w.list {
			if l.record.State == schemas.BlockRetired {
				n++
			}
		}
		return n
	}
	if n := retired(); n > 0 {
		t.Errorf("%d blocks were retired that are not old", n)
	}
	n := w.nodes["n00"]
	var r *Report
	for r == nil {
		r = n.run()
	}
	if r.Clock != 1000*hour {
		t.Errorf("the clock is %d ahead", r.Clock)
	}
	for _, n := range w.nodes {
		n.ahead = -clockOff
	}
	w.turns(2)
	if n := retired(); n > 0 {
		t.Errorf("%d blocks were retired that are not old", n)
	}
	w.now += 103 * hour
	w.turns(2)
	if n := retired(); n != len(w.list) {
		t.Errorf("%d of %d old blocks were retired", n, len(w.list))
	}
}

// A node that has no room, or whom nobody gives a copy, does not try each of a thousand blocks before it looks again.
func TestCopiesAreGivenUp(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(home, other *simNode)
		reads int
	}{
		{"full", func(_, other *simNode) { other.full = true }, 1},
		{"not answering", func(home, _ *simNode) { home.refuses = true }, patience},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 1, 2, 2)
			w.calm = true
			home, other := w.nodes["n00"], w.nodes["n01"]
			for range 30 {
				home.write(20)
				home.seal()
			}
			for home.run() == nil { // lists them
				continue
			}
			c.spoil(home, other)
			before := w.rereads
			r := other.run()
			for r == nil {
				r = other.run()
			}
			if r.Foreign != 30 || r.Done[Copy] != 0 || w.rereads-before != c.reads {
				t.Errorf("%d blocks are wanted, %d were copied, and %d records read anew, not %d", r.Foreign, r.Done[Copy], w.rereads-before, c.reads)
			}
		})
	}
}
