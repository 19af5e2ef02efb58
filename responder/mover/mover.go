package mover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/trawl-logs/trawl/placement"
	"github.com/trawl-logs/trawl/schemas"
)

// ErrNoRoom is what Disk.Fetch fails with where a block has no room.
var ErrNoRoom = errors.New("no room for a block of another node")

// Disk is the sealed blocks of a node.
type Disk interface {
	// Held calls take with each block that the node has anything of. After an error, take has not heard of all.
	Held(take func(home string, id schemas.BlockID, h Holding)) error
	// Record is what the list is to say of a block that the node holds, without owners; nil: it holds it no more.
	Record(home string, id schemas.BlockID) *schemas.BlockRecord
	// Fetch has the node hold a block, from one that does, whole and verified. What an earlier Fetch got, it need
	// not get again. ErrNoRoom says that the node is full.
	Fetch(ctx context.Context, b *schemas.BlockRecord, from string) error
	// Verify reads all of a block that the node holds. After an error it is Damaged, if it is.
	Verify(ctx context.Context, home string, id schemas.BlockID) error
	// Drop has the node hold a block no more; at its home, but a stub. Queries that read it read on.
	Drop(home string, id schemas.BlockID) error
	// Retired hears, once in a Turn, which of the blocks of this home nobody is to search any more.
	Retired(own map[schemas.BlockID]bool)
}

// Settings are what a Turn goes by.
type Settings struct {
	Replicas  int                 // owners of each block, at least 1
	Relations placement.Relations // nil: none are known
	Age       int64               // nanoseconds, after which a block is retired; 0: never
	Grace     int64               // nanoseconds that a query may take
	Now       int64               // Unix nanoseconds, by this node's clock
	Fetch     int64               // bytes that are copied before the list is read again; one block at least
}

// Report is what a Turn found and did.
type Report struct {
	Listed   uint64 // revision of the list
	Nodes    int    // that have a part in the blocks
	Blocks   int64  // in the list, not retired
	Bytes    int64  // of their files, each once
	Few      int64  // of Blocks, with fewer owners than they are to have
	Lost     int64  // of Blocks, none of whose owners is known any more
	Owned    int64  // of Blocks, by this node
	Foreign  int64  // copies that this node wants and has not, at the end of the Turn
	Leaving  int64  // that this node owns and is not to, at the end of the Turn
	Waiting  int64  // that this node holds still, for the plans of before
	Done     map[Kind]int64
	NoRoom   bool  // a copy was refused: this node is full
	More     bool  // there is more to do at once
	Clock    int64 // nanoseconds that this node's is ahead of the bus's, if that is more than a minute: then nothing is retired for its age
	Troubles int64
	Trouble  error // the last one: a node that a block could not be copied from, say
}

// most bounds the changes of one Turn: they are kept while the list is read.
const most = 4096

// patience is how many things of a kind may fail in one Turn until the rest is left to the next one.
const patience = 8

// Mover keeps the blocks of one node where they should be. It is for one goroutine.
type Mover struct {
	self  string
	fleet Fleet
	disk  Disk

	waiting   map[schemas.BlockID]int64 // since when a block that this node holds may be dropped, but for old plans
	strangers map[string]bool           // owners without a Mover in the roster, in the last Turn
	cutoffs   map[string]int64
	idle      *idle // nil: the last Turn had something to do
}

// New returns the Mover of a node.
func New(self string, f Fleet, d Disk) *Mover {
	return &Mover{self: self, fleet: f, disk: d, waiting: map[schemas.BlockID]int64{}, strangers: map[string]bool{}}
}

// Turn reads the list once, unless nothing is another than in a Turn that had nothing to do, and does what this node has to do. What cannot be done is left to the next Turn; an
// error says that the fleet, or the disk, could not be looked at.
func (m *Mover) Turn(ctx context.Context, s Settings) (Report, error) {
	t := &turn{m: m, Settings: s, due: math.MaxInt64, report: Report{Done: map[Kind]int64{}}}
	if err := t.look(ctx); err != nil || t.rests() {
		return t.report, err
	}
	if err := t.sweep(ctx); err != nil {
		return t.report, err
	}
	t.change(ctx)
	t.drop(ctx)
	t.copy(ctx)
	t.keepIdle()
	return t.report, ctx.Err()
}

