package requester

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// followTable is a desk whose query follows.
func followTable(t *testing.T, columns schemas.Columns, names ...string) *desk {
	t.Helper()
	return newTable(t, func(q *schemas.Query) {
		q.Mode, q.Order, q.Columns, q.Timeout = schemas.ModeFollow, schemas.OrderArrival, columns, time.Hour
	}, names...)
}

// changed renders what became of nodes since the last call.
func (b *desk) changed() string {
	var words []string
	for _, c := range b.g.changes {
		words = append(words, strings.TrimSuffix(fmt.Sprintf("%s %s: %s", c.Node, c.Kind, c.Reason), ": "))
	}
	b.g.changes = nil
	return strings.Join(words, ", ")
}

func (b *desk) wantChanged(what string) {
	b.t.Helper()
	if got := b.changed(); !strings.HasPrefix(got, what) || what == "" && got != "" {
		b.t.Errorf("changes %q, want %q", got, what)
	}
}

// A node that could not be heard for a while goes on where it was: with the rest of a line of which a part
// had come, as a line of its own.
func TestFollowedLineIsInterrupted(t *testing.T) {
	b := followTable(t, schemas.ColumnNumber, "a")
	b.hello("a", 1)
	send := func(seq uint64, offset int64, c schemas.Chunk) int64 {
		c.File = "f"
		d := &schemas.Data{Offset: offset, Chunks: []schemas.Chunk{c}}
		schemas.AppendFrame(nil, &schemas.Frame{Run: 1, Seq: seq, Data: d})
		b.frame("a", schemas.Frame{Run: 1, Seq: seq, Data: d})
		return offset + d.Raw
	}
	at := send(2, 0, schemas.Chunk{Text: []byte("one\ntw"), More: true, Numbers: []int64{1, 2}})
	b.wantChanged("")
	b.pass(20 * time.Second)
	b.wantChanged("a left")
	if got := b.released(); got != "one\ntw\n" {
		t.Errorf("released %q", got)
	}
	at = send(3, at, schemas.Chunk{Text: []byte("o-and"), Continues: true, More: true})
	at = send(4, at, schemas.Chunk{Text: []byte("-a-half\nthree\n"), Continues: true, Numbers: []int64{3}})
	b.wantChanged("a back")
	if got := b.released(); got != "o-and-a-half\nthree\n" {
		t.Errorf("released %q", got)
	}
	send(5, at, schemas.Chunk{Text: []byte("four\n"), Numbers: []int64{4}})
	if got := b.released(); got != "four\n" {
		t.Errorf("released %q; %s", got, b.status("a"))
	}
	b.g.Stop("interrupted")
	if r := b.g.Receipt(b.now); r.Nodes[0].Status != schemas.StatusStopped || r.Nodes[0].Left != 1 || r.Nodes[0].Lines != 4 || r.Complete {
		t.Errorf("%+v", r)
	}
}

// A node that was restarted begins anew, and it is told that something is missing; one that is asked for
// the first time is a new one.
func TestFollowedNodeIsRestarted(t *testing.T) {
	b := followTable(t, 0, "a")
	b.hello("a", 1)
	b.data("a", 1, 2, 0, "one\n")
	if got := b.released(); got != "one\n" {
		t.Errorf("released %q", got)
	}
	b.pass(500 * time.Millisecond)
	record := schemas.Node{Name: "a", Instance: "2", Ready: true}
	b.sent()
	b.g.Beacon(&record, b.now)
	b.wantSent("ask:a")
	b.hello("a", 2)
	b.wantChanged("a left: restarted, a back: " + MissedReason)
	b.data("a", 2, 2, 0, "two\n")
	if got := b.released(); got != "two\n" {
		t.Errorf("released %q", got)
	}

	b.g.Beacon(&schemas.Node{Name: "b", Instance: "1", Ready: true}, b.now)
	if got := b.sent(); !strings.Contains(got, "ask:b") {
		t.Errorf("sent %q", got)
	}
	b.hello("b", 3)
	b.wantChanged("b joined")
	b.data("b", 3, 2, 0, "of b\n")
	if got := b.released(); got != "of b\n" {
		t.Errorf("released %q", got)
	}
}

// A node that does not answer, since the query is not for it, is asked three times, not at each beacon.
func TestStrangersAreAskedThreeTimes(t *testing.T) {
	b := followTable(t, 0, "a")
	b.hello("a", 1)
	asked := 0
	for range 60 {
		b.now = b.now.Add(time.Second)
		b.g.Beacon(&schemas.Node{Name: "b", Instance: "1", Ready: true}, b.now)
		asked += strings.Count(b.sent(), "ask:b")
	}
	if asked != joinAsks {
		t.Errorf("asked %d times", asked)
	}
	b.g.Beacon(&schemas.Node{Name: "b", Instance: "2", Ready: true}, b.now)
	b.wantSent("ask:b")
}
