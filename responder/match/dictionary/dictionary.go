// Package dictionary searches for sets of strings that are too many for the kernels of simd: thousands, or a
// hundred thousand, as a file of patterns holds.
//
// New turns a pattern's tree into a Set, if the tree is nothing but strings. Their characters become symbols, one
// for all that are equal under -i (alphabet.go); the strings become a trie, numbered by depth, and with its suffix
// links the automaton of Aho and Corasick (trie.go). Over ASCII text a filter tells where none of the strings can
// be, from one window of a few bytes in many (filter.go). A Searcher joins these (search.go); Stream takes a line
// in pieces (stream.go).
//
// Building takes time in proportion to the strings, memory of about 14 bytes a character. Searching looks at each
// byte once, whatever the text and the strings; only with words, where one string ends that has others as its suffixes,
// are all of these tried, one after the other.
package dictionary

import (
	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// Bounds are the borders that a match must have.
type Bounds uint8

const (
	Anywhere Bounds = iota
	Words           // no word character before it, none behind it (-w)
	Lines           // it is the whole line (-x)
)

// Border tells whether an assertion of -w holds at a border of characters of buf.
type Border func(buf []byte, at int) bool

// Set is a set of strings. It is immutable.
type Set struct {
	alphabet
	trie
	filter  *filter // nil: it would not pay
	bounds  Bounds
	before  Border // of Words
	after   Border
	longest bool // spans are the longest, else those of the string that comes first
	strings int
	term    byte
}

// New returns the set of the strings that re, a pattern for lines that end in term, consists of. before and after are the
// assertions of -w. It returns false if re is anything else than alternative strings, perhaps with -w or -x.
func New(re *syntax.Regexp, term byte, before, after Border) (*Set, bool) {
	root, bounds, ok := inner(re.Root)
	if !ok {
		return nil, false
	}
	s := &Set{bounds: bounds, before: before, after: after, longest: re.Longest, term: term}
	strings, ok := s.read(root, term)
	if !ok {
		return nil, false
	}
	sorted, order := arrange(strings)
	if s.strings = len(sorted); s.strings == 0 {
		return nil, false // nothing to look for
	}
	if bounds == Words && len(sorted[0]) == 0 {
		return nil, false // which is found between any two characters
	}
	s.build(sorted, order, bounds)
	if bounds != Lines {
		s.fill(s.size)
		s.filter = newFilter(&s.alphabet, sorted)
	}
	return s, true
}

// Size returns how many strings there are.
func (s *Set) Size() int { return s.strings }

// Always tells that every line matches: the empty string is one of them.
func (s *Set) Always() bool { return s.bounds != Lines && s.terminal(0) }

// inner returns the alternatives of a pattern without the assertions of -w and -x around them.
func inner(root *syntax.Node) (*syntax.Node, Bounds, bool) {
	bounds := Anywhere
	if root.Op == syntax.OpConcat && len(root.Sub) == 3 {
		a, b := root.Sub[0], root.Sub[2]
		if a.Op == syntax.OpLook && b.Op == syntax.OpLook {
			switch {
			case a.Look == syntax.LookStart && b.Look == syntax.LookEnd:
				bounds = Lines
			case a.Look == syntax.LookHalfStart && b.Look == syntax.LookHalfEnd:
				bounds = Words
			default:
				return nil, 0, false
			}
			root = root.Sub[1]
		}
	}
	return root, bounds, root.Op == syntax.OpAlt
}
