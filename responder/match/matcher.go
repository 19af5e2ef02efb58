package match

import (
	"bytes"

	"github.com/trawl-logs/trawl/responder/match/automaton"
	"github.com/trawl-logs/trawl/responder/match/bitstream"
	"github.com/trawl-logs/trawl/responder/match/dictionary"
	"github.com/trawl-logs/trawl/responder/match/simd"
)

// Matcher searches with a Pattern. It is for one goroutine, and allocates nothing once its automaton,
// if it needs one, has grown to what its input needs.
type Matcher struct {
	p     *Pattern
	m     *automaton.Machine // made when first needed
	batch *simd.Batch        // too
	dict  *dictionary.Searcher
	bits  *bitstream.Searcher
	rest  int    // bytes that are still to be searched without bit streams, for what they hold beyond ASCII
	lines []Line // of Count
	also  []tested
	pace  pace
	spans spans
	peek  peek
}

// machine returns the automaton of m.
func (m *Matcher) machine() *automaton.Machine {
	if m.m == nil {
		m.m = m.p.program().NewMachine()
	}
	return m.m
}

// stretch returns the end of the lines of buf that are searched without the prefilter.
func (m *Matcher) stretch(buf []byte, from int) int {
	if m.pace.skip >= len(buf)-from {
		return len(buf)
	}
	return min(m.p.lineEnd(buf, from+m.pace.skip)+1, len(buf))
}

// Skip returns how many bytes of text, which begins with a line, are lines that do not match, as far as the search for
// candidates tells, and -1 if it cannot tell any faster than Lines. v is what is known of text, which may change while Skip
// reads it. It may look at ahead, too, which seen then tells.
func (m *Matcher) Skip(text []byte, v simd.View, ahead []byte) (skipped int, next simd.View, seen bool) {
	p := m.p
	if p.strategy == MatchAll || p.strategy == LargeSet || p.strategy >= BitStreams || m.pace.skip > 0 {
		return -1, next, false
	}
	if p.plain && !v.ASCII && foreign(text) {
		return 0, next, false
	}
	at := -1
	if p.strategy != MatchNone {
		at, next, seen = p.finder.ahead(text, ahead)
	}
	if at < 0 {
		at = len(text)
	}
	return simd.LastIndexByte(text[:at], p.term) + 1, next, seen
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
	switch p := m.p; {
	case p.strategy == MatchNone:
		return false
	case p.strategy == MatchAll:
		return true
	case p.strategy == LargeSet:
		return m.strings().MatchLine(line)
	case p.strategy >= BitStreams || p.plain && foreign(line):
		return m.machine().MatchLine(line)
	default:
		at := p.finder.next(line, 0)
		return at >= 0 && (p.strategy < LiteralPrefilter || m.judge(line, at))
	}
}

// streamer takes a line in pieces.
type streamer interface {
	Reset()
	Feed(piece []byte)
	EndLine() bool
}

func (m *Matcher) streamer() streamer {
	if m.p.set != nil {
		return m.strings()
	}
	return m.machine()
}

// Reset begins a line that comes in pieces.
func (m *Matcher) Reset() { m.streamer().Reset() }

// Feed takes the next piece of the line begun by Reset, without a terminator.
func (m *Matcher) Feed(piece []byte) { m.streamer().Feed(piece) }

// EndLine ends the line begun by Reset and reports whether it matches.
func (m *Matcher) EndLine() bool { return m.streamer().EndLine() }
