package block

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// pure has a test run without the kernels.
func pure(t testing.TB, run func()) {
	t.Helper()
	was := accelerated
	accelerated = false
	defer func() { accelerated = was }()
	run()
}

// The kernels do what is done without them, to every length and whatever the text holds.
func TestKernels(t *testing.T) {
	if !accelerated {
		t.Skip("this processor has no AVX2 and BMI2")
	}
	r := rand.New(rand.NewPCG(3, 3))
	for i := range 3000 {
		text := make([]byte, r.IntN(400))
		for k := range text {
			switch r.IntN(40 + i%40) {
			case 0:
				text[k] = byte(r.IntN(256))
			case 1:
				text[k] = "@[`{\x00\x7f\x80\xff"[r.IntN(8)]
			default:
				text[k] = byte("aAzZ09 _ \t=:-"[r.IntN(13)])
			}
		}
		cut := r.IntN(min(len(text), carry) + 1)
		log := uint(minLog + r.IntN(maxLog-minLog+1))
		made := func() (s strip, odd bool) {
			s = strip{bits: make([]uint64, 1<<log/64), shift: 64 - log, recent: &recent{}}
			odd = s.lowerCase(text[:cut], text[cut:])
			s.grams(0, len(text))
			s.words()
			return s, odd
		}
		got, gotOdd := made()
		var want strip
		var wantOdd bool
		pure(t, func() { want, wantOdd = made() })
		if !bytes.Equal(got.lower, want.lower) || gotOdd != wantOdd || !slices.Equal(got.bits, want.bits) {
			t.Fatalf("%q: lower case %q, want %q; odd %v, want %v; bits differ: %v", text, got.lower, want.lower, gotOdd, wantOdd, !slices.Equal(got.bits, want.bits))
		}
		for k, w := range got.letters {
			if k < len(want.letters) && w != want.letters[k] || k >= len(want.letters) && w != 0 {
				t.Fatalf("%q: letters %x, want %x", text, got.letters, want.letters)
			}
		}
	}
	for range 20 {
		strips, log := 64*(1+r.IntN(MaxStrips/64)), uint(minLog+r.IntN(3))
		stride := 1<<log/64 + 8
		src := make([]uint64, strips*stride)
		for i := range src {
			src[i] = r.Uint64() & r.Uint64()
		}
		got, want := make([]uint64, strips/64<<log), make([]uint64, strips/64<<log)
		transpose(got, src, strips, stride, log)
		pure(t, func() { transpose(want, src, strips, stride, log) })
		if !slices.Equal(got, want) {
			t.Fatalf("%d strips of %d bits are turned otherwise", strips, 1<<log)
		}
	}
}

// An index is the same with the kernels and without.
func TestFixtureWithoutKernels(t *testing.T) {
	pure(t, func() { TestFixture(t) })
}
