package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in skim.
const (
	skimAhead  = 0
	skimPart   = 8
	skimNoZero = 16
	skimASCII  = 17
)

// looker tells what is known of parts of a text that it loads side by side.
type looker struct {
	part, part3 reg.GPVirtual
	ahead       reg.GPVirtual
	least, high reg.VecVirtual
}

func newLooker(s reg.GPVirtual) *looker {
	l := &looker{part: GP64(), part3: GP64(), ahead: GP64(), least: YMM(), high: YMM()}
	MOVQ(Mem{Base: s, Disp: skimAhead}, l.ahead)
	MOVQ(Mem{Base: s, Disp: skimPart}, l.part)
	LEAQ(Mem{Base: l.part, Index: l.part, Scale: 2}, l.part3)
	VPCMPEQB(l.least, l.least, l.least)
	VPXOR(l.high, l.high, l.high)
	return l
}

// at is 32 bytes of one of the four parts.
func (l *looker) at(stream, disp int) Mem {
	switch stream {
	case 0:
		return Mem{Base: l.ahead, Disp: disp}
	case 1:
		return Mem{Base: l.ahead, Index: l.part, Scale: 1, Disp: disp}
	case 2:
		return Mem{Base: l.ahead, Index: l.part, Scale: 2, Disp: disp}
	}
	return Mem{Base: l.ahead, Index: l.part3, Scale: 1, Disp: disp}
}

// step looks at 32 bytes of each part.
func (l *looker) step(disp int) {
	for stream := range 4 {
		v := YMM()
		VMOVDQU(l.at(stream, disp), v)
		VPMINUB(v, l.least, l.least)
		VPOR(v, l.high, l.high)
	}
}

// tell stores what was seen in the skim at s.
func (l *looker) tell(s reg.GPVirtual) {
	zero := YMM()
	VPXOR(zero, zero, zero)
	VPCMPEQB(zero, l.least, l.least)
	l.store(s, skimNoZero, l.least)
	l.store(s, skimASCII, l.high)
}

func (l *looker) store(s reg.GPVirtual, disp int, v reg.VecVirtual) {
	bits, answer := GP32(), GP8()
	VPMOVMSKB(v, bits)
	TESTL(bits, bits)
	SETEQ(answer)
	MOVB(answer, Mem{Base: s, Disp: disp})
}

// lookAhead looks at text alone.
func lookAhead() {
	TEXT("lookAVX2", NOSPLIT, "func(s *byte)")
	Pragma("noescape")
	Doc("lookAVX2 looks at four parts of the text of the skim at s, each a positive multiple of 128 bytes, side by side,",
		"and says what it saw there.")
	s := GP64()
	Load(Param("s"), s)
	l := newLooker(s)
	left := GP64()
	MOVQ(l.part, left)
	Label("round")
	for i := range 4 {
		l.step(i * lane)
	}
	ADDQ(Imm(4*lane), l.ahead)
	SUBQ(Imm(4*lane), left)
	JNE(LabelRef("round"))
	l.tell(s)
	VZEROUPPER()
	RET()
}

// emitSkim is emit for n positions, a multiple of 128, while the text of the skim at s is looked at, 32 bytes of
// each part for 128 positions. If none passes it returns -1, and has told what it saw.
func (w walk) emitSkim(n, s reg.GPVirtual) {
	l := newLooker(s)
	start, hit := GP64(), GP64()
	MOVQ(w.streams[0], start)
	Label("round")
	for disp := 0; disp < 4*lane; disp += w.unroll * lane {
		w.wideAt(disp, start, hit)
	}
	l.step(0)
	ADDQ(Imm(lane), l.ahead)
	w.advance(4 * lane)
	SUBQ(Imm(4*lane), n)
	JNE(LabelRef("round"))
	l.tell(s)
	VZEROUPPER()
	result := GP64()
	MOVQ(I32(-1), result)
	Store(result, ReturnIndex(0))
	RET()
}

// beginSkim is begin for a kernel that skims: its last argument is a skim.
func beginSkim(name, doc string) (k, p, n, s reg.GPVirtual) {
	return open(name, doc+"\nn is a multiple of 128; it also looks at the text of the skim at b, and if it returns -1 has told what it saw.")
}

// finish emits a kernel whose last argument is a batch, or a skim.
func (w walk) finish(n, b reg.GPVirtual, skim bool) {
	if skim {
		w.emitSkim(n, b)
		return
	}
	w.batch = b
	w.emit(n)
}
