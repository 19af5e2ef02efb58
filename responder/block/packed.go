package block

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/cespare/xxhash/v2"
)

// The index of an archive has blocks of its content, of which the last one ends where the content does,
// whatever its lines; points at which decompression can begin; and at its end, written when all else is
// durable, what the content is. Without that it says nothing: packed.go is what it has beside a plain one.

const (
	pointMagic   = "pont"
	pointBytes   = 40 // without the window
	contentMagic = "arch"
	contentBytes = 128 // without the head
	maxWindow    = 64 << 10
	maxHead      = 128 << 10
	prints       = 6
)

// Point is a place of an archive at which decompression can begin.
type Point struct {
	Out    int64 // offset in the content
	Bit    int64 // of the archive
	Window []byte
}

// Content is what an archive holds.
type Content struct {
	Size, Lines int64
	Longest     int64  // bytes of its longest line
	Untimed     int64  // bytes that follow each other without a line that has a time, at most
	Rules       uint64 // by which it was read, as the caller numbers them
	Head        []byte // its first bytes, as the caller packs them
	prints      [prints]uint64
}

// pointAt is a Point whose window is in the index.
type pointAt struct {
	out, bit int64
	at       int64 // of its record
	window   int
}

// AddPoint appends a Point. They come in order.
func (x *Index) AddPoint(p Point) error {
	if len(p.Window) > maxWindow {
		return fmt.Errorf("window of %d bytes", len(p.Window))
	}
	e := binary.LittleEndian
	r := append(make([]byte, 0, pointBytes+len(p.Window)), pointMagic...)
	r = e.AppendUint32(r, uint32(pointBytes+len(p.Window)))
	r = e.AppendUint64(r, uint64(p.Out))
	r = e.AppendUint64(r, uint64(p.Bit))
	r = e.AppendUint64(r, xxhash.Sum64(p.Window))
	r = appendSum(r, 0)
	x.mu.Lock()
	defer x.mu.Unlock()
	at := x.end
	if err := x.add(append(r, p.Window...), pointBytes); err != nil {
		return err
	}
	x.points = append(x.points, pointAt{p.Out, p.Bit, at, len(p.Window)})
	return nil
}

// add appends a record that is no block's, its first head bytes last. x.mu is held.
func (x *Index) add(record []byte, head int) error {
	if err := x.write(record, head, x.end); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	x.end += int64(len(record))
	return nil
}

// Complete says that all of the archive r, which was in the state s, is in the index. From then on it is
// relied upon.
func (x *Index) Complete(c Content, r io.ReaderAt, s State) error {
	if len(c.Head) > maxHead {
		return fmt.Errorf("head of %d bytes", len(c.Head))
	}
	var err error
	if c.prints, err = printsOf(r, s.Size); err != nil {
		return err
	}
	if err := x.Sync(); err != nil {
		return err
	}
	e := binary.LittleEndian
	p := append(make([]byte, 0, contentBytes+len(c.Head)), contentMagic...)
	p = e.AppendUint32(p, uint32(contentBytes+len(c.Head)))
	for _, v := range []int64{c.Size, c.Lines, c.Longest, c.Untimed, int64(c.Rules), s.Size, s.ModTime, s.Changed} {
		p = e.AppendUint64(p, uint64(v))
	}
	for _, v := range c.prints {
		p = e.AppendUint64(p, v)
	}
	p = appendSum(append(p, c.Head...), 0)
	x.mu.Lock()
	err = x.add(p, contentBytes)
	if err == nil {
		x.content, x.known = &c, s
	}
	x.mu.Unlock()
	return errors.Join(err, x.Sync())
}

// Content is what the archive holds; nil if the index is not complete, or of no archive.
func (x *Index) Content() *Content {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.content
}

// PointBefore returns the last Point at an offset of the content or before it; Point{} where the archive
// has to be read from its start.
func (x *Index) PointBefore(out int64) (Point, error) {
	x.mu.RLock()
	points := x.points
	x.mu.RUnlock()
	i := sort.Search(len(points), func(i int) bool { return points[i].out > out }) - 1
	if i < 0 {
		return Point{}, nil
	}
	at := points[i]
	record := make([]byte, pointBytes+at.window)
	if err := readAt(x.f, record, at.at); err != nil {
		return Point{}, err
	}
	p := Point{Out: at.out, Bit: at.bit}
	if at.window > 0 {
		p.Window = record[pointBytes:]
	}
	if !summed(record[:pointBytes]) || binary.LittleEndian.Uint64(record[24:]) != xxhash.Sum64(p.Window) {
		return Point{}, fmt.Errorf("%w: the point at %d", ErrDamaged, at.out)
	}
	return p, nil
}

