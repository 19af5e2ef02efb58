// Command asm writes the AVX2 kernels of package simd, and their Go declarations:
//
//	go run . -out ../../kernels_amd64.s -stubs ../../kernels_amd64.go -pkg simd
//
// (go generate in package simd runs it; the output is committed.) It is a module of its own, so that
// avo is no dependency of the program.
//
// All forward kernels are the same walk (walk.go, and skim.go while it looks ahead) around a different test of 32 positions: two bytes
// of a literal (pair.go), nibble tables of a set of literals (set.go), consecutive byte classes
// (window.go), any of a few bytes (bytes.go). The structs that they read are declared in
// kernel.go of package simd; the offsets here are checked there by a test.
package main

import (
	"strings"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	ConstraintExpr("amd64")
	pair("pairAVX2", false, false)
	pair("pairFoldAVX2", true, false)
	pair("pairSkimAVX2", false, true)
	pair("pairFoldSkimAVX2", true, true)
	lookAhead()
	for _, s := range []setShape{
		{name: "setLow4AVX2", width: 4, banks: 1, unroll: 4},
		{name: "setLow4FatAVX2", width: 4, banks: 2, unroll: 2},
		{name: "setLow6AVX2", width: 6, banks: 1, unroll: 2},
		{name: "setLow6FatAVX2", width: 6, banks: 2, unroll: 1},
		{name: "setFull3AVX2", width: 3, banks: 1, full: true, unroll: 2},
		{name: "setFull3FatAVX2", width: 3, banks: 2, full: true, unroll: 1},
	} {
		set(s)
		if s.width == 6 && s.banks == 2 {
			continue // sixteen registers do not hold it and what looks ahead
		}
		s.name, s.skim = strings.Replace(s.name, "AVX2", "SkimAVX2", 1), true
		set(s)
	}
	for width := 2; width <= 4; width++ {
		windowRange(width)
		windowNibble(width)
	}
	classKernels()
	streams()
	anyOf("index2AVX2", 2)
	anyOf("index3AVX2", 3)
	lastByte()
	ascii()
	noZero()
	Generate()
}
