package requester

import (
	"slices"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// DefaultWindow is how many raw bytes all nodes together may have on the way or waiting.
const DefaultWindow = 16 << 20

// Gather accounts for one query's frames. It does no I/O, starts no goroutine, and takes the time
// as an argument; its methods may not be called at the same time.
//
// The caller calls Start, then passes on what the Transport reports, calls Tick at least every 100
// ms, sends what Take returns after each call, and hands out what Next releases, each time saying
// Consumed when it is through with it. When Done, Receipt tells what each node answered.
//
// What holds whatever comes in: the chunks of one node are released in order, each exactly once;
// a node is complete only if its End came, everything that it counts was taken, and it names no
// error; queued bytes stay within the window, but for a quantum where a line is open; and the query
// is settled within its time limit, give or take seconds.
type Gather struct {
	q          *schemas.Query
	kind       RosterKind
	terminator byte
	window     int64

	nodes     map[string]*node // by Account
	order     []*node          // natural order of names, each followed by those that took over from it; then unexpected nodes as they came
	spare     []node           // for the next accounts
	live      []*node          // those not settled, and some that the next Tick takes out
	unsettled int              // of them, those not settled
	strangers int              // unexpected nodes

	head   int     // order[:head] is through
	queued int     // frames, of all nodes
	ready  []*node // arrival order: one entry a queued frame
	open   *node   // whose line has been released in part: nothing may come between
	merge  merge   // time order: the nodes by what comes next of them
	begun  bool    // time order: something has been released

	changes []Change        // following: not released yet
	joins   map[string]join // following: of nodes that are not known, by name

	plan    *planned // nil: the nodes are asked for what they have of their own logs
	credit  credit
	clock   clock
	conn    liveness
	out     []Outgoing
	ends    []*node   // whose Ends are to be acknowledged, which can wait
	endsAt  time.Time // since when
	lines   int64     // released
	matched bool
	enough  bool // --limit or -q is satisfied
	over    bool // nothing more is wanted
}

// Release is one frame's chunks. What a node lost in the middle of a line left behind is a last
// chunk that ends the line.
type Release struct {
	Node   string
	Chunks []schemas.Chunk
	Change *Change // following: what became of the node; then there are no chunks

	raw   int64
	lines int64
	run   uint64
	key   int64 // time order: the time of its first line
	from  *node
}

// NewGather makes a Gather of a query to the nodes of these names. It sets q.Credit and q.Jitter,
// which depend on how many there are. A window of 0 means DefaultWindow.
func NewGather(q *schemas.Query, names []string, kind RosterKind, window int64) *Gather {
	g := newGather(q, names, kind, window)
	g.begin()
	return g
}

func newGather(q *schemas.Query, names []string, kind RosterKind, window int64) *Gather {
	if window <= 0 {
		window = DefaultWindow
	}
	g := &Gather{q: q, kind: kind, terminator: q.Terminator(), window: window, nodes: make(map[string]*node, len(names))}
	g.order, g.spare = make([]*node, 0, len(names)), make([]node, len(names)) // one by one they take longer to make than all
	for _, name := range names {
		if g.nodes[name] == nil {
			g.add(name, 0)
		}
	}
	return g
}

// begin orders the nodes and shares out the credit.
func (g *Gather) begin() {
	slices.SortFunc(g.order, func(a, b *node) int { // no two names are the same
		if naturalLess(a.name, b.name) {
			return -1
		}
		return 1
	})
	for i, n := range g.order {
		n.rank = i
	}
	for _, n := range g.order {
		g.place(n)
	}
	g.live = slices.Clone(g.order)
	g.q.Jitter = jitter(len(g.order))
	g.startCredit()
}

// jitter spreads the Hellos of a large fleet: 1,000 nodes over 50 ms, 10,000 over half a second.
func jitter(nodes int) time.Duration {
	if nodes < 200 {
		return 0
	}
	return min(500*time.Millisecond, time.Duration(nodes)*50*time.Microsecond)
}

func (g *Gather) add(name string, part int) *node {
	if len(g.spare) == 0 {
		g.spare = make([]node, 1)
	}
	n := &g.spare[0]
	g.spare = g.spare[1:]
	n.name, n.part, n.rank, n.timed = name, part, len(g.order), timed{schemas.NoTime, schemas.NoTime, -1}
	g.nodes[Account(part, name)] = n
	g.order = append(g.order, n)
	g.unsettled++
	return n
}

// Start sends the query.
func (g *Gather) Start(now time.Time) {
	g.clock = clock{start: now, tick: now, measured: now}
	g.conn = liveness{heard: now, probed: now}
	for _, n := range g.order {
		n.lastSign, n.lastFrame = now, now
	}
	if g.following() {
		g.send(Listen{})
	}
	if to, all := g.audience(); all {
		g.send(Ask{Query: g.q, To: to})
		return
	}
	for _, n := range g.order {
		if !n.settled {
			g.ask(n, now)
		}
	}
}

// directMost is how many nodes are asked one by one where the user named them: it finds out at once
// which are down, and disturbs no others.
const directMost = 64

func (g *Gather) audience() (to To, all bool) {
	if g.plan != nil { // each node has one of its own
		return To{}, false
	}
	s := &g.q.Select
	named := len(s.Nodes) > 0 || g.kind == RosterGiven
	if named && len(g.order) > 0 && len(g.order) <= directMost {
		return To{}, false
	}
	if len(s.Groups) == 1 && !strings.ContainsAny(s.Groups[0], `*?[\`) && schemas.CheckToken("group", s.Groups[0]) == nil {
		return To{Group: s.Groups[0]}, true
	}
	return To{}, true
}

func (g *Gather) send(o Outgoing) { g.out = append(g.out, o) }

// Take returns what is to be sent now, in order.
func (g *Gather) Take() []Outgoing {
	if g.Settled() {
		g.sendEnds()
	}
	out := g.out
	g.out = nil
	return out
}

// sendEnds sends the acknowledgements that have waited: of an answer that is here in full, by one message to all where
// all were asked by one.
func (g *Gather) sendEnds() {
	switch {
	case len(g.ends) > 1 && 2*len(g.ends) >= len(g.order) && g.allEnded():
		g.send(Quit{schemas.Cancel{Reason: "every end was taken"}})
	default:
		for _, n := range g.ends {
			if n.end != nil { // else it has begun anew
				g.control(n, n.controlAt)
			}
		}
	}
	g.ends = g.ends[:0]
}

// allEnded says whether every node that has heard the query has sent its End: nobody is left to whom a cancel says more
// than that. A node that was given up may come back while there is something to release.
func (g *Gather) allEnded() bool {
	to, all := g.audience()
	if !g.Settled() || g.kind != RosterRegistered || !all || to != (To{}) || len(g.q.Select.Nodes)+len(g.q.Select.Groups) > 0 {
		return false
	}
	return !slices.ContainsFunc(g.order, func(n *node) bool { return n.end == nil })
}

// Stop says that the caller has had enough: the nodes are told, and those that are not through
// become stopped.
func (g *Gather) Stop(reason string) { g.finish(schemas.StatusStopped, reason) }

// Cancel ends the query before its time: the nodes are told, and those that are not through become
// partial.
func (g *Gather) Cancel(reason string) { g.finish(schemas.StatusPartial, reason) }

// finish gives every node that is not through this status; what is queued is dropped.
func (g *Gather) finish(status schemas.Status, reason string) {
	if g.over {
		return
	}
	g.over = true
	tell := false
	for _, n := range g.order {
		if !n.settled {
			tell = true
			g.settle(n, g.atEnd(n, status), reason)
		} else if len(n.queue) > 0 && n.status != schemas.StatusPartial {
			n.status, n.reason = status, reason
		}
		g.discard(n)
	}
	g.head, g.open, g.ready = len(g.order), nil, nil
	g.forget(status, reason)
	if tell {
		g.ends = nil // whoever has sent its End takes the cancel for an acknowledgement
		g.send(Quit{schemas.Cancel{Reason: reason}})
	}
}

// Settled reports that every node's answer is in, or given up: what is left is to release.
func (g *Gather) Settled() bool {
	return g.over || g.unsettled == 0 && !g.following()
}

// Done reports that every node is settled and all that was queued has been released.
func (g *Gather) Done() bool {
	if !g.Settled() {
		return false
	}
	g.advance()
	return g.head == len(g.order) && g.plan.nothingKept()
}

// Frame takes a message that came on the node's own subject; name is its Account. It keeps msg.
func (g *Gather) Frame(name string, msg []byte, now time.Time) {
	g.heard(now)
	if g.over {
		return
	}
	n := g.nodes[name]
	f, err := schemas.DecodeFrame(msg)
	if err != nil {
		if n != nil {
			n.bad = err
		}
		return
	}
	if n == nil {
		if n = g.stranger(name, now); n == nil {
			return
		}
	}
	switch {
	case n.settled:
		g.late(n, f, now)
	case n.run == 0:
		g.adopt(n, f, now)
	case n.run == f.Run:
		g.current(n, f, now)
	default:
		g.otherRun(n, f, now)
	}
	g.grant(n, now)
}

// maxStrangers bounds the accounts that are opened for nodes nobody knew.
const maxStrangers = 10_000

// stranger opens an account for a node that is not on the list. It is shown as such.
func (g *Gather) stranger(name string, now time.Time) *node {
	if g.strangers == maxStrangers || schemas.CheckToken("node", name) != nil {
		return nil
	}
	g.strangers++
	n := g.add(name, 0)
	n.unexpected, n.lastSign, n.lastFrame = !g.following(), now, now
	n.initial, n.granted = g.q.Credit, g.q.Credit
	g.credit.held += n.granted
	g.live = append(g.live, n)
	g.place(n)
	if g.following() {
		g.joined(n)
	}
	if g.begun {
		g.settle(n, schemas.StatusError, "not on the roster, and too late for time order")
	}
	if g.credit.held > 2*g.window {
		g.settle(n, schemas.StatusError, "not on the roster, and the window is full")
	}
	return n
}

// settle gives the verdict on a node.
func (g *Gather) settle(n *node, status schemas.Status, reason string) {
	if n.settled {
		return
	}
	n.settled, n.status, n.reason, n.told = true, status, reason, max(n.told, n.granted)
	g.left(n)
	g.unsettled--
	if n.run != 0 {
		g.credit.running--
	}
	g.credit.held -= n.granted - n.offset // what will not come any more
	g.credit.freed += n.granted - n.offset
	n.granted = n.offset
	if status == schemas.StatusError && !(g.following() && n.end != nil) {
		g.discard(n)
	}
	g.inherit(n)
	g.closeLine(n)
	g.place(n)
}

// closeLine ends a line whose rest will not come, so that the next node's is not glued to it.
func (g *Gather) closeLine(n *node) {
	open := n.openOut
	if len(n.queue) > 0 {
		open = n.openIn && !n.share.dropping()
	}
	n.begun.broken = n.openIn
	n.openIn = false
	if !open || g.over {
		return
	}
	g.enqueue(n, Release{Node: n.name, from: n, Chunks: []schemas.Chunk{{
		Service: n.service, File: n.file, Text: []byte{g.terminator}, Continues: true, Origin: n.origin,
	}}, key: n.timed.taken})
}

// enqueue holds a frame's chunks until it is their turn.
func (g *Gather) enqueue(n *node, r Release) {
	n.queue = append(n.queue, r)
	g.queued++
	if g.q.Order == schemas.OrderArrival {
		g.ready = append(g.ready, n)
	}
	g.place(n)
}

// discard drops what is queued of a node, as if it had been consumed.
func (g *Gather) discard(n *node) {
	for _, r := range n.queue {
		g.credit.held -= r.raw
		n.consume(&r)
	}
	n.skip += len(n.queue)
	g.queued -= len(n.queue)
	n.queue = nil
	g.place(n)
}
