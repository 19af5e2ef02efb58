package block

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

const (
	// MaxStrips is how many strips a block has at most.
	MaxStrips = 512
	// maxLog bounds a strip's fine bits: a builder then takes 2 × MaxStrips × 32 KiB.
	maxLog = 18
	minLog = 10
	// tailBytes is how much of a block's end is checked before an answer relies on its file's index.
	tailBytes = 4 << 10
	// heldBytes is how much of a line is kept for its time.
	heldBytes = 64 << 10
)

// Clock gives the time of a line, nanoseconds since 1970; false if it has none of its own. It sees at
// most the first 64 KiB of the line.
type Clock func(line []byte) (ns int64, ok bool)

// Options say what blocks a Builder makes. Shape gives them for a node's disk.
type Options struct {
	Strips     int     // of a block; a multiple of 64, at most MaxStrips
	StripLines int     // lines of a strip
	RowsPerKey float64 // rows of a block for each gram that a strip has in the mean: 1.44 would fill half of the bits
	// Common is the share of a block's strips from which on a gram is left out of its filter.
	Common float64
}

// Validate returns an error that names the first option that cannot be.
func (o *Options) Validate() error {
	switch {
	case o.Strips < 64 || o.Strips > MaxStrips || o.Strips%64 != 0:
		return fmt.Errorf("strips of a block: %d is no multiple of 64 up to %d", o.Strips, MaxStrips)
	case o.StripLines < 1 || o.StripLines > 1<<22:
		return fmt.Errorf("lines of a strip: %d is not within 1 and %d", o.StripLines, 1<<22)
	case !(o.RowsPerKey >= 0.1 && o.RowsPerKey <= 100):
		return fmt.Errorf("rows a key: %v is not within 0.1 and 100", o.RowsPerKey)
	case !(o.Common > 0 && o.Common <= 1):
		return fmt.Errorf("common share: %v is not within 0 and 1", o.Common)
	}
	return nil
}

// Builder makes blocks of a file's bytes and appends them to its Index. It is for one goroutine, and
// goes from file to file: Start, Feed until the end of what there is, Finish. A block that is not
// complete then is forgotten, and read again the next time; Due says when that is worth while. It
// takes up to 32 MiB, for strips of 32 KiB some 6 MiB.
type Builder struct {
	o     Options
	x     *Index
	state State
	clock Clock

	off, line int64 // of what comes next
	fine      []uint64
	turned    []uint64
	stride    int // words of fine for a strip
	log       uint
	strip     strip
	recent    recent
	before    []byte // the end of what there is of the begun line
	lineEnds  []int  // of the lines that are being entered
	ends      []int64
	nul       []uint64
	foreign   []uint64
	block     Block
	lines     int // of block
	content   *xxhash.Digest
	packed    bool // the strips' bytes have sums
	sums      []uint32
	sum       *xxhash.Digest // of the begun strip
	tail      []byte
	out       []byte

	held      []byte // the begun line, for clock
	last      int64  // the last time that a line had
	lastKnown bool
	timed     bool // a line of block had a time
	untimed   bool // one has none that is known
}

// NewBuilder returns a Builder.
func NewBuilder(o Options) (*Builder, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &Builder{o: o, content: xxhash.New(), sum: xxhash.New(), nul: make([]uint64, o.Strips/64), foreign: make([]uint64, o.Strips/64)}, nil
}

// Start begins, or goes on, with the file of x, whose state is s: the next byte fed is the one at the
// returned offset. clock may be nil: then blocks have no times.
func (b *Builder) Start(x *Index, s State, clock Clock) (offset int64) {
	b.x, b.state, b.clock, b.packed = x, s, clock, x.file.Packed
	b.off, b.line = x.End()
	b.last, b.lastKnown = 0, false
	if list := x.Blocks(); len(list) > 0 {
		l := list[len(list)-1]
		b.last, b.lastKnown = l.last, l.lastKnown
	}
	b.begin()
	return b.off
}

