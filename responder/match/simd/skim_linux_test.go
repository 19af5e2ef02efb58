package simd

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// skimmers are searches that look ahead, and the same without: of each kernel one.
func skimmers(t *testing.T) map[string][2]func(buf, ahead []byte) (int, View, bool) {
	t.Helper()
	all := map[string][2]func(buf, ahead []byte) (int, View, bool){}
	for _, fold := range []bool{false, true} {
		for _, needle := range []string{"x", "xy", "needle", "a longer needle"} {
			f := NewFinder([]byte(needle), fold)
			all[fmt.Sprintf("%s %v", needle, fold)] = [2]func(buf, ahead []byte) (int, View, bool){f.IndexAhead,
				func(buf, _ []byte) (int, View, bool) { return f.Index(buf), View{}, false }}
			b := NewFinderBefore([]byte(needle), fold, 'a', 'f')
			all[fmt.Sprintf("%s before a letter %v", needle, fold)] = [2]func(buf, ahead []byte) (int, View, bool){b.IndexAhead,
				func(buf, _ []byte) (int, View, bool) { return b.Index(buf), View{}, false }}
		}
	}
	for i := range forms {
		if forms[i].shape == shapeLow6Fat {
			continue // it does not look ahead
		}
		s, ok := newSet([][]byte{[]byte("needle"), []byte("pinpoint"), []byte("xylophone")}, true, forms[i:i+1], math.MaxFloat64)
		if !ok {
			t.Fatalf("no set of shape %d", forms[i].shape)
		}
		all[fmt.Sprintf("set %d", forms[i].shape)] = [2]func(buf, ahead []byte) (int, View, bool){s.NextAhead,
			func(buf, _ []byte) (int, View, bool) { p, _ := s.Next(buf, 0); return p, View{}, false }}
	}
	return all
}

// TestAhead: a search that looks ahead finds what one that does not finds, and sees every NUL and every byte beyond ASCII
// ahead. Both texts lie in turn right before and right behind memory that cannot be read.
func TestAhead(t *testing.T) {
	front, back := guarded(t), guarded(t)
	rng := rand.New(rand.NewPCG(3, 4))
	parts := []string{"needle", "a LONGER needle", "xy", "nee", "dle", "pinpoint", "Xylophone", "pin", "a longer need"}
	for name, f := range skimmers(t) {
		looked := 0
		for range 1200 {
			n, m := rng.IntN(1500), rng.IntN(1500)
			buf, ahead := front[:n:n], back[len(back)-m:]
			if rng.IntN(2) == 0 {
				buf, ahead = front[len(front)-n:], back[:m:m]
			}
			for i := range buf {
				buf[i] = "abcdefghiABCDEFGHI \n"[rng.IntN(20)]
			}
			for range rng.IntN(4) {
				copy(buf[rng.IntN(n+1):], parts[rng.IntN(len(parts))])
			}
			for i := range ahead {
				ahead[i] = byte(1 + rng.IntN(127))
			}
			for _, b := range []byte{0, 0x80} {
				if m > 0 && rng.IntN(3) == 0 {
					ahead[rng.IntN(m)] = b
				}
			}
			pos, v, seen := f[0](buf, ahead)
			if want, _, _ := f[1](buf, nil); pos != want {
				t.Fatalf("%s: at %d of %q, want %d", name, pos, buf, want)
			}
			want := View{bytes.IndexByte(ahead, 0) < 0, asciiPure(ahead)}
			if seen && v != want {
				t.Fatalf("%s: %d bytes ahead of %d: %+v, want %+v", name, m, n, v, want)
			}
			if got := Look(ahead); got != want {
				t.Fatalf("%d bytes: %+v, want %+v", m, got, want)
			}
			if seen {
				looked++
			}
		}
		if looked == 0 && accelerated && name != "x false" && name != "x true" {
			t.Errorf("%s never looked ahead", name)
		}
	}
}

// TestLookEverywhere: each byte of a text counts, at the edges of memory.
func TestLookEverywhere(t *testing.T) {
	area := guarded(t)
	for _, pure := range []bool{false, true} {
		before := SetPure(pure)
		for _, n := range []int{0, 1, 127, 511, 512, 513, 1024, 1700} {
			for _, text := range [][]byte{area[:n:n], area[len(area)-n:]} {
				for i := range text {
					text[i] = 0x7f
				}
				if v := Look(text); v != (View{true, true}) {
					t.Errorf("%d bytes: %+v", n, v)
				}
				for i := range text {
					for b, want := range map[byte]View{0: {false, true}, 0x80: {true, false}} {
						text[i] = b
						if v := Look(text); v != want {
							t.Fatalf("%#x at %d of %d: %+v, want %+v", b, i, n, v, want)
						}
					}
					text[i] = 0x7f
				}
			}
		}
		SetPure(before)
	}
}
