package bus

import (
	"maps"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// Two processes under one node name hear each other's beacons, and refuse queries meanwhile. As long
// as a node knows of a twin it sends beacons so often that each finds out within two seconds when
// the other has died. One that leaves says so, and is forgotten at once.
const (
	twinEvery  = 500 * time.Millisecond // between two beacons of a node that has a twin
	twinPer    = 100 * time.Millisecond // at least, for each twin: a name that a whole fleet bears must not flood the bus
	twinMissed = 3                      // beacons, and the twin counts as gone
)

// maxTwins bounds what a flood of beacons of made-up instances can fill.
const maxTwins = 100

// twinWait returns the time between two beacons of a node with so many twins.
func twinWait(twins int) time.Duration { return max(twinEvery, time.Duration(twins)*twinPer) }

// hearOwn takes a beacon under the node's own name. It reports another process, each one once, and
// answers its first beacon so that it hears of this one, at most once a second. A process that says
// it is not ready has left.
func (r *registry) hearOwn(b *schemas.Node, now time.Time) {
	if b.Instance == r.instance {
		return
	}
	r.mu.Lock()
	_, known := r.twins[b.Instance]
	report := b.Ready && !known && len(r.twins) < maxTwins
	reply := report && now.Sub(r.lastReply) > time.Second
	switch {
	case !b.Ready:
		r.forgetTwins(func(instance string) bool { return instance == b.Instance })
	case known || report:
		r.twins[b.Instance] = now
	}
	if report {
		r.duplicate(b.Host)
	}
	if reply {
		r.lastReply = now
	}
	r.mu.Unlock()
	if reply {
		r.sendBeacon(false)
	}
	if report {
		select {
		case r.hurry <- struct{}{}:
		default: // one is enough
		}
	}
}

// checkTwins forgets the twins that have been silent for too long.
func (r *registry) checkTwins(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	silence := twinMissed * twinWait(len(r.twins))
	r.forgetTwins(func(instance string) bool { return now.Sub(r.twins[instance]) >= silence })
}

// forgetTwins forgets those that gone picks, and reports it when none is left. The caller holds mu,
// which keeps the reports in order.
func (r *registry) forgetTwins(gone func(instance string) bool) {
	before := len(r.twins)
	maps.DeleteFunc(r.twins, func(instance string, _ time.Time) bool { return gone(instance) })
	if before > 0 && len(r.twins) == 0 {
		r.duplicate("")
	}
}
