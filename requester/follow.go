package requester

import (
	"encoding/json"
	"iter"
	"slices"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// A query that follows (schemas.ModeFollow) has no end of its own. A verdict on a node is then no last
// word: a node that went away is asked again when its beacon is heard, and now and then, and nodes that
// were not known are asked when they are heard of first. What becomes of nodes is told as Changes.

// ChangeKind says what became of a node that is followed.
type ChangeKind string

const (
	Joined  ChangeKind = "joined"  // it was not known when the query started
	Left    ChangeKind = "left"    // it is down, silent, stopped or cannot answer, as the reason says
	Back    ChangeKind = "back"    // it had left, and goes on; with a reason, what was written meanwhile is missing
	Skipped ChangeKind = "skipped" // it left Count lines out, since the requester was slow
	Cut     ChangeKind = "cut"     // File was cut (copytruncate), and goes on from its start
	Failed  ChangeKind = "failed"  // File is not followed any more, or something of it is missing, as the reason says
)

// Change is an event of a query that follows.
type Change struct {
	Node   string
	Kind   ChangeKind
	Status schemas.Status // of a node that left
	Reason string         // of one that left or failed, or is back with something missing
	File   string         // that was cut, or failed
	Count  int64          // of lines that were skipped
}

// MarshalJSON gives {"type":"cut","node":"web1","file":"/var/log/app.log"}: of status, reason, file and count
// those that the kind has.
func (c *Change) MarshalJSON() ([]byte, error) {
	event := struct {
		Kind   ChangeKind      `json:"type"`
		Node   string          `json:"node"`
		Status *schemas.Status `json:"status,omitempty"`
		File   string          `json:"file,omitempty"`
		Count  int64           `json:"count,omitempty"`
		Reason string          `json:"reason,omitempty"`
	}{Kind: c.Kind, Node: c.Node, File: c.File, Count: c.Count, Reason: c.Reason}
	if c.Kind == Left {
		event.Status = &c.Status
	}
	return json.Marshal(&event)
}

// MissedReason is the reason of Back where the node began anew.
const MissedReason = "what was written meanwhile is not shown"

// join is what is remembered of a node that was heard of and has not answered.
type join struct {
	instance string
	asks     int
	at       time.Time
}

const (
	joinAsks = 3       // questions to one process that does not answer: the query is not for it
	maxJoins = 100_000 // nodes that are remembered
)

func (g *Gather) following() bool { return g.q.Mode == schemas.ModeFollow }

// left tells that a node went away.
func (g *Gather) left(n *node) {
	if away := n.status.String() + " " + n.reason; g.following() && !g.over && n.away != away {
		n.away = away
		n.leaves++
		g.changes = append(g.changes, Change{Node: n.name, Kind: Left, Status: n.status, Reason: n.reason})
	}
}

// atEnd is the status of a node that was there to the end.
func (g *Gather) atEnd(n *node, status schemas.Status) schemas.Status {
	if g.following() && n.run != 0 {
		return schemas.StatusStopped
	}
	return status
}

// Beacon takes a sign of a node, which may be new, back, or restarted.
func (g *Gather) Beacon(record *schemas.Node, now time.Time) {
	g.heard(now)
	if g.over || !g.following() || !record.Ready || schemas.CheckToken("node", record.Name) != nil {
		return
	}
	byName := schemas.Node{Name: record.Name} // a beacon does not name its groups
	n := g.nodes[record.Name]
	switch {
	case n == nil && g.q.Select.AdmitsRecord(&byName):
		j := g.joins[record.Name]
		if j.instance != record.Instance {
			j = join{instance: record.Instance}
		}
		if j.asks == joinAsks || now.Sub(j.at) < askAgain || len(g.joins) >= maxJoins {
			return
		}
		if g.joins == nil {
			g.joins = map[string]join{}
		}
		g.joins[record.Name] = join{record.Instance, j.asks + 1, now}
		g.send(Ask{Query: g.anew(), To: To{Node: record.Name}})
	case n == nil, n.duplicate, now.Sub(n.askedAt) < askAgain:
	case n.settled, n.hello != nil && n.hello.Instance != record.Instance:
		n.reasked = true
		g.ask(n, now)
	}
}

// askAway asks the nodes that are away, now and then: a beacon may be lost, or not be heard at all.
func (g *Gather) askAway(now time.Time) {
	asks := asksPerTick
	for _, n := range g.order {
		if n.settled && !n.duplicate && asks > 0 && now.Sub(n.askedAt) >= awayEvery && g.clock.lost.IsZero() {
			asks--
			n.reasked = true
			g.ask(n, now)
		}
	}
}

// back takes a frame of a node that had left: it goes on, or begins anew. False if it is nothing of the kind.
func (g *Gather) back(n *node, f *schemas.Frame, now time.Time) bool {
	switch {
	case n.duplicate, f.End != nil && f.Hello == nil:
		return false
	case n.run == 0:
		g.revive(n)
		g.adopt(n, f, now)
	case n.run != f.Run:
		return false // followRun's
	case n.end != nil || n.status == schemas.StatusError:
		return false
	default:
		granted := n.told
		g.revive(n)
		g.credit.held += granted - n.offset - g.q.Credit
		g.credit.running++
		n.granted = granted
		g.current(n, f, now)
	}
	if !n.settled {
		g.isBack(n, "")
	}
	return true
}

// followRun takes a frame of another run than the one that was followed: the node was restarted, or had
// given the query up. What is queued of the old run stays.
func (g *Gather) followRun(n *node, f *schemas.Frame, old *oldRun, now time.Time) {
	switch {
	case old != nil && !old.alive(f, now), n.duplicate:
		return
	case old != nil, !n.reasked && !n.settled:
		g.twoNodes(n, f, old, now)
		return
	case f.Hello != nil && f.End != nil:
		return // it refuses: it stays away
	}
	if !n.settled {
		g.settle(n, schemas.StatusPartial, "restarted")
	}
	n.old = append(n.old, oldRun{n.run, n.seen, n.progress.BytesRead, n.host(), now})
	n.old = n.old[max(0, len(n.old)-maxRestarts):]
	g.revive(n)
	n.run, n.next, n.seen, n.hello, n.end, n.progress = 0, 0, 0, nil, nil, schemas.Progress{}
	n.offset, n.consumed, n.chunks, n.textIn, n.linesIn, n.unsaid = 0, 0, 0, 0, 0, 0
	n.resendAt, n.resends, n.reasked, n.told, n.begun = time.Time{}, 0, false, 0, line{}
	g.adopt(n, f, now)
	g.isBack(n, MissedReason)
}

func (g *Gather) isBack(n *node, reason string) {
	n.away = ""
	g.changes = append(g.changes, Change{Node: n.name, Kind: Back, Reason: reason})
}

// anew is the query for a node that was not there, or is back: its history is not asked for again.
func (g *Gather) anew() *schemas.Query {
	q := *g.q
	q.Last = 0
	return &q
}

// line is what the columns say of a line of which a part came last.
type line struct {
	number, offset, time []int64 // one entry, or none
	broken               bool    // the node left meanwhile: the part was ended
}

// note keeps what c says of its last line, if that goes on.
func (l *line) note(c *schemas.Chunk) {
	if !c.More {
		return
	}
	for _, column := range []struct {
		to *[]int64
		of []int64
	}{{&l.number, c.Numbers}, {&l.offset, c.Offsets}, {&l.time, c.Times}} {
		if n := len(column.of); n > 0 { // else no line begins in c
			*column.to = slices.Clone(column.of[n-1:])
		}
	}
}

// resume makes a line of its own of the rest that c has of a line whose first part was ended.
func (l *line) resume(c *schemas.Chunk) {
	c.Continues = false
	c.Numbers = slices.Concat(l.number, c.Numbers)
	c.Offsets = slices.Concat(l.offset, c.Offsets)
	c.Times = slices.Concat(l.time, c.Times)
}

// consume counts a release as consumed, if it is of the run that is being taken.
func (n *node) consume(r *Release) {
	if r.run == n.run {
		n.consumed += r.raw
	}
}

// Tail yields the lines of a query that follows as they come, and between them what becomes of its
// nodes: each step has a Hit or, where the Change is not nil, that. It ends when the context of the
// query does, or its time, or limit; to leave the loop ends the query on every node. A consumer that
// takes its time slows nobody down: it is told what was skipped.
func (a *Answer) Tail() iter.Seq2[Hit, *Change] {
	return func(yield func(Hit, *Change) bool) {
		splitters := map[string]*splitter{}
		for r := range a.releases() {
			if r.Change != nil && !yield(Hit{}, r.Change) {
				return
			}
			for i := range r.Chunks {
				c := &r.Chunks[i]
				if change := ChangeOf(r.Node, c); change != nil {
					if !yield(Hit{}, change) {
						return
					}
					continue
				}
				if splitters[r.Node] == nil {
					splitters[r.Node] = &splitter{terminator: a.q.Terminator()}
				}
				if !splitters[r.Node].split(r.Node, c, func(h Hit) bool { return yield(h, nil) }) {
					return
				}
			}
		}
	}
}

// Released yields what Tail does as whole chunks, some of which ChangeOf takes for a Change.
func (a *Answer) Released() iter.Seq[Release] { return a.releases() }

// ChangeOf returns the Change that a chunk stands for; nil if it holds lines.
func ChangeOf(node string, c *schemas.Chunk) *Change {
	switch c.Kind {
	case schemas.ChunkSkipped:
		return &Change{Node: node, Kind: Skipped, Count: c.Count}
	case schemas.ChunkCut:
		return &Change{Node: node, Kind: Cut, File: c.File}
	case schemas.ChunkFailed:
		return &Change{Node: node, Kind: Failed, File: c.File, Reason: string(c.Text)}
	}
	return nil
}

// joined tells of a node that was not known.
func (g *Gather) joined(n *node) {
	delete(g.joins, n.name)
	g.changes = append(g.changes, Change{Node: n.name, Kind: Joined})
}

// addLive has Tick see to a node, once.
func (g *Gather) addLive(n *node) {
	if !slices.Contains(g.live, n) {
		g.live = append(g.live, n)
	}
}

// stayed says whether a node was followed without a gap.
func (n *node) stayed() bool {
	return n.status == schemas.StatusStopped && n.leaves == 0 && n.skipped == 0
}
