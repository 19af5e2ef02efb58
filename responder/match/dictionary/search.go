package dictionary

import (
	"bytes"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/responder/match/simd"
)

// Searcher searches with a Set. It is for one goroutine.
type Searcher struct {
	set     *Set
	rest    int // bytes that are still to be searched without the filter, which did not pay
	stretch int // bytes of the next such rest
	one     []simd.Line
	stream
}

const (
	chunk      = 16 << 10 // bytes that are searched in one way
	minStretch = 64 << 10
	maxStretch = 4 << 20
)

// NewSearcher returns a searcher of s.
func (s *Set) NewSearcher() *Searcher {
	f := &Searcher{set: s, stretch: minStretch}
	f.Reset()
	return f
}

// Lines appends to dst the lines that match among those of buf that begin at from, the start of a line, or later and
// before next, which is where to go on: the start of a line or the end of buf.
func (f *Searcher) Lines(dst []simd.Line, buf []byte, from int) (lines []simd.Line, next int) {
	s, next := f.set, len(buf)
	if from+chunk < next {
		if i := bytes.IndexByte(buf[from+chunk:], s.term); i >= 0 {
			next = from + chunk + i + 1
		}
	}
	buf = buf[:next]
	switch {
	case s.bounds == Lines:
		return s.whole(dst, buf, from), next
	case s.filter == nil || f.rest > 0 || !simd.ASCII(buf[from:]):
		f.rest -= min(f.rest, next-from)
		return s.plain(dst, buf, from), next
	}
	lines, read := s.filtered(dst, buf, from)
	if read > (next-from)/2 {
		f.rest, f.stretch = f.stretch, min(2*f.stretch, maxStretch)
	} else {
		f.stretch = minStretch
	}
	return lines, next
}

// MatchLine reports whether line, which has no terminator, matches.
func (f *Searcher) MatchLine(line []byte) bool {
	switch s := f.set; {
	case s.bounds == Lines:
		return s.is(line)
	case s.Always():
		return true
	case len(line) == 0:
		return false
	}
	f.one, _ = f.Lines(f.one[:0], line, 0)
	return len(f.one) > 0
}

// whole is Lines where lines are compared as a whole.
func (s *Set) whole(dst []simd.Line, buf []byte, from int) []simd.Line {
	for from < len(buf) {
		end := len(buf)
		if i := bytes.IndexByte(buf[from:], s.term); i >= 0 {
			end = from + i
		}
		if s.is(buf[from:end]) {
			dst = append(dst, simd.Line{Start: from, End: end})
		}
		from = end + 1
	}
	return dst
}

// is tells whether line is one of the strings.
func (s *Set) is(line []byte) bool {
	state, ok := uint32(0), true
	for len(line) > 0 && ok {
		sym, n := s.next(line)
		state, ok = s.child(state, sym)
		line = line[n:]
	}
	return ok && s.terminal(state)
}

// plain is Lines without the filter.
func (s *Set) plain(dst []simd.Line, buf []byte, from int) []simd.Line {
	state, floor, found := uint32(0), from, false
	for at := from; ; {
		if at, state, found = s.run(buf, at, len(buf), state); !found {
			return dst
		}
		if s.holds(buf, at, state) {
			l := s.around(buf, floor, at)
			dst = append(dst, l)
			at, state = min(l.End+1, len(buf)), 0
			floor = at
		}
	}
}

// filtered is plain over ASCII text with the filter; read is how many bytes it left to the automaton.
func (s *Set) filtered(dst []simd.Line, buf []byte, from int) (lines []simd.Line, read int) {
	pos, state, floor := from, uint32(0), from // the automaton has read up to pos
	for p := from; ; {
		if p = s.filter.next(buf, p); p+s.filter.window > len(buf) {
			return dst, read
		}
		if begin := p - s.filter.stride + 1; begin > pos { // nothing that begins before is at p
			pos, state = begin, 0
		}
		matched := false
		// Until nothing that begins at p or before is in progress. What begins behind will meet another window.
		for pos < len(buf) && (pos <= p || !s.shallower(state, pos-p)) {
			state = s.step(state, s.ascii[buf[pos]&0x7f])
			pos++
			read++
			if state&flagOut == 0 {
				continue
			}
			if state &= idMask; s.holds(buf, pos, state) {
				matched = true
				break
			}
		}
		if p += s.filter.stride; !matched {
			continue
		}
		l := s.around(buf, floor, pos)
		dst = append(dst, l)
		pos, state = min(l.End+1, len(buf)), 0
		p, floor = pos, pos
	}
}

