package responder

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/schemas"
)

// holders are a node that seals, web1, and others that hold copies of its blocks.
type holders struct {
	*sealedNode
	others []*fleet
	asked  int
}

// newHolders starts so many others.
func newHolders(n *sealedNode, others int) *holders {
	h := &holders{sealedNode: n}
	for i := range others {
		f, _ := newFleet(n.t, func(c *Config) { c.Node, c.State, c.Index.Level = fmt.Sprint("web", i+2), n.t.TempDir(), indexOff }, nil)
		f.r.compile = compile
		if _, _, err := f.r.Scan(context.Background()); err != nil {
			n.t.Fatal(err)
		}
		n.t.Cleanup(func() { f.stop(); f.r.foreign.close() })
		h.others = append(h.others, f)
	}
	return h
}

func (h *holders) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// copyTo gives another node a block.
func (h *holders) copyTo(f *fleet, id seal.ID) {
	h.t.Helper()
	to, err := f.r.foreign.make("web1")
	h.must(err)
	in, b, err := h.r.sealing.store.File(id)
	h.must(err)
	defer in.Close()
	out, _, err := to.Partial(id)
	h.must(err)
	defer out.Close()
	_, err = io.Copy(out, in)
	h.must(err)
	h.must(to.Adopt(context.Background(), id, b.Checksum, func(context.Context) error { return nil }))
}

// spread draws who holds which block: 0 is web1 itself.
func (h *holders) spread(rng *rand.Rand) (owners map[seal.ID][]int) {
	h.t.Helper()
	owners = map[seal.ID][]int{}
	for _, b := range h.r.sealing.store.Blocks() {
		some := rng.Perm(len(h.others) + 1)[:1+rng.IntN(len(h.others))]
		owners[b.ID] = some
		for _, k := range some {
			if k > 0 {
				h.copyTo(h.others[k-1], b.ID)
			}
		}
		if !slices.Contains(some, 0) {
			h.must(h.r.sealing.store.Shed(b.ID))
		}
	}
	return owners
}

// plans has each block read by one of its owners.
func (h *holders) plans(rng *rand.Rand, owners map[seal.ID][]int) []*schemas.Plan {
	plans := []*schemas.Plan{{Revision: 7}}
	for range h.others {
		plans = append(plans, &schemas.Plan{Revision: 7, Read: []schemas.PlanRead{{Home: "web1"}}})
	}
	for _, id := range slices.SortedFunc(maps.Keys(owners), func(a, b seal.ID) int { return bytes.Compare(a[:], b[:]) }) {
		k := owners[id][rng.IntN(len(owners[id]))]
		if k > 0 {
			plans[0].Leave = append(plans[0].Leave, schemas.BlockID(id))
			plans[k].Read[0].Blocks = append(plans[k].Read[0].Blocks, schemas.BlockID(id))
		}
	}
	return plans
}

// chunks asks one node.
func (h *holders) chunks(f *fleet, q *schemas.Query, p *schemas.Plan) ([]schemas.Chunk, *schemas.End) {
	h.t.Helper()
	mine := *q
	h.asked++
	mine.ID, mine.Plan = fmt.Sprint(q.ID, "-", h.asked), p
	k := f.ask(&mine)
	for deadline := time.Now().Add(time.Minute); f.end(k) == nil; time.Sleep(50 * time.Microsecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("no End of %v", k)
		}
	}
	var chunks []schemas.Chunk
	seq := uint64(0)
	for _, frame := range f.numbered(k) {
		if frame.Data != nil && frame.Seq > seq {
			seq = frame.Seq
			chunks = append(chunks, frame.Data.Chunks...)
		}
	}
	end := f.end(k)
	f.forget(k)
	return chunks, end
}

// given is a line, or what there is in its place.
type given struct {
	file           string
	offset, number int64
	time           int64
	text           string
	context        bool
}

// lineOf gives the lines of chunks, those of each file in its order.
func linesOf(t *testing.T, chunks []schemas.Chunk, contexts bool) (out []given) {
	t.Helper()
	for i := range chunks {
		c := &chunks[i]
		if c.Kind != schemas.ChunkLines {
			continue
		}
		run, left, n := -1, int64(0), 0
		for line := range bytes.Lines(c.Text) {
			for left == 0 && run+1 < len(c.Context) {
				run++
				left = c.Context[run]
			}
			left--
			g := given{file: c.File, text: string(line), context: run%2 == 1}
			if len(c.Offsets) > 0 {
				g.offset = c.Offsets[n]
			}
			if len(c.Numbers) > 0 {
				g.number = c.Numbers[n]
			}
			if len(c.Times) > 0 {
				g.time = c.Times[n]
			}
			if n++; !g.context || contexts {
				out = append(out, g)
			}
		}
		if c.More || c.Continues {
			t.Fatal("a line in two")
		}
	}
	slices.SortStableFunc(out, func(a, b given) int { return cmp.Or(strings.Compare(a.file, b.file), cmp.Compare(a.offset, b.offset)) })
	return out
}

