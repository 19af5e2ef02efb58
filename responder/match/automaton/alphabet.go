package automaton

import (
	"slices"
	"unicode/utf8"
)

// side is what an assertion can ask about one side of a position.
type side uint8

const (
	sideEdge  side = 1 << iota // the start or end of the line
	sideWord                   // an ASCII word character
	sideUWord                  // a Unicode word character
	sideMid                    // inside a character: no assertion about words holds
)

// alphabet maps characters to symbols. Two characters share a symbol if every class and assertion of the
// pattern treats them alike. Symbols of ASCII characters come first, so that they and the two
// columns eol and esc fit a byte; symbols are the columns of all DFA tables.
type alphabet struct {
	n        int        // number of columns
	eol      int        // the column of the end of the line
	esc      int        // the column of a byte that has to be decoded first
	invalid  int        // the symbol of an invalid byte
	ascii    [128]uint8 // symbols of ASCII characters
	chars    [256]uint8 // column of a byte: ascii, esc
	bytes    [256]uint8 // the same, and eol for the terminator
	odd      [256]int16 // symbol of an invalid byte that the pattern names (OpByte), else -1
	hasOdd   bool       // the pattern has an OpByte
	bytewise bool       // all bytes from 0x80 on are one symbol, invalid: nothing to decode
	pages    []uint16   // block of each 256 characters, in steps of 256 into blocks
	blocks   []uint16   // symbols
	sides    []side     // of each symbol
}

// interval is a run of characters from lo up to the next interval's lo.
type interval struct {
	lo  rune
	sym int32 // its symbol; while partitioned, the number of its block
}

const (
	runeEnd    = utf8.MaxRune + 1
	maxSymbols = 1 << 15
)

