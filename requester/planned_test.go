package requester

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/requester/blockplan"
	"github.com/trawl-logs/trawl/schemas"
)

// storeBench is a Gather of a planned query, fed by hand.
type storeBench struct {
	t    *testing.T
	g    *Gather
	now  time.Time
	sent map[string]uint64 // seq of the last frame, by account
	raw  map[string]int64
	asks map[string]*schemas.Query // by account
	out  []Release
	run  uint64              // of all frames
	errs []schemas.FileError // of the next End
	held bool                // nothing is released by itself
}

// twoOwners is one block of node a, which b and c have, and nodes that are sealed up to a time.
func twoOwners(until int64) ([]schemas.Node, *schemas.BlockRecord) {
	var nodes []schemas.Node
	for _, name := range []string{"a", "b", "c"} {
		nodes = append(nodes, schemas.Node{Name: name, Instance: "i", Services: []string{"s"}, Store: &schemas.NodeStore{Services: []schemas.SealedService{{Service: "s", Until: until}}}})
	}
	return nodes, &schemas.BlockRecord{ID: schemas.BlockID{1}, Home: "a", Service: "s", Timed: true, MinTime: 1, MaxTime: 9, Stored: 1, Owners: []string{"b", "c"}}
}

func newStoreBench(t *testing.T, q *schemas.Query, nodes []schemas.Node, blocks ...*schemas.BlockRecord) *storeBench {
	t.Helper()
	plan, err := blockplan.Make(&blockplan.Question{Select: &q.Select, Since: q.Since, Until: q.Until, Nodes: nodes, Blocks: blocks, Revision: 7})
	if err != nil {
		t.Fatal(err)
	}
	return benchOf(t, q, plan)
}

func benchOf(t *testing.T, q *schemas.Query, plan *blockplan.Plan) *storeBench {
	b := &storeBench{t: t, run: 5, now: simStart, sent: map[string]uint64{}, raw: map[string]int64{}, asks: map[string]*schemas.Query{}}
	b.g = NewPlannedGather(q, plan, RosterRegistered, 0)
	b.g.Start(b.now)
	b.pump()
	return b
}

// pump takes what is sent, and releases what there is.
func (b *storeBench) pump() {
	for _, o := range b.g.Take() {
		if ask, is := o.(Ask); is {
			b.asks[Account(ask.Part, ask.To.Node)] = ask.Query
		}
	}
	for !b.held {
		r, ok := b.g.Next()
		if !ok {
			return
		}
		b.out = append(b.out, r)
		b.g.Consumed(r, b.now)
	}
}

// later passes some time in which nobody says anything.
func (b *storeBench) later() {
	b.t.Helper()
	b.now = b.now.Add(50 * time.Millisecond)
	b.g.Probed(b.now)
	b.g.Tick(b.now)
	b.pump()
	if b.now.Sub(simStart) > 15*time.Second {
		b.t.Fatal("nobody is asked")
	}
}

// frames gives the Gather a node's chunks, and its End if ended.
func (b *storeBench) frames(account string, ended bool, chunks ...schemas.Chunk) {
	b.t.Helper()
	frame := func(f schemas.Frame) {
		b.sent[account]++
		f.Run, f.Seq = b.run, b.sent[account]
		b.g.Frame(account, schemas.AppendFrame(nil, &f), b.now)
	}
	if b.sent[account] == 0 {
		frame(schemas.Frame{Hello: &schemas.Hello{Instance: account, Files: 1}})
	}
	end := schemas.End{Files: 1, Errors: b.errs, ErrorCount: int64(len(b.errs))}
	if len(b.errs) > 0 {
		end.Status = schemas.StatusPartial
	}
	if len(chunks) > 0 {
		d := &schemas.Data{Offset: b.raw[account], Chunks: chunks}
		// The raw size is what the chunks take; the codec says.
		decoded, err := schemas.DecodeFrame(schemas.AppendFrame(nil, &schemas.Frame{Run: 5, Seq: 9, Data: d}))
		if err != nil {
			b.t.Fatal(err)
		}
		d.Raw = decoded.Data.Raw
		b.raw[account] += d.Raw
		frame(schemas.Frame{Data: d})
	}
	for i := range chunks {
		end.Chunks, end.TextBytes = end.Chunks+1, end.TextBytes+int64(len(chunks[i].Text))
		end.Lines += chunks[i].Selected('\n')
	}
	if ended {
		end.RawBytes, end.Selected = b.raw[account], end.Lines
		frame(schemas.Frame{End: &end})
	}
	b.pump()
}

