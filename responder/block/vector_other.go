//go:build !amd64

package block

// Without AVX2 all is done in Go.
const accelerated = false

func lowerCaseVector([]byte, []uint64) bool                 { return false }
func gramsVector([]uint64, uint, []byte, int)               {}
func wordsVector([]uint64, uint, []byte, []uint64, *recent) {}
func transposeVector([]uint64, int, []uint64, int)          {}
