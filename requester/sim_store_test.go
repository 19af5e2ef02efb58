package requester

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/requester/blockplan"
	"github.com/trawl-logs/trawl/schemas"
)

// The simulation of a fleet with sealed blocks: what each node wrote, who has which block of it, and what a node
// answers to a plan. What goes wrong is world's business.

// simStore is the fleet's logs and blocks.
type simStore struct {
	rng          *rand.Rand
	logs         []*simLog
	blocks       []*schemas.BlockRecord
	has          map[string]map[schemas.BlockID]bool // by node
	forgot       map[schemas.BlockID]bool            // whose home has lost them without a trace
	nodes        []schemas.Node
	since, until int64
	mode         schemas.Mode
	most         int64 // -m
	only         bool  // -o
	replicas     int
	lossless     bool // every owner has what the list says
}

// simLog is a log of one node.
type simLog struct {
	home  string
	id    schemas.BlockID
	lines []simLine
}

type simLine struct {
	offset, at int64
	block      int // index of blocks; -1: it is not sealed
	text       string
}

// newStoreWorld is the world of a seed, with blocks.
func newStoreWorld(seed uint64) *world {
	p := newPlan(seed)
	rng := rand.New(rand.NewPCG(seed, 5))
	p.nodes = 2 + rng.IntN(5)
	p.size, p.longLines, p.roster = min(p.size, 20_000), p.longLines && p.size > 0, RosterRegistered
	p.batch = []int{200, 2000, 130_000}[rng.IntN(3)]
	p.columns &^= schemas.ColumnGroup | schemas.ColumnNumber
	kept := p.faults[:0]
	for _, f := range p.faults {
		if f.node %= p.nodes; slices.Contains([]string{"bus", "die", "restart", "pause", "still", "sleep", "block"}, f.kind) {
			kept = append(kept, f)
		}
	}
	p.faults = kept
	if rng.IntN(2) == 0 { // what the store is for
		p.faults = append(p.faults, fault{at: simDelay(rng), kind: "die", node: rng.IntN(p.nodes)})
	}
	s := &simStore{rng: rng, has: map[string]map[schemas.BlockID]bool{}, forgot: map[schemas.BlockID]bool{}, most: -1, replicas: 1 + rng.IntN(2), lossless: rng.IntN(3) > 0}
	if p.order != schemas.OrderTime && rng.IntN(3) == 0 {
		s.mode = []schemas.Mode{schemas.ModeCount, schemas.ModeFiles, schemas.ModeFilesWithout}[rng.IntN(3)]
		p.columns = 0
		if s.mode == schemas.ModeCount {
			p.limit = 0
		}
	} else if rng.IntN(6) == 0 {
		s.most = int64(1 + rng.IntN(20))
	} else {
		s.only = p.order != schemas.OrderTime && rng.IntN(4) == 0
	}
	w := newWorld(p)
	w.store = s
	s.write(w)
	s.forget(w)
	return w
}

func simDelay(rng *rand.Rand) time.Duration {
	return time.Duration(rng.IntN([]int{1, 30, 300, 2000}[rng.IntN(4)])) * time.Millisecond
}

// write makes the logs, seals most of them, and gives the blocks to their owners.
func (s *simStore) write(w *world) {
	last := int64(0)
	for _, name := range w.names {
		s.has[name] = map[schemas.BlockID]bool{}
		node := schemas.Node{Name: name, Instance: "i", Services: []string{"s"}, Store: &schemas.NodeStore{}}
		perBlock, sealed := 1+s.rng.IntN(40), s.rng.IntN(4) > 0
		first := len(s.blocks)
		tail := int64(1 << 40)
		for i := range 1 + s.rng.IntN(3) {
			l := &simLog{home: name}
			l.id[0], l.id[1] = byte(len(s.logs)), 0xff
			lines := s.rng.IntN(2 + w.p.size/100)
			until := s.rng.IntN(lines + 1)
			if s.rng.IntN(3) == 0 {
				until = lines
			}
			offset, at := int64(0), int64(1+s.rng.IntN(50))
			for k := range lines {
				pad := s.rng.IntN(60)
				if w.p.longLines && s.rng.IntN(60) == 0 {
					pad = s.rng.IntN(4 * w.p.size)
				}
				line := simLine{offset: offset, at: at, block: -1, text: fmt.Sprintf("%s:%d:%06d:%s\n", name, i, k, strings.Repeat(".", pad))}
				if sealed && k < until {
					line.block = s.blockOf(name, first+k/perBlock, at)
				} else {
					tail = min(tail, at)
				}
				offset += int64(len(line.text) + s.rng.IntN(2)*100) // the rest does not match
				at += int64(s.rng.IntN(5))
				last = max(last, at)
				l.lines = append(l.lines, line)
			}
			s.logs = append(s.logs, l)
		}
		node.Store.Services = []schemas.SealedService{{Service: "s", Until: tail}}
		s.nodes = append(s.nodes, node)
	}
	s.give(w)
	if s.rng.IntN(2) == 0 {
		s.until = 1 + s.rng.Int64N(last+2)
		if s.rng.IntN(2) == 0 {
			s.since = 1 + s.rng.Int64N(s.until)
		}
	}
}