// counted are the counts of files with any, and the files themselves.
func counted(chunks []schemas.Chunk) (counts map[string]int64, files map[string]bool) {
	counts, files = map[string]int64{}, map[string]bool{}
	for _, c := range chunks {
		if c.Kind == schemas.ChunkCount && c.Count > 0 {
			counts[c.File] += c.Count
		}
		if c.Kind == schemas.ChunkFile {
			files[c.File] = true
		}
	}
	return counts, files
}

// sameByPlan asks all by plans, and compares what they say together with what the plain node says.
func (h *holders) sameByPlan(q *schemas.Query, plans []*schemas.Plan) {
	h.t.Helper()
	want, _ := h.chunks(h.plain.fleet, q, nil)
	h.sameAs(want, q, plans)
}

// sameAs asks all by plans.
func (h *holders) sameAs(want []schemas.Chunk, q *schemas.Query, plans []*schemas.Plan) {
	h.t.Helper()
	got := h.byPlan(q, plans)
	for _, c := range got {
		if c.Kind == schemas.ChunkUnread {
			h.t.Fatalf("%s: %+v", flags(q), c)
		}
	}
	h.addUp(got, want, q)
}

// byPlan asks all by plans; nil: not that one.
func (h *holders) byPlan(q *schemas.Query, plans []*schemas.Plan) (got []schemas.Chunk) {
	h.t.Helper()
	for i, p := range plans {
		if p == nil {
			continue
		}
		f := h.fleet
		if i > 0 {
			f = h.others[i-1]
		}
		chunks, end := h.chunks(f, q, p)
		if end.Status != schemas.StatusComplete {
			h.t.Fatalf("%s: node %d: %+v", flags(q), i, end)
		}
		for _, c := range chunks {
			if c.Origin == nil || c.Origin.Node != "web1" {
				h.t.Fatalf("%s: node %d gives %+v", flags(q), i, c)
			}
		}
		got = append(got, chunks...)
	}
	return got
}

// addUp compares what several said together with what one says.
func (h *holders) addUp(got, want []schemas.Chunk, q *schemas.Query) {
	h.t.Helper()
	if g, w := linesOf(h.t, got, false), linesOf(h.t, want, false); !slices.Equal(g, w) {
		h.t.Fatalf("%s: %q: %d lines, want %d\n%s", flags(q), q.Patterns, len(g), len(w), firstOther(g, w))
	}
	counts, files := counted(got)
	if wantCounts, wantFiles := counted(want); !maps.Equal(counts, wantCounts) || !maps.Equal(files, wantFiles) {
		h.t.Fatalf("%s: %q: %v, %v; want %v, %v", flags(q), q.Patterns, counts, files, wantCounts, wantFiles)
	}
	known := map[given]bool{}
	for _, g := range linesOf(h.t, want, true) {
		known[g] = true
	}
	for _, g := range linesOf(h.t, got, true) {
		if g.context && !known[g] {
			if g.context = false; !known[g] { // which another node gives for its own sake
				h.t.Fatalf("%s: %q: context of its own: %+v", flags(q), q.Patterns, g)
			}
		}
	}
}

func firstOther(got, want []given) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("not found: %+v", want[i])
		case i >= len(want):
			return fmt.Sprintf("found: %+v", got[i])
		case got[i] != want[i]:
			return fmt.Sprintf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
	return ""
}

// drawPlanned draws a query whose answers add up: what holds over a file as a whole is for who asks.
func drawPlanned(rng *rand.Rand, text, id string) *schemas.Query {
	q := drawQuery(rng, text, id)
	q.MaxCount, q.Limit, q.Order = -1, 0, schemas.OrderNode
	if q.Mode > schemas.ModeFiles {
		q.Mode = schemas.ModeCount
	}
	q.Columns |= schemas.ColumnNumber | schemas.ColumnOffset
	if rng.IntN(3) == 0 {
		q.Columns |= schemas.ColumnTime
	}
	if rng.IntN(6) == 0 && q.Before+q.After == 0 {
		q.Order, q.Columns = schemas.OrderTime, q.Columns|schemas.ColumnTime
	}
	q.Exhaustive = rng.IntN(4) == 0
	return q
}

// Whoever reads which block: together the nodes give each line once, as it stands in the log, whether the log is
// there, grows, or is gone.
func TestPlannedAnswersAddUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 20))
	queries := 40
	if testing.Short() { // under the race detector
		queries = 12
	}
	for round := range 3 {
		text, other := drawLog(rng, 700), drawLog(rng, 200)
		n := sealedFleet(t, []int{64, 100, 200}[round], map[string]string{"a.log": text, "sub/b.log": other})
		n.seal(time.Date(2026, 3, 1, 0, 40, 0, 0, time.UTC))
		if round == 0 {
			n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
		}
		h := newHolders(n, 2)
		owners := h.spread(rng)
		if len(owners) < 4 {
			t.Fatalf("%d blocks", len(owners))
		}
		ask := func(what string) {
			for i := range queries / 4 {
				q := drawPlanned(rng, text+other, fmt.Sprint(what, round, "-", i))
				h.sameByPlan(q, h.plans(rng, owners))
			}
		}
		ask("live")
		appendTo(t, filepath.Join(n.dir, "a.log"), drawLog(rng, 50))
		ask("grown")
		n.seal(time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)) // into blocks that no plan knows
		ask("sealed")
		var asked []*schemas.Query
		var wants [][]schemas.Chunk
		for i := range queries / 4 {
			q := drawPlanned(rng, text+other, fmt.Sprint("gone", round, "-", i))
			want, _ := h.chunks(h.plain.fleet, q, nil)
			asked, wants = append(asked, q), append(wants, want)
		}
		remove(t, filepath.Join(n.dir, "a.log"))
		remove(t, filepath.Join(n.dir, "sub/b.log"))
		for range 2 {
			for i, q := range asked {
				h.sameAs(wants[i], q, h.plans(rng, owners))
			}
			n.stop()
			n.start(t, 100)
		}
	}
}

