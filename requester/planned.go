package requester

import (
	"slices"
	"strconv"
	"time"

	"github.com/trawl-logs/trawl/requester/blockplan"
	"github.com/trawl-logs/trawl/schemas"
)

// A planned query is put to each node by itself, with the sealed blocks that it reads. When a node fails, and when it
// says that it has not what it should read, its blocks are asked of other owners: each of these is an account of its
// own, a part of the query with an id of its own, which stands behind the failed one in the order of nodes, and goes
// on where that one's lines ended (marks.go). The receipt knows only the nodes: what was inherited in full is not
// missing, and what no other node has is the failed one's tail.

// planned is what a Gather knows of its plan.
type planned struct {
	*blockplan.Plan
	kept    kept
	born    []*node // accounts that Tick does not see to yet
	blocks  map[schemas.BlockID]*schemas.BlockRecord
	failed  map[string]bool              // nodes that nothing more is asked of
	lacks   map[schemas.BlockID][]string // nodes that have said that they have not the block
	strip   bool                         // offsets are asked for to know where to go on, and nobody else wants them
	asked   schemas.Mode                 // of the query, as it was put
	trouble string                       // why there is no list
}

// share is what an account has to do with sealed blocks.
type share struct {
	ask    *blockplan.Ask
	since  int64                    // of the part's range: what its marks say of times; the query's, if they say nothing
	marks  marks                    // what has been released, of this account and of those that it inherited from
	before marks                    // of those alone
	unread map[schemas.BlockID]bool // blocks that it has said it has not
	alien  int                      // blocks that it has not, and the list as it was read does not have
	heirs  []*node                  // who reads what it has not
	lost   []*schemas.BlockRecord   // what of it nobody does
	why    string                   // that is so, if not for want of an owner
	given  bool                     // it has failed, and is not taken back: others read its blocks
	unsaid bool                     // it has failed, others have counted what it was to count, and that was not handed out
	torn   bool                     // it failed in the middle of a line of which a part was released
	cut    cut                      // by -m
	counts map[logKey]schemas.Chunk
	drops  bool // the line that goes on has come of another account
}

// Account names an account to a Gather: a node, in a part of the query. Part 0 is the query itself.
func Account(part int, node string) string {
	if part == 0 {
		return node
	}
	return node + "/" + strconv.Itoa(part) // no node has such a name
}

// PartID is the id of a part of the query of that id.
func PartID(id string, part int) string {
	if part == 0 {
		return id
	}
	return id + "-" + strconv.Itoa(part)
}

// NewPlannedGather makes a Gather of a query that a plan was made for. It sets what NewGather does, and in the query
// the columns and the mode that it takes to put together what several nodes have of one log.
func NewPlannedGather(q *schemas.Query, plan *blockplan.Plan, kind RosterKind, window int64) *Gather {
	names := make([]string, len(plan.Asks))
	for i := range plan.Asks {
		names[i] = plan.Asks[i].Node
	}
	g := newGather(q, names, kind, window)
	p := &planned{
		Plan: plan, blocks: map[schemas.BlockID]*schemas.BlockRecord{}, failed: map[string]bool{}, lacks: map[schemas.BlockID][]string{}, asked: q.Mode}
	g.plan = p
	if q.Mode == schemas.ModeLines {
		p.strip = q.Columns&schemas.ColumnOffset == 0
		q.Columns |= schemas.ColumnOffset
	}
	if q.Mode == schemas.ModeFilesWithout && plan.Total > 0 {
		q.Mode, q.MaxCount = schemas.ModeCount, 1 // a log is without a line if no part of it has one
	}
	for i := range plan.Asks {
		a := &plan.Asks[i]
		n := g.nodes[a.Node]
		n.share = &share{ask: a, since: q.Since, marks: newMarks(), before: newMarks()}
		for _, b := range a.Blocks {
			p.blocks[b.ID] = b
		}
		if a.Pruned {
			g.settle(n, schemas.StatusPruned, "all that it has in range is sealed, and read elsewhere")
		}
	}
	for _, b := range plan.Lost {
		p.blocks[b.ID] = b
		n := g.nodes[b.Home]
		if n == nil {
			n = g.add(b.Home, 0)
			n.share = &share{ask: &blockplan.Ask{Node: b.Home}}
			g.settle(n, schemas.StatusDown, "is not known any more")
		}
		n.share.lost = append(n.share.lost, b)
	}
	g.begin()
	return g
}

