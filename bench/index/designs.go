package main

import (
	"encoding/binary"
	"math/bits"
)

// design is a way to tell the strips that may hold a text from those that cannot.
type design struct {
	name  string
	strip int     // bytes, about
	bits  float64 // of filter a distinct key; 0: a binary fuse filter of 8 bits
	// common, if not 0, is the share of a block's strips from which on a key is left out of all of them.
	common float64
	keys   keyFunc
}

// keyFunc gives the keys of a line in lower case. Of a needle it must give none that a line which holds
// the needle might lack; inside tells that it is one, and that what is at its ends may go on.
type keyFunc func(line []byte, inside bool, emit func(uint32))

const odd = 0x9E3779B97F4A7C15

// gram hashes the n bytes at i.
func gram(b []byte, i, n int) uint32 {
	if n <= 8 && i+8 <= len(b) {
		v := binary.LittleEndian.Uint64(b[i:]) & (1<<(8*n) - 1)
		return mix((v ^ uint64(n)<<59) * odd)
	}
	var v [16]byte
	copy(v[:n], b[i:i+n])
	h := (binary.LittleEndian.Uint64(v[:]) ^ uint64(n)<<59) * odd
	if n > 8 {
		h = (bits.RotateLeft64(h, 29) ^ binary.LittleEndian.Uint64(v[8:])) * odd
	}
	return mix(h)
}

func mix(h uint64) uint32 {
	h ^= h >> 29
	return uint32((h * odd) >> 32)
}

// grams are all of n bytes.
func grams(n int) keyFunc {
	return func(line []byte, _ bool, emit func(uint32)) {
		for i := 0; i+n <= len(line); i++ {
			emit(gram(line, i, n))
		}
	}
}

// hashed are the grams of n bytes of which every second is left out, by its hash.
func hashed(n int) keyFunc {
	return func(line []byte, _ bool, emit func(uint32)) {
		for i := 0; i+n <= len(line); i++ {
			if g := gram(line, i, n); g*0x85ebca6b>>31 == 0 {
				emit(g)
			}
		}
	}
}

// minimizers are the least of every window of w grams of n bytes.
func minimizers(n, w int) keyFunc {
	return func(line []byte, _ bool, emit func(uint32)) {
		last := -1
		for i := 0; i+n+w-1 <= len(line); i++ {
			least, at := uint32(1<<32-1), i
			for k := i; k < i+w; k++ {
				if g := gram(line, k, n); g <= least {
					least, at = g, k
				}
			}
			if at != last {
				emit(least)
				last = at
			}
		}
	}
}

// sparse are sparse grams: stretches whose two end pairs weigh more than every pair between them.
func sparse(line []byte, _ bool, emit func(uint32)) {
	weight := func(i int) uint32 { return gram(line, i, 2) }
	type entry struct {
		at int
		w  uint32
	}
	var stack []entry
	for i := 0; i+2 <= len(line); i++ {
		w := weight(i)
		for len(stack) > 0 {
			top := stack[len(stack)-1]
			if size := i + 2 - top.at; size > 3 && size <= 16 {
				emit(gram(line, top.at, size))
			}
			if top.w > w {
				break
			}
			stack = stack[:len(stack)-1]
			if top.w == w {
				break
			}
		}
		stack = append(stack, entry{i, w})
	}
}

func wordByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '_' || b >= 0x80
}

func letter(b byte) bool { return b >= 'a' && b <= 'z' }

func digit(b byte) bool { return b >= '0' && b <= '9' }

// tokens are the words, four bits each. Of a needle the first and last may be parts of longer ones.
func tokens(line []byte, inside bool, emit func(uint32)) {
	for i := 0; i < len(line); {
		if !wordByte(line[i]) {
			i++
			continue
		}
		h, from := uint64(14695981039346656037), i
		for i < len(line) && wordByte(line[i]) {
			h = (h ^ uint64(line[i])) * 1099511628211
			i++
		}
		if inside && (from == 0 || i == len(line)) {
			continue
		}
		for range 4 {
			h = h*odd + 1
			emit(uint32(h >> 32))
		}
	}
}

// byClass are grams of four bytes, of six in runs of digits.
func byClass(line []byte, _ bool, emit func(uint32)) {
	for i := 0; i+4 <= len(line); i++ {
		if digit(line[i]) && digit(line[i+1]) && digit(line[i+2]) && digit(line[i+3]) {
			if i+6 <= len(line) {
				emit(gram(line, i, 6))
			}
			continue
		}
		emit(gram(line, i, 4))
	}
}

// mixed are the grams of n bytes, and those of four letters with k bits each.
func mixed(n, k int) keyFunc {
	return func(line []byte, _ bool, emit func(uint32)) {
		run := 0
		for i := range line {
			if letter(line[i]) {
				run++
			} else {
				run = 0
			}
			if i >= n-1 {
				emit(gram(line, i-n+1, n))
			}
			if run >= 4 {
				g := gram(line, i-3, 4)
				for range k {
					emit(g)
					g = g*0x9E3779B1 + 0x7F4A7C15
					g ^= g >> 15
				}
			}
		}
	}
}

var designs = []design{
	{"tokens, 4 bits each", 64 << 10, 1.44, 0, tokens},
	{"3-grams", 64 << 10, 1.44, 0, grams(3)},
	{"4-grams", 64 << 10, 1.44, 0, grams(4)},
	{"6-grams", 64 << 10, 1.44, 0, grams(6)},
	{"6-grams", 32 << 10, 1.44, 0, grams(6)},
	{"6-grams, binary fuse", 64 << 10, 0, 0, grams(6)},
	{"8-grams", 64 << 10, 1.44, 0, grams(8)},
	{"4-grams, 6 in digits", 64 << 10, 1.44, 0, byClass},
	{"6-grams, minimizers of 4", 64 << 10, 1.44, 0, minimizers(6, 4)},
	{"6-grams, every second", 64 << 10, 1.44, 0, hashed(6)},
	{"sparse grams", 64 << 10, 1.44, 0, sparse},
	{"6-grams, rows", 32 << 10, 1.44, 0.5, grams(6)},
	{"6, letters 4 ×3, rows", 32 << 10, 1.44, 0.5, mixed(6, 3)},
	{"6, letters 4 ×8, rows", 32 << 10, 1.44, 0.4, mixed(6, 8)},
	{"5, letters 4 ×8, rows", 64 << 10, 1.2, 0.4, mixed(5, 8)},
	{"5, letters 4 ×8, rows", 64 << 10, 1.44, 0.4, mixed(5, 8)},
	{"5, letters 4 ×8, rows", 32 << 10, 1.44, 0.4, mixed(5, 8)},
}
