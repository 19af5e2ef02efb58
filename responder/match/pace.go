package match

// pace decides when a prefilter loses. What its candidates cost is held against what the line DFA would
// cost for the same bytes; if that is less, the DFA searches alone for a stretch, then the prefilter
// is tried again. A stretch is twice the last as long as each trial fails, so that trials cost little.
type pace struct {
	candidates int
	spent      int // nanoseconds, estimated, since the last decision
	covered    int // bytes since then
	skip       int // bytes that the DFA searches alone
	stretch    int // length of the next stretch
}

const (
	trial      = 32       // candidates between decisions
	minStretch = 64 << 10 // bytes
	maxStretch = 8 << 20

	candidateNanos = 45 // to stop at a candidate, find its line, start the automaton
	alsoNanos      = 10 // to search a line for something
	dfaNanos       = 2  // a byte of a candidate; where lines run side by side it is half of that
)

// judged counts candidate lines, which were found in so many bytes.
func (p *pace) judged(candidates, searched int) {
	p.candidates += candidates
	p.spent += candidates * candidateNanos
	p.covered += searched
	if p.candidates < trial {
		return
	}
	if p.spent > p.covered*dfaNanos/2 {
		p.skip = p.stretch
		p.stretch = min(2*p.stretch, maxStretch)
	} else {
		p.stretch = minStretch
	}
	p.candidates, p.spent, p.covered = 0, 0, 0
}
