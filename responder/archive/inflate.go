package archive

import (
	"errors"
	"io"
	"math/bits"
	"sync"
)

// inflater decodes deflate data (RFC 1951). Unlike the library's it can say between two blocks where it
// stands, and begin there: with the bit and the 32 KiB of content before it. What it makes of an archive
// is held against the archive's checksums before anything relies on it (survey.go).
type inflater struct {
	in *feed
	// buf has up to historyBytes of content that was delivered, then what was not.
	buf    []byte
	at, w  int  // what is to be delivered: buf[at:w]
	last   bool // the block at hand is the last one
	within bool // a block is begun
	stored int  // bytes to come of a stored block; -1: it is a compressed one
	lit    []uint32
	dist   []uint32
	own    tables // of blocks that bring their own codes
	// between is called before each block: content[:w] is what came before it.
	between func()
}

type tables struct {
	lit  [1<<litBits + litSub]uint32
	dist [1<<distBits + distSub]uint32
}

const (
	historyBytes = 32 << 10
	inflateStep  = 64 << 10
	longestMatch = 258

	litBits  = 10 // looked up at once
	distBits = 9
	litSub   = 5 << 10 // entries for longer codes, more than any set of codes needs
	distSub  = 1 << 10
	maxCode  = 15
)

// An entry of a table: bits to take | extra bits and flags << 8 | value << 16.
const (
	entryLiteral = 0x80 << 8
	entryEnd     = 0x40 << 8
	entryLink    = 0x20 << 8 // to the entries of longer codes
	entryBad     = 0x10 << 8
	entryExtra   = 0x0f
)

var errDeflate = errors.New("invalid deflate data")

// begin starts a stream with what stands before it, which may be nothing.
func (z *inflater) begin(in *feed, window []byte) {
	if z.in = in; z.buf == nil {
		z.buf = make([]byte, historyBytes+inflateStep+longestMatch)
	}
	z.w = copy(z.buf, window)
	z.at, z.last, z.within, z.stored = z.w, false, false, -1
}

