package requester

import (
	"fmt"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// Times of the protocol; those of silence are in liveness.go.
const (
	firstAsk    = 100 * time.Millisecond // silence after the query, until a node of a small fleet is asked by itself
	helloWait   = time.Second            // until every node is, in a fleet of up to helloNodes
	helloNodes  = 300                    // beyond, each node adds helloMore
	helloMore   = 500 * time.Microsecond //
	askAgain    = time.Second            // between two questions to a node that is silent
	keepAlive   = 10 * time.Second       // between two controls
	resendWait  = 250 * time.Millisecond // between two requests to resend the same; doubles up to resendMost
	resendMost  = time.Second            //
	resendTries = 20                     // then what is missing is lost
	renew       = 200 * time.Millisecond // a grant that a node seems not to know of is repeated
	ackSoon     = 500 * time.Millisecond // following: until what was taken is acknowledged
	awayEvery   = 10 * time.Second       // following: between two questions to a node that is away
	repeatAck   = 100 * time.Millisecond // an acknowledgement, likewise
	endWait     = 100 * time.Millisecond // that of an End waits for others, with the jitter, and a tick
	strayEvery  = time.Second            // a run that is not wanted is told so
	grace       = 2 * time.Second        // after a reconnection: nobody subscribed means nothing yet
	trial       = 2 * time.Second        // that the End of a restarted node is not believed
	overtime    = 3 * time.Second        // beyond the query's own time limit
)

// Most that one Tick sends, at some twenty ticks a second.
const (
	asksPerTick     = 100
	controlsPerTick = 500
	smallFleet      = 64
)

// clock is what Tick goes by.
type clock struct {
	start    time.Time
	tick     time.Time // the last one
	measured time.Time // when the consumer's rate was
	lost     time.Time // since when there is no connection; zero: there is
	graceEnd time.Time
}

// helloLimit is how long after the query a node is asked by itself, and every one pinged.
func (g *Gather) helloLimit() time.Duration {
	return helloWait + g.q.Jitter + helloMore*time.Duration(max(0, len(g.order)-helloNodes))
}

// Tick does what is due: it asks silent nodes again, pings, gives verdicts, repeats requests, keeps
// leases alive, and shares out credit.
func (g *Gather) Tick(now time.Time) {
	if g.over {
		return
	}
	if now.Sub(g.endsAt) >= endWait+g.q.Jitter {
		g.sendEnds()
	}
	if gap := now.Sub(g.clock.tick); gap >= lateTick {
		g.conn.slept += gap
	}
	g.clock.tick, g.conn.near = now, false
	since := now.Sub(g.clock.start)
	if g.following() && since >= g.q.Timeout {
		g.finish(schemas.StatusStopped, "time limit reached")
		return
	}
	g.enlist()
	asks, controls := asksPerTick, controlsPerTick
	kept := g.live[:0]
	for _, n := range g.live {
		if n.settled {
			continue
		}
		switch {
		case since >= g.q.Timeout+overtime:
			g.silent(n, "time limit reached")
		case g.busGone(now) && !g.clock.lost.IsZero():
			g.silent(n, "the connection to the bus was lost")
		case g.busGone(now):
			g.silent(n, "the bus does not answer")
		case !g.clock.lost.IsZero(), g.stalled(now):
		case n.run == 0:
			asks -= g.tickSilent(n, since-n.born, asks, now)
		default:
			controls -= g.tickRunning(n, controls, now)
		}
		if !n.settled {
			kept = append(kept, n)
		}
	}
	clear(g.live[len(kept):])
	g.live = kept
	if g.following() {
		g.askAway(now)
	}
	g.probe(now)
	g.measure(now)
	g.turns(now)
}

// tickSilent sees to a node that has not answered the query. It returns how many questions it
// asked.
func (g *Gather) tickSilent(n *node, since time.Duration, asks int, now time.Time) int {
	wait := g.helloLimit()
	switch {
	case since < wait:
		if len(g.order) > smallFleet || since < firstAsk+g.q.Jitter || n.asks > 0 {
			return 0
		}
	case n.finalAt.IsZero():
		if asks > 0 {
			n.finalAt = now
			n.lastSign, n.lastFrame = now, now // from here on silence counts
		}
	case g.quiet(n) >= silence:
		g.silent(n, "")
		return 0
	case g.conn.heard.Sub(n.finalAt) >= aliveMost:
		g.silent(n, "is alive, but does not answer the query")
		return 0
	}
	g.conn.near = g.conn.near || since >= wait && now.Sub(n.lastSign) >= missed
	if asks == 0 || now.Sub(n.askedAt) < askAgain && n.finalAt != now {
		return 0
	}
	g.ask(n, now)
	if since >= wait {
		g.send(Ping{n.name, n.part})
	}
	return 1
}

// ask sends a node the query, or sends it again; the node knows it by its key.
func (g *Gather) ask(n *node, now time.Time) {
	n.asks++
	n.askedAt = now
	n.reasked = n.reasked || n.run != 0
	q := g.q
	if n.share != nil {
		q = g.planOf(n)
	}
	if g.following() && (n.leaves > 0 || n.run != 0) {
		q = g.anew()
	}
	g.send(Ask{q, To{Node: n.name}, n.part})
}

// tickRunning sees to a node that has answered. It returns how many controls it sent.
func (g *Gather) tickRunning(n *node, controls int, now time.Time) int {
	near := n.end == nil && now.Sub(n.lastSign) >= missed
	g.conn.near = g.conn.near || near
	switch {
	case n.end != nil:
		if !n.onTrial(now) {
			g.takeEnd(n, n.end)
		}
		return 0
	case g.quiet(n) >= silence:
		g.silent(n, "")
		return 0
	case g.mute(n) >= aliveMost:
		g.silent(n, "is alive, but sends no more of its answer")
		return 0
	case near && now.Sub(n.pingedAt) >= pingEvery:
		n.pingedAt = now
		g.send(Ping{n.name, n.part})
	}
	switch {
	case controls <= 0:
		return 0
	case !n.resendAt.IsZero() && !now.Before(n.resendAt) && n.seen >= n.next:
		g.gap(n, now)
	case !n.resendAt.IsZero() && !now.Before(n.resendAt):
		n.resendAt = time.Time{}
		g.resend(n, now)
	case now.Sub(n.controlAt) >= keepAlive, g.following() && n.unsaid > 0 && now.Sub(n.controlAt) >= ackSoon:
		g.control(n, now)
	default:
		return 0
	}
	return 1
}

// gap asks for what is missing, once until it comes or the wait is over.
func (g *Gather) gap(n *node, now time.Time) {
	if !n.resendAt.IsZero() && now.Before(n.resendAt) {
		return
	}
	if n.resends == resendTries {
		g.settle(n, schemas.StatusPartial, fmt.Sprintf("frames from %d on were lost", n.next))
		return
	}
	n.resendAt = now.Add(min(resendWait<<n.resends, resendMost))
	n.resends++
	g.resend(n, now)
}

// resend asks a node to repeat what it sent from the next frame on.
func (g *Gather) resend(n *node, now time.Time) {
	n.unsaid, n.controlAt = 0, now
	g.send(Grant{n.name, schemas.Control{Run: n.run, Ack: n.next - 1, Limit: n.granted, Resend: n.next}, n.part})
}

// NoResponders takes the bus's word that nobody is subscribed for a node; with an empty name, that
// nobody is for any.
func (g *Gather) NoResponders(name string, now time.Time) {
	g.heard(now)
	if g.over || now.Before(g.clock.graceEnd) || !g.clock.lost.IsZero() {
		return // whoever reconnects later than the requester is not down
	}
	if name == "" {
		for _, n := range g.order {
			g.down(n)
		}
		return
	}
	if n := g.nodes[name]; n != nil {
		g.down(n)
	}
}

// down gives the verdict on a node that nobody is subscribed for. One that has answered may be
// about to reconnect: it has until its silence is too long.
func (g *Gather) down(n *node) {
	if !n.settled && n.run == 0 {
		g.settle(n, schemas.StatusDown, "nobody is subscribed for it")
	}
}
