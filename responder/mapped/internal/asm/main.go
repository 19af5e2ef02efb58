// Command asm writes the AVX2 kernel of package mapped, and its Go declaration:
//
//	go run . -out ../../copy_amd64.s -stubs ../../copy_amd64.go -pkg mapped
//
// (go generate in package mapped runs it; the output is committed.) It is a module of its own, so that
// avo is no dependency of the program.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	lane    = 32
	step    = 4 * lane // bytes that each stream advances in a round
	streams = 4
)

func main() {
	ConstraintExpr("amd64")
	copyStreams()
	Generate()
}

// copyStreams copies four parts of the text side by side: a core waits for memory, and waits for four
// places at once as long as for one.
func copyStreams() {
	TEXT("copyAVX2", NOSPLIT, "func(dst, src *byte, part int) bool")
	Pragma("noescape")
	Doc("copyAVX2 copies four parts, each of part bytes (a positive multiple of 128), that follow one another,",
		"and tells whether none of the bytes that it copied is 0.")
	apart, part := GP64(), GP64()
	from := []reg.GPVirtual{GP64(), GP64(), GP64(), GP64()}
	Load(Param("dst"), apart)
	Load(Param("src"), from[0])
	Load(Param("part"), part)
	SUBQ(from[0], apart) // from a byte to its copy
	for i := 1; i < streams; i++ {
		LEAQ(Mem{Base: from[i-1], Index: part, Scale: 1}, from[i])
	}
	none, seen := YMM(), YMM()
	VPXOR(none, none, none)
	VPXOR(seen, seen, seen)

	Label("round")
	for _, p := range from {
		var v [step / lane]reg.VecVirtual
		for i := range v {
			v[i] = YMM()
			VMOVDQU(Mem{Base: p, Disp: i * lane}, v[i])
		}
		for i := range v {
			VMOVDQU(v[i], Mem{Base: p, Index: apart, Scale: 1, Disp: i * lane})
		}
		VPMINUB(v[0], v[1], v[0])
		VPMINUB(v[2], v[3], v[2])
		VPMINUB(v[0], v[2], v[0])
		VPCMPEQB(none, v[0], v[0])
		VPOR(v[0], seen, seen)
		ADDQ(Imm(step), p)
	}
	SUBQ(I32(step), part)
	JNE(LabelRef("round"))

	bits, answer := GP32(), GP8()
	VPMOVMSKB(seen, bits)
	TESTL(bits, bits)
	SETEQ(answer)
	VZEROUPPER()
	Store(answer, ReturnIndex(0))
	RET()
}