// begin sets up a block.
func (b *Builder) begin() {
	b.block = Block{From: b.off, FirstLine: b.line, Strips: b.o.Strips, Lines: b.o.Strips * b.o.StripLines,
		common: uint8(b.o.Common*100 + 0.5), perKey: float64(int(b.o.RowsPerKey*1000+0.5)) / 1000,
		size: b.state.Size, mtime: b.state.ModTime, changed: b.state.Changed, sums: b.packed}
	b.log, b.lines = 0, 0
	b.before = b.before[:0]
	b.ends = b.ends[:0]
	clear(b.nul)
	clear(b.foreign)
	b.content.Reset()
	b.sums = b.sums[:0]
	b.sum.Reset()
	b.tail, b.held = b.tail[:0], b.held[:0]
	b.timed, b.untimed = false, false
}

// Feed takes the next bytes of the file. Blocks that they complete are appended to the Index. After an
// error the Builder must be started anew.
func (b *Builder) Feed(p []byte) error {
	if b.x == nil {
		return errors.New("builder is not started")
	}
	for len(p) > 0 {
		n, full := b.take(p)
		b.keep(p[:n])
		b.off += int64(n)
		p = p[n:]
		if full {
			if err := b.end(); err != nil {
				b.x = nil
				return err
			}
			b.begin()
		}
	}
	return nil
}

// keep enters what belongs to the block into its sums.
func (b *Builder) keep(p []byte) {
	b.content.Write(p)
	if b.packed {
		b.sumStrips(p)
	}
	if len(p) >= tailBytes {
		b.tail = append(b.tail[:0], p[len(p)-tailBytes:]...)
		return
	}
	if over := len(b.tail) + len(p) - tailBytes; over > 0 {
		b.tail = b.tail[:copy(b.tail, b.tail[over:])]
	}
	b.tail = append(b.tail, p...)
}

// sumStrips enters what belongs to the block into the sums of its strips.
func (b *Builder) sumStrips(p []byte) {
	at := 0
	for len(b.sums) < len(b.ends) {
		end := int(b.block.From + b.ends[len(b.sums)] - b.off)
		b.sum.Write(p[at:end])
		b.sums = append(b.sums, uint32(b.sum.Sum64()))
		b.sum.Reset()
		at = end
	}
	b.sum.Write(p[at:])
}

// take enters the lines of p up to the end of the block, full, or all of them.
func (b *Builder) take(p []byte) (n int, full bool) {
	if b.log == 0 {
		b.reserve(logFor(b.expected(p)))
	}
	for n < len(p) {
		at := b.stretch(p[n:])
		if at == 0 {
			body := p[n:]
			b.strip.line(b.before, body)
			b.before = append(b.before, body[max(len(body)-carry, 0):]...)
			b.before = b.before[:copy(b.before, b.before[max(len(b.before)-carry, 0):])]
			b.hold(body)
			return len(p), false
		}
		n += at
		b.line += int64(len(b.lineEnds))
		if b.lines += len(b.lineEnds); b.lines%b.o.StripLines == 0 {
			b.endStrip(b.off + int64(n))
			if b.lines == b.block.Lines {
				return n, true
			}
		}
	}
	return n, false
}

// stretchBytes is about how much text is entered at once: with its lower case it fits the first cache.
const stretchBytes = 8 << 10

// stretch enters whole lines of p, some KiB of the strip at most, sets lineEnds, and returns their size; 0 if
// there is none. A line that was begun before goes alone.
func (b *Builder) stretch(p []byte) (size int) {
	b.lineEnds = b.lineEnds[:0]
	most := b.o.StripLines - b.lines%b.o.StripLines
	if len(b.before) > 0 {
		most = 1
	}
	for len(b.lineEnds) < most && size < stretchBytes {
		i := bytes.IndexByte(p[size:], '\n')
		if i < 0 {
			break
		}
		b.time(p[size : size+i])
		size += i
		b.lineEnds = append(b.lineEnds, size)
		size++
	}
	switch {
	case size == 0:
	case len(b.before) > 0:
		b.strip.line(b.before, p[:size-1])
		b.before = b.before[:0]
	default:
		b.strip.lines(p[:size], b.lineEnds)
	}
	return size
}

// expected estimates the size of the strips from the block's first bytes, or else from the file's last block.
func (b *Builder) expected(p []byte) int {
	if lines := bytes.Count(p, []byte{'\n'}); lines > 0 {
		return len(p) / lines * b.o.StripLines
	}
	if list := b.x.Blocks(); len(list) > 0 {
		l := list[len(list)-1]
		return int(l.To-l.From) / l.Lines * b.o.StripLines
	}
	return 1 << maxLog
}

