package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lane is how many positions one vector tests.
const lane = 32

// walk is the loop that all forward kernels share. It tests the positions 0 … n-1 of the text at p,
// unroll vectors at a time, then one at a time, then the last 32 positions once more if n is no
// multiple of 32; n is at least 32. It returns the first position that passes, or -1.
//
// Given a batch, it does not stop there, but notes the line around the position (lines.go), goes on
// behind it, and returns where it has come to: less than 32 positions before n, or where the batch is full.
type walk struct {
	unroll int

	// streams are the pointers that advance with the position; the first is the position itself.
	streams []reg.GPVirtual

	// block tests the 32 positions at streams+disp. A byte of the result is not 0 where a position
	// passes; with mask it is 0xff there.
	block func(disp int) reg.VecVirtual
	mask  bool

	batch reg.GPVirtual // a pointer, or nil if the kernel takes none

	// confirm jumps to no if the position at pos fails a closer look. Without it all that pass block are hits.
	confirm func(pos reg.GPVirtual, no string)
}

func (w walk) emit(n reg.GPVirtual) {
	at := w.streams[0]
	start, end, room, hit := GP64(), GP64(), GP64(), GP64()
	MOVQ(at, start)
	LEAQ(Mem{Base: at, Index: n, Scale: 1}, end)

	if w.unroll > 1 {
		Label("wide")
		MOVQ(end, room)
		SUBQ(at, room)
		CMPQ(room, Imm(uint64(w.unroll*lane)))
		JLT(LabelRef("narrow"))
		w.wideAt(0, start, hit)
		w.advance(w.unroll * lane)
		JMP(LabelRef("wide"))
	}

	Label("narrow")
	MOVQ(end, room)
	SUBQ(at, room)
	CMPQ(room, Imm(lane))
	JLT(LabelRef("tail"))
	Label("last")
	w.candidates("narrow", start, hit, 0, w.block(0))
	w.advance(lane)
	JMP(LabelRef("narrow"))

	// Fewer than 32 positions are left: step back so that the last vector ends with them. What it
	// tests again fails again. After it, nothing is left.
	Label("tail")
	TESTQ(room, room)
	JE(LabelRef("none"))
	if w.batch != nil {
		TESTQ(w.batch, w.batch)
		JNE(LabelRef("out")) // what is left would be tested, and found, twice
	}
	SUBQ(Imm(lane), room)
	for _, s := range w.streams {
		ADDQ(room, s)
	}
	JMP(LabelRef("last"))

	if w.batch != nil {
		w.lines(start, end, hit)
	}

	Label("none")
	if w.batch != nil {
		TESTQ(w.batch, w.batch)
		JNE(LabelRef("out"))
	}
	VZEROUPPER()
	result := GP64()
	MOVQ(I32(-1), result)
	Store(result, ReturnIndex(0))
	RET()
}

func (w walk) advance(by int) {
	for _, s := range w.streams {
		ADDQ(Imm(uint64(by)), s)
	}
}

// wideAt tests unroll vectors at disp with one branch, and looks closer only if any position passed.
func (w walk) wideAt(disp int, start, hit reg.GPVirtual) {
	var results []reg.VecVirtual
	for i := range w.unroll {
		results = append(results, w.block(disp+i*lane))
	}
	name := fmt.Sprintf("wide%d", disp/lane)
	if w.unroll > 1 {
		sum := YMM()
		VPOR(results[0], results[1], sum)
		for _, r := range results[2:] {
			VPOR(r, sum, sum)
		}
		VPTEST(sum, sum)
		JE(LabelRef(name + "_next"))
	}
	for i := 0; i < w.unroll; i += 2 {
		w.candidates(fmt.Sprintf("%s_%d", name, i), start, hit, disp+i*lane, results[i:min(i+2, w.unroll)]...)
	}
	Label(name + "_next")
}

// bits turns one or two results into a mask with a bit for each position that passed.
func (w walk) bits(results []reg.VecVirtual) reg.GPVirtual {
	one := func(r reg.VecVirtual) reg.GPVirtual {
		bits := GP64()
		if w.mask {
			VPMOVMSKB(r, bits.As32())
			return bits
		}
		zero := YMM()
		VPXOR(zero, zero, zero)
		VPCMPEQB(zero, r, zero)
		VPMOVMSKB(zero, bits.As32())
		NOTL(bits.As32())
		return bits
	}
	bits := one(results[0])
	if len(results) == 2 {
		high := one(results[1])
		SHLQ(Imm(lane), high)
		ORQ(high, bits)
	}
	return bits
}

// candidates returns from the kernel with the first position of results that is confirmed, or goes on.
func (w walk) candidates(name string, start, hit reg.GPVirtual, disp int, results ...reg.VecVirtual) {
	bits := w.bits(results)
	TESTQ(bits, bits)
	JE(LabelRef(name + "_done"))
	Label(name + "_try")
	pos := GP64()
	TZCNTQ(bits, pos)
	LEAQ(Mem{Base: w.streams[0], Index: pos, Scale: 1, Disp: disp}, pos)
	if w.confirm != nil {
		w.confirm(pos, name+"_no")
	}
	w.found(start, hit, pos)
	if w.confirm != nil {
		Label(name + "_no")
		rest := GP64()
		LEAQ(Mem{Base: bits, Disp: -1}, rest)
		ANDQ(rest, bits)
		JNE(LabelRef(name + "_try"))
	}
	Label(name + "_done")
}

// found goes where a confirmed position is returned or its line entered.
func (w walk) found(start, hit, pos reg.GPVirtual) {
	if w.batch != nil {
		MOVQ(pos, hit)
		JMP(LabelRef("hit"))
		return
	}
	SUBQ(start, pos)
	VZEROUPPER()
	Store(pos, ReturnIndex(0))
	RET()
}

// begin opens a kernel func(k, p *byte, n int, b *byte) int and loads its arguments. k and b are the first
// bytes of structs of package simd, whose types avo could only name if this module depended on it.
func begin(name, doc string) (k, p, n, b reg.GPVirtual) {
	doc += "\nWith a batch at b it takes all of them, and notes their lines (batch.go)."
	return open(name, doc)
}

// open is begin without what is said of batches.
func open(name, doc string) (k, p, n, b reg.GPVirtual) {
	TEXT(name, NOSPLIT, "func(k, p *byte, n int, b *byte) int")
	Pragma("noescape")
	Doc(strings.Split(doc, "\n")...)
	k, p, n, b = GP64(), GP64(), GP64(), GP64()
	Load(Param("k"), k)
	Load(Param("p"), p)
	Load(Param("n"), n)
	Load(Param("b"), b)
	return k, p, n, b
}
