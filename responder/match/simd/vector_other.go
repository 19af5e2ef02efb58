//go:build !amd64

package simd

import "bytes"

// Without AVX2 the kernels in Go do all the work.
const available = false

func pairVector(k *pairKernel, buf []byte, n int, _ *batch) int     { return pairPure(k, buf, n) }
func setVector(k *setKernel, buf []byte, n int, _ *batch) int       { return setPure(k, buf, n) }
func windowVector(k *windowKernel, buf []byte, n int, _ *batch) int { return windowPure(k, buf, n) }
func classVector(k *classKernel, text []byte, out *Bits)            { classPure(k, text, out) }
func index2Vector(buf []byte, a, b byte) int                        { return index2Pure(buf, a, b) }
func index3Vector(buf []byte, a, b, c byte) int                     { return index3Pure(buf, a, b, c) }
func lastVector(buf []byte, c byte) int                             { return lastPure(buf, c) }
func asciiVector(buf []byte) bool                                   { return asciiPure(buf) }

func noZeroVector(buf []byte) bool { return bytes.IndexByte(buf, 0) < 0 }

// Nothing calls these where accelerated is always false.
func bitsAnd(_, _, _ *Bits)                   {}
func bitsAndNot(_, _, _ *Bits)                {}
func bitsXor(_, _, _ *Bits)                   {}
func bitsOr(_, _, _ *Bits)                    {}
func bitsShift(_, _ *Bits, _ uint64) uint64   { return 0 }
func bitsOver(_, _, _ *Bits, _ uint64) uint64 { return 0 }
func bitsStar(_, _, _ *Bits, _ uint64) uint64 { return 0 }

func lookVector(_ *skim)                                   {}
func pairSkim(_ *pairKernel, _ []byte, _ int, _ *skim) int { return 0 }
func setSkim(_ *setKernel, _ []byte, _ int, _ *skim) int   { return 0 }
