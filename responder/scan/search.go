package scan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/responder/mapped"
	"github.com/trawl-logs/trawl/responder/match"
	"github.com/trawl-logs/trawl/responder/match/simd"
)

// searcher is one worker's state: it reads a segment block by block and searches the whole lines of
// each. Positions are offsets in the file unless they are called indices (of buf).
type searcher struct {
	r *run
	o *Options
	m Matcher

	seg  *segment
	src  source
	res  *result
	mem  []byte
	buf  []byte // mem, or its end where the start was dropped
	n    int    // bytes in buf
	base int64  // offset of buf[0]
	eof  bool   // buf holds the input's last bytes
	win  mapped.Window
	view view
	read int64 // up to where the segment's bytes count as read

	noZero    bool  // the bytes that were read last are known to hold no NUL
	detect    bool  // NUL ends lines and makes the file binary
	plain     bool  // nothing but the text of selected lines is wanted
	quiet     bool  // selected lines are only counted
	enough    int64 // more selected lines than so many end the search; -1: none do
	left      int64 // lines that may still be selected (-m)
	pending   int64 // lines of trailing context that are still due
	lastOut   int64 // end of the last line given; -1: none
	counted   int64 // terminators before countedTo
	atBase    int64 // terminators before base
	countTo   int64
	over      bool
	head      []byte // goes before every line
	clock     Clock
	dated     datedLine
	out       *Batch
	outSince  time.Time
	group     bool // a group begins with the next line that is given
	found     []match.Line
	scratch   []byte // for lines that are read again
	back      []byte // for what is looked up before the buffer
	farAt     int64  // offset of a line before the buffer, whose number is farNumber
	farNumber int64
}

// flushAfter is how long a result may wait for more to go with it.
const flushAfter = 50 * time.Millisecond

var bufPool = sync.Pool{New: func() any {
	b := make([]byte, defaultGeometry.block+(64<<10))
	return &b
}}

func newSearcher(r *run) *searcher {
	o := r.o
	plain := !(o.OnlyMatching || o.Groups || o.Numbers || o.Offsets || o.Times || o.timed() || o.MaxCount >= 0)
	s := &searcher{r: r, o: o, m: r.newMatcher(), plain: plain && o.Mode == Lines}
	s.view.init(s)
	return s
}

func (s *searcher) free() {
	s.win.Close()
	if int64(cap(s.mem)) == defaultGeometry.block+(64<<10) {
		bufPool.Put(&s.mem)
	}
}

func (s *searcher) reset(seg *segment) {
	s.seg, s.src, s.res = seg, seg.file.src, &seg.res
	s.buf = s.mem
	s.n, s.base, s.eof, s.over = 0, seg.start, false, false
	s.read = seg.start
	s.detect = s.o.Binary != BinaryText && s.o.Terminator != 0
	s.quiet, s.enough = s.o.Mode != Lines, -1
	if s.o.Mode != Lines && s.o.Mode != Count {
		s.enough = 0
	}
	s.left = math.MaxInt64
	if s.o.MaxCount >= 0 {
		s.left = s.o.MaxCount
	}
	s.pending, s.lastOut = 0, -1
	s.counted, s.atBase, s.countTo = 0, 0, seg.start
	s.dated = datedLine{at: -1}
	s.group, s.farAt = false, -1
	if s.head = nil; s.o.Head != nil {
		s.head = s.o.Head(seg.file.input)
	}
	s.clock = nil
	if s.o.NewClock != nil {
		s.clock = s.o.NewClock(seg.file.input)
	}
	if seg.file.nul.Load() < seg.n {
		s.turnBinary()
	}
}

// search searches a segment and leaves its result in it.
func (s *searcher) search(seg *segment) {
	s.reset(seg)
	if s.left == 0 || seg.start == seg.end { // there is nothing: an archive would be decompressed up to there
		return
	}
	err := s.ranges()
	s.win.Close()
	if s.group && s.batch(8) != nil {
		s.out.Groups = append(s.out.Groups, s.out.Lines)
	}
	if s.out != nil {
		if !s.flush() && err == nil {
			err = s.r.ctx.Err()
		}
	}
	s.res.err = err
	if s.o.Numbers && err == nil {
		s.res.lines = s.numberAt(s.base)
	}
	if s.res.selected > 0 && s.enough == 0 && s.quiet {
		lower(&seg.file.hit, seg.n)
	}
}

