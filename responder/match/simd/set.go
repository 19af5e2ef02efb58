package simd

import (
	"math"
	"sync"
)

// Limits of a Set. Above them an automaton over all literals is faster, or smaller.
const (
	maxLiterals = 64
	maxTotal    = 4096 // bytes of all literals together
)

// Set finds the leftmost of several literals. Nibble tables (plan.go) of a few bytes of each, at the
// same offset in all, test 32 positions at once; the hash of up to four bytes thins out what passes; a
// candidate that is left is compared with the literals of that hash, eight bytes of each first.
type Set struct {
	kernel   setKernel
	literals []literal
	keys     []uint32 // first bytes of each literal's window
	at       int      // offset of the window in the literals
	shortest int
	longest  int
	linear   func() *trie
}

// NewSet returns a Set of needles; with fold ASCII letters match in either case. It keeps no reference
// to them. It returns false if there is no needle, an empty one, more than 64 or more than 4096 bytes
// of them, or if they are so short and many that candidates would be everywhere.
func NewSet(needles [][]byte, fold bool) (*Set, bool) {
	return newSet(needles, fold, forms, worstNanos)
}

// newSet is NewSet with the kernels of forms only, and if they are estimated to take no more than worst nanoseconds a
// byte.
func newSet(needles [][]byte, fold bool, forms []form, worst float64) (*Set, bool) {
	if len(needles) == 0 || len(needles) > maxLiterals {
		return nil, false
	}
	s := &Set{shortest: len(needles[0])}
	total := 0
	for _, needle := range needles {
		s.literals = append(s.literals, newLiteral(needle, fold))
		s.shortest = min(s.shortest, len(needle))
		s.longest = max(s.longest, len(needle))
		total += len(needle)
	}
	if s.shortest == 0 || total > maxTotal {
		return nil, false
	}
	p := choosePlan(s.literals, s.shortest, forms)
	if p.nanos > worst {
		return nil, false
	}
	s.at = p.at
	p.fill(&s.kernel)
	s.index(fold)
	s.chooseLead()
	s.linear = sync.OnceValue(func() *trie { return newTrie(s.literals) })
	return s, true
}

// index enters the literals' keys into the bitmap and the slots.
func (s *Set) index(fold bool) {
	width := min(4, s.shortest-s.at)
	k := &s.kernel
	k.keep = uint32(1<<(8*width) - 1)
	if fold {
		k.fold, k.foldWord = 0x20202020, 0x20*ones
	}
	for i := range k.first {
		k.first[i] = -1
	}
	s.keys = make([]uint32, len(s.literals))
	// Backwards, so that each chain is in list order.
	for i := len(s.literals) - 1; i >= 0; i-- {
		text := s.literals[i].text
		key := s.key(text)
		h := setHash(key)
		k.bitmap[h>>5] |= 1 << (h & 31)
		s.keys[i], k.after[i], k.first[slot(h)] = key, k.first[slot(h)], int8(i)
		for j, b := range text[s.at:min(len(text), s.at+setReach)] {
			k.want[i] |= uint64(b) << (8 * j)
			k.mask[i] |= 0xff << (8 * j)
		}
		k.want[i] |= k.foldWord & k.mask[i]
	}
	k.open()
}

// maxChain is how many literals of a slot a kernel compares at a place. Where there are more it leaves them all to its
// caller, who minds what comparisons cost.
const maxChain = 8

// open has the first literal of each slot that holds too many pass whatever the text.
func (k *setKernel) open() {
	for _, first := range k.first {
		n := 0
		for i := first; i >= 0; i = k.after[i] {
			n++
		}
		if n > maxChain {
			k.want[first], k.mask[first] = 0, 0
		}
	}
}

// chooseLead takes the byte of the window where the literals' bytes are met least.
func (s *Set) chooseLead() {
	best := math.Inf(1)
	for at := range min(4, s.shortest-s.at) {
		var lead [256]bool
		rate := 0.0
		for i := range s.literals {
			b, fold := s.literals[i].text[s.at+at], s.literals[i].foldAt(s.at+at)
			if !lead[b] {
				rate += commonness(b, fold)
			}
			lead[b], lead[b&^fold] = true, true
		}
		if rate < best {
			best, s.kernel.lead, s.kernel.leadAt = rate, lead, at
		}
	}
}

func slot(hash uint32) uint32 { return hash >> (hashBits - 8) }

// key is the hashed part of the window in text, which holds at least the shortest literal's length.
func (s *Set) key(text []byte) uint32 {
	text = text[s.at:]
	var key uint32
	if len(text) >= 4 {
		key = load32(text)
	} else {
		for i, b := range text {
			key |= uint32(b) << (8 * i)
		}
	}
	return (key | s.kernel.fold) & s.kernel.keep
}

// Next returns the leftmost position in buf, from on, where a needle stands, and the index of the needle, of several at that
// position the first in the list. Without one pos is -1.
func (s *Set) Next(buf []byte, from int) (pos, which int) {
	pos, which, _ = s.search(buf, from)
	return pos, which
}

// search is Next, and also tells what comparisons cost.
func (s *Set) search(buf []byte, from int) (pos, which, cost int) {
	i := from
	n := len(buf) - s.at - setReach + 1 // the kernel tests positions below n
	n = min(n, len(buf)-s.shortest+1)
	for i < n {
		j := s.kernel.next(buf[i+s.at:], n-i)
		if j < 0 {
			i = n
			break
		}
		i += j
		which, spent := s.compare(buf[i:])
		if which >= 0 {
			return i, which, cost
		}
		i++
		if cost += spent; cost > budget(i-from, s.longest) {
			pos, steps := s.linear().search(buf, i)
			if pos < 0 {
				return -1, -1, cost + steps
			}
			which, _ = s.compare(buf[pos:])
			return pos, which, cost + steps
		}
	}
	for ; i <= len(buf)-s.shortest; i++ {
		if which, _ := s.compare(buf[i:]); which >= 0 {
			return i, which, cost
		}
	}
	return -1, -1, cost
}

// compare returns the first literal that text begins with, or -1, and what it cost.
func (s *Set) compare(text []byte) (which, cost int) {
	key := s.key(text)
	cost = 16
	for i := s.kernel.first[slot(setHash(key))]; i >= 0; i = s.kernel.after[i] {
		if s.keys[i] != key {
			continue
		}
		l := &s.literals[i]
		if l.matches(text) {
			return int(i), cost
		}
		cost += l.cost()
	}
	return -1, cost
}
