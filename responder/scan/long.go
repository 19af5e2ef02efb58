package scan

import (
	"bytes"
	"fmt"
)

func errLong(at int64, kept int) error {
	return fmt.Errorf("%w: the one at byte %d has more than %d bytes, its matches cannot be cut out", ErrLongLine, at, kept)
}

// longLine searches the line that begins at base and is longer than the buffer may grow: it is fed
// through the matcher piece by piece. If it is selected it is read again.
func (s *searcher) longLine() error {
	start, number := s.base, int64(0)
	if s.o.Numbers {
		number = s.numberAt(start)
	}
	when := s.timeOf(start, s.buf[:s.n])
	end, err := s.feedLine()
	if err != nil {
		return err
	}
	selected := s.m.EndLine() != s.o.Invert
	ends := s.src.ends(end)
	// For what is given now, the buffer is empty and begins with the line.
	s.base, s.n = start, 0
	if s.o.Numbers {
		s.atBase, s.counted, s.countTo = number, number, start
	}
	if s.o.timed() {
		selected = selected && when != NoTime && when >= s.o.Since && (s.o.Until == 0 || when < s.o.Until)
	}
	ok := true
	switch {
	case s.over: // -I, and a NUL was seen
	case selected && s.left > 0 && s.quiet:
		s.res.selected++
		s.left--
		if s.enough >= 0 && s.res.selected > s.enough {
			s.over, s.res.binaryHit = true, s.res.binary
		}
	case selected && s.left > 0:
		ok = (!s.o.Groups || s.leading(start)) && s.giveLong(start, end, false)
		s.res.selected++
		s.left--
		s.pending = s.o.After
	case s.pending > 0:
		ok = s.giveLong(start, end, true)
		s.pending--
	}
	if !ok {
		return s.r.ctx.Err()
	}
	s.base, s.eof = end, ends
	s.atBase, s.counted, s.countTo = number+1, number+1, end
	if s.seg.file.f.At != nil {
		return nil
	}
	s.keepLines()
	if s.out != nil && !s.flush() {
		return s.r.ctx.Err()
	}
	return nil
}

// feedLine feeds the line at base to the matcher and returns the offset after its terminator; where
// the input ends without one, that is one after its end.
func (s *searcher) feedLine() (int64, error) {
	s.m.Reset()
	fresh := s.buf[:s.n]
	for {
		if len(fresh) > 0 {
			i := bytes.IndexByte(fresh, s.o.Terminator)
			line := fresh
			if i >= 0 {
				line = fresh[:i]
			}
			if z := bytes.IndexByte(line, 0); s.detect && z >= 0 {
				s.sawNUL()
				i, line = z, line[:z]
			}
			s.m.Feed(line)
			if i >= 0 {
				s.restOfWindow(fresh, i)
				return s.base + int64(i) + 1, nil
			}
		}
		s.base += int64(s.n)
		s.n = 0
		if s.eof {
			return s.base + 1, nil
		}
		if s.quiet {
			s.src.release(s.base)
		}
		if s.halted() {
			return 0, errHalted
		}
		block := s.o.geometry.block
		if err := s.fill(int(block - s.base%block)); err != nil {
			return 0, err
		}
		fresh = s.buf[:s.n]
	}
}

// restOfWindow looks for a NUL after a line's end, in the window in which it ended.
func (s *searcher) restOfWindow(fresh []byte, i int) {
	if !s.detect || s.res.binary {
		return
	}
	rest := fresh[i:]
	if s.seg.file.f.At != nil {
		w := s.o.geometry.window
		rest = rest[:min(int64(len(rest)), w-(s.base+int64(i))%w)]
	}
	if bytes.IndexByte(rest, 0) >= 0 {
		s.sawNUL()
	}
}
