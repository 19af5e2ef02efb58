package block

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"
)

// The file of an Index. Numbers are little-endian; a sum is xxHash64 of what stands before it.
//
//	index  = header record*
//	header = magic "trawlblk" | version u32 | scheme u32 | dev u64 | ino u64 | head length u32
//	       | length of service u32 | head u64 | form u64 | service, 192 bytes, padded with zeros | sum u64
//	record = entry strips page*
//	entry  = magic "blok" | size of the record u32 | from u64 | to u64 | first line u64 | lines u32
//	       | strips u32 | rows u32 | log u8 | flags u8 | common % u8 | 0 u8 | rows a key × 1000 u32
//	       | t_min i64 | t_max i64 | t_last i64 | content u64 | tail u64
//	       | file's size u64 | mtime i64 | ctime i64 | sum u64
//	strips = end of each strip, from the block's start, u64 | bits of strips with NUL
//	       | bits of strips with ſ or K | check of each strip's bytes u32, in version 3 | sum u64
//	page   = row* | check u32
//	row    = mask u8 | bits of strips
//
// Version 3 is the index of an archive, of whose content the blocks are. (Version 2 was one without the checks of
// strips.)
//
//	index   = header (record | point)* content
//	point   = magic "pont" | size of the record u32 | offset in the content u64 | bit of the archive u64
//	        | sum of the window u64 | sum u64 | window
//	content = magic "arch" | size of the record u32 | size u64 | lines u64 | longest line u64
//	        | longest stretch without a time u64 | rules u64 | archive's size u64 | mtime i64 | ctime i64
//	        | sums of 6 stretches of the archive u64 | head | sum u64
//
// A page has as many rows as fit into pagePayload bytes, at least one. Its check is the lower half of
// the sum of its rows, XORed with a number that its place in the file gives, so that a page in the
// wrong place is none. A record begins where the one before ends, as does its block; the index ends
// before the first entry that is not right.
const (
	magic       = "trawlblk"
	version     = 1
	packed      = 3 // version of the index of an archive
	headerBytes = 256
	maxService  = 192

	entryMagic  = "blok"
	entryBytes  = 124
	pagePayload = 1020
	checkBytes  = 4
	sumBytes    = 8
)

// ErrDamaged says that an index is not what was written. It is dropped and built anew.
var ErrDamaged = errors.New("index is damaged")

// ErrForeign says that an index is of another version, or of another file.
var ErrForeign = errors.New("index is foreign")

// flags of an entry.
const (
	flagNUL     = 1 << iota // some strip holds a NUL
	flagTimes               // t_min and t_max hold for every line
	flagLast                // t_last is known
	flagForeign             // some strip holds ſ or K
	knownFlags  = flagNUL | flagTimes | flagLast | flagForeign
)

// Block is a complete run of lines of a file.
type Block struct {
	From, To  int64 // bytes
	FirstLine int64 // lines before it
	Lines     int
	Strips    int // with Lines/Strips lines each

	// Timed tells that every line has a time, its own or that of the entry it belongs to, and that all
	// lie in [MinTime, MaxTime], nanoseconds since 1970.
	Timed            bool
	MinTime, MaxTime int64

	NUL     bool   // it holds a NUL
	Content uint64 // xxHash64 of its bytes

	at             int64 // of its record in the index
	rows           int
	log            uint
	common         uint8   // percent
	sums           bool    // strips have checks of their bytes
	perKey         float64 // rows a key
	last           int64
	lastKnown      bool
	foreign        bool   // it holds ſ or K
	tail           uint64 // xxHash64 of its last tailBytes
	size           int64  // of the file when the block was built, its mtime and ctime
	mtime, changed int64
}

// Shape are the options that it was made with.
func (b *Block) Shape() Options {
	return Options{Strips: b.Strips, StripLines: b.Lines / b.Strips, RowsPerKey: b.perKey, Common: float64(b.common) / 100}
}

// width is the words of a row.
func (b *Block) width() int { return b.Strips / 64 }

