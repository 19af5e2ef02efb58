package block

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:generate sh -c "cd internal/asm && go run . -out ../../kernels_amd64.s -stubs ../../kernels_amd64.go -pkg block"

// accelerated: AVX2 that the operating system saves, and BMI2. GODEBUG=cpu.avx2=off turns it off; tests do.
var accelerated = cpu.X86.HasAVX2 && cpu.X86.HasBMI2

// lowerCaseVector puts text, 64 bytes for each word of letters, in lower case, and sets letters.
func lowerCaseVector(text []byte, letters []uint64) (odd bool) {
	return lowerCaseAVX2(unsafe.SliceData(text), len(letters), unsafe.SliceData(letters))
}

// gramsVector enters the first n grams of text.
func gramsVector(set []uint64, shift uint, text []byte, n int) {
	gramsBMI2(unsafe.SliceData(set), uint64(shift), unsafe.SliceData(text), n)
}

// wordsVector enters the letters of text that all but the last of letters tell.
func wordsVector(set []uint64, shift uint, text []byte, letters []uint64, recent *recent) {
	wordsBMI2(unsafe.SliceData(set), uint64(shift), unsafe.SliceData(text), unsafe.SliceData(letters), len(letters)-1, &recent[0])
}

// transposeVector swaps rows and columns of 64 words of src, stride words apart, into dst, width words apart.
func transposeVector(dst []uint64, width int, src []uint64, stride int) {
	transposeAVX2(unsafe.SliceData(dst), 8*width, unsafe.SliceData(src), 8*stride)
}
