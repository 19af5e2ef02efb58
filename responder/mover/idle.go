package mover

import (
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/trawl-logs/trawl/placement"
	"github.com/trawl-logs/trawl/schemas"
)

// idleMost is how many Turns, one after the other, may do without the list: what its revision does not tell, as of a bucket that somebody
// emptied by hand, is seen by then.
const idleMost = 20

// idle is all that decided in a Turn that found nothing to do. While it is the same, there is nothing to do: the list need not be read.
type idle struct {
	listed uint64
	view   View
	held   map[schemas.BlockID]holding
	until  int64 // Unix nanoseconds: then something becomes old
	report Report
	turns  int // that it has been so
}

// rests says whether this Turn finds what one before it found, which had nothing to do.
func (t *turn) rests() bool {
	before := t.m.idle
	if before == nil || before.turns >= idleMost || t.listed == 0 || t.listed != before.listed || t.view.Now >= before.until ||
		!t.view.same(&before.view) || !maps.Equal(t.held, before.held) {
		t.m.idle = nil
		return false
	}
	before.turns++
	clock := t.report.Clock
	t.report = before.report
	t.report.Done, t.report.Clock = map[Kind]int64{}, clock
	return true
}

// keepIdle remembers this Turn, if it had nothing to do, and has nothing to wait for but what rests sees.
func (t *turn) keepIdle() {
	r := &t.report
	if t.listed > 0 && r.Listed >= t.listed && !t.busy && !r.More && !r.NoRoom && r.Waiting == 0 && r.Foreign == 0 && r.Troubles == 0 {
		t.m.idle = &idle{listed: t.listed, view: t.view, held: t.held, until: t.due, report: *r}
	}
}

// become notes when this node will have something to do about a block that nothing else has changed.
func (t *turn) become(b *schemas.BlockRecord, held Holding) {
	at := int64(math.MaxInt64)
	switch {
	case b.State == schemas.BlockRetired:
		if len(b.Owners) == 0 && held == Nothing && t.view.remover(b) == t.m.self {
			at = b.Since + keptRecord
		}
	case t.view.Age > 0 && t.view.leader(b) == t.m.self:
		at = newest(b) + t.view.Age
	}
	t.due = min(t.due, at)
}

// same says whether two views are the same, but for the time.
func (v *View) same(o *View) bool {
	return v.Replicas == o.Replicas && v.Age == o.Age && sameRelations(v.Relations, o.Relations) && slices.Equal(v.Nodes, o.Nodes) && maps.Equal(v.Roster, o.Roster) &&
		maps.Equal(v.Movers, o.Movers) && maps.Equal(v.Up, o.Up) && maps.Equal(v.Gone, o.Gone) && maps.Equal(v.Cutoffs, o.Cutoffs)
}

// sameRelations says whether they are the very same: what was collected anew may be another one.
func sameRelations(a, b placement.Relations) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return reflect.TypeOf(a).Comparable() && a == b
}
