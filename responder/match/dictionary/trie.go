package dictionary

import (
	"slices"
	"sort"
)

// trie is the automaton. Its states are numbered by depth, and those of a depth in the order of their strings, so that
// the children of a state are consecutive, and ids tell which of two states is deeper. State 0 is the root.
type trie struct {
	labels []symbol // of the way into each state
	first  []uint32 // the first child; one entry more than states
	links  []uint32 // the longest proper suffix that is a state, and flags; without Lines
	outs   []uint32 // the longest proper suffix that is a string, or none; with Words only
	levels []uint32 // the first state of each depth, and the number of states

	terminals     []uint32 // states that are strings, ascending
	terminalOrder []uint32 // the place of each one's string in the pattern

	width int      // of rows
	rows  []uint32 // where the first states go from each symbol, with flagOut
	dense uint32   // so many states
}

const (
	flagOut      = 1 << 31 // of a state in links and rows: it ends in a string
	flagTerminal = 1 << 30 // of a state in links: it is a string
	idMask       = flagTerminal - 1

	none = ^uint32(0)

	maxRows = 1 << 19 // entries
)

// arrange sorts strings and drops those that occur twice. order is each one's place among all.
func arrange(strings [][]symbol) (sorted [][]symbol, order []uint32) {
	order = make([]uint32, len(strings))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(i, j uint32) int {
		if c := slices.Compare(strings[i], strings[j]); c != 0 {
			return c
		}
		return int(i) - int(j)
	})
	kept := order[:0]
	for _, i := range order {
		if len(sorted) > 0 && slices.Equal(sorted[len(sorted)-1], strings[i]) {
			continue
		}
		sorted = append(sorted, strings[i])
		kept = append(kept, i)
	}
	return sorted, kept
}

// build makes the states of sorted strings, depth by depth.
func (t *trie) build(sorted [][]symbol, order []uint32, bounds Bounds) {
	type run struct{ from, to int } // the strings that have a state as their prefix
	t.labels, t.levels = []symbol{0}, []uint32{0}
	now := []run{{0, len(sorted)}}
	for depth := 0; len(now) > 0; depth++ {
		var then []run
		for _, r := range now {
			state := uint32(len(t.first))
			t.first = append(t.first, uint32(len(t.labels)))
			i := r.from
			if len(sorted[i]) == depth {
				t.terminals, t.terminalOrder = append(t.terminals, state), append(t.terminalOrder, order[i])
				i++
			}
			for i < r.to {
				sym, from := sorted[i][depth], i
				for i < r.to && sorted[i][depth] == sym {
					i++
				}
				t.labels = append(t.labels, sym)
				then = append(then, run{from, i})
			}
		}
		t.levels = append(t.levels, uint32(len(t.first)))
		now = then
	}
	t.first = append(t.first, uint32(len(t.labels)))
	if bounds != Lines {
		t.link(bounds == Words)
	}
}

// link finds the suffixes, of shorter states first.
func (t *trie) link(outs bool) {
	t.links = make([]uint32, len(t.labels))
	for _, s := range t.terminals {
		t.links[s] = flagOut | flagTerminal
	}
	if outs {
		t.outs = make([]uint32, len(t.labels))
		t.outs[0] = none
	}
	for state := range uint32(len(t.labels)) {
		for child := t.first[state]; child < t.first[state+1]; child++ {
			suffix := uint32(0)
			if state != 0 {
				suffix = t.suffix(t.links[state]&idMask, t.labels[child])
			}
			t.links[child] |= suffix | t.links[suffix]&flagOut
			if !outs {
				continue
			}
			if t.outs[child] = t.outs[suffix]; t.links[suffix]&flagTerminal != 0 {
				t.outs[child] = suffix
			}
		}
	}
}

// suffix returns where state, or the longest of its suffixes that can, goes on with sym.
func (t *trie) suffix(state uint32, sym symbol) uint32 {
	for {
		if child, ok := t.child(state, sym); ok {
			return child
		}
		if state == 0 {
			return 0
		}
		state = t.links[state] & idMask
	}
}

// fill writes the rows of the first states, for an alphabet of width symbols.
func (t *trie) fill(width int) {
	t.width = width
	t.dense = uint32(max(1, min(len(t.labels), maxRows/width)))
	t.rows = make([]uint32, int(t.dense)*width)
	for state := range t.dense {
		row := t.rows[int(state)*width:][:width]
		if state > 0 {
			copy(row, t.rows[int(t.links[state]&idMask)*width:][:width])
		}
		for child := t.first[state]; child < t.first[state+1]; child++ {
			row[t.labels[child]] = child | t.links[child]&flagOut
		}
	}
}

// child returns the child of state by sym.
func (t *trie) child(state uint32, sym symbol) (uint32, bool) {
	from, to := t.first[state], t.first[state+1]
	if to-from > 8 {
		i, ok := slices.BinarySearch(t.labels[from:to], sym)
		return from + uint32(i), ok
	}
	for ; from < to; from++ {
		if t.labels[from] == sym {
			return from, true
		}
	}
	return 0, false
}

// step returns where state goes on with sym, with flagOut if a string ends there.
func (t *trie) step(state uint32, sym symbol) uint32 {
	for state >= t.dense {
		if child, ok := t.child(state, sym); ok {
			return child | t.links[child]&flagOut
		}
		state = t.links[state] & idMask
	}
	return t.rows[int(state)*t.width+int(sym)]
}

// terminal tells whether state is a string.
func (t *trie) terminal(state uint32) bool { return t.terminalAt(state) >= 0 }

// terminalAt returns the place of state among the terminals, or -1.
func (t *trie) terminalAt(state uint32) int {
	if i, ok := slices.BinarySearch(t.terminals, state); ok {
		return i
	}
	return -1
}

// depth returns how many symbols state has.
func (t *trie) depth(state uint32) int {
	return sort.Search(len(t.levels), func(i int) bool { return t.levels[i] > state }) - 1
}

// shallower tells whether state has fewer than n symbols.
func (t *trie) shallower(state uint32, n int) bool { return n >= len(t.levels) || state < t.levels[n] }
