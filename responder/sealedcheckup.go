package responder

import (
	"cmp"
	"context"
	"slices"

	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/schemas"
)

// SealedCheckup lists the sealed blocks that the node has, its own and those of other nodes, the newest MaxSealed;
// nil if no source has any and there are none of others, or before Scan. To verify reads all of those.
func (r *Responder) SealedCheckup(ctx context.Context, verify bool) *schemas.SealedCheckup {
	x, homes := r.sealing, r.foreign.homes()
	if (x == nil || x.store == nil) && len(homes) == 0 {
		return nil
	}
	c := &schemas.SealedCheckup{Settled: true}
	var all []heldBlock
	add := func(home string, s *seal.Store) (close func()) {
		view := s.View() // what is dropped meanwhile can be read still
		for _, b := range s.Blocks() {
			all = append(all, heldBlock{b, s, home})
		}
		for _, d := range s.Damaged() {
			c.Blocks = append(c.Blocks, schemas.SealedBlock{ID: d.Name, First: schemas.NoTime, Last: schemas.NoTime, Err: d.Err.Error(), Home: home})
		}
		return view.Close
	}
	if x != nil && x.store != nil {
		if c.Refused = x.store.Refused(); x.lacking() != nil {
			c.Refused = errUnsure.Error()
		}
		_, c.Settled = x.looks()
		defer add("", x.store)()
	}
	for _, home := range homes {
		if s := r.foreign.of(home); s != nil {
			defer add(home, s)()
		}
	}
	if over := len(all) - schemas.MaxSealed; over > 0 {
		slices.SortStableFunc(all, func(a, b heldBlock) int { return cmp.Compare(a.Window, b.Window) })
		all, c.Further = all[over:], int64(over)
		slices.SortStableFunc(all, func(a, b heldBlock) int {
			return cmp.Or(cmp.Compare(a.home, b.home), cmp.Compare(a.Service, b.Service))
		})
	}
	for _, b := range all {
		c.Blocks = append(c.Blocks, b.checkup(verify && ctx.Err() == nil))
	}
	return c
}

// heldBlock is a block of a store, and its home; empty: the node itself.
type heldBlock struct {
	*seal.Block
	store *seal.Store
	home  string
}

func (b *heldBlock) checkup(verify bool) schemas.SealedBlock {
	l := schemas.SealedBlock{ID: b.ID.String(), Service: b.Service, First: schemas.NoTime, Last: schemas.NoTime,
		Lines: b.Lines, Bytes: b.Bytes, Stored: b.Stored, Logs: int64(len(b.Runs)), Checksum: b.Checksum, Home: b.home, Away: b.Away}
	if b.Timed {
		l.First, l.Last = b.MinTime, b.MaxTime
	}
	err := b.store.Spoiled(b.ID)
	if verify && !b.Away {
		err = b.store.Verify(b.Block)
	}
	if err != nil {
		l.Err = err.Error()
	}
	return l
}
