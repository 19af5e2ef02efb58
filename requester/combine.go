package requester

import (
	"cmp"
	"slices"

	"github.com/trawl-logs/trawl/schemas"
)

// Several nodes may each have a part of one log. What is told of a log as a whole is put together here: counts are
// added, a name comes once, -m holds for all parts. Counts, and the names of logs without a line, come when every
// part is in, in the order of nodes and files; all else as it is released.

// kept is what is known of the logs of a planned query.
type kept struct {
	counting bool             // accounts have counts
	named    map[logKey]bool  // logs whose name has been released
	lines    map[logKey]int64 // selected lines that have been released, with -m
	sorted   []*schemas.Chunk // counts, once all are in
}

// logKey is a log: of a node, by its id, or, where it has none, by its name.
type logKey struct {
	node          string
	log           schemas.BlockID
	service, file string
}

func keyOf(node string, c *schemas.Chunk) logKey {
	if c.Origin != nil {
		return logKey{node: c.Origin.Node, log: c.Origin.Log}
	}
	return logKey{node: node, service: c.Service, file: c.File}
}

// combine takes from a release what has come of another part of a log, and what is kept until all parts are in.
func (g *Gather) combine(n *node, r *Release) {
	k := &g.plan.kept
	if g.q.Mode == schemas.ModeLines && !g.plan.strip && g.q.MaxCount < 0 && !slices.ContainsFunc(r.Chunks, func(c schemas.Chunk) bool { return c.Kind == schemas.ChunkBinary }) {
		return
	}
	all := r.Chunks
	r.Chunks, r.lines = make([]schemas.Chunk, 0, len(all)), 0
	for i := range all {
		c := all[i]
		key := keyOf(n.name, &c)
		switch c.Kind {
		case schemas.ChunkLines:
			if g.plan.strip {
				c.Offsets = nil
			}
			if g.q.MaxCount >= 0 && c.Origin != nil && !k.within(&c, key, g.q.MaxCount, g.terminator, &n.share.cut) {
				continue
			}
		case schemas.ChunkCount:
			k.counting = true
			n.share.keep(key, c)
			continue
		case schemas.ChunkFile, schemas.ChunkBinary:
			if k.named == nil {
				k.named = map[logKey]bool{}
			}
			if k.named[key] {
				continue
			}
			k.named[key] = true
		}
		r.Chunks = append(r.Chunks, c)
		r.lines += c.Selected(g.terminator)
	}
}

// cut is where -m has ended what is released of an account.
type cut struct {
	log  schemas.BlockID // of which no more is released
	line bool            // the line that goes on is not
}

// within cuts from a chunk what is beyond the most selected lines of its log; false: that is all of it.
func (k *kept) within(c *schemas.Chunk, key logKey, most int64, terminator byte, at *cut) bool {
	if c.Continues && at.line {
		_, tail := c.Cut(0, terminator)
		if len(tail.Text) == 0 {
			at.line = c.More
			return false
		}
		*c, at.line = tail, false
	}
	if k.lines == nil {
		k.lines = map[logKey]int64{}
	}
	selected, left := c.Selected(terminator), most-k.lines[key]
	k.lines[key] += min(selected, left)
	if selected <= left && at.log != key.log {
		return true
	}
	at.log = key.log
	if left == 0 && !c.Continues {
		at.line = c.More
		return false
	}
	head, tail := c.Cut(linesOf(c, left), terminator)
	at.line = c.More && len(tail.Text) > 0
	*c = head
	return true
}

// keep adds a count to what an account has of a log.
func (s *share) keep(key logKey, c schemas.Chunk) {
	if s.counts == nil {
		s.counts = map[logKey]schemas.Chunk{}
	}
	if c.Origin == nil {
		c.Origin = &schemas.Origin{Node: key.node}
	}
	c.Count += s.counts[key].Count
	s.counts[key] = c
}

// sum adds the counts of all accounts. Those of an account that failed were of parts of logs that others have counted
// again from their start, but for logs of which nothing is sealed.
func (g *Gather) sum() {
	logs := map[logKey]*schemas.Chunk{}
	for _, n := range g.order {
		for key, c := range n.share.counts {
			if n.share.given && key.log != (schemas.BlockID{}) {
				continue
			}
			at := logs[key]
			if at == nil {
				at = &schemas.Chunk{Kind: c.Kind, Service: c.Service, File: c.File, Origin: c.Origin}
				logs[key] = at
			}
			if g.q.MaxCount >= 0 {
				c.Count = min(c.Count, g.q.MaxCount-at.Count)
			}
			if at.Count += c.Count; g.plan.asked == schemas.ModeCount {
				n.lines += c.Count
				g.lines += c.Count
				g.matched = g.matched || c.Count > 0
			}
		}
		n.share.counts = nil
	}
	for _, c := range logs {
		if g.plan.asked == schemas.ModeFilesWithout {
			if c.Count > 0 {
				continue
			}
			c.Kind = schemas.ChunkFile
		}
		g.plan.kept.sorted = append(g.plan.kept.sorted, c)
	}
	slices.SortFunc(g.plan.kept.sorted, func(a, b *schemas.Chunk) int {
		return cmp.Or(naturalCompare(a.Origin.Node, b.Origin.Node), naturalCompare(a.File, b.File), naturalCompare(a.Service, b.Service))
	})
}

// nothingKept says whether nothing is left to be released of what was kept.
func (p *planned) nothingKept() bool { return p == nil || !p.kept.counting && len(p.kept.sorted) == 0 }

// forget drops what is kept.
func (p *planned) forget() {
	if p != nil {
		p.kept = kept{}
	}
}

// nextKept releases the next of what was kept, once everything has come: all that one node wrote.
func (g *Gather) nextKept() (Release, bool) {
	if g.plan.nothingKept() || g.unsettled > 0 {
		return Release{}, false
	}
	if g.advance(); g.head < len(g.order) {
		return Release{}, false
	}
	k := &g.plan.kept
	if k.counting {
		k.counting = false
		g.sum()
	}
	if len(k.sorted) == 0 {
		return Release{}, false
	}
	r := Release{Node: k.sorted[0].Origin.Node}
	for size := 0; len(k.sorted) > 0 && k.sorted[0].Origin.Node == r.Node; {
		if size += k.sorted[0].SizeBound(); size > schemas.MaxRaw && len(r.Chunks) > 0 {
			break // whoever sends it on has room for as much in a frame
		}
		r.Chunks, k.sorted = append(r.Chunks, *k.sorted[0]), k.sorted[1:]
		if g.plan.asked != schemas.ModeFilesWithout {
			continue
		}
		g.lines++
		if n := g.nodes[r.Node]; n != nil {
			n.lines++
		}
		if g.lines == g.q.Limit {
			g.enough = true
			g.finish(schemas.StatusStopped, "limit reached")
			break
		}
	}
	return r, true
}

func naturalCompare(a, b string) int {
	switch {
	case naturalLess(a, b):
		return -1
	case naturalLess(b, a):
		return 1
	}
	return 0
}
