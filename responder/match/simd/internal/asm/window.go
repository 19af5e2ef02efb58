package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in windowKernel.
const (
	windowTables = 0
	windowMinus  = 256
	windowSpan   = 260
)

// windowRange tests bytes that are each in one range: b-low ≤ span, unsigned.
func windowRange(width int) {
	name := fmt.Sprintf("windowRange%dAVX2", width)
	k, p, n, b := begin(name, windowDoc(name, width))
	var minus, span []reg.VecVirtual
	for at := range width {
		minus = append(minus, broadcast(k, windowMinus+at))
		span = append(span, broadcast(k, windowSpan+at))
	}
	walk{
		batch:   b,
		unroll:  2,
		streams: []reg.GPVirtual{p},
		mask:    true,
		block: func(disp int) reg.VecVirtual {
			var acc reg.VecVirtual
			for at := range width {
				x, least := YMM(), YMM()
				VPADDB(Mem{Base: p, Disp: disp + at}, minus[at], x)
				VPMINUB(span[at], x, least)
				VPCMPEQB(least, x, x)
				if acc == nil {
					acc = x
					continue
				}
				VPAND(x, acc, acc)
			}
			return acc
		},
	}.emit(n)
}

// windowNibble tests bytes against sets whose sixteen rows of sixteen have at most eight shapes: the
// high nibble's table names the shape, the low nibble's the shapes that hold it.
func windowNibble(width int) {
	name := fmt.Sprintf("windowNibble%dAVX2", width)
	k, p, n, b := begin(name, windowDoc(name, width))
	mask, zero := nibbleMask(), YMM()
	VPXOR(zero, zero, zero)
	var tables [][2]reg.VecVirtual
	for at := range width {
		var t [2]reg.VecVirtual
		for half := range t {
			t[half] = YMM()
			VMOVDQU(Mem{Base: k, Disp: windowTables + (at*2+half)*lane}, t[half])
		}
		tables = append(tables, t)
	}
	walk{
		batch:   b,
		unroll:  2,
		streams: []reg.GPVirtual{p},
		mask:    true,
		block: func(disp int) reg.VecVirtual {
			var fails reg.VecVirtual
			for at := range width {
				low, high := nibbles(Mem{Base: p, Disp: disp + at}, mask)
				VPSHUFB(low, tables[at][0], low)
				VPSHUFB(high, tables[at][1], high)
				VPAND(high, low, low)
				VPCMPEQB(zero, low, low)
				if fails == nil {
					fails = low
					continue
				}
				VPOR(low, fails, fails)
			}
			VPCMPEQB(zero, fails, fails)
			return fails
		},
	}.emit(n)
}

func windowDoc(name string, width int) string {
	return fmt.Sprintf(`%s returns the first position below n (at least 32) whose %d bytes are in the classes of the windowKernel at k,
or -1. It reads p[:n+%d].`, name, width, width-1)
}
