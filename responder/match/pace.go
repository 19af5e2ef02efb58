package match

// pace decides when a prefilter loses. What its candidates cost is held against what bit streams, or the line DFA, would
// cost for the same bytes; if that is less, these search alone for a stretch, then the prefilter
// is tried again. A stretch is twice the last as long as each trial fails, so that trials cost little.
type pace struct {
	candidates int
	spent      int // nanoseconds, estimated, since the last decision
	covered    int // bytes since then
	skip       int // bytes that are searched without it
	stretch    int // length of the next stretch

	alone float64 // nanoseconds a byte without it
}

const (
	trial      = 32       // candidates between decisions
	minStretch = 64 << 10 // bytes
	maxStretch = 8 << 20

	candidateNanos = 45 // to stop at a candidate, find its line, start the automaton
	alsoNanos      = 10 // to search a line for something
	dfaNanos       = 2  // a byte of a candidate

	finderNanos = 0.06 // a byte that a finder passes over
	aloneNanos  = 1.0  // a byte of the line DFA, where lines run side by side
)

// judged counts candidate lines, which were found in so many bytes.
func (p *pace) judged(candidates, searched int) {
	p.candidates += candidates
	p.spent += candidates * candidateNanos
	p.covered += searched
	if p.candidates < trial {
		return
	}
	if float64(p.spent) > float64(p.covered)*(p.alone-finderNanos) {
		p.lost()
	} else {
		p.stretch = minStretch
	}
	p.candidates, p.spent, p.covered = 0, 0, 0
}

// lost has the prefilter left out for a stretch.
func (p *pace) lost() {
	p.skip = p.stretch
	p.stretch = min(2*p.stretch, maxStretch)
}
