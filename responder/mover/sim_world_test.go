package mover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/schemas"
)

// world is a fleet whose nodes write lines, seal them, and move the blocks. Its nodes' Turns run one step
// at a time, in an order that the seed draws: between two steps anything happens.
type world struct {
	t        testing.TB
	rnd      *rand.Rand
	now      int64
	replicas int
	calm     bool // nothing breaks but what the test breaks
	age      int64
	capacity int64 // of each node
	nodes    map[string]*simNode
	roster   map[string]bool
	list     map[schemas.BlockID]listed
	revision uint64
	blocks   map[schemas.BlockID]*simBlock
	plans    []*simPlan
	unlisted bool           // the list was lost, and is not made again
	changes  int            // of what a query can see
	ended    map[string]int // processes, by the step of the Turn under way
	reads    int            // of all of the list
	rereads  int            // of parts of it, for one block
	trace    []func() string
}

type listed struct {
	record   *schemas.BlockRecord
	revision uint64
}

// simBlock is lines of a home: numbers from, up to to.
type simBlock struct {
	record   schemas.BlockRecord
	from, to int
	safe     bool // all its owners had it once
	retired  bool // it was old
	lost     bool // those who had it are gone: it cannot be found
}

// simNode is a machine and its disk.
type simNode struct {
	w       *world
	name    string
	up      bool
	cut     bool // from the bus
	drains  bool
	full    bool
	refuses bool // to send copies
	lines   int  // written, in all
	sealed  int  // of those, in blocks
	rotten  bool
	ahead   int64 // its clock
	gone    int   // of those, lost with the disk before they were sealed: the first that are not
	disk    map[schemas.BlockID]*simCopy
	parts   map[schemas.BlockID]int
	mover   *Mover
	turn    *simTurn
}

type simCopy struct {
	home          string
	what, durable Holding
}

// simTurn is a Turn under way.
type simTurn struct {
	next   func() (step string, more bool)
	at     string // the step that it has come to
	stop   func() // the process ends where it is
	yield  func(step string) bool
	report Report
}

// step is the name of the step that it has come to, without what it is about.
func (t *simTurn) step() string {
	step, _, _ := strings.Cut(t.at, ": ")
	return step
}

type killed struct{}

const simGrace = 600 * int64(1e9)

func newWorld(t testing.TB, seed uint64, nodes, replicas int) *world {
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), now: 1e18, replicas: replicas, capacity: 1 << 30, ended: map[string]int{}, nodes: map[string]*simNode{},
		roster: map[string]bool{}, list: map[schemas.BlockID]listed{}, blocks: map[schemas.BlockID]*simBlock{}}
	for range nodes {
		w.join()
	}
	return w
}

func (w *world) logf(format string, args ...any) {
	w.trace = append(w.trace, func() string { return fmt.Sprintf(format, args...) })
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	for _, line := range w.trace[max(0, len(w.trace)-*traced):] {
		w.t.Log(line())
	}
	w.t.Fatalf(format, args...)
}

func (w *world) join() *simNode {
	n := &simNode{w: w, name: fmt.Sprintf("n%02d", len(w.nodes)), disk: map[schemas.BlockID]*simCopy{}, parts: map[schemas.BlockID]int{}}
	w.nodes[n.name] = n
	n.start()
	return n
}

// start is a process that starts: it enters the roster.
func (n *simNode) start() {
	n.w.changes++
	n.up, n.mover, n.turn = true, New(n.name, (*simFleet)(n), n), nil
	for _, c := range n.disk { // who opens the directory syncs it
		c.durable = c.what
	}
	n.w.roster[n.name] = true
}

// end ends the process. After a power cut, what was not synced is gone.
func (n *simNode) end(power bool) {
	n.w.logf("%s ends, power cut %v", n.name, power)
	if n.turn != nil {
		n.w.ended[n.turn.step()]++
	}
	n.abandon()
	n.w.changes++
	n.up = false
	if !power {
		return
	}
	clear(n.parts)
	for id, c := range n.disk {
		if c.what = c.durable; c.what == Nothing {
			delete(n.disk, id)
		}
	}
}

// abandon ends the Turn under way where it is.
func (n *simNode) abandon() {
	if n.turn != nil {
		n.turn.stop()
		n.turn = nil
	}
}

// step is where a Turn waits for its turn, or ends.
func (n *simNode) step(name string) {
	if !n.turn.yield(name) {
		panic(killed{})
	}
}

