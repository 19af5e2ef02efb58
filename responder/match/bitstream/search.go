package bitstream

import (
	"bytes"
	"math/bits"

	"github.com/trawl-logs/trawl/responder/match/simd"
)

// A block is what all streams go through together, so that they stay in the first cache.
const (
	blockWords = simd.BitsWords
	blockBytes = 64 * blockWords
)

// callBytes is about how much text one call of Lines searches.
const callBytes = 8 * blockBytes

// Searcher runs a Program for one goroutine.
type Searcher struct {
	p       *Program
	streams []simd.Bits
	carry   []uint64 // out of each op, into the next block
	last    [blockBytes]byte
}

// NewSearcher returns a searcher for p.
func (p *Program) NewSearcher() *Searcher {
	return &Searcher{p: p, streams: make([]simd.Bits, p.n), carry: make([]uint64, len(p.ops))}
}

// Lines appends to dst the lines that match (or, with Program.ASCII, hold a byte beyond it) among those of buf that begin at from or later
// and before next, which is where to go on: the start of a line or the end of buf. from is the start of a line.
func (s *Searcher) Lines(dst []simd.Line, buf []byte, from int) (lines []simd.Line, next int) {
	if from >= len(buf) {
		return dst, len(buf)
	}
	limit := len(buf) // the last place of the last line
	if buf[len(buf)-1] == s.p.term {
		limit--
	}
	for i, o := range s.p.ops {
		s.carry[i] = 0
		if o.code == opShift {
			s.carry[i] = uint64(o.b)
		}
	}
	line := from // the start of the line that goes on into the block
	for at := from; at <= limit; at += blockBytes {
		s.run(s.block(buf, at))
		if at+blockBytes > limit {
			clip(&s.streams[s.p.end], limit-at+1)
		}
		var beyond bool
		if dst, line, beyond = s.collect(dst, buf, at, line); beyond {
			return dst, min(line, len(buf))
		}
		if at-from >= callBytes && line > from && line <= limit {
			return dst, line
		}
	}
	return dst, len(buf)
}

// block returns the block of buf at at. Behind the end of buf there are terminators.
func (s *Searcher) block(buf []byte, at int) []byte {
	if at+blockBytes <= len(buf) {
		return buf[at : at+blockBytes]
	}
	n := copy(s.last[:], buf[at:])
	for i := n; i < len(s.last); i++ {
		s.last[i] = s.p.term
	}
	return s.last[:]
}

// clip clears all but the first n bits.
func clip(x *simd.Bits, n int) {
	if n&63 != 0 {
		x[n/64] &= 1<<(n&63) - 1
		n += 64
	}
	clear(x[n/64:])
}

// collect appends the lines that have a bit in the stream of ends, of the block at at; line is where the one begins that goes on
// into it. It returns where that into the next block does. A line that matches and goes on itself ends the
// work: beyond says that line is the start of the one behind it.
func (s *Searcher) collect(dst []simd.Line, buf []byte, at, line int) (_ []simd.Line, _ int, beyond bool) {
	hits, terms := &s.streams[s.p.end], &s.streams[ends]
	for w := 0; w < blockWords; w++ {
		h := hits[w]
		for h != 0 {
			bit := bits.TrailingZeros64(h)
			start := line
			below, k := terms[w]&(1<<bit-1), w
			for below == 0 && k > 0 {
				k--
				below = terms[k]
			}
			if below != 0 {
				start = at + 64*k + bits.Len64(below)
			}
			above, k := terms[w]>>bit<<bit, w
			for above == 0 && k < blockWords-1 {
				k++
				above = terms[k]
			}
			if above == 0 {
				end := len(buf)
				if i := bytes.IndexByte(buf[at+blockBytes:], s.p.term); i >= 0 {
					end = at + blockBytes + i
				}
				return append(dst, simd.Line{Start: start, End: end}), end + 1, true
			}
			bit = bits.TrailingZeros64(above)
			dst = append(dst, simd.Line{Start: start, End: at + 64*k + bit})
			w = k
			h = hits[w] &^ (1<<bit | (1<<bit - 1))
		}
	}
	for w := blockWords - 1; w >= 0; w-- {
		if t := terms[w]; t != 0 {
			return dst, at + 64*w + bits.Len64(t), false
		}
	}
	return dst, line, false
}

// run makes all streams of a block of text.
func (s *Searcher) run(text []byte) {
	for i, t := range s.p.tests {
		t.Bits(text, &s.streams[i])
	}
	for i := range s.p.ops {
		o := &s.p.ops[i]
		to, a := &s.streams[o.to], &s.streams[o.a]
		if o.code == opShift {
			s.carry[i] = to.Shift(a, s.carry[i])
			continue
		}
		b := &s.streams[o.b]
		switch o.code {
		case opOver:
			s.carry[i] = to.Over(a, b, s.carry[i])
		case opStar:
			s.carry[i] = to.Star(a, b, s.carry[i])
		case opAnd:
			to.And(a, b)
		case opAndNot:
			to.AndNot(a, b)
		case opXor:
			to.Xor(a, b)
		case opOr:
			to.Or(a, b)
		}
	}
}