// blockOf enters a line in a block of its node.
func (s *simStore) blockOf(home string, i int, at int64) int {
	for len(s.blocks) <= i {
		b := &schemas.BlockRecord{Home: home, Service: "s", Timed: true, MinTime: 1 << 40, Lines: 1, Stored: 1 + s.rng.Int64N(1000)}
		b.ID[0], b.ID[1] = byte(len(s.blocks)), byte(len(s.blocks)>>8)
		s.blocks = append(s.blocks, b)
	}
	b := s.blocks[i]
	b.MinTime, b.MaxTime = min(b.MinTime, at), max(b.MaxTime, at)
	return i
}

// give draws the owners.
func (s *simStore) give(w *world) {
	for _, b := range s.blocks {
		if b.MinTime > b.MaxTime {
			b.MinTime = b.MaxTime
		}
		for _, o := range s.rng.Perm(len(w.names))[:min(len(w.names), s.replicas)] {
			b.Owners = append(b.Owners, w.names[o])
			if s.lossless || s.rng.IntN(5) > 0 {
				s.has[w.names[o]][b.ID] = true
			}
		}
	}
}

// forget draws homes that have lost some of their blocks, or all, and know nothing of them.
func (s *simStore) forget(w *world) {
	rng := rand.New(rand.NewPCG(w.p.seed, 6))
	if s.lossless {
		return
	}
	for _, name := range w.names {
		of := rng.IntN(4)
		for _, b := range s.blocks {
			if b.Home == name && of > 1 && rng.IntN(of-1) == 0 {
				s.forgot[b.ID] = true
				delete(s.has[name], b.ID)
			}
		}
	}
}

// gather plans the query.
func (s *simStore) gather(w *world, q *schemas.Query) *Gather {
	q.Mode, q.MaxCount, q.Since, q.Until, q.OnlyMatching = s.mode, s.most, s.since, s.until, s.only
	plan, err := blockplan.Make(&blockplan.Question{Select: &q.Select, Since: q.Since, Until: q.Until, Nodes: s.nodes, Blocks: s.blocks, Revision: 9})
	if err != nil {
		w.broken = err.Error()
		return nil
	}
	return NewPlannedGather(q, plan, w.p.roster, w.p.window)
}

// inRange says whether a query with that range wants a line.
func (l *simLine) inRange(since, until int64) bool {
	return (since == 0 || l.at >= since) && (until == 0 || l.at < until)
}

// simAnswer is what a node has to say to a plan: pieces of logs, one after another.
type simAnswer struct {
	unread []schemas.Chunk
	pieces []piece
}

// piece is lines of one log.
type piece struct {
	log   *simLog
	lines []simLine
	at    int // bytes of the first line that were sent

	counts []schemas.Chunk // that are left to be sent, and one more
}

// answer is what a node makes of a plan.
func (s *simStore) answer(n *simNode, q *schemas.Query) *simAnswer {
	node, _, _ := strings.Cut(n.name, "/")
	a := &simAnswer{}
	lacks := map[string][]byte{}
	for _, r := range q.Plan.Read {
		for _, id := range r.Blocks {
			if r.Home == node && !q.Plan.Only && s.forgot[id] { // it sees that by their names alone
				lacks[node] = append(lacks[node], id[:]...)
			}
		}
	}
	wanted := func(l *simLog, line *simLine) bool {
		if !line.inRange(q.Since, q.Until) {
			return false
		}
		if line.block < 0 {
			return l.home == node && !q.Plan.Only
		}
		id := s.blocks[line.block].ID
		listed := slices.ContainsFunc(q.Plan.Read, func(r schemas.PlanRead) bool { return r.Home == l.home && slices.Contains(r.Blocks, id) })
		if l.home == node && !q.Plan.Only {
			listed = !slices.Contains(q.Plan.Leave, id) && !s.forgot[id]
		}
		if listed && !s.has[node][id] {
			if !bytes.Contains(lacks[l.home], id[:]) {
				lacks[l.home] = append(lacks[l.home], id[:]...)
			}
			return false
		}
		from := int64(0)
		for _, m := range q.Plan.Skip {
			if m.Log == l.id {
				from = m.From
			}
		}
		return listed && line.offset+int64(len(line.text)) > from
	}
	for _, l := range s.logs {
		p := piece{log: l}
		for i := range l.lines {
			if wanted(l, &l.lines[i]) {
				p.lines = append(p.lines, l.lines[i])
			}
		}
		if q.MaxCount >= 0 && q.Mode == schemas.ModeLines {
			p.lines = p.lines[:min(len(p.lines), int(q.MaxCount))]
		}
		if len(p.lines) > 0 || l.home == node && !q.Plan.Only {
			a.pieces = append(a.pieces, p)
		}
	}
	slices.SortStableFunc(a.pieces, func(a, b piece) int { // own logs first
		switch {
		case a.log.home == b.log.home:
			return 0
		case a.log.home == node:
			return -1
		case b.log.home == node:
			return 1
		}
		return 0
	})
	for home, ids := range lacks {
		a.unread = append(a.unread, schemas.Chunk{Kind: schemas.ChunkUnread, Text: ids, Origin: &schemas.Origin{Node: home}})
	}
	if q.Order == schemas.OrderTime {
		a.inTime()
	}
	return a
}

