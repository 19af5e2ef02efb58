package block

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// What is hashed: every five bytes of a line, and every four letters with many bits each. The latter are
// few in a strip, so that they cost little and a word of four letters still prunes; the former make eight
// bits of a 12-byte id, each set by chance in half of the strips. Letters are ASCII's, in lower case;
// docs/index.md has what this was chosen over.
const (
	gramBytes   = 5
	letterBytes = 4
	letterBits  = 8
	// scheme numbers all that decides which bits a text sets. An index of another one is foreign.
	scheme = 1
)

const (
	gramMask = 1<<(8*gramBytes) - 1

	gramPrime   = 0x9E3779B97F4A7C15
	letterPrime = 0xC2B2AE3D27D4EB4F
	stepPrime   = 0x165667B19E3779F9
)

// ſ and K, the Kelvin sign, match an ASCII letter in some other case.
var longS, kelvin = []byte("ſ"), []byte("\u212a")

// gramHash chooses the row of the first five of eight bytes, by its highest bits.
func gramHash(v uint64) uint64 { return (v & gramMask) * gramPrime }

// letterHash chooses those of four letters: the first, and the step from each to the next.
func letterHash(letters uint32) (first, step uint64) {
	v := uint64(letters) | 1<<40
	return v * letterPrime, v * stepPrime
}

// slack is how many bytes may be read behind a text.
const slack = 8