// text is what was released, with who read it.
func (b *storeBench) text() string {
	var all []string
	for _, r := range b.out {
		for i := range r.Chunks {
			all = append(all, r.Node+":"+strings.ReplaceAll(string(r.Chunks[i].Text), "\n", "/"))
		}
	}
	return strings.Join(all, " ")
}

func lines(text string, offsets ...int64) schemas.Chunk {
	return schemas.Chunk{File: "log", Text: []byte(strings.ReplaceAll(text, "/", "\n")), Offsets: offsets, Origin: &schemas.Origin{Node: "a", Log: schemas.BlockID{7}}}
}

// Of a node that is down, with all in range sealed, nothing is missing; where the range reaches what it has not
// sealed, the receipt says since when. Who had a part of its blocks goes on behind the last line.
func TestDeadOwner(t *testing.T) {
	for _, c := range []struct {
		until int64
		want  string // of the receipt
		exit  int
	}{
		{until: 50, exit: ExitMatch, want: "1 of 3 nodes complete, 1 pruned, 3 lines (6 B), searched 0 B of 0 B in 0 ms\n" +
			"  b  down  sealed, and read elsewhere; nobody is subscribed for it\n  1 sealed block by list revision 7: c 1\n"},
		{exit: ExitMatchPartial, want: "2 of 3 nodes complete, 3 lines (6 B), searched 0 B of 0 B in 0 ms\n" +
			"  b  down  unsealed tail since 1970-01-01T00:01:40Z; nobody is subscribed for it\n  1 sealed block by list revision 7: c 1\n"},
	} {
		nodes, block := twoOwners(100e9)
		q := NewQuery("x")
		q.Until = c.until
		b := newStoreBench(t, q, nodes, block)
		if p := b.asks["b"].Plan; len(p.Read) != 1 || p.Read[0].Home != "a" || p.Only || p.Revision != 7 {
			t.Fatalf("b is asked %+v", p)
		}
		if c.until == 0 {
			if p := b.asks["a"].Plan; len(p.Leave) != 1 || p.Leave[0] != block.ID {
				t.Fatalf("a is asked %+v", p)
			}
			b.frames("a", true)
		} else if b.asks["a"] != nil {
			t.Fatal("a is asked, and has nothing in range")
		}
		b.g.NoResponders("b", b.now)
		b.pump()
		p := b.asks["c/1"]
		if p == nil || !p.Plan.Only || len(p.Plan.Read) != 1 || p.ID != PartID(q.ID, 1) {
			t.Fatalf("c is asked %+v", p)
		}
		b.frames("c/1", true, lines("1/2/3/", 0, 2, 4))
		if c.until == 0 {
			b.frames("c", true)
		}
		if !b.g.Done() {
			t.Fatal("not done")
		}
		r := b.g.Receipt(b.now)
		if r.Text() != c.want || r.Exit(false) != c.exit {
			t.Errorf("until %d: exit %d\n%swant\n%s", c.until, r.Exit(false), r.Text(), c.want)
		}
	}
}

// An owner that dies half-way is inherited from behind its last line, also if it is in the middle of one that was not
// released yet; its output stands in its place.
func TestOwnerDiesHalfWay(t *testing.T) {
	nodes, block := twoOwners(100)
	q := NewQuery("x")
	q.Until = 50
	b := newStoreBench(t, q, nodes, block)
	b.frames("b", false, lines("1/2/", 0, 2))
	b.now = b.now.Add(time.Second)
	open := lines("3-----", 4)
	open.More = true
	// What is not released is held back by nothing here: so the line is torn, and said to be.
	b.frames("b", false, open)
	for b.asks["c/1"] == nil {
		b.later()
	}
	skip := b.asks["c/1"].Plan.Skip
	if len(skip) != 1 || skip[0] != (schemas.LogMark{Log: schemas.BlockID{7}, From: 4}) {
		t.Errorf("skip %v", skip)
	}
	b.frames("c/1", true, lines("3-----rest/4/", 4, 15))
	if got := b.text(); got != "b:1/2/ b:3----- b:/ c:4/" {
		t.Errorf("%s", got)
	}
	r := b.g.Receipt(b.now)
	if r.Complete || !strings.Contains(r.Nodes[1].Reason, "the rest of a line is missing") {
		t.Errorf("%+v", r.Nodes[1])
	}
}

