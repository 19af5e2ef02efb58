package match

// A line too long to be held comes in pieces. The automaton takes a byte at a time; what a matching
// line must hold is looked for at many times that speed, and most lines do not hold it. So a line is
// peeked at first, and fed to the automaton from its start only where that does not decide.

// peek is what is known of a line of which pieces were peeked at.
type peek struct {
	hit    bool   // a candidate was seen
	tail   []byte // the last bytes seen: what is looked for may begin there
	border []byte // tail, and the first bytes after it
}

// Peeks says whether peeking may spare the automaton, and whether it surely does: then EndPeek is always sure.
func (p *Pattern) Peeks() (may, surely bool) {
	switch {
	case p.strategy <= MatchAll:
		return true, true
	case p.strategy == LargeSet, p.strategy >= BitStreams:
		return false, false
	}
	return true, !p.plain && p.exact()
}

// exact tells whether a line matches wherever the finder finds something, whatever is around it.
func (p *Pattern) exact() bool {
	return p.strategy < LiteralPrefilter && p.strategy != BoundedLiteral
}

// Peeks is the Pattern's.
func (m *Matcher) Peeks() (may, surely bool) { return m.p.Peeks() }

// BeginPeek begins a line that comes in pieces. It needs Peeks.
func (m *Matcher) BeginPeek() {
	m.peek.hit = false
	m.peek.tail = m.peek.tail[:0]
}

// Peek takes the next piece of the line, without a terminator. It says whether another piece may change
// what EndPeek returns.
func (m *Matcher) Peek(piece []byte) (more bool) {
	k, p := &m.peek, m.p
	if p.strategy <= MatchAll || k.hit {
		return false
	}
	keep := p.reach - 1
	if p.plain {
		keep = max(keep, len("\u212a")-1)
	}
	if len(k.tail) > 0 && keep > 0 {
		k.border = append(append(k.border[:0], k.tail...), piece[:min(keep, len(piece))]...)
		k.hit = p.candidate(k.border)
	}
	k.hit = k.hit || p.candidate(piece)
	if len(piece) < keep {
		all := append(k.tail, piece...)
		k.tail = append(all[:0], all[max(len(all)-keep, 0):]...)
	} else {
		k.tail = append(k.tail[:0], piece[len(piece)-keep:]...)
	}
	return !k.hit
}

// EndPeek ends the line begun by BeginPeek. It reports whether the line matches, if that is sure; else it has to be fed.
func (m *Matcher) EndPeek() (matched, sure bool) {
	switch p := m.p; {
	case p.strategy == MatchAll:
		return true, true
	case !m.peek.hit:
		return false, true
	default:
		return true, p.exact() && !p.plain
	}
}

// candidate tells whether part of a line holds what makes the line a candidate. Assertions cannot be
// looked at in a part.
func (p *Pattern) candidate(part []byte) bool {
	if p.plain && foreign(part) {
		return true
	}
	if p.strategy == BoundedLiteral {
		return p.text.Index(part) >= 0
	}
	return p.finder.next(part, 0) >= 0
}
