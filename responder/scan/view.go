package scan

import "github.com/trawl-logs/trawl/responder/match/simd"

// Where nearly no line is selected, most of a mapped file need not be copied: it is looked at in place,
// and what the matcher's search for candidates passes over is done with. The rest is copied and searched
// as ever, so that what is given never depends on bytes that may change.

// skipper is a Matcher that can pass over text in place.
type skipper interface {
	// Skip returns how many bytes of text, which begins with a line, are lines that surely do not match;
	// -1 if it cannot tell. It may look at the text ahead meanwhile: seen tells that next is known of it.
	Skip(text []byte, v simd.View, ahead []byte) (skipped int, next simd.View, seen bool)
}

// view is what one worker knows of the mapped text that it looks at, and how that has gone of late.
type view struct {
	m    skipper                      // nil if it is not done in this search
	look func(text, ahead []byte) int // skip; made once
	rest int                          // blocks to be searched before the next trial
	next int                          // and after that, if it fails

	of    simd.View // of the text at hand
	known bool      // of is known
	ahead int64     // how much of what follows it is known, too
}

// maxRest is after how many blocks that had to be copied one is looked at again.
const maxRest = 64

func (v *view) init(s *searcher) {
	m, ok := s.m.(skipper)
	if !ok || s.o.Invert || s.o.Numbers || s.o.timed() {
		return
	}
	v.m, v.look = m, v.skip
}

// skip is called with mapped text, and returns how much of it is passed over.
func (v *view) skip(text, ahead []byte) (n int) {
	if !v.known {
		v.of = simd.Look(text)
	}
	if v.known = false; !v.of.NoZero {
		return -1 // the file is binary, or was cut off in this page
	}
	var next simd.View
	if n, next, v.known = v.m.Skip(text, v.of, ahead); v.known && n > 0 {
		v.of, v.ahead = simd.Look(text[n:]).And(next), int64(len(ahead))
	}
	return n
}

// passView passes over lines at the start of the buffer, and after it, that are not selected. It says
// whether there were any.
func (s *searcher) passView() bool {
	v := &s.view
	f := &s.seg.file.f
	if v.m == nil || f.Raw == nil || s.pending > 0 {
		return false
	}
	if v.rest > 0 {
		v.rest--
		return false
	}
	start, block, end := s.base, s.o.geometry.block, s.seg.end
	v.known = false
	n := min(block, end-s.base)
	for !s.halted() && (n > block/2 || s.base == start) {
		passed, ok := s.win.View(f.Raw, f.RawAt+s.base, n, block, f.RawAt+end, v.look)
		if !ok || f.Intact != nil && !f.Intact() {
			passed = -1
		}
		if passed > 0 {
			s.countRead(s.base + int64(passed))
			s.base += int64(passed)
			s.n, s.buf = 0, s.mem
		}
		rest := n - int64(passed) // of text that was looked at
		if passed <= 0 || rest > block/2 {
			v.next = min(2*v.next+1, maxRest)
			v.rest = v.next
			break
		}
		v.next = 0
		n = min(rest+block, end-s.base)
		v.known = v.known && n <= rest+v.ahead
	}
	return s.base > start
}
