package mover

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/trawl-logs/trawl/schemas"
)

var (
	histories = flag.Int("histories", 100, "how many histories of moves are drawn")
	traced    = flag.Int("traced", 60, "how many steps are told of one that failed")
)

// simPlan is a query that was planned, and runs later.
type simPlan struct {
	at     int64
	owners map[schemas.BlockID][]string // that are up: the first one reads it, the others if that fails
	homes  map[string]bool              // nodes that are up
	nobody map[schemas.BlockID]bool     // blocks that are listed, and no owner of which is up: that is said
	all    bool                         // all nodes were up
}

func (w *world) plan() *simPlan {
	p := &simPlan{at: w.now, owners: map[schemas.BlockID][]string{}, homes: map[string]bool{}, nobody: map[schemas.BlockID]bool{}, all: !w.unlisted}
	for name := range w.roster {
		n := w.nodes[name]
		p.homes[name] = n.up && !n.cut
		p.all = p.all && p.homes[name]
	}
	for id, l := range w.list {
		if l.record.State != schemas.BlockKept {
			continue
		}
		for _, o := range l.record.Owners {
			if p.homes[o] {
				p.owners[id] = append(p.owners[id], o)
			}
		}
		p.nobody[id] = len(p.owners[id]) == 0
	}
	return p
}

// read runs a plan as the nodes do, and returns how often each block was read, and of which blocks it was said
// that they were not. It fails if a line came twice.
func (w *world) read(p *simPlan) (read map[schemas.BlockID]int, unread map[schemas.BlockID]bool) {
	read, unread = map[schemas.BlockID]int{}, map[schemas.BlockID]bool{}
	again := []schemas.BlockID{}
	for id, owners := range p.owners {
		if b := w.blocks[id]; owners[0] != b.record.Home {
			again = append(again, id) // asked of owners[0], and left out at home
		}
	}
	for home, up := range p.homes {
		n := w.nodes[home]
		if !up || !n.up || n.cut {
			for id, b := range w.blocks {
				unread[id] = unread[id] || b.record.Home == home
			}
			continue
		}
		for id, c := range n.disk {
			owners := p.owners[id]
			switch {
			case c.home != home || len(owners) > 0 && owners[0] != home:
			case c.what == Whole:
				read[id]++
			default:
				again = append(again, id)
			}
		}
	}
	slices.SortFunc(again, compareIDs)
	for _, id := range slices.Compact(again) {
		found := false
		for _, o := range p.owners[id] {
			if n := w.nodes[o]; n.up && !n.cut && n.holds(id) == Whole {
				read[id]++
				found = true
				break
			}
		}
		unread[id] = !found
	}
	for id, n := range read {
		if n > 1 {
			w.fail("block %v was read %d times", id, n)
		}
	}
	return read, unread
}

// check reads by a plan of this moment, and by those of before that may run still.
func (w *world) check() {
	w.plans = slices.DeleteFunc(w.plans, func(p *simPlan) bool { return p.at <= w.now-simGrace })
	now := w.plan()
	for _, p := range append(w.plans, now) {
		read, unread := w.read(p)
		for id, b := range w.blocks {
			l, isListed := w.list[id]
			if b.lost || b.retired || !isListed && w.unlisted || read[id] == 1 || unread[id] || isListed && l.record.State == schemas.BlockRetired || w.nodes[b.record.Home].gone > b.from {
				continue
			}
			if p.nobody[id] || !p.homes[b.record.Home] && len(p.owners[id]) == 0 {
				continue // so it is said, or the home is known to be missing
			}
			w.fail("block %v is not read, and nobody says so; planned at %d, now %d: %v", id, p.at, w.now, l.record)
		}
		w.checkHolders(p, unread)
	}
	if len(w.plans) < 4 && w.rnd.IntN(3) == 0 {
		w.plans = append(w.plans, now)
	}
}

