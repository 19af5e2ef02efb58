package scan

import (
	"bytes"
	"fmt"
)

func errLong(at int64, kept int) error {
	return fmt.Errorf("%w: the one at byte %d has more than %d bytes, its matches cannot be cut out", ErrLongLine, at, kept)
}

// peeker is a Matcher that may tell by the pieces of a line, at the speed of a search for literals,
// whether the line matches, where Feed takes a byte at a time.
type peeker interface {
	// Peeks says whether it may tell, and whether it surely does.
	Peeks() (may, surely bool)
	// BeginPeek, Peek and EndPeek are as Reset, Feed and EndLine. Peek says whether more pieces may
	// change anything; EndPeek may not be sure: then the line must be fed.
	BeginPeek()
	Peek(piece []byte) (more bool)
	EndPeek() (matched, sure bool)
}

// longLine searches the line that begins at base and is longer than the buffer may grow: its pieces
// are peeked at, or fed through the matcher. If it is selected it is read again.
func (s *searcher) longLine() error {
	start, number := s.base, int64(0)
	if s.o.Numbers {
		number = s.numberAt(start)
	}
	when := s.timeOf(start, s.buf[:s.n])
	matched, end, err := s.matchLong()
	if err != nil {
		return err
	}
	selected := matched != s.o.Invert
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

// matchLong says whether the line at base matches, and where it ends, as longPieces does.
func (s *searcher) matchLong() (matched bool, end int64, err error) {
	if p, ok := s.m.(peeker); ok {
		may, surely := p.Peeks()
		if surely || may && s.seg.file.f.At != nil { // a line of a stream cannot be read again
			start, peeking := s.base, true
			p.BeginPeek()
			end, err = s.longPieces(func(piece []byte) bool {
				peeking = peeking && p.Peek(piece)
				return peeking || surely
			})
			if err != nil {
				return false, 0, err
			}
			if matched, sure := p.EndPeek(); sure {
				return matched, end, nil
			}
			s.base, s.n, s.eof = start, 0, false
		}
	}
	s.m.Reset()
	end, err = s.longPieces(func(piece []byte) bool {
		s.m.Feed(piece)
		return true
	})
	return err == nil && s.m.EndLine(), end, err
}

// longPieces calls take with the pieces of the line at base until it returns false. It returns the offset
// after the line's terminator; where the input ends without one, that is one after its end.
func (s *searcher) longPieces(take func(piece []byte) bool) (int64, error) {
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
			if !take(line) {
				return 0, nil
			}
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
