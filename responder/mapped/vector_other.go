//go:build !amd64

package mapped

// Without AVX2 the loop in Go does all the work.
const available = false

func copyVector(dst, src []byte, _ int) bool { panic("no kernel on this processor") }