// rowBytes is the size of a row in the file.
func (b *Block) rowBytes() int { return 1 + b.Strips/8 }

// pageRows is the number of rows of a page.
func (b *Block) pageRows() int { return max(pagePayload/b.rowBytes(), 1) }

// pageBytes is the size of a page.
func (b *Block) pageBytes() int { return b.pageRows()*b.rowBytes() + checkBytes }

// stripsBytes is the size of the section of strips.
func (b *Block) stripsBytes() int {
	n := b.Strips*8 + b.Strips/8*2 + sumBytes
	if b.sums {
		n += b.Strips * checkBytes
	}
	return n
}

// rowsBytes is the size of all pages.
func (b *Block) rowsBytes() int {
	pages := (b.rows + b.pageRows() - 1) / b.pageRows()
	return b.rows*b.rowBytes() + pages*checkBytes
}

// recordBytes is the size of the record.
func (b *Block) recordBytes() int { return entryBytes + b.stripsBytes() + b.rowsBytes() }

// Bytes is the size of what the index holds of the block.
func (b *Block) Bytes() int { return b.recordBytes() }

func appendSum(p []byte, from int) []byte {
	return binary.LittleEndian.AppendUint64(p, xxhash.Sum64(p[from:]))
}

// summed tells whether p ends in the sum of the rest.
func summed(p []byte) bool {
	n := len(p) - sumBytes
	return n >= 0 && binary.LittleEndian.Uint64(p[n:]) == xxhash.Sum64(p[:n])
}

// pageCheck is the check of a page's rows at a place of the file.
func pageCheck(rows []byte, at int64) uint32 {
	return uint32(xxhash.Sum64(rows)) ^ uint32(uint64(at)*gramPrime>>32)
}

func encodeHeader(f *File) []byte {
	e := binary.LittleEndian
	p := make([]byte, 0, headerBytes)
	p = append(p, magic...)
	if f.Packed {
		p = e.AppendUint32(p, packed)
	} else {
		p = e.AppendUint32(p, version)
	}
	p = e.AppendUint32(p, scheme)
	p = e.AppendUint64(p, f.Dev)
	p = e.AppendUint64(p, f.Ino)
	p = e.AppendUint32(p, uint32(f.HeadBytes))
	p = e.AppendUint32(p, uint32(len(f.Service)))
	p = e.AppendUint64(p, f.Head)
	p = e.AppendUint64(p, f.Form)
	p = append(p, f.Service...)
	p = append(p, make([]byte, headerBytes-sumBytes-len(p))...)
	return appendSum(p, 0)
}

func decodeHeader(p []byte) (File, error) {
	e := binary.LittleEndian
	if len(p) != headerBytes || string(p[:8]) != magic {
		return File{}, fmt.Errorf("%w: no header", ErrDamaged)
	}
	v, s := e.Uint32(p[8:]), e.Uint32(p[12:])
	if v != version && v != packed || s != scheme {
		return File{}, fmt.Errorf("%w: version %d.%d, not %d.%d", ErrForeign, v, s, version, scheme)
	}
	if !summed(p) {
		return File{}, fmt.Errorf("%w: its header", ErrDamaged)
	}
	n := e.Uint32(p[36:])
	if n > maxService || e.Uint32(p[32:]) > headBytes {
		return File{}, fmt.Errorf("%w: its header", ErrDamaged)
	}
	return File{
		Dev: e.Uint64(p[16:]), Ino: e.Uint64(p[24:]), HeadBytes: int(e.Uint32(p[32:])), Head: e.Uint64(p[40:]),
		Form: e.Uint64(p[48:]), Service: string(p[56 : 56+n]), Packed: v == packed,
	}, nil
}

