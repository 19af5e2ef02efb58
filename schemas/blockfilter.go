package schemas

import "slices"

// BlockFilter says which records of the block list are wanted; an empty one admits all.
type BlockFilter struct {
	Services     []string // exact names; empty: all
	Since, Until int64    // Unix nanoseconds, as a query's: since inclusive, until exclusive, 0: open
	Homes        []string // the nodes that sealed them; empty: all
}

// Admits says whether the filter wants the block.
func (f *BlockFilter) Admits(b *BlockRecord) bool {
	return (len(f.Services) == 0 || slices.Contains(f.Services, b.Service)) &&
		(len(f.Homes) == 0 || slices.Contains(f.Homes, b.Home)) && b.Overlaps(f.Since, f.Until)
}
