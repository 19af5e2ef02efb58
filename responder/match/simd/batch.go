package simd

import (
	"bytes"
	"math"
	"unsafe"
)

// Line is a line of a buffer: buf[Start:End], the terminator excluded.
type Line struct{ Start, End int }

// Hit is a line that a search found, buf[Start:End] without its terminator, and where in it.
type Hit struct{ Start, End, At int }

// Batch takes the hits of one call: where many lines match, a call for each would cost more than the
// search. It is for one goroutine at a time; its zero value is ready.
type Batch struct {
	Hits  []Hit // of the last call
	store [256]Hit
	floor int // no line that is not entered yet begins before
	batch
}

// batch is what kernels read and write (internal/asm, lines.go; TestLayout). They enter the line
// around each candidate and go on behind it.
type batch struct {
	hits  *Hit // nil: they are only counted
	room  int
	base  *byte // the buffer, for the bounds of lines
	size  int
	count int
	end   uintptr // of the buffer, for the kernels' own use
	term  byte
}

// tester is a kernel.
type tester interface {
	// next returns the first of n positions of buf that passes, or -1.
	next(buf []byte, n int) int
	// vector enters into b the lines of all of n positions (lane at least) that pass, and returns
	// where it stopped: less than lane before n, or where b is full, behind a line.
	vector(buf []byte, n int, b *batch) int
}

// gather fills b with the lines of buf that hold a position from at on, below n, that passes k. Position i is tested
// at buf[i+shift:]. It returns the start of a line to go on from if b is full; else all of the n are done.
func (b *Batch) gather(k tester, buf []byte, at, shift, n int, term byte) (next int, full bool) {
	b.begin(buf, at, term)
	b.hits, b.room = &b.store[0], len(b.store)
	b.run(k, buf, at, shift, n)
	b.Hits = b.store[:b.count]
	if shift > 0 {
		for i := range b.Hits {
			b.Hits[i].At -= shift
		}
	}
	return min(b.floor, len(buf)), b.count == b.room
}

// tally returns how many lines of buf hold a position from at to n-1 that passes k.
func (b *Batch) tally(k tester, buf []byte, at, n int, term byte) (count int) {
	b.begin(buf, at, term)
	b.hits, b.room = nil, math.MaxInt
	b.run(k, buf, at, 0, n)
	return b.count
}

func (b *Batch) begin(buf []byte, at int, term byte) {
	b.Hits, b.floor = b.store[:0], at
	b.base, b.size, b.count, b.term = unsafe.SliceData(buf), len(buf), 0, term
}

func (b *Batch) run(k tester, buf []byte, at, shift, n int) {
	if accelerated && n-at >= lane {
		at += k.vector(buf[at+shift:], n-at, &b.batch)
		switch {
		case b.count > 0 && b.hits != nil:
			b.floor = b.store[b.count-1].End + 1
		case b.count > 0:
			b.floor = at // or before, which matters only to who wants to know where lines start
		}
	}
	for at < n && b.count < b.room {
		i := k.next(buf[at+shift:], n-at)
		if i < 0 {
			return
		}
		b.enter(buf, at+i+shift)
		at = b.floor - shift
	}
}

// enter enters the line of buf that holds at.
func (b *Batch) enter(buf []byte, at int) {
	end := len(buf)
	if i := bytes.IndexByte(buf[at:], b.term); i >= 0 {
		end = at + i
	}
	if b.hits != nil {
		b.store[b.count] = Hit{b.floor + LastIndexByte(buf[b.floor:at], b.term) + 1, end, at}
	}
	b.count++
	b.floor = end + 1
}

// tail adds the lines that match holds in at a position from at to n-1: the last few, where kernels
// would read too far. It returns the start of a line to go on from, or the length of buf.
func (b *Batch) tail(match func(text []byte) bool, buf []byte, at, n int) (next int) {
	for at = max(at, b.floor); at < n; at++ {
		if !match(buf[at:]) {
			continue
		}
		if b.count = len(b.Hits); b.hits != nil && b.count == len(b.store) {
			return b.floor
		}
		b.enter(buf, at)
		b.Hits = b.store[:b.count]
		at = b.floor - 1
	}
	return len(buf)
}

// Keep drops the hits that verify does not confirm. It gets the buffer up to the end of a line, the start of the line and
// the candidate, and returns the first true place of a match in the line, or -1.
func (b *Batch) Keep(verify func(buf []byte, start, at int) int, buf []byte) {
	kept := b.Hits[:0]
	for _, h := range b.Hits {
		if h.At = verify(buf[:h.End], h.Start, h.At); h.At >= 0 {
			kept = append(kept, h)
		}
	}
	b.Hits = kept
}
