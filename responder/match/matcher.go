package match

import (
	"bytes"

	"github.com/trawl-logs/trawl/responder/match/automaton"
	"github.com/trawl-logs/trawl/responder/match/simd"
)

// Matcher searches with a Pattern. It is for one goroutine, and allocates nothing once its automaton,
// if it needs one, has grown to what its input needs.
type Matcher struct {
	p    *Pattern
	m    *automaton.Machine // made when first needed
	pace pace
}

// machine returns the automaton of m.
func (m *Matcher) machine() *automaton.Machine {
	if m.m == nil {
		m.m = m.p.program.NewMachine()
	}
	return m.m
}

// Next returns the first line that matches among those of buf that begin at from or later. buf holds
// whole lines, each ended by the terminator but maybe the last; from is the start of a line. end
// excludes the terminator. start is negative if there is none.
func (m *Matcher) Next(buf []byte, from int) (start, end int) {
	switch p := m.p; p.strategy {
	case MatchNone:
		return -1, -1
	case MatchAll:
		if from >= len(buf) {
			return -1, -1
		}
		return from, p.lineEnd(buf, from)
	case Automaton:
		if from >= len(buf) {
			return -1, -1
		}
		return m.machine().Next(buf, from)
	case LiteralPrefilter, SetPrefilter, WindowPrefilter:
		return m.filtered(buf, from)
	default:
		at := -1
		if from < len(buf) {
			at = p.finder.next(buf, from)
		}
		if at < 0 {
			return -1, -1
		}
		return p.lineStart(buf, from, at), p.lineEnd(buf, at)
	}
}

// filtered is Next where the automaton judges candidates, or, where they are too many, everything.
func (m *Matcher) filtered(buf []byte, from int) (start, end int) {
	p := m.p
	for from < len(buf) {
		if m.pace.skip > 0 {
			cut := m.stretch(buf, from)
			start, end = m.machine().Next(buf[:cut], from)
			if start >= 0 {
				m.pace.skip -= end + 1 - from
				return start, end
			}
			m.pace.skip -= cut - from
			from = cut
			continue
		}
		at := p.finder.next(buf, from)
		if at < 0 {
			m.pace.covered += len(buf) - from
			break
		}
		start, end = p.lineStart(buf, from, at), p.lineEnd(buf, at)
		matched := m.judge(buf[start:end])
		m.pace.candidate(end-start, end+1-from)
		if matched {
			return start, end
		}
		from = end + 1
	}
	return -1, -1
}

// judge decides about a candidate line.
func (m *Matcher) judge(line []byte) bool {
	for _, f := range m.p.also {
		if f.Index(line) < 0 {
			return false
		}
	}
	return m.machine().MatchLine(line)
}

// stretch returns the end of the lines of buf that the automaton searches alone.
func (m *Matcher) stretch(buf []byte, from int) int {
	if m.pace.skip >= len(buf)-from {
		return len(buf)
	}
	return min(m.p.lineEnd(buf, from+m.pace.skip)+1, len(buf))
}

// lineStart returns the start of the line of buf that holds at, which is not before from.
func (p *Pattern) lineStart(buf []byte, from, at int) int {
	return from + simd.LastIndexByte(buf[from:at], p.term) + 1
}

// lineEnd returns the end of the line of buf that holds at.
func (p *Pattern) lineEnd(buf []byte, at int) int {
	if i := bytes.IndexByte(buf[at:], p.term); i >= 0 {
		return at + i
	}
	return len(buf)
}

// MatchLine reports whether line, which has no terminator, matches.
func (m *Matcher) MatchLine(line []byte) bool {
	switch p := m.p; p.strategy {
	case MatchNone:
		return false
	case MatchAll:
		return true
	case Automaton:
		return m.machine().MatchLine(line)
	case LiteralPrefilter, SetPrefilter, WindowPrefilter:
		return p.finder.next(line, 0) >= 0 && m.judge(line)
	default:
		return p.finder.next(line, 0) >= 0
	}
}

// Find returns the leftmost span of line that matches and starts at from or later: by priority, or
// the longest, as the pattern's language has it. Assertions see the whole line. start is negative
// if there is none.
func (m *Matcher) Find(line []byte, from int) (start, end int) {
	t := m.p.text
	if t == nil {
		return m.machine().Find(line, from)
	}
	for from <= len(line) {
		i := t.Index(line[from:])
		if i < 0 {
			break
		}
		from += i
		if t.holds(t.before, line, from) && t.holds(t.after, line, from+t.size) {
			return from, from + t.size
		}
		from++
	}
	return -1, -1
}

// Reset begins a line that comes in pieces.
func (m *Matcher) Reset() { m.machine().Reset() }

// Feed takes the next piece of the line begun by Reset, without a terminator.
func (m *Matcher) Feed(piece []byte) { m.machine().Feed(piece) }

// EndLine ends the line begun by Reset and reports whether it matches.
func (m *Matcher) EndLine() bool { return m.machine().EndLine() }
