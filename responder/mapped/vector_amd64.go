package mapped

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// available: AVX2 that the operating system saves. GODEBUG=cpu.avx2=off turns it off.
var available = cpu.X86.HasAVX2

func copyVector(dst, src []byte, part int) bool {
	return copyAVX2(unsafe.SliceData(dst), unsafe.SliceData(src), part)
}