// A block that its reader has not is asked of another owner, and where there is none, it is missing.
func TestUnreadBlock(t *testing.T) {
	nodes, block := twoOwners(100)
	q := NewQuery("x")
	q.Until = 50
	b := newStoreBench(t, q, nodes, block)
	unread := schemas.Chunk{Kind: schemas.ChunkUnread, Text: block.ID[:], Origin: &schemas.Origin{Node: "a"}}
	b.frames("b", true, unread)
	b.frames("c/1", true, lines("1/", 0))
	if r := b.g.Receipt(b.now); !b.g.Done() || !r.Complete || b.text() != "c:1/" || r.Exit(false) != ExitMatch {
		t.Errorf("%s %+v", b.text(), r)
	}

	b = newStoreBench(t, q, nodes, block)
	b.frames("b", true, unread)
	b.frames("c/1", true, unread)
	b.frames("a/1", true, unread) // which sealed it
	r := b.g.Receipt(b.now)
	if !b.g.Done() || r.Complete || r.Store.Missing != 1 || r.Exit(false) != ExitNonePartial || !strings.Contains(r.Text(), "b  partial  1 sealed block could not be read") {
		t.Errorf("%+v\n%s", r, r.Text())
	}
}

// What an heir could not read in full is missing of the node that it inherited from, whether that is down or has said
// that it has not the block.
func TestHeirWithErrors(t *testing.T) {
	for name, status := range map[string]schemas.Status{"down": schemas.StatusDown, "unread": schemas.StatusPartial} {
		nodes, block := twoOwners(100)
		q := NewQuery("x")
		q.Until = 50
		b := newStoreBench(t, q, nodes, block)
		if name == "down" {
			b.g.NoResponders("b", b.now)
			b.pump()
		} else {
			b.frames("b", true, schemas.Chunk{Kind: schemas.ChunkUnread, Text: block.ID[:], Origin: &schemas.Origin{Node: "a"}})
		}
		b.errs = []schemas.FileError{{File: "log", Err: "the disk is broken"}}
		b.frames("c/1", true, lines("1/", 0))
		r := b.g.Receipt(b.now)
		if !b.g.Done() || r.Complete || r.Exit(false) != ExitMatchPartial || !r.Trouble() || b.text() != "c:1/" {
			t.Errorf("%s: exit %d, complete %t, %s\n%s", name, r.Exit(false), r.Complete, b.text(), r.Text())
		}
		n := r.Nodes[1]
		if n.Node != "b" || n.Status != status || n.Sealed || !strings.Contains(n.Reason, "c read what it took over with errors: log: the disk is broken") {
			t.Errorf("%s: %+v", name, n)
		}
	}
}

// A node that restarts is not asked again for the blocks that it has said it has not: others read them by then. Its own
// it leaves to them.
func TestRestartedReaderOfUnread(t *testing.T) {
	for home, leaves := range map[string]int{"a": 0, "b": 1} {
		nodes, block := twoOwners(100)
		block.Home = home
		other := *block
		other.ID, other.Owners = schemas.BlockID{2}, []string{"b"}
		b := newStoreBench(t, NewQuery("x"), nodes, block, &other) // a, which is not through, comes before b: nothing of b is released
		p := b.g.nodes["b"].share.ask.Plan
		first := fmt.Sprint(p)
		unread := schemas.Chunk{Kind: schemas.ChunkUnread, Text: block.ID[:], Origin: &schemas.Origin{Node: home}}
		b.frames("b", false, unread)
		if b.asks["c/1"] == nil {
			t.Fatal("c is not asked")
		}
		b.g.ask(b.g.nodes["b"], b.now)
		b.pump()
		plan := b.asks["b"].Plan
		var read []schemas.BlockID
		for _, r := range plan.Read {
			read = append(read, r.Blocks...)
		}
		if slices.Contains(read, block.ID) || home == "a" && !slices.Contains(read, other.ID) || len(plan.Leave) != leaves || leaves > 0 && plan.Leave[0] != block.ID {
			t.Errorf("b is asked again %+v", plan)
		}
		if got := fmt.Sprint(p); got != first {
			t.Errorf("the plan was %s, is %s", first, got)
		}
		// An heir that has none of it is asked again for nothing.
		b.frames("c/1", false, unread)
		if again := b.g.planOf(b.g.nodes["c/1"]); !again.Plan.Only || len(again.Plan.Read)+len(again.Plan.Leave) > 0 {
			t.Errorf("c is asked again %+v", again.Plan)
		}
	}
}

