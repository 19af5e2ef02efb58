package mapped

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// bothKernels runs f with the kernel in assembly, if there is one, and with the loop in Go.
func bothKernels(t *testing.T, f func(t *testing.T)) {
	t.Cleanup(func() { accelerated = available })
	for _, on := range []bool{false, available} {
		accelerated = on
		f(t)
	}
}

// TestCopyText copies texts of all lengths around those of the kernel's steps, with a NUL nowhere and
// at every place, between bytes that must stay as they are.
func TestCopyText(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		src, dst := make([]byte, 2100), make([]byte, 2200)
		for i := range src {
			src[i] = byte(1 + i%255)
		}
		for n := 0; n <= 2*parts*step+40; n += 1 + n/150*4 {
			text := src[n%37 : n%37+n]
			for i := range dst {
				dst[i] = 0xee
			}
			at := n % 61
			if !copyText(dst[at:at+n], text) {
				t.Fatalf("%d bytes without a NUL: one was seen", n)
			}
			if !bytes.Equal(dst[at:at+n], text) {
				t.Fatalf("%d bytes came out otherwise", n)
			}
			if rest := append(bytes.Clone(dst[:at]), dst[at+n:]...); bytes.Count(rest, []byte{0xee}) != len(rest) {
				t.Fatalf("%d bytes: what lies beside was written to", n)
			}
			for z := n % 3; z < n; z += 3 {
				was := text[z]
				if text[z] = 0; copyText(dst[at:at+n], text) {
					t.Fatalf("%d bytes with a NUL at %d: it was not seen", n, z)
				}
				text[z] = was
			}
		}
	})
}

func FuzzCopyText(f *testing.F) {
	f.Add([]byte("a line\n"), uint16(600), uint8(3))
	f.Add([]byte{1, 0, 255}, uint16(5000), uint8(0))
	f.Add([]byte{}, uint16(0), uint8(9))
	f.Fuzz(func(t *testing.T, piece []byte, times uint16, skew uint8) {
		if len(piece)*int(times) > 1<<20 {
			return
		}
		src := bytes.Repeat(piece, int(times))
		src = src[min(int(skew), len(src)):]
		dst := make([]byte, len(src)+int(skew))[skew:]
		if got, want := copyText(dst, src), bytes.IndexByte(src, 0) < 0; got != want || !bytes.Equal(dst, src) {
			t.Errorf("%d bytes: no NUL %v, want %v; the same bytes: %v", len(src), got, want, bytes.Equal(dst, src))
		}
	})
}

func BenchmarkCopyText(b *testing.B) {
	src := make([]byte, 64<<20)
	for i := range src {
		src[i] = byte(1 + rand.IntN(255))
	}
	dst := make([]byte, 288<<10)
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		for rest := src; len(rest) > 0; {
			n := min(len(dst), len(rest))
			if !copyText(dst[:n], rest[:n]) {
				b.Fatal("a NUL was seen")
			}
			rest = rest[n:]
		}
	}
}
