package requester

import (
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// Next releases the next frame's chunks, if it is the turn of any that are here. The caller says
// Consumed when it is through with them. That is what gives credit: a slow caller slows the nodes.
func (g *Gather) Next() (Release, bool) {
	if g.over {
		return Release{}, false
	}
	if len(g.changes) > 0 && g.open == nil {
		change := g.changes[0]
		g.changes = g.changes[1:]
		return Release{Node: change.Node, Change: &change}, true
	}
	n := g.nextNode()
	if n == nil {
		if r, ok := g.nextKept(); ok {
			return r, true
		}
		g.credit.dry = true
		return Release{}, false
	}
	r := g.pop(n)
	if n.share != nil {
		n.share.marks.note(g, &r)
		g.combine(n, &r)
	}
	last := g.limit(&r)
	if k := len(r.Chunks); k > 0 {
		n.openOut = r.Chunks[k-1].More
	}
	g.open = nil
	if n.openOut {
		g.open = n
	}
	g.lines += r.lines
	g.matched = g.matched || r.lines > 0 && g.q.Mode != schemas.ModeFilesWithout // of -L the End says it
	n.lines += r.lines
	for i := range r.Chunks {
		n.text += int64(len(r.Chunks[i].Text))
		if r.Chunks[i].Kind == schemas.ChunkSkipped {
			n.skipped += r.Chunks[i].Count
		}
	}
	n.released = true
	if last && !n.openOut {
		g.enough = true
		n.cut = n.cut || len(n.queue) > 0
		g.finish(schemas.StatusStopped, "limit reached")
		g.stopCut(n)
	}
	return r, true
}

// waiting says whether there is anything here that has not been released, be it its turn or not.
func (g *Gather) waiting() bool { return g.queued > 0 || len(g.changes) > 0 || g.plan != nil }

// nextNode is the node whose turn it is, if it has something queued.
func (g *Gather) nextNode() *node {
	if g.inTime() {
		return g.nextInTime()
	}
	if g.open != nil {
		if len(g.open.queue) == 0 {
			return nil
		}
		g.open.skip++ // its entry in ready comes up later
		return g.open
	}
	if g.q.Order == schemas.OrderNode {
		g.advance()
		if g.head < len(g.order) && len(g.order[g.head].queue) > 0 {
			return g.order[g.head]
		}
		return nil
	}
	for len(g.ready) > 0 {
		n := g.ready[0]
		g.ready = g.ready[1:]
		if n.skip == 0 {
			return n
		}
		n.skip--
	}
	return nil
}

// advance moves the head of the line past the nodes that are through.
func (g *Gather) advance() {
	for g.head < len(g.order) && g.order[g.head].settled && len(g.order[g.head].queue) == 0 {
		g.head++
	}
}

// limit cuts a release where --limit is reached; last says that nothing may follow, but for the
// rest of its last line.
func (g *Gather) limit(r *Release) (last bool) {
	if g.q.Limit == 0 || g.q.Mode == schemas.ModeCount {
		return false
	}
	left := g.q.Limit - g.lines
	if r.lines < left {
		return false
	}
	for i := range r.Chunks {
		c := &r.Chunks[i]
		selected := c.Selected(g.terminator)
		if selected < left {
			left -= selected
			continue
		}
		if c.Kind == schemas.ChunkLines {
			head, tail := c.Cut(linesOf(c, left), g.terminator)
			*c = head
			r.from.cut = r.from.cut || len(tail.Text) > 0
		}
		r.from.cut = r.from.cut || i+1 < len(r.Chunks)
		r.Chunks = r.Chunks[:i+1]
		break
	}
	r.lines = g.q.Limit - g.lines
	return true
}

// linesOf is how many lines of a chunk, context included, lead up to its n-th selected one.
func linesOf(c *schemas.Chunk, n int64) int {
	if len(c.Context) == 0 {
		return int(n)
	}
	var lines int64
	for i, run := range c.Context {
		if i%2 == 0 {
			if run >= n {
				return int(lines + n)
			}
			n -= run
		}
		lines += run
	}
	return int(lines)
}

// stopCut makes a node stopped whose answer was complete, but was cut by the limit.
func (g *Gather) stopCut(n *node) {
	if n.cut && n.status == schemas.StatusComplete {
		n.status, n.reason = schemas.StatusStopped, "limit reached"
	}
}

// Consumed says that the caller is through with a release.
func (g *Gather) Consumed(r Release, now time.Time) {
	n := r.from
	if n == nil {
		return
	}
	n.consume(&r)
	g.credit.held -= r.raw
	g.credit.consumed += r.raw
	g.credit.freed += r.raw
	g.grant(n, now)
}
