package timeorder

import (
	"cmp"
	"slices"
)

// span is where the units of a file that is in order lie.
type span struct{ first, last key }

// choose says which of the files may be searched as the merge goes, such that nowhere more than most
// of them lie upon each other. Of those that do, the one that lasts longest is left out.
func choose(spans []span, most int) (live []bool) {
	live = make([]bool, len(spans))
	byFirst := make([]int, len(spans))
	for i := range byFirst {
		byFirst[i] = i
	}
	slices.SortFunc(byFirst, func(a, b int) int { return cmp.Or(spans[a].first.compare(spans[b].first), cmp.Compare(a, b)) })
	var open []int
	for _, i := range byFirst {
		open = slices.DeleteFunc(open, func(j int) bool { return spans[j].last.compare(spans[i].first) < 0 })
		open = append(open, i)
		live[i] = true
		if len(open) <= most {
			continue
		}
		out := 0
		for n, j := range open {
			if spans[j].last.compare(spans[open[out]].last) >= 0 {
				out = n
			}
		}
		live[open[out]] = false
		open = slices.Delete(open, out, out+1)
	}
	return live
}