// checkHolders says what may not happen while all are up: a plan that is not yet out of date finds all.
func (w *world) checkHolders(p *simPlan, unread map[schemas.BlockID]bool) {
	for name := range w.roster {
		if n := w.nodes[name]; !p.all || !n.up || n.cut || n.gone > 0 {
			return
		}
	}
	for id := range unread {
		l := w.list[id]
		if b := w.blocks[id]; unread[id] && !b.lost && w.roster[b.record.Home] && l.record != nil && l.record.State == schemas.BlockKept && len(w.roster) == len(w.nodes) {
			w.fail("all nodes are up, and block %v was not read; planned at %d, now %d: %v", id, p.at, w.now, l.record)
		}
	}
}

// event is one thing that happens.
func (w *world) event() {
	names := slices.Sorted(maps.Keys(w.nodes))
	n := w.nodes[names[w.rnd.IntN(len(names))]]
	down := 0
	for _, o := range w.nodes {
		if !o.up || o.cut {
			down++
		}
	}
	switch k := w.rnd.IntN(200); {
	case k >= 12 && k < 24 && w.calm:
	case k < 12 && n.up:
		n.write(w.rnd.IntN(30))
		n.seal()
	case k < 14 && n.up && down < len(w.nodes)-1:
		n.end(w.rnd.IntN(2) == 0)
	case k < 20 && !n.up && w.roster[n.name]:
		w.logf("%s starts", n.name)
		n.start()
	case k < 22 && down < len(w.nodes)-1:
		n.cut = !n.cut
		w.changes++
		w.logf("%s cut %v", n.name, n.cut)
	case k < 24:
		n.full = !n.full
	case k < 30:
		w.now += int64(w.rnd.IntN(400)) * 1e9
	case k == 30 && len(w.nodes) < 7:
		w.logf("%s joins", w.join().name)
	case k == 31 && w.rnd.IntN(4) == 0:
		n.drains = !n.drains
		w.logf("%s drains %v", n.name, n.drains)
	case n.up:
		n.run()
	}
}

// rush lets the movers work while the plans of before run out, so that blocks are dropped, and ends one of them now and then where
// that is rare.
func (w *world) rush() {
	for range 6 {
		w.now += simGrace/2 + 1
		var at []*simNode
		for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
			if n := w.nodes[name]; w.roster[name] {
				if n.cut = false; !n.up {
					n.start()
				}
				at = append(at, n)
			}
		}
		for len(at) > 0 {
			i, before := w.rnd.IntN(len(at)), w.changes
			n := at[i]
			over := n.run() != nil
			if !over && rare[n.turn.step()] && w.rnd.IntN(4) == 0 {
				n.end(w.rnd.IntN(2) == 0)
				over = true
			}
			if w.changes > before {
				w.check()
			}
			if over {
				at = slices.Delete(at, i, i+1)
			}
		}
	}
}

// rare are the steps that are met seldom.
var rare = map[string]bool{"fetched": true, "published, not synced": true, "synced": true, "verify": true,
	"drop": true, "stub published, not synced": true, "stub synced": true, "removed": true}

// settle has all that is broken mended, but for nodes that are gone for good, and the movers run until they have
// nothing to do.
func (w *world) settle() {
	w.logf("settle")
	for _, n := range w.nodes {
		n.cut, n.full = false, false
		if !n.up && w.roster[n.name] {
			n.start()
		}
	}
	for round, quiet := 0, 0; quiet < 3; round++ {
		if round == 80 {
			w.fail("there is still something to do after %d rounds", round)
		}
		w.now += simGrace / 2
		before, done := w.revision, int64(0)
		for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
			n := w.nodes[name]
			var r *Report
			for n.up && r == nil {
				r = n.run()
			}
			if r != nil {
				done += r.Done[Drop] + r.Waiting
			}
		}
		w.check()
		if quiet++; before != w.revision || done > 0 {
			quiet = 0
		}
	}
	w.unlisted = false
	w.checkSettled()
}

