// Command asm writes the kernels of package block for AVX2 and BMI2, and their Go declarations:
//
//	go run . -out ../../kernels_amd64.s -stubs ../../kernels_amd64.go -pkg block
//
// (go generate in package block runs it; the output is committed.) It is a module of its own, so that avo is no
// dependency of the program.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	lowerCase()
	grams()
	words()
	transpose()
	Generate()
}

// same makes a vector of one byte over and over.
func same(b byte) reg.VecVirtual {
	x, v := GP32(), YMM()
	MOVL(U32(uint32(b)*0x01010101), x)
	VMOVD(x, v.AsX())
	VPBROADCASTD(v.AsX(), v)
	return v
}

// lowerCase: a byte is a letter if its lower case lies between 'a' and 'z'; compared as signed, those that are not
// ASCII lie below.
func lowerCase() {
	TEXT("lowerCaseAVX2", NOSPLIT, "func(p *byte, words int, letters *uint64) bool")
	Pragma("noescape")
	Doc("lowerCaseAVX2 puts 64 × words bytes (at least 64) in lower case, sets the bits of letters that say which are",
		"letters, and tells whether any is NUL or not ASCII.")
	p, words, letters := GP64(), GP64(), GP64()
	Load(Param("p"), p)
	Load(Param("words"), words)
	Load(Param("letters"), letters)
	below, above, bit, none, odd := same('a'-1), same('z'+1), same(0x20), YMM(), YMM()
	VPXOR(none, none, none)
	VPXOR(odd, odd, odd)

	Label("lower")
	half := func(disp int) reg.GPVirtual {
		x, low, is, mask := YMM(), YMM(), YMM(), GP32()
		VMOVDQU(Mem{Base: p, Disp: disp}, x)
		VPOR(x, bit, low)
		VPCMPGTB(below, low, is)
		VPCMPGTB(low, above, low)
		VPAND(low, is, is)
		VPMOVMSKB(is, mask)
		VPAND(bit, is, is)
		VPOR(is, x, x)
		VMOVDQU(x, Mem{Base: p, Disp: disp})
		VPOR(x, odd, odd)
		VPCMPEQB(none, x, x)
		VPOR(x, odd, odd)
		return mask.As64().(reg.GPVirtual)
	}
	first, second := half(0), half(32)
	SHLQ(Imm(32), second)
	ORQ(first, second)
	MOVQ(second, Mem{Base: letters})
	ADDQ(Imm(64), p)
	ADDQ(Imm(8), letters)
	DECQ(words)
	JNE(LabelRef("lower"))

	bits, any := GP32(), GP8()
	VPMOVMSKB(odd, bits)
	TESTL(bits, bits)
	SETNE(any)
	VZEROUPPER()
	Store(any, ReturnIndex(0))
	RET()
}

// grams: of each eight bytes, four grams.
func grams() {
	TEXT("gramsBMI2", NOSPLIT, "func(set *uint64, shift uint64, text *byte, n int)")
	Pragma("noescape")
	Doc("gramsBMI2 sets the bits of the first n grams of text, behind which slack bytes may be read, as strip.grams does.")
	set, shift, text, n := GP64(), GP64(), GP64(), GP64()
	Load(Param("set"), set)
	Load(Param("shift"), shift)
	Load(Param("text"), text)
	Load(Param("n"), n)
	mask, prime := GP64(), GP64()
	MOVQ(U64(1<<40-1), mask)
	MOVQ(U64(0x9E3779B97F4A7C15), prime)
	enter := func(v reg.GPVirtual) {
		h := GP64()
		MOVQ(v, h)
		ANDQ(mask, h)
		IMULQ(prime, h)
		SHRXQ(shift, h, h)
		setBit(set, h)
	}

	Label("four")
	SUBQ(Imm(4), n)
	JLT(LabelRef("rest"))
	v := GP64()
	MOVQ(Mem{Base: text}, v)
	for i := range 4 {
		if i > 0 {
			SHRQ(Imm(8), v)
		}
		enter(v)
	}
	ADDQ(Imm(4), text)
	JMP(LabelRef("four"))

	Label("rest")
	ADDQ(Imm(4), n)
	Label("one")
	SUBQ(Imm(1), n)
	JLT(LabelRef("done"))
	w := GP64()
	MOVQ(Mem{Base: text}, w)
	enter(w)
	INCQ(text)
	JMP(LabelRef("one"))
	Label("done")
	RET()
}

