package printer

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// vectors: AVX2 that the operating system saves. GODEBUG=cpu.avx2=off turns it off.
var vectors = cpu.X86.HasAVX2

func prefixVector(dst, src, head []byte, room, n, enough int, terminator byte) (read, written int) {
	return prefixAVX2(unsafe.SliceData(dst), unsafe.SliceData(src), unsafe.SliceData(head), room, n, len(head), enough, terminator)
}
