package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// anyOf looks for any of count bytes.
func anyOf(name string, count int) {
	params := []string{"a", "b", "c"}[:count]
	signature := "func(p *byte, n int"
	for _, name := range params {
		signature += ", " + name + " byte"
	}
	TEXT(name, NOSPLIT, signature+") int")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s returns the first of n bytes (at least 32) that is one of the %d given, or -1.", name, count))
	p, n := GP64(), GP64()
	Load(Param("p"), p)
	Load(Param("n"), n)
	var wanted []reg.VecVirtual
	for _, name := range params {
		wanted = append(wanted, fill(name))
	}
	walk{
		unroll:  4,
		streams: []reg.GPVirtual{p},
		mask:    true,
		block: func(disp int) reg.VecVirtual {
			text := Mem{Base: p, Disp: disp}
			acc := YMM()
			VPCMPEQB(text, wanted[0], acc)
			for _, w := range wanted[1:] {
				r := YMM()
				VPCMPEQB(text, w, r)
				VPOR(r, acc, acc)
			}
			return acc
		},
	}.emit(n)
}

// fill makes a vector of the byte parameter of that name.
func fill(name string) reg.VecVirtual {
	x, v := GP64(), YMM()
	Load(Param(name), x)
	VMOVD(x.As32(), v.AsX())
	VPBROADCASTB(v.AsX(), v)
	return v
}

// lastByte is the only kernel that walks backwards: it finds where the line of a hit starts.
func lastByte() {
	TEXT("lastByteAVX2", NOSPLIT, "func(p *byte, n int, c byte) int")
	Pragma("noescape")
	Doc("lastByteAVX2 returns the last of n bytes (at least 32) that is c, or -1.")
	p, n := GP64(), GP64()
	Load(Param("p"), p)
	Load(Param("n"), n)
	wanted := fill("c")
	r, bits := YMM(), GP32()

	Label("loop")
	SUBQ(Imm(lane), n)
	JLT(LabelRef("head"))
	Label("test")
	VPCMPEQB(Mem{Base: p, Index: n, Scale: 1}, wanted, r)
	VPMOVMSKB(r, bits)
	TESTL(bits, bits)
	JE(LabelRef("loop"))
	BSRL(bits, bits)
	ADDQ(bits.As64(), n)
	VZEROUPPER()
	Store(n, ReturnIndex(0))
	RET()

	// n is what is left less 32: test the first 32 bytes once more unless nothing is left.
	Label("head")
	CMPQ(n, I32(-lane))
	JE(LabelRef("none"))
	XORQ(n, n)
	JMP(LabelRef("test"))

	Label("none")
	VZEROUPPER()
	MOVQ(I32(-1), n)
	Store(n, ReturnIndex(0))
	RET()
}

// ascii ORs 128 bytes at a time, whose high bits it then looks at together.
func ascii() {
	TEXT("asciiAVX2", NOSPLIT, "func(p *byte, n int) bool")
	Pragma("noescape")
	Doc("asciiAVX2 tells whether all of n bytes (at least 32) are below 0x80.")
	p, n := GP64(), GP64()
	Load(Param("p"), p)
	Load(Param("n"), n)
	a, b, bits := YMM(), YMM(), GP32()

	Label("wide")
	CMPQ(n, I32(4*lane))
	JLT(LabelRef("narrow"))
	VMOVDQU(Mem{Base: p}, a)
	VPOR(Mem{Base: p, Disp: lane}, a, a)
	VMOVDQU(Mem{Base: p, Disp: 2 * lane}, b)
	VPOR(Mem{Base: p, Disp: 3 * lane}, b, b)
	VPOR(b, a, a)
	VPMOVMSKB(a, bits)
	TESTL(bits, bits)
	JNE(LabelRef("no"))
	ADDQ(Imm(4*lane), p)
	SUBQ(I32(4*lane), n)
	JMP(LabelRef("wide"))

	// Less than 128 bytes are left; the last vector ends with them, whatever it tests once more.
	Label("narrow")
	TESTQ(n, n)
	JE(LabelRef("yes"))
	CMPQ(n, Imm(lane))
	JGE(LabelRef("one"))
	LEAQ(Mem{Base: p, Index: n, Scale: 1, Disp: -lane}, p)
	MOVQ(I32(lane), n)
	Label("one")
	VMOVDQU(Mem{Base: p}, a)
	VPMOVMSKB(a, bits)
	TESTL(bits, bits)
	JNE(LabelRef("no"))
	ADDQ(Imm(lane), p)
	SUBQ(Imm(lane), n)
	JMP(LabelRef("narrow"))

	yes := GP8()
	Label("yes")
	VZEROUPPER()
	MOVB(U8(1), yes)
	Store(yes, ReturnIndex(0))
	RET()
	Label("no")
	VZEROUPPER()
	MOVB(U8(0), yes)
	Store(yes, ReturnIndex(0))
	RET()
}
