package seal

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"
)

// The file of a Block. Numbers are little-endian, or varints: u is unsigned, i is zigzag; text is its
// length, u, and its bytes. A sum is xxHash64.
//
//	block  = header frame* footer end
//	header = magic "trawlsea" | version u32 | 0 u32 | id, 16 bytes | sum of these u64
//	frame  = a zstd frame of whole lines
//	footer = service text | window i | span u | flags u | t_min i | t_max i | form u | lines u | bytes u
//	       | sealed i | frames u | of frames: stored u | size u | lines u | sum of the content u64
//	       | runs u | of runs: log, 16 bytes | path text | dev u | ino u | born i | head length u | head u64
//	       | from u | size u | line u | lines u | mtime i | last i | last known u | tail u64
//	       | since version 2: zone text | layout text | of runs: prior i | prior known u
//	end    = length of footer u32 | 0 u32 | sum of header, footer and length u64 | magic "trawlend"
//
// What the frames hold, one after the other, are the runs, one after the other. The sum at the end is the
// block's checksum: it covers those of all frames. A stub is a block without its frames, byte for byte.
const (
	headMagic   = "trawlsea"
	endMagic    = "trawlend"
	version     = 2
	headerBytes = 40
	endBytes    = 24
	maxFooter   = 16 << 20
	// maxBlock bounds the content of a block, and so that of a frame, in bytes.
	maxBlock = 16 << 20
)

// ErrDamaged says that a block is not what was written.
var ErrDamaged = errors.New("sealed block is damaged")

// ErrForeign says that a block is of another version of trawl.
var ErrForeign = errors.New("sealed block is of another version")

// flags of a footer.
const (
	flagTimed = 1 << iota
	flagNUL
	knownFlags = flagTimed | flagNUL
)

// ID names a block, or a log.
type ID [16]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Block is what is known of a sealed block.
type Block struct {
	ID      ID
	Service string
	// Window is the start of the window of time that its lines were clustered by, nanoseconds since 1970,
	// and Span the window's length. Lines that came late are with those that they came with.
	Window, Span int64
	// Timed tells that every line has a time, its own or that of the entry it belongs to, and that all lie
	// in [MinTime, MaxTime], nanoseconds since 1970.
	Timed            bool
	MinTime, MaxTime int64
	Form             uint64 // of the times, as the caller numbers it; 0: none
	Zone, Layout     string // of the times, as far as the node that sealed it was told or has them; empty: unknown
	NUL              bool   // it holds a NUL
	Lines            int64
	Bytes            int64 // of the lines
	Stored           int64 // of the file
	Sealed           int64 // when, nanoseconds since 1970
	Checksum         uint64
	Runs             []Run
	Away             bool // the Store has but a stub: what the frames hold is at other nodes

}

// Run is a stretch of a log that a block holds, and what is needed to know the log by and to go on behind
// it.
type Run struct {
	Log  ID
	Path string // where the log was then
	Identity
	From, To  int64 // bytes
	Line      int64 // lines before From
	Lines     int64
	ModTime   int64 // of the log then
	Last      int64 // the last time that a line before To had
	LastKnown bool  // there is one
	// Prior is the last time that a line before From had, if PriorKnown.
	Prior      int64
	PriorKnown bool
	Tail       uint64 // xxHash64 of the last 4 KiB before To
}

// Identity is what a log is known by, whatever its name.
type Identity struct {
	Dev, Ino  uint64
	Born      int64 // when the file was made, nanoseconds since 1970; 0: the file system does not say
	HeadBytes int   // of the start that Head is of
	Head      uint64
}

// frame is a part of a block that is read at once.
type frame struct {
	at     int64 // in the file
	stored int   // there
	from   int64 // in the content
	size   int   // there
	lines  int
	sum    uint64 // of the content
}

func encodeHeader(id ID) []byte {
	e := binary.LittleEndian
	p := append(make([]byte, 0, headerBytes), headMagic...)
	p = e.AppendUint32(p, version)
	p = e.AppendUint32(p, 0)
	p = append(p, id[:]...)
	return e.AppendUint64(p, xxhash.Sum64(p))
}