// moveSome draws moves between the nodes: a block goes nowhere where it is the last one.
func (h *holders) moveSome(rng *rand.Rand, owners map[seal.ID][]int) {
	h.t.Helper()
	for _, id := range slices.SortedFunc(maps.Keys(owners), func(a, b seal.ID) int { return bytes.Compare(a[:], b[:]) }) {
		k := rng.IntN(len(h.others) + 1)
		store := h.r.sealing.store
		if k > 0 {
			store = h.others[k-1].r.foreign.of("web1")
		}
		switch has := slices.Contains(owners[id], k); {
		case has && len(owners[id]) > 1 && rng.IntN(2) == 0:
			h.must(store.Shed(id))
			owners[id] = slices.DeleteFunc(owners[id], func(n int) bool { return n == k })
		case !has && k > 0 && slices.Contains(owners[id], 0):
			h.copyTo(h.others[k-1], id)
			owners[id] = append(owners[id], k)
		}
	}
}

// Blocks move after a plan was made: what a node does not find any more it names, and with what the nodes that have
// it by then say each line is given once.
func TestStalePlansAddUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 25))
	text := drawLog(rng, 500)
	n := sealedFleet(t, 64, map[string]string{"a.log": text})
	n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	h := newHolders(n, 2)
	owners := map[seal.ID][]int{}
	for _, b := range h.r.sealing.store.Blocks() {
		owners[b.ID] = []int{0, 1, 2}
		h.copyTo(h.others[0], b.ID)
		h.copyTo(h.others[1], b.ID)
	}
	var asked []*schemas.Query
	var wants [][]schemas.Chunk
	for i := range 24 {
		q := drawPlanned(rng, text, fmt.Sprint("stale", i))
		want, _ := h.chunks(h.plain.fleet, q, nil)
		asked, wants = append(asked, q), append(wants, want)
	}
	moved := 0
	for i, q := range asked {
		if i == len(asked)/3 {
			remove(t, filepath.Join(n.dir, "a.log"))
		}
		plans := h.plans(rng, owners)
		h.moveSome(rng, owners)
		got := h.byPlan(q, plans)
		again := make([]*schemas.Plan, len(plans))
		for _, id := range unreadOf(got)["web1"] {
			have := owners[seal.ID(id)]
			k := have[rng.IntN(len(have))]
			if again[k] == nil {
				again[k] = &schemas.Plan{Only: true, Read: []schemas.PlanRead{{Home: "web1"}}}
			}
			again[k].Read[0].Blocks = append(again[k].Read[0].Blocks, id)
			moved++
		}
		got = append(slices.DeleteFunc(got, func(c schemas.Chunk) bool { return c.Kind == schemas.ChunkUnread }), h.byPlan(q, again)...)
		h.addUp(got, wants[i], q)
	}
	if moved == 0 {
		t.Error("no plan was ever stale")
	}
}

// A block that is copied here after the view was opened, which is to read it, is named as unread: it is not passed over.
func TestBlockThatCameSince(t *testing.T) {
	h := sealedHolders(t, drawLog(rand.New(rand.NewPCG(8, 33)), 200), false)
	r := h.others[0].r
	store := r.foreign.of("web1")
	ids := h.allBlocks()
	h.must(store.Shed(seal.ID(ids[1])))
	view := store.View()
	defer view.Close()
	h.copyTo(h.others[0], seal.ID(ids[1]))
	filter, err := source.Selection{}.Compile()
	h.must(err)
	p := &plan{r: r, sealed: newSealedPlan()}
	pieces := p.readOf(r, assigned(&schemas.Query{}), store, view, &schemas.PlanRead{Home: "web1", Blocks: ids}, filter)
	var bytes int64
	for _, e := range pieces {
		bytes += e.Size
	}
	var want int64
	for _, b := range store.Blocks() {
		if schemas.BlockID(b.ID) != ids[1] {
			want += b.Bytes
		}
	}
	if got := p.sealed.lacking["web1"]; !slices.Equal(got, ids[1:2]) || bytes != want {
		t.Errorf("unread %v, want %v; %d bytes, want %d", got, ids[1:2], bytes, want)
	}
}