// run lets a Turn go on to its next step. It returns the Turn's report when that is over, nil before.
func (n *simNode) run() *Report {
	if n.turn == nil {
		turn := &simTurn{}
		n.turn = turn
		s := Settings{Replicas: n.w.replicas, Age: n.w.age, Grace: simGrace, Now: n.w.now + n.ahead, Fetch: 3}
		turn.next, turn.stop = iter.Pull(func(yield func(string) bool) {
			defer func() {
				if p := recover(); p != nil && p != (killed{}) {
					panic(p)
				}
			}()
			turn.yield = yield
			turn.report, _ = n.mover.Turn(context.Background(), s) // cut off, say: it is tried again
		})
	}
	turn := n.turn
	at, more := turn.next()
	if turn.at = at; more {
		n.w.logf("%s at %s", n.name, at)
		return nil
	}
	n.turn = nil
	return &turn.report
}

// write has a node write lines.
func (n *simNode) write(lines int) { n.lines += lines }

// seal publishes a block of lines that the node wrote.
func (n *simNode) seal() {
	k := min(n.lines-n.sealed, 1+n.w.rnd.IntN(20))
	if k <= 0 {
		return
	}
	w := n.w
	var id schemas.BlockID
	for i := range id {
		id[i] = byte(w.rnd.Uint32())
	}
	window := w.now - w.now%hour
	b := &simBlock{from: n.sealed, to: n.sealed + k}
	b.record = schemas.BlockRecord{ID: id, Home: n.name, Service: fmt.Sprintf("s%d", w.rnd.IntN(4)), Window: window, Span: hour,
		Number: int64(w.rnd.IntN(3)), Timed: true, MinTime: w.now, MaxTime: w.now, Lines: int64(k), Stored: 1, Since: w.now}
	w.blocks[id] = b
	n.disk[id] = &simCopy{n.name, Whole, Whole}
	n.sealed += k
	w.logf("%s seals %v", n.name, id)
}

// The Disk of a node.

func (n *simNode) Held(take func(string, schemas.BlockID, Holding)) error {
	for id, c := range n.disk {
		take(c.home, id, c.what)
	}
	return nil
}

func (n *simNode) Record(_ string, id schemas.BlockID) *schemas.BlockRecord {
	b := n.w.blocks[id].record
	return &b
}

func (n *simNode) Fetch(_ context.Context, b *schemas.BlockRecord, from string) error {
	for n.parts[b.ID] < 2 { // halves; what came is kept
		n.step("fetch: " + b.ID.String())
		source := n.w.nodes[from]
		if n.full {
			return ErrNoRoom
		}
		if n.cut || !source.up || source.cut || source.refuses || source.holds(b.ID) != Whole {
			return errors.New("the copy broke off")
		}
		n.parts[b.ID]++
	}
	n.step("fetched: " + b.ID.String())
	delete(n.parts, b.ID)
	if n.w.rnd.IntN(20) == 0 {
		return errors.New("the copy is damaged")
	}
	c := n.disk[b.ID]
	if c == nil {
		c = &simCopy{home: b.Home}
		n.disk[b.ID] = c
	}
	c.what = Whole
	n.w.changes++
	n.step("published, not synced: " + b.ID.String())
	c.durable = Whole
	n.step("synced: " + b.ID.String())
	return nil
}

func (n *simNode) Verify(_ context.Context, _ string, id schemas.BlockID) error {
	n.step("verify: " + id.String())
	return nil
}

func (n *simNode) Drop(home string, id schemas.BlockID) error {
	n.step("drop: " + id.String())
	w, c := n.w, n.disk[id]
	w.changes++
	if l, ok := w.list[id]; ok && l.record.State == schemas.BlockKept {
		others := 0
		for _, o := range w.nodes {
			if o != n && o.holds(id) == Whole {
				others++
			}
		}
		if others == 0 {
			w.fail("%s drops the last copy of %v", n.name, id)
		}
		if w.blocks[id].safe && others < min(w.replicas, 2)-w.wounds() {
			w.fail("%s drops %v, of which %d others have a copy", n.name, id, others)
		}
	}
	if home == n.name {
		c.what = Stub
		n.step("stub published, not synced: " + id.String())
		c.durable = Stub
		n.step("stub synced: " + id.String())
		return nil
	}
	w.logf("%s removes %v", n.name, id)
	delete(n.disk, id)
	n.step("removed: " + id.String())
	return nil
}