// turn is one Turn.
type turn struct {
	m *Mover
	Settings
	view   View
	listed uint64 // revision of the list, before it was read; 0: there is none
	held   map[schemas.BlockID]holding
	due    int64 // when the next block becomes old
	busy   bool  // something was to be done
	report Report

	changes []change
	drops   []*schemas.BlockRecord
	copies  []Action
}

type holding struct {
	home string
	what Holding
}

// change is an action that is a write of the list, and the revision that it is made from.
type change struct {
	Action
	revision uint64
}

// look learns who is there, and what is held.
func (t *turn) look(ctx context.Context) error {
	m := t.m
	roster, err := m.fleet.Nodes(ctx)
	if err != nil {
		return fmt.Errorf("move sealed blocks: %w", err)
	}
	draining, err := m.fleet.Draining(ctx)
	if err != nil {
		return fmt.Errorf("move sealed blocks: %w", err)
	}
	t.view = View{Self: m.self, Roster: map[string]bool{m.self: true}, Movers: map[string]bool{m.self: true}, Gone: map[string]bool{}, Replicas: t.Replicas,
		Relations: t.Relations, Now: t.Now, Age: t.Age, Cutoffs: m.cutoffs}
	for i := range roster {
		t.view.Roster[roster[i].Name] = true
		if roster[i].Stores() {
			t.view.Movers[roster[i].Name] = true
		}
	}
	if err := t.time(ctx); err != nil {
		return fmt.Errorf("move sealed blocks: %w", err)
	}
	t.view.Nodes = nodesOf(roster)
	if draining {
		t.view.Nodes = slices.DeleteFunc(t.view.Nodes, func(n placement.Node) bool { return n.Name == m.self })
	}
	t.report.Nodes = len(t.view.Movers)
	asked := maps.Clone(t.view.Movers)
	maps.Copy(asked, m.strangers)
	if t.view.Up, err = m.fleet.Up(ctx, slices.Sorted(maps.Keys(asked))); err != nil {
		return fmt.Errorf("move sealed blocks: %w", err)
	}
	t.view.Up[m.self] = true
	for name := range asked {
		t.view.Gone[name] = !t.view.Roster[name] && !t.view.Up[name]
	}
	t.held = map[schemas.BlockID]holding{}
	err = m.disk.Held(func(home string, id schemas.BlockID, h Holding) { t.held[id] = holding{home, h} })
	if err != nil {
		return fmt.Errorf("move sealed blocks: %w", err)
	}
	return nil
}

// clockOff is how far, in nanoseconds, a node's clock may be off for blocks to be retired by their age.
const clockOff = 60 * int64(1e9)

// time learns what time it is, and of when the list is. Age goes by the bus's clock, which is that of all nodes; and where this node's is
// another by far, by none: either may be wrong, and what is retired nobody finds any more.
func (t *turn) time(ctx context.Context) error {
	listed, now, err := t.m.fleet.Listed(ctx)
	switch {
	case errors.Is(err, ErrNoList):
		t.view.Age = 0 // there is nothing to be retired
		return nil
	case err != nil:
		return err
	}
	t.listed, t.view.Now = listed, now
	if off := t.Now - now; off > clockOff || off < -clockOff {
		t.view.Age, t.report.Clock = 0, off
	}
	return nil
}

