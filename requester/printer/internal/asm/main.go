// Command asm writes the AVX2 kernel of package printer, and its Go declaration:
//
//	go run . -out ../../prefix_amd64.s -stubs ../../prefix_amd64.go -pkg printer
//
// (go generate in package printer runs it; the output is committed.) It is a module of its own, so that
// avo is no dependency of the program.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

const (
	lane = 32
)

func main() {
	ConstraintExpr("amd64")
	prefix()
	Generate()
}

// prefix copies 32 bytes at a time. Where there are terminators among them, it copies what is behind each
// once more, behind the head: the next step begins where the last one ended whatever was found, so that the
// loads of text need not wait for it.
func prefix() {
	TEXT("prefixAVX2", NOSPLIT, "func(dst, src, head *byte, room, n, size, enough int, terminator byte) (read, written int)")
	Pragma("noescape")
	Doc("prefixAVX2 copies src to dst, 32 bytes a step, and writes the size bytes of head behind every terminator.",
		"It begins steps as long as no more than n bytes were read, no more than room written, and either fewer",
		"than enough were or the last step had no terminator. A step reads 64 bytes of src, and of head up to a",
		"multiple of 32; it writes up to 32 heads and 96 bytes.")
	d, s, head := GP64(), GP64(), GP64()
	Load(Param("dst"), d)
	Load(Param("src"), s)
	Load(Param("head"), head)
	room, n, size, enough := GP64(), GP64(), GP64(), GP64()
	Load(Param("room"), room)
	Load(Param("n"), n)
	Load(Param("size"), size)
	Load(Param("enough"), enough)
	ADDQ(d, room)
	ADDQ(d, enough)
	ADDQ(s, n)
	b, term := GP32(), YMM()
	Load(Param("terminator"), b)
	t := XMM()
	VMOVD(b, t)
	VPBROADCASTB(t, term)

	v, r, bits, from, to, at := YMM(), YMM(), GP64(), GP64(), GP64(), GP64()
	Label("step")
	CMPQ(s, n)
	JHI(LabelRef("out"))
	CMPQ(d, room)
	JHI(LabelRef("out"))
	VMOVDQU(Mem{Base: s}, v)
	VMOVDQU(v, Mem{Base: d})
	VPCMPEQB(v, term, r)
	VPMOVMSKB(r, bits.As32())
	ADDQ(Imm(lane), s)
	ADDQ(Imm(lane), d)
	TESTL(bits.As32(), bits.As32())
	JEQ(LabelRef("step"))

	Label("hit")
	TZCNTL(bits.As32(), at.As32())
	BLSRL(bits.As32(), bits.As32())
	LEAQ(Mem{Base: d, Index: at, Scale: 1, Disp: 1 - lane}, to)
	MOVQ(head, from)
	ADDQ(head, size)
	Label("head")
	VMOVDQU(Mem{Base: from}, v)
	VMOVDQU(v, Mem{Base: to})
	ADDQ(Imm(lane), from)
	ADDQ(Imm(lane), to)
	CMPQ(from, size)
	JCS(LabelRef("head"))
	SUBQ(head, size)
	ADDQ(size, d)
	VMOVDQU(Mem{Base: s, Index: at, Scale: 1, Disp: 1 - lane}, v)
	VMOVDQU(v, Mem{Base: d, Index: at, Scale: 1, Disp: 1 - lane})
	TESTL(bits.As32(), bits.As32())
	JNE(LabelRef("hit"))
	CMPQ(d, enough)
	JCS(LabelRef("step"))

	Label("out")
	VZEROUPPER()
	read, written := GP64(), GP64()
	Load(Param("src"), read)
	SUBQ(read, s)
	Store(s, ReturnIndex(0))
	Load(Param("dst"), written)
	SUBQ(written, d)
	Store(d, ReturnIndex(1))
	RET()
}
