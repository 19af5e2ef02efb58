//go:build !amd64

package printer

// Without AVX2 the loop in Go does all the work.
var vectors = false

func prefixVector(_, _, _ []byte, _, _, _ int, _ byte) (read, written int) {
	panic("no kernel on this processor")
}
