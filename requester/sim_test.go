package requester

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/outbox"
	"github.com/trawl-logs/trawl/schemas"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "run this seed of the simulation alone, and print what happens")
	simSeeds = flag.Uint64("sim.seeds", 2000, "how many seeds the simulation runs")
)

// fault is something that goes wrong at a time.
type fault struct {
	at   time.Duration
	kind string
	node int
	span time.Duration
}

// plan is what a seed has in store.
type plan struct {
	seed      uint64
	nodes     int
	size      int // bytes of a node's lines, at most
	batch     int
	longLines bool
	order     schemas.Order
	columns   schemas.Columns
	limit     int64
	window    int64
	roster    RosterKind
	delay     time.Duration
	loss      float64
	double    float64
	rate      float64       // of the consumer, bytes a second; 0: at once
	block     time.Duration // that it stands still in all
	faults    []fault
	mild      bool // nothing happens that any node's answer should not survive
}

func newPlan(seed uint64) plan {
	rng := rand.New(rand.NewPCG(seed, 1))
	pick := func(of ...int) int { return of[rng.IntN(len(of))] }
	p := plan{
		seed: seed, nodes: 1 + rng.IntN(6), size: pick(0, 2000, 2000, 20_000, 20_000, 200_000), batch: pick(200, 4000, 130_000),
		order:   []schemas.Order{schemas.OrderNode, schemas.OrderArrival, schemas.OrderTime}[rng.IntN(3)],
		columns: schemas.Columns(rng.IntN(2)), window: int64(pick(2<<20, 4<<20, 16<<20)), roster: RosterRegistered,
		delay: time.Duration(pick(0, 1, 5, 60)) * time.Millisecond, longLines: rng.IntN(4) == 0, mild: true,
	}
	if rng.IntN(30) == 0 {
		p.size, p.batch = 3<<20, 130_000
	}
	p.batch = max(p.batch, p.size/40)
	if p.order == schemas.OrderTime {
		p.columns |= schemas.ColumnTime
		if rng.IntN(3) == 0 {
			p.columns |= schemas.ColumnGroup
		}
	}
	if rng.IntN(3) == 0 {
		p.roster = RosterGiven
	}
	if rng.IntN(5) == 0 {
		p.limit = int64(1 + rng.IntN(300))
	}
	switch rng.IntN(4) {
	case 0:
		p.loss, p.double = 0.01, 0.05
	case 1:
		p.loss, p.double, p.mild = 0.2*rng.Float64(), 0.2, false
	}
	switch rng.IntN(6) {
	case 0:
		p.rate = float64(pick(200_000, 2_000_000))
	case 1:
		p.block = time.Duration(1+rng.IntN(60)) * time.Second
		p.faults = append(p.faults, fault{time.Duration(rng.IntN(300)) * time.Millisecond, "block", 0, p.block})
	}
	for range pick(0, 0, 1, 1, 2, 3) {
		kind := []string{"bus", "die", "restart", "pause", "garbage", "replay", "forge", "twin", "still", "sleep"}[rng.IntN(10)]
		p.mild = p.mild && slices.Contains([]string{"bus", "garbage", "still", "sleep"}, kind)
		p.faults = append(p.faults, fault{
			time.Duration(rng.IntN(pick(50, 400, 3000))) * time.Millisecond, kind, rng.IntN(p.nodes),
			time.Duration(50+rng.IntN(pick(400, 1500, 8000))) * time.Millisecond,
		})
	}
	return p
}

func (p plan) query() *schemas.Query {
	return &schemas.Query{
		ID: "q", Client: "c", Patterns: []string{"x"}, MaxCount: -1, Columns: p.columns, Order: p.order, Limit: p.limit, Timeout: 2 * time.Minute,
	}
}

// consume is how long the consumer needs for everything.
func (p plan) consume(w *world) time.Duration {
	if p.rate == 0 {
		return 0
	}
	total := 0
	for _, n := range w.nodes {
		total += 2 * len(n.text)
	}
	return time.Duration(float64(total) / p.rate * float64(time.Second))
}

