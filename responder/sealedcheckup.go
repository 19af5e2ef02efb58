package responder

import (
	"cmp"
	"context"
	"slices"

	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/schemas"
)

// SealedCheckup lists the node's sealed blocks, the newest MaxSealed; nil if no source has any, or before Scan. To verify reads
// all of those.
func (r *Responder) SealedCheckup(ctx context.Context, verify bool) *schemas.SealedCheckup {
	x := r.sealing
	if x == nil || x.store == nil {
		return nil
	}
	view := x.store.View() // what is dropped meanwhile can be read still
	defer view.Close()
	blocks := x.store.Blocks()
	c := &schemas.SealedCheckup{Refused: x.store.Refused()}
	_, c.Settled = x.looks()
	if over := len(blocks) - schemas.MaxSealed; over > 0 {
		slices.SortStableFunc(blocks, func(a, b *seal.Block) int { return cmp.Compare(a.Window, b.Window) })
		blocks, c.Further = blocks[over:], int64(over)
		slices.SortStableFunc(blocks, func(a, b *seal.Block) int { return cmp.Compare(a.Service, b.Service) })
	}
	for _, d := range x.store.Damaged() {
		c.Blocks = append(c.Blocks, schemas.SealedBlock{ID: d.Name, First: schemas.NoTime, Last: schemas.NoTime, Err: d.Err.Error()})
	}
	for _, b := range blocks {
		l := schemas.SealedBlock{ID: b.ID.String(), Service: b.Service, First: schemas.NoTime, Last: schemas.NoTime,
			Lines: b.Lines, Bytes: b.Bytes, Stored: b.Stored, Logs: int64(len(b.Runs)), Checksum: b.Checksum}
		if b.Timed {
			l.First, l.Last = b.MinTime, b.MaxTime
		}
		if verify && ctx.Err() == nil {
			if err := x.store.Verify(b); err != nil {
				l.Err = err.Error()
			}
		}
		c.Blocks = append(c.Blocks, l)
	}
	return c
}