func decodeHeader(p []byte) (id ID, v uint32, err error) {
	e := binary.LittleEndian
	if len(p) != headerBytes || string(p[:8]) != headMagic {
		return id, 0, fmt.Errorf("%w: no header", ErrDamaged)
	}
	if v = e.Uint32(p[8:]); v == 0 || v > version {
		return id, v, fmt.Errorf("%w: %d, not up to %d", ErrForeign, v, version)
	}
	if e.Uint64(p[32:]) != xxhash.Sum64(p[:32]) {
		return id, v, fmt.Errorf("%w: its header", ErrDamaged)
	}
	return ID(p[16:32]), v, nil
}

// encodeEnd is footer and end. It gives the block its checksum.
func encodeEnd(b *Block, frames []frame, header []byte) []byte {
	e := binary.LittleEndian
	p := encodeFooter(nil, b, frames)
	p = e.AppendUint32(p, uint32(len(p)))
	p = e.AppendUint32(p, 0)
	d := xxhash.New()
	d.Write(header)
	d.Write(p)
	b.Checksum = d.Sum64()
	return append(e.AppendUint64(p, b.Checksum), endMagic...)
}

func encodeFooter(p []byte, b *Block, frames []frame) []byte {
	u, i, e := binary.AppendUvarint, binary.AppendVarint, binary.LittleEndian
	p = appendText(p, b.Service)
	p = u(i(p, b.Window), uint64(b.Span))
	var flags uint64
	if b.Timed {
		flags |= flagTimed
	}
	if b.NUL {
		flags |= flagNUL
	}
	p = i(i(u(p, flags), b.MinTime), b.MaxTime)
	p = u(u(u(p, b.Form), uint64(b.Lines)), uint64(b.Bytes))
	p = u(i(p, b.Sealed), uint64(len(frames)))
	for _, f := range frames {
		p = u(u(u(p, uint64(f.stored)), uint64(f.size)), uint64(f.lines))
		p = e.AppendUint64(p, f.sum)
	}
	p = u(p, uint64(len(b.Runs)))
	for k := range b.Runs {
		p = encodeRun(p, &b.Runs[k])
	}
	p = appendText(appendText(p, b.Zone), b.Layout)
	for k := range b.Runs {
		p = u(i(p, b.Runs[k].Prior), bit(b.Runs[k].PriorKnown))
	}
	return p
}

