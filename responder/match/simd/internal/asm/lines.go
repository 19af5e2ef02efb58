package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in batch, and in Hit.
const (
	batchHits  = 0
	batchRoom  = 8
	batchBase  = 16
	batchSize  = 24
	batchCount = 32
	batchEnd   = 40
	batchTerm  = 48

	hitStart = 0
	hitEnd   = 8
	hitAt    = 16 // and three times 8 bytes each
)

// lines is where a hit goes: without a batch it is returned. With one, the terminators around it are
// looked for, 32 bytes at a time, the line is entered, and the walk goes on behind it. A batch that
// has no place for hits only counts them, and needs no start of the line.
func (w walk) lines(start, end, hit reg.GPVirtual) {
	b := w.batch
	Label("hit")
	TESTQ(b, b)
	JNE(LabelRef("line"))
	SUBQ(start, hit)
	VZEROUPPER()
	Store(hit, ReturnIndex(0))
	RET()

	Label("line")
	term, r, bits := YMM(), YMM(), GP64()
	first, last, next, other := GP64(), GP64(), GP64(), GP64()
	VPBROADCASTB(Mem{Base: b, Disp: batchTerm}, term)
	// Registers are few: where the buffer ends is kept in memory.
	MOVQ(Mem{Base: b, Disp: batchBase}, next)
	ADDQ(Mem{Base: b, Disp: batchSize}, next)
	MOVQ(next, Mem{Base: b, Disp: batchEnd})
	MOVQ(hit, first)
	CMPQ(Mem{Base: b, Disp: batchHits}, Imm(0))
	JEQ(LabelRef("forward"))

	// How many lanes there are is hard to foretell: four at once cost less than a branch that was not.
	Label("back_wide")
	SUBQ(Imm(4*lane), first)
	CMPQ(first, Mem{Base: b, Disp: batchBase})
	JCS(LabelRef("back_narrow"))
	masks(first, term, bits, next, other)
	MOVQ(I32(-1), other)
	BSRQ(bits, bits)
	CMOVQEQ(other, bits)
	BSRQ(next, next)
	LEAQ(Mem{Base: next, Disp: 64}, next)
	CMOVQNE(next, bits)
	TESTQ(bits, bits)
	JLT(LabelRef("back_wide"))
	LEAQ(Mem{Base: first, Index: bits, Scale: 1, Disp: 1}, first)
	JMP(LabelRef("forward"))

	Label("back_narrow")
	ADDQ(Imm(4*lane), first)
	Label("back")
	SUBQ(Imm(lane), first)
	CMPQ(first, Mem{Base: b, Disp: batchBase})
	JCS(LabelRef("near_base"))
	VPCMPEQB(Mem{Base: first}, term, r)
	VPMOVMSKB(r, bits.As32())
	TESTL(bits.As32(), bits.As32())
	JE(LabelRef("back"))
	BSRL(bits.As32(), bits.As32())
	LEAQ(Mem{Base: first, Index: bits, Scale: 1, Disp: 1}, first)
	JMP(LabelRef("forward"))

	Label("near_base")
	ADDQ(Imm(lane), first)
	MOVBLZX(Mem{Base: b, Disp: batchTerm}, bits.As32())
	Label("back_byte")
	CMPQ(first, Mem{Base: b, Disp: batchBase})
	JEQ(LabelRef("forward"))
	CMPB(bits.As8(), Mem{Base: first, Disp: -1})
	JEQ(LabelRef("forward"))
	DECQ(first)
	JMP(LabelRef("back_byte"))

	Label("forward")
	MOVQ(hit, last)
	Label("forward_wide")
	LEAQ(Mem{Base: last, Disp: 4 * lane}, next)
	CMPQ(next, Mem{Base: b, Disp: batchEnd})
	JHI(LabelRef("forward_lane"))
	masks(last, term, bits, next, other)
	TZCNTQ(bits, other)
	TZCNTQ(next, next)
	LEAQ(Mem{Base: next, Disp: 64}, next)
	TESTQ(bits, bits)
	CMOVQEQ(next, other)
	ADDQ(other, last)
	CMPQ(other, I32(4*lane))
	JEQ(LabelRef("forward_wide"))
	JMP(LabelRef("enter"))

	Label("forward_lane")
	LEAQ(Mem{Base: last, Disp: lane}, next)
	CMPQ(next, Mem{Base: b, Disp: batchEnd})
	JHI(LabelRef("near_end"))
	VPCMPEQB(Mem{Base: last}, term, r)
	VPMOVMSKB(r, bits.As32())
	TESTL(bits.As32(), bits.As32())
	JNE(LabelRef("ended"))
	MOVQ(next, last)
	JMP(LabelRef("forward_lane"))
	Label("ended")
	TZCNTL(bits.As32(), bits.As32())
	ADDQ(bits, last)
	JMP(LabelRef("enter"))

	Label("near_end")
	MOVBLZX(Mem{Base: b, Disp: batchTerm}, bits.As32())
	Label("forward_byte")
	CMPQ(last, Mem{Base: b, Disp: batchEnd})
	JEQ(LabelRef("enter"))
	CMPB(bits.As8(), Mem{Base: last})
	JEQ(LabelRef("enter"))
	INCQ(last)
	JMP(LabelRef("forward_byte"))

	Label("enter")
	CMPQ(Mem{Base: b, Disp: batchHits}, Imm(0))
	JEQ(LabelRef("entered"))
	MOVQ(Mem{Base: b, Disp: batchCount}, bits)
	LEAQ(Mem{Base: bits, Index: bits, Scale: 2}, bits)
	SHLQ(Imm(3), bits)
	ADDQ(Mem{Base: b, Disp: batchHits}, bits)
	MOVQ(Mem{Base: b, Disp: batchBase}, next)
	SUBQ(next, first)
	MOVQ(first, Mem{Base: bits, Disp: hitStart})
	SUBQ(next, hit)
	MOVQ(hit, Mem{Base: bits, Disp: hitAt})
	MOVQ(last, first)
	SUBQ(next, first)
	MOVQ(first, Mem{Base: bits, Disp: hitEnd})
	Label("entered")
	INCQ(last)
	SUBQ(w.streams[0], last)
	for _, s := range w.streams {
		ADDQ(last, s)
	}
	MOVQ(Mem{Base: b, Disp: batchCount}, bits)
	INCQ(bits)
	MOVQ(bits, Mem{Base: b, Disp: batchCount})
	CMPQ(bits, Mem{Base: b, Disp: batchRoom})
	JEQ(LabelRef("out"))
	CMPQ(w.streams[0], end)
	JCS(LabelRef(map[bool]string{true: "wide", false: "narrow"}[w.unroll > 1]))

	Label("out")
	VZEROUPPER()
	MOVQ(w.streams[0], next)
	SUBQ(start, next)
	Store(next, ReturnIndex(0))
	RET()
}

// masks compares 128 bytes at p with term: a bit for each of the first 64 in low, of the others in high.
func masks(p reg.GPVirtual, term reg.VecVirtual, low, high, scratch reg.GPVirtual) {
	r := YMM()
	for i, bits := range []reg.GPVirtual{low, scratch, high, scratch} {
		VPCMPEQB(Mem{Base: p, Disp: i * lane}, term, r)
		VPMOVMSKB(r, bits.As32())
		if i&1 == 1 {
			SHLQ(Imm(lane), scratch)
			ORQ(scratch, []reg.GPVirtual{low, high}[i/2])
		}
	}
}
