package simd

import "math/bits"

// Class is a set of bytes.
type Class [4]uint64

// Add adds the bytes from lo to hi, both included.
func (c *Class) Add(lo, hi byte) {
	for b := int(lo); b <= int(hi); b++ {
		c[b>>6] |= 1 << (b & 63)
	}
}

// Has tells whether b is in c.
func (c *Class) Has(b byte) bool { return c[b>>6]>>(b&63)&1 != 0 }

// span returns the lowest and highest byte of c, and whether all between them are in it.
func (c *Class) span() (lo, hi byte, whole bool) {
	first, last, count := -1, 0, 0
	for b := range 256 {
		if c.Has(byte(b)) {
			if first < 0 {
				first = b
			}
			last = b
			count++
		}
	}
	return byte(max(first, 0)), byte(last), count > 0 && last-first+1 == count
}

// row is the set of low nibbles of the bytes of c that have the high nibble h.
func (c *Class) row(h int) uint16 { return uint16(c[h>>2] >> (h & 3 * 16)) }

// maxClasses is how many bytes a Window has at most: more would rarely tell more, and take longer.
const maxClasses = 4

// Window finds runs of bytes that are each in a class of their own, such as a digit, a dot, a digit.
type Window struct {
	kernel windowKernel
}

// NewWindow returns a Window of two to four classes, in the order of the bytes. It returns false for
// fewer, for more, and for the rare class whose sixteen rows of sixteen bytes have more than eight shapes.
func NewWindow(classes []Class) (*Window, bool) {
	if len(classes) < 2 || len(classes) > maxClasses {
		return nil, false
	}
	w := &Window{}
	k := &w.kernel
	k.width, k.ranges = len(classes), true
	for i := range classes {
		c := &classes[i]
		for b := range 256 {
			if c.Has(byte(b)) {
				k.in[b] |= 1 << i
			}
		}
		lo, hi, whole := c.span()
		k.minus[i], k.span[i] = -lo, hi-lo
		k.ranges = k.ranges && whole
		if !fillShapes(&k.tables[i], c) {
			return nil, false
		}
	}
	return w, true
}

// fillShapes writes the nibble tables of c, with a bit for each shape of its rows; false if eight do
// not suffice.
func fillShapes(tables *[2][lane]uint8, c *Class) bool {
	var shapes []uint16
	for h := range 16 {
		row := c.row(h)
		if row == 0 {
			continue
		}
		shape := 0
		for shape < len(shapes) && shapes[shape] != row {
			shape++
		}
		if shape == 8 {
			return false
		}
		if shape == len(shapes) {
			shapes = append(shapes, row)
		}
		bit := uint8(1) << shape
		for l := row; l != 0; l &= l - 1 {
			low := bits.TrailingZeros16(l)
			tables[0][low] |= bit
			tables[0][low+16] |= bit
		}
		tables[1][h] |= bit
		tables[1][h+16] |= bit
	}
	return true
}

// Next returns the first position in buf, from on, where the classes' bytes begin, or -1.
func (w *Window) Next(buf []byte, from int) int {
	n := len(buf) - from - w.kernel.width + 1
	if n <= 0 {
		return -1
	}
	if i := w.kernel.next(buf[from:], n); i >= 0 {
		return from + i
	}
	return -1
}
