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

// whole is a kernel that asks one question about all bytes: it joins 128 of them, and then looks at the
// high bits of what final makes of that; any says no.
func whole(name, doc string, join func(Op, reg.VecVirtual, reg.VecVirtual), final func(reg.VecVirtual)) {
	TEXT(name, NOSPLIT, "func(p *byte, n int) bool")
	Pragma("noescape")
	Doc(name + " tells whether " + doc)
	p, n := GP64(), GP64()
	Load(Param("p"), p)
	Load(Param("n"), n)
	a, b, bits := YMM(), YMM(), GP32()
	test := func() {
		final(a)
		VPMOVMSKB(a, bits)
		TESTL(bits, bits)
		JNE(LabelRef("no"))
	}

	Label("wide")
	CMPQ(n, I32(4*lane))
	JLT(LabelRef("narrow"))
	VMOVDQU(Mem{Base: p}, a)
	join(Mem{Base: p, Disp: lane}, a, a)
	VMOVDQU(Mem{Base: p, Disp: 2 * lane}, b)
	join(Mem{Base: p, Disp: 3 * lane}, b, b)
	join(b, a, a)
	test()
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
	test()
	ADDQ(Imm(lane), p)
	SUBQ(Imm(lane), n)
	JMP(LabelRef("narrow"))

	answer := GP8()
	for _, yes := range []bool{true, false} {
		Label(map[bool]string{true: "yes", false: "no"}[yes])
		VZEROUPPER()
		MOVB(U8(map[bool]uint8{true: 1}[yes]), answer)
		Store(answer, ReturnIndex(0))
		RET()
	}
}

func ascii() {
	whole("asciiAVX2", "all of n bytes (at least 32) are below 0x80.",
		func(x Op, y, to reg.VecVirtual) { VPOR(x, y, to) }, func(reg.VecVirtual) {})
}

func noZero() {
	zero := func() reg.VecVirtual {
		z := YMM()
		VPXOR(z, z, z)
		return z
	}
	whole("noZeroAVX2", "none of n bytes (at least 32) is 0.",
		func(x Op, y, to reg.VecVirtual) { VPMINUB(x, y, to) }, func(a reg.VecVirtual) { VPCMPEQB(zero(), a, a) })
}
