package simd

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// needlesOf are literals of all lengths that a kernel treats apart.
var needlesOf = []string{"x", "xy", "Qx=", "rare", "Zx9w!", "id=Zx9w", "id=Zx9w7", "user=Zq9", "connection to Zookeeper lost",
	"a long literal with the rarest byte Z far into it, beyond one vector of 32 bytes, and Q after it"}

// TestFinderEdges puts each needle at every position of every buffer, next to unmapped memory.
func TestFinderEdges(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		for _, fold := range []bool{false, true} {
			for _, needle := range needlesOf {
				f := NewFinder([]byte(needle), fold)
				text := []byte(needle)
				if fold {
					text = bytes.ToUpper(text)
				}
				edges(t, '.', func(buf []byte) {
					if got := f.Index(buf); got != -1 {
						t.Fatalf("%q in %d bytes without it: %d", needle, len(buf), got)
					}
					for at := 0; at+len(text) <= len(buf); at++ {
						copy(buf[at:], text)
						if got := f.Index(buf); got != at {
							t.Fatalf("%q (fold %v) in %d bytes: %d, want %d", needle, fold, len(buf), got, at)
						}
						if got := f.Index(buf[at+1:]); got != -1 {
							t.Fatalf("%q after its first byte at %d of %d: %d", needle, at, len(buf), got)
						}
						fillDots(buf[at : at+len(text)])
					}
				})
			}
		}
	})
}

// TestFinderBeforeEdges does so with what must follow a needle.
func TestFinderBeforeEdges(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		for _, fold := range []bool{false, true} {
			for _, needle := range needlesOf {
				f := NewFinderBefore([]byte(needle), fold, '0', '9')
				text := []byte(needle + ",")
				edges(t, '.', func(buf []byte) {
					for at := 0; at+len(text) <= len(buf); at++ {
						copy(buf[at:], text)
						if got := f.Index(buf); got != -1 {
							t.Fatalf("%q (fold %v) without its digit in %d bytes: %d", needle, fold, len(buf), got)
						}
						end := at + len(needle)
						if buf[end] = '5'; f.Index(buf) != at {
							t.Fatalf("%q (fold %v) in %d bytes: %d, want %d", needle, fold, len(buf), f.Index(buf), at)
						}
						if got := f.Index(buf[:end]); got != -1 {
							t.Fatalf("%q (fold %v) at the end of %d bytes: %d", needle, fold, end, got)
						}
						fillDots(buf[at : at+len(text)])
					}
				})
			}
		}
	})
}

func fillDots(buf []byte) {
	for i := range buf {
		buf[i] = '.'
	}
}

// TestSetEdges does the same for one set of each form.
func TestSetEdges(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		for _, f := range forms {
			for _, fold := range []bool{false, true} {
				needles := [][]byte{[]byte("Warning9"), []byte("fatal:Qx"), []byte("EXCEPTION in thread"), []byte("panic@Zz")}
				s := setOf(t, f.shape, needles, fold)
				which := -1
				edges(t, '.', func(buf []byte) {
					which = (which + 1) % len(needles)
					needle := needles[which]
					if got, _ := s.Next(buf, 0); got != -1 {
						t.Fatalf("%d bytes without a needle: %d", len(buf), got)
					}
					for at := 0; at+len(needle) <= len(buf); at++ {
						copy(buf[at:], needle)
						if got, w := s.Next(buf, 0); got != at || w != which {
							t.Fatalf("shape %d: needle %d at %d of %d: found %d at %d", f.shape, which, at, len(buf), w, got)
						}
						if got, _ := s.Next(buf, at+1); got != -1 {
							t.Fatalf("shape %d: after the needle at %d of %d: %d", f.shape, at, len(buf), got)
						}
						fillDots(buf[at : at+len(needle)])
					}
				})
			}
		}
	})
}

