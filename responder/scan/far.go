package scan

import (
	"bytes"
	"errors"
	"io"
)

// What lies before the buffer, or is too long for it, is read again.

// farStep is how much is read at once of what lies before the buffer.
const farStep = 32 << 10

// readFar fills p with the bytes at off; those after the input's end count as terminators.
func (s *searcher) readFar(p []byte, off int64) error {
	for len(p) > 0 {
		n, err := s.src.readAt(p, off)
		p, off = p[n:], off+int64(n)
		if n > 0 {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for i := range p {
			p[i] = s.o.Terminator
		}
		return nil
	}
	return nil
}

// linesBack returns where the line begins that is n lines before the one at the offset at; no
// further back than floor, which is the start of a line.
func (s *searcher) linesBack(at, n, floor int64) (int64, error) {
	hi := at - 1 // the terminator before at ends the first of them
	for hi > floor {
		lo, b := max(floor, s.base), []byte(nil)
		switch first, err := s.src.from(); {
		case hi > s.base:
			b = s.buf[lo-s.base : hi-s.base]
		case hi <= first:
			return first, err // of a stream: what keepLines kept
		default:
			lo = max(floor, hi-farStep, first)
			s.back = grown(s.back, int(hi-lo))
			b = s.back
			if err := s.readFar(b, lo); err != nil {
				return at, err
			}
		}
		for {
			i := bytes.LastIndexByte(b, s.o.Terminator)
			if i < 0 {
				break
			}
			if n--; n == 0 {
				return lo + int64(i) + 1, nil
			}
			b = b[:i]
		}
		hi = lo
	}
	return min(floor, at), nil
}

// countFar counts the lines from the one at the offset at, before the buffer, to the buffer.
func (s *searcher) countFar(at int64) (n int64, err error) {
	for at < s.base {
		s.back = grown(s.back, int(min(farStep, s.base-at)))
		if err := s.readFar(s.back, at); err != nil {
			return n, err
		}
		n += int64(bytes.Count(s.back, []byte{s.o.Terminator}))
		at += int64(len(s.back))
	}
	return n, nil
}

// farLine gives the line at the offset at, which lies before limit and ends there at the latest. It
// returns the offset after it.
func (s *searcher) farLine(at, limit int64, context bool) (int64, bool) {
	for size := int64(farStep); ; size *= 4 {
		size = min(size, limit-at)
		s.scratch = grown(s.scratch, int(size))
		if err := s.readFar(s.scratch, at); err != nil {
			s.res.lineErr = err
			return limit, true
		}
		if i := bytes.IndexByte(s.scratch, s.o.Terminator); i >= 0 {
			next := at + int64(i) + 1
			ok := s.line(at, s.scratch[:i+1], context)
			if s.farAt == at {
				s.farAt, s.farNumber = next, s.farNumber+1
			}
			return next, ok
		}
		if size >= int64(s.o.MaxLine) || size == limit-at {
			break
		}
	}
	end, err := s.farEnd(at, limit)
	if err != nil {
		s.res.lineErr = err
		return limit, true
	}
	return end, s.giveLong(at, end, context)
}

// farEnd returns the offset after the line at the offset at.
func (s *searcher) farEnd(at, limit int64) (int64, error) {
	for at < limit {
		s.back = grown(s.back, int(min(farStep, limit-at)))
		if err := s.readFar(s.back, at); err != nil {
			return 0, err
		}
		if i := bytes.IndexByte(s.back, s.o.Terminator); i >= 0 {
			return at + int64(i) + 1, nil
		}
		at += int64(len(s.back))
	}
	return limit, nil
}

// giveLong gives the line in [at, end), terminator included, that is too long to be held: it is read
// once to see that it is text, and again to be given in pieces.
func (s *searcher) giveLong(at, end int64, context bool) bool {
	if s.o.OnlyMatching {
		return s.giveLongSpans(at, end, context)
	}
	if s.o.Binary != BinaryText {
		var check textChecker
		if err := s.pieces(at, end-1, func(p []byte) bool { check.feed(p); return !check.bad }); err != nil {
			s.res.lineErr = err
			return true
		}
		if !check.valid() {
			s.res.badText = true
			return true
		}
	}
	var head [HeadBytes]byte
	if err := s.readFar(head[:], at); err != nil {
		s.res.lineErr = err
		return true
	}
	s.lastOut = end
	if !s.begin(at, at, head[:], farStep, context) {
		return false
	}
	ok := true
	if err := s.pieces(at, end-1, func(p []byte) bool { ok = s.text(p); return ok }); err != nil {
		s.res.lineErr = err // what came of the line is ended, so that nothing runs into it
	}
	return ok && s.text([]byte{s.o.Terminator})
}

// giveLongSpans gives the spans of the line in [at, end), if it may be kept whole.
func (s *searcher) giveLongSpans(at, end int64, context bool) bool {
	s.lastOut = end
	switch {
	case context != s.o.Invert:
		return true
	case end-at > int64(s.o.MaxKept):
		s.res.lineErr = errLong(at, s.o.MaxKept)
		return true
	}
	line := make([]byte, end-at)
	if err := s.readFar(line, at); err != nil {
		s.res.lineErr = err
		return true
	}
	line[len(line)-1] = s.o.Terminator // where a NUL ended it
	return s.spans(at, line, context)
}

// pieces reads [at, end) and calls give with one piece after another, until it returns false.
func (s *searcher) pieces(at, end int64, give func([]byte) bool) error {
	for at < end && !s.halted() {
		s.scratch = grown(s.scratch, int(min(farStep, end-at)))
		if err := s.readFar(s.scratch, at); err != nil {
			return err
		}
		at += int64(len(s.scratch))
		if !give(s.scratch) {
			return nil
		}
	}
	return nil
}
