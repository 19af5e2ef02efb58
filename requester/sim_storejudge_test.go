package requester

import (
	"bytes"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/trawl-logs/trawl/schemas"
)

var storeSeed = flag.Uint64("sim.store", 0, "run this seed of the simulation with sealed blocks alone, and print what happens")

// judgeStore says what the answer to a planned query is not as it must be.
func (w *world) judgeStore() (wrong []string) {
	if w.broken != "" {
		return []string{w.broken}
	}
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	s, r := w.store, w.g.Receipt(w.now)
	if s.mode == schemas.ModeLines {
		w.judgeStoreLines(r, say)
	} else {
		w.judgeStoreNames(r, say)
	}
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if !n.Whole() && n.Reason == "" {
			say("%s is %s without a reason", n.Node, n.Status)
		}
		if n.Status == schemas.StatusPruned && s.needs(n.Node) {
			say("%s is pruned, and has lines that nobody else has", n.Node)
		}
		if n.Sealed && s.needs(n.Node) {
			say("%s has failed without harm, and has lines that nobody else has", n.Node)
		}
	}
	dead := 0
	for _, f := range w.p.faults {
		if f.kind == "die" {
			dead++
		} else if f.kind != "still" && f.kind != "bus" && f.kind != "block" {
			dead = 99 // as good as dead, for a while
		}
	}
	if s.replicas == 2 && s.lossless && dead <= 1 && w.p.loss < 0.02 && r.Store.Missing > 0 && !torn(r) && len(w.names) > 2 {
		say("%d blocks are missing, though each has an owner that lives", r.Store.Missing)
	}
	return wrong
}

// needs says whether a node has lines in range that are in no block.
func (s *simStore) needs(node string) bool {
	for _, l := range s.logs {
		for i := range l.lines {
			if l.home == node && l.lines[i].block < 0 && l.lines[i].inRange(s.since, s.until) {
				return true
			}
		}
	}
	return false
}

// torn says whether the receipt says that a line was given in part.
func torn(r *Receipt) bool {
	return slices.ContainsFunc(r.Nodes, func(n NodeReceipt) bool { return strings.Contains(n.Reason, "the rest of a line") })
}

// excused says whether a line may be missing: the receipt says something of the node that wrote it, and, if it
// is sealed, of a block.
func (s *simStore) excused(l *simLog, line *simLine, r *Receipt) bool {
	if line.block >= 0 {
		return r.Store.Missing > 0 || torn(r)
	}
	return slices.ContainsFunc(r.Nodes, func(n NodeReceipt) bool { return n.Node == l.home && !n.Whole() })
}

func (w *world) judgeStoreLines(r *Receipt, say func(string, ...any)) {
	s := w.store
	got := map[string]int{}
	var all []byte
	total, before := int64(0), int64(0)
	for _, rel := range w.out {
		for i := range rel.Chunks {
			c := &rel.Chunks[i]
			all = append(all, c.Text...)
			total += int64(c.Lines('\n'))
			if c.Origin == nil && len(c.Text) > 1 {
				say("lines without an origin")
			}
			for _, t := range c.Times {
				if t < before && w.p.order == schemas.OrderTime {
					say("time %d is released behind %d", t, before)
				}
				before = t
			}
			if len(c.Offsets) > 0 && w.g.plan.strip {
				say("offsets that nobody asked for")
			}
		}
	}
	if r.Lines != total {
		say("the receipt has %d lines, %d were released", r.Lines, total)
	}
	for line := range bytes.SplitSeq(all, []byte("\n")) {
		got[string(line)]++
	}
	delete(got, "")
	limited := w.p.limit > 0 && r.Satisfied
	for _, l := range s.logs {
		want, have := 0, 0
		for i := range l.lines {
			line := &l.lines[i]
			text := strings.TrimSuffix(line.text, "\n")
			n := got[text]
			delete(got, text)
			switch {
			case !line.inRange(s.since, s.until):
				if n > 0 {
					say("%.40s is not in range", text)
				}
				continue
			case n > 1:
				say("%.40s came %d times", text, n)
			case n == 0 && !limited && s.most < 0 && (r.Complete || !s.excused(l, line, r)):
				say("%.40s is missing (block %d), complete %t, %+v", text, line.block, r.Complete, *r.Store)
			}
			want, have = want+1, have+n
		}
		if s.most >= 0 {
			want = min(want, int(s.most))
			if have > int(s.most) || have < want && r.Complete && !limited {
				say("%d lines of a log, -m is %d, it has %d", have, s.most, want)
			}
		}
	}
	for text := range got {
		if !torn(r) && r.Complete {
			say("%.60q is no line", text)
		}
	}
	if w.p.limit > 0 && (total > w.p.limit || r.Satisfied && total != w.p.limit) {
		say("limit %d, %d lines released", w.p.limit, total)
	}
}

