// Package simd searches whole buffers of log for bytes, literals, sets of literals and short runs of
// byte classes, with AVX2 where the processor has it.
//
//   - Finder looks for one literal, perhaps with a byte of a range behind it, Set for the leftmost of up to some dozens, Window for two to four
//     consecutive bytes that are each in a Class; all may ignore the case of ASCII letters.
//   - Index2, Index3, LastIndexByte, ASCII and NoZero are what package bytes lacks or has only byte by byte.
//   - IndexAhead and NextAhead look at the text to come while they search (skim.go), so that it is in the cache by then.
//   - a kernel is the loop below them: it tests 32 positions at a time and returns the first candidate.
//     Each is written twice, in assembly (kernels_amd64.s, made by internal/asm) and in Go (pure.go);
//     which one runs is decided once, by the processor. Everything above a kernel is shared.
//
// A search reads no byte outside its buffer. All types are immutable after they were made and may be
// used from any number of goroutines.
//
// No input makes a search slower than linear: a candidate is compared in place, but what comparisons
// may cost is bounded by how far the search has come; beyond that it goes on with a machine that looks
// at every byte once (linear.go).
package simd

import "bytes"

//go:generate sh -c "cd internal/asm && go run . -out ../../kernels_amd64.s -stubs ../../kernels_amd64.go -pkg simd"

// accelerated tells whether the kernels in assembly run.
var accelerated = available

// SetPure makes all searches use the kernels in Go, or with false what the processor offers, and
// returns what was set before. It is for tests and benchmarks, and not safe while a search runs.
func SetPure(pure bool) (before bool) {
	before = !accelerated
	accelerated = available && !pure
	return before
}

// lane is how many positions a kernel in assembly tests at once, and needs at least.
const lane = 32

// Index2 returns the position of the first byte of buf that is a or b, or -1.
func Index2(buf []byte, a, b byte) int {
	if accelerated && len(buf) >= lane {
		return index2Vector(buf, a, b)
	}
	return index2Pure(buf, a, b)
}

// Index3 returns the position of the first byte of buf that is a, b or c, or -1.
func Index3(buf []byte, a, b, c byte) int {
	if accelerated && len(buf) >= lane {
		return index3Vector(buf, a, b, c)
	}
	return index3Pure(buf, a, b, c)
}

// LastIndexByte returns the position of the last c in buf, or -1. bytes.LastIndexByte looks at one byte
// at a time, which costs more than the search itself where every tenth line matches.
func LastIndexByte(buf []byte, c byte) int {
	if accelerated && len(buf) >= lane {
		return lastVector(buf, c)
	}
	return lastPure(buf, c)
}

// ASCII tells whether all bytes of buf are below 0x80.
func ASCII(buf []byte) bool {
	if accelerated && len(buf) >= lane {
		return asciiVector(buf)
	}
	return asciiPure(buf)
}

// NoZero tells whether no byte of buf is 0. It takes half the time of bytes.IndexByte.
func NoZero(buf []byte) bool {
	if accelerated && len(buf) >= lane {
		return noZeroVector(buf)
	}
	return bytes.IndexByte(buf, 0) < 0
}
