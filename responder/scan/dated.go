package scan

import (
	"bytes"
	"fmt"
)

// HeadBytes is how much of a line its Clock sees: the time may be the value of a key far behind its
// start. A clock whose times are near the start looks no further.
const HeadBytes = 16 << 10

// LookBack is how far a line without a time is from the line that it has its time from, at most, if
// that one was not seen before: enough for any stack trace.
const LookBack = 16 << 20

// datedLine is the last line whose time was asked for.
type datedLine struct {
	at   int64 // -1: none
	time int64
}

// timeOf returns the time of a line: its own, or that of the last line before it that has one.
func (s *searcher) timeOf(at int64, line []byte) int64 {
	if s.seg.file.f.Origin != nil {
		ns, _, _ := s.origin(at)
		return ns
	}
	if s.clock == nil {
		return NoTime
	}
	if at == s.dated.at {
		return s.dated.time
	}
	t, ok := s.clock.Time(line[:min(len(line), HeadBytes)])
	if !ok {
		t = s.timeBefore(at)
	}
	s.dated = datedLine{at, t}
	return t
}

// timeBefore looks for a line with a time before the offset at, back to the last line whose time is
// known.
func (s *searcher) timeBefore(at int64) int64 {
	first, _ := s.src.from()
	floor := max(first, at-LookBack)
	known := s.dated.at >= 0 && s.dated.at < at
	if known {
		floor = max(first, s.dated.at) // a stream keeps no line between the two
	}
	long := false // what follows b belongs to its last line
	for hi := at; hi > floor; {
		b, lo := s.buf, max(floor, s.base)
		if hi > s.base {
			b = b[lo-s.base : hi-s.base]
		} else {
			lo = max(floor, hi-farStep)
			s.back = grown(s.back, int(hi-lo))
			b = s.back
			if err := s.readFar(b, lo); err != nil {
				return s.undated(err)
			}
		}
		lineStart := lo == s.base || known && lo == floor || lo == first
		for len(b) > 0 {
			i := bytes.LastIndexByte(b[:len(b)-1], s.o.Terminator) + 1
			switch {
			case i == 0 && known && lo == s.dated.at:
				return s.dated.time
			case i == 0 && !lineStart && lo == floor:
				return s.undated(fmt.Errorf("no time in the %d bytes before byte %d", LookBack, at))
			case i == 0 && !lineStart && len(b) == farStep:
				b, long = b[:0], true // inside a long line, whose head comes next
				continue
			}
			if i == 0 && !lineStart {
				break // the line begins further back
			}
			head := b[i:min(len(b), i+HeadBytes)]
			if long && len(head) < HeadBytes { // and goes on in what was read before
				head = make([]byte, HeadBytes)
				if err := s.readFar(head, lo+int64(i)); err != nil {
					return s.undated(err)
				}
			}
			long = false
			if t, ok := s.clock.Time(head); ok {
				return t
			}
			b = b[:i]
		}
		hi = lo + int64(len(b))
	}
	if known {
		return s.dated.time
	}
	if f := &s.seg.file.f; f.PriorKnown {
		return f.Prior
	}
	return NoTime
}

// undated is the time of a line whose time could not be looked up, which is an error if it decides.
func (s *searcher) undated(err error) int64 {
	if s.o.timed() {
		s.res.lineErr = err
	}
	return NoTime
}