func encodeEntry(p []byte, b *Block) []byte {
	e := binary.LittleEndian
	from := len(p)
	var flags byte
	for _, f := range []struct {
		set  bool
		flag byte
	}{{b.NUL, flagNUL}, {b.Timed, flagTimes}, {b.lastKnown, flagLast}, {b.foreign, flagForeign}} {
		if f.set {
			flags |= f.flag
		}
	}
	p = append(p, entryMagic...)
	p = e.AppendUint32(p, uint32(b.recordBytes()))
	p = e.AppendUint64(p, uint64(b.From))
	p = e.AppendUint64(p, uint64(b.To))
	p = e.AppendUint64(p, uint64(b.FirstLine))
	p = e.AppendUint32(p, uint32(b.Lines))
	p = e.AppendUint32(p, uint32(b.Strips))
	p = e.AppendUint32(p, uint32(b.rows))
	p = append(p, byte(b.log), flags, b.common, 0)
	p = e.AppendUint32(p, uint32(math.Round(b.perKey*1000)))
	for _, v := range []int64{b.MinTime, b.MaxTime, b.last, int64(b.Content), int64(b.tail), b.size, b.mtime, b.changed} {
		p = e.AppendUint64(p, uint64(v))
	}
	return appendSum(p, from)
}

// decodeEntry reads the entry of a record that stands at the offset at, of an index whose strips have sums; false if
// it is none.
func decodeEntry(p []byte, at int64, sums bool) (b Block, ok bool) {
	if len(p) != entryBytes || string(p[:4]) != entryMagic || !summed(p) {
		return b, false
	}
	e := binary.LittleEndian
	word := func(at int) int64 { return int64(e.Uint64(p[at:])) }
	flags := p[45]
	b = Block{
		From: word(8), To: word(16), FirstLine: word(24), Lines: int(e.Uint32(p[32:])), Strips: int(e.Uint32(p[36:])),
		rows: int(e.Uint32(p[40:])), log: uint(p[44]), common: p[46], perKey: float64(e.Uint32(p[48:])) / 1000,
		NUL: flags&flagNUL != 0, Timed: flags&flagTimes != 0, lastKnown: flags&flagLast != 0,
		foreign: flags&flagForeign != 0,
		MinTime: word(52), MaxTime: word(60), last: word(68), Content: uint64(word(76)), tail: uint64(word(84)),
		size: word(92), mtime: word(100), changed: word(108), at: at, sums: sums,
	}
	return b, b.sane() && flags&^knownFlags == 0 && int(e.Uint32(p[4:])) == b.recordBytes()
}

// sane tells whether b can be: an entry that a mistake wrote has a right sum too.
func (b *Block) sane() bool {
	return b.From >= 0 && b.From < b.To && b.FirstLine >= 0 && b.Strips >= 64 && b.Strips <= MaxStrips && b.Strips%64 == 0 &&
		b.Lines >= b.Strips && b.Lines%b.Strips == 0 && b.log >= leastLog && b.log <= maxLog && b.rows >= 1 && b.rows <= 1<<b.log && 1<<b.log <= b.rows*maxFold
}

// encodeStrips appends the section of strips.
func encodeStrips(p []byte, ends []int64, nul, foreign []uint64, sums []uint32) []byte {
	e := binary.LittleEndian
	from := len(p)
	for _, end := range ends {
		p = e.AppendUint64(p, uint64(end))
	}
	for _, set := range [][]uint64{nul, foreign} {
		for _, w := range set {
			p = e.AppendUint64(p, w)
		}
	}
	for _, s := range sums {
		p = e.AppendUint32(p, s)
	}
	return appendSum(p, from)
}

// encodeRows appends the pages of m; the first is at the offset at of the file.
func encodeRows(p []byte, b *Block, m *matrix, at int64) []byte {
	e := binary.LittleEndian
	for first := 0; first < m.rows; first += b.pageRows() {
		from := len(p)
		for r := first; r < min(first+b.pageRows(), m.rows); r++ {
			p = append(p, m.masks[r])
			for _, w := range m.words[r*m.width : (r+1)*m.width] {
				p = e.AppendUint64(p, w)
			}
		}
		p = e.AppendUint32(p, pageCheck(p[from:], at))
		at += int64(len(p) - from)
	}
	return p
}
