package match

import (
	"fmt"
	"math"
	"strings"

	"github.com/trawl-logs/trawl/responder/match/bitstream"
	"github.com/trawl-logs/trawl/responder/match/literal"
	"github.com/trawl-logs/trawl/responder/match/simd"
	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// Strategy is how a Pattern searches. Cheapest first:
type Strategy uint8

const (
	// MatchNone: no line can match; nothing is read.
	MatchNone Strategy = iota
	// MatchAll: every line matches.
	MatchAll
	// ExactLiteral: a line matches if it holds a literal.
	ExactLiteral
	// FoldedLiteral: as ExactLiteral, with ASCII letters in either case.
	FoldedLiteral
	// BoundedLiteral: a line matches if it holds a literal at whose ends assertions hold (^, $, \b,
	// -w, -x …), which are looked at in place.
	BoundedLiteral
	// LiteralSet: a line matches if it holds one of a set of literals.
	LiteralSet
	// LargeSet: as LiteralSet, for thousands of strings, perhaps with -w or -x.
	LargeSet
	// LiteralPrefilter: lines that hold a required literal are judged by the automaton.
	LiteralPrefilter
	// SetPrefilter: lines that hold a literal of a required set are judged by the automaton.
	SetPrefilter
	// WindowPrefilter: lines that hold a required run of byte classes are judged by the automaton.
	WindowPrefilter
	// BitStreams: everything is tested 64 bytes at a time; lines beyond ASCII may be judged by the automaton.
	BitStreams
	// Automaton: the line DFA runs over everything.
	Automaton
)

var strategyNames = [...]string{
	MatchNone: "match-none", MatchAll: "match-all", ExactLiteral: "exact-literal", FoldedLiteral: "folded-literal",
	BoundedLiteral: "bounded-literal", LiteralSet: "literal-set", LargeSet: "large-set", LiteralPrefilter: "literal-prefilter",
	SetPrefilter: "set-prefilter", WindowPrefilter: "window-prefilter", BitStreams: "bit-streams", Automaton: "automaton",
}

func (s Strategy) String() string { return strategyNames[s] }

// Costs in nanoseconds a byte (see literal.Set.Cost) above which a prefilter is not tried. The line DFA
// costs about 1; windows get more leave, since how often classes meet is hard to estimate and the
// matcher gives up at run time what does not pay.
const (
	dearSet    = 1.0
	dearWindow = 6.0
)

// maxBounded is how long a text with assertions may be to be looked for in place. Each place where
// they do not hold costs a comparison, so that time would grow with the length of text and line.
const maxBounded = 64

// choose picks the strategy for what a pattern requires.
func (p *Pattern) choose(re *syntax.Regexp, info literal.Info) {
	p.required, p.plain = info.Sets, info.Plain
	if info.Text != nil && (len(info.Text) <= maxBounded || len(info.Before)+len(info.After) == 0) {
		p.text = newBoundedText(info, p.term)
	}
	switch {
	case info.Never:
		p.strategy = MatchNone
		return
	case info.Always:
		p.strategy = MatchAll
		return
	case p.text != nil && p.text.bounded():
		p.strategy, p.finder, p.reach = BoundedLiteral, p.text, p.text.size
		return
	}
	p.strategy = Automaton
	dear, cost := dearSet, math.Inf(1)
	for _, s := range info.Sets {
		if s.Cost() > dear {
			break
		}
		if f, ok := newFinder(s, p.term); ok {
			cost = s.Cost()
			p.useSet(s, f)
			p.place = s.Place
			break
		}
	}
	if p.strategy < LiteralPrefilter {
		return
	}
	for _, w := range info.Windows {
		if w.Cost() >= min(cost, dearWindow) {
			break
		}
		if f, ok := newWindow(w); ok {
			p.strategy, p.finder, p.place = WindowPrefilter, f, w.Place
			p.reach = len(w.Classes)
			break
		}
	}
	p.useStreams(re)
	if p.finder != nil {
		p.alsoRequire(info)
	}
}

// useStreams makes bit streams what is used without a prefilter, if there are any and they take less than the line DFA. Else
// they are for where its cache thrashes.
func (p *Pattern) useStreams(re *syntax.Regexp) {
	if !simd.Accelerated() {
		return
	}
	streams, ok := bitstream.Compile(re, p.term)
	switch p.streams = streams; {
	case !ok:
		p.streams = nil
	case streams.Cost() > aloneNanos:
		p.late = true
	case p.strategy == Automaton:
		p.strategy = BitStreams
	}
}

// useSet makes s, which f finds, the strategy.
func (p *Pattern) useSet(s literal.Set, f finder) {
	p.finder, p.reach = f, 0
	for _, l := range s.Lits {
		p.reach = max(p.reach, len(l))
	}
	if s.Then != nil {
		p.reach++
	}
	switch single := len(s.Lits) == 1; {
	case s.Exact && single && s.Fold:
		p.strategy = FoldedLiteral
	case s.Exact && single:
		p.strategy = ExactLiteral
	case s.Exact:
		p.strategy = LiteralSet
	case single:
		p.strategy = LiteralPrefilter
	default:
		p.strategy = SetPrefilter
	}
}

// Explain says in a line how p searches, and for what.
func (p *Pattern) Explain() string {
	if p.strategy == LargeSet {
		return fmt.Sprintf("%v of %d strings", p.strategy, p.set.Size())
	}
	if len(p.required) == 0 || p.finder == nil || p.strategy == WindowPrefilter {
		return p.strategy.String()
	}
	var lits []string
	for _, l := range p.required[0].Lits {
		if len(lits) == 5 {
			lits = append(lits, "…")
			break
		}
		lits = append(lits, fmt.Sprintf("%.40q", l))
	}
	return p.strategy.String() + " " + strings.Join(lits, " ")
}