// Nothing in range is anywhere but in blocks, and there are none: that proves that there is no line.
func TestAllPruned(t *testing.T) {
	nodes, _ := twoOwners(100)
	q := NewQuery("x")
	q.Until = 50
	b := newStoreBench(t, q, nodes)
	if r := b.g.Receipt(b.now); !b.g.Done() || len(b.asks) > 0 || !r.Complete || r.Exit(false) != ExitNone {
		t.Errorf("%+v", r)
	}
}

// A block that is retired is wanted of nobody: that its home has but its stub is no lack. One that the list as it was
// read does not have may be one.
func TestRetiredBlockIsNoLack(t *testing.T) {
	for state, complete := range map[schemas.BlockState]bool{schemas.BlockRetired: true, schemas.BlockKept: false} {
		nodes, block := twoOwners(100)
		listed := *block
		listed.State = state
		if !complete {
			listed.ID = schemas.BlockID{2}
		}
		b := newStoreBench(t, NewQuery("x"), nodes, &listed)
		b.frames("a", true, schemas.Chunk{Kind: schemas.ChunkUnread, Text: block.ID[:], Origin: &schemas.Origin{Node: "a"}})
		b.frames("b", true)
		b.frames("c", true)
		if r := b.g.Receipt(b.now); !b.g.Done() || r.Complete != complete || (r.Store.Missing == 0) != complete {
			t.Errorf("state %d: %+v\n%s", state, r, r.Text())
		}
	}
}

// A node that was stopped before it had read its blocks has not failed to read them.
func TestStoppedReader(t *testing.T) {
	nodes, block := twoOwners(100)
	q := NewQuery("x")
	q.Limit = 1
	b := newStoreBench(t, q, nodes, block)
	b.frames("a", true, schemas.Chunk{File: "own", Text: []byte("1\n"), Offsets: []int64{0}})
	r := b.g.Receipt(b.now)
	if n := r.Nodes[1]; !r.Satisfied || r.Complete || r.Store.Missing > 0 || n.Status != schemas.StatusStopped || n.Reason != "limit reached" || n.SealedBlocks > 0 || !strings.Contains(r.Text(), "  1 sealed block by list revision 7\n") {
		t.Errorf("%+v\n%s", n, r.Text())
	}
}

// A node that was given up, and speaks again in time, may take over what others had to read.
func TestRevivedNodeTakesOver(t *testing.T) {
	nodes, block := twoOwners(100)
	b := newStoreBench(t, NewQuery("x"), nodes, block)
	b.frames("a", false) // before b and c: nothing of them is released
	b.g.NoResponders("c", b.now)
	b.pump()
	b.frames("c", true)
	if r := b.g.Receipt(b.now); r.Nodes[2].Status != schemas.StatusComplete {
		t.Fatalf("%s", r.Text())
	}
	b.g.NoResponders("b", b.now)
	b.pump()
	if b.asks["c/1"] == nil {
		t.Errorf("c, which is back, is not asked for what b was to read:\n%s", b.g.Receipt(b.now).Text())
	}
}

// Where too much has come to say in a query from where on the rest is wanted, nobody is asked; it is said, and who would
// have been asked is none the worse for it.
func TestTakeOverThatHasNoRoom(t *testing.T) {
	nodes, block := twoOwners(100)
	q := NewQuery("x")
	q.Until = 50
	plan, err := blockplan.Make(&blockplan.Question{Select: &q.Select, Until: q.Until, Nodes: nodes, Blocks: []*schemas.BlockRecord{block}, Revision: 7, Room: 120})
	if err != nil {
		t.Fatal(err)
	}
	b := benchOf(t, q, plan)
	var chunks []schemas.Chunk
	for i := range 5 {
		c := lines("1/", 0)
		c.Origin = &schemas.Origin{Node: "a", Log: schemas.BlockID{byte(i)}}
		chunks = append(chunks, c)
	}
	b.frames("b", false, chunks...)
	for !b.g.Done() {
		b.later()
	}
	r := b.g.Receipt(b.now)
	if b.asks["c/1"] != nil || b.g.plan.failed["c"] || r.Complete || r.Store.Missing != 1 ||
		!strings.Contains(r.Nodes[1].Reason, "1 sealed block could not be read: a sealed block and 5 logs of which some has come for node c") {
		t.Errorf("%s", r.Text())
	}
}
