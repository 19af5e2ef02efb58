package scan

import "fmt"

// Origin says where the lines of a Stream came from that was made from something else: a wrapped log,
// say. It may be called from another goroutine than the one that reads the Stream.
type Origin interface {
	// Line says of the line that begins at off in the Stream, and was read, what time it is of, NoTime
	// if it has none, and the number and offset that it goes by. ok is false if that is not known any
	// more.
	Line(off int64) (ns, number, offset int64, ok bool)
	// Release says that Line is not going to be asked for lines before the one at off.
	Release(off int64)
}

// origin is File.Origin for the line at the offset at.
func (s *searcher) origin(at int64) (ns, number, offset int64) {
	ns, number, offset, ok := s.seg.file.f.Origin.Line(at)
	if !ok {
		s.res.lineErr = fmt.Errorf("it is not known any more where the line at byte %d came from: too many lines of context", at)
		return NoTime, 0, 0
	}
	return ns, number, offset
}

// place returns the number and the offset of what begins at the offset at, in the line at lineAt.
func (s *searcher) place(lineAt, at int64) (number, offset int64) {
	if s.seg.file.f.Origin != nil {
		_, number, offset = s.origin(lineAt)
		return number, offset
	}
	if s.o.Numbers {
		number = s.numberAt(lineAt) + 1 + s.seg.file.f.LinesBefore
	}
	return number, at + s.seg.file.f.BytesBefore
}
