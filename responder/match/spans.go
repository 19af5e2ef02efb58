package match

import (
	"math"
	"unicode/utf8"
)

// spans is a search for the spans of a line.
type spans struct {
	line  []byte
	from  int  // where the next one can begin
	text  int  // the first place of the pattern's text from some place on; it is looked for again once from is beyond
	begun bool // with the automaton
	read  int  // bytes that were searched for the text, or passed over
}

// Begin begins the search for the spans of line, which must not change until the last of them.
func (m *Matcher) Begin(line []byte) { m.spans = spans{line: line, text: -1} }

// NextSpan returns the next span of the line begun by Begin, the leftmost that matches and begins where the last one ended or
// later: by priority, or the longest, as the pattern's language has it. Assertions see the whole line. Where the match is empty it is
// passed over. start is negative if there is no more. All spans of a line together take time in proportion to its length.
func (m *Matcher) NextSpan() (start, end int) {
	s := &m.spans
	for s.from < len(s.line) {
		if start, end = m.findFrom(s.from); start < 0 {
			break
		}
		if start < end {
			s.from = end
			return start, end
		}
		s.from = start + 1
	}
	s.from = len(s.line)
	return -1, -1
}

// Find returns the leftmost match of line that begins at from, which is between two characters, or later. It may be empty.
// start is negative if there is none.
func (m *Matcher) Find(line []byte, from int) (start, end int) {
	m.Begin(line)
	return m.findFrom(from)
}

// findFrom is Find in the line that was begun; from never descends there.
func (m *Matcher) findFrom(from int) (start, end int) {
	line := m.spans.line
	if m.p.set != nil {
		return m.strings().Find(line, from)
	}
	t := m.p.text
	if t == nil {
		if a := m.p.anchor(); a != nil {
			begin := a.start(line, from)
			if begin < 0 {
				return -1, -1
			}
			m.spans.read += begin - from
			from = begin
		}
		return m.byMachine(from)
	}
	start = m.textFrom(from)
	if m.p.plain {
		seen := len(line) // as far as a match that holds foreign characters and begins before may reach
		if start < seen {
			seen = min(start+utf8.UTFMax*t.size, seen)
		}
		if foreign(line[from:seen]) {
			return m.byMachine(from)
		}
	}
	if start > len(line) {
		return -1, -1
	}
	return start, start + t.size
}

// textFrom returns the first place of the pattern's text from from on, or one beyond the line.
func (m *Matcher) textFrom(from int) int {
	s := &m.spans
	if s.text < from {
		if s.text = m.p.text.next(s.line, from); s.text < 0 {
			s.text = math.MaxInt
		}
		s.read += min(s.text, len(s.line)) - from
	}
	return s.text
}

func (m *Matcher) byMachine(from int) (start, end int) {
	if a := m.machine(); !m.spans.begun {
		m.spans.begun = true
		a.Begin(m.spans.line)
	}
	return m.m.FindFrom(from)
}
