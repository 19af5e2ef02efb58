package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	// pieceBytes is the least that a piece of an Outline is long, but for the last one.
	pieceBytes = 64 << 10
	// mostPieces is how many an Outline has at most, at 40 bytes each: with more, each two become one.
	mostPieces = 1024
	// outlineBytes is how much is read at once.
	outlineBytes = 256 << 10
)

// Piece is what is known of the times of some lines next to each other. A line without a time has that
// of the one above it.
type Piece struct {
	From     int64 // where the first of them begins
	Line     int64 // lines before
	Min, Max int64 // of their times; NoTime: none has one
	Ordered  bool  // none is before that of the line above it
	Untimed  bool  // some have none, as no line above them in the file has one
}

// Outline says which times the lines of a file have, from its start on. It is proven: each of these lines
// was read. One that is shared is not changed any more.
type Outline struct {
	Pieces []Piece // without gaps, the first at 0
	End    int64   // where the next line begins
	Lines  int64   // before End
	NUL    bool    // there is one before End

	Grain int64 // least length of a piece but the last; 0: 64 KiB

	last int64 // time of the line before End
}

// Clone returns a copy that can be extended.
func (o *Outline) Clone() *Outline {
	c := *o
	c.Pieces = slices.Clone(o.Pieces)
	return &c
}

// Extend reads on from End, and takes in the lines that have their end before size. It calls pace, if that
// is set, after each read; an error from it ends the reading, as does that of ctx. What was read until an
// error stays, and is right.
func (o *Outline) Extend(ctx context.Context, at io.ReaderAt, size int64, clock Clock, terminator byte, pace func() error) error {
	if size <= o.End {
		return nil
	}
	buf := make([]byte, min(outlineBytes, size-o.End))
	held := line{start: -1} // a line that is longer than buf
	for off, n := o.End, 0; off < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		want := int(min(int64(len(buf)-n), size-off))
		k, err := at.ReadAt(buf[n:n+want], off)
		if k < want {
			if err == nil || errors.Is(err, io.EOF) {
				err = fmt.Errorf("%w: %d of %d bytes are left", ErrShrank, off+int64(k), size)
			}
			return err
		}
		o.NUL = o.NUL || bytes.IndexByte(buf[n:n+k], 0) >= 0
		base := off - int64(n)
		off, n = off+int64(k), n+k
		rest := o.take(buf[:n], base, &held, clock, terminator)
		if held.start < 0 && len(rest) == len(buf) {
			held = read(rest, base, clock)
		}
		if held.start >= 0 { // all of rest is of that line
			rest = nil
		}
		n = copy(buf, rest)
		if pace != nil {
			if err := pace(); err != nil {
				return err
			}
		}
	}
	return nil
}

// take takes in the lines of b, which begins at base, and returns what has no end there.
func (o *Outline) take(b []byte, base int64, held *line, clock Clock, terminator byte) (rest []byte) {
	next := base
	for {
		end := bytes.IndexByte(b, terminator)
		if end < 0 {
			return b
		}
		l := *held
		if held.start = -1; l.start < 0 {
			l = read(b[:end], next, clock)
		}
		next += int64(end) + 1
		o.add(l, next)
		b = b[end+1:]
	}
}

// Finish takes in what stands between End and size as a line that goes on to there. Nothing may be added
// after that.
func (o *Outline) Finish(at io.ReaderAt, size int64, clock Clock) error {
	if o.End >= size {
		return nil
	}
	head := make([]byte, min(HeadBytes, size-o.End))
	if n, err := at.ReadAt(head, o.End); n < len(head) {
		if err == nil || errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: %d of %d bytes are left", ErrShrank, o.End+int64(n), size)
		}
		return err
	}
	o.add(read(head, o.End, clock), size)
	return nil
}

// line is a line and its own time.
type line struct {
	start, time int64
	timed       bool
}

func read(text []byte, start int64, clock Clock) line {
	t, ok := clock.Time(text[:min(len(text), HeadBytes)])
	return line{start, t, ok}
}

