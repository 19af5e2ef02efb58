package literal

import (
	"math"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// Anchor is what a search for spans looks for first: every match contains it, and begins no more than Back before
// it. One of Set and Window is set.
type Anchor struct {
	Set    *Set
	Window *Window
}

// Back is that of the place.
func (a Anchor) Back() int {
	if a.Set != nil {
		return a.Set.Back
	}
	return a.Window.Back
}

// SpanAnchor returns the rarest anchor of re, false if it has none or one that holds for plain lines only (see Info).
// Other than Extract it takes the whole pattern: what a line need not have belongs to spans still.
func SpanAnchor(re *syntax.Regexp, term byte) (Anchor, bool) {
	x := extractor{term: term, windows: true}
	p := x.piece(re.Root)
	if p.whole {
		if s, ok := toSet(p.opts, false); ok {
			p.sets = append(p.sets, s)
		}
	}
	// Windows get more leave: how often they are met is hard to estimate.
	var a Anchor
	cost := math.Inf(1)
	for _, s := range p.sets {
		if c := s.Cost(); s.Back >= 0 && c < min(cost, 1) {
			a, cost = Anchor{Set: &s}, c
		}
	}
	for _, w := range p.wins {
		if c := w.Cost(); w.Back >= 0 && c < min(cost, 6) {
			a, cost = Anchor{Window: &w}, c
		}
	}
	return a, (a.Set != nil || a.Window != nil) && !x.plain
}