// blocks reads the segment and searches it. The lines of a block that are whole are searched; the
// rest is moved to the front of the buffer and completed by the next block.
func (s *searcher) blocks() error {
	seg := s.seg
	skipping := seg.start > 0
	if skipping {
		if s.hole() {
			return nil
		}
		s.base = seg.start - 1 // a terminator there makes start the start of a line
	}
	tail := int64(8 << 10)
	for !s.over && !s.eof {
		if s.halted() {
			return s.r.ctx.Err()
		}
		if s.n == 0 && s.res.binary {
			if s.passHole(); s.base >= seg.end {
				return nil
			}
		}
		if !skipping && s.passView() && s.base >= seg.end {
			return nil
		}
		pos := s.base + int64(s.n)
		// To the end of a window, wherever the segment starts.
		want := s.o.geometry.block - pos%s.o.geometry.block
		if pos >= seg.end { // the segment's last line goes on in the next one
			want, tail = tail, min(2*tail, s.o.geometry.block)
		} else {
			want = min(want, seg.end-pos)
		}
		fresh := s.n
		if err := s.fill(int(want)); err != nil {
			return err
		}
		if skipping {
			if skipping = !s.skipLine(fresh); skipping {
				if pos >= seg.end {
					return nil
				}
				continue
			}
			if s.base >= seg.end {
				return nil
			}
			fresh = 0
		}
		if err := s.block(fresh, pos); err != nil {
			return err
		}
		if s.base >= seg.end || s.left == 0 && s.pending == 0 {
			return nil
		}
	}
	return nil
}

// halted says that the segment's result is not wanted any more.
func (s *searcher) halted() bool {
	f := s.seg.file
	return s.r.ctx.Err() != nil || f.stop.Load() || f.hit.Load() < s.seg.n
}

// fill reads up to want bytes to the end of buf.
func (s *searcher) fill(want int) error {
	if s.buf == nil {
		if s.o.geometry.block == defaultGeometry.block && int64(want) > s.o.geometry.block/4 {
			s.buf = *bufPool.Get().(*[]byte)
		} else {
			s.buf = make([]byte, want+1)
		}
		s.mem = s.buf
	}
	// One byte is kept free for the terminator that a last line may lack.
	if need := s.n + want + 1; need > len(s.buf) {
		s.buf = append(make([]byte, 0, need+need/2), s.buf[:s.n]...)
		s.buf = s.buf[:cap(s.buf)]
		s.mem = s.buf
	}
	pos := s.base + int64(s.n)
	n, err := s.readAt(s.buf[s.n:s.n+want], pos)
	s.n += n
	s.countRead(pos + int64(n))
	s.eof = s.src.ends(pos + int64(n))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	s.eof = s.eof || err != nil
	return nil
}

// readAt fills p with the bytes at the offset pos, from a mapping where that is the cheaper way.
func (s *searcher) readAt(p []byte, pos int64) (int, error) {
	s.noZero = false
	if f := &s.seg.file.f; f.Raw != nil && pos+int64(len(p)) <= s.seg.end {
		if noZero, ok := s.win.Read(f.Raw, p, f.RawAt+pos, f.RawAt+s.seg.end); ok && (f.Intact == nil || f.Intact()) {
			s.noZero = noZero
			return len(p), nil
		}
	}
	return s.src.readAt(p, pos)
}

// countRead counts the bytes up to the offset end as read. Those that come again, or belong to another
// segment, do not count: that segment counts them, so that the sum never exceeds the file.
func (s *searcher) countRead(end int64) {
	n := min(end, s.seg.end) - s.read
	if n <= 0 {
		return
	}
	s.read += n
	s.r.bytes.Add(n)
	if s.o.Read != nil {
		s.o.Read.Add(n)
	}
}

// skipLine drops what belongs to the segment before: all up to the first line end. It says whether
// it found one.
func (s *searcher) skipLine(fresh int) bool {
	b := s.buf[fresh:s.n]
	i := bytes.IndexByte(b, s.o.Terminator)
	if s.detect {
		part := b
		if i >= 0 {
			part = b[:i]
		}
		// A NUL ends a line as well. It stays in the buffer as the byte that block looks for.
		if z := bytes.IndexByte(part, 0); z >= 0 {
			s.sawNUL()
			i = z
		}
	}
	cut := s.n
	if i >= 0 {
		cut = fresh + i + 1
	}
	// To move the rest of a block to the front would take as long as a quarter of its search.
	if s.buf, s.n = s.buf[cut:], s.n-cut; s.n == 0 {
		s.buf = s.mem
	}
	s.base += int64(cut)
	s.countTo = s.base
	return i >= 0
}

// block searches the lines that the fresh bytes of buf complete; from is where they were read.
func (s *searcher) block(fresh int, from int64) error {
	if from >= s.seg.end {
		if err := s.lastLine(fresh); err != nil {
			return err
		}
	}
	text, ok := s.findNUL(fresh, max(from, s.base))
	if !ok || s.over {
		return s.err()
	}
	if s.eof && s.n > 0 && s.buf[s.n-1] != s.o.Terminator {
		s.buf[s.n] = s.o.Terminator
		s.n++
	}
	end := s.wholeLines(fresh, s.n)
	if end > text && !s.lines(text, end) {
		return s.err()
	}
	s.shift(max(end, text))
	if s.out != nil && (s.seg.file.f.At == nil || time.Since(s.outSince) > flushAfter) && !s.flush() {
		return s.r.ctx.Err()
	}
	if s.n > s.o.MaxLine && !s.eof && s.base < s.seg.end {
		return s.longLine()
	}
	return nil
}