// checkSettled looks at a fleet in which everything is as it should be: each block has the owners that the rule
// names, they have it, and nobody else.
func (w *world) checkSettled() {
	names := slices.Sorted(maps.Keys(w.roster))
	if len(names) == 0 {
		return
	}
	v := w.view(names[0])
	for id, b := range w.blocks {
		l, ok := w.list[id]
		if b.retired = b.retired || ok && l.record.State == schemas.BlockRetired; b.lost || b.retired {
			continue
		}
		if !ok {
			w.fail("block %v is not listed", id)
		}
		want := v.want(l.record, v.Nodes)
		if len(want) > 0 && !slices.Equal(sorted(want), sorted(l.record.Owners)) {
			w.fail("block %v has the owners %v, not %v", id, l.record.Owners, want)
		}
		for name, n := range w.nodes {
			if !w.roster[name] {
				continue
			}
			if owner := slices.Contains(l.record.Owners, name); owner != (n.holds(id) == Whole) {
				w.fail("block %v: %s is owner %v, and holds %v", id, name, owner, n.holds(id))
			}
		}
		b.safe = true
	}
	w.checkRoom()
	read, unread := w.read(w.plan())
	for id, b := range w.blocks {
		l := w.list[id]
		if !b.lost && !b.retired && (read[id] != 1 || unread[id]) {
			w.fail("block %v is not read in a fleet that is well: %v", id, l.record)
		}
	}
}

// checkRoom looks at whether the blocks that each node owns, of which each takes one byte, leave a twentieth of its room.
func (w *world) checkRoom() {
	took := map[string]int64{}
	for _, l := range w.list {
		for _, o := range l.record.Owners {
			took[o]++
		}
	}
	for name, bytes := range took {
		if w.roster[name] && bytes > w.capacity/20*19 {
			w.fail("%s owns %d bytes, and has room for %d", name, bytes, w.capacity)
		}
	}
}

// Where nodes have too little room, the oldest blocks of one that has are retired, and no more than it takes.
func TestTheOldestMakeRoom(t *testing.T) {
	w := newWorld(t, 1, 4, 2)
	w.calm = true
	for range 24 {
		w.now += hour
		for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
			w.nodes[name].write(1)
			w.nodes[name].seal()
		}
	}
	w.settle()
	owners, before := map[schemas.BlockID][]string{}, map[string]int64{}
	for id, l := range w.list {
		owners[id] = l.record.Owners
		for _, o := range l.record.Owners {
			before[o]++
		}
	}
	w.capacity = 40
	w.settle()
	retired, took, oldest := 0, map[string]int64{}, map[string]int64{}
	for id, o := range owners {
		for _, name := range o {
			if b := w.list[id].record; b.State == schemas.BlockKept {
				took[name]++
				if at, ok := oldest[name]; !ok || newest(b) < at {
					oldest[name] = newest(b)
				}
			}
		}
	}
	for id, o := range owners {
		if b := w.list[id].record; b.State == schemas.BlockRetired {
			if retired++; !slices.ContainsFunc(o, func(name string) bool { return before[name] > 38 && newest(b) <= oldest[name] }) {
				t.Errorf("%v of %d is retired, and each of its owners has older ones: %v", id, newest(b), oldest)
			}
		}
	}
	least := int64(40)
	for _, n := range took {
		least = min(least, n)
	}
	if retired == 0 || retired > 60 || least < 18 {
		t.Errorf("%d of %d blocks are retired; owned before %v, and now %v", retired, len(owners), before, took)
	}
}

