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

// add counts a block as a node's.
func (u usage) add(node string, b *schemas.BlockRecord) {
	if u[node] == nil {
		u[node] = map[int64]int64{}
	}
	u[node][newest(b)/hour] += b.Stored + b.Stored/4 // with its skip index, which has about a quarter of it: docs/store.md
}

// cutoffs are the moments before which blocks have to go from nodes that have more than 19 twentieths of what they
// have room for, so that they come to have 18.
func (u usage) cutoffs(nodes []placement.Node) map[string]int64 {
	cutoffs := map[string]int64{}
	for _, n := range nodes {
		var total int64
		for _, bytes := range u[n.Name] {
			total += bytes
		}
		if n.Capacity == 0 || total <= n.Capacity/20*19 {
			continue
		}
		for _, h := range slices.Sorted(maps.Keys(u[n.Name])) {
			if total <= n.Capacity/20*18 {
				break
			}
			total -= u[n.Name][h]
			cutoffs[n.Name] = (h + 1) * hour
		}
	}
	return cutoffs
}