// planOf is the query as an account's node is asked it. The selection of nodes and labels is for those whose own
// logs are in question; of blocks it has been held to the list.
func (g *Gather) planOf(n *node) *schemas.Query {
	q := *g.q
	q.Plan, q.Credit, q.Since = n.share.plan(n.name), n.initial, n.share.since
	if !n.share.ask.Admitted {
		q.Select.Nodes, q.Select.Groups, q.Select.Labels = nil, nil, nil
	}
	if n.part > 0 {
		q.ID, q.Timeout = PartID(g.q.ID, n.part), g.q.Timeout-n.born
		if g.inTime() || q.OnlyMatching {
			q.Limit = 0 // some come again, and are not wanted
		}
	}
	return &q
}

// plan is the plan of an account of that node. What the node has said it has not, others read: a run that takes the
// place of the one that said so may have it by then, and must not read it too.
func (s *share) plan(node string) *schemas.Plan {
	if s.ask.Plan == nil || len(s.unread) == 0 {
		return s.ask.Plan
	}
	p := *s.ask.Plan
	p.Read, p.Leave = nil, slices.Clone(p.Leave)
	for _, b := range s.ask.Blocks {
		if s.unread[b.ID] && b.Home == node && !p.Only {
			p.Leave = append(p.Leave, b.ID)
		}
	}
	for _, r := range s.ask.Plan.Read {
		r.Blocks = slices.DeleteFunc(slices.Clone(r.Blocks), func(id schemas.BlockID) bool { return s.unread[id] })
		if len(r.Blocks) > 0 {
			p.Read = append(p.Read, r)
		}
	}
	return &p
}

// inherit asks others for the blocks that a node was to read and has not, when it has its verdict.
func (g *Gather) inherit(n *node) {
	s := n.share
	if s == nil || g.over || n.status == schemas.StatusPruned || n.status == schemas.StatusStopped {
		return
	}
	if n.read() {
		return
	}
	g.plan.failed[n.name] = true
	s.given = len(s.ask.Blocks) > 0
	if !s.given {
		return
	}
	g.tear(n)
	for i := range n.queue { // it will be released
		s.marks.note(g, &n.queue[i])
	}
	g.handOn(n, slices.DeleteFunc(slices.Clone(s.ask.Blocks), func(b *schemas.BlockRecord) bool { return s.unread[b.ID] }), &s.marks)
}

// read says whether a node has read its blocks, but for those that it has said it has not: a file of its own that
// could not be searched does not change that.
func (n *node) read() bool {
	return n.status == schemas.StatusComplete || n.status == schemas.StatusPartial && n.end != nil && n.end.Status == schemas.StatusPartial && n.end.ErrorCount > 0
}

// handOn asks other owners for blocks of n, from the marks on.
func (g *Gather) handOn(n *node, blocks []*schemas.BlockRecord, m *marks) {
	if len(blocks) == 0 {
		return
	}
	now := g.latest()
	skip, ok := m.list()
	if !ok {
		n.share.why = "more lines of one time have come than are remembered"
	}
	if !ok || g.q.Order == schemas.OrderTime && g.grouped() && n.released || now.Sub(g.clock.start) >= g.q.Timeout {
		n.share.lost = append(n.share.lost, blocks...)
		return
	}
	asks, lost, err := g.plan.TakeOver(blocks, skip, func(name string, b *schemas.BlockRecord) bool {
		return g.plan.failed[name] || slices.Contains(g.plan.lacks[b.ID], name)
	})
	n.share.lost = append(n.share.lost, lost...)
	if err != nil {
		n.share.why = err.Error()
	}
	for i := range asks {
		g.heir(n, &asks[i], m.clone(), now)
	}
}

