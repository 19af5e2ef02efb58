package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in pairKernel.
const (
	pairAt1    = 0
	pairAt2    = 8
	pairAtWord = 16
	pairFold   = 24
	pairKeep   = 32
	pairWant   = 40
	pairByte1  = 48
	pairByte2  = 49
	pairFold1  = 50
	pairFold2  = 51
	pairAtNext = 56
	pairMinus  = 64
	pairSpan   = 65
)

// pair compares two bytes of a literal at their distance, then eight more (masked) at once, then looks whether what follows
// the literal is in its range. Ignoring case costs an OR with 0x20 for each byte that is a letter.
func pair(name string, fold, skim bool) {
	begin := begin
	if skim {
		begin = beginSkim
	}
	k, p, n, b := begin(name, name+` returns the first position below n (at least 32) where both bytes, the word and the byte behind of the pairKernel at k match,
or -1. It reads p[at : at+n] for at1 and at2, 8 bytes at atWord of each candidate, and one at atNext.`)
	p1, p2 := GP64(), GP64()
	MOVQ(p, p1)
	ADDQ(Mem{Base: k, Disp: pairAt1}, p1)
	MOVQ(p, p2)
	ADDQ(Mem{Base: k, Disp: pairAt2}, p2)
	byte1, byte2 := broadcast(k, pairByte1), broadcast(k, pairByte2)
	var fold1, fold2 reg.VecVirtual
	if fold {
		fold1, fold2 = broadcast(k, pairFold1), broadcast(k, pairFold2)
	}
	atWord := GP64()
	MOVQ(Mem{Base: k, Disp: pairAtWord}, atWord)

	compare := func(stream reg.GPVirtual, disp int, b, f reg.VecVirtual) reg.VecVirtual {
		r := YMM()
		if fold {
			VPOR(Mem{Base: stream, Disp: disp}, f, r)
			VPCMPEQB(b, r, r)
		} else {
			VPCMPEQB(Mem{Base: stream, Disp: disp}, b, r)
		}
		return r
	}
	w := walk{
		unroll:  4,
		streams: []reg.GPVirtual{p, p1, p2},
		mask:    true,
		block: func(disp int) reg.VecVirtual {
			r1 := compare(p1, disp, byte1, fold1)
			r2 := compare(p2, disp, byte2, fold2)
			VPAND(r1, r2, r1)
			return r1
		},
		confirm: func(pos reg.GPVirtual, no string) {
			word := GP64()
			MOVQ(Mem{Base: pos, Index: atWord, Scale: 1}, word)
			ORQ(Mem{Base: k, Disp: pairFold}, word)
			XORQ(Mem{Base: k, Disp: pairWant}, word)
			TESTQ(word, Mem{Base: k, Disp: pairKeep})
			JNE(LabelRef(no))
			MOVQ(Mem{Base: k, Disp: pairAtNext}, word)
			MOVBLZX(Mem{Base: pos, Index: word, Scale: 1}, word.As32())
			ADDB(Mem{Base: k, Disp: pairMinus}, word.As8())
			CMPB(word.As8(), Mem{Base: k, Disp: pairSpan})
			JHI(LabelRef(no))
		},
	}
	w.finish(n, b, skim)
}

// broadcast fills a vector with the byte at k+disp.
func broadcast(k reg.GPVirtual, disp int) reg.VecVirtual {
	v := YMM()
	VPBROADCASTB(Mem{Base: k, Disp: disp}, v)
	return v
}