func (n *simNode) Retired(own map[schemas.BlockID]bool) { // there are no live logs that would need one
	for id := range own {
		delete(n.disk, id)
	}
}

func (n *simNode) holds(id schemas.BlockID) Holding {
	if c := n.disk[id]; c != nil {
		return c.what
	}
	return Nothing
}

// wounds is how many disks were lost, or damaged, that may be missed still.
func (w *world) wounds() (n int) {
	for _, o := range w.nodes {
		if o.gone > 0 || o.rotten || !w.roster[o.name] {
			n++
		}
	}
	return n
}

// simFleet is the Fleet of a node.
type simFleet simNode

var errCut = errors.New("the bus cannot be reached")

// call is a call over the bus: there is a step before it.
func (f *simFleet) call(name string) error {
	(*simNode)(f).step(name)
	if f.cut {
		return errCut
	}
	return nil
}

func (f *simFleet) Blocks(_ context.Context, filter schemas.BlockFilter, take func(*schemas.BlockRecord, uint64)) (uint64, error) {
	if err := f.call("list read"); err != nil {
		return 0, err
	}
	if len(filter.Homes) == 0 {
		f.w.reads++
	} else {
		f.w.rereads++
	}
	ids := slices.SortedFunc(maps.Keys(f.w.list), compareIDs)
	for i, id := range ids {
		if i == len(ids)/2 { // it is no snapshot
			if err := f.call("half the list read"); err != nil {
				return 0, err
			}
		}
		if l, ok := f.w.list[id]; ok && filter.Admits(l.record) {
			b := *l.record
			b.Owners = slices.Clone(b.Owners)
			take(&b, l.revision)
		}
	}
	return f.w.revision, nil
}

func (f *simFleet) Listed(context.Context) (uint64, int64, error) {
	if err := f.call("revision"); err != nil {
		return 0, 0, err
	}
	if f.w.revision == 0 {
		return 0, 0, ErrNoList
	}
	return f.w.revision, f.w.now, nil
}

func (f *simFleet) Put(_ context.Context, b *schemas.BlockRecord, revision uint64) (uint64, error) {
	if err := f.call("put: " + b.ID.String()); err != nil {
		return 0, err
	}
	if f.w.list[b.ID].revision != revision {
		return 0, ErrConflict
	}
	f.w.revision++
	next := *b
	next.Owners = slices.Clone(b.Owners)
	f.w.list[b.ID] = listed{&next, f.w.revision}
	f.w.changes++
	f.w.logf("%s wrote %v %v %v", f.name, b.ID, b.Owners, b.State)
	if f.w.rnd.IntN(30) == 0 {
		return 0, errors.New("no answer came")
	}
	return f.w.revision, f.call("record written") // whoever is cut off here does not know that it was
}

func (f *simFleet) Remove(_ context.Context, b *schemas.BlockRecord, revision uint64) error {
	if err := f.call("record removed"); err != nil {
		return err
	}
	if f.w.list[b.ID].revision != revision {
		return ErrConflict
	}
	f.w.changes++
	delete(f.w.list, b.ID)
	f.w.revision++
	return nil
}

func (f *simFleet) Nodes(context.Context) (nodes []schemas.Node, err error) {
	if err := f.call("roster"); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(f.w.roster)) {
		o := f.w.nodes[name]
		nodes = append(nodes, schemas.Node{Name: name, Groups: []string{"rack" + name[2:]}, Store: &schemas.NodeStore{Capacity: f.w.capacity, ReadRate: 1 << 28, Draining: o.drains}})
	}
	return nodes, nil
}

func (f *simFleet) Up(_ context.Context, nodes []string) (map[string]bool, error) {
	if err := f.call("ping"); err != nil {
		return nil, err
	}
	up := map[string]bool{}
	for _, name := range nodes {
		up[name] = f.w.nodes[name].up && !f.w.nodes[name].cut
	}
	return up, nil
}

func (f *simFleet) Copy(context.Context, string, string, schemas.BlockID, int64, io.Writer) error {
	panic("the Disk here copies by itself")
}

func (f *simFleet) Draining(context.Context) (bool, error) {
	if err := f.call("draining"); err != nil {
		return false, err
	}
	return f.drains, nil
}