// Read returns io.EOF behind the last block, where in stands at the next whole byte.
func (z *inflater) Read(p []byte) (int, error) {
	for z.at == z.w {
		if z.w > historyBytes {
			copy(z.buf, z.buf[z.w-historyBytes:z.w])
			z.at, z.w = historyBytes, historyBytes
		}
		if !z.within && z.last {
			z.in.align()
			return 0, io.EOF
		}
		if err := z.decode(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.buf[z.at:z.w])
	z.at += n
	return n, nil
}

// decode goes on until a block ends or the buffer is full.
func (z *inflater) decode() error {
	if !z.within {
		if z.between != nil {
			z.between()
		}
		if err := z.header(); err != nil {
			return err
		}
		z.within = true
	}
	if z.stored >= 0 {
		return z.copyStored()
	}
	return z.inflate()
}

// header reads the head of a block.
func (z *inflater) header() error {
	h, err := z.in.take(3)
	if err != nil {
		return err
	}
	z.last, z.stored = h&1 != 0, -1
	switch h >> 1 {
	case 0:
		z.in.align()
		v, err := z.in.take(32)
		if err != nil {
			return err
		}
		if uint16(v) != ^uint16(v>>16) {
			return errDeflate
		}
		z.in.align() // what was read ahead is to be copied
		z.stored = int(uint16(v))
		return nil
	case 1:
		fixed := fixedTables()
		z.lit, z.dist = fixed.lit[:], fixed.dist[:]
		return nil
	case 2:
		return z.codes()
	}
	return errDeflate
}

func (z *inflater) copyStored() error {
	n, err := z.in.Read(z.buf[z.w:min(z.w+z.stored, len(z.buf)-longestMatch)])
	z.w += n
	if z.stored -= n; z.stored == 0 {
		z.within = false
		return nil
	}
	if n == 0 {
		return cutShort(err)
	}
	return nil
}

func cutShort(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// inflate decodes codes until the block ends or the buffer is full.
func (z *inflater) inflate() error {
	in, buf, w, lit, dist := z.in, z.buf, z.w, z.lit, z.dist
	for w < historyBytes+inflateStep {
		if in.more(); in.over() {
			z.w = w
			return in.why()
		}
		e := lit[in.bits&(1<<litBits-1)]
		if e&entryLiteral != 0 { // three of them fit into what is there at least
			in.drop(e)
			buf[w] = byte(e >> 16)
			w++
			if e = lit[in.bits&(1<<litBits-1)]; e&entryLiteral != 0 {
				in.drop(e)
				buf[w] = byte(e >> 16)
				w++
				continue
			}
			if in.more(); in.over() {
				z.w = w
				return in.why()
			}
		}
		if e&entryLink != 0 {
			e = lit[e>>16+uint32(in.bits>>litBits)&(1<<(e>>8&entryExtra)-1)]
		}
		in.drop(e)
		if e&(entryLiteral|entryEnd|entryBad) != 0 {
			if e&entryLiteral != 0 {
				buf[w] = byte(e >> 16)
				w++
				continue
			}
			if z.w = w; e&entryBad != 0 || in.over() {
				return in.whyNot()
			}
			z.within = false
			return nil
		}
		length := int(e>>16) + in.extra(e)
		if e = dist[in.bits&(1<<distBits-1)]; e&entryLink != 0 {
			e = dist[e>>16+uint32(in.bits>>distBits)&(1<<(e>>8&entryExtra)-1)]
		}
		in.drop(e)
		far := int(e>>16) + in.extra(e)
		if e&entryBad != 0 || far > w {
			z.w = w
			return in.whyNot()
		}
		if from := w - far; far >= length {
			w += copy(buf[w:w+length], buf[from:from+length])
		} else {
			for end := w + length; w < end; {
				w += copy(buf[w:end], buf[from:w])
			}
		}
	}
	z.w = w
	return nil
}

// order is that of the lengths of the codes which the lengths of the codes are given in.
var order = [19]byte{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// codes reads the codes of a block.
func (z *inflater) codes() error {
	v, err := z.in.take(14)
	if err != nil {
		return err
	}
	lits, dists, n := int(v&31)+257, int(v>>5&31)+1, int(v>>10)+4
	if lits > 286 || dists > 30 {
		return errDeflate
	}
	var lengths [286 + 30]byte
	for _, i := range order[:n] {
		if v, err = z.in.take(3); err != nil {
			return err
		}
		lengths[i] = byte(v)
	}
	var codes [1 << 7]uint32
	if !fill(codes[:], 7, lengths[:19], func(i int) uint32 { return uint32(i) << 16 }) {
		return errDeflate
	}
	clear(lengths[:19])
	for i := 0; i < lits+dists; {
		z.in.more()
		e := codes[z.in.bits&(1<<7-1)]
		z.in.drop(e)
		if e&entryBad != 0 || z.in.over() {
			return z.in.whyNot()
		}
		length, times := byte(e>>16), 1
		switch length {
		case 16:
			if i == 0 {
				return errDeflate
			}
			v, err = z.in.take(2)
			length, times = lengths[i-1], int(v)+3
		case 17:
			v, err = z.in.take(3)
			length, times = 0, int(v)+3
		case 18:
			v, err = z.in.take(7)
			length, times = 0, int(v)+11
		}
		if err != nil {
			return err
		}
		if i+times > lits+dists {
			return errDeflate
		}
		for range times {
			lengths[i] = length
			i++
		}
	}
	if lengths[256] == 0 || !fill(z.own.lit[:], litBits, lengths[:lits], litEntry) || !fill(z.own.dist[:], distBits, lengths[lits:lits+dists], distEntry) {
		return errDeflate
	}
	z.lit, z.dist = z.own.lit[:], z.own.dist[:]
	return nil
}

// litEntry is what a literal or the length of a match means.
func litEntry(i int) uint32 {
	switch {
	case i < 256:
		return entryLiteral | uint32(i)<<16
	case i == 256:
		return entryEnd
	case i < 265:
		return uint32(i-257+3) << 16
	case i < 285:
		extra := uint32(i-261) / 4
		return extra<<8 | (uint32(4+(i-265)%4)<<extra+3)<<16
	case i == 285:
		return longestMatch << 16
	}
	return entryBad
}

// distEntry is what the distance of a match means.
func distEntry(i int) uint32 {
	switch {
	case i < 4:
		return uint32(i+1) << 16
	case i < 30:
		extra := uint32(i-2) / 2
		return extra<<8 | (uint32(2+i%2)<<extra+1)<<16
	}
	return entryBad
}

var fixedTables = sync.OnceValue(func() *tables {
	t := &tables{}
	var lengths [288]byte
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	fill(t.lit[:], litBits, lengths[:], litEntry)
	for i := range 32 {
		lengths[i] = 5
	}
	fill(t.dist[:], distBits, lengths[:32], distEntry)
	return t
})

// fill makes the table of the canonical codes of these lengths; false if there is no such set of codes.
// As with zlib, one that leaves codes unused is none, but for a single code of one bit, or none at all.
func fill(table []uint32, at int, lengths []byte, entry func(i int) uint32) bool {
	var count [maxCode + 1]int
	longest := 0
	for _, n := range lengths {
		count[n]++
		longest = max(longest, int(n))
	}
	count[0] = 0
	var next [maxCode + 2]int
	code := 0
	for n := 1; n <= maxCode; n++ {
		code = (code + count[n-1]) << 1
		next[n] = code
		if code+count[n] > 1<<n {
			return false
		}
	}
	if total := next[maxCode] + count[maxCode]; total != 1<<maxCode && longest > 1 || longest == 1 && count[1] > 2 {
		return false
	}
	for i := range table {
		table[i] = entryBad | 1
	}
	free := 1 << at
	for i, n := range lengths {
		if n == 0 {
			continue
		}
		e := entry(i) | uint32(n)
		code := int(bits.Reverse16(uint16(next[n])) >> (16 - n))
		next[n]++
		if int(n) <= at {
			for k := code; k < 1<<at; k += 1 << n {
				table[k] = e
			}
			continue
		}
		link := &table[code&(1<<at-1)]
		if *link&entryLink == 0 { // its longer codes may have any length
			*link = entryLink | uint32(longest-at)<<8 | uint32(free)<<16
			for k := range 1 << (longest - at) {
				table[free+k] = entryBad | 1
			}
			free += 1 << (longest - at)
		}
		for k := code >> at; k < 1<<(longest-at); k += 1 << (int(n) - at) {
			table[int(*link>>16)+k] = e
		}
	}
	return true
}
