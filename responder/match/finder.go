package match

import (
	"slices"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/responder/match/literal"
	"github.com/trawl-logs/trawl/responder/match/simd"
	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// finder finds places where a line may match; it passes over no line that does.
type finder interface {
	// next returns the first position of buf, from on, that makes its line a candidate, or -1; 0 is the start of a line.
	next(buf []byte, from int) int
	// lines fills b with the first candidate lines of buf[from:], and returns the start of a line to go on
	// from, or the end of buf if these are all.
	lines(b *simd.Batch, buf []byte, from int, term byte) (next int)
	// ahead is next from the start of buf on, and may look at the text ahead meanwhile: seen tells that v is known of it.
	ahead(buf, ahead []byte) (at int, v simd.View, seen bool)
}

// newFinder returns the finder of a set in lines that end in term; false if no kernel takes it.
func newFinder(s literal.Set, term byte) (finder, bool) {
	if len(s.Lits) == 1 {
		if s.Then != nil {
			if lo, hi := s.Then.Bounds(); hi-lo < 0xff && (term < lo || term > hi) {
				return literalFinder{simd.NewFinderBefore(s.Lits[0], s.Fold, lo, hi)}, true
			}
		}
		return literalFinder{simd.NewFinder(s.Lits[0], s.Fold)}, true
	}
	set, ok := simd.NewSet(s.Lits, s.Fold)
	return setFinder{set}, ok
}

type literalFinder struct{ *simd.Finder }

func (f literalFinder) next(buf []byte, from int) int {
	if i := f.Index(buf[from:]); i >= 0 {
		return from + i
	}
	return -1
}

func (f literalFinder) lines(b *simd.Batch, buf []byte, from int, term byte) int {
	return f.Lines(b, buf, from, term)
}

func (f literalFinder) ahead(buf, ahead []byte) (int, simd.View, bool) {
	return f.IndexAhead(buf, ahead)
}

type setFinder struct{ *simd.Set }

func (f setFinder) lines(b *simd.Batch, buf []byte, from int, term byte) int {
	return f.Lines(b, buf, from, term)
}

func (f setFinder) next(buf []byte, from int) int {
	pos, _ := f.Next(buf, from)
	return pos
}

func (f setFinder) ahead(buf, ahead []byte) (int, simd.View, bool) { return f.NextAhead(buf, ahead) }

type windowFinder struct{ *simd.Window }

func (f windowFinder) next(buf []byte, from int) int { return f.Next(buf, from) }

func (f windowFinder) lines(b *simd.Batch, buf []byte, from int, term byte) int {
	return f.Lines(b, buf, from, term)
}

func (f windowFinder) ahead(buf, _ []byte) (at int, v simd.View, seen bool) {
	return f.next(buf, 0), v, false
}

// newWindow returns the finder of a window; false if no kernel takes it.
func newWindow(w literal.Window) (finder, bool) {
	classes := make([]simd.Class, len(w.Classes))
	for i, c := range w.Classes {
		classes[i] = simd.Class(c)
	}
	win, ok := simd.NewWindow(classes)
	return windowFinder{win}, ok
}

// boundedText finds a text at whose ends assertions hold.
type boundedText struct {
	*simd.Finder
	size          int
	before, after []*syntax.Node
	term          byte
	anchored      bool // a match begins where the line does
}

func newBoundedText(info literal.Info, term byte) *boundedText {
	anchored := slices.ContainsFunc(info.Before, func(n *syntax.Node) bool { return n.Look == syntax.LookStart })
	return &boundedText{simd.NewFinder(info.Text, info.Fold), len(info.Text), info.Before, info.After, term, anchored}
}

// bounded tells whether there is any assertion.
func (t *boundedText) bounded() bool { return len(t.before)+len(t.after) > 0 }

func (t *boundedText) lines(b *simd.Batch, buf []byte, from int, term byte) int {
	next := t.Lines(b, buf, from, term)
	b.Keep(t.confirm, buf)
	return next
}

func (t *boundedText) ahead(buf, ahead []byte) (at int, v simd.View, seen bool) {
	if at, v, seen = t.IndexAhead(buf, ahead); at >= 0 {
		at = t.next(buf, at)
	}
	return at, v, seen
}

// confirm returns the first place from at on, in the line from start to the end of buf, where the text stands and its assertions hold.
func (t *boundedText) confirm(buf []byte, start, at int) int {
	switch {
	case t.holds(t.before, buf, at) && t.holds(t.after, buf, at+t.size):
		return at
	case t.anchored:
		return -1
	}
	return t.next(buf, at+1)
}

func (t *boundedText) next(buf []byte, from int) int {
	for {
		i := t.Index(buf[from:])
		if i < 0 {
			return -1
		}
		from += i
		if t.holds(t.before, buf, from) && t.holds(t.after, buf, from+t.size) {
			return from
		}
		from++
	}
}

// holds tells whether all assertions hold at a border of characters of buf.
func (t *boundedText) holds(looks []*syntax.Node, buf []byte, at int) bool {
	for _, n := range looks {
		if !t.look(n, buf, at) {
			return false
		}
	}
	return true
}

func (t *boundedText) look(n *syntax.Node, buf []byte, at int) bool {
	switch n.Look {
	case syntax.LookStart:
		return at == 0 || buf[at-1] == t.term
	case syntax.LookEnd:
		return at == len(buf) || buf[at] == t.term
	case syntax.LookHalfStart:
		return !wordBefore(n, buf, at)
	case syntax.LookHalfEnd:
		return !wordAfter(n, buf, at)
	}
	before, after := wordBefore(n, buf, at), wordAfter(n, buf, at)
	switch n.Look {
	case syntax.LookWord:
		return before != after
	case syntax.LookNotWord:
		return before == after
	case syntax.LookWordStart:
		return !before && after
	default: // LookWordEnd
		return before && !after
	}
}

// wordBefore tells whether a word character ends at at. The terminator is none.
func wordBefore(n *syntax.Node, buf []byte, at int) bool {
	if at == 0 {
		return false
	}
	if b := buf[at-1]; b < utf8.RuneSelf {
		return wordByte(b)
	}
	r, size := utf8.DecodeLastRune(buf[:at])
	return n.Unicode && size > 1 && wordRune(r)
}

// wordAfter tells whether a word character begins at at.
func wordAfter(n *syntax.Node, buf []byte, at int) bool {
	if at == len(buf) {
		return false
	}
	if b := buf[at]; b < utf8.RuneSelf {
		return wordByte(b)
	}
	r, size := utf8.DecodeRune(buf[at:])
	return n.Unicode && size > 1 && wordRune(r)
}

func wordByte(b byte) bool {
	return b|0x20 >= 'a' && b|0x20 <= 'z' || b >= '0' && b <= '9' || b == '_'
}

// wordRune tells whether r is in syntax.WordClass, whose ranges are sorted: the first bound that is
// not below r is an upper one, at an odd index, or r itself, if r lies in a range.
func wordRune(r rune) bool {
	i, found := slices.BinarySearch(syntax.WordClass(), r)
	return found || i&1 == 1
}
