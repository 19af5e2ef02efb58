package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// streamBytes is the size of a Bits.
const streamBytes = 64 * 8

// streams are the kernels over whole Bits.
func streams() {
	logic("bitsAndAVX2", "a & b", VPAND)
	logic("bitsAndNotAVX2", "a &^ b", func(b, a, to Op) { VPANDN(a, b, to) })
	logic("bitsXorAVX2", "a ^ b", VPXOR)
	logic("bitsOrAVX2", "a | b", VPOR)
	shifted("bitsOverAVX2", "(a & b) << 1", true)
	shifted("bitsShiftAVX2", "a << 1", false)
	star()
}

// logic combines words one by one. join takes its operands in the order of the assembly: b, a, to.
func logic(name, doc string, join func(b, a, to Op)) {
	TEXT(name, NOSPLIT, "func(to, a, b *uint64)")
	Pragma("noescape")
	Doc(name + " sets to to " + doc + "; each is 64 words.")
	to, a, b := GP64(), GP64(), GP64()
	Load(Param("to"), to)
	Load(Param("a"), a)
	Load(Param("b"), b)
	for at := 0; at < streamBytes; at += lane {
		x, y := YMM(), YMM()
		VMOVDQU(Mem{Base: a, Disp: at}, x)
		VMOVDQU(Mem{Base: b, Disp: at}, y)
		join(y, x, x)
		VMOVDQU(x, Mem{Base: to, Disp: at})
	}
	VZEROUPPER()
	RET()
}

// shifted moves what a holds, where b does too, by one bit, from word to word. Words are turned round in their vector,
// and the last of the vector before takes the place of the first.
func shifted(name, doc string, masked bool) {
	signature := "func(to, a *uint64, carry uint64) uint64"
	if masked {
		signature = "func(to, a, b *uint64, carry uint64) uint64"
	}
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(name + " sets to to " + doc + ", 64 words, with carry as the first bit, and returns the one that is carried out.")
	to, a, b, carry := GP64(), GP64(), GP64(), GP64()
	Load(Param("to"), to)
	Load(Param("a"), a)
	if masked {
		Load(Param("b"), b)
	}
	Load(Param("carry"), carry)
	SHLQ(Imm(63), carry)
	before := YMM()
	VMOVQ(carry, before.AsX())
	for at := 0; at < streamBytes; at += lane {
		x, turned, high := YMM(), YMM(), YMM()
		VMOVDQU(Mem{Base: a, Disp: at}, x)
		if masked {
			VPAND(Mem{Base: b, Disp: at}, x, x)
		}
		VPERMQ(Imm(0b10_01_00_11), x, turned)
		VPBLENDD(Imm(0b11), before, turned, high)
		VPSRLQ(Imm(63), high, high)
		VPADDQ(x, x, x)
		VPOR(high, x, x)
		VMOVDQU(x, Mem{Base: to, Disp: at})
		before = turned
	}
	VMOVQ(before.AsX(), carry)
	SHRQ(Imm(63), carry)
	VZEROUPPER()
	Store(carry, ReturnIndex(0))
	RET()
}

// star adds in a pass of its own, since all else changes the carry flag.
func star() {
	TEXT("bitsStarAVX2", NOSPLIT, "func(to, a, b *uint64, carry uint64) uint64")
	Pragma("noescape")
	Doc("bitsStarAVX2 sets to to (((a & b) + b) ^ b) | a, added as numbers of 64 words, with carry, and returns the one that is carried out.")
	to, a, b, carry := GP64(), GP64(), GP64(), GP64()
	Load(Param("to"), to)
	Load(Param("a"), a)
	Load(Param("b"), b)
	Load(Param("carry"), carry)
	pass := func(f func(at int, x reg.VecVirtual)) {
		for at := 0; at < streamBytes; at += lane {
			x := YMM()
			f(at, x)
			VMOVDQU(x, Mem{Base: to, Disp: at})
		}
	}
	pass(func(at int, x reg.VecVirtual) {
		VMOVDQU(Mem{Base: a, Disp: at}, x)
		VPAND(Mem{Base: b, Disp: at}, x, x)
	})
	NEGQ(carry) // the flag is set unless it was 0
	word := GP64()
	for at := 0; at < streamBytes; at += 8 {
		MOVQ(Mem{Base: to, Disp: at}, word)
		ADCQ(Mem{Base: b, Disp: at}, word)
		MOVQ(word, Mem{Base: to, Disp: at})
	}
	SBBQ(carry, carry)
	NEGQ(carry)
	pass(func(at int, x reg.VecVirtual) {
		VMOVDQU(Mem{Base: to, Disp: at}, x)
		VPXOR(Mem{Base: b, Disp: at}, x, x)
		VPOR(Mem{Base: a, Disp: at}, x, x)
	})
	VZEROUPPER()
	Store(carry, ReturnIndex(0))
	RET()
}