func (w *world) view(self string) *View {
	v := &View{Self: self, Replicas: w.replicas, Roster: w.roster, Up: w.roster, Now: w.now}
	var records []schemas.Node
	for _, name := range slices.Sorted(maps.Keys(w.roster)) {
		records = append(records, schemas.Node{Name: name, Groups: []string{"rack" + name[2:]}, Store: &schemas.NodeStore{Capacity: w.capacity, ReadRate: 1 << 28, Draining: w.nodes[name].drains}})
	}
	v.Nodes = nodesOf(records)
	return v
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

// lose is what an administrator does about a machine that burnt down, or its disk: it is forgotten, or starts with
// an empty one. What only it had is lost.
func (w *world) lose(n *simNode, forget bool) {
	w.logf("%s is lost, forgotten %v", n.name, forget)
	if n.up {
		n.end(true)
	}
	for id := range n.disk {
		others := false
		for _, o := range w.nodes {
			others = others || o != n && w.roster[o.name] && o.holds(id) == Whole
		}
		b := w.blocks[id]
		if n.holds(id) == Whole && !others {
			if b.safe && w.replicas > 1 && w.wounds() == 0 {
				w.fail("block %v was lost with %s alone", id, n.name)
			}
			b.lost = true
		}
	}
	clear(n.disk)
	clear(n.parts)
	n.gone, n.sealed = n.lines, n.lines
	if forget {
		delete(w.roster, n.name)
		return
	}
	n.start()
}

// rot damages blocks of a node that another owner has.
func (w *world) rot(n *simNode) {
	w.logf("%s rots", n.name)
	w.changes++
	for _, id := range slices.SortedFunc(maps.Keys(n.disk), compareIDs) {
		others := false
		if l, ok := w.list[id]; ok {
			others = slices.ContainsFunc(l.record.Owners, func(o string) bool { return o != n.name && w.roster[o] && w.nodes[o].holds(id) == Whole })
		}
		if c := n.disk[id]; c.what == Whole && others && w.rnd.IntN(2) == 0 {
			c.what, c.durable, n.rotten = Damaged, Damaged, true
		}
	}
}

// history draws a fleet and what happens to it. ended counts processes that ended, by the step of the Turn that was under way.
func history(t testing.TB, seed uint64) (ended map[string]int) {
	w := newWorld(t, seed, 3+int(seed%4), 1+int(seed/4%3))
	defer func() {
		for _, n := range w.nodes {
			n.abandon()
		}
	}()
	w.calm = seed%3 == 0
	w.live(250)
	names := slices.Sorted(maps.Keys(w.roster))
	n := w.nodes[names[w.rnd.IntN(len(names))]]
	switch w.rnd.IntN(7) {
	case 0:
		w.lose(n, true)
	case 1:
		w.lose(n, false)
	case 2:
		w.logf("the bucket is lost")
		clear(w.list)
		w.revision, w.unlisted = 0, true
	case 3:
		w.logf("blocks age")
		w.age, w.now = 2*hour, w.now+2*hour
	case 4:
		w.rot(n)
	case 5:
		w.logf("there is less room")
		w.capacity = 20
	}
	w.live(100)
	return w.ended
}

// live has things happen, and then come to rest.
func (w *world) live(events int) {
	for range events {
		before := w.changes
		w.event()
		if w.changes > before {
			w.check()
		}
	}
	if !w.calm {
		w.rush()
	}
	w.settle()
	for _, n := range w.nodes { // what was lost is made up for
		n.gone, n.rotten = 0, false
	}
}

// Whatever ends when, no line is lost while a node lives that has it, none is found twice, and what was planned before
// finds its lines where they were: see docs/store.md.
func TestHistories(t *testing.T) {
	n := *histories
	if testing.Short() { // under the race detector
		n = min(n, 20)
	}
	ended := map[string]int{}
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			for step, times := range history(t, uint64(seed)) {
				ended[step] += times
			}
		})
	}
	t.Logf("processes ended: %v", ended)
	for _, step := range append(slices.Sorted(maps.Keys(rare)), "put", "record written", "fetch") {
		if n >= 100 && ended[step] == 0 && !t.Failed() {
			t.Errorf("no process ended at the step %q: the histories do not do what they say", step)
		}
	}
}
