package simd

import (
	"os"
	"runtime/debug"
	"syscall"
	"testing"
	"unsafe"
)

// guarded returns a page of memory between two that cannot be read.
func guarded(t *testing.T) []byte {
	t.Helper()
	page := os.Getpagesize()
	all, err := syscall.Mmap(-1, 0, 3*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(all); err != nil {
			t.Error(err)
		}
	})
	for _, guard := range [][]byte{all[:page], all[2*page:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return all[page : 2*page : 2*page]
}

// faults tells whether read touches memory that is not there.
func faults(read func() byte) (fault bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { fault = recover() != nil }()
	sink = read()
	return
}

var sink byte

// edges gives f every buffer of length 0 to 200 (in steps) that begins right after unmapped memory, at
// every alignment, and that ends right before it. The buffer is filled with fill; f may change it.
func edges(t *testing.T, fill byte, f func(buf []byte)) {
	t.Helper()
	area := guarded(t)
	run := func(buf []byte) {
		for i := range buf {
			buf[i] = fill
		}
		f(buf)
	}
	for n := 0; n <= 200; n++ {
		run(area[:n:n])
		run(area[len(area)-n:])
		start := n*7%64 + 64
		run(area[start : start+n : start+n])
	}
	for start := range 64 {
		for _, n := range []int{31, 33, 64, 65, 129, 192} {
			run(area[start : start+n : start+n])
			end := len(area) - start
			run(area[end-n : end : end])
		}
	}
}

// TestGuard: the tests next to unmapped memory prove something only if reading there crashes.
func TestGuard(t *testing.T) {
	area := guarded(t)
	for _, beyond := range []uintptr{uintptr(len(area)), ^uintptr(0)} {
		p := unsafe.Add(unsafe.Pointer(unsafe.SliceData(area)), beyond)
		if !faults(func() byte { return *(*byte)(p) }) {
			t.Errorf("the byte at %d can be read", int(beyond))
		}
	}
	if faults(func() byte { return area[0] | area[len(area)-1] }) {
		t.Error("the buffer itself cannot be read")
	}
}
