package mapped

import "bytes"

//go:generate sh -c "cd internal/asm && go run . -out ../../copy_amd64.s -stubs ../../copy_amd64.go -pkg mapped"

// accelerated tells whether the kernel in assembly runs.
var accelerated = available

// The kernel copies four parts side by side, in steps of this many bytes.
const (
	parts = 4
	step  = 128
)

// copyText copies src to dst, which has room for it, and tells whether none of the bytes that it copied
// is 0. It reads every byte of src once: what is said of a byte holds for its copy, whatever happens to
// src meanwhile.
func copyText(dst, src []byte) (noZero bool) {
	n := 0
	noZero = true
	if part := len(src) / parts &^ (step - 1); accelerated && part > 0 {
		n = parts * part
		noZero = copyVector(dst[:n], src[:n], part)
	}
	rest := dst[n : n+copy(dst[n:], src[n:])]
	return bytes.IndexByte(rest, 0) < 0 && noZero
}
