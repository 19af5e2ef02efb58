package syntax

import (
	"fmt"
	"strings"
)

// Syntax names the language of a Spec's patterns.
type Syntax uint8

const (
	RE2   Syntax = iota // as Go's regexp: Perl-like, leftmost-first
	ERE                 // POSIX extended with GNU grep's extensions (-E), leftmost-longest
	BRE                 // POSIX basic with GNU grep's extensions (-G), leftmost-longest
	Fixed               // literal strings (-F)
)

// Limits bounds what Parse accepts. A zero field means its default.
type Limits struct {
	Patterns int // patterns after splitting at newlines; default 1,000
	Bytes    int // bytes of all patterns together; default 256 KiB
	Depth    int // nesting of groups and repetitions; default 1,000
	Expanded int // characters once every {n,m} is written out; default 512 Ki
}

// The defaults of Limits.
const (
	DefaultPatterns = 1000
	DefaultBytes    = 256 << 10
	DefaultDepth    = 1000
	DefaultExpanded = 512 << 10
)

func (l Limits) withDefaults() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.Patterns, DefaultPatterns)
	set(&l.Bytes, DefaultBytes)
	set(&l.Depth, DefaultDepth)
	set(&l.Expanded, DefaultExpanded)
	return l
}

// Spec says what to parse. Each of Patterns may hold several, separated by newlines, as grep has
// it; a line matches if any of them does. No patterns at all match nothing.
type Spec struct {
	Patterns   []string
	Syntax     Syntax
	IgnoreCase bool // -i
	Word       bool // -w: a match must not touch a word character on either side
	Line       bool // -x: a match must be the whole line; wins over Word
	Terminator byte // ends a line, '\n' or (-z) 0: a pattern that demands it is refused
	Limits     Limits
}

// Error says which pattern cannot be used, and why.
type Error struct {
	Pattern string // the pattern, or "" when all of them together are at fault
	Reason  string
}

func (e *Error) Error() string {
	if e.Pattern == "" {
		return "patterns: " + e.Reason
	}
	return fmt.Sprintf("pattern %q: %s", clip(e.Pattern), e.Reason)
}

// clip shortens a pattern for a message: a pattern may have 256 KiB.
func clip(s string) string {
	if len(s) <= 120 {
		return s
	}
	return s[:117] + "..."
}

// Parse turns the patterns of s into one tree. Errors are of type *Error.
func Parse(s Spec) (*Regexp, error) {
	lim := s.Limits.withDefaults()
	pats, err := split(s.Patterns, lim)
	if err != nil {
		return nil, err
	}
	subs, err := parseAll(s, pats, lim)
	if err != nil {
		return nil, err
	}
	root := alternate(subs)
	switch {
	case s.Line:
		root = concat([]*Node{{Op: OpLook, Look: LookStart}, root, {Op: OpLook, Look: LookEnd}})
	case s.Word:
		root = concat([]*Node{
			{Op: OpLook, Look: LookHalfStart, Unicode: true}, root,
			{Op: OpLook, Look: LookHalfEnd, Unicode: true},
		})
	}
	if err := check(root, lim); err != nil {
		return nil, err
	}
	return &Regexp{Root: root, Longest: s.Syntax != RE2}, nil
}

// parseAll parses every pattern on its own, in s's language.
func parseAll(s Spec, pats []string, lim Limits) ([]*Node, error) {
	switch s.Syntax {
	case RE2:
		return parseRE2(s, pats)
	case ERE, BRE:
		return parsePOSIX(s, pats, lim)
	case Fixed:
		lits := newLiterals(s.IgnoreCase)
		subs := make([]*Node, len(pats))
		for i, p := range pats {
			subs[i] = lits.text(p)
		}
		return subs, nil
	}
	return nil, &Error{Reason: fmt.Sprintf("unknown syntax %d", s.Syntax)}
}