// add adds a line, which ends before next.
func (o *Outline) add(l line, next int64) {
	if len(o.Pieces) == 0 {
		if o.last = NoTime; o.Grain == 0 {
			o.Grain = pieceBytes
		}
	}
	if n := len(o.Pieces); n == 0 || l.start-o.Pieces[n-1].From >= o.Grain {
		if n == mostPieces {
			o.coarsen()
		}
		o.Pieces = append(o.Pieces, Piece{From: l.start, Line: o.Lines, Min: NoTime, Max: NoTime, Ordered: true})
	}
	p := &o.Pieces[len(o.Pieces)-1]
	if l.timed {
		p.Ordered = p.Ordered && l.time >= o.last
		o.last = l.time
	}
	switch {
	case o.last == NoTime:
		p.Untimed = true
	case p.Max == NoTime:
		p.Min, p.Max = o.last, o.last
	default:
		p.Min, p.Max = min(p.Min, o.last), max(p.Max, o.last)
	}
	o.Lines, o.End = o.Lines+1, next
}

// coarsen makes one piece of each two.
func (o *Outline) coarsen() {
	n := 0
	for i := 0; i < len(o.Pieces); i += 2 {
		p := o.Pieces[i]
		if i+1 < len(o.Pieces) {
			q := o.Pieces[i+1]
			p.Ordered = p.Ordered && q.Ordered
			p.Untimed = p.Untimed || q.Untimed
			if q.Max != NoTime {
				p.Max = max(p.Max, q.Max)
				if p.Min == NoTime || q.Min < p.Min {
					p.Min = q.Min
				}
			}
		}
		o.Pieces[n] = p
		n++
	}
	o.Pieces = o.Pieces[:n]
	o.Grain *= 2
}

// Coarse returns an outline of half as many pieces.
func (o *Outline) Coarse() *Outline {
	c := o.Clone()
	c.coarsen()
	c.Pieces = slices.Clone(c.Pieces) // half the room
	return c
}

// Ordered says whether no line has a time before that of a line above it.
func (o *Outline) Ordered() bool {
	return !slices.ContainsFunc(o.Pieces, func(p Piece) bool { return !p.Ordered })
}

// Bounds returns the least and the greatest time of a line, NoTime if there is none.
func (o *Outline) Bounds() (least, greatest int64) {
	least, greatest = NoTime, NoTime
	for i := range o.Pieces {
		if p := &o.Pieces[i]; p.Max != NoTime {
			greatest = max(greatest, p.Max)
			if least == NoTime || p.Min < least {
				least = p.Min
			}
		}
	}
	return least, greatest
}

// Within returns the ranges in which lines of times in [since, until) can be, 0 leaving a side open, of a
// file of size bytes: pieces that have such times, and what stands behind End.
func (o *Outline) Within(since, until, size int64) []Range {
	ranges := []Range{}
	add := func(from, to, line int64) {
		if n := len(ranges); n > 0 && ranges[n-1].To == from {
			ranges[n-1].To = to
		} else {
			ranges = append(ranges, Range{From: from, To: to, Line: line})
		}
	}
	for i := range o.Pieces {
		p := &o.Pieces[i]
		if p.Max == NoTime || since != 0 && p.Max < since || until != 0 && p.Min >= until {
			continue
		}
		to := o.End
		if i+1 < len(o.Pieces) {
			to = o.Pieces[i+1].From
		}
		add(p.From, to, p.Line)
	}
	if o.End < size {
		add(o.End, size, o.Lines)
	}
	return ranges
}

// Both returns what two lists of ranges, each in order, have in common.
func Both(a, b []Range) []Range {
	both := []Range{}
	for len(a) > 0 && len(b) > 0 {
		x, y := a[0], b[0]
		if x.From < y.From {
			x.From, x.Line = y.From, y.Line
		}
		if end := min(x.To, y.To); x.From < end {
			both = append(both, Range{x.From, end, x.Line})
		}
		if a[0].To < b[0].To {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return both
}