// setBit sets a bit of set.
func setBit(set, bit reg.GPVirtual) {
	at, word := GP64(), GP64()
	MOVQ(bit, at)
	SHRQ(Imm(6), at)
	MOVQ(Mem{Base: set, Index: at, Scale: 8}, word)
	BTSQ(bit, word)
	MOVQ(word, Mem{Base: set, Index: at, Scale: 8})
}

// number is a word of the read-only data: there are not enough registers for all.
func number(name string, v uint64) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	DATA(0, U64(v))
	return m
}

// words: see strip.words, which this is.
func words() {
	prime, letterPrime, stepPrime := number("prime", 0x9E3779B97F4A7C15), number("letterPrime", 0xC2B2AE3D27D4EB4F), number("stepPrime", 0x165667B19E3779F9)
	ones := number("ones", 1<<64-1)
	TEXT("wordsBMI2", NOSPLIT, "func(set *uint64, shift uint64, text *byte, letters *uint64, n int, recent *uint64)")
	Pragma("noescape")
	Doc("wordsBMI2 enters the letters of text, which the first n words (at least one) of letters tell, as strip.words does.")
	set, shift, text, letters, count, recent := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	for i, r := range []reg.GPVirtual{set, shift, text, letters, count, recent} {
		Load(ParamIndex(i), r)
	}

	Label("sixtyfour")
	m, next := GP64(), GP64()
	MOVQ(Mem{Base: letters}, m)
	MOVQ(Mem{Base: letters, Disp: 8}, next)
	fours := GP64()
	MOVQ(m, fours)
	for by := 1; by < 4; by++ {
		r := GP64()
		MOVQ(m, r)
		SHRQ(Imm(uint64(by)), next, r)
		ANDQ(r, fours)
	}
	MOVQ(fours, m)

	Label("word")
	TESTQ(m, m)
	JE(LabelRef("on"))
	at, n, word, s := GP64(), GP64(), GP64(), GP64()
	TZCNTQ(m, at)
	SHRXQ(at, m, n)
	NOTQ(n)
	TZCNTQ(n, n)
	five := GP64()
	MOVQ(U32(5), five)
	CMPQ(n, five)
	CMOVQGT(five, n)
	BZHIQ(n, ones, s)
	SHLXQ(at, s, s)
	ANDNQ(m, s, m)
	MOVQ(Mem{Base: text, Index: at, Scale: 1}, word)
	MOVQ(U32(5), s)
	SUBQ(n, s)
	SHLQ(Imm(3), s)
	SHLXQ(s, word, word)
	place := GP64()
	MOVQ(prime, place)
	IMULQ(word, place)
	SHRQ(Imm(64-10), place)
	CMPQ(word, Mem{Base: recent, Index: place, Scale: 8})
	JE(LabelRef("word"))
	MOVQ(word, Mem{Base: recent, Index: place, Scale: 8})
	SHRXQ(s, word, word)

	Label("letters4")
	h, step := GP64(), GP64()
	MOVL(word.As32(), step.As32())
	BTSQ(Imm(40), step)
	MOVQ(step, h)
	IMULQ(letterPrime, h)
	IMULQ(stepPrime, step)
	for i := range 8 {
		bit := GP64()
		SHRXQ(shift, h, bit)
		setBit(set, bit)
		if i < 7 {
			ADDQ(step, h)
		}
	}
	SHRQ(Imm(8), word)
	DECQ(n)
	JNE(LabelRef("letters4"))
	JMP(LabelRef("word"))

	Label("on")
	ADDQ(Imm(8), letters)
	ADDQ(Imm(64), text)
	DECQ(count)
	JNE(LabelRef("sixtyfour"))
	RET()
}

