package requester

import (
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// answering has every node send its sign of life of each half second.
func (b *desk) answering(d time.Duration, nodes ...string) {
	for end := b.now.Add(d); b.now.Before(end); {
		for _, name := range nodes {
			b.frame(name, schemas.Frame{Run: 1, Seq: 1, Progress: &schemas.Progress{}})
		}
		b.pass(500 * time.Millisecond)
	}
}

// Issue 2: a bus that stood still for more than 2.5 s made every node partial, and so did a machine
// that starved it. While the connection itself says nothing, no node's silence counts.
func TestAConnectionThatStandsStillIsNoNodesSilence(t *testing.T) {
	for _, still := range []time.Duration{3 * time.Second, 9 * time.Second, 25 * time.Second} {
		b := newTable(t, nil, "a", "b")
		b.hello("a", 1)
		b.hello("b", 1)
		b.answering(2*time.Second, "a", "b")
		b.mute = true
		b.pass(still)
		b.mute = false
		b.wantStatus("a", "partial: not through")
		b.g.Probed(b.now) // the answer to the oldest probe, a moment before what the nodes sent
		b.pass(400 * time.Millisecond)
		b.wantStatus("b", "partial: not through")
		b.answering(time.Second, "a")
		b.frame("a", schemas.Frame{Run: 1, Seq: 2, End: &schemas.End{}})
		b.wantStatus("a", "complete")
		b.wantStatus("b", "unreachable: fell silent") // it died meanwhile: two seconds of a live connection show it
	}
}

// A starved machine lets something through now and then: each time a little silence is proven, not
// the whole gap.
func TestGapsBetweenProofsCountLittle(t *testing.T) {
	b := newTable(t, nil, "a", "b")
	b.hello("a", 1)
	b.hello("b", 1)
	b.sent()
	b.mute = true
	for range 3 {
		b.pass(1800 * time.Millisecond)
		b.g.Probed(b.now)
	}
	b.wantStatus("a", "partial: not through")
	b.wantStatus("b", "partial: not through")
	b.mute = false
	b.pass(600 * time.Millisecond) // 3 × 0.5 s, and this
	b.wantStatus("a", "unreachable: fell silent")
}

// A bus that never comes back ends the query all the same, and the gap is named.
func TestABusThatNeverAnswersIsNamed(t *testing.T) {
	b := newTable(t, nil, "a", "b")
	b.hello("a", 1)
	b.data("a", 1, 2, 0, "one\n")
	b.mute = true
	probes := strings.Count(b.probesIn(cutOff-time.Second), "probe")
	b.wantStatus("a", "partial: not through")
	b.pass(1500 * time.Millisecond)
	b.wantStatus("a", "partial: the bus does not answer after 1 line")
	b.wantStatus("b", "unreachable: the bus does not answer")
	if got := b.released(); got != "one\n" || !b.g.Done() {
		t.Errorf("released %q, done %t", got, b.g.Done())
	}
	if most := int(cutOff / probeEvery); probes < most/2 || probes > most+20 {
		t.Errorf("%d probes", probes)
	}
}

// What disconnects after it fell silent was lost when it fell silent: the query does not wait twice.
func TestALostConnectionCountsFromItsLastSign(t *testing.T) {
	b := newTable(t, nil, "a")
	b.hello("a", 1)
	b.mute = true
	b.pass(12 * time.Second)
	b.g.Disconnected(b.now)
	b.pass(cutOff - 11*time.Second)
	b.wantStatus("a", "unreachable: the connection to the bus was lost")
}

// Whoever presses Ctrl-Z hears nothing of the bus either.
func TestAStoppedRequesterBlamesNobody(t *testing.T) {
	b := newTable(t, nil, "a", "b")
	b.hello("a", 1)
	b.hello("b", 1)
	b.answering(time.Second, "a", "b")
	b.now = b.now.Add(time.Minute)
	b.g.Tick(b.now)
	b.wantStatus("a", "partial: not through")
	b.wantStatus("b", "partial: not through")
	b.answering(time.Second, "a")
	b.frame("a", schemas.Frame{Run: 1, Seq: 2, End: &schemas.End{}})
	b.wantStatus("a", "complete")
	b.pass(1500 * time.Millisecond)
	b.wantStatus("b", "unreachable: fell silent")
}

// Issue 2: a node that dies is named within 2 s of its death, whenever that falls between two of its
// signs of life, and whether or not others speak.
func TestADeadNodeIsNamedWithinTwoSeconds(t *testing.T) {
	for _, others := range []bool{false, true} {
		b := newTable(t, nil, "a", "b")
		b.hello("a", 1)
		b.hello("b", 1)
		b.data("a", 1, 2, 0, "one\n")
		b.pass(20 * time.Millisecond) // a is dead from here on
		died := b.now
		for i := 0; b.status("a") == "partial: not through" && i < 100; i++ {
			if others && i%10 == 0 {
				b.frame("b", schemas.Frame{Run: 1, Seq: 1, Progress: &schemas.Progress{}})
			}
			b.pass(50 * time.Millisecond)
		}
		if took := b.now.Sub(died); took > 2*time.Second || took < 1500*time.Millisecond {
			t.Errorf("others speak %t: named after %v", others, took)
		}
		b.wantStatus("a", "partial: fell silent after 1 line")
		if nr := b.g.Receipt(b.now).Nodes[0]; nr.HeardMS != 0 || nr.GivenUpMS != b.now.Sub(simStart).Milliseconds() {
			t.Errorf("last heard after %d ms, given up after %d", nr.HeardMS, nr.GivenUpMS)
		}
	}
}

// probesIn is what was sent in a time, probes alone.
func (b *desk) probesIn(d time.Duration) string {
	b.probes = nil
	b.pass(d)
	return strings.Join(b.probes, " ")
}
