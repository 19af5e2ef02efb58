package simd

import (
	"math/rand/v2"
	"testing"
)

// randomBits are words of all kinds: carries run through those that are full.
func randomBits(rnd *rand.Rand) (x Bits) {
	for i := range x {
		x[i] = []uint64{0, ^uint64(0), rnd.Uint64(), rnd.Uint64() & rnd.Uint64(), 1 << 63, 1}[rnd.IntN(6)]
	}
	return x
}

// Each method does in assembly what it does in Go, and may overwrite what it reads.
func TestBits(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	ops := map[string]func(x, a, b *Bits, carry uint64) uint64{
		"And":    func(x, a, b *Bits, _ uint64) uint64 { x.And(a, b); return 0 },
		"AndNot": func(x, a, b *Bits, _ uint64) uint64 { x.AndNot(a, b); return 0 },
		"Xor":    func(x, a, b *Bits, _ uint64) uint64 { x.Xor(a, b); return 0 },
		"Or":     func(x, a, b *Bits, _ uint64) uint64 { x.Or(a, b); return 0 },
		"Shift":  func(x, a, _ *Bits, carry uint64) uint64 { return x.Shift(a, carry) },
		"Over":   (*Bits).Over,
		"Star":   (*Bits).Star,
	}
	for name, op := range ops {
		for range 200 {
			a, b, carry := randomBits(rnd), randomBits(rnd), rnd.Uint64N(2)
			var fast, pure Bits
			out := op(&fast, &a, &b, carry)
			before := SetPure(true)
			want := op(&pure, &a, &b, carry)
			SetPure(before)
			if fast != pure || out != want {
				t.Fatalf("%s of %x and %x with %d: %x, %d in assembly, %x, %d in Go", name, a, b, carry, fast, out, pure, want)
			}
			if name == "Star" {
				continue
			}
			if op(&a, &a, &b, carry); a != pure {
				t.Fatalf("%s differs in place", name)
			}
		}
	}
}

// A block of text is tested right, next to unmapped memory on both sides.
func TestClassBits(t *testing.T) {
	area := guarded(t)
	if len(area) < 64*BitsWords {
		t.Fatalf("a page of %d bytes", len(area))
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	bothKernels(t, func(t *testing.T) {
		for i, ranges := range []string{"\n\n", "09", "az", "\x00\xff", "\x80\xff", "09AZ__az", "..--", "\x00\x09\x0b\xff", "aaccee"} {
			var c Class
			for j := 0; j < len(ranges); j += 2 {
				c.Add(ranges[j], ranges[j+1])
			}
			test, ok := NewClassTest(c)
			if !ok {
				t.Fatalf("class %d: no kernel", i)
			}
			for _, text := range [][]byte{area[:64*BitsWords], area[len(area)-64*BitsWords:]} {
				for j := range text {
					text[j] = byte(rnd.IntN(256))
				}
				var bits Bits
				test.Bits(text, &bits)
				for j, b := range text {
					if got := bits[j/64]>>(j%64)&1 == 1; got != c.Has(b) {
						t.Fatalf("class %d: byte %#x at %d: %v", i, b, j, got)
					}
				}
			}
		}
	})
}
