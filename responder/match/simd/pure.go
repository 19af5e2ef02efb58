package simd

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// The kernels in Go. Eight bytes are tested at once in a word where that helps.

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

func load64(buf []byte) uint64 { return binary.LittleEndian.Uint64(buf) }
func load32(buf []byte) uint32 { return binary.LittleEndian.Uint32(buf) }

// zeros has the high bit set in the lowest byte of x that is 0, and only in bytes that are 0 or above one.
func zeros(x uint64) uint64 { return (x - ones) & ^x & highs }

func pairPure(k *pairKernel, buf []byte, n int) int {
	if k.fold|uint64(k.fold1|k.fold2) != 0 {
		return pairFoldPure(k, buf, n)
	}
	for i := 0; i < n; i++ {
		j := bytes.IndexByte(buf[i+int(k.at1):n+int(k.at1)], k.byte1)
		if j < 0 {
			return -1
		}
		i += j
		if buf[i+int(k.at2)] == k.byte2 && k.word(buf[i:]) {
			return i
		}
	}
	return -1
}

func pairFoldPure(k *pairKernel, buf []byte, n int) int {
	at1, at2 := int(k.at1), int(k.at2)
	want1, want2 := ones*uint64(k.byte1), ones*uint64(k.byte2)
	fold1, fold2 := ones*uint64(k.fold1), ones*uint64(k.fold2)
	i := 0
	for ; i+8 <= n; i += 8 {
		differ := (load64(buf[i+at1:]) | fold1) ^ want1 | (load64(buf[i+at2:]) | fold2) ^ want2
		if zeros(differ) == 0 {
			continue
		}
		for j := i; j < i+8; j++ {
			if k.passes(buf[j:]) {
				return j
			}
		}
	}
	for ; i < n; i++ {
		if k.passes(buf[i:]) {
			return i
		}
	}
	return -1
}

func (k *pairKernel) passes(text []byte) bool {
	return text[k.at1]|k.fold1 == k.byte1 && text[k.at2]|k.fold2 == k.byte2 && k.word(text)
}

func (k *pairKernel) word(text []byte) bool {
	return (load64(text[k.atWord:])|k.fold)&k.keep == k.want && text[k.atNext]+k.minus <= k.span
}

// setPure looks at one byte of the window, then at the bitmap: all tables would cost more than they
// save. So it yields some candidates that the assembly does not; none of them is a hit.
func setPure(k *setKernel, buf []byte, n int) int {
	for i, b := range buf[k.leadAt : k.leadAt+n] {
		if !k.lead[b] {
			continue
		}
		h := setHash((load32(buf[i:]) | k.fold) & k.keep)
		if k.bitmap[h>>5]>>(h&31)&1 != 0 {
			return i
		}
	}
	return -1
}

// windowPure carries in seen, bit i, whether the last i+1 bytes are in the first i+1 classes.
func windowPure(k *windowKernel, buf []byte, n int) int {
	hit := uint8(1) << (k.width - 1)
	var seen uint8
	for i, b := range buf[:n+k.width-1] {
		seen = (seen<<1 | 1) & k.in[b]
		if seen&hit != 0 {
			return i - k.width + 1
		}
	}
	return -1
}

func classPure(k *classKernel, text []byte, out *Bits) {
	for i := range out {
		out[i] = 0
		for j, b := range text[64*i : 64*i+64] {
			if k.in[b] {
				out[i] |= 1 << j
			}
		}
	}
}

func index2Pure(buf []byte, a, b byte) int {
	wa, wb := ones*uint64(a), ones*uint64(b)
	i := 0
	for ; i+8 <= len(buf); i += 8 {
		x := load64(buf[i:])
		za, zb := zeros(x^wa), zeros(x^wb)
		if za|zb != 0 {
			return i + bits.TrailingZeros64(za|zb)/8
		}
	}
	for ; i < len(buf); i++ {
		if buf[i] == a || buf[i] == b {
			return i
		}
	}
	return -1
}

func index3Pure(buf []byte, a, b, c byte) int {
	wa, wb, wc := ones*uint64(a), ones*uint64(b), ones*uint64(c)
	i := 0
	for ; i+8 <= len(buf); i += 8 {
		x := load64(buf[i:])
		if z := zeros(x^wa) | zeros(x^wb) | zeros(x^wc); z != 0 {
			return i + bits.TrailingZeros64(z)/8
		}
	}
	for ; i < len(buf); i++ {
		if buf[i] == a || buf[i] == b || buf[i] == c {
			return i
		}
	}
	return -1
}

func lastPure(buf []byte, c byte) int {
	return bytes.LastIndexByte(buf, c)
}

func asciiPure(buf []byte) bool {
	i := 0
	for ; i+8 <= len(buf); i += 8 {
		if load64(buf[i:])&highs != 0 {
			return false
		}
	}
	for ; i < len(buf); i++ {
		if buf[i] >= 0x80 {
			return false
		}
	}
	return true
}