// loadPacked reads the records of an archive's index.
func (x *Index) loadPacked(size int64) error {
	var off, line int64
	for x.content == nil {
		var head [entryBytes]byte
		n, err := x.f.ReadAt(head[:], x.end)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read index: %w", err)
		}
		if n < 8 {
			return nil
		}
		length := int64(binary.LittleEndian.Uint32(head[4:]))
		if x.end+length > size {
			return nil
		}
		ok := false
		switch string(head[:4]) {
		case entryMagic:
			var b Block
			b, ok = decodeEntry(head[:n], x.end, true)
			if ok = ok && b.From == off && b.FirstLine == line; ok {
				x.blocks = append(x.blocks, b)
				off, line = b.To, b.FirstLine+int64(b.Lines)
			}
		case pointMagic:
			ok = x.loadPoint(head[:n], length)
		case contentMagic:
			ok, err = x.loadContent(length, off)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if !ok {
			return nil
		}
		x.end += length
	}
	x.points = slices.Clip(x.points)
	return nil
}

func (x *Index) loadPoint(head []byte, length int64) bool {
	if len(head) < pointBytes || length < pointBytes || length > pointBytes+maxWindow || !summed(head[:pointBytes]) {
		return false
	}
	e := binary.LittleEndian
	p := pointAt{int64(e.Uint64(head[8:])), int64(e.Uint64(head[16:])), x.end, int(length - pointBytes)}
	if n := len(x.points); p.out <= 0 || p.bit < 0 || n > 0 && p.out <= x.points[n-1].out {
		return false
	}
	x.points = append(x.points, p)
	return true
}

// loadContent reads the last record, before which there are blocks up to the offset end.
func (x *Index) loadContent(length, end int64) (bool, error) {
	if length < contentBytes || length > contentBytes+maxHead {
		return false, nil
	}
	p := make([]byte, length)
	if err := readAt(x.f, p, x.end); err != nil {
		return false, err
	}
	if !summed(p) {
		return false, nil
	}
	e := binary.LittleEndian
	word := func(i int) int64 { return int64(e.Uint64(p[8+8*i:])) }
	c := &Content{Size: word(0), Lines: word(1), Longest: word(2), Untimed: word(3), Rules: uint64(word(4)),
		Head: p[contentBytes-sumBytes : length-sumBytes]}
	x.known = State{Size: word(5), ModTime: word(6), Changed: word(7)}
	for i := range c.prints {
		c.prints[i] = uint64(word(8 + i))
	}
	if c.Size != end {
		return false, nil
	}
	x.content = c
	return true, nil
}

// printsOf are the sums of some stretches of a file, its end among them.
func printsOf(r io.ReaderAt, size int64) (sums [prints]uint64, err error) {
	n := min(size, tailBytes)
	for i := range sums {
		if sums[i], err = sumAt(r, (size-n)/(prints-1)*int64(i), int(n)); err != nil {
			return sums, err
		}
	}
	sums[prints-1], err = sumAt(r, size-n, int(n))
	return sums, err
}

// checkPacked is Check for an archive: it does not grow, so that any change of its size or times is another
// archive; but a new name changes only its ctime.
func (x *Index) checkPacked(r io.ReaderAt, s State) (Verdict, error) {
	x.mu.RLock()
	c, known := x.content, x.known
	x.mu.RUnlock()
	switch {
	case c == nil || s.Size != known.Size || s.ModTime != known.ModTime:
		return Stale, nil
	case s == known:
		return Fresh, nil
	}
	sums, err := printsOf(r, s.Size)
	switch {
	case errors.Is(err, io.EOF):
		return Stale, nil
	case err != nil:
		return Unsure, err
	case sums != c.prints:
		return Stale, nil
	}
	x.Trust(s)
	return Fresh, nil
}

// End makes a block, the last one, of what is left of a content that does not grow: an archive's, a sealed block's.
// It returns how many lines the content has.
func (b *Builder) End() (lines int64, err error) {
	if b.pad() {
		err = b.end()
		b.begin()
	}
	return b.line, err
}

// pad ends the begun line and strip, and has those that are missing be empty; false if there is nothing.
func (b *Builder) pad() bool {
	if b.off == b.block.From {
		return false
	}
	part := len(b.before) > 0
	if part {
		b.time(nil)
		b.before = b.before[:0]
		b.line++
		b.lines++
	}
	if part || b.lines%b.o.StripLines != 0 {
		b.endStrip(b.off)
	}
	for len(b.ends) < b.o.Strips {
		b.ends = append(b.ends, b.off-b.block.From)
	}
	if b.packed {
		b.sumStrips(nil)
	}
	return true
}

// Rest returns the options for the last block of an archive, of a text that has fewer lines than other blocks.
func (o Options) Rest(text []byte) Options {
	lines := bytes.Count(text, []byte{'\n'})
	if !bytes.HasSuffix(text, []byte{'\n'}) {
		lines++
	}
	return o.Of(lines)
}

// Of returns the options for a block that has so many lines and no others: its strips are as many as that makes, so
// that it has as much of an index as its size deserves.
func (o Options) Of(lines int) Options {
	const strips = 64
	o.Strips, o.StripLines = strips, max((lines+strips-1)/strips, 1)
	used := float64(max((lines+o.StripLines-1)/o.StripLines, 1)) / strips
	o.RowsPerKey, o.Common = max(o.RowsPerKey/used, 0.1), max(o.Common*used, 0.01)
	o.RowsPerKey = min(o.RowsPerKey, 100)
	return o
}
