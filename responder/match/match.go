// Package match decides which lines match a set of patterns, as fast as this machine can.
//
// Compile turns a Spec into a Pattern: it parses (syntax), finds out what every matching line must
// contain (literal), builds bit streams (bitstream) or the automaton (automaton) where there is none of that, and chooses a
// Strategy: which kernel (simd) runs over whole buffers, and who judges the lines where it stops
// (judge.go). Strings by the thousand have a search of their own (dictionary). A Pattern is immutable
// and shared; each goroutine gets its own Matcher from it.
//
// Whatever the strategy, the answer is the automaton's: the tests hold every strategy against it and
// against Go's regexp. Time is linear in the input for every pattern and text.
package match

import (
	"cmp"
	"errors"
	"fmt"
	"sync"

	"github.com/trawl-logs/trawl/responder/match/automaton"
	"github.com/trawl-logs/trawl/responder/match/bitstream"
	"github.com/trawl-logs/trawl/responder/match/dictionary"
	"github.com/trawl-logs/trawl/responder/match/literal"
	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// Spec says what lines to look for.
type Spec struct {
	Patterns   []string // a line matches if any does; each may hold several, separated by newlines
	Syntax     syntax.Syntax
	IgnoreCase bool
	Word       bool          // -w
	Line       bool          // -x
	Terminator byte          // '\n', or 0 with -z
	MaxProgram int           // instructions of the automaton; 0: see programFor
	Limits     syntax.Limits // zero fields mean the defaults
}

// Error says which pattern cannot be used, and why.
type Error = syntax.Error

// Pattern is a compiled Spec. It is immutable.
type Pattern struct {
	strategy Strategy
	term     byte
	program  func() *automaton.Program // built when first needed
	streams  *bitstream.Program        // nil if there is none
	late     bool                      // streams are used only where the automaton thrashes
	plain    bool                      // finder, also, text are for lines without ſ and K only
	finder   finder                    // of all strategies with a kernel
	reach    int                       // bytes of the longest that finder finds
	place    literal.Place             // of what finder finds, where the automaton judges
	also     []also                    // what a candidate line must hold too
	set      *dictionary.Set           // of LargeSet, which uses nothing of the above
	text     *boundedText              // if the pattern is a text: it gives spans as well
	anchor   func() *anchor            // of spans
	tree     *syntax.Regexp            // for Needs
	required []literal.Set
}

// Compile compiles s. Errors are of type *Error.
func Compile(s Spec) (*Pattern, error) {
	re, err := syntax.Parse(syntax.Spec{
		Patterns: s.Patterns, Syntax: s.Syntax, IgnoreCase: s.IgnoreCase, Word: s.Word, Line: s.Line,
		Terminator: s.Terminator, Limits: s.Limits,
	})
	if err != nil {
		return nil, err
	}
	o := automaton.Options{Terminator: s.Terminator, MaxProgram: cmp.Or(s.MaxProgram, programFor(s.Patterns))}
	p := &Pattern{term: s.Terminator, tree: re}
	if p.useDictionary(re, manyStrings) {
		return p, nil
	}
	p.anchor = sync.OnceValue(func() *anchor { return newAnchor(re, s.Terminator) })
	p.choose(re, literal.Extract(re, s.Terminator))
	if p.strategy < LiteralPrefilter && automaton.Small(re, o) {
		// Lines are found without the automaton, whose building takes as long as the start of the process.
		p.program = sync.OnceValue(func() *automaton.Program {
			program, err := automaton.Compile(re, o)
			if err != nil {
				panic(fmt.Sprintf("match: small automaton: %v", err)) // Small says that there is none
			}
			return program
		})
		return p, nil
	}
	if p.finder == nil && p.strategy > LiteralSet && !automaton.Small(re, o) && p.useDictionary(re, 1) {
		return p, nil
	}
	program, err := automaton.Compile(re, o)
	if err != nil {
		return nil, tooLarge(s, err)
	}
	p.program = func() *automaton.Program { return program }
	return p, nil
}

// programFor is how large a program of the patterns may be: large enough for as many strings as were
// written, which take an instruction a character and direction. The limit is about repetitions, which
// make much out of little.
func programFor(patterns []string) int {
	n := 64
	for _, p := range patterns {
		n += 4 * (len(p) + 1)
	}
	return max(n, automaton.DefaultMaxProgram)
}

// tooLarge puts an error of the automaton in terms of the patterns.
func tooLarge(s Spec, err error) error {
	var size *automaton.SizeError
	if !errors.As(err, &size) {
		return err
	}
	e := &Error{Reason: err.Error()}
	if len(s.Patterns) == 1 {
		e.Pattern = s.Patterns[0]
	}
	return e
}

// Strategy returns how lines are searched for.
func (p *Pattern) Strategy() Strategy { return p.strategy }

// Required returns what every matching line must contain: at least one literal of each Set. It may
// be empty, which requires nothing. Where Plain is true, lines that hold ſ or K (the Kelvin sign) need not.
func (p *Pattern) Required() []literal.Set { return p.required }

// Plain says what Required and the search hold for, see literal.Info.
func (p *Pattern) Plain() bool { return p.plain }

// NewMatcher returns a matcher for one goroutine.
func (p *Pattern) NewMatcher() *Matcher {
	m := &Matcher{p: p, pace: pace{stretch: minStretch, alone: aloneNanos}, also: make([]tested, len(p.also))}
	if p.streams != nil && !p.late {
		m.pace.alone = p.streams.Cost()
	}
	return m
}