// findNUL looks for a NUL in the fresh bytes, which were read at from. If there is one, it searches
// the lines that ended before its window, which are those of a text file, and takes it and those
// after it for line ends. It returns the index up to which lines were searched, and whether the
// search goes on.
func (s *searcher) findNUL(fresh int, from int64) (text int, ok bool) {
	if !s.detect || s.noZero || simd.NoZero(s.buf[fresh:s.n]) {
		return 0, true
	}
	z := fresh + bytes.IndexByte(s.buf[fresh:s.n], 0)
	at := from
	if s.seg.file.f.At != nil {
		at = (s.base + int64(z)) / s.o.geometry.window * s.o.geometry.window
	}
	if at > s.base && !s.res.binary {
		text = s.wholeLines(0, int(at-s.base))
		if !s.lines(0, text) || s.over {
			return text, false
		}
	}
	s.sawNUL()
	zap(s.buf[z:s.n], s.o.Terminator)
	return text, true
}

// lastLine cuts what was read after the segment to the rest of the line that began in it, if its end
// has come.
func (s *searcher) lastLine(fresh int) error {
	i := s.lineEnd(s.buf[fresh:s.n])
	if i < 0 {
		return nil
	}
	end := fresh + i + 1
	s.eof = s.eof && s.n == end
	s.n = end
	return s.checkWindow(end)
}

// lineEnd returns the index of the first byte of b that ends a line.
func (s *searcher) lineEnd(b []byte) int {
	i := bytes.IndexByte(b, s.o.Terminator)
	if !s.detect {
		return i
	}
	if i >= 0 {
		b = b[:i]
	}
	if z := bytes.IndexByte(b, 0); z >= 0 {
		return z
	}
	return i
}

// err is why lines wanted no more: the end of the run, or nothing wrong.
func (s *searcher) err() error {
	if s.over {
		return nil
	}
	return s.r.ctx.Err()
}

// wholeLines returns the index after the last line end in buf[from:to], or 0.
func (s *searcher) wholeLines(from, to int) int {
	if i := bytes.LastIndexByte(s.buf[from:to], s.o.Terminator); i >= 0 {
		return from + i + 1
	}
	return 0
}

func zap(b []byte, terminator byte) {
	for i := bytes.IndexByte(b, 0); i >= 0; i = bytes.IndexByte(b, 0) {
		b[i] = terminator
		b = b[i+1:]
	}
}

// shift drops the lines before index end from the buffer.
func (s *searcher) shift(end int) {
	if end == 0 {
		return
	}
	if s.o.Numbers {
		s.atBase = s.numberAt(s.base + int64(end))
	}
	stream := s.seg.file.f.At == nil
	if stream && s.clock != nil { // the lines to come may have their time from the last of these
		last := s.wholeLines(0, end-1)
		s.timeOf(s.base+int64(last), s.buf[last:end-1])
	}
	s.n = copy(s.mem, s.buf[end:s.n])
	s.buf = s.mem
	s.base += int64(end)
	if stream {
		s.keepLines()
	}
}

// keepLines releases what of a stream is not going to be read again: all before base, but for the
// lines that may become context.
func (s *searcher) keepLines() {
	keep := s.base
	if s.o.Before > 0 {
		if at, err := s.linesBack(s.base, s.o.Before, max(s.lastOut, 0)); err == nil {
			keep = at
		}
	}
	s.src.release(keep)
}

// sawNUL notes that the file is binary.
func (s *searcher) sawNUL() {
	if !s.res.binary {
		lower(&s.seg.file.nul, s.seg.n)
		s.res.binary = true
		s.turnBinary()
	}
}

func (s *searcher) turnBinary() {
	switch {
	case s.o.Binary == BinaryWithout:
		s.over = true
	case s.o.Mode == Lines && s.enough < 0:
		s.quiet, s.enough = true, s.res.selected
	}
}

// checkWindow looks for a NUL in the rest of the window in which the segment's last line ends: it
// belongs to the next segment, but decides whether the line may be printed.
func (s *searcher) checkWindow(end int) error {
	if !s.detect || s.quiet || s.src.ends(s.base+int64(s.n)) {
		return nil
	}
	if s.m.MatchLine(s.buf[:end-1]) == s.o.Invert {
		return nil
	}
	w := s.o.geometry.window
	pos := s.base + int64(s.n)
	for stop := ((s.base+int64(end)-1)/w + 1) * w; pos < stop; {
		s.scratch = grown(s.scratch, int(min(stop-pos, 32<<10)))
		n, err := s.src.readAt(s.scratch, pos)
		if bytes.IndexByte(s.scratch[:n], 0) >= 0 {
			s.sawNUL()
			return nil
		}
		if errors.Is(err, io.EOF) || n == 0 && err == nil {
			return nil
		}
		if err != nil {
			return err
		}
		pos += int64(n)
	}
	return nil
}

func grown(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// flush hands the batch on. It waits while enough of this segment's batches wait to be emitted, and
// says whether the run goes on.
func (s *searcher) flush() bool {
	b := s.out
	s.out = nil
	s.r.text.Add(int64(len(b.Text)))
	select {
	case s.seg.out <- b:
		return true
	case <-s.r.ctx.Done():
		b.recycle()
		return false
	}
}

var errHalted = context.Canceled