// hashes returns those of every gram of text, sorted, once each. They are none if it is too short.
func hashes(text []byte) []uint64 {
	s := strip{}
	s.lowerCase(nil, text)
	var out []uint64
	for i := range len(text) - gramBytes + 1 {
		out = append(out, gramHash(s.eight(i)))
	}
	for k := range len(s.letters) - 1 {
		for m := fours(s.letters[k], s.letters[k+1]); m != 0; m &= m - 1 {
			h, step := letterHash(uint32(s.eight(k*64 + bits.TrailingZeros64(m))))
			for range letterBits {
				out = append(out, h)
				h += step
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// recent remembers, in some places, which words the strip has had, or eight letters of longer ones: words are
// repeated, and their bits cost more than the look here.
type recent [1 << recentLog]uint64

const recentLog = 10

// strip is the filter of one strip while it is made.
type strip struct {
	bits    []uint64 // 1<<log
	shift   uint     // 64 - log
	recent  *recent
	lower   []byte   // a piece of text, in lower case, with slack
	letters []uint64 // which bytes of it are letters, a bit each, and a word of none
	nul     bool     // it holds a NUL
	foreign bool     // it holds ſ or K
}

// carry is how much of a line one that enters its next piece must know.
const carry = gramBytes - 1

// line enters a piece of a line, which holds no line end; before are the last carry bytes of the line
// before it, or all.
func (s *strip) line(before, p []byte) {
	s.load(before, p)
	s.grams(0, len(s.lower))
	s.words()
}

// lines enters whole lines, whose ends are at ends. What a line begins with as the one before it did, a
// date and a host, is entered already: a fifth of the sample logs.
func (s *strip) lines(text []byte, ends []int) {
	s.load(nil, text)
	last, start := 0, 0
	for i, end := range ends {
		from := start
		if i > 0 {
			if from += max(s.alike(last, start, end)-carry, 0); from > start {
				s.forget(start, from)
			}
		}
		s.grams(from, end)
		last, start = start, end+1
	}
	s.words()
}

// alike returns how many bytes at least the lines that begin at last and at start have in common. The first
// ends before start, the second at end.
func (s *strip) alike(last, start, end int) int {
	n := 0
	for most := min(start-last, end-start); n+8 <= most; n += 8 {
		if d := s.eight(last+n) ^ s.eight(start+n); d != 0 {
			return n + bits.TrailingZeros64(d)/8
		}
	}
	return n
}

// forget has the letters from one place to another be none.
func (s *strip) forget(from, to int) {
	for from < to {
		n := min(to-from, 64-from&63)
		s.letters[from>>6] &^= ^uint64(0) >> (64 - n) << (from & 63)
		from += n
	}
}

// load sets lower and letters to what before and p are together.
func (s *strip) load(before, p []byte) {
	if s.lowerCase(before, p) {
		s.nul = s.nul || bytes.IndexByte(s.lower, 0) >= 0
		s.foreign = s.foreign || bytes.Contains(s.lower, longS) || bytes.Contains(s.lower, kelvin)
	}
}

// grams enters every five bytes of lower from one place to another, which hold no line end.
func (s *strip) grams(from, to int) {
	set, shift := s.bits, s.shift&63
	text := s.lower[from : max(to, from)+slack : cap(s.lower)]
	if n := to - from - carry; accelerated && n > 0 {
		gramsVector(set, shift, text, n)
		return
	}
	for ; len(text) >= 2*slack; text = text[4:] { // of eight bytes, all four
		v := binary.LittleEndian.Uint64(text)
		h := gramHash(v) >> shift
		set[h>>6] |= 1 << (h & 63)
		h = gramHash(v>>8) >> shift
		set[h>>6] |= 1 << (h & 63)
		h = gramHash(v>>16) >> shift
		set[h>>6] |= 1 << (h & 63)
		h = gramHash(v>>24) >> shift
		set[h>>6] |= 1 << (h & 63)
	}
	for ; len(text) >= slack+gramBytes; text = text[1:] {
		h := gramHash(binary.LittleEndian.Uint64(text)) >> shift
		set[h>>6] |= 1 << (h & 63)
	}
}

// words enters the letters: of every run of them up to eight at once, five times four letters.
func (s *strip) words() {
	const most = slack - letterBytes + 1
	if n := len(s.letters) - 1; accelerated && n > 0 {
		wordsVector(s.bits, s.shift, s.lower[:len(s.lower):cap(s.lower)], s.letters[:n+1], s.recent)
		return
	}
	for k := range len(s.letters) - 1 {
		for m := fours(s.letters[k], s.letters[k+1]); m != 0; {
			at := bits.TrailingZeros64(m)
			n := min(bits.TrailingZeros64(^(m >> at)), most)
			m &^= (1<<n - 1) << at
			word := s.eight(k*64+at) << (8 * (most - n))
			if place := word * gramPrime >> (64 - recentLog); s.recent[place] != word {
				s.recent[place] = word
				for word >>= 8 * (most - n); n > 0; n-- {
					s.word(uint32(word))
					word >>= 8
				}
			}
		}
	}
}

// word enters four letters.
func (s *strip) word(v uint32) {
	set, shift := s.bits, s.shift&63
	h, step := letterHash(v)
	for range letterBits {
		at := h >> shift
		set[at>>6] |= 1 << (at & 63)
		h += step
	}
}

// eight are the bytes from i on; behind the text they are anything.
func (s *strip) eight(i int) uint64 {
	return binary.LittleEndian.Uint64(s.lower[i : i+8 : cap(s.lower)])
}

// fours are the bits where four letters begin, of those that are letters: a look at each byte would cost a
// misprediction at both ends of a word.
func fours(m, next uint64) uint64 {
	return m & (m>>1 | next<<63) & (m>>2 | next<<62) & (m>>3 | next<<61)
}

const (
	ones8 = 0x0101010101010101
	case8 = 0x2020202020202020
	high8 = 0x8080808080808080
	low8  = 0x7f7f7f7f7f7f7f7f
)

// blank is what is put behind a text, so that more than all of it can be read.
var blank = string(bytes.Repeat([]byte{' '}, 64+slack))

// lowerCase sets lower and letters to what before and p are together. odd tells that they hold a byte that
// is NUL or not ASCII.
func (s *strip) lowerCase(before, p []byte) (odd bool) {
	n := len(before) + len(p)
	buf := append(append(s.lower[:0], before...), p...)
	if accelerated && n > 0 {
		words := (n + 63) / 64
		buf = append(buf, blank[:words*64-n+slack]...)
		s.lower, s.letters = buf[:n], slices.Grow(s.letters[:0], words+1)[:words+1]
		s.letters[words] = 0
		return lowerCaseVector(buf, s.letters[:words])
	}
	buf = append(buf, blank[:slack]...)
	s.letters = s.letters[:0]
	var seen, word uint64
	for i := 0; i < n; i += 8 {
		x := binary.LittleEndian.Uint64(buf[i:])
		low := (x | case8) & low8
		letter := (low + (0x80-'a')*ones8) &^ (low + (0x7f-'z')*ones8) & high8 &^ x
		x |= letter >> 2
		binary.LittleEndian.PutUint64(buf[i:], x)
		seen |= x | (x-ones8)&^x
		word |= (letter >> 7 * 0x0102040810204080 >> 56) << (i & 63)
		if i&63 == 56 {
			s.letters = append(s.letters, word)
			word = 0
		}
	}
	s.letters = append(s.letters, word, 0)
	s.lower = buf[:n]
	return seen&high8 != 0
}