// partition refines the characters by classes and returns the intervals, each with the number of its
// block, and the number of blocks. Block 0 is what no class holds.
func partition(classes [][]rune) ([]interval, int) {
	cuts := []rune{0, 0x80}
	for _, c := range classes {
		for i := 0; i < len(c); i += 2 {
			cuts = append(cuts, c[i], c[i+1]+1)
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	ivs := make([]interval, 0, len(cuts))
	for _, lo := range cuts {
		if lo < runeEnd {
			ivs = append(ivs, interval{lo: lo})
		}
	}
	moved := []int32{-1} // of each block: the block of its part in the class at hand
	var touched []int32
	for _, c := range classes {
		for i := 0; i < len(c); i += 2 {
			k, _ := slices.BinarySearchFunc(ivs, c[i], func(v interval, r rune) int { return int(v.lo - r) })
			for ; k < len(ivs) && ivs[k].lo <= c[i+1]; k++ {
				b := ivs[k].sym
				if moved[b] < 0 {
					moved[b] = int32(len(moved))
					moved = append(moved, -1)
					touched = append(touched, b)
				}
				ivs[k].sym = moved[b]
			}
		}
		for _, b := range touched {
			moved[b] = -1
		}
		touched = touched[:0]
	}
	return ivs, len(moved)
}

// newAlphabet builds the alphabet of a pattern with these classes, words among them, and OpBytes. fine says that
// the borders of characters matter even where no class does. The intervals come back with it.
func newAlphabet(classes [][]rune, odd []byte, fine bool, terminator byte, words []wordSet) (*alphabet, []interval) {
	for _, w := range words {
		classes = append(classes, w.class)
	}
	ivs, n := partition(classes)
	symbol := make([]int, n) // of each block
	for i := range symbol {
		symbol[i] = -1
	}
	a := &alphabet{}
	number := func(block int32) int {
		if symbol[block] < 0 {
			symbol[block] = a.n
			a.n++
		}
		return symbol[block]
	}
	for k := 0; ivs[k].lo < 0x80; k++ { // there is a cut at 0x80
		sym := uint8(number(ivs[k].sym))
		for r := ivs[k].lo; r < ivs[k+1].lo; r++ {
			a.ascii[r] = sym
		}
	}
	a.eol, a.esc = a.n, a.n+1
	a.n += 2
	a.invalid = number(0) // what no class holds; an invalid byte is in none either
	for b := range a.odd {
		a.odd[b] = -1
	}
	for _, b := range odd {
		if a.odd[b] < 0 {
			a.odd[b], a.hasOdd = int16(a.n), true
			a.n++
		}
	}
	a.bytewise = !fine && !a.hasOdd
	for k := range ivs {
		ivs[k].sym = int32(number(ivs[k].sym))
		if ivs[k].lo >= 0x80 && int(ivs[k].sym) != a.invalid {
			a.bytewise = false
		}
	}
	a.setBytes(terminator)
	if !a.bytewise && a.n <= maxSymbols {
		a.setPages(ivs)
	}
	a.sides = make([]side, a.n)
	a.sides[a.eol] = sideEdge
	for _, w := range words {
		classSymbols(w.class, ivs, func(sym int32) { a.sides[sym] |= w.side })
	}
	return a, ivs
}

// setBytes fills the columns of bytes.
func (a *alphabet) setBytes(terminator byte) {
	copy(a.chars[:], a.ascii[:])
	for b := len(a.ascii); b < len(a.chars); b++ {
		a.chars[b] = uint8(a.esc)
		if a.bytewise {
			a.chars[b] = uint8(a.invalid)
		}
	}
	a.bytes = a.chars
	a.bytes[terminator] = uint8(a.eol)
}

// escape returns the column that no transition is built for, or -1 if there is none.
func (a *alphabet) escape() int {
	if a.bytewise {
		return -1
	}
	return a.esc
}

// setPages fills the table from characters to symbols; pages of one symbol are stored once.
func (a *alphabet) setPages(ivs []interval) {
	a.pages = make([]uint16, runeEnd>>8)
	uniform := map[int32]uint16{}
	k := 0
	for p := range a.pages {
		lo := rune(p) << 8
		for k+1 < len(ivs) && ivs[k+1].lo <= lo {
			k++
		}
		whole := k+1 == len(ivs) || ivs[k+1].lo > lo+255
		if at, ok := uniform[ivs[k].sym]; whole && ok {
			a.pages[p] = at
			continue
		}
		a.pages[p] = uint16(len(a.blocks) >> 8)
		if whole {
			uniform[ivs[k].sym] = a.pages[p]
		}
		for j, r := k, lo; r < lo+256; r++ {
			for j+1 < len(ivs) && ivs[j+1].lo <= r {
				j++
			}
			a.blocks = append(a.blocks, uint16(ivs[j].sym))
		}
	}
}

// wordSet is a class whose membership assertions ask for.
type wordSet struct {
	class []rune
	side  side
}

// classSymbols calls f with the symbol of each interval of class; ivs are numbered by symbol.
func classSymbols(class []rune, ivs []interval, f func(sym int32)) {
	for i := 0; i < len(class); i += 2 {
		k, _ := slices.BinarySearchFunc(ivs, class[i], func(v interval, r rune) int { return int(v.lo - r) })
		for ; k < len(ivs) && ivs[k].lo <= class[i+1]; k++ {
			f(ivs[k].sym)
		}
	}
}

// rune returns the symbol of a valid character.
func (a *alphabet) rune(r rune) int {
	if r < 0x80 {
		return int(a.ascii[r])
	}
	if a.bytewise {
		return a.invalid
	}
	return int(a.blocks[int(a.pages[r>>8])<<8|int(r&255)])
}

// next returns the symbol at the start of p, which is not empty, and its length. A terminator is a
// character like any other here.
func (a *alphabet) next(p []byte) (sym, size int) {
	if p[0] < 0x80 {
		return int(a.ascii[p[0]]), 1
	}
	if a.bytewise {
		return a.invalid, 1
	}
	r, size := utf8.DecodeRune(p)
	if r == utf8.RuneError && size == 1 {
		return a.invalidByte(p[0]), 1
	}
	return int(a.blocks[int(a.pages[r>>8])<<8|int(r&255)]), size
}

// last returns the symbol at the end of p, which is not empty, and its length.
func (a *alphabet) last(p []byte) (sym, size int) {
	b := p[len(p)-1]
	if b < 0x80 {
		return int(a.ascii[b]), 1
	}
	if a.bytewise {
		return a.invalid, 1
	}
	r, size := utf8.DecodeLastRune(p)
	if r == utf8.RuneError && size == 1 {
		return a.invalidByte(b), 1
	}
	return a.rune(r), size
}

func (a *alphabet) invalidByte(b byte) int {
	if a.odd[b] >= 0 {
		return int(a.odd[b])
	}
	return a.invalid
}
