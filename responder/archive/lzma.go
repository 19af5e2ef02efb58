package archive

// lzmaState is LZMA's model of what comes next: a literal, a match at a new distance, or one at one
// of the last four distances. state remembers which of those came last: below 7 it was a literal.
type lzmaState struct {
	lc, lp, pb uint
	state      uint32
	rep        [4]uint32 // the last distances, less one

	isMatch    [12 << 4]uint16
	isRep      [12]uint16
	isRep0     [12]uint16 // 0: the last distance
	isRep1     [12]uint16
	isRep2     [12]uint16
	isRep0Long [12 << 4]uint16 // 0: of one byte
	slots      [4][64]uint16
	special    [115]uint16
	align      [16]uint16
	matchLen   lengths
	repLen     lengths
	literals   [0x300 << 4]uint16
}

// lengths decodes the length of a match, less two.
type lengths struct {
	beyond8, beyond16 uint16
	low, mid          [16][8]uint16
	high              [256]uint16
}

// setProps takes the numbers of bits that literals and positions are told apart by.
func (s *lzmaState) setProps(props byte) bool {
	s.lc, s.lp, s.pb = uint(props%9), uint(props/9%5), uint(props/45)
	return s.pb <= 4 && s.lc+s.lp <= 4
}

func (s *lzmaState) reset() {
	s.state, s.rep = 0, [4]uint32{}
	for _, probs := range [][]uint16{
		s.isMatch[:], s.isRep[:], s.isRep0[:], s.isRep1[:], s.isRep2[:], s.isRep0Long[:],
		s.slots[0][:], s.slots[1][:], s.slots[2][:], s.slots[3][:], s.special[:], s.align[:], s.literals[:],
	} {
		fill(probs)
	}
	s.matchLen.reset()
	s.repLen.reset()
}

func (l *lengths) reset() {
	l.beyond8, l.beyond16 = even, even
	for i := range l.low {
		fill(l.low[i][:])
		fill(l.mid[i][:])
	}
	fill(l.high[:])
}

func fill(probs []uint16) {
	for i := range probs {
		probs[i] = even
	}
}

// symbol decodes one symbol: a literal if length is 0, else a match of that many bytes at rep[0].
// had is how many bytes of output there are in the dictionary; the last is before window[at].
func (s *lzmaState) symbol(r *rangeDecoder, had int64, window []byte, at int) (length int, literal byte) {
	pos := uint32(had) & (1<<s.pb - 1)
	if r.bit(&s.isMatch[s.state<<4+pos]) == 0 {
		return 0, s.literal(r, had, window, at)
	}
	if r.bit(&s.isRep[s.state]) == 0 {
		length = s.matchLen.decode(r, pos)
		s.rep[3], s.rep[2], s.rep[1] = s.rep[2], s.rep[1], s.rep[0]
		s.rep[0] = s.distance(r, length)
		s.after(7, 10)
		return length, 0
	}
	if r.bit(&s.isRep0[s.state]) == 0 {
		if r.bit(&s.isRep0Long[s.state<<4+pos]) == 0 {
			s.after(9, 11)
			return 1, 0
		}
	} else {
		d := s.rep[1]
		if r.bit(&s.isRep1[s.state]) != 0 {
			d = s.rep[2]
			if r.bit(&s.isRep2[s.state]) != 0 {
				d = s.rep[3]
				s.rep[3] = s.rep[2]
			}
			s.rep[2] = s.rep[1]
		}
		s.rep[1], s.rep[0] = s.rep[0], d
	}
	length = s.repLen.decode(r, pos)
	s.after(8, 11)
	return length, 0
}

// after sets the state after a match: which, depends on whether a literal was before it.
func (s *lzmaState) after(literal, match uint32) {
	if s.state < 7 {
		s.state = literal
	} else {
		s.state = match
	}
}

// literal decodes a byte. After a match, the byte that would have continued it is a hint: the literal
// is not that one.
func (s *lzmaState) literal(r *rangeDecoder, had int64, window []byte, at int) byte {
	last := byte(0)
	if had > 0 {
		last = behind(window, at, 1)
	}
	context := (uint32(had)&(1<<s.lp-1))<<s.lc + uint32(last)>>(8-s.lc)
	probs := s.literals[0x300*context:][:0x300]
	before := s.state
	switch {
	case before < 4:
		s.state = 0
	case before < 10:
		s.state -= 3
	default:
		s.state -= 6
	}
	if before < 7 || int64(s.rep[0]) >= had || int(s.rep[0]) >= len(window) {
		return byte(r.tree(probs, 8))
	}
	hint := uint32(behind(window, at, int(s.rep[0])+1))
	m := uint32(1)
	for m < 0x100 {
		hint <<= 1
		expected := hint & 0x100
		b := r.bit(&probs[0x100+expected+m])
		m = m<<1 | b
		if expected>>8 != b {
			for m < 0x100 {
				m = m<<1 | r.bit(&probs[m])
			}
		}
	}
	return byte(m)
}

// behind returns the byte so far before window[at].
func behind(window []byte, at, distance int) byte {
	if at -= distance; at < 0 {
		at += len(window)
	}
	return window[at]
}

func (l *lengths) decode(r *rangeDecoder, pos uint32) int {
	if r.bit(&l.beyond8) == 0 {
		return 2 + int(r.tree(l.low[pos][:], 3))
	}
	if r.bit(&l.beyond16) == 0 {
		return 10 + int(r.tree(l.mid[pos][:], 3))
	}
	return 18 + int(r.tree(l.high[:], 8))
}

// distance decodes the distance of a match of a length, less one.
func (s *lzmaState) distance(r *rangeDecoder, length int) uint32 {
	slot := r.tree(s.slots[min(length-2, 3)][:], 6)
	if slot < 4 {
		return slot
	}
	bits := int(slot>>1) - 1
	d := (2 | slot&1) << bits
	if slot < 14 {
		return d + r.reverse(s.special[d-slot:], bits)
	}
	d += r.direct(bits-4) << 4
	return d + r.reverse(s.align[:], 4)
}
