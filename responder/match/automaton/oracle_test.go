package automaton

import (
	"unicode/utf8"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// oracle matches a tree against a line by the book: it computes for each node and place all places where a match
// of the node can end, in order of priority. Slow, and shares no idea with the automaton.
type oracle struct {
	line []byte
	mid  []bool // inside a character
	memo map[oracleKey][]int
}

type oracleKey struct {
	n     *syntax.Node
	pos   int
	turns int
}

func newOracle(line []byte) *oracle {
	o := &oracle{line: line, mid: make([]bool, len(line)+1), memo: map[oracleKey][]int{}}
	for i := 0; i < len(line); {
		_, size := utf8.DecodeRune(line[i:])
		for k := 1; k < size; k++ {
			o.mid[i+k] = true
		}
		i += size
	}
	return o
}

// find returns the leftmost span from from on.
func (o *oracle) find(re *syntax.Regexp, from int) (int, int) {
	for s := from; s <= len(o.line); s++ {
		ends := o.ends(re.Root, s, 0)
		if len(ends) == 0 {
			continue
		}
		best := ends[0]
		for _, e := range ends {
			if re.Longest && e > best {
				best = e
			}
		}
		return s, best
	}
	return -1, -1
}

func (o *oracle) ends(n *syntax.Node, pos, turns int) []int {
	key := oracleKey{n, pos, turns}
	if e, ok := o.memo[key]; ok {
		return e
	}
	e := o.compute(n, pos, turns)
	o.memo[key] = e
	return e
}

// uniq appends those of more that are new.
func uniq(to []int, more ...int) []int {
next:
	for _, m := range more {
		for _, t := range to {
			if t == m {
				continue next
			}
		}
		to = append(to, m)
	}
	return to
}

func (o *oracle) compute(n *syntax.Node, pos, turns int) []int {
	switch n.Op {
	case syntax.OpEmpty:
		return []int{pos}
	case syntax.OpByte:
		if pos < len(o.line) && o.line[pos] == n.Byte {
			return []int{pos + 1}
		}
	case syntax.OpClass:
		r, size := utf8.DecodeRune(o.line[pos:])
		if r == utf8.RuneError && size <= 1 {
			return nil
		}
		for i := 0; i < len(n.Class); i += 2 {
			if n.Class[i] <= r && r <= n.Class[i+1] {
				return []int{pos + size}
			}
		}
	case syntax.OpLook:
		if o.look(n, pos) {
			return []int{pos}
		}
	case syntax.OpConcat:
		at := []int{pos}
		for _, sub := range n.Sub {
			var to []int
			for _, p := range at {
				to = uniq(to, o.ends(sub, p, 0)...)
			}
			at = to
		}
		return at
	case syntax.OpAlt:
		var to []int
		for _, sub := range n.Sub {
			to = uniq(to, o.ends(sub, pos, 0)...)
		}
		return to
	case syntax.OpRepeat:
		return o.repeat(n, pos, turns)
	}
	return nil
}

func (o *oracle) repeat(n *syntax.Node, pos, turns int) []int {
	var more, to []int
	if n.Max < 0 || turns < n.Max {
		for _, p := range o.ends(n.Sub[0], pos, 0) {
			switch {
			case p != pos || turns < n.Min:
				next := turns + 1
				if n.Max < 0 {
					next = min(next, n.Min)
				}
				more = uniq(more, o.ends(n, p, next)...)
			default:
				more = uniq(more, p)
			}
		}
	}
	if turns < n.Min {
		return more
	}
	if n.Lazy {
		return uniq(uniq(to, pos), more...)
	}
	return uniq(more, pos)
}

func (o *oracle) look(n *syntax.Node, pos int) bool {
	switch n.Look {
	case syntax.LookStart:
		return pos == 0
	case syntax.LookEnd:
		return pos == len(o.line)
	}
	if o.mid[pos] {
		return false
	}
	b, _ := utf8.DecodeLastRune(o.line[:pos])
	a, _ := utf8.DecodeRune(o.line[pos:])
	before, after := pos > 0 && isWord(b, n.Unicode), pos < len(o.line) && isWord(a, n.Unicode)
	switch n.Look {
	case syntax.LookWord:
		return before != after
	case syntax.LookNotWord:
		return before == after
	case syntax.LookWordStart:
		return !before && after
	case syntax.LookWordEnd:
		return before && !after
	case syntax.LookHalfStart:
		return !before
	}
	return !after
}

func isWord(r rune, uni bool) bool {
	class := asciiWord
	if uni {
		class = syntax.WordClass()
	}
	for i := 0; i < len(class); i += 2 {
		if class[i] <= r && r <= class[i+1] {
			return true
		}
	}
	return false
}
