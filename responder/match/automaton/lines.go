package automaton

import (
	"bytes"

	"github.com/trawl-logs/trawl/responder/match/simd"
)

// Line is a line of a buffer.
type Line = simd.Line

// Lines appends to dst the lines that match among those of buf that begin at from or later and before next, which
// is where to go on: the start of a line or the end of buf. It is for callers that want all lines: where many match it
// is up to three times as fast as Next, which cannot use what it has seen behind the line it returns.
func (m *Machine) Lines(dst []Line, buf []byte, from int) (lines []Line, next int) {
	d := m.line
	defer d.leaveLanes()
	rest := len(buf) - from
	width := min(d.sizes.max, (rest-d.sizes.lead)/numLanes)
	var l [numLanes]lane
	if d.laneRest > 0 || d.simulate > 0 || width < d.sizes.min || !d.cut(buf, from, width, &l) {
		next = len(buf)
		if n := numLanes * d.sizes.max; rest > 2*n {
			if end := d.lineStart(buf, from+n); end >= 0 {
				next = end
			}
		}
		d.laneRest -= int64(next - from)
		d.cursors[0].id = d.start
		return d.collect(dst, buf, &lane{from, next, from}, &d.cursors[0]), next
	}
	for i := range d.found {
		d.found[i] = d.found[i][:0]
	}
	d.race(buf, &l, &d.found)
	for _, f := range d.found {
		dst = append(dst, f...)
	}
	return dst, l[numLanes-1].end
}

// collect appends the lines that match in what is left of a lane.
func (d *lineDFA) collect(dst []Line, buf []byte, l *lane, c *cursor) []Line {
	buf = buf[:l.end]
	for l.pos < l.end {
		at, matched := d.run(c, buf, l.pos)
		if l.pos = at; !matched {
			if buf[l.end-1] == d.p.opts.Terminator || !d.finish(c) {
				break
			}
		}
		dst = append(dst, d.take(buf, l, c))
	}
	return dst
}

// take returns the line around the place where a lane knows that it matches, and moves the lane behind it.
func (d *lineDFA) take(buf []byte, l *lane, c *cursor) Line {
	s, e := lineAround(buf[:l.end], l.floor, l.pos, d.p.opts.Terminator)
	l.pos = min(e+1, l.end)
	l.floor = l.pos
	c.id = d.start
	return Line{Start: s, End: e}
}

// lineAround returns the line of buf[from:] that holds, or is ended by, the byte at at.
func lineAround(buf []byte, from, at int, terminator byte) (start, end int) {
	start, end = from, len(buf)
	if i := bytes.LastIndexByte(buf[from:at], terminator); i >= 0 {
		start = from + i + 1
	}
	if i := bytes.IndexByte(buf[at:], terminator); i >= 0 {
		end = at + i
	}
	return start, end
}