func bit(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

func encodeRun(p []byte, r *Run) []byte {
	u, i, e := binary.AppendUvarint, binary.AppendVarint, binary.LittleEndian
	p = appendText(append(p, r.Log[:]...), r.Path)
	p = i(u(u(p, r.Dev), r.Ino), r.Born)
	p = e.AppendUint64(u(p, uint64(r.HeadBytes)), r.Head)
	p = u(u(p, uint64(r.From)), uint64(r.To-r.From))
	p = u(u(p, uint64(r.Line)), uint64(r.Lines))
	p = i(i(p, r.ModTime), r.Last)
	return e.AppendUint64(u(p, bit(r.LastKnown)), r.Tail)
}

func appendText(p []byte, s string) []byte {
	return append(binary.AppendUvarint(p, uint64(len(s))), s...)
}

// endOf reads the end of a file of that size: where the footer begins, and its length.
func endOf(p []byte, size int64) (at int64, n int, err error) {
	e := binary.LittleEndian
	if len(p) != endBytes || string(p[16:]) != endMagic {
		return 0, 0, fmt.Errorf("%w: no end", ErrDamaged)
	}
	n = int(e.Uint32(p))
	if at = size - endBytes - int64(n); n > maxFooter || at < headerBytes {
		return 0, 0, fmt.Errorf("%w: its end", ErrDamaged)
	}
	return at, n, nil
}

// decodeFooter reads a footer whose sum was right. frames are to fill the file from the header to frameEnd; in
// a stub, whose frameEnd is the header's end, there are none.
// A footer that a mistake wrote has a right sum too: nothing in it is believed that cannot be.
func decodeFooter(p []byte, frameEnd int64, v uint32) (b Block, frames []frame, err error) {
	d := decoder{p: p}
	b.Service = d.text()
	b.Window, b.Span = d.int(), d.count(math.MaxInt64)
	flags := d.count(knownFlags)
	b.Timed, b.NUL = flags&flagTimed != 0, flags&flagNUL != 0
	b.MinTime, b.MaxTime = d.int(), d.int()
	b.Form = d.uint()
	b.Lines, b.Bytes = d.count(maxBlock), d.count(maxBlock)
	b.Sealed = d.int()
	at, from, lines := int64(headerBytes), int64(0), int64(0)
	frames = make([]frame, 0, d.length(11))
	for range cap(frames) {
		f := frame{at: at, from: from, stored: int(d.count(2 * maxBlock)), size: int(d.count(maxBlock)), lines: int(d.count(maxBlock)), sum: d.fixed()}
		frames = append(frames, f)
		at, from, lines = at+int64(f.stored), from+int64(f.size), lines+int64(f.lines)
	}
	if d.failed || at != frameEnd && frameEnd != headerBytes || from != b.Bytes || lines != b.Lines {
		return b, nil, fmt.Errorf("%w: its frames", ErrDamaged)
	}
	b.Away = at != frameEnd
	b.Stored = at + int64(len(p)) + endBytes
	b.Runs = make([]Run, 0, d.length(40))
	from, lines = 0, 0
	for range cap(b.Runs) {
		r := d.run()
		b.Runs = append(b.Runs, r)
		from, lines = from+r.To-r.From, lines+r.Lines
	}
	if v > 1 {
		b.Zone, b.Layout = d.text(), d.text()
		for i := range b.Runs {
			b.Runs[i].Prior, b.Runs[i].PriorKnown = d.int(), d.count(1) == 1
		}
	}
	if d.failed || len(d.p) > 0 || from != b.Bytes || lines != b.Lines {
		return b, nil, fmt.Errorf("%w: its runs", ErrDamaged)
	}
	return b, frames, nil
}

// decoder reads a footer. After a failure it gives zeros.
type decoder struct {
	p      []byte
	failed bool
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.p)
	if n <= 0 {
		d.failed, d.p = true, nil
		return 0
	}
	d.p = d.p[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.p)
	if n <= 0 {
		d.failed, d.p = true, nil
		return 0
	}
	d.p = d.p[n:]
	return v
}

// count is a number of at most most.
func (d *decoder) count(most int64) int64 {
	v := d.uint()
	if v > uint64(most) {
		d.failed, d.p = true, nil
		return 0
	}
	return int64(v)
}

// length is the number of what follows, each at least so many bytes.
func (d *decoder) length(least int) int { return int(d.count(int64(len(d.p) / least))) }

func (d *decoder) bytes(n int) []byte {
	if n > len(d.p) {
		d.failed, d.p = true, nil
		return make([]byte, min(n, 16))
	}
	b := d.p[:n]
	d.p = d.p[n:]
	return b
}

func (d *decoder) fixed() uint64 { return binary.LittleEndian.Uint64(d.bytes(8)) }

func (d *decoder) text() string { return string(d.bytes(int(d.count(int64(len(d.p)))))) }

func (d *decoder) run() (r Run) {
	copy(r.Log[:], d.bytes(len(r.Log)))
	r.Path = d.text()
	r.Dev, r.Ino, r.Born = d.uint(), d.uint(), d.int()
	r.HeadBytes, r.Head = int(d.count(printBytes)), d.fixed()
	r.From = d.count(math.MaxInt64 - maxBlock)
	r.To = r.From + d.count(maxBlock)
	r.Line, r.Lines = d.count(math.MaxInt64-maxBlock), d.count(maxBlock)
	r.ModTime, r.Last, r.LastKnown = d.int(), d.int(), d.count(1) == 1
	r.Tail = d.fixed()
	if r.To == r.From || r.Lines == 0 || int64(r.HeadBytes) > r.To {
		d.failed = true
	}
	return r
}
