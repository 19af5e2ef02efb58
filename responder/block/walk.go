package block

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Range is a stretch of the file, from the start of a line to the end of one or of the file.
type Range struct {
	From, To int64
	Line     int64 // lines before From
}

// Query is what a Walk looks for.
type Query struct {
	Filter       *Filter // nil: every line
	Since, Until int64   // nanoseconds since 1970, Until excluded; NoTime: open
	Form         uint64  // as File has it
}

// NoTime is an open end of a Query's time.
const NoTime = math.MinInt64

// Counts say what a Walk came to.
type Counts struct {
	Blocks       int   // of the file
	SkippedTime  int   // by their times
	SkippedIndex int   // by the filter, all strips of them
	Strips       int   // of the blocks that the filter was asked about
	Kept         int   // of these
	Damaged      int   // blocks that are read whole because their filter is damaged
	Read         int64 // bytes of the ranges
	IndexRead    int64 // bytes of the index that were read
}

// Walk gives, in order, the ranges of the file to read for q, where the file is size bytes long: no line
// outside of them matches. The last covers what follows the last block. If emit returns false, it stops.
// An error comes from reading the index; what was given until then is right, and what comes behind the
// last range has to be read.
func (x *Index) Walk(q Query, size int64, emit func(Range) bool) (Counts, error) {
	w := walker{x: x, q: q, emit: emit}
	blocks := x.Blocks()
	w.counts.Blocks = len(blocks)
	timed := q.Form == x.file.Form
	var end, line int64
	for i := range blocks {
		b := &blocks[i]
		if b.To > size {
			break // the file has grown since it was opened
		}
		end, line = b.To, b.FirstLine+int64(b.Lines)
		if timed && b.Timed && (q.Since != NoTime && b.MaxTime < q.Since || q.Until != NoTime && b.MinTime >= q.Until) {
			w.counts.SkippedTime++
			continue
		}
		if w.hopeless(i) {
			w.add(Range{From: b.From, To: b.To, Line: b.FirstLine})
			continue
		}
		if err := w.block(b); err != nil {
			return w.counts, err
		}
		if w.stopped {
			return w.counts, nil
		}
	}
	if size > end {
		w.add(Range{From: end, To: size, Line: line})
	}
	w.flush()
	return w.counts, nil
}

// Where the filter leaves out next to nothing, only every probeEvery-th block is asked, so that what a
// query asks in vain costs it less than it would lose.
const (
	probeAfter = 8 // blocks
	probeEvery = 32
)

// hopeless says whether a block is read without being asked.
func (w *walker) hopeless(i int) bool {
	return w.asked >= probeAfter && i%probeEvery != 0 && w.counts.Kept > w.counts.Strips/10*9
}

// walker joins what is next to each other.
type walker struct {
	x       *Index
	q       Query
	emit    func(Range) bool
	pending Range
	counts  Counts
	asked   int // blocks
	stopped bool

	pages   pages
	set     []uint64
	scratch []uint64
	section []byte
}

func (w *walker) add(r Range) {
	if r.From == w.pending.To && w.pending.To > w.pending.From {
		w.pending.To = r.To
		return
	}
	w.flush()
	w.pending = r
}

func (w *walker) flush() {
	if w.pending.To > w.pending.From && !w.stopped {
		w.counts.Read += w.pending.To - w.pending.From
		w.stopped = !w.emit(w.pending)
	}
	w.pending = Range{}
}

// block adds the ranges of a block.
func (w *walker) block(b *Block) error {
	whole := Range{From: b.From, To: b.To, Line: b.FirstLine}
	if w.q.Filter == nil || !w.q.Filter.Prunes() {
		w.add(whole)
		return nil
	}
	n := b.width()
	if cap(w.set) < n {
		w.set, w.scratch = make([]uint64, n), make([]uint64, 3*n)
	}
	w.set = w.set[:n]
	w.pages.open(w.x.f, b, w.q.Filter.keys)
	err := w.q.Filter.strips(w.set, &w.pages, w.scratch[:3*n])
	w.counts.IndexRead += w.pages.read
	w.counts.Strips += b.Strips
	w.asked++
	if err == nil && empty(w.set) && !(w.q.Filter.plain && b.foreign) {
		w.counts.SkippedIndex++
		return nil
	}
	if err == nil {
		err = w.strips(b)
	}
	if damaged(err) {
		w.counts.Damaged++
		w.counts.Kept += b.Strips
		w.add(whole)
		return nil
	}
	return err
}

// strips adds the strips of w.set, and those that the filter does not speak of.
func (w *walker) strips(b *Block) error {
	if need := b.stripsBytes(); cap(w.section) < need {
		w.section = make([]byte, need)
	}
	p := w.section[:b.stripsBytes()]
	if err := readAt(w.x.f, p, b.at+entryBytes); err != nil {
		return err
	}
	w.counts.IndexRead += int64(len(p))
	if !summed(p) {
		return fmt.Errorf("%w: strips of the block at %d", ErrDamaged, b.From)
	}
	e := binary.LittleEndian
	if w.q.Filter.plain && b.foreign {
		foreign := p[b.Strips*8+b.Strips/8:]
		for i := range w.set {
			w.set[i] |= e.Uint64(foreign[i*8:])
		}
	}
	perStrip := int64(b.Lines / b.Strips)
	start, kept := int64(0), 0
	for i := range b.Strips {
		end := int64(e.Uint64(p[i*8:]))
		if w.set[i/64]>>(i%64)&1 != 0 {
			w.add(Range{From: b.From + start, To: b.From + end, Line: b.FirstLine + int64(i)*perStrip})
			kept++
		}
		start = end
	}
	w.counts.Kept += kept
	if kept == 0 {
		w.counts.SkippedIndex++
	}
	return nil
}