func TestWindowEdges(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		for width := 2; width <= maxClasses; width++ {
			for _, ranges := range []bool{true, false} {
				classes, text := make([]Class, width), make([]byte, width)
				for i := range classes {
					classes[i].Add('0', '9')
					if !ranges {
						classes[i].Add('a', 'f')
					}
					text[i] = "9053"[i]
				}
				w, ok := NewWindow(classes)
				if !ok || w.kernel.ranges != ranges {
					t.Fatalf("NewWindow of %d: ok %v, ranges %v", width, ok, ok && w.kernel.ranges)
				}
				edges(t, '.', func(buf []byte) {
					if got := w.Next(buf, 0); got != -1 {
						t.Fatalf("%d bytes without a match: %d", len(buf), got)
					}
					for at := 0; at+width <= len(buf); at++ {
						copy(buf[at:], text)
						if got := w.Next(buf, 0); got != at {
							t.Fatalf("width %d, ranges %v, at %d of %d: %d", width, ranges, at, len(buf), got)
						}
						if got := w.Next(buf, at+1); got != -1 {
							t.Fatalf("after the match at %d of %d: %d", at, len(buf), got)
						}
						fillDots(buf[at : at+width])
					}
				})
			}
		}
	})
}

func TestBytesEdges(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		edges(t, '.', func(buf []byte) {
			check := func(at int) {
				for name, got := range map[string]int{"Index2": Index2(buf, 'x', 'y'), "Index3": Index3(buf, 0xff, 'x', 0),
					"LastIndexByte": LastIndexByte(buf, 'x')} {
					if got != at {
						t.Fatalf("%s of %d bytes: %d, want %d", name, len(buf), got, at)
					}
				}
			}
			check(-1)
			if !ASCII(buf) || !NoZero(buf) {
				t.Fatalf("ASCII of %d bytes of it: %v; NoZero: %v", len(buf), ASCII(buf), NoZero(buf))
			}
			for at := range buf {
				buf[at] = 'x'
				check(at)
				if buf[at] = 0x80 + byte(at&0x7f); ASCII(buf) {
					t.Fatalf("ASCII of %d bytes with %#x at %d: true", len(buf), buf[at], at)
				}
				if buf[at] = 0; NoZero(buf) {
					t.Fatalf("NoZero of %d bytes with one at %d: true", len(buf), at)
				}
				if buf[at] = 0x80; !NoZero(buf) {
					t.Fatalf("NoZero of %d bytes with 0x80 at %d: false", len(buf), at)
				}
				buf[at] = '.'
			}
		})
	})
}

// TestCandidatesAtEdges fills buffers with what nearly matches, so that all closer looks are taken too.
func TestCandidatesAtEdges(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		finders := []*Finder{NewFinder([]byte("ab"), false), NewFinder([]byte("aab"), true), NewFinder([]byte("aaaaaaab"), false),
			NewFinder([]byte("aaaaaaaaaaaaaaab"), true)}
		needles := [][]byte{[]byte("aab"), []byte("bbab"), []byte("abbbbb"), []byte("baaaaaaaab")}
		var sets []*Set
		for _, f := range forms {
			first := map[int]int{3: 0, 4: 1, 6: 2}[f.width] // kernels of low nibbles want literals as long as they are wide
			sets = append(sets, setOf(t, f.shape, needles[first:], false))
		}
		edges(t, 0, func(buf []byte) {
			copy(buf, randomText(r, "aaaabA", len(buf)))
			for _, f := range finders {
				if got, want := f.Index(buf), naiveIndex(buf, f.text, f.fold != nil); got != want {
					t.Fatalf("%q in %q: %d, want %d", f.text, buf, got, want)
				}
			}
			for _, s := range sets {
				var of [][]byte
				for _, l := range s.literals {
					of = append(of, l.text)
				}
				got, which := s.Next(buf, 0)
				if want, w := naiveSet(buf, 0, of, false); got != want || which != w {
					t.Fatalf("%q in %q: %d at %d, want %d at %d", of, buf, which, got, w, want)
				}
			}
		})
	})
}
