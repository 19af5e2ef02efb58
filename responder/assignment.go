package responder

import (
	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/schemas"
)

// assignment is a query's Plan as it is looked up; without one, all is read of the node's own logs.
type assignment struct {
	planned bool
	leave   map[seal.ID]bool
	skip    map[seal.ID]int64
	overlap func(*seal.Block) bool // may it have lines of the query's times
}

func assigned(q *schemas.Query) *assignment {
	a := &assignment{leave: map[seal.ID]bool{}, skip: map[seal.ID]int64{}, overlap: func(b *seal.Block) bool {
		k := schemas.BlockRecord{Timed: b.Timed, MinTime: b.MinTime, MaxTime: b.MaxTime}
		return k.Overlaps(q.Since, q.Until)
	}}
	if q.Plan == nil {
		return a
	}
	a.planned = true
	for _, id := range q.Plan.Leave {
		a.leave[seal.ID(id)] = true
	}
	for _, m := range q.Plan.Skip {
		a.skip[seal.ID(m.Log)] = max(a.skip[seal.ID(m.Log)], m.From)
	}
	return a
}

// extent is the bytes of a log from one to another; to -1: to its file's end.
type extent struct{ from, to int64 }

// parted is what is to be read of one of the node's own logs. whole says that this is all there is of it; lacking
// are the blocks that it should read and cannot. file tells that there is one that has all of the log.
func (a *assignment) parted(s *seal.Store, l *seal.Log, file bool) (extents []extent, whole bool, lacking []schemas.BlockID) {
	skip := a.skip[l.ID]
	whole = skip == 0
	add := func(from, to int64) {
		if from = max(from, skip); to >= 0 && from >= to {
			return
		}
		if n := len(extents); n > 0 && extents[n-1].to == from {
			extents[n-1].to = to
			return
		}
		extents = append(extents, extent{from, to})
	}
	end := int64(0)
	var named map[seal.ID]bool // of lacking: a block may have several stretches of a log
	for _, p := range l.Stretches() {
		if file {
			add(end, p.From)
		}
		end = p.To
		switch {
		case a.leave[p.ID]:
			whole = false
		case file || !p.Away && s.Spoiled(p.ID) == nil:
			add(p.From, p.To)
		default:
			whole = false
			if p.To > skip && a.overlap(p.Block) && !named[p.ID] {
				if named == nil {
					named = map[seal.ID]bool{}
				}
				named[p.ID] = true
				lacking = append(lacking, schemas.BlockID(p.ID))
			}
		}
	}
	if file {
		add(end, -1)
	}
	return extents, whole, lacking
}

// lacks says whether there is a block of a log that is to be read and is not here.
func (a *assignment) lacks(s *seal.Store, l *seal.Log) bool {
	_, _, lacking := a.parted(s, l, false)
	return len(lacking) > 0
}
