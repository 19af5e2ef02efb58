package simd

import (
	"unicode/utf8"
	"unsafe"
)

// View is what is known of a text without a place in it.
type View struct {
	NoZero bool // none of its bytes is 0
	ASCII  bool // all are below 0x80
}

// And is what is known of two texts together.
func (v View) And(w View) View { return View{v.NoZero && w.NoZero, v.ASCII && w.ASCII} }

// skim is a text that kernels look at, in four parts side by side: a core waits for memory at four places as long as
// at one. The assembly knows the offsets of its fields.
type skim struct {
	ahead *byte
	part  int // bytes of each of the four
	View
}

// skimStep is of what the positions that a kernel searches while it looks ahead are a multiple: it looks at a
// quarter of that in each part.
const skimStep = 4 * lane

// Look looks at text, which brings it into the processor's cache.
func Look(text []byte) View {
	v := View{true, true}
	if part := len(text) / 4 &^ (skimStep - 1); accelerated && part > 0 {
		s := skim{ahead: unsafe.SliceData(text), part: part}
		lookVector(&s)
		v, text = s.View, text[4*part:]
	}
	return v.And(lookPure(text))
}

func lookPure(text []byte) View {
	v := View{true, true}
	for _, b := range text {
		v.NoZero = v.NoZero && b != 0
		v.ASCII = v.ASCII && b < utf8.RuneSelf
	}
	return v
}

// IndexAhead is Index, and looks at ahead meanwhile: while the one text is searched the other comes from memory. seen
// tells that all of ahead was looked at, and v what is known of it.
func (f *Finder) IndexAhead(buf, ahead []byte) (pos int, v View, seen bool) {
	from := 0
	if f.size >= 2 {
		n := len(buf) - f.reach() + 1
		from, v, seen = skimmed(n, ahead, func(n int, s *skim) int { return pairSkim(&f.kernel, buf, n, s) })
	}
	if pos = f.Index(buf[from:]); pos >= 0 {
		pos += from
	}
	return pos, v, seen
}

// NextAhead is Next from the start of buf on, as IndexAhead is Index.
func (s *Set) NextAhead(buf, ahead []byte) (pos int, v View, seen bool) {
	n := min(len(buf)-s.at-setReach, len(buf)-s.shortest) + 1
	if s.kernel.shape == shapeLow6Fat {
		n = 0 // this kernel has no twin that looks ahead
	}
	from, v, seen := skimmed(n, ahead, func(n int, k *skim) int { return setSkim(&s.kernel, buf[s.at:], n, k) })
	pos, _ = s.Next(buf, from)
	return pos, v, seen
}

// skimmed has kernel search up to n positions, while it looks at ahead, and returns from where on they are still to
// be searched.
func skimmed(n int, ahead []byte, kernel func(n int, s *skim) int) (from int, v View, seen bool) {
	n = min(n, len(ahead)) &^ (skimStep - 1)
	if !accelerated || n <= 0 {
		return 0, v, false
	}
	s := skim{ahead: unsafe.SliceData(ahead), part: n / 4}
	if pos := kernel(n, &s); pos >= 0 {
		return pos, v, false
	}
	return n, s.View.And(Look(ahead[n:])), true
}