// logFor is the number of fine bits for strips of so many bytes, as a power of two: two to four a byte.
func logFor(strip int) uint {
	return uint(min(max(bits.Len(uint(max(strip, 1)))+1, minLog), maxLog))
}

// reserve sets up the strips' bits. Between strips lie some unused words: at a distance of a power of
// two, one line of the cache would serve them all.
func (b *Builder) reserve(log uint) {
	b.log, b.stride = log, 1<<log/64+8
	if need := b.stride * b.o.Strips; cap(b.fine) < need {
		b.fine, b.turned = make([]uint64, need), make([]uint64, need)
	} else {
		b.fine = b.fine[:need]
		clear(b.fine)
	}
	b.nextStrip()
}

func (b *Builder) nextStrip() {
	at := len(b.ends) * b.stride
	b.recent = recent{}
	b.strip = strip{bits: b.fine[at : at+1<<b.log/64], shift: 64 - b.log, recent: &b.recent, lower: b.strip.lower, letters: b.strip.letters}
}

func (b *Builder) endStrip(end int64) {
	at := len(b.ends)
	b.ends = append(b.ends, end-b.block.From)
	if b.strip.nul {
		b.nul[at/64] |= 1 << (at % 64)
		b.block.NUL = true
	}
	if b.strip.foreign {
		b.foreign[at/64] |= 1 << (at % 64)
		b.block.foreign = true
	}
	if len(b.ends) < b.o.Strips {
		b.nextStrip()
	}
}

// hold keeps the begun line for the clock.
func (b *Builder) hold(p []byte) {
	if b.clock != nil && len(b.held) < heldBytes {
		b.held = append(b.held, p[:min(len(p), heldBytes-len(b.held))]...)
	}
}

// time enters the time of a line that ends with p.
func (b *Builder) time(p []byte) {
	if b.clock == nil {
		b.untimed = true
		return
	}
	if len(b.held) > 0 {
		b.hold(p)
		p = b.held
	}
	t, ok := b.clock(p[:min(len(p), heldBytes)])
	b.held = b.held[:0]
	switch {
	case ok:
		b.last, b.lastKnown = t, true
	case b.timed:
		return // belongs to a line of this block
	case !b.lastKnown:
		b.untimed = true
		return
	}
	if !b.timed {
		b.block.MinTime, b.block.MaxTime = b.last, b.last
	}
	b.timed = true
	b.block.MinTime, b.block.MaxTime = min(b.block.MinTime, b.last), max(b.block.MaxTime, b.last)
}

// end appends the block to the index.
func (b *Builder) end() error {
	record := b.record(b.x.size())
	return b.x.append(b.block, record)
}

// record finishes the block and returns its record, for the offset at of an index. It is valid until the
// next one.
func (b *Builder) record(at int64) []byte {
	k := &b.block
	k.To = b.off
	k.Content, k.tail = b.content.Sum64(), xxhash.Sum64(b.tail)
	if k.Timed = b.timed && !b.untimed; !k.Timed {
		k.MinTime, k.MaxTime = 0, 0
	}
	k.last, k.lastKnown = b.last, b.lastKnown
	width := k.width()
	transpose(b.turned, b.fine, k.Strips, b.stride, b.log)
	m := fold(b.turned[:width<<b.log], k.Strips, b.log, k.perKey, float64(k.common)/100)
	k.log, k.rows = m.log, m.rows
	p := encodeEntry(b.out[:0], k)
	p = encodeStrips(p, b.ends, b.nul, b.foreign, b.sums)
	b.out = encodeRows(p, k, m, at+int64(len(p)))
	return b.out
}

// Finish makes what was appended durable.
func (b *Builder) Finish() error {
	if b.x == nil {
		return nil
	}
	return b.x.Sync()
}

// Due estimates, after the bytes there are have been fed, how long the file will be when the next block
// is complete.
func (b *Builder) Due() int64 {
	left := int64(b.block.Lines - b.lines)
	mean := int64(100) // before anything is known
	switch list := b.x.Blocks(); {
	case b.lines > 0:
		mean = (b.off - b.block.From) / int64(b.lines)
	case len(list) > 0:
		mean = (list[len(list)-1].To - list[len(list)-1].From) / int64(list[len(list)-1].Lines)
	}
	return b.off + left*mean
}
