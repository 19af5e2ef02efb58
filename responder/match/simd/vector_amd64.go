package simd

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// available: AVX2 that the operating system saves, and TZCNT. GODEBUG=cpu.avx2=off turns it off.
var available = cpu.X86.HasAVX2 && cpu.X86.HasBMI1

func pairVector(k *pairKernel, buf []byte, n int, b *batch) int {
	p, lines := (*byte)(unsafe.Pointer(k)), (*byte)(unsafe.Pointer(b))
	if k.fold|uint64(k.fold1|k.fold2) != 0 {
		return pairFoldAVX2(p, unsafe.SliceData(buf), n, lines)
	}
	return pairAVX2(p, unsafe.SliceData(buf), n, lines)
}

func setVector(k *setKernel, buf []byte, n int, b *batch) int {
	p, text, lines := (*byte)(unsafe.Pointer(k)), unsafe.SliceData(buf), (*byte)(unsafe.Pointer(b))
	switch k.shape {
	case shapeLow4:
		return setLow4AVX2(p, text, n, lines)
	case shapeLow4Fat:
		return setLow4FatAVX2(p, text, n, lines)
	case shapeLow6:
		return setLow6AVX2(p, text, n, lines)
	case shapeLow6Fat:
		return setLow6FatAVX2(p, text, n, lines)
	case shapeFull3:
		return setFull3AVX2(p, text, n, lines)
	}
	return setFull3FatAVX2(p, text, n, lines)
}

func windowVector(k *windowKernel, buf []byte, n int, b *batch) int {
	p, text, lines := (*byte)(unsafe.Pointer(k)), unsafe.SliceData(buf), (*byte)(unsafe.Pointer(b))
	if k.ranges {
		switch k.width {
		case 2:
			return windowRange2AVX2(p, text, n, lines)
		case 3:
			return windowRange3AVX2(p, text, n, lines)
		}
		return windowRange4AVX2(p, text, n, lines)
	}
	switch k.width {
	case 2:
		return windowNibble2AVX2(p, text, n, lines)
	case 3:
		return windowNibble3AVX2(p, text, n, lines)
	}
	return windowNibble4AVX2(p, text, n, lines)
}

func index2Vector(buf []byte, a, b byte) int {
	return index2AVX2(unsafe.SliceData(buf), len(buf), a, b)
}

func index3Vector(buf []byte, a, b, c byte) int {
	return index3AVX2(unsafe.SliceData(buf), len(buf), a, b, c)
}

func lastVector(buf []byte, c byte) int {
	return lastByteAVX2(unsafe.SliceData(buf), len(buf), c)
}

func asciiVector(buf []byte) bool {
	return asciiAVX2(unsafe.SliceData(buf), len(buf))
}

func noZeroVector(buf []byte) bool {
	return noZeroAVX2(unsafe.SliceData(buf), len(buf))
}

func classVector(k *classKernel, text []byte, out *Bits) {
	p, from := (*byte)(unsafe.Pointer(k)), unsafe.SliceData(text)
	switch {
	case k.ranged && k.span == 0:
		classByteAVX2(p, from, &out[0])
	case k.ranged:
		classRangeAVX2(p, from, &out[0])
	default:
		classNibbleAVX2(p, from, &out[0])
	}
}

func bitsAnd(x, a, b *Bits)    { bitsAndAVX2(&x[0], &a[0], &b[0]) }
func bitsAndNot(x, a, b *Bits) { bitsAndNotAVX2(&x[0], &a[0], &b[0]) }
func bitsXor(x, a, b *Bits)    { bitsXorAVX2(&x[0], &a[0], &b[0]) }
func bitsOr(x, a, b *Bits)     { bitsOrAVX2(&x[0], &a[0], &b[0]) }

func bitsShift(x, a *Bits, carry uint64) uint64   { return bitsShiftAVX2(&x[0], &a[0], carry) }
func bitsOver(x, a, b *Bits, carry uint64) uint64 { return bitsOverAVX2(&x[0], &a[0], &b[0], carry) }
func bitsStar(x, a, b *Bits, carry uint64) uint64 { return bitsStarAVX2(&x[0], &a[0], &b[0], carry) }

func lookVector(s *skim) { lookAVX2((*byte)(unsafe.Pointer(s))) }

func pairSkim(k *pairKernel, buf []byte, n int, s *skim) int {
	p, ahead := (*byte)(unsafe.Pointer(k)), (*byte)(unsafe.Pointer(s))
	if k.fold|uint64(k.fold1|k.fold2) != 0 {
		return pairFoldSkimAVX2(p, unsafe.SliceData(buf), n, ahead)
	}
	return pairSkimAVX2(p, unsafe.SliceData(buf), n, ahead)
}

func setSkim(k *setKernel, buf []byte, n int, s *skim) int {
	p, text, ahead := (*byte)(unsafe.Pointer(k)), unsafe.SliceData(buf), (*byte)(unsafe.Pointer(s))
	switch k.shape {
	case shapeLow4:
		return setLow4SkimAVX2(p, text, n, ahead)
	case shapeLow4Fat:
		return setLow4FatSkimAVX2(p, text, n, ahead)
	case shapeLow6:
		return setLow6SkimAVX2(p, text, n, ahead)
	case shapeFull3:
		return setFull3SkimAVX2(p, text, n, ahead)
	}
	return setFull3FatSkimAVX2(p, text, n, ahead)
}
