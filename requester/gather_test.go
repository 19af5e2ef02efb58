package requester

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// desk is one Gather with its clock, and frames made by hand.
type desk struct {
	t      *testing.T
	g      *Gather
	now    time.Time
	mute   bool     // the bus does not answer probes
	probes []string // as they were sent
}

func newTable(t *testing.T, change func(*schemas.Query), names ...string) *desk {
	t.Helper()
	q := NewQuery("x")
	q.ID, q.Client = "q", "c"
	if change != nil {
		change(q)
	}
	b := &desk{t: t, g: NewGather(q, names, RosterRegistered, 0), now: simStart}
	b.g.Start(b.now)
	b.sent()
	return b
}

// sent renders what the Gather wants sent: "ask:a ping:a grant:a/ack1/resend2/stop quit".
func (b *desk) sent() string {
	var words []string
	for _, o := range b.g.Take() {
		switch o := o.(type) {
		case Ask:
			words = append(words, "ask:"+o.To.Node)
		case Ping:
			words = append(words, "ping:"+o.Node)
		case Quit:
			words = append(words, "quit")
		case Probe:
			b.probes = append(b.probes, "probe")
			if !b.mute {
				b.g.Probed(b.now)
			}
		case Grant:
			word := fmt.Sprintf("grant:%s/ack%d", o.Node, o.Control.Ack)
			if o.Control.Resend > 0 {
				word += fmt.Sprintf("/resend%d", o.Control.Resend)
			}
			if o.Control.Stop {
				word += "/stop"
			}
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

func (b *desk) wantSent(what string) {
	b.t.Helper()
	if got := b.sent(); got != what {
		b.t.Errorf("at %v: sent %q, want %q", b.now.Sub(simStart), got, what)
	}
}

// pass lets time go by, with a tick every 50 ms, and returns what was sent.
func (b *desk) pass(d time.Duration) string {
	var words []string
	for end := b.now.Add(d); b.now.Before(end); {
		b.now = b.now.Add(50 * time.Millisecond)
		b.g.Tick(b.now)
		if s := b.sent(); s != "" {
			words = append(words, s)
		}
	}
	return strings.Join(words, " ")
}

func (b *desk) frame(node string, f schemas.Frame) {
	b.g.Frame(node, schemas.AppendFrame(nil, &f), b.now)
}

func (b *desk) hello(node string, run uint64) {
	b.frame(node, schemas.Frame{Run: run, Seq: 1, Hello: &schemas.Hello{Instance: fmt.Sprint(run), Host: fmt.Sprintf("host%d", run), Files: 1}})
}

func lineData(offset int64, text string) (*schemas.Data, int64) {
	d := &schemas.Data{Offset: offset, Chunks: []schemas.Chunk{{File: "f", Text: []byte(text)}}}
	schemas.AppendFrame(nil, &schemas.Frame{Run: 1, Seq: 2, Data: d})
	return d, d.Raw
}

func (b *desk) data(node string, run, seq uint64, offset int64, text string) int64 {
	d, raw := lineData(offset, text)
	b.frame(node, schemas.Frame{Run: run, Seq: seq, Data: d})
	return offset + raw
}

func (b *desk) status(node string) string {
	for _, n := range b.g.Receipt(b.now).Nodes {
		if n.Node == node {
			if n.Reason == "" {
				return n.Status.String()
			}
			return n.Status.String() + ": " + n.Reason
		}
	}
	return "not in the receipt"
}

func (b *desk) wantStatus(node, prefix string) {
	b.t.Helper()
	if got := b.status(node); !strings.HasPrefix(got, prefix) {
		b.t.Errorf("%s is %s, want %s", node, got, prefix)
	}
}

func (b *desk) released() string {
	var text strings.Builder
	for r, ok := b.g.Next(); ok; r, ok = b.g.Next() {
		for i := range r.Chunks {
			text.Write(r.Chunks[i].Text)
		}
		b.g.Consumed(r, b.now)
	}
	return text.String()
}

func TestSilentFromTheStart(t *testing.T) {
	b := newTable(t, nil, "a", "b")
	b.hello("b", 1)
	if got := b.pass(150 * time.Millisecond); got != "ask:a" {
		t.Errorf("sent %q", got)
	}
	b.frame("b", schemas.Frame{Run: 1, Seq: 2, End: &schemas.End{}})
	b.wantSent("") // that it is acknowledged can wait
	if got := b.pass(100 * time.Millisecond); got != "grant:b/ack2" {
		t.Errorf("with the second tick: sent %q", got)
	}
	if got := b.pass(800 * time.Millisecond); got != "ask:a ping:a" {
		t.Errorf("after the wait for hello: sent %q", got)
	}
	b.pass(1850 * time.Millisecond)
	if b.g.Settled() {
		t.Error("settled too early")
	}
	b.pass(200 * time.Millisecond)
	b.wantStatus("a", "unreachable: does not answer")
	b.wantStatus("b", "complete")
	if !b.g.Done() {
		t.Error("not done")
	}
}

func TestNobodySubscribedIsDownAtOnce(t *testing.T) {
	b := newTable(t, nil, "a", "b")
	b.hello("b", 1)
	b.g.NoResponders("a", b.now)
	b.g.NoResponders("b", b.now) // has answered: its silence will tell
	b.wantStatus("a", "down")
	b.wantStatus("b", "partial: not through")
	b = newTable(t, nil, "a", "b")
	b.g.NoResponders("", b.now)
	b.wantStatus("a", "down")
	if !b.g.Done() {
		t.Error("waits though nobody is there")
	}
	b = newTable(t, nil, "a")
	b.g.Disconnected(b.now)
	b.g.Reconnected(b.now)
	b.g.NoResponders("a", b.now.Add(time.Second)) // it may not have reconnected yet
	b.wantStatus("a", "partial: not through")
}

// TestKilledInTheMiddle holds what the issue asks: named partial within 2 s.
func TestKilledInTheMiddle(t *testing.T) {
	b := newTable(t, nil, "a")
	b.hello("a", 1)
	b.data("a", 1, 2, 0, "one\n")
	b.sent()
	if got := b.pass(1450 * time.Millisecond); got != "" {
		t.Errorf("sent %q to a node that may only be slow", got)
	}
	if got := b.pass(100 * time.Millisecond); got != "ping:a" {
		t.Errorf("sent %q after three missed progress frames", got)
	}
	b.pass(450 * time.Millisecond)
	b.wantStatus("a", "partial: fell silent after 1 line")
	if got := b.released(); got != "one\n" {
		t.Errorf("released %q", got)
	}
}

func TestAliveButMute(t *testing.T) {
	b := newTable(t, nil, "a")
	b.hello("a", 1)
	b.data("a", 1, 2, 0, "one\n")
	asked := 0
	for range 30 {
		for _, word := range strings.Fields(b.pass(500 * time.Millisecond)) {
			switch word {
			case "ping:a":
				b.g.Pong("a", b.now)
			case "ask:a":
				asked++
			}
		}
		asked += strings.Count(b.sent(), "ask:a")
	}
	b.wantStatus("a", "partial: is alive, but sends no more of its answer")
	if asked < 3 {
		t.Errorf("asked again %d times", asked)
	}
}

func TestGapIsAskedForOnce(t *testing.T) {
	b := newTable(t, nil, "a")
	b.hello("a", 1)
	b.sent()
	_, raw := lineData(0, "one\n")
	b.data("a", 1, 3, raw, "two\n")
	b.wantSent("grant:a/ack1/resend2")
	b.data("a", 1, 4, 2*raw, "six\n")
	b.wantSent("")
	if got := b.pass(250 * time.Millisecond); got != "grant:a/ack1/resend2" {
		t.Errorf("the request is repeated as %q", got)
	}
	for i, text := range []string{"one\n", "two\n", "six\n", "six\n", "one\n"} { // the last two are duplicates
		b.data("a", 1, uint64(2+i%3), int64(i%3)*raw, text)
	}
	b.frame("a", schemas.Frame{Run: 1, Seq: 5, End: &schemas.End{Lines: 3, Chunks: 3, RawBytes: 3 * raw, TextBytes: 12}})
	if got := b.released(); got != "one\ntwo\nsix\n" {
		t.Errorf("released %q", got)
	}
	b.wantStatus("a", "complete")
}

func TestTheLostTailIsNoticed(t *testing.T) {
	b := newTable(t, nil, "a")
	b.hello("a", 1)
	b.sent()
	b.frame("a", schemas.Frame{Run: 1, Seq: 3, Progress: &schemas.Progress{}})
	b.wantSent("grant:a/ack1/resend2")
}

func TestWhatNoNodeMaySend(t *testing.T) {
	_, raw := lineData(0, "one\n")
	for name, c := range map[string]struct {
		do   func(b *desk)
		want string
	}{
		"counts too much": {func(b *desk) {
			b.data("a", 1, 2, 0, "one\n")
			b.frame("a", schemas.Frame{Run: 1, Seq: 3, End: &schemas.End{Lines: 2, Chunks: 1, RawBytes: raw, TextBytes: 4}})
		}, "partial: counts 2 lines, 1 came"},
		"counts nothing": {func(b *desk) {
			b.data("a", 1, 2, 0, "one\n")
			b.frame("a", schemas.Frame{Run: 1, Seq: 3, End: &schemas.End{}})
		}, "partial: counts 0 chunks, 1 came"},
		"wrong offset": {func(b *desk) { b.data("a", 1, 2, 5, "one\n") }, "error: sent what it may not"},
		"beyond credit": {func(b *desk) {
			offset := int64(0)
			for seq := uint64(2); seq < 200 && b.status("a") == "partial: not through"; seq++ {
				offset = b.data("a", 1, seq, offset, strings.Repeat("x", 200<<10)+"\n")
			}
		}, "error: sent what it may not"},
		"glued lines": {func(b *desk) { b.data("a", 1, 2, 0, "one") }, "error: sent what it may not"},
		"half a line": {func(b *desk) {
			d, raw := lineData(0, "one")
			d.Chunks[0].More = true
			b.frame("a", schemas.Frame{Run: 1, Seq: 2, Data: d})
			b.frame("a", schemas.Frame{Run: 1, Seq: 3, End: &schemas.End{Lines: 1, Chunks: 1, RawBytes: raw, TextBytes: 3}})
		}, "partial: ended in the middle of a line"},
		"file failed": {func(b *desk) {
			b.frame("a", schemas.Frame{Run: 1, Seq: 2, End: &schemas.End{Status: schemas.StatusPartial, Errors: []schemas.FileError{{File: "/x", Err: "gone"}}, ErrorCount: 1}})
		}, "partial: /x: gone"},
	} {
		b := newTable(t, nil, "a", "b")
		b.hello("a", 1)
		c.do(b)
		if got := b.status("a"); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestUnreadableFrames(t *testing.T) {
	b := newTable(t, nil, "a")
	for range 80 {
		b.g.Frame("a", []byte{0x97, 2, 1, 1, 0xc0, 0xc0, 0xc0, 0xc0}, b.now)
		b.pass(50 * time.Millisecond)
	}
	b.wantStatus("a", "error: sent what cannot be read: frame: version 2 is not supported")
}

func TestTwoNodesOfOneName(t *testing.T) {
	b := newTable(t, nil, "a")
	b.hello("a", 1)
	b.sent()
	b.hello("a", 2)
	b.wantStatus("a", "error: duplicate node name: runs on host1 and on host2")
	if got := b.sent(); strings.Count(got, "/stop") != 2 {
		t.Errorf("both are told to stop by %q", got)
	}
	b = newTable(t, nil, "a", "z") // the first is through already
	b.frame("a", schemas.Frame{Run: 1, Seq: 1, Hello: &schemas.Hello{Host: "host1"}, End: &schemas.End{}})
	b.wantStatus("a", "complete")
	b.hello("a", 2)
	b.wantStatus("a", "error: duplicate node name: runs on host1 and on host2")
}

// restarted has node z answer the query anew, after it was asked again.
func restarted(t *testing.T, b *desk) {
	t.Helper()
	b.pass(1550 * time.Millisecond)
	b.g.Pong("z", b.now)
	if got := b.sent(); !strings.Contains(got, "ask:z") {
		t.Fatalf("a node that is alive and silent is not asked again: %q", got)
	}
	b.hello("z", 2)
}

func TestARestartReplacesWhatWasNotReleased(t *testing.T) {
	b := newTable(t, nil, "a", "z")
	b.hello("a", 9)
	b.hello("z", 1)
	b.data("z", 1, 2, 0, "old\n")
	b.frame("a", schemas.Frame{Run: 9, Seq: 1, Progress: &schemas.Progress{}})
	restarted(t, b)
	end := b.data("z", 2, 2, 0, "new\n")
	b.frame("z", schemas.Frame{Run: 2, Seq: 3, End: &schemas.End{Lines: 1, Chunks: 1, RawBytes: end, TextBytes: 4}})
	b.frame("a", schemas.Frame{Run: 9, Seq: 2, End: &schemas.End{}})
	b.wantStatus("z", "partial: not through") // it may be a second node
	b.pass(trial + 100*time.Millisecond)
	if got := b.released(); got != "new\n" {
		t.Errorf("released %q", got)
	}
	b.wantStatus("z", "complete")
}

func TestARestartAfterReleaseIsPartial(t *testing.T) {
	b := newTable(t, nil, "z")
	b.hello("z", 1)
	b.data("z", 1, 2, 0, "old\n")
	if got := b.released(); got != "old\n" {
		t.Errorf("released %q", got)
	}
	restarted(t, b)
	b.wantStatus("z", "partial: restarted in the middle of its answer")
}

func TestALateTickExcusesSilence(t *testing.T) {
	b := newTable(t, nil, "a")
	b.hello("a", 1)
	b.sent()
	b.now = b.now.Add(20 * time.Second) // the requester was stopped, or its machine asleep
	b.g.Tick(b.now)
	b.wantStatus("a", "partial: not through")
	b.frame("a", schemas.Frame{Run: 1, Seq: 2, End: &schemas.End{}})
	b.wantStatus("a", "complete")
}

func TestLeasesAreKeptAliveWhileTheConsumerBlocks(t *testing.T) {
	b := newTable(t, nil, "a")
	b.hello("a", 1)
	controls := 0
	for range 130 {
		b.frame("a", schemas.Frame{Run: 1, Seq: 1, Progress: &schemas.Progress{}})
		controls += strings.Count(b.pass(500*time.Millisecond), "grant:a")
	}
	if controls < 6 || controls > 8 {
		t.Errorf("%d controls in 65 s", controls)
	}
}

func TestTimeLimit(t *testing.T) {
	b := newTable(t, func(q *schemas.Query) { q.Timeout = 5 * time.Second }, "a")
	b.hello("a", 1)
	b.data("a", 1, 2, 0, "one\n")
	for range 20 {
		b.frame("a", schemas.Frame{Run: 1, Seq: 2, Progress: &schemas.Progress{}})
		b.pass(500 * time.Millisecond)
	}
	b.wantStatus("a", "partial: time limit reached after 1 line")
}

func TestUnexpectedNodesAreShown(t *testing.T) {
	b := newTable(t, nil, "a")
	b.hello("a", 1)
	b.hello("b", 2)
	b.frame("a", schemas.Frame{Run: 1, Seq: 2, End: &schemas.End{}})
	if b.g.Settled() {
		t.Error("does not wait for a node that is answering")
	}
	end := b.data("b", 2, 2, 0, "b\n")
	b.frame("b", schemas.Frame{Run: 2, Seq: 3, End: &schemas.End{Lines: 1, Chunks: 1, RawBytes: end, TextBytes: 2}})
	r := b.g.Receipt(b.now)
	if got := b.released(); got != "b\n" || !b.g.Done() || len(r.Nodes) != 2 || !r.Nodes[1].Unexpected || r.Nodes[0].Unexpected {
		t.Errorf("released %q: %s", got, r.Text())
	}
	b.g.Frame("not a.token", schemas.AppendFrame(nil, &schemas.Frame{Run: 1, Seq: 1, Hello: &schemas.Hello{}}), b.now)
	if len(b.g.order) != 2 {
		t.Error("a name that is no token gets an account")
	}
}

// TestCreditStaysInTheWindow has 40 nodes send all they may, with a consumer that stands still, then
// one that reads: the first must never wait for the others.
func TestCreditStaysInTheWindow(t *testing.T) {
	for _, order := range []schemas.Order{schemas.OrderNode, schemas.OrderArrival} {
		var names []string
		for i := range 40 {
			names = append(names, fmt.Sprint("n", i))
		}
		b := newTable(t, func(q *schemas.Query) { q.Order = order }, names...)
		offset := map[string]int64{}
		seq := map[string]uint64{}
		for _, n := range names {
			b.hello(n, 1)
			seq[n] = 1
		}
		text := strings.Repeat("x", 100<<10) + "\n"
		_, raw := lineData(0, text)
		send := func() {
			for _, n := range names {
				for b.g.nodes[n].granted-offset[n] >= raw {
					seq[n]++
					offset[n] = b.data(n, 1, seq[n], offset[n], text)
				}
			}
		}
		for range 20 {
			send()
			b.pass(50 * time.Millisecond)
		}
		if held := b.g.credit.held; held > DefaultWindow {
			t.Errorf("order %d: %d bytes are held", order, held)
		}
		before := offset["n0"]
		for range 20 {
			for r, ok := b.g.Next(); ok; r, ok = b.g.Next() {
				b.g.Consumed(r, b.now)
			}
			send()
			b.pass(50 * time.Millisecond)
		}
		if offset["n0"]-before < 10*headWindow {
			t.Errorf("order %d: the first sent %d bytes while the consumer read", order, offset["n0"]-before)
		}
		if held := b.g.credit.held; held > DefaultWindow {
			t.Errorf("order %d: %d bytes are held", order, held)
		}
	}
}
