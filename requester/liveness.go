package requester

import (
	"fmt"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// A node's silence is told from that of the connection, and of the requester itself, by what else
// is heard. Everything that comes over the connection proves that it was alive, whoever sent it;
// where nothing comes, the bus is asked (Probe). Of the time between two proofs at most provenMost
// counts as silence of the nodes that said nothing: a bus that stands still for a minute, a process
// that was stopped, a machine that starves both, cost a node half a second. A verdict falls only on
// what is proven, and so takes four proofs at least. While nothing is proven, nobody is judged; it
// is the bus that is given up after cutOff.

// Times of liveness. A node says something every half second, so 2 s after its death at the latest,
// with a tick and a probe on top of silence, the verdict is there.
const (
	silence    = 1900 * time.Millisecond // proven, without any sign of life, is a verdict
	missed     = 1500 * time.Millisecond // three Progress frames: then the node is pinged
	pingEvery  = 250 * time.Millisecond  //
	aliveMost  = 10 * time.Second        // that a node answers pings but not the query
	probeEvery = 250 * time.Millisecond  // of a connection that says nothing
	probeSoon  = 40 * time.Millisecond   // likewise, while a verdict is near: every tick
	provenMost = 500 * time.Millisecond  // that counts of the time between two proofs
	lateTick   = time.Second             // a tick so late says that the requester did not run
	cutOff     = 30 * time.Second        // without a proof: the nodes have given up by then
)

// liveness is what is known of the connection.
type liveness struct {
	heard  time.Time     // the last proof that it is alive
	probed time.Time     // when the bus was last asked
	slept  time.Duration // since the last proof, that the requester did not run
	near   bool          // some node may get its verdict soon
}

// heard takes a proof that the connection is alive.
func (g *Gather) heard(now time.Time) {
	gap := now.Sub(g.conn.heard)
	if gap <= 0 {
		return
	}
	before := g.conn.heard
	g.conn.heard, g.conn.slept = now, 0
	if gap > provenMost {
		g.excuse(gap-provenMost, now)
		if before.Before(g.clock.graceEnd) {
			g.clock.graceEnd = g.clock.graceEnd.Add(gap - provenMost)
		}
	}
}

// excuse forgives all nodes a time in which they may have said what could not be heard.
func (g *Gather) excuse(gap time.Duration, now time.Time) {
	later := func(t *time.Time) {
		if *t = t.Add(gap); t.After(now) {
			*t = now
		}
	}
	for _, n := range g.live {
		later(&n.lastSign)
		later(&n.lastFrame)
		if !n.finalAt.IsZero() {
			later(&n.finalAt)
		}
	}
}

// stalled reports that the connection has proven nothing for a while: what is asked now is not heard.
func (g *Gather) stalled(now time.Time) bool { return now.Sub(g.conn.heard) > provenMost }

// busGone reports that nothing will come any more.
func (g *Gather) busGone(now time.Time) bool { return now.Sub(g.conn.heard)-g.conn.slept >= cutOff }

// quiet is for how long a node is proven to have said nothing.
func (g *Gather) quiet(n *node) time.Duration { return g.conn.heard.Sub(n.lastSign) }

// mute is for how long a node, which may be alive, is proven to have sent nothing of its answer.
func (g *Gather) mute(n *node) time.Duration { return g.conn.heard.Sub(n.lastFrame) }

// probe asks the bus for a sign of life if there has been none.
func (g *Gather) probe(now time.Time) {
	wait := probeEvery
	if g.conn.near {
		wait = probeSoon
	}
	if g.clock.lost.IsZero() && g.unsettled > 0 && now.Sub(g.conn.heard) >= wait && now.Sub(g.conn.probed) >= wait {
		g.conn.probed = now
		g.send(Probe{})
	}
}

// Probed takes the bus's answer to a Probe.
func (g *Gather) Probed(now time.Time) { g.heard(now) }

// silent gives the verdict on a node that says nothing more.
func (g *Gather) silent(n *node, reason string) {
	n.judgedAt = g.clock.tick
	switch {
	case n.bad != nil && n.run == 0:
		g.settle(n, schemas.StatusError, "sent what cannot be read: "+n.bad.Error())
	case n.offset > 0:
		if reason == "" {
			reason = "fell silent"
		}
		g.settle(n, schemas.StatusPartial, fmt.Sprintf("%s after %s", reason, count(n.linesIn, "line")))
	case reason != "":
		g.settle(n, schemas.StatusUnreachable, reason)
	case n.run != 0:
		g.settle(n, schemas.StatusUnreachable, "fell silent before its first result")
	default:
		g.settle(n, schemas.StatusUnreachable, "does not answer")
	}
}

// Pong takes a sign of life. A node that is alive but does not say so by itself has not heard of
// the query, or has been restarted: it is asked again.
func (g *Gather) Pong(name string, now time.Time) {
	g.heard(now)
	n := g.nodes[name]
	if n == nil || n.settled || g.over {
		return
	}
	n.lastSign, n.heardAt = now, now
	if now.Sub(n.lastFrame) >= missed && now.Sub(n.askedAt) >= askAgain {
		g.ask(n, now)
	}
}

// Disconnected says that the connection is lost. Until it is back, silence means nothing.
func (g *Gather) Disconnected(now time.Time) {
	if g.clock.lost.IsZero() {
		g.clock.lost = now
	}
}

// Reconnected says that the connection is back, and all that was on the way is lost: every node is
// told again what was taken of it, and those that have not answered are asked again.
func (g *Gather) Reconnected(now time.Time) {
	g.clock.lost = time.Time{}
	g.clock.graceEnd = now.Add(grace)
	g.conn.heard, g.conn.slept = now, 0
	for _, n := range g.live {
		n.lastSign, n.lastFrame = now, now
		if n.run == 0 {
			n.askedAt, n.finalAt, n.asks = time.Time{}, time.Time{}, 0
		} else {
			n.resendAt = now // what was on the way may be missing
		}
	}
}