// sweep reads the list and collects what is to be done.
func (t *turn) sweep(ctx context.Context) error {
	m := t.m
	m.strangers = map[string]bool{}
	listed, retired := map[schemas.BlockID]bool{}, map[schemas.BlockID]bool{}
	waiting := map[schemas.BlockID]int64{}
	use := usage{}
	revision, err := m.fleet.Blocks(ctx, schemas.BlockFilter{}, func(b *schemas.BlockRecord, revision uint64) {
		h := t.held[b.ID].what
		if h != Nothing {
			listed[b.ID] = true
		}
		if b.State == schemas.BlockRetired && b.Home == m.self {
			retired[b.ID] = true
		}
		for _, o := range b.Owners {
			if !t.view.Movers[o] {
				m.strangers[o] = true
			}
		}
		t.become(b, h)
		a := t.decide(b, h, use)
		t.busy = t.busy || a.Kind != Keep
		switch a.Kind {
		case Keep:
		case Drop:
			since, ok := m.waiting[b.ID]
			if !ok {
				since = t.Now
			}
			waiting[b.ID] = since
			t.report.Waiting++
			if t.Now-since >= t.Grace && len(t.drops) < most {
				t.drops = append(t.drops, b)
			}
		case Copy:
			t.report.Foreign++
			t.keepCopy(a)
		default:
			if len(t.changes) < most {
				t.changes = append(t.changes, change{a, revision})
			}
		}
	})
	if err != nil && !errors.Is(err, ErrNoList) { // where there is none, the first one who writes a record makes it
		return fmt.Errorf("move sealed blocks: %w", err)
	}
	m.waiting, t.report.Listed = waiting, revision
	m.cutoffs = use.cutoffs(t.view.Nodes)
	m.disk.Retired(retired)
	t.unlisted(listed)
	t.report.More = len(t.changes) >= most || len(t.drops) >= most
	return nil
}

// unlisted collects the records of blocks that this node holds and the list does not have.
func (t *turn) unlisted(listed map[schemas.BlockID]bool) {
	for _, id := range slices.SortedFunc(maps.Keys(t.held), compareIDs) {
		h := t.held[id]
		if h.what != Whole || listed[id] || len(t.changes) >= most {
			continue
		}
		if b := t.m.disk.Record(h.home, id); b != nil {
			b.Owners = []string{t.m.self}
			t.changes, t.busy = append(t.changes, change{Action{Kind: List, Record: b}, 0}), true
		}
	}
}

func compareIDs(a, b schemas.BlockID) int { return slices.Compare(a[:], b[:]) }

// decide is Decide, and counts the block.
func (t *turn) decide(b *schemas.BlockRecord, held Holding, use usage) Action {
	if b.State == schemas.BlockRetired {
		return t.view.decideRetired(b, held)
	}
	want := t.view.want(b, t.view.Nodes)
	t.count(b, want, use)
	return t.view.decideKept(b, held, want)
}

// count adds a block to what the Turn reports.
func (t *turn) count(b *schemas.BlockRecord, want []string, use usage) {
	r := &t.report
	r.Blocks++
	r.Bytes += b.Stored
	switch known := t.view.known(b.Owners); {
	case known == 0:
		r.Lost++
	case known < t.view.need():
		r.Few++
	}
	if slices.Contains(b.Owners, t.m.self) {
		r.Owned++
		if !slices.Contains(want, t.m.self) {
			r.Leaving++
		}
	}
	for _, o := range b.Owners {
		use.add(o, b)
	}
}

// keepCopy keeps the most urgent copies: of blocks that have the fewest owners, and of those the newest.
func (t *turn) keepCopy(a Action) {
	t.copies = append(t.copies, a)
	if len(t.copies) >= 2*most {
		t.sortCopies()
		t.copies = t.copies[:most]
	}
}

func (t *turn) sortCopies() {
	slices.SortFunc(t.copies, func(a, b Action) int {
		return cmp.Or(cmp.Compare(len(a.Record.Owners), len(b.Record.Owners)), cmp.Compare(b.Record.Window, a.Record.Window),
			compareIDs(a.Record.ID, b.Record.ID))
	})
}

// trouble notes what could not be done.
func (t *turn) trouble(err error) {
	t.report.Troubles++
	t.report.Trouble = err
}

// change writes what is to be written. Where somebody else was first, the next Turn sees what is left to do.
func (t *turn) change(ctx context.Context) {
	for _, c := range t.changes {
		if ctx.Err() != nil || t.report.Troubles >= patience {
			return
		}
		if c.Kind == Enter { // others will drop their copies for this one, which may have been here for long
			if err := t.m.disk.Verify(ctx, c.Record.Home, c.Record.ID); err != nil {
				t.trouble(fmt.Errorf("sealed block %v, of which others have too few: %w", c.Record.ID, err))
				continue
			}
		}
		t.write(ctx, c.Action, c.revision)
	}
}