// heir opens an account that goes on where another ended.
func (g *Gather) heir(of *node, a *blockplan.Ask, m marks, now time.Time) {
	part := 1
	for g.nodes[Account(part, a.Node)] != nil {
		part++
	}
	n := g.add(a.Node, part)
	g.order = g.order[:len(g.order)-1]
	at := max(of.rank+1+len(of.share.heirs), g.head)
	g.order = slices.Insert(g.order, at, n)
	for i := at; i < len(g.order); i++ {
		g.order[i].rank = i
	}
	n.share = &share{ask: a, marks: m, before: m.clone(), since: m.since(g.q.Since)}
	of.share.heirs = append(of.share.heirs, n)
	n.born, n.lastSign, n.lastFrame = now.Sub(g.clock.start), now, now
	if n.initial = min(g.q.Credit, g.room()); n.initial < leastGrant {
		n.initial = 0 // the head has some at once, the others when there is room
	}
	n.granted = n.initial
	g.credit.held += n.granted
	if g.inTime() {
		n.timed.low, n.timed.taken = m.at, m.at
	}
	g.plan.born = append(g.plan.born, n)
	g.place(n)
	g.ask(n, now)
}

// enlist has Tick see to the accounts that were opened since the last one.
func (g *Gather) enlist() {
	if g.plan != nil {
		g.live, g.plan.born = append(g.live, g.plan.born...), nil
	}
}

// latest is the time, as the Gather was told last.
func (g *Gather) latest() time.Time {
	if g.conn.heard.After(g.clock.tick) {
		return g.conn.heard
	}
	return g.clock.tick
}

// sift takes from a frame what is not for whoever reads the lines: the names of blocks that the node has not, and
// lines that have come of another account.
func (g *Gather) sift(n *node, r *Release) {
	s := n.share
	if n.part == 0 && !holds(r.Chunks, schemas.ChunkUnread) {
		return
	}
	all := r.Chunks
	r.Chunks, r.lines = nil, 0
	for i := range all {
		c := &all[i]
		switch {
		case c.Kind == schemas.ChunkUnread:
			g.unread(n, c)
		case c.Kind == schemas.ChunkLines && n.part > 0:
			r.Chunks = s.fresh(r.Chunks, c, g.terminator)
		default:
			r.Chunks = append(r.Chunks, *c)
		}
	}
	for i := range r.Chunks {
		r.lines += r.Chunks[i].Selected(g.terminator)
	}
}

// unread takes a node's word that it has not some blocks. It comes before any line of them.
func (g *Gather) unread(n *node, c *schemas.Chunk) {
	var blocks []*schemas.BlockRecord
	for _, id := range schemas.BlockIDs(c.Text) {
		b := g.plan.blocks[id]
		switch {
		case g.plan.Retired[id]: // its home has its stub still, and names what it has not
		case b == nil:
			n.share.alien++
		case !n.share.unread[id]:
			if n.share.unread == nil {
				n.share.unread = map[schemas.BlockID]bool{}
			}
			n.share.unread[id] = true
			blocks = append(blocks, b)
			g.plan.lacks[id] = append(g.plan.lacks[id], n.name)
		}
	}
	if g.inTime() && n.timed.low != n.share.before.at { // it is too late for their first lines
		n.share.lost = append(n.share.lost, blocks...)
		return
	}
	g.handOn(n, blocks, &n.share.before)
}

// tear sees to the line of which a failed node has sent a part. While none of it was released, it is left to who
// inherits; else it is ended, and the rest of it is missing.
func (g *Gather) tear(n *node) {
	if !n.openIn || n.share.drops {
		return
	}
	i, k := len(n.queue)-1, -1
	for ; i >= 0 && k < 0; i-- {
		for k = len(n.queue[i].Chunks) - 1; k >= 0 && n.queue[i].Chunks[k].Lines(g.terminator) == 0; k-- {
		}
	}
	if k < 0 {
		n.share.torn = n.openOut
		return
	}
	i++ // it begins in the chunk k of what is queued there
	r := &n.queue[i]
	head, tail := r.Chunks[k].Cut(r.Chunks[k].Lines(g.terminator)-1, g.terminator)
	if r.Chunks = r.Chunks[:k]; len(tail.Text) > 0 {
		r.Chunks = append(r.Chunks, head)
	}
	r.lines = 0
	for j := range r.Chunks {
		r.lines += r.Chunks[j].Selected(g.terminator)
	}
	for j := i + 1; j < len(n.queue); j++ {
		n.queue[j].Chunks, n.queue[j].lines = nil, 0
	}
	n.openIn = false
}

func (s *share) dropping() bool { return s != nil && s.drops }

// again forgets what came of a run that another replaces.
func (s *share) again() {
	if s != nil {
		s.marks, s.drops, s.counts = s.before.clone(), false, nil
	}
}
