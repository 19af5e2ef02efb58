// Package literal finds out, from the tree of a pattern, what every line that matches must contain:
// literals, or, where there are none, short runs of byte classes. A search looks for the rarest of
// these with a fast kernel, and asks the automaton only about the lines where it is found.
//
// Extract walks the tree once. Each node becomes a piece: the strings that it can be, if they are few,
// or that it begins and ends with, and what it requires (piece.go). Pieces are joined along
// concatenations into longer literals and windows (concat.go), and judged by how often logs hold
// them (rate.go).
//
// Everything is conservative: no line that matches lacks what is required here. The reverse holds
// only where Set.Exact says so.
package literal

import (
	"bytes"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// Place says where in a match a requirement is met.
type Place struct {
	Back int // a match begins at most so many bytes before it; negative: anywhere before

	// Of the parts that the pattern is a concatenation of, it lies within these.
	First, Last int
}

// Behind tells whether what is required at p is always met behind what is at q.
func (p Place) Behind(q Place) bool { return p.First > q.Last }

// Set is a requirement: every line that matches contains at least one of Lits.
type Set struct {
	Place
	Lits  [][]byte // none is empty, none contains another
	Fold  bool     // ASCII letters of Lits, then in lower case, match in either case
	Exact bool     // and every line that contains one of them matches
	Then  *Class   // if not nil, what may follow: one literal behind which stands one of these bytes
}

// Class is a set of bytes, one bit each.
type Class [4]uint64

// Has tells whether b is in c.
func (c *Class) Has(b byte) bool { return c[b>>6]>>(b&63)&1 != 0 }

// Bounds returns the lowest and the highest byte of c, which has one.
func (c *Class) Bounds() (lo, hi byte) {
	for lo = 0; lo < 0xff && !c.Has(lo); lo++ {
	}
	for hi = 0xff; hi > 0 && !c.Has(hi); hi-- {
	}
	return lo, hi
}

func (c *Class) add(b byte) { c[b>>6] |= 1 << (b & 63) }

// Window is a requirement: every line that matches contains a run of bytes that are each in the
// class at their place.
type Window struct {
	Place
	Classes []Class // two to four
}

// Info is what a pattern requires of a line.
type Info struct {
	Never   bool     // no line matches
	Always  bool     // every line matches
	Sets    []Set    // the cheapest to search for first
	Windows []Window // the rarest first; not where a set is exact

	// Plain tells that all this holds for lines without the two characters beyond ASCII that match an
	// ASCII letter in some other case, ſ and K (the Kelvin sign). Other lines must be judged without it.
	Plain bool

	// Text, if not nil, is the whole pattern, but for assertions Before and After it. Then a match is
	// Text, in either case with Fold, where these hold. It is valid UTF-8.
	Text          []byte
	Fold          bool // as in Set
	Before, After []*syntax.Node
}

// kept is how many requirements of a kind are kept: more than a search would ever test.
const kept = 4

// Extract returns what re requires of a line that ends in term.
func Extract(re *syntax.Regexp, term byte) Info {
	x := extractor{term: term}
	var info Info
	middle := re.Root
	if middle.Op == syntax.OpConcat {
		subs := middle.Sub
		for len(subs) > 0 && subs[0].Op == syntax.OpLook {
			info.Before, subs = append(info.Before, subs[0]), subs[1:]
		}
		for len(subs) > 0 && subs[len(subs)-1].Op == syntax.OpLook {
			info.After, subs = append(info.After, subs[len(subs)-1]), subs[:len(subs)-1]
		}
		if len(subs) < len(middle.Sub) {
			middle = &syntax.Node{Op: syntax.OpConcat, Sub: subs}
		}
	}
	p := x.piece(middle)
	if p.whole && !p.look && len(p.opts) == 1 && !p.opts[0].mixed() && len(p.opts[0].text) > 0 && utf8.Valid(p.opts[0].text) {
		info.Text, info.Fold = p.opts[0].text, p.opts[0].either
	} else {
		info.Before, info.After = nil, nil
	}
	root := trim(re.Root)
	if root != middle {
		p = x.piece(root)
	}
	if p.whole {
		switch {
		case len(p.opts) == 0 && !x.plain:
			info.Never = true
			return info
		case !p.look && slices.ContainsFunc(p.opts, func(l lit) bool { return len(l.text) == 0 }):
			info.Always = true
			return info
		}
		if s, ok := toSet(p.opts, !p.look); ok {
			p.sets = append(p.sets, s)
		}
	}
	info.Sets = best(p.sets, kept)
	if len(info.Sets) == 0 || !info.Sets[0].Exact {
		x.windows = true
		p = x.piece(root)
		info.Windows = rarest(p.wins, kept)
	}
	info.Plain = x.plain
	return info
}

// toSet makes a requirement of options; exact tells whether nothing else is required. It fails if
// one of the options is empty: that requires nothing.
func toSet(opts []lit, exact bool) (Set, bool) {
	s := Set{Exact: exact, Place: Place{Last: math.MaxInt}}
	if len(opts) == 0 {
		return s, false
	}
	for _, l := range opts {
		s.Fold = s.Fold || l.either
	}
	for _, l := range opts {
		if len(l.text) == 0 {
			return Set{}, false
		}
		if s.Fold && l.only {
			s.Exact = false // found in the other case as well
		}
		text := bytes.Clone(l.text)
		if s.Fold {
			lower(text)
		}
		s.Lits = append(s.Lits, text)
	}
	s.Lits, s.Back = minimal(s.Lits)
	return s, true
}

// lower puts ASCII letters in lower case, in place.
func lower(text []byte) {
	for i, b := range text {
		if b >= 'A' && b <= 'Z' {
			text[i] = b | 0x20
		}
	}
}

// minimal drops literals that contain another: where they are found, it is found too, shift bytes behind their start at
// most.
func minimal(lits [][]byte) (out [][]byte, shift int) {
	for i, l := range lits {
		redundant := false
		for j, m := range lits {
			if i == j || len(m) > len(l) || len(m) == len(l) && j > i {
				continue
			}
			if at := bytes.Index(l, m); at >= 0 {
				redundant, shift = true, max(shift, at)
			}
		}
		if !redundant {
			out = append(out, l)
		}
	}
	return out, shift
}

// trim removes from both ends of n what a line need not have: whether it matches stays the same,
// its spans do not. The repetitions in `.*ab+` are gone in `ab`.
func trim(n *syntax.Node) *syntax.Node {
	switch n.Op {
	case syntax.OpAlt:
		subs := make([]*syntax.Node, len(n.Sub))
		for i, sub := range n.Sub {
			subs[i] = trim(sub)
		}
		return &syntax.Node{Op: syntax.OpAlt, Sub: subs}
	case syntax.OpRepeat:
		switch {
		case n.Min == 0:
			return &syntax.Node{Op: syntax.OpEmpty}
		case n.Min == 1:
			return trim(n.Sub[0])
		case n.Max != n.Min:
			return fewest(n)
		}
	case syntax.OpConcat:
		subs := slices.Clone(n.Sub)
		for len(subs) > 0 && optional(subs[0]) {
			subs = subs[1:]
		}
		for len(subs) > 0 && optional(subs[len(subs)-1]) {
			subs = subs[:len(subs)-1]
		}
		if len(subs) == 0 {
			return &syntax.Node{Op: syntax.OpEmpty}
		}
		if len(subs) == 1 {
			return trim(subs[0])
		}
		subs[0], subs[len(subs)-1] = fewest(subs[0]), fewest(subs[len(subs)-1])
		return &syntax.Node{Op: syntax.OpConcat, Sub: subs}
	}
	return n
}

// fewest returns n repeated no more often than it must be.
func fewest(n *syntax.Node) *syntax.Node {
	if n.Op != syntax.OpRepeat || n.Min == n.Max {
		return n
	}
	if n.Min == 1 {
		return n.Sub[0]
	}
	return &syntax.Node{Op: syntax.OpRepeat, Sub: n.Sub, Min: n.Min, Max: n.Min}
}

// optional tells whether n matches the empty string wherever it stands.
func optional(n *syntax.Node) bool {
	switch n.Op {
	case syntax.OpEmpty:
		return true
	case syntax.OpRepeat:
		return n.Min == 0 || optional(n.Sub[0])
	case syntax.OpAlt:
		return slices.ContainsFunc(n.Sub, optional)
	case syntax.OpConcat:
		return !slices.ContainsFunc(n.Sub, func(s *syntax.Node) bool { return !optional(s) })
	}
	return false
}
