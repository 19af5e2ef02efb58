// Command asm writes the loop of the lanes of package automaton, and its Go declaration:
//
//	go run . -out ../../lanes_amd64.s -stubs ../../lanes_amd64.go -pkg automaton
//
// (go generate in package automaton runs it; the output is committed.) It is a module of its own, so
// that avo is no dependency of the program.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const lanes = 4

func main() {
	ConstraintExpr("amd64")
	TEXT("stepLanesAMD64", NOSPLIT, "func(rows *uint32, col *[256]uint8, limit uint32, text *[4]*byte, id *[4]uint32, n int) (steps, ahead int)")
	Pragma("noescape")
	Doc("stepLanesAMD64 is stepLanes without checks: ids and columns must be those of rows, and n bytes be there in each text.")
	rows, col, limit, text, ids, k := GP64(), GP64(), GP32(), GP64(), GP64(), GP64()
	Load(Param("rows"), rows)
	Load(Param("col"), col)
	Load(Param("limit"), limit)
	Load(Param("text"), text)
	Load(Param("id"), ids)
	Load(Param("n"), k)
	var at [lanes]reg.GPVirtual // the end of each text; k counts up to 0 from -n
	var id [lanes]reg.GPVirtual
	for i := range lanes {
		at[i], id[i] = GP64(), GP32()
		MOVQ(Mem{Base: text, Disp: 8 * i}, at[i])
		ADDQ(k, at[i])
		MOVL(Mem{Base: ids, Disp: 4 * i}, id[i])
	}
	NEGQ(k)
	ahead := GP64()
	XORL(ahead.As32(), ahead.As32())
	TESTQ(k, k)
	JZ(LabelRef("done"))
	Label("loop")
	for i := range lanes {
		to := GP64()
		MOVBLZX(Mem{Base: at[i], Index: k, Scale: 1}, to.As32())
		MOVBLZX(Mem{Base: col, Index: to, Scale: 1}, to.As32())
		ADDL(id[i], to.As32())
		MOVL(Mem{Base: rows, Index: to, Scale: 4}, to.As32())
		CMPL(to.As32(), limit)
		JB(LabelRef(fmt.Sprintf("stop%d", i)))
		MOVL(to.As32(), id[i])
	}
	INCQ(k)
	JNZ(LabelRef("loop"))
	JMP(LabelRef("done"))
	for i := lanes - 1; i > 0; i-- {
		Label(fmt.Sprintf("stop%d", i))
		INCQ(ahead)
	}
	Label("stop0")
	Label("done")
	n := GP64()
	Load(Param("n"), n)
	ADDQ(k, n)
	Store(n, ReturnIndex(0))
	Store(ahead, ReturnIndex(1))
	out := GP64()
	Load(Param("id"), out)
	for i := range lanes {
		MOVL(id[i], Mem{Base: out, Disp: 4 * i})
	}
	RET()
	Generate()
}