// split cuts patterns at newlines and holds them against the limits of number and size. A pattern
// that occurs twice is kept once.
func split(in []string, lim Limits) ([]string, error) {
	total := 0
	for _, p := range in {
		total += len(p)
	}
	if total > lim.Bytes {
		return nil, &Error{Reason: fmt.Sprintf("%d bytes are over the limit of %d", total, lim.Bytes)}
	}
	var out []string
	count, seen := 0, map[string]bool{}
	for _, p := range in {
		for one := range strings.SplitSeq(p, "\n") {
			if count++; count > lim.Patterns {
				return nil, &Error{Reason: fmt.Sprintf("more than the limit of %d patterns", lim.Patterns)}
			}
			if !seen[one] {
				seen[one] = true
				out = append(out, one)
			}
		}
	}
	return out, nil
}

// check holds a tree against the limits of depth and expanded size.
func check(root *Node, lim Limits) error {
	size, depth := measure(root, lim.Depth)
	if depth > lim.Depth {
		return &Error{Reason: fmt.Sprintf("nested deeper than the limit of %d", lim.Depth)}
	}
	if size > lim.Expanded {
		return &Error{Reason: fmt.Sprintf(
			"regular expression too big: its repetitions expand to more than the limit of %d characters", lim.Expanded)}
	}
	return nil
}

// tooBig is where measure stops counting, so that products cannot overflow.
const tooBig = 1 << 30

// measure returns how many leaves n has once its repetitions are written out, and its depth; it
// descends no further than deepest.
func measure(n *Node, deepest int) (size, depth int) {
	if deepest < 0 {
		return 0, 1
	}
	size = 1
	for _, sub := range n.Sub {
		s, d := measure(sub, deepest-1)
		size = min(size+s, tooBig)
		depth = max(depth, d)
	}
	if n.Op == OpRepeat {
		size = min(size*max(n.Min, n.Max, 1), tooBig)
	}
	return size, depth + 1
}

// concat joins subs in order, flat.
func concat(subs []*Node) *Node {
	out := make([]*Node, 0, len(subs))
	for _, s := range subs {
		switch s.Op {
		case OpEmpty:
		case OpNone:
			return s
		case OpConcat:
			out = append(out, s.Sub...)
		default:
			out = append(out, s)
		}
	}
	switch len(out) {
	case 0:
		return &Node{Op: OpEmpty}
	case 1:
		return out[0]
	}
	return &Node{Op: OpConcat, Sub: out}
}

// alternate joins subs as alternatives, the first preferred, flat.
func alternate(subs []*Node) *Node {
	out := make([]*Node, 0, len(subs))
	for _, s := range subs {
		switch s.Op {
		case OpNone:
		case OpAlt:
			out = append(out, s.Sub...)
		default:
			out = append(out, s)
		}
	}
	switch len(out) {
	case 0:
		return &Node{Op: OpNone}
	case 1:
		return out[0]
	}
	return &Node{Op: OpAlt, Sub: out}
}

// repeat repeats n. A chain of *, + and ? (a**, a+?) becomes one of them, so that its length costs
// no depth; laziness matters to RE2 only, whose parser has done the same.
func repeat(n *Node, lo, hi int, lazy bool) *Node {
	switch {
	case n.Op == OpEmpty || n.Op == OpNone && lo > 0 || lo == 1 && hi == 1:
		return n
	case hi == 0 || n.Op == OpNone:
		return &Node{Op: OpEmpty}
	}
	if n.Op == OpRepeat && simple(n.Min, n.Max) && simple(lo, hi) && n.Lazy == lazy {
		if lo == n.Min && hi == n.Max {
			return n
		}
		return &Node{Op: OpRepeat, Sub: n.Sub, Min: 0, Max: -1, Lazy: lazy}
	}
	return &Node{Op: OpRepeat, Sub: []*Node{n}, Min: lo, Max: hi, Lazy: lazy}
}

// simple tells *, + and ? from the other repetitions.
func simple(lo, hi int) bool { return lo <= 1 && hi < 0 || lo == 0 && hi == 1 }
