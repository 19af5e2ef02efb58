package simd

import "math/bits"

// BitsWords is the number of words of a Bits.
const BitsWords = 64

// Bits is a block of a stream of bits, the lowest of a word first. Its methods set it to what they make of others; it may be
// one of them. A carry is 0 or 1.
type Bits [BitsWords]uint64

// And sets x to a & b.
func (x *Bits) And(a, b *Bits) {
	if accelerated {
		bitsAnd(x, a, b)
		return
	}
	for i := range x {
		x[i] = a[i] & b[i]
	}
}

// AndNot sets x to a &^ b.
func (x *Bits) AndNot(a, b *Bits) {
	if accelerated {
		bitsAndNot(x, a, b)
		return
	}
	for i := range x {
		x[i] = a[i] &^ b[i]
	}
}

// Xor sets x to a ^ b.
func (x *Bits) Xor(a, b *Bits) {
	if accelerated {
		bitsXor(x, a, b)
		return
	}
	for i := range x {
		x[i] = a[i] ^ b[i]
	}
}

// Or sets x to a | b.
func (x *Bits) Or(a, b *Bits) {
	if accelerated {
		bitsOr(x, a, b)
		return
	}
	for i := range x {
		x[i] = a[i] | b[i]
	}
}

// Shift sets x to a moved behind by one bit, with carry as the first, and returns the last of a.
func (x *Bits) Shift(a *Bits, carry uint64) uint64 {
	if accelerated {
		return bitsShift(x, a, carry)
	}
	for i := range x {
		w := a[i]
		x[i] = w<<1 | carry
		carry = w >> 63
	}
	return carry
}

// Over is Shift of a & b.
func (x *Bits) Over(a, b *Bits, carry uint64) uint64 {
	if accelerated {
		return bitsOver(x, a, b, carry)
	}
	for i := range x {
		w := a[i] & b[i]
		x[i] = w<<1 | carry
		carry = w >> 63
	}
	return carry
}

// Star sets x to a and, from each bit of a on that is in b, the bits to the end of that run of b and the one behind it. With
// carry a run goes on into the block; the return says that one goes on out of it. x must not be a or b.
func (x *Bits) Star(a, b *Bits, carry uint64) uint64 {
	if accelerated {
		return bitsStar(x, a, b, carry)
	}
	for i := range x {
		sum, c := bits.Add64(a[i]&b[i], b[i], carry)
		x[i] = (sum ^ b[i]) | a[i]
		carry = c
	}
	return carry
}