// inTime puts the lines of all logs in the order of their times.
func (a *simAnswer) inTime() {
	type at struct {
		log  *simLog
		line simLine
	}
	var all []at
	for _, p := range a.pieces {
		for _, l := range p.lines {
			all = append(all, at{p.log, l})
		}
	}
	slices.SortStableFunc(all, func(a, b at) int { return int(a.line.at - b.line.at) })
	a.pieces = nil
	for _, x := range all {
		if n := len(a.pieces); n > 0 && a.pieces[n-1].log == x.log {
			a.pieces[n-1].lines = append(a.pieces[n-1].lines, x.line)
		} else {
			a.pieces = append(a.pieces, piece{log: x.log, lines: []simLine{x.line}})
		}
	}
}

// work sends what there is room for.
func (a *simAnswer) work(n *simNode, q *schemas.Query) {
	if len(a.unread) > 0 {
		n.box.Data(a.unread, n.w.now)
		a.unread = nil
	}
	size := 1 + n.w.rng.IntN(n.w.p.batch)
	if q.Order == schemas.OrderTime {
		size = min(size, max(1, int(n.box.Room())/30))
	}
	var chunks []schemas.Chunk
	limited := func() bool { // the node looks no further
		return q.Limit > 0 && n.lines >= q.Limit && q.Mode != schemas.ModeCount
	}
	for size > 0 && len(a.pieces) > 0 && len(chunks) < 50 && !limited() {
		p := &a.pieces[0]
		if q.Mode != schemas.ModeLines {
			if p.counts == nil {
				p.counts = append(p.count(q), schemas.Chunk{})
			}
			if c := p.counts[0]; len(p.counts) > 1 {
				n.lines += c.Selected('\n')
				chunks = append(chunks, c)
			}
			if p.counts, size = p.counts[1:], size-100; len(p.counts) == 0 {
				a.pieces = a.pieces[1:]
			}
			continue
		}
		c := p.chunk(q, &size, q.Limit-n.lines)
		if len(c.Text) > 0 {
			n.lines += int64(c.Lines('\n'))
			chunks = append(chunks, c)
		}
		if len(p.lines) == 0 {
			a.pieces = a.pieces[1:]
		}
	}
	if len(chunks) > 0 {
		n.box.Data(chunks, n.w.now)
	}
	if limited() {
		a.pieces = nil
		n.box.End(&schemas.End{Status: schemas.StatusStopped, Reason: "the query's limit is reached", Lines: n.lines, Files: 1, Selected: n.lines}, n.w.now)
		return
	}
	if len(a.pieces) == 0 {
		n.box.End(&schemas.End{Lines: n.lines, Files: 1, Selected: n.lines}, n.w.now)
	}
}

func (p *piece) file() string { return fmt.Sprintf("%s.%d", p.log.home, p.log.id[0]) }

// count is what the modes that name files have of a piece, once for each half of it.
func (p *piece) count(q *schemas.Query) (chunks []schemas.Chunk) {
	half := len(p.lines) / 2
	for _, n := range []int{half, len(p.lines) - half} {
		c := schemas.Chunk{Kind: schemas.ChunkCount, File: p.file(), Count: int64(n), Origin: &schemas.Origin{Node: p.log.home, Log: p.log.id}}
		if q.MaxCount >= 0 {
			c.Count = min(c.Count, q.MaxCount)
		}
		if q.Mode == schemas.ModeFiles {
			if c.Kind, c.Count = schemas.ChunkFile, 0; n == 0 {
				continue
			}
		}
		chunks = append(chunks, c)
	}
	return chunks
}

// chunk takes whole lines from a piece, or a part of a long one; with a limit, at most as many as are left.
func (p *piece) chunk(q *schemas.Query, size *int, left int64) schemas.Chunk {
	c := schemas.Chunk{File: p.file(), Origin: &schemas.Origin{Node: p.log.home, Log: p.log.id}, Continues: p.at > 0}
	for *size > 0 && len(p.lines) > 0 && !c.More && (q.Limit == 0 || left > 0) {
		l := p.lines[0]
		if p.at == 0 {
			if q.Columns&schemas.ColumnOffset != 0 {
				c.Offsets = append(c.Offsets, l.offset)
			}
			if q.Columns&schemas.ColumnTime != 0 {
				c.Times = append(c.Times, l.at)
			}
		}
		rest := l.text[p.at:]
		if len(rest) > *size && len(rest) > 500 { // a long line, in parts
			c.More = true
			c.Text = append(c.Text, rest[:*size]...)
			p.at += *size
			break
		}
		c.Text = append(c.Text, rest...)
		*size -= len(rest)
		p.at, p.lines, left = 0, p.lines[1:], left-1
	}
	return c
}