// fault lets something go wrong.
func (w *world) fault(f fault) {
	n := w.nodes[w.names[f.node]]
	w.note("%s %s for %s", f.kind, n.name, f.span)
	switch f.kind {
	case "bus":
		w.restartBus(f.span)
	case "block":
		w.blocked = w.now.Add(f.span)
		w.after(f.span, func() { w.consume() })
	case "die":
		n.up = false
		n.forget()
	case "restart":
		n.up = false
		n.forget()
		n.instance++
		w.after(f.span, func() { n.up, n.connected = true, w.up })
	case "still":
		w.still = later(w.still, w.now.Add(f.span))
	case "sleep":
		w.asleep = later(w.asleep, w.now.Add(f.span))
		w.after(f.span, func() {
			if w.rng.IntN(2) == 0 { // else what came meanwhile is looked at first
				w.g.Tick(w.now)
			}
			w.flush()
			w.consume()
		})
	case "pause":
		n.paused = w.now.Add(f.span)
		instance := n.instance
		w.after(f.span, func() {
			for _, deliver := range n.inbox {
				if n.instance == instance && n.up {
					deliver()
				}
			}
			n.inbox = nil
		})
	default:
		w.attack(f, n)
	}
}

// forget is the end of a process: all that it does for the query.
func (n *simNode) forget() {
	for _, o := range n.w.nodes {
		if o.process == n.process {
			o.box, o.ledger = nil, outbox.NewLedger()
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (w *world) restartBus(span time.Duration) {
	w.epoch++
	w.up, w.client = false, false
	w.g.Disconnected(w.now)
	for _, n := range w.nodes {
		n.connected = false
	}
	span = min(span, 5*time.Second)
	w.after(span, func() {
		w.up = true
		w.epoch++
	})
	w.after(span+w.ms(1, 500), func() {
		if w.up {
			w.client = true
			w.g.Reconnected(w.now)
			w.flush()
		}
	})
	for _, name := range w.names {
		n := w.nodes[name]
		w.after(span+w.ms(1, 800), func() {
			if n.connected = n.up && w.up; n.connected && n.box != nil {
				n.box.Reconnected(w.now)
				n.publish()
			}
		})
	}
}

// attack feeds the Gather what no honest node sends.
func (w *world) attack(f fault, n *simNode) {
	for range 20 {
		var msg []byte
		switch sent := w.sent[n.name]; {
		case f.kind == "twin":
			if n.twin == nil {
				w.twin(n)
			}
			return
		case f.kind == "replay" && len(sent) > 0:
			msg = sent[w.rng.IntN(len(sent))]
		case f.kind == "forge":
			text := []byte("forged\n")
			msg = schemas.AppendFrame(nil, &schemas.Frame{Run: w.rng.Uint64() | 1, Seq: 2, Data: &schemas.Data{Chunks: []schemas.Chunk{{File: "log", Text: text}}}})
		default:
			msg = make([]byte, w.rng.IntN(60))
			for i := range msg {
				msg[i] = byte(w.rng.Uint32())
			}
			if len(sent) > 0 && w.rng.IntN(2) == 0 { // a frame cut short
				msg = sent[0][:w.rng.IntN(len(sent[0]))]
			}
		}
		w.after(w.ms(0, 500), func() {
			if w.client {
				w.g.Frame(n.name, msg, w.now)
				w.g.Frame("node 9.*", msg, w.now)
				w.check()
				w.flush()
				w.consume()
			}
		})
	}
}

// twin is a second node of the same name, which answers the query too, and goes on to until it is
// told to stop.
func (w *world) twin(n *simNode) {
	n.twin = outbox.New(outbox.Options{Run: w.rng.Uint64() | 1, Terminator: '\n', Credit: w.g.q.Credit}, w.now)
	n.twin.Hello(&schemas.Hello{Instance: "twin", Host: "twin-host"}, w.now)
	n.twin.Data([]schemas.Chunk{{File: "log", Text: []byte("twin\n")}}, w.now)
	n.twin.End(&schemas.End{Lines: 1}, w.now)
	var tick func()
	tick = func() {
		n.twin.Tick(w.now)
		for _, msg := range n.twin.Take() {
			w.toRequester(n, false, func() {
				w.hear(n.name, heardTwin)
				w.g.Frame(n.name, msg, w.now)
			})
		}
		if n.twin.State() != outbox.Done {
			w.after(20*time.Millisecond, tick)
		}
	}
	tick()
}

// Which of two nodes of one name the requester has heard while it listened.
const (
	heardNode = 1 << iota
	heardTwin
	heardBoth = heardNode | heardTwin
)

func (w *world) hear(name string, whom int) {
	if !w.g.over && !w.g.Done() {
		w.heard[name] |= whom
	}
}

// judge says what the answer of a seed is not as it must be.
func (w *world) judge() (wrong []string) {
	if w.broken != "" {
		return []string{w.broken}
	}
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	r := w.g.Receipt(w.now)
	got := map[string][]byte{}
	var all []byte
	total, rank := int64(0), -1
	for _, rel := range w.out {
		if at := slices.Index(w.names, rel.Node); w.p.order == schemas.OrderNode && at < rank {
			say("%s is released behind %s", rel.Node, w.names[rank])
		} else {
			rank = at
		}
		for i := range rel.Chunks {
			c := &rel.Chunks[i]
			got[rel.Node] = append(got[rel.Node], c.Text...)
			all = append(all, c.Text...)
			total += int64(c.Lines('\n'))
			if w.p.columns&schemas.ColumnNumber != 0 && len(c.Numbers) != c.Lines('\n') {
				say("%s: %d numbers for %d lines", rel.Node, len(c.Numbers), c.Lines('\n'))
			}
		}
	}
	w.judgeOrder(say)
	lines := int64(0)
	for _, nr := range r.Nodes {
		w.judgeNode(nr, got[nr.Node], say)
		lines += nr.Lines
	}
	if lines != total {
		say("the receipt has %d lines, %d were released", lines, total)
	}
	if w.p.limit > 0 && (total > w.p.limit || r.Satisfied && total != w.p.limit) {
		say("limit %d, %d lines released", w.p.limit, total)
	}
	for i, line := range bytes.SplitAfter(all, []byte("\n")) {
		if string(line) == "twin\n" {
			continue
		}
		if cut := bytes.TrimSuffix(line, []byte("\n")); bytes.HasPrefix([]byte("node"), cut) {
			continue // a node was lost in the first bytes of a line
		}
		if len(line) > 0 && (bytes.Count(line, []byte("node")) != 1 || !bytes.HasPrefix(line, []byte("node"))) {
			say("line %d is mixed: %.100q", i, line)
		}
	}
	if r.Complete != slices.ContainsFunc(r.Nodes, func(n NodeReceipt) bool { return n.Status != schemas.StatusComplete }) == false {
		say("complete is %t", r.Complete)
	}
	return wrong
}

// judgeOrder holds what was released in time order to what sorting everything would give: units by
// time, then node, and nothing between their lines.
func (w *world) judgeOrder(say func(string, ...any)) {
	if w.p.order != schemas.OrderTime {
		return
	}
	grouped := w.p.columns&schemas.ColumnGroup != 0
	key, rank := int64(schemas.NoTime), 0
	last := map[string]int64{}
	for i, rel := range w.out {
		at := slices.Index(w.names, rel.Node)
		before, has := last[rel.Node]
		if !has {
			before = schemas.NoTime
		}
		for j := range rel.Chunks {
			c := &rel.Chunks[j]
			begins := !grouped || len(c.Groups) > 0 && c.Groups[0] == 0
			if (c.Continues || !begins) && i+j > 0 && at != rank {
				say("release %d of %s goes on behind one of %s", i, rel.Node, w.names[rank])
			}
			before = units(c, grouped, before, func(line int, next int64) bool {
				if next < key || next == key && at < rank {
					say("release %d of %s: time %d behind time %d of %s", i, rel.Node, next, key, w.names[rank])
				}
				key, rank = next, at
				return true
			})
		}
		last[rel.Node] = before
	}
}

func (w *world) judgeNode(nr NodeReceipt, got []byte, say func(string, ...any)) {
	n := w.nodes[nr.Node]
	if n == nil {
		say("%s is in the receipt", nr.Node)
		return
	}
	replaced := slices.ContainsFunc(w.p.faults, func(f fault) bool { // then the twin may be what it was replaced by
		return w.names[f.node] == nr.Node && (f.kind == "die" || f.kind == "restart")
	})
	if w.heard[nr.Node] == heardBoth && !replaced && nr.Status != schemas.StatusError {
		say("%s is %s though two nodes have its name", nr.Node, nr.Status)
	}
	text := n.text
	if w.heard[nr.Node]&heardTwin != 0 && bytes.HasPrefix(got, []byte("twin")) {
		text = []byte("twin\n") // it was first
	}
	whole := bytes.Equal(got, text)
	prefix := bytes.HasPrefix(text, got) || len(got) > 0 && bytes.HasPrefix(text, got[:len(got)-1])
	switch {
	case nr.Status == schemas.StatusComplete && !whole:
		say("%s is complete with %d of %d bytes", nr.Node, len(got), len(text))
	case !prefix:
		say("%s: what came is no part of its lines: %.60q", nr.Node, got)
	case nr.Status != schemas.StatusComplete && nr.Reason == "":
		say("%s is %s without a reason", nr.Node, nr.Status)
	case w.p.mild && w.p.limit == 0 && nr.Status != schemas.StatusComplete:
		say("%s is %s (%s), and nothing was wrong", nr.Node, nr.Status, nr.Reason)
	}
}

// TestSimulation runs thousands of seeds of faults: every one must end, and never in a wrong
// answer. A seed that fails is printed with what happened; run it alone with -sim.seed.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		w := newWorld(newPlan(*simSeed))
		w.run()
		t.Logf("%+v\n%s\n%s", w.p, strings.Join(w.trace, "\n"), w.g.Receipt(w.now).Text())
		for _, wrong := range w.judge() {
			t.Error(wrong)
		}
		return
	}
	seeds := *simSeeds
	if testing.Short() { // as under the race detector, which is ten times slower
		seeds = min(seeds, 200)
	}
	var mu sync.Mutex
	tally := map[string]int{}
	failed := 0
	var next atomic.Uint64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := next.Add(1); seed <= seeds; seed = next.Add(1) {
				w := newWorld(newPlan(seed))
				w.run()
				wrong := w.judge()
				mu.Lock()
				for _, n := range w.g.order {
					tally[n.status.String()]++
				}
				if len(wrong) > 0 {
					failed++
				}
				enough := failed > 3
				mu.Unlock()
				if enough {
					return
				}
				if len(wrong) > 0 {
					p := shrink(w.p)
					t.Errorf("seed %d: %s\nshrunk to faults %+v, loss %g, double %g, rate %g: %+v", seed, strings.Join(wrong, "\n"), p.faults, p.loss, p.double, p.rate, p)
				}
			}
		})
	}
	workers.Wait()
	t.Logf("answers: %v", tally)
	for _, status := range []string{"complete", "partial", "stopped", "down", "unreachable", "error"} {
		if failed == 0 && seeds >= 1000 && tally[status] == 0 {
			t.Errorf("no node of any seed is %s: the simulation does not do what it says", status)
		}
	}
}

// shrink takes from a plan that fails what it fails without.
func shrink(p plan) plan {
	fails := func(p plan) bool {
		w := newWorld(p)
		w.run()
		return len(w.judge()) > 0
	}
	for i := 0; i < len(p.faults); {
		less := p
		less.faults = slices.Delete(slices.Clone(p.faults), i, i+1)
		if fails(less) {
			p = less
		} else {
			i++
		}
	}
	for _, change := range []func(*plan){
		func(p *plan) { p.loss = 0 }, func(p *plan) { p.double = 0 }, func(p *plan) { p.rate = 0 }, func(p *plan) { p.longLines = false },
		func(p *plan) { p.limit = 0 }, func(p *plan) { p.columns = 0 }, func(p *plan) { p.size = min(p.size, 2000) },
	} {
		less := p
		change(&less)
		if fails(less) {
			p = less
		}
	}
	return p
}
