package requester

import (
	"container/heap"
	"fmt"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// In time order every node sends its lines by their times, and the nodes are merged. A node's low is
// a time before which nothing more is released of it: that of the first line that is queued, else
// what it promised, by its last line or by the watermark of a Progress. The line that is released next
// is the first one of the node with the lowest low, nodes of equal low in their order; while that node
// has nothing queued, all wait for it, until it says something or has its verdict.
//
// A line without a time goes with the one before it. With groups of context, a group goes by the time
// of its first line, and nothing comes between its lines: the node's low stays at that time until it
// begins another group, says a later watermark, which means that the group is over, or has its verdict.

// timeQuantum is what a node can always send in time order: each may have so many bytes that were not
// consumed, whatever the window. It holds the heads of a frame, the longest names and a piece of a line.
const timeQuantum = 64 << 10

// timed is a node's place in the merge.
type timed struct {
	low   int64 // as above
	taken int64 // the least time that the next line taken may have
	at    int   // in Gather.merge; -1: not there
}

// merge is a heap of the nodes of which something may still be released, the lowest first.
type merge []*node

func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, j int) bool { return m[i].before(m[j].timed.low, m[j].rank) }
func (m merge) Swap(i, j int) {
	m[i], m[j] = m[j], m[i]
	m[i].timed.at, m[j].timed.at = i, j
}
func (m *merge) Push(x any) {
	n := x.(*node)
	n.timed.at = len(*m)
	*m = append(*m, n)
}
func (m *merge) Pop() any {
	old := *m
	n := old[len(old)-1]
	n.timed.at = -1
	old[len(old)-1] = nil
	*m = old[:len(old)-1]
	return n
}

// before says whether what is first of the node comes before a line of that time of the node of that
// rank.
func (n *node) before(low int64, rank int) bool {
	return n.timed.low < low || n.timed.low == low && n.rank < rank
}

// inTime says whether the query is answered in time order.
func (g *Gather) inTime() bool { return g.q.Order == schemas.OrderTime }

// grouped says whether lines come in groups, which stay together.
func (g *Gather) grouped() bool { return g.q.Columns&schemas.ColumnGroup != 0 }

// place puts a node where it belongs in the merge, after something of it has changed.
func (g *Gather) place(n *node) {
	if !g.inTime() {
		return
	}
	if len(n.queue) > 0 {
		n.timed.low = max(n.timed.low, n.queue[0].key)
	} else {
		n.timed.low = max(n.timed.low, n.timed.taken)
	}
	switch {
	case n.settled && len(n.queue) == 0:
		if n.timed.at >= 0 {
			heap.Remove(&g.merge, n.timed.at)
		}
	case n.timed.at < 0:
		heap.Push(&g.merge, n)
	default:
		heap.Fix(&g.merge, n.timed.at)
	}
}

// units calls each for the units that begin in a chunk: with the index of their first line and their
// time, which is before's where the line has none. It returns the time of the last one.
func units(c *schemas.Chunk, grouped bool, before int64, each func(line int, key int64) bool) (last int64) {
	begin := func(i int) bool {
		if i < len(c.Times) && c.Times[i] != schemas.NoTime {
			before = c.Times[i]
		}
		return each(i, before)
	}
	if grouped {
		for _, i := range c.Groups {
			if !begin(int(i)) {
				break
			}
		}
		return before
	}
	for i := range c.Times {
		if !begin(i) {
			break
		}
	}
	return before
}

// takeInTime checks that a frame's lines come in order, and sets the time of the first.
func (g *Gather) takeInTime(n *node, r *Release) (err error) {
	r.key = n.timed.taken
	first := true
	for i := range r.Chunks {
		n.timed.taken = units(&r.Chunks[i], g.grouped(), n.timed.taken, func(line int, key int64) bool {
			if key < n.timed.taken {
				err = fmt.Errorf("a line of an earlier time than it had come to")
				return false
			}
			if first && i == 0 && line == 0 && !r.Chunks[0].Continues {
				r.key = key
			}
			first, n.timed.taken = false, key
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// promise takes a Progress that says how far a node has come. It counts if everything sent before it
// was taken.
func (g *Gather) promise(n *node, f *schemas.Frame) {
	w := f.Progress.Watermark
	if !g.inTime() || w == schemas.NoTime || f.Seq+1 != n.next {
		return
	}
	n.timed.taken = max(n.timed.taken, w)
	g.place(n)
}

// nextInTime is the node of which the next line is released, if it is here.
func (g *Gather) nextInTime() *node {
	if g.open != nil {
		if len(g.open.queue) == 0 {
			return nil
		}
		return g.open
	}
	if len(g.merge) == 0 || len(g.merge[0].queue) == 0 {
		return nil
	}
	return g.merge[0]
}

// pop takes from a node's queue what is released now: of its first frame as much as comes before the
// lines of all others. The bytes of a frame count as released with its last part.
func (g *Gather) pop(n *node) Release {
	r := n.queue[0]
	if !g.inTime() {
		n.queue[0] = Release{}
		n.queue = n.queue[1:]
		g.queued--
		return r
	}
	rest, cut := g.split(n, &r)
	if cut {
		n.queue[0] = rest
	} else {
		n.queue[0] = Release{}
		n.queue = n.queue[1:]
		g.queued--
	}
	g.begun = true
	g.place(n)
	return r
}

// split cuts a frame where lines of another node come in between.
func (g *Gather) split(n *node, r *Release) (rest Release, cut bool) {
	other, key := g.second(n), r.key
	if other == nil {
		return rest, false
	}
	chunk, line := -1, 0
	for i := range r.Chunks {
		key = units(&r.Chunks[i], g.grouped(), key, func(at int, key int64) bool {
			if key < other.timed.low || key == other.timed.low && n.rank < other.rank {
				return true
			}
			chunk, line = i, at
			return false
		})
		if chunk >= 0 {
			break
		}
	}
	if chunk < 0 {
		return rest, false
	}
	rest = Release{Node: r.Node, raw: r.raw, from: n, run: r.run, key: key}
	head, tail := r.Chunks[:chunk:chunk], r.Chunks[chunk:]
	if c := &r.Chunks[chunk]; line > 0 || c.Continues {
		first, second := c.Cut(line, g.terminator)
		head = append(head, first)
		tail = append([]schemas.Chunk{second}, r.Chunks[chunk+1:]...)
	}
	all := r.lines
	r.Chunks, r.raw, r.lines = head, 0, 0
	for i := range head {
		r.lines += head[i].Selected(g.terminator)
	}
	rest.Chunks, rest.lines = tail, all-r.lines
	return rest, true
}

// second is the lowest node of the merge but n.
func (g *Gather) second(n *node) (lowest *node) {
	for _, m := range g.merge[:min(3, len(g.merge))] {
		if m != n && (lowest == nil || m.before(lowest.timed.low, lowest.rank)) {
			lowest = m
		}
	}
	return lowest
}

// grantInTime shares the window out evenly among the nodes that are not through: each may be the one
// that the others wait for next. Whatever the window, each can send something once all that it sent
// was consumed; so the merge never waits for a node that waits for credit.
func (g *Gather) grantInTime(n *node, now time.Time) {
	if n.run == 0 || n.settled {
		return
	}
	unused := n.granted - n.consumed
	target := max(timeQuantum, g.credit.window/int64(max(1, g.unsettled)))
	more := min(target-unused, max(g.credit.window-g.credit.held, timeQuantum-unused))
	if more > 0 && (more >= target/4 || n.granted-n.offset < timeQuantum) {
		g.give(n, more, now)
	}
}
