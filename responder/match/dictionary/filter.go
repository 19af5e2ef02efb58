package dictionary

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// filter tells where in ASCII text none of the strings can be. It has seen, of each string, the windows of some bytes that
// begin at its first stride bytes. Of these every stride-th position of a text that holds the string meets one,
// wherever it stands. Bits of their hashes are set, two of one word each.
type filter struct {
	window int // bytes
	stride int
	keep   uint64 // masks the bytes of a window
	fold   uint64 // 0x20 in each byte if there are letters that match in either case
	shift  int
	words  []uint64
}

const (
	maxStride  = 16
	maxWindows = 1 << 21 // which make a table of 4 MiB
	bitsEach   = 16
)

// windowOf returns the size of windows for strings of at least shortest bytes: the longer the window, the less
// is found by chance, and the smaller the stride.
func windowOf(shortest int) int {
	switch {
	case shortest >= 12:
		return 8
	case shortest >= 8:
		return 6
	default:
		return min(shortest, 4)
	}
}

// newFilter returns nil if some string is too short for one.
func newFilter(a *alphabet, strings [][]symbol) *filter {
	bytes, fold, ok := a.bytes()
	shortest, count := 0, 0
	for _, s := range strings {
		if isASCII(s, bytes) {
			if count++; count == 1 || len(s) < shortest {
				shortest = len(s)
			}
		}
	}
	if count == 0 {
		shortest = 8 // whatever: nothing is in ASCII text
	}
	if !ok || shortest < 3 {
		return nil
	}
	f := &filter{window: windowOf(shortest)}
	f.stride = max(1, min(shortest-f.window+1, maxStride, maxWindows/max(count, 1)))
	f.keep = ^uint64(0) >> (64 - 8*f.window)
	if fold {
		f.fold = 0x2020202020202020
	}
	size := max(8, bits.Len(uint(count*f.stride*bitsEach/64)))
	f.shift, f.words = 64-size, make([]uint64, 1<<size)
	for _, s := range strings {
		if !isASCII(s, bytes) {
			continue // in no ASCII text
		}
		for at := range f.stride {
			var text [8]byte
			for i := range f.window {
				text[i] = bytes[s[at+i]]
			}
			word, mask := f.hash(binary.LittleEndian.Uint64(text[:]))
			f.words[word] |= mask
		}
	}
	return f
}

// bytes returns the ASCII character of each symbol, 0xff if it has none. fold tells that some have two, which differ in
// the bit of case only; ok is false if some differ in more.
func (a *alphabet) bytes() (of []byte, fold, ok bool) {
	of = make([]byte, a.size)
	for i := range of {
		of[i] = 0xff
	}
	for b := range byte(utf8.RuneSelf) {
		sym := a.ascii[b]
		switch was := of[sym]; {
		case sym == 0:
		case was == 0xff:
			of[sym] = b
		case was|0x20 == b|0x20:
			fold = true
		default:
			return nil, false, false
		}
	}
	return of, fold, true
}

func isASCII(s []symbol, bytes []byte) bool {
	for _, sym := range s {
		if bytes[sym] == 0xff {
			return false
		}
	}
	return true
}

// hash returns which bits a window has: those of mask in a word.
func (f *filter) hash(window uint64) (word int, mask uint64) {
	h := ((window | f.fold) & f.keep) * 0x9e3779b97f4a7c15
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	return int(h >> f.shift), 1<<(h&63) | 1<<(h>>6&63)
}

// next returns the first of the positions at, at+stride and so on of buf where a window that was seen may stand, or the
// first that is too near the end for any window.
func (f *filter) next(buf []byte, at int) int {
	for ; at+8 <= len(buf); at += f.stride {
		if word, mask := f.hash(binary.LittleEndian.Uint64(buf[at:])); f.words[word]&mask == mask {
			return at
		}
	}
	for ; at+f.window <= len(buf); at += f.stride {
		var text [8]byte
		copy(text[:], buf[at:])
		if word, mask := f.hash(binary.LittleEndian.Uint64(text[:])); f.words[word]&mask == mask {
			return at
		}
	}
	return at
}
