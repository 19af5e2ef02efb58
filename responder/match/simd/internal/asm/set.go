package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in setKernel. Tables are indexed by bank, byte of the window, half (low, high nibble).
const (
	setTables = 0
	setWidth  = 6
	setFold   = 768
	setKeep   = 772
	setBitmap = 776

	setFoldWord = 4872
	setWant     = 4880
	setMask     = 5392
	setFirst    = 5904
	setAfter    = 6160

	// hashFactor and hashShift spread a window's first four bytes over the bitmap, as setHash does, and over the slots, as slot does.
	hashFactor = 0x9e3779b1
	hashShift  = 17
	slotShift  = 7
)

func setTable(bank, at, half int) int { return setTables + ((bank*setWidth+at)*2+half)*lane }

// setShape is one kernel of the family: how many bytes of the window it looks at, how many banks of
// eight buckets it has, and whether it looks at low nibbles only.
//
// The low nibble needs no masking (VPSHUFB ignores bits 4 to 6, and yields 0 for bytes above 0x7f) and
// is the same for both cases of a letter, so one instruction tests a byte: four low nibbles cost less
// than two whole bytes, and tell texts apart about as well.
type setShape struct {
	name   string
	width  int
	banks  int
	full   bool
	unroll int
	skim   bool
}

func set(s setShape) {
	begin := begin
	if s.skim {
		begin = beginSkim
	}
	k, p, n, b := begin(s.name, s.name+` returns the first position below n (at least 32) that passes the tables and the bitmap of the setKernel at k,
or -1. It reads as many bytes from each position as the tables are wide, and 8 from candidates.`)
	var nibble reg.VecVirtual
	if s.full {
		nibble = nibbleMask()
	}
	tables := map[int]reg.VecVirtual{}
	table := func(bank, at, half int) reg.VecVirtual {
		disp := setTable(bank, at, half)
		if t, ok := tables[disp]; ok {
			return t
		}
		t := YMM()
		VMOVDQU(Mem{Base: k, Disp: disp}, t)
		return t
	}
	for bank := range s.banks {
		if s.full && bank == 1 {
			break // sixteen registers do not hold them: loaded where they are used
		}
		for at := range s.width {
			tables[setTable(bank, at, 0)] = table(bank, at, 0)
			if s.full {
				tables[setTable(bank, at, 1)] = table(bank, at, 1)
			}
		}
	}
	block := func(disp int) reg.VecVirtual {
		acc := make([]reg.VecVirtual, s.banks)
		and := func(bank int, r reg.VecVirtual) {
			if acc[bank] == nil {
				acc[bank] = r
				return
			}
			VPAND(r, acc[bank], acc[bank])
		}
		for at := range s.width {
			text := Mem{Base: p, Disp: disp + at}
			if !s.full && s.banks == 1 {
				r := YMM()
				VPSHUFB(text, table(0, at, 0), r)
				and(0, r)
				continue
			}
			if !s.full {
				x := YMM()
				VMOVDQU(text, x)
				for bank := range s.banks {
					and(bank, lookup(x, table(bank, at, 0)))
				}
				continue
			}
			low, high := nibbles(text, nibble)
			for bank := range s.banks {
				and(bank, lookup(low, table(bank, at, 0)))
				and(bank, lookup(high, table(bank, at, 1)))
			}
		}
		if s.banks == 2 {
			VPOR(acc[1], acc[0], acc[0])
		}
		return acc[0]
	}
	w := walk{
		unroll:  s.unroll,
		streams: []reg.GPVirtual{p},
		block:   block,
		confirm: func(pos reg.GPVirtual, no string) {
			h, word := GP32(), GP32()
			MOVL(Mem{Base: pos}, h)
			ORL(Mem{Base: k, Disp: setFold}, h)
			ANDL(Mem{Base: k, Disp: setKeep}, h)
			IMUL3L(U32(hashFactor), h, h)
			SHRL(Imm(hashShift), h)
			MOVL(h, word)
			SHRL(Imm(5), word)
			MOVL(Mem{Base: k, Index: word, Scale: 4, Disp: setBitmap}, word)
			BTL(h, word)
			JCC(LabelRef(no))
			// The literals of the slot, h's high 8 bits.
			text := GP64()
			MOVQ(Mem{Base: pos}, text)
			ORQ(Mem{Base: k, Disp: setFoldWord}, text)
			SHRL(Imm(slotShift), h)
			which := h.As64()
			MOVBQSX(Mem{Base: k, Index: which, Scale: 1, Disp: setFirst}, which)
			Label(no + "_literal")
			TESTQ(which, which)
			JLT(LabelRef(no))
			MOVQ(Mem{Base: k, Index: which, Scale: 8, Disp: setWant}, word.As64())
			XORQ(text, word.As64())
			TESTQ(word.As64(), Mem{Base: k, Index: which, Scale: 8, Disp: setMask})
			JEQ(LabelRef(no + "_yes"))
			MOVBQSX(Mem{Base: k, Index: which, Scale: 1, Disp: setAfter}, which)
			JMP(LabelRef(no + "_literal"))
			Label(no + "_yes")
		},
	}
	w.finish(n, b, s.skim)
}

// nibbleMask is 0x0f in every byte.
func nibbleMask() reg.VecVirtual {
	x, v := GP32(), YMM()
	MOVL(U32(0x0f0f0f0f), x)
	VMOVD(x, v.AsX())
	VPBROADCASTD(v.AsX(), v)
	return v
}

// nibbles loads 32 bytes and splits them.
func nibbles(text Mem, mask reg.VecVirtual) (low, high reg.VecVirtual) {
	low, high = YMM(), YMM()
	VMOVDQU(text, low)
	VPSRLW(Imm(4), low, high)
	VPAND(mask, low, low)
	VPAND(mask, high, high)
	return low, high
}

func lookup(nibbles, table reg.VecVirtual) reg.VecVirtual {
	r := YMM()
	VPSHUFB(nibbles, table, r)
	return r
}