// run moves the automaton from state over buf[at:limit], which ends between characters, until a string ends.
func (s *Set) run(buf []byte, at, limit int, state uint32) (pos int, to uint32, found bool) {
	for at < limit {
		var sym symbol
		if b := buf[at]; b < utf8.RuneSelf {
			sym = s.ascii[b]
			at++
		} else {
			var n int
			sym, n = s.next(buf[at:limit])
			at += n
		}
		if state < s.dense {
			state = s.rows[int(state)*s.width+int(sym)]
		} else {
			state = s.step(state, sym)
		}
		if state&flagOut != 0 {
			return at, state & idMask, true
		}
	}
	return at, state, false
}

// holds tells whether one of the strings that end at at, where the automaton is in state, has the borders it must have.
func (s *Set) holds(buf []byte, at int, state uint32) bool {
	if s.bounds != Words {
		return true
	}
	return s.leftmost(buf, at, state) >= 0
}

// leftmost returns how many symbols the longest string has that ends at at with the borders it must have, or -1.
func (s *Set) leftmost(buf []byte, at int, state uint32) int {
	if s.bounds == Words && !s.after(buf, at) {
		return -1
	}
	if s.links[state]&flagTerminal == 0 {
		state = s.shorter(state)
	}
	for ; state != none; state = s.shorter(state) {
		if n := s.depth(state); s.bounds != Words || s.before(buf, back(buf, at, n)) {
			return n
		}
	}
	return -1
}

// shorter returns the longest proper suffix of state that is a string, or none.
func (s *Set) shorter(state uint32) uint32 {
	if s.outs != nil {
		return s.outs[state]
	}
	for state != 0 {
		if state = s.links[state] & idMask; s.links[state]&flagTerminal != 0 {
			return state
		}
	}
	return none
}

// back returns the place n characters before at.
func back(buf []byte, at, n int) int {
	for ; n > 0; n-- {
		size := 1
		if buf[at-1] >= utf8.RuneSelf {
			_, size = utf8.DecodeLastRune(buf[:at])
		}
		at -= size
	}
	return at
}

// around returns the line of buf[floor:] that holds the byte before at.
func (s *Set) around(buf []byte, floor, at int) simd.Line {
	l := simd.Line{Start: floor, End: len(buf)}
	if i := simd.LastIndexByte(buf[floor:at], s.term); i >= 0 {
		l.Start = floor + i + 1
	}
	if i := bytes.IndexByte(buf[at:], s.term); i >= 0 {
		l.End = at + i
	}
	return l
}

// Find returns the leftmost span of line that matches and starts at from, between two characters, or later. start is
// negative if there is none.
func (f *Searcher) Find(line []byte, from int) (start, end int) {
	s := f.set
	if s.bounds == Lines {
		if from == 0 && s.is(line) {
			return 0, len(line)
		}
		return -1, -1
	}
	if s.Always() {
		return from, s.end(line, from)
	}
	state, at, read := uint32(0), from, 0 // characters
	best, first := -1, 0                  // where the span begins, and after how many characters
	for at < len(line) && (best < 0 || !s.shallower(state, read-first+1) && read-s.depth(state) < first) {
		sym, n := s.next(line[at:])
		at += n
		read++
		state = s.step(state, sym)
		if state&flagOut == 0 {
			continue
		}
		state &= idMask
		if n := s.leftmost(line, at, state); n >= 0 && (best < 0 || read-n < first) {
			best, first = back(line, at, n), read-n
		}
	}
	if best < 0 {
		return -1, -1
	}
	return best, s.end(line, best)
}

// end returns where the span ends that begins at start: the longest, or that of the string that comes first.
func (s *Set) end(line []byte, start int) (end int) {
	state, best, ok := uint32(0), none, true
	for at := start; ; {
		if i := s.terminalAt(state); i >= 0 && (s.bounds != Words || s.after(line, at)) && (s.longest || s.terminalOrder[i] < best) {
			end, best = at, s.terminalOrder[i]
		}
		if at == len(line) {
			return end
		}
		sym, n := s.next(line[at:])
		if state, ok = s.child(state, sym); !ok {
			return end
		}
		at += n
	}
}
