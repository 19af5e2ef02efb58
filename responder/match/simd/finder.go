package simd

import (
	"bytes"
	"math"

	"github.com/trawl-logs/trawl/responder/match/freq"
)

// Finder finds one literal. It compares the two rarest bytes of the literal, by freq, at 32 positions at once,
// then eight bytes more, then the whole.
type Finder struct {
	literal
	kernel pairKernel
	size   int     // of a match: one more than the literal if what follows it matters
	fail   []int32 // of the linear search: kmp
}

// NewFinder returns a Finder of needle; with fold ASCII letters match in either case. It keeps no
// reference to needle, which may be empty, and is then found at 0.
func NewFinder(needle []byte, fold bool) *Finder {
	f := &Finder{literal: newLiteral(needle, fold), size: len(needle)}
	if len(needle) >= 1 {
		f.choosePair()
		f.chooseWord()
		f.kernel.atNext, f.kernel.span = f.kernel.atWord, 0xff // any byte that is read anyway
		f.fail = kmpTable(f.text)
	}
	return f
}

// NewFinderBefore returns a Finder of needle, which is not empty, where a byte from lo to hi follows it. Lines ends no line
// with any of these.
func NewFinderBefore(needle []byte, fold bool, lo, hi byte) *Finder {
	f := NewFinder(needle, fold)
	f.size++
	k := &f.kernel
	k.atNext, k.minus, k.span = uintptr(len(needle)), -lo, hi-lo
	return f
}

// matches tells whether text begins with the literal and what must follow it.
func (f *Finder) matches(text []byte) bool {
	return len(text) >= f.size && f.literal.matches(text) && f.follows(text)
}

// follows tells whether what stands behind the literal, at the start of text, may.
func (f *Finder) follows(text []byte) bool {
	return f.size == len(f.text) || text[len(f.text)]+f.kernel.minus <= f.kernel.span
}

// reach is how many bytes the kernel reads of a candidate, even where the needle is shorter.
func (f *Finder) reach() int { return max(f.size, 8) }

// sight is how much of a long needle is considered for what to compare first.
const sight = 256

// common is how often the byte at i of the needle is met in logs.
func (f *Finder) common(i int) float64 {
	return commonness(f.text[i], f.foldAt(i))
}

// commonness is the share of logs' bytes that match b with fold.
func commonness(b, fold byte) float64 {
	n := freq.PerMillion(b)
	if fold != 0 {
		n += freq.PerMillion(b &^ fold)
	}
	return float64(n) / 1e6
}

// choosePair takes the rarest byte, and one that is rare and far from it, of another value if there is: one that
// repeats, as in "----", says less the second time, and so does one that is near, because bytes of text go together
// ("ch.k" stands in every line about a checkout).
func (f *Finder) choosePair() {
	rarest := 0
	text := f.text[:min(len(f.text), sight)]
	for i := range text {
		if f.common(i) < f.common(rarest) {
			rarest = i
		}
	}
	second := -1
	better := func(i int) bool {
		if second < 0 {
			return true
		}
		if same, was := f.text[i] == f.text[rarest], f.text[second] == f.text[rarest]; same != was {
			return was
		}
		return f.common(i)*nearness(i, rarest) < f.common(second)*nearness(second, rarest)
	}
	for i := range text {
		if i != rarest && better(i) {
			second = i
		}
	}
	if second < 0 { // a single byte: compared twice
		second = rarest
	}
	k := &f.kernel
	k.at1, k.byte1, k.fold1 = uintptr(rarest), f.text[rarest], f.foldAt(rarest)
	k.at2, k.byte2, k.fold2 = uintptr(second), f.text[second], f.foldAt(second)
}

// nearness is how many times as often as others two bytes at i and k are met together, about: within five bytes they
// are often of one word.
func nearness(i, k int) float64 {
	if i-k < 5 && k-i < 5 {
		return 1.75
	}
	return 1
}

// chooseWord takes the eight consecutive bytes that are met least, or all of a shorter needle. The
// bytes that the pair has compared tell nothing more.
func (f *Finder) chooseWord() {
	best, at := math.Inf(1), 0
	for from := 0; from+8 <= min(len(f.text), sight); from++ {
		sum := 0.0
		for i := from; i < from+8; i++ {
			if i != int(f.kernel.at1) && i != int(f.kernel.at2) {
				sum += math.Log(f.common(i))
			}
		}
		if sum < best {
			best, at = sum, from
		}
	}
	k := &f.kernel
	k.atWord = uintptr(at)
	for i := range min(8, len(f.text)) {
		k.want |= uint64(f.text[at+i]) << (8 * i)
		k.fold |= uint64(f.foldAt(at+i)) << (8 * i)
		k.keep |= 0xff << (8 * i)
	}
}

// Index returns the position of the first occurrence in buf, or -1.
func (f *Finder) Index(buf []byte) int {
	pos, _ := f.search(buf)
	return pos
}

// search is Index, and also tells what comparisons cost.
func (f *Finder) search(buf []byte) (pos, cost int) {
	switch {
	case len(f.text) == 0:
		return 0, 0
	case f.size > len(buf):
		return -1, 0
	case f.size == 1 && f.fold != nil:
		return Index2(buf, f.text[0], f.text[0]&^0x20), 0
	case f.size == 1:
		return bytes.IndexByte(buf, f.text[0]), 0
	}
	n := len(buf) - f.reach() + 1
	i := 0
	for i < n {
		j := f.kernel.next(buf[i:], n-i)
		if j < 0 {
			i = n
			break
		}
		i += j
		if len(f.text) <= 8 || f.matches(buf[i:]) {
			return i, cost
		}
		i++
		if cost += f.cost(); cost > budget(i, len(f.text)) {
			pos, steps := f.kmp(buf, i)
			return pos, cost + steps
		}
	}
	for ; i <= len(buf)-f.size; i++ {
		if f.matches(buf[i:]) {
			return i, cost
		}
	}
	return -1, cost
}
