package simd

// The structs that kernels read. The assembly knows the offsets of their fields (internal/asm);
// TestLayout holds the two together.

// pairKernel finds positions where two bytes of a literal stand at their distance, up to eight
// more around them, and behind it one of a range. fold values are OR'd into the text before it is compared: 0x20 for a letter whose
// case does not matter, else 0.
type pairKernel struct {
	at1, at2, atWord uintptr // offsets from the position
	fold, keep, want uint64  // the word at atWord passes if (word|fold)&keep == want
	byte1, byte2     uint8   // byte1 is the rarer
	fold1, fold2     uint8

	atNext      uintptr // offset of the byte behind the literal, which passes if byte+minus ≤ span
	minus, span uint8
}

// next returns the first candidate among the n positions of buf, or -1. buf must hold what pairReach
// says beyond the last of them.
func (k *pairKernel) next(buf []byte, n int) int {
	if accelerated && n >= lane {
		return pairVector(k, buf, n, nil)
	}
	return pairPure(k, buf, n)
}

func (k *pairKernel) vector(buf []byte, n int, b *batch) int { return pairVector(k, buf, n, b) }

// setKernel finds positions where a window of one of some literals may stand.
//
// tables say for each byte of the window in which of 8 buckets (16 with two banks) its low and its
// high nibble occur: a position passes if one bucket holds all its nibbles. Then the window's first
// bytes, as (word|fold)&keep, are hashed into bitmap, which holds the hashes of the literals' windows. What is left is compared
// with up to eight bytes of each literal of the same slot: words of logs begin alike.
type setKernel struct {
	tables     [2][maxWidth][2][lane]uint8 // bank, byte of the window, half; 16 entries twice
	fold, keep uint32
	bitmap     [1 << (hashBits - 5)]uint32
	foldWord   uint64              // a literal's window passes if (word|foldWord)&mask == want
	want, mask [maxLiterals]uint64 // of each literal
	first      [256]int8           // slot → its first literal
	after      [maxLiterals]int8   // the next literal, in list order, in the same slot; -1: none
	shape      setShape

	// For the kernel in Go, which has no use for tables: whether a byte occurs at leadAt in a window.
	lead   [256]bool
	leadAt int
}

// setShape tells which kernel reads the tables.
type setShape uint8

const (
	shapeLow4    setShape = iota // low nibbles of 4 bytes
	shapeLow4Fat                 // in 16 buckets
	shapeLow6                    // low nibbles of 6 bytes
	shapeLow6Fat
	shapeFull3 // both nibbles of 3 bytes
	shapeFull3Fat
)

const (
	maxWidth   = 6
	hashBits   = 15
	hashFactor = 0x9e3779b1
)

// setHash spreads the first bytes of a window over the bitmap.
func setHash(key uint32) uint32 { return key * hashFactor >> (32 - hashBits) }

// setReach is how many bytes a kernel reads from a position on.
const setReach = 8

// next returns the first candidate among the n positions of buf, or -1. It reads up to setReach bytes
// from the last of them on.
func (k *setKernel) next(buf []byte, n int) int {
	if accelerated && n >= lane {
		return setVector(k, buf, n, nil)
	}
	return setPure(k, buf, n)
}

func (k *setKernel) vector(buf []byte, n int, b *batch) int { return setVector(k, buf, n, b) }

// windowKernel finds positions whose bytes are each in a class of their own: as a range, where all
// classes are one (byte+minus ≤ span), else by nibble tables. in has bit i set for the bytes of class
// i; the kernel in Go needs nothing else.
type windowKernel struct {
	tables      [maxClasses][2][lane]uint8 // class, half; 16 entries twice
	minus, span [maxClasses]uint8
	in          [256]uint8
	width       int
	ranges      bool
}

// next returns the first of n positions of buf that passes, or -1; buf holds n+width-1 bytes.
func (k *windowKernel) next(buf []byte, n int) int {
	if accelerated && n >= lane {
		return windowVector(k, buf, n, nil)
	}
	return windowPure(k, buf, n)
}

func (k *windowKernel) vector(buf []byte, n int, b *batch) int { return windowVector(k, buf, n, b) }
