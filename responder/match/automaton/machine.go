package automaton

import (
	"unicode/utf8"
)

// Machine runs a Program for one goroutine. Its memory is bounded by Options.CacheBytes and the size of the program, and
// it allocates nothing once it has grown to what its input needs. A search of a buffer, a stream of a line
// in pieces and a search for spans may be interleaved.
type Machine struct {
	p    *Program
	line *lineDFA
	span *spanFinder // made when Find is first called

	part    [utf8.UTFMax]byte // the start of a character at the end of the last piece
	partLen int
	matched bool // the line that is streamed matches
}

// NewMachine returns a machine for p.
func (p *Program) NewMachine() *Machine {
	m := &Machine{p: p, line: newLineDFA(p)}
	m.Reset()
	return m
}

// Next returns the first line that matches among those of buf that begin at from or later. buf holds whole lines, each ended
// by the terminator but maybe the last; from is the start of a line. end excludes the terminator. start is
// negative if there is none.
func (m *Machine) Next(buf []byte, from int) (start, end int) {
	d := m.line
	at, matched := d.search(buf, from)
	if !matched && len(buf) > from && buf[len(buf)-1] != m.p.opts.Terminator {
		at, matched = len(buf), d.finish(&d.cursors[0])
	}
	d.leaveLanes()
	if !matched {
		return -1, -1
	}
	return lineAround(buf, from, at, m.p.opts.Terminator)
}

// MatchLine reports whether line, which has no terminator, matches.
func (m *Machine) MatchLine(line []byte) bool {
	d := m.line
	c := &d.cursors[0]
	c.id = d.start
	_, matched := d.run(c, line, 0)
	matched = matched || d.finish(c)
	c.id = codeDead
	return matched
}

// Reset begins a line that comes in pieces.
func (m *Machine) Reset() {
	m.line.cursors[streamCursor].id = m.line.start
	m.partLen, m.matched = 0, false
}

// Feed takes the next piece of the line begun by Reset, of any length, without a terminator.
func (m *Machine) Feed(p []byte) {
	c := &m.line.cursors[streamCursor]
	if m.matched || c.id == codeDead {
		return
	}
	for m.partLen > 0 && len(p) > 0 {
		n := copy(m.part[m.partLen:], p)
		held := m.part[:m.partLen+n]
		if !utf8.FullRune(held) {
			m.partLen = len(held)
			return
		}
		_, size := m.p.alpha.next(held)
		if m.run(held[:size]); size >= m.partLen {
			p = p[size-m.partLen:]
			m.partLen = 0
			break
		}
		m.partLen = copy(m.part[:], m.part[size:m.partLen])
	}
	if !m.p.alpha.bytewise {
		n := partial(p)
		m.partLen += copy(m.part[m.partLen:], p[len(p)-n:])
		p = p[:len(p)-n]
	}
	m.run(p)
}

// run moves the stream over p, which ends at the border of a character.
func (m *Machine) run(p []byte) {
	if !m.matched {
		_, m.matched = m.line.run(&m.line.cursors[streamCursor], p, 0)
	}
}

// partial returns the length of the start of a character at the end of p.
func partial(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if b := p[len(p)-n]; utf8.RuneStart(b) {
			if utf8.FullRune(p[len(p)-n:]) {
				return 0
			}
			return n
		}
	}
	return 0
}

// EndLine ends the line begun by Reset and reports whether it matches. The machine is then ready for the next line.
func (m *Machine) EndLine() bool {
	m.run(m.part[:m.partLen]) // what is left of it are invalid bytes
	c := &m.line.cursors[streamCursor]
	matched := m.matched || m.line.finish(c)
	m.Reset()
	return matched
}

// Thrashes says that the cache of the line DFA does not pay at present: what it searches next is simulated. A caller that
// knows another way can go it instead, and tell Spare of how many bytes.
func (m *Machine) Thrashes() bool { return m.line.simulate > 0 }

// Spare takes bytes that were searched by other means as simulated.
func (m *Machine) Spare(bytes int) { m.line.simulate = max(m.line.simulate-int64(bytes), 0) }

// Stats says how a machine worked so far.
type Stats struct {
	DFABytes  int64 // decided by tables
	NFABytes  int64 // simulated: the cache did not pay
	States    int64 // built, over all flushes
	Flushes   int64 // of the line DFA
	Work      int64 // instructions visited by all engines: what is linear in the input
	Spans     int64 // searches by the span DFAs
	Threads   int64 // searches by the thread list
	Reached   int64 // searches by the thread list with a reach
	SpanBytes int64 // read in all searches for spans, some of them more than once
	Bytes     int   // memory of the caches now
}

// Stats returns the counts of m since it was made.
func (m *Machine) Stats() Stats {
	d := m.line
	s := Stats{
		DFABytes: d.dfaBytes, NFABytes: d.nfaBytes,
		States: d.built + int64(len(d.states)), Flushes: d.flushes,
		Work: d.now.work + d.then.work, Bytes: d.bytes(),
	}
	if m.span != nil {
		m.span.stats(&s)
	}
	return s
}
