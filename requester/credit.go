package requester

import (
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// Sizes of flow control, in raw bytes.
const (
	headWindow  = 1 << 20        // what the node whose output is being released has at least
	quantum     = schemas.MaxRaw // the least that is granted at once: any frame fits
	leastGrant  = 1 << 10        // initial credit below this is none
	smallAnswer = 2 << 10        // of so much nobody need wait for, while that is a window's worth in all
	ackEvery    = 256 << 10      // taken, until a control says so
	minWindow   = 2 << 20        // below this a slow consumer does not shrink the window
	goodFor     = 500 * time.Millisecond
)

// credit is the state of the shared window.
//
// held is the sum, over all nodes, of what they were granted (or, once settled, sent) and what was
// not consumed: so many bytes are queued here, or on the way, or may be sent. Grants keep it within
// the window.
//
// Credit cannot be taken back, and a node whose next frame does not fit what it has is stuck on it.
// So a part of the window is always kept for one node, the head: in node order the one that is
// being released, else the first that is not through. It never waits for others, and so something
// always moves. Nor does a node in the middle of a line, which the others wait for: it gets a
// quantum even where there is no room.
type credit struct {
	held     int64
	window   int64 // the part of Gather.window that the consumer's rate is good for
	running  int   // nodes with a run, not settled
	freed    int64 // consumed, or given back, since the last turn
	consumed int64 // consumed since the rate was measured
	rate     float64
	dry      bool // the queue ran empty since then: the consumer is not what limits
}

// startCredit shares the window out before anybody has answered.
func (g *Gather) startCredit() {
	nodes := int64(max(g.unsettled, 4))
	if g.kind == RosterDiscovered {
		nodes = max(2*nodes, 64) // others may answer
	}
	share := max(0, g.window-headWindow) / nodes
	if share < quantum {
		share /= 2 // the other half is for those whose first frame does not fit
	}
	if share < smallAnswer {
		// Without credit nodes wait for their turn, even with a line. They get it beyond what the others share.
		if share = min(smallAnswer, g.window/nodes); share < leastGrant {
			share = 0
		}
		g.window += share * nodes
	}
	g.q.Credit = share
	g.credit.window = g.window
	for _, n := range g.order {
		if !n.settled {
			n.initial, n.granted = share, share
			g.credit.held += share
		}
	}
}

// headNode is the node that credit is always there for.
func (g *Gather) headNode() *node {
	if g.advance(); g.head < len(g.order) {
		return g.order[g.head]
	}
	return nil
}

// room is what the window has left for others than the head.
func (g *Gather) room() int64 {
	room := g.credit.window - g.credit.held
	if head := g.headNode(); head != nil {
		room -= max(0, headWindow-(head.granted-head.consumed))
	}
	return room
}

// share is an equal part of the window for each node that runs, but never less than what keeps one
// going: those first in line get that, and the others wait.
func (g *Gather) share() int64 {
	return max(2*quantum, (g.credit.window-headWindow)/int64(max(1, g.credit.running)))
}

// grant gives credit where something has just been taken or consumed.
func (g *Gather) grant(n *node, now time.Time) {
	if g.over {
		return
	}
	if g.inTime() || g.following() {
		g.grantInTime(n, now)
		if g.credit.freed >= g.credit.window/8 {
			g.turns(now)
		}
		return
	}
	head := g.headNode()
	if g.open != nil && g.open != head {
		g.raiseOpen(g.open, now)
	}
	switch {
	case head != nil && g.raiseHead(head, now):
	case g.q.Order != schemas.OrderNode && n != head && int64(g.credit.running)*2*quantum <= g.credit.window:
		g.raise(n, g.share(), g.room(), now)
	}
	if g.credit.freed >= g.credit.window/8 {
		g.turns(now)
	}
}

// raiseHead keeps the head at a megabyte at least, or all that the others leave, whatever else is
// granted.
func (g *Gather) raiseHead(n *node, now time.Time) bool {
	others := g.credit.held - (n.granted - n.consumed)
	return g.raise(n, max(headWindow, g.credit.window-others), g.window, now)
}

// raiseOpen gives the node in the middle of a line what its next frame may need.
func (g *Gather) raiseOpen(n *node, now time.Time) {
	left := n.granted - n.offset
	if n.settled || left >= quantum {
		return
	}
	g.give(n, max(quantum-left, min(2*quantum-left, g.room())), now)
}

// raise grants a node so much more that target bytes are not consumed, if there is room, and if that
// is a quarter of the target, or a quantum and the node short of one.
func (g *Gather) raise(n *node, target, room int64, now time.Time) bool {
	if n.run == 0 || n.settled {
		return false
	}
	more := min(target-(n.granted-n.consumed), room)
	short := n.granted-n.offset < quantum
	if more < quantum || !short && more < target/4 {
		return false
	}
	g.give(n, more, now)
	return true
}

func (g *Gather) give(n *node, more int64, now time.Time) {
	n.granted += more
	g.credit.held += more
	g.control(n, now)
}

// turns gives what the window has left to those that wait, in the order of the nodes.
func (g *Gather) turns(now time.Time) {
	g.credit.freed = 0
	if g.inTime() || g.following() {
		for _, n := range g.live {
			g.grantInTime(n, now)
		}
		return
	}
	if head := g.headNode(); head != nil {
		g.raiseHead(head, now)
	}
	share, room := g.share(), g.room()
	for _, n := range g.order[g.head:] {
		if room < quantum {
			return
		}
		if !n.settled && n.granted-n.offset < quantum && g.raise(n, share, room, now) {
			room = g.room()
		}
	}
}

// measure shrinks the window to what the consumer takes in half a second, while it is the consumer
// that limits, and widens it again when it is not.
func (g *Gather) measure(now time.Time) {
	c := &g.credit
	elapsed := now.Sub(g.clock.measured)
	if elapsed < goodFor/2 {
		return
	}
	if c.dry {
		c.window, c.rate = min(g.window, 2*c.window), 0
	} else {
		rate := float64(c.consumed) / elapsed.Seconds()
		if c.rate == 0 {
			c.rate = rate
		}
		c.rate += (rate - c.rate) / 2
		c.window = min(g.window, max(minWindow, int64(c.rate*goodFor.Seconds())))
	}
	g.clock.measured, c.consumed, c.dry = now, 0, false
}

// control tells a node what was taken of it and how much it may send. All controls of a run that is
// being taken go through here.
func (g *Gather) control(n *node, now time.Time) {
	n.unsaid, n.controlAt = 0, now
	g.send(Grant{n.name, schemas.Control{Run: n.run, Ack: n.next - 1, Limit: n.granted}, n.part})
}

// acknowledgeEnd tells a node that its End was taken, with a Tick behind endWait and the jitter, or when the last node is through, if that
// is sooner. A node repeats its End after 250 ms and twice the jitter: until then others that are still to answer, and whoever
// waits for them, need not wait for a thousand acknowledgements; and often one message tells them all.
func (g *Gather) acknowledgeEnd(n *node, now time.Time) {
	if len(g.ends) == 0 {
		g.endsAt = now
	}
	n.unsaid, n.controlAt = 0, now
	g.ends = append(g.ends, n)
}
