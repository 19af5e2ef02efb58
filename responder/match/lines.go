package match

import (
	"github.com/trawl-logs/trawl/responder/match/automaton"
	"github.com/trawl-logs/trawl/responder/match/simd"
)

// Line is a line of a buffer: buf[Start:End], the terminator excluded.
type Line = automaton.Line

// maxLines is about how many lines one call of Lines returns.
const maxLines = 256

// Lines appends to dst the lines that match among those of buf that begin at from or later and before next, which is
// where to go on: the start of a line or the end of buf. dst may come back as it was with next before the end. buf and from are as for Next; where many
// lines match this takes half the time.
func (m *Matcher) Lines(dst []Line, buf []byte, from int) (lines []Line, next int) {
	p := m.p
	switch p.strategy {
	case MatchNone:
		return dst, len(buf)
	case MatchAll:
		return p.allLines(dst, buf, from)
	case LargeSet:
		return m.strings().Lines(dst, buf, from)
	case BitStreams, Automaton:
		return m.alone(dst, buf, from)
	}
	if m.pace.skip > 0 && from < len(buf) {
		next = m.stretch(buf, from)
		m.pace.skip -= next - from
		return m.allAlone(dst, buf[:next], from), next
	}
	if m.batch == nil {
		m.batch = new(simd.Batch)
	}
	next = len(buf)
	if m.batch.Hits = nil; from < len(buf) {
		next = p.finder.lines(m.batch, buf, from, p.term)
	}
	if p.plain && foreign(buf[from:next]) {
		return m.allAlone(dst, buf[:next], from), next
	}
	if p.strategy >= LiteralPrefilter {
		return m.judged(dst, buf, from, next)
	}
	for _, h := range m.batch.Hits {
		dst = append(dst, Line{Start: h.Start, End: h.End})
	}
	return dst, next
}

// allLines is Lines where every line matches.
func (p *Pattern) allLines(dst []Line, buf []byte, from int) (lines []Line, next int) {
	for n := 0; from < len(buf) && n < maxLines; n++ {
		end := p.lineEnd(buf, from)
		dst = append(dst, Line{Start: from, End: end})
		from = end + 1
	}
	return dst, min(from, len(buf))
}

// allAlone is alone, to the end of buf.
func (m *Matcher) allAlone(dst []Line, buf []byte, from int) []Line {
	for from < len(buf) {
		dst, from = m.alone(dst, buf, from)
	}
	return dst
}

// withoutStreams is how many bytes are left to the automaton where more than a quarter is in lines that it judges anyway.
const withoutStreams = 1 << 20

// alone is Lines without a prefilter.
func (m *Matcher) alone(dst []Line, buf []byte, from int) (lines []Line, next int) {
	if from >= len(buf) {
		return dst, len(buf)
	}
	streams := m.p.streams
	if streams == nil || m.rest > 0 || m.p.late && !m.machine().Thrashes() {
		lines, next = m.machine().Lines(dst, buf, from)
		m.rest = max(m.rest-(next-from), 0)
		return lines, next
	}
	if m.bits == nil {
		m.bits = streams.NewSearcher()
	}
	known := len(dst)
	dst, next = m.bits.Lines(dst, buf, from)
	if m.m != nil {
		m.m.Spare(next - from)
	}
	if !streams.ASCII() {
		return dst, next
	}
	lines = dst[:known]
	judged := 0
	for _, l := range dst[known:] {
		line := buf[l.Start:l.End]
		if simd.ASCII(line) {
			lines = append(lines, l)
			continue
		}
		if judged += len(line); m.machine().MatchLine(line) {
			lines = append(lines, l)
		}
	}
	if judged > (next-from)/4 {
		m.rest = withoutStreams
	}
	return lines, next
}

// judged appends those of the candidate lines in m.batch that match; they were found in buf[from:next]. It returns where to go on: before
// next if the automaton turned out to be slow, and something else is not.
func (m *Matcher) judged(dst []Line, buf []byte, from, next int) ([]Line, int) {
	for i, h := range m.batch.Hits {
		if m.judge(buf[h.Start:h.End], h.At-h.Start) {
			dst = append(dst, Line{Start: h.Start, End: h.End})
		}
		if m.p.streams != nil && m.m != nil && m.m.Thrashes() && h.End+1 < next {
			m.pace.judged(i+1, h.End+1-from)
			m.pace.lost()
			return dst, h.End + 1
		}
	}
	m.pace.judged(len(m.batch.Hits), next-from)
	return dst, next
}

// Count returns how many lines of buf from from on match.
func (m *Matcher) Count(buf []byte, from int) (count int) {
	p := m.p
	if f, ok := p.finder.(literalFinder); ok && p.strategy < LiteralPrefilter && from < len(buf) && !(p.plain && foreign(buf[from:])) {
		if m.batch == nil {
			m.batch = new(simd.Batch)
		}
		return f.Count(m.batch, buf, from, p.term)
	}
	for from < len(buf) {
		m.lines, from = m.Lines(m.lines[:0], buf, from)
		count += len(m.lines)
	}
	return count
}
