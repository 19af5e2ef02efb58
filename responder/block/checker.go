package block

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"github.com/cespare/xxhash/v2"
)

// Checker holds the content of an archive against its index, strip by strip, as it is decompressed: where that
// begins at a Point and ends before the archive does, the archive's own checksums say nothing. One goroutine uses it.
type Checker struct {
	x       *Index
	blocks  []Block
	section []byte // strips of block
	block   *Block // that at is in; nil: none is read
	at      int64  // offset of what comes next
	begun   bool   // sum is of all that stands in the strip before at
	sum     *xxhash.Digest
}

// Checker returns one for the index of an archive.
func (x *Index) Checker() *Checker {
	return &Checker{x: x, blocks: x.Blocks(), at: -1, sum: xxhash.New()}
}

// Take takes what stands at an offset of the content. It returns ErrDiffers, wrapped, where a strip has come to its
// end that was taken from its start on and is not what was indexed; other errors are those of reading the index.
func (c *Checker) Take(off int64, p []byte) error {
	if off != c.at {
		c.at, c.begun = off, false
	}
	for len(p) > 0 {
		found, err := c.open()
		if err != nil || !found {
			c.at, c.begun = c.at+int64(len(p)), false
			return err
		}
		i, start, end := c.strip()
		if c.at < start || c.at >= end {
			return fmt.Errorf("%w: strips of the block at %d", ErrDamaged, c.block.From)
		}
		if c.at == start {
			c.sum.Reset()
			c.begun = true
		}
		n := int(min(int64(len(p)), end-c.at))
		if c.begun {
			c.sum.Write(p[:n])
		}
		p, c.at = p[n:], c.at+int64(n)
		if c.at == end && c.begun && uint32(c.sum.Sum64()) != c.check(i) {
			c.at += int64(len(p))
			c.begun = false
			return fmt.Errorf("%w: %d bytes at %d", ErrDiffers, end-start, start)
		}
	}
	return nil
}

// open turns to the block that at is in; false if there is none.
func (c *Checker) open() (bool, error) {
	if c.block != nil && c.block.From <= c.at && c.at < c.block.To {
		return true, nil
	}
	c.block = nil
	i := sort.Search(len(c.blocks), func(i int) bool { return c.blocks[i].To > c.at })
	if i == len(c.blocks) || !c.blocks[i].sums {
		return false, nil
	}
	b := &c.blocks[i]
	c.section = slices.Grow(c.section[:0], b.stripsBytes())[:b.stripsBytes()]
	if err := readAt(c.x.f, c.section, b.at+entryBytes); err != nil {
		return false, err
	}
	if !summed(c.section) {
		return false, fmt.Errorf("%w: strips of the block at %d", ErrDamaged, b.From)
	}
	c.block = b
	return true, nil
}

// strip is the one that at is in, and where it starts and ends.
func (c *Checker) strip() (i int, start, end int64) {
	ends := func(i int) int64 { return c.block.From + int64(binary.LittleEndian.Uint64(c.section[i*8:])) }
	i = sort.Search(c.block.Strips-1, func(i int) bool { return ends(i) > c.at })
	if start = c.block.From; i > 0 {
		start = ends(i - 1)
	}
	return i, start, ends(i)
}

// check is the lower half of the sum of a strip.
func (c *Checker) check(i int) uint32 {
	return binary.LittleEndian.Uint32(c.section[c.block.Strips*8+c.block.Strips/8*2+i*checkBytes:])
}
