package block

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// pages reads the rows of one block, page by page, each once and with its check.
type pages struct {
	f     *os.File
	b     *Block
	at    int64 // of the first page
	buf   []byte
	where []int // in buf each page is, once it is checked, or -1
	whole bool  // all are in buf, in order
	read  int64
	page  int // bytes
}

// open turns to a block, of which about keys rows will be asked for.
func (p *pages) open(f *os.File, b *Block, keys int) {
	size := b.rowsBytes()
	p.f, p.b, p.page, p.read, p.whole = f, b, b.pageBytes(), 0, false
	p.at = b.at + entryBytes + int64(b.stripsBytes())
	p.buf, p.where = p.buf[:0], p.where[:0]
	for at := 0; at < size; at += p.page {
		p.where = append(p.where, -1)
	}
	if keys <= 2*len(p.where) {
		return
	}
	p.buf = slices.Grow(p.buf, size)[:size] // one long read is cheaper
	if p.whole = readAt(f, p.buf, p.at) == nil; p.whole {
		p.read = int64(size)
	} else {
		p.buf = p.buf[:0]
	}
}

// load makes sure of a page.
func (p *pages) load(i int) error {
	from := i * p.page
	size := min(p.page, p.b.rowsBytes()-from)
	at := from
	if !p.whole {
		at = len(p.buf)
		p.buf = slices.Grow(p.buf, size)[:at+size]
		if err := readAt(p.f, p.buf[at:], p.at+int64(from)); err != nil {
			return err
		}
		p.read += int64(size)
	}
	page, check := p.buf[at:at+size-checkBytes], p.buf[at+size-checkBytes:]
	if binary.LittleEndian.Uint32(check) != pageCheck(page, p.at+int64(from)) {
		return fmt.Errorf("%w: page %d of the block at %d", ErrDamaged, i, p.b.From)
	}
	p.where[i] = at
	return nil
}

// and takes from set the strips that do not have the gram of hash.
func (p *pages) and(set []uint64, hash uint64) error {
	row, place := rowOf(hash>>(64-p.b.log), p.b.rows, p.b.log)
	i := row / p.b.pageRows()
	if p.where[i] < 0 {
		if err := p.load(i); err != nil {
			return err
		}
	}
	bits := p.buf[p.where[i]+row%p.b.pageRows()*p.b.rowBytes():]
	if bits[0]>>place&1 != 0 {
		return nil // most strips have it
	}
	bits = bits[1:]
	for i := range set {
		set[i] &= binary.LittleEndian.Uint64(bits[i*8:])
	}
	return nil
}

// readAt reads all of p.
func readAt(f *os.File, p []byte, at int64) error {
	n, err := f.ReadAt(p, at)
	switch {
	case n == len(p):
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it ends too early", ErrDamaged)
	}
	return fmt.Errorf("read index: %w", err)
}

func damaged(err error) bool { return errors.Is(err, ErrDamaged) }
