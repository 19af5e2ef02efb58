package scan

// GNU grep does not read the holes of a sparse file, and ends quickly on one of many GB. A hole reads
// as NULs, which end lines, all of them empty: if no empty line is selected, nothing in it is.

// hole says whether a segment that is not the first of its file lies in a hole, and holds no selected
// line: what began before it ends with its first NUL. To ask takes 0.2 µs a segment.
func (s *searcher) hole() bool {
	if s.emptyTo(s.seg.start-1) < s.seg.end {
		return false
	}
	s.sawNUL()
	s.countRead(s.seg.end)
	return true
}

// passHole goes on behind a hole at the start of the buffer, which is empty, in a file that is binary.
func (s *searcher) passHole() {
	to := s.emptyTo(s.base)
	if to < s.seg.end { // blocks keep to their grid
		to -= (to - s.seg.start) % s.o.geometry.block
	}
	if to > s.base {
		s.base, s.countTo = to, to
		s.countRead(to)
	}
}

// emptyTo returns up to where, from the offset off, a hole goes in which no line is selected; off if
// there is none.
func (s *searcher) emptyTo(off int64) int64 {
	f := &s.seg.file.f
	if f.Raw == nil || !s.detect || s.o.timed() {
		return off
	}
	to := dataFrom(f.Raw, f.RawAt+off, f.RawAt+s.seg.end) - f.RawAt
	if to > off && (s.m.MatchLine(nil) != s.o.Invert || f.Intact != nil && !f.Intact()) {
		return off
	}
	return to
}
