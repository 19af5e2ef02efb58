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
