package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in classKernel.
const (
	classTables = 0
	classMinus  = 64
	classSpan   = 65
	classByte   = 66
)

// classBits is a kernel that writes a bit for each byte of a text: test makes a vector of a load of 32 bytes whose
// bytes have their high bit set where the class holds, or, with inverted, where it does not.
func classBits(name string, inverted bool, prepare func(k reg.GPVirtual) func(text Mem) reg.VecVirtual) {
	TEXT(name, NOSPLIT, "func(k, p *byte, out *uint64)")
	Pragma("noescape")
	Doc(name + " writes which of 4096 bytes at p are in the class of the classKernel at k.")
	k, p, n, out := GP64(), GP64(), GP64(), GP64()
	Load(Param("k"), k)
	Load(Param("p"), p)
	Load(Param("out"), out)
	test := prepare(k)
	MOVQ(I32(streamBytes/8/classUnroll), n)
	Label("loop")
	for i := range classUnroll {
		low, high := GP64(), GP64()
		VPMOVMSKB(test(Mem{Base: p, Disp: 2 * i * lane}), low.As32())
		VPMOVMSKB(test(Mem{Base: p, Disp: 2*i*lane + lane}), high.As32())
		SHLQ(Imm(lane), high)
		ORQ(high, low)
		if inverted {
			NOTQ(low)
		}
		MOVQ(low, Mem{Base: out, Disp: 8 * i})
	}
	ADDQ(I32(2*lane*classUnroll), p)
	ADDQ(Imm(8*classUnroll), out)
	DECQ(n)
	JNE(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// classUnroll is how many words a turn of the loop makes.
const classUnroll = 4

func classKernels() {
	classBits("classByteAVX2", false, func(k reg.GPVirtual) func(Mem) reg.VecVirtual {
		b := broadcast(k, classByte)
		return func(text Mem) reg.VecVirtual {
			x := YMM()
			VPCMPEQB(text, b, x)
			return x
		}
	})
	classBits("classRangeAVX2", false, func(k reg.GPVirtual) func(Mem) reg.VecVirtual {
		minus, span := broadcast(k, classMinus), broadcast(k, classSpan)
		return func(text Mem) reg.VecVirtual {
			x, least := YMM(), YMM()
			VPADDB(text, minus, x)
			VPMINUB(span, x, least)
			VPCMPEQB(least, x, x)
			return x
		}
	})
	classBits("classNibbleAVX2", true, func(k reg.GPVirtual) func(Mem) reg.VecVirtual {
		mask, zero, lows, highs := nibbleMask(), YMM(), YMM(), YMM()
		VPXOR(zero, zero, zero)
		VMOVDQU(Mem{Base: k, Disp: classTables}, lows)
		VMOVDQU(Mem{Base: k, Disp: classTables + lane}, highs)
		return func(text Mem) reg.VecVirtual {
			low, high := nibbles(text, mask)
			VPSHUFB(low, lows, low)
			VPSHUFB(high, highs, high)
			VPAND(high, low, low)
			VPCMPEQB(zero, low, low)
			return low
		}
	})
}
