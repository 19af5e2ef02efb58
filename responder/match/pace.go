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

	candidateNanos = 40 // to stop at a candidate, find its line, start the automaton
)

// candidate counts a candidate line of so many bytes, found after so many bytes of search. The line DFA
// takes about a nanosecond for a byte, for candidates as for everything.
func (p *pace) candidate(line, searched int) {
	p.candidates++
	p.spent += candidateNanos + line
	p.covered += searched
	if p.candidates < trial {
		return
	}
	if p.spent > p.covered {
		p.skip = p.stretch
		p.stretch = min(2*p.stretch, maxStretch)
	} else {
		p.stretch = minStretch
	}
	p.candidates, p.spent, p.covered = 0, 0, 0
}
