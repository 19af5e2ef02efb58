package mover

import (
	"maps"
	"slices"

	"github.com/trawl-logs/trawl/placement"
	"github.com/trawl-logs/trawl/schemas"
)

// usage is how many bytes each node has of blocks, by the hour in which they become old.
type usage map[string]map[int64]int64

const hour = 3600 * int64(1e9)

// Of what blocks may take at a node, in twentieths: up to when it takes copies, and from when its oldest blocks are retired, and
// down to what. The first is the most: else a node that only takes copies would be full for good and nothing would become old.
const (
	copyUpTo    = 19
	retireAbove = 18
	retireTo    = 17
)

// Taken is about how many bytes a block takes on the disk, with its skip index, which has about a quarter of it: docs/store.md.
func Taken(stored int64) int64 { return stored + stored/4 }

// Fits says whether a node may take a copy of so many bytes, where blocks take used bytes and may take most.
func Fits(used, stored, most int64) bool { return used+Taken(stored) <= most/20*copyUpTo }

// add counts a block as a node's.
func (u usage) add(node string, b *schemas.BlockRecord) {
	if u[node] == nil {
		u[node] = map[int64]int64{}
	}
	u[node][newest(b)/hour] += Taken(b.Stored)
}

// cutoffs are the moments before which blocks have to go from nodes that have too many.
func (u usage) cutoffs(nodes []placement.Node) map[string]int64 {
	cutoffs := map[string]int64{}
	for _, n := range nodes {
		var total int64
		for _, bytes := range u[n.Name] {
			total += bytes
		}
		if n.Capacity == 0 || total <= n.Capacity/20*retireAbove {
			continue
		}
		for _, h := range slices.Sorted(maps.Keys(u[n.Name])) {
			if total <= n.Capacity/20*retireTo {
				break
			}
			total -= u[n.Name][h]
			cutoffs[n.Name] = (h + 1) * hour
		}
	}
	return cutoffs
}