// transpose: the same byte of 32 rows in a vector gives, bit by bit from the highest, half a word of eight of the new
// rows.
func transpose() {
	TEXT("transposeAVX2", NOSPLIT, "func(dst *uint64, width int, src *uint64, stride int)")
	Pragma("noescape")
	Doc("transposeAVX2 swaps rows and columns of 64 words, stride bytes apart, into 64 words, width bytes apart: bit i of",
		"word k becomes bit k of word i.")
	dst, width, src, stride := GP64(), GP64(), GP64(), GP64()
	Load(Param("dst"), dst)
	Load(Param("width"), width)
	Load(Param("src"), src)
	Load(Param("stride"), stride)
	mask := YMM()
	VBROADCASTI128(pairs(), mask)
	three, five, seven := GP64(), GP64(), GP64() // words on
	LEAQ(Mem{Base: width, Index: width, Scale: 2}, three)
	LEAQ(Mem{Base: width, Index: width, Scale: 4}, five)
	LEAQ(Mem{Base: three, Index: width, Scale: 4}, seven)
	steps := [8]Mem{{}, {Index: width, Scale: 1}, {Index: width, Scale: 2}, {Index: three, Scale: 1}, {Index: width, Scale: 4},
		{Index: five, Scale: 1}, {Index: three, Scale: 2}, {Index: seven, Scale: 1}}
	to := GP64()
	for half := range 2 {
		Comment(fmt.Sprintf("rows %d to %d", 32*half, 32*half+31))
		columns := columns(src, stride, mask)
		MOVQ(dst, to)
		for _, c := range columns {
			for bit := 7; bit >= 0; bit-- {
				word, at := GP32(), steps[bit]
				at.Base, at.Disp = to, 4*half
				VPMOVMSKB(c, word)
				MOVL(word, at)
				if bit > 0 {
					VPADDB(c, c, c)
				}
			}
			LEAQ(Mem{Base: to, Index: width, Scale: 8}, to)
		}
	}
	VZEROUPPER()
	RET()
}

// pairs is the shuffle that has of two rows of eight bytes the first bytes come first, then the second ones, and so on.
func pairs() Mem {
	m := GLOBL("pairs", RODATA|NOPTR)
	for i := range 16 {
		DATA(i, U8(byte(i/2+i%2*8)))
	}
	return m
}

// columns reads 32 rows at src, and moves src behind them. Of the eight vectors, each has one byte of every row, in
// order: rows 2k and 2k+1 are in the lower halves of what is unpacked, 16+2k and 17+2k in the higher ones, and
// three rounds double how many rows stand side by side.
func columns(src, stride reg.GPVirtual, mask reg.VecVirtual) (v [8]reg.VecVirtual) {
	high := GP64()
	MOVQ(stride, high)
	SHLQ(Imm(4), high)
	ADDQ(src, high)
	for k := range v {
		v[k] = YMM()
		VPXOR(v[k], v[k], v[k]) // all of it is written: else avo has it hold something from the start
		other := XMM()
		for _, side := range []struct {
			at reg.GPVirtual
			to reg.VecVirtual
		}{{src, v[k].AsX().(reg.VecVirtual)}, {high, other}} {
			VMOVQ(Mem{Base: side.at}, side.to)
			VPINSRQ(Imm(1), Mem{Base: side.at, Index: stride, Scale: 1}, side.to, side.to)
			LEAQ(Mem{Base: side.at, Index: stride, Scale: 2}, side.at)
		}
		VINSERTI128(Imm(1), other, v[k], v[k])
		VPSHUFB(mask, v[k], v[k])
	}
	MOVQ(high, src)
	// A round makes of two vectors x and y one with the lower and one with the higher bytes of both.
	round := func(x, y reg.VecVirtual, low, up func(...Op)) (reg.VecVirtual, reg.VecVirtual) {
		l, h := YMM(), YMM()
		low(y, x, l)
		up(y, x, h)
		return l, h
	}
	var words, doubles [8]reg.VecVirtual
	for i := 0; i < 8; i += 2 { // words[i] has bytes 0 to 3 of eight rows, words[i+1] 4 to 7
		words[i], words[i+1] = round(v[i], v[i+1], VPUNPCKLWD, VPUNPCKHWD)
	}
	for i := 0; i < 8; i += 4 { // doubles[i+j] has bytes 2j and 2j+1 of 16 rows
		doubles[i], doubles[i+1] = round(words[i], words[i+2], VPUNPCKLDQ, VPUNPCKHDQ)
		doubles[i+2], doubles[i+3] = round(words[i+1], words[i+3], VPUNPCKLDQ, VPUNPCKHDQ)
	}
	for j := range 4 {
		v[2*j], v[2*j+1] = round(doubles[j], doubles[4+j], VPUNPCKLQDQ, VPUNPCKHQDQ)
	}
	return v
}
