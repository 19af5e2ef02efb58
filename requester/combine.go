package requester

import (
	"bytes"
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
	sorted   []*total         // counts, once all are in
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
	if g.q.Mode == schemas.ModeLines && g.q.MaxCount < 0 && !holds(r.Chunks, schemas.ChunkBinary) { // nothing is taken but offsets
		for i := range r.Chunks {
			if c := &r.Chunks[i]; g.plan.strip && c.Kind == schemas.ChunkLines {
				c.Offsets = nil
			}
		}
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

// holds says whether a chunk is of a kind.
func holds(chunks []schemas.Chunk, kind schemas.ChunkKind) bool {
	for i := range chunks {
		if chunks[i].Kind == kind {
			return true
		}
	}
	return false
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

// total is what the parts of a log come to, with the accounts that have counted selected lines of it.
type total struct {
	schemas.Chunk
	of []counted
}

// counted is how many selected lines of a log an account has counted.
type counted struct {
	by    *node
	lines int64
}

// sum adds the counts of all accounts. Those of an account that failed were of parts of logs that others have counted
// again from their start, but for logs of which nothing is sealed. What it had counted in a file of its own behind the
// blocks goes with them, and the receipt says that this is missing; but a log that had a line there is not one without.
func (g *Gather) sum() {
	logs := map[logKey]*total{}
	matched := map[logKey]bool{}
	for _, n := range g.order {
		if n.share == nil { // nobody has asked it
			continue
		}
		for key, c := range n.share.counts {
			if n.share.given && key.log != (schemas.BlockID{}) {
				matched[key] = matched[key] || c.Count > 0
				continue
			}
			at := logs[key]
			if at == nil {
				at = &total{Chunk: schemas.Chunk{Kind: c.Kind, Service: c.Service, File: c.File, Origin: c.Origin}}
				logs[key] = at
			}
			if g.q.MaxCount >= 0 {
				c.Count = min(c.Count, g.q.MaxCount-at.Count)
			}
			at.Count += c.Count
			at.of = append(at.of, counted{n, c.Count})
		}
		n.share.counts = nil
	}
	for key, c := range logs {
		if g.plan.asked == schemas.ModeFilesWithout {
			if c.Count > 0 || matched[key] {
				continue
			}
			c.Kind = schemas.ChunkFile
		}
		g.plan.kept.sorted = append(g.plan.kept.sorted, c)
	}
	slices.SortFunc(g.plan.kept.sorted, func(a, b *total) int {
		return cmp.Or(naturalCompare(a.Origin.Node, b.Origin.Node), naturalCompare(a.File, b.File), naturalCompare(a.Service, b.Service),
			bytes.Compare(a.Origin.Log[:], b.Origin.Log[:]))
	})
}

// nothingKept says whether nothing is left to be released of what was kept.
func (p *planned) nothingKept() bool { return p == nil || !p.kept.counting && len(p.kept.sorted) == 0 }

// forget drops what is kept. Then no account is complete any more: whose counts have not been handed out, nobody knows.
func (g *Gather) forget(status schemas.Status, reason string) {
	if g.plan.nothingKept() {
		return
	}
	g.plan.kept = kept{}
	for _, n := range g.order {
		switch {
		case n.share == nil || n.part > 0 || !n.settled:
		case n.covered():
			n.share.unsaid = true
		case n.status == schemas.StatusComplete:
			n.status, n.reason = status, reason
		}
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
		c := k.sorted[0]
		r.Chunks, k.sorted = append(r.Chunks, c.Chunk), k.sorted[1:]
		if g.plan.asked != schemas.ModeFilesWithout {
			for _, of := range c.of {
				of.by.lines += of.lines
			}
			g.lines += c.Count
			g.matched = g.matched || c.Count > 0
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
