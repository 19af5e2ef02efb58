package block

import "math/bits"

// leastLog is the log of a word's bits.
const leastLog = 6

// maxFold is how many fine rows a row of the file has at most: a bit of its mask each.
const maxFold = 8

// matrix is the filter of a block: rows of width words each, one bit a strip, and for each row a mask
// of those of its fine rows that were left out because most strips have them. A hash's highest log
// bits are its fine row; the fine rows are spread over the rows in order.
type matrix struct {
	log   uint
	rows  int
	width int // words
	words []uint64
	masks []byte
}

// rowOf returns the row of a fine row, and its place among those of the row.
func rowOf(fine uint64, rows int, log uint) (row int, place uint) {
	r := fine * uint64(rows) >> log
	return int(r), uint(fine) - uint(firstOf(int(r), rows, log))
}

// firstOf is the first fine row of a row.
func firstOf(row, rows int, log uint) int { return (row<<log + rows - 1) / rows }

// transpose turns the strips' bits, each stride words apart, into fine rows of width words. strips is
// a multiple of 64.
func transpose(dst, src []uint64, strips, stride int, log uint) {
	width, words := strips/64, 1<<log/64
	var block [64]uint64
	for g := range width {
		for w := range words {
			at := g*64*stride + w
			if accelerated {
				transposeVector(dst[w*64*width+g:w*64*width+g+63*width+1], width, src[at:at+63*stride+1], stride)
				continue
			}
			for k := range block {
				block[k] = src[at]
				at += stride
			}
			transpose64(&block)
			at = w*64*width + g
			for k := range block {
				dst[at] = block[k]
				at += width
			}
		}
	}
}

// transpose64 swaps rows and columns: bit i of word k becomes bit k of word i.
func transpose64(a *[64]uint64) {
	mask := uint64(0x00000000FFFFFFFF)
	for j := 32; j != 0; j >>= 1 {
		for k := 0; k < 64; k = (k + j + 1) &^ j {
			t := (a[k]>>uint(j) ^ a[k+j]) & mask
			a[k] ^= t << uint(j)
			a[k+j] ^= t
		}
		mask ^= mask << uint(j>>1)
	}
}

// fold makes the matrix of a block from its fine rows, which it overwrites. It has perKey rows for each
// key that a strip has in the mean. A fine row that a share of common of the strips have is left out.
func fold(fine []uint64, strips int, log uint, perKey, common float64) *matrix {
	width := strips / 64
	least := max(int(common*float64(strips)), 1)
	for {
		total := 0
		for f := range 1 << log {
			if n := ones(fine[f*width : (f+1)*width]); n < least {
				total += n
			}
		}
		rows := min(max(int(perKey*float64(total)/float64(strips)), 1), 1<<log)
		if 1<<log <= rows*maxFold || log <= leastLog {
			return gather(fine, width, log, max(rows, 1<<log/maxFold), least)
		}
		log--
		for f := range 1 << log {
			for w := range width {
				fine[f*width+w] = fine[2*f*width+w] | fine[(2*f+1)*width+w]
			}
		}
	}
}

func ones(row []uint64) int {
	if len(row) == 1 { // as it mostly is
		return bits.OnesCount64(row[0])
	}
	n := 0
	for _, w := range row {
		n += bits.OnesCount64(w)
	}
	return n
}

func gather(fine []uint64, width int, log uint, rows, least int) *matrix {
	m := &matrix{log: log, rows: rows, width: width, words: make([]uint64, rows*width), masks: make([]byte, rows)}
	f := 0
	for r := range rows {
		dst := m.words[r*width : (r+1)*width]
		for place := 0; f < firstOf(r+1, rows, log); place, f = place+1, f+1 {
			src := fine[f*width : (f+1)*width]
			if ones(src) >= least {
				m.masks[r] |= 1 << place
				continue
			}
			for w, v := range src {
				dst[w] |= v
			}
		}
	}
	return m
}
