package scan

import "slices"

// Range is a stretch of a file, from the start of a line to the end of one or of the file.
type Range struct {
	From, To int64
	Line     int64 // lines before From
}

// Window is the bytes that go together in a file of any size: a NUL makes a file binary from the start of the
// window on in which it lies. Where ranges leave out what surely has none, those that share a window with
// what may have one must reach up to it.
const Window = 96 << 10

// contextStep is how much is read at once behind a range, as long as lines of context are due.
const contextStep = 16 << 10

// within returns the parts of the ranges that lie between from, the start of a line, and to.
func within(ranges []Range, from, to int64) []Range {
	if len(ranges) == 0 || from <= ranges[0].From && ranges[len(ranges)-1].To <= to {
		return ranges
	}
	var in []Range
	for _, g := range ranges {
		if g.From < from {
			g.From, g.Line = from, -1 // nobody asks: where lines are numbered, all are there from the first on
		}
		if g.To = min(g.To, to); g.From < g.To {
			in = append(in, g)
		}
	}
	return in
}

// ranged cuts the ranges of a file up: a segment is some of them that are short, or a part of a long
// one. One that keeps to the order of lines has them all.
func (r *run) ranged(file *openFile, step int64, queue func(*segment) bool) bool {
	rest := within(file.f.Ranges, file.f.From, file.f.Size)
	for n := int64(0); ; n++ {
		seg := &segment{file: file, n: n, line: -1, last: true, out: make(chan *Batch, r.queue)}
		if file.stop.Load() {
			rest = nil
		}
		if len(rest) == 0 { // nothing to search; the file is closed in its turn
			seg.start, seg.end = file.f.Size, file.f.Size
		} else {
			rest = seg.fill(rest, step, r.o.geometry.window, r.o.whole() || file.f.InOrder)
			seg.last = len(rest) == 0
		}
		if !queue(seg) {
			if n == 0 {
				file.close()
			}
			return false
		}
		if seg.last {
			return true
		}
	}
}

// fill takes ranges of up to step bytes, all of them if whole is set, and returns what is left. It cuts one
// only between windows.
func (seg *segment) fill(ranges []Range, step, window int64, whole bool) []Range {
	first := ranges[0]
	seg.start, seg.end, seg.line = first.From, first.To, first.Line
	if size := first.To - first.From; !whole && size-step > step/4 {
		seg.end = (first.From + step) / window * window
		return append([]Range{{From: seg.end, To: first.To, Line: -1}}, ranges[1:]...)
	}
	if first.Line < 0 && !whole { // its lines are counted from the segment before
		return ranges[1:]
	}
	n := 1
	for sum := first.To - first.From; n < len(ranges); n++ {
		if sum += ranges[n].To - ranges[n].From; !whole && sum > step {
			break
		}
	}
	seg.more = slices.Clip(ranges[1:n])
	return ranges[n:]
}

// ranges searches the ranges of the segment, one after the other.
func (s *searcher) ranges() error {
	for {
		if err := s.blocks(); err != nil || s.over || s.left == 0 && s.pending == 0 || s.halted() {
			return err
		}
		if !s.next() {
			return nil
		}
	}
}

// next turns to the next range, or to what comes behind the last one as long as lines of it are due as
// context.
func (s *searcher) next() bool {
	more, at := s.seg.more, max(s.base, s.seg.end)
	limit := int64(0)
	if f := &s.seg.file.f; f.At != nil {
		limit = f.Size
	}
	if len(more) > 0 {
		limit = more[0].From
	}
	switch {
	case s.pending > 0 && at < limit:
		s.enter(Range{From: at, To: min(at+contextStep, limit)}, s.lineAt(at))
	case len(more) == 0:
		return false
	case at >= more[0].From: // context went up to it
		s.seg.more = more[1:]
		s.enter(Range{From: at, To: max(at, more[0].To)}, s.lineAt(at))
	default:
		s.seg.more = more[1:]
		s.enter(more[0], more[0].Line-s.seg.line)
	}
	return true
}

// lineAt is numberAt, if numbers are wanted.
func (s *searcher) lineAt(at int64) int64 {
	if !s.o.Numbers {
		return 0
	}
	return s.numberAt(at)
}

// enter begins a range, the number of whose first line within the segment is line.
func (s *searcher) enter(g Range, line int64) {
	s.seg.start, s.seg.end, s.read = g.From, g.To, g.From
	s.buf, s.n, s.eof = s.mem, 0, false
	s.base, s.countTo = g.From, g.From
	s.counted, s.atBase = line, line
	s.farAt = -1
}

// UpToTail joins the last range, if it goes on to the end of a file of that size, with the ranges in the
// window that it begins in: a NUL there, where alone one can be, makes them part of a binary file.
func UpToTail(ranges []Range, size int64) []Range {
	last := len(ranges) - 1
	if last < 0 || ranges[last].To < size {
		return ranges
	}
	window := ranges[last].From / Window * Window
	for ; last > 0 && ranges[last-1].To > window; last-- {
		ranges[last-1].To = size
	}
	return ranges[:last+1]
}
