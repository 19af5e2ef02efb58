package dictionary

import (
	"unicode/utf8"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// symbol is a number for characters that the strings do not tell apart. Symbol 0 is all that is in no string.
type symbol = uint16

// Limits of what is taken for strings.
const (
	maxChars    = 64 // characters of a class
	maxSymbols  = 1 << 15
	maxExpanded = 1 << 20 // symbols of strings that are not written out in the pattern
)

// alphabet maps text to symbols.
type alphabet struct {
	size  int // symbols, with 0
	ascii [utf8.RuneSelf]symbol
	pages [(utf8.MaxRune + 1) >> 8]*[256]symbol // of other characters; nil: all 0
	nodes map[*syntax.Node][]symbol             // what a class or byte of the tree can be
}

// next returns the symbol of the character that text begins with, and its length.
func (a *alphabet) next(text []byte) (symbol, int) {
	if b := text[0]; b < utf8.RuneSelf {
		return a.ascii[b], 1
	}
	r, n := utf8.DecodeRune(text)
	if page := a.pages[r>>8]; page != nil && (r != utf8.RuneError || n > 1) {
		return page[r&0xff], n
	}
	return 0, n
}

// read makes the alphabet of the tree, and returns its strings in the order of their priority.
func (a *alphabet) read(root *syntax.Node, term byte) ([][]symbol, bool) {
	a.nodes = make(map[*syntax.Node][]symbol)
	var leaves []*syntax.Node
	if !a.collect(root, &leaves) || !a.divide(leaves, term) {
		return nil, false
	}
	var all [][]symbol
	budget := maxExpanded
	for _, sub := range root.Sub {
		if text, ok := a.text(sub); ok {
			all = append(all, text)
			continue
		}
		strings, ok := a.expand(sub, &budget)
		if !ok {
			return nil, false
		}
		all = append(all, strings...)
	}
	a.nodes = nil
	return all, true
}

// collect appends the leaves of n that are not in a.nodes yet. It fails if n is more than strings.
func (a *alphabet) collect(n *syntax.Node, leaves *[]*syntax.Node) bool {
	switch n.Op {
	case syntax.OpNone, syntax.OpEmpty:
	case syntax.OpByte, syntax.OpClass:
		if _, ok := a.nodes[n]; ok {
			return true
		}
		if n.Op == syntax.OpByte && n.Byte >= utf8.RuneSelf {
			return false // a match may run through characters, byte by byte
		}
		count := 0
		for i := 0; i < len(n.Class); i += 2 {
			if count += int(n.Class[i+1]-n.Class[i]) + 1; count > maxChars {
				return false
			}
		}
		a.nodes[n] = nil
		*leaves = append(*leaves, n)
	case syntax.OpConcat, syntax.OpAlt:
		for _, sub := range n.Sub {
			if !a.collect(sub, leaves) {
				return false
			}
		}
	case syntax.OpRepeat:
		return n.Min == 0 && n.Max == 1 && a.collect(n.Sub[0], leaves)
	default:
		return false
	}
	return true
}

// runesOf returns the characters of a leaf, without the terminator, which no line holds.
func runesOf(n *syntax.Node, term byte) (runes []rune) {
	if n.Op == syntax.OpByte {
		return []rune{rune(n.Byte)}
	}
	for i := 0; i < len(n.Class); i += 2 {
		for r := n.Class[i]; r <= n.Class[i+1]; r++ {
			if r != rune(term) {
				runes = append(runes, r)
			}
		}
	}
	return runes
}

// divide gives each character its symbol: one for all that are in the same leaves. It notes the symbols of each leaf.
func (a *alphabet) divide(leaves []*syntax.Node, term byte) bool {
	type step struct{ group, leaf int } // of a group those characters that are in one more leaf
	groups := map[rune]int{}
	for i, n := range leaves {
		split := map[step]int{}
		for _, r := range runesOf(n, term) {
			k := step{groups[r], i}
			if split[k] == 0 {
				a.size++
				split[k] = a.size
			}
			groups[r] = split[k]
		}
	}
	symbols := map[int]symbol{}
	a.size = 1
	for _, n := range leaves {
		var of []symbol
		seen := map[symbol]bool{}
		for _, r := range runesOf(n, term) {
			if a.size > maxSymbols {
				return false
			}
			sym, ok := symbols[groups[r]]
			if !ok {
				sym = symbol(a.size)
				symbols[groups[r]] = sym
				a.size++
			}
			a.set(r, sym)
			if !seen[sym] {
				seen[sym] = true
				of = append(of, sym)
			}
		}
		a.nodes[n] = of
	}
	return true
}

func (a *alphabet) set(r rune, sym symbol) {
	if r < utf8.RuneSelf {
		a.ascii[r] = sym
		return
	}
	page := &a.pages[r>>8]
	if *page == nil {
		*page = new([256]symbol)
	}
	(*page)[r&0xff] = sym
}

// text returns the one string that n is; false if it is not one.
func (a *alphabet) text(n *syntax.Node) ([]symbol, bool) {
	subs := []*syntax.Node{n}
	if n.Op == syntax.OpConcat {
		subs = n.Sub
	}
	out := make([]symbol, 0, len(subs))
	for _, sub := range subs {
		of := a.nodes[sub]
		if len(of) != 1 {
			return nil, false
		}
		out = append(out, of[0])
	}
	return out, true
}

// expand returns all strings that n can be, those of higher priority first. It fails where they take more than budget.
func (a *alphabet) expand(n *syntax.Node, budget *int) (out [][]symbol, ok bool) {
	switch n.Op {
	case syntax.OpEmpty:
		return [][]symbol{nil}, true
	case syntax.OpByte, syntax.OpClass:
		for _, sym := range a.nodes[n] {
			out = append(out, []symbol{sym})
		}
	case syntax.OpAlt:
		for _, sub := range n.Sub {
			more, ok := a.expand(sub, budget)
			if !ok {
				return nil, false
			}
			out = append(out, more...)
		}
	case syntax.OpRepeat: // of collect: at most one
		if out, ok = a.expand(n.Sub[0], budget); !ok {
			return nil, false
		}
		if n.Lazy {
			out = append([][]symbol{nil}, out...)
		} else {
			out = append(out, nil)
		}
	case syntax.OpConcat:
		out = [][]symbol{nil}
		for _, sub := range n.Sub {
			more, ok := a.expand(sub, budget)
			if !ok {
				return nil, false
			}
			if out, ok = product(out, more, budget); !ok {
				return nil, false
			}
		}
	}
	return out, true
}

// product returns each of a followed by each of b.
func product(a, b [][]symbol, budget *int) (out [][]symbol, ok bool) {
	for _, s := range a {
		for _, t := range b {
			if *budget -= len(s) + len(t) + 1; *budget < 0 {
				return nil, false
			}
			out = append(out, append(s[:len(s):len(s)], t...))
		}
	}
	return out, true
}