// judgeStoreNames holds counts and names to the truth: each log once, and exact if the answer is complete.
func (w *world) judgeStoreNames(r *Receipt, say func(string, ...any)) {
	s := w.store
	type result struct {
		kind  schemas.ChunkKind
		count int64
	}
	got := map[schemas.BlockID]result{}
	for _, rel := range w.out {
		for _, c := range rel.Chunks {
			if _, again := got[c.Origin.Log]; again {
				say("%s comes twice", c.File)
			}
			got[c.Origin.Log] = result{c.Kind, c.Count}
		}
	}
	if r.Satisfied {
		if int64(len(got)) != w.p.limit || r.Lines != w.p.limit {
			say("%d names, %d lines in the receipt, limit %d", len(got), r.Lines, w.p.limit)
		}
		return
	}
	for _, l := range s.logs {
		lines, firm := int64(0), true
		for i := range l.lines {
			if l.lines[i].inRange(s.since, s.until) {
				lines++
				firm = firm && (r.Complete || !s.excused(l, &l.lines[i], r))
			}
		}
		g, named := got[l.id]
		switch s.mode {
		case schemas.ModeCount:
			if g.count > lines || g.count != lines && firm {
				say("%s.%d counts %d, it has %d", l.home, l.id[0], g.count, lines)
			}
		case schemas.ModeFiles:
			if named && lines == 0 || !named && lines > 0 && firm {
				say("%s.%d is named %t, it has %d lines", l.home, l.id[0], named, lines)
			}
		case schemas.ModeFilesWithout:
			if named && g.kind != schemas.ChunkFile || named && lines > 0 && firm {
				say("%s.%d is named %t, it has %d lines", l.home, l.id[0], named, lines)
			}
		}
	}
}

// TestSimulationOfTheStore runs seeds of faults over fleets with sealed blocks: nodes that die at any moment, owners
// that have not what the list says. Every line comes once, or the receipt says what is missing.
func TestSimulationOfTheStore(t *testing.T) {
	if *storeSeed != 0 {
		w := newStoreWorld(*storeSeed)
		w.run()
		t.Logf("%+v %+v\n%s\n%s", w.p, w.store.nodes, strings.Join(w.trace, "\n"), w.g.Receipt(w.now).Text())
		for _, wrong := range w.judgeStore() {
			t.Error(wrong)
		}
		return
	}
	seeds := *simSeeds / 8
	if testing.Short() {
		seeds = min(seeds, 25)
	}
	var mu sync.Mutex
	tally := map[string]int{}
	failed := 0
	var next atomic.Uint64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := next.Add(1); seed <= seeds; seed = next.Add(1) {
				w := newStoreWorld(seed)
				w.run()
				wrong := w.judgeStore()
				mu.Lock()
				w.tally(tally)
				if len(wrong) > 0 {
					if failed++; failed <= 3 {
						t.Errorf("-sim.store %d: %s", seed, strings.Join(wrong[:min(5, len(wrong))], "\n"))
					}
				}
				enough := failed > 3
				mu.Unlock()
				if enough {
					return
				}
			}
		})
	}
	workers.Wait()
	t.Logf("answers: %v", tally)
	least := map[uint64][]string{250: {"complete", "incomplete", "pruned", "tail", "taken over", "twice taken over", "missing"}, 1000: {"sealed", "line in part"}}
	for from, what := range least {
		for _, what := range what {
			if failed == 0 && seeds >= from && tally[what] == 0 {
				t.Errorf("no answer of any seed is %s: the simulation does not do what it says", what)
			}
		}
	}
}

// tally counts what became of a seed.
func (w *world) tally(of map[string]int) {
	if w.g == nil {
		return
	}
	r := w.g.Receipt(w.now)
	if r.Complete {
		of["complete"]++
	} else {
		of["incomplete"]++
	}
	if r.Store.Missing > 0 {
		of["missing"]++
	}
	for _, n := range w.g.order {
		switch n.part {
		case 0:
		case 1:
			of["taken over"]++
		default:
			of["twice taken over"]++
		}
		if n.share.torn {
			of["line in part"]++
		}
	}
	for _, n := range r.Nodes {
		switch {
		case n.Status == schemas.StatusPruned:
			of["pruned"]++
		case n.Sealed:
			of["sealed"]++
		case n.UnsealedSince != "":
			of["tail"]++
		}
	}
}
