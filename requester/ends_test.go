package requester

import (
	"fmt"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// When the last node is through, nothing is left to wait for: all that has been held back goes at once, to a whole fleet
// in one message; to some nodes of it, each gets its own.
func TestEndsAreAcknowledgedTogether(t *testing.T) {
	for _, c := range []struct{ sel, want string }{{"", "quit"}, {"[abc]", "grant:b/ack1 grant:c/ack1 grant:a/ack1"}} {
		b := newTable(t, func(q *schemas.Query) {
			if c.sel != "" {
				q.Select.Nodes = []string{c.sel}
			}
		}, "a", "b", "c")
		for _, node := range []string{"b", "c"} {
			b.emptyAnswer(node)
			b.wantSent("")
		}
		b.emptyAnswer("a")
		b.wantSent(c.want)
		if !b.g.Done() {
			t.Error("not done")
		}
		if got := b.pass(time.Second); got != "" {
			t.Errorf("sent again: %q", got)
		}
		for _, node := range []string{"a", "b", "c"} {
			b.wantStatus(node, "complete")
		}
	}
}

func (b *desk) emptyAnswer(node string) {
	b.frame(node, schemas.Frame{Run: 1, Seq: 1, Hello: &schemas.Hello{}, End: &schemas.End{}})
}

// A node that was given up may come back as long as there is something to release: no cancel may keep it from that.
func TestNoCancelToANodeThatMayComeBack(t *testing.T) {
	b := newTable(t, nil, "a", "b", "c", "d")
	b.hello("a", 1)
	b.data("a", 1, 2, 0, "line\n")
	d, raw := lineData(0, "line\n")
	b.frame("a", schemas.Frame{Run: 1, Seq: 3, End: &schemas.End{Lines: 1, Chunks: 1, RawBytes: raw, TextBytes: int64(len(d.Chunks[0].Text))}})
	b.emptyAnswer("b")
	b.emptyAnswer("c")
	b.g.NoResponders("d", b.now)
	b.wantStatus("d", "down: nobody is subscribed for it")
	b.wantSent("grant:a/ack3 grant:b/ack1 grant:c/ack1")
	b.emptyAnswer("d")
	b.wantStatus("d", "complete")
}

// The Ends of a fleet that takes its time are acknowledged before they are repeated; when most have been, each of the
// rest for itself.
func TestEndsAreAcknowledgedInTime(t *testing.T) {
	b := newTable(t, nil, "a", "b", "c", "d", "e")
	for _, node := range []string{"a", "b", "c"} {
		b.emptyAnswer(node)
	}
	if got := b.pass(150 * time.Millisecond); got != "grant:a/ack1 grant:b/ack1 grant:c/ack1 ask:d ask:e" && got != "ask:d ask:e grant:a/ack1 grant:b/ack1 grant:c/ack1" {
		t.Errorf("sent %q", got)
	}
	b.emptyAnswer("d")
	b.emptyAnswer("e")
	b.wantSent("grant:d/ack1 grant:e/ack1")
}

// In a fleet of thousands a few lines of each node need no turn, and what all may send together is bounded still.
func TestSmallAnswersOfALargeFleetDoNotWait(t *testing.T) {
	for _, c := range []struct {
		nodes int
		most  int64 // held
	}{{5000, DefaultWindow + 5000*smallAnswer}, {10_000, 2 * DefaultWindow}, {40_000, DefaultWindow}} {
		names := make([]string, c.nodes)
		for i := range names {
			names[i] = fmt.Sprint("n", i)
		}
		q := NewQuery("x")
		q.ID, q.Client = "q", "c"
		g := NewGather(q, names, RosterRegistered, 0)
		if want := c.nodes <= 10_000; want != (q.Credit >= leastGrant) {
			t.Errorf("%d nodes have %d bytes each to begin with", c.nodes, q.Credit)
		}
		if g.credit.held > c.most || g.window > c.most {
			t.Errorf("%d nodes may send %d bytes at once, in a window of %d; at most %d", c.nodes, g.credit.held, g.window, c.most)
		}
	}
}