// write writes one change.
func (t *turn) write(ctx context.Context, a Action, revision uint64) bool {
	var err error
	if a.Kind == Remove {
		err = t.m.fleet.Remove(ctx, a.Record, revision)
	} else {
		_, err = t.m.fleet.Put(ctx, a.Record, revision)
	}
	switch {
	case err == nil:
		t.report.Done[a.Kind]++
		if a.Kind == Leave && t.held[a.Record.ID].what == Whole {
			t.report.Leaving--
		}
		return true
	case errors.Is(err, ErrConflict):
		t.report.More = true
	default:
		t.trouble(fmt.Errorf("write the record of sealed block %v: %w", a.Record.ID, err))
	}
	return false
}

// again reads the record of a block anew, and decides again.
func (t *turn) again(ctx context.Context, b *schemas.BlockRecord, held Holding) (a Action, revision uint64, err error) {
	f := schemas.BlockFilter{Services: []string{b.Service}, Homes: []string{b.Home}}
	if b.Timed {
		f.Since, f.Until = b.MinTime, b.MaxTime+1
	}
	_, err = t.m.fleet.Blocks(ctx, f, func(now *schemas.BlockRecord, at uint64) {
		if now.ID == b.ID {
			a, revision = t.view.Decide(now, held), at
		}
	})
	return a, revision, err
}

// drop drops blocks that others have, if that is so still.
func (t *turn) drop(ctx context.Context) {
	until := t.report.Troubles + patience
	for _, b := range t.drops {
		if ctx.Err() != nil || t.report.Troubles >= until {
			return
		}
		a, _, err := t.again(ctx, b, t.held[b.ID].what)
		if err == nil && a.Kind == Drop {
			if err = t.m.disk.Drop(b.Home, b.ID); err == nil {
				t.report.Done[Drop]++
				t.report.Waiting--
				delete(t.m.waiting, b.ID)
				if b.State == schemas.BlockRetired { // this node may stand among the owners still
					t.report.More = true
				}
			}
		}
		if err != nil {
			t.trouble(fmt.Errorf("drop sealed block %v: %w", b.ID, err))
		}
	}
}

// copy copies blocks to this node, the most urgent ones first, until it is time to read the list again. Where there was no
// room for one, smaller ones alone are tried.
func (t *turn) copy(ctx context.Context) {
	t.sortCopies()
	var copied int64
	room := int64(math.MaxInt64)
	until := t.report.Troubles + patience
	for _, c := range t.copies {
		if ctx.Err() != nil || t.report.Troubles >= until {
			return
		}
		if copied > 0 && copied+c.Record.Stored > t.Fetch {
			t.report.More = true
			return
		}
		if c.Record.Stored >= room {
			continue
		}
		done, err := t.fetch(ctx, c)
		if done {
			copied += c.Record.Stored
			t.report.Done[Copy]++
		}
		switch {
		case err == nil: // else it is wanted here no more
			t.report.Foreign--
		case errors.Is(err, ErrNoRoom):
			t.report.NoRoom, room = true, c.Record.Stored
		default:
			t.trouble(err)
		}
	}
}

// fetch copies a block from one of those that have it, which is done then, and enters this node among the owners.
func (t *turn) fetch(ctx context.Context, c Action) (done bool, err error) {
	a, _, err := t.again(ctx, c.Record, Nothing)
	if err != nil || a.Kind != Copy { // it is old, or somebody else's, by now
		return false, err
	}
	for _, from := range a.From {
		if err = t.m.disk.Fetch(ctx, a.Record, from); err == nil || errors.Is(err, ErrNoRoom) || ctx.Err() != nil {
			break
		}
		err = fmt.Errorf("copy sealed block %v from %s: %w", a.Record.ID, from, err)
	}
	if err != nil {
		return false, err
	}
	for range 4 { // those who copy the same block write the same record; what is left, the next Turn does
		a, revision, err := t.again(ctx, c.Record, Whole)
		if err != nil || a.Kind != Enter {
			return true, err
		}
		if troubles := t.report.Troubles; t.write(ctx, a, revision) || t.report.Troubles > troubles {
			break
		}
	}
	return true, nil
}
