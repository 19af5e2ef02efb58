// Package syntax turns patterns of every language that trawl reads (RE2, POSIX extended and basic
// with GNU's extensions, fixed strings) into one tree, Node, from which the rest of match works:
// literals are extracted from it and automata are built from it.
//
// The tree describes one line without its terminator. It knows no captures, no flags and no
// languages: case folding, word and line anchoring (-i, -w, -x) are already part of it.
package syntax

// Op is the kind of a Node.
type Op uint8

const (
	OpNone   Op = iota // matches nothing
	OpEmpty            // matches the empty string
	OpByte             // one byte, Byte; for bytes of a pattern that are not valid UTF-8
	OpClass            // one character of Class; never an invalid byte
	OpLook             // an assertion, Look, of width 0
	OpConcat           // Sub one after the other
	OpAlt              // any of Sub; earlier ones are preferred (leftmost-first)
	OpRepeat           // Sub[0] from Min to Max times (Max < 0: no bound); Lazy prefers fewer
)

// Look is an assertion about the characters on both sides of a position. An invalid byte is not a
// word character. No assertion holds inside a character, between the bytes of its encoding: \B and
// the half assertions do not match within "é".
type Look uint8

const (
	LookStart     Look = iota // start of the line
	LookEnd                   // end of the line
	LookWord                  // \b
	LookNotWord               // \B
	LookWordStart             // \<: no word character before, one after
	LookWordEnd               // \>: a word character before, none after
	LookHalfStart             // no word character before (-w)
	LookHalfEnd               // no word character after (-w)
)

// Node is a node of the tree.
type Node struct {
	Op       Op
	Byte     byte
	Class    []rune // OpClass: inclusive ranges lo, hi, lo, hi … sorted, merged; a literal char is a class of one; case variants included
	Look     Look
	Unicode  bool // OpLook: word characters are Unicode letters, digits and _ (-E, -G, -F), else ASCII's (RE2)
	Sub      []*Node
	Min, Max int
	Lazy     bool
}

// Regexp is a parsed set of patterns.
type Regexp struct {
	Root    *Node
	Longest bool // leftmost-longest spans (-E, -G, -F), else leftmost-first (RE2)
}
