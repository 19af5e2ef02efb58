package mapped

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// textFile returns a file of n bytes without a NUL, mapped wherever it lies.
func textFile(t *testing.T, n int) (*os.File, []byte) {
	t.Helper()
	before := Trust(true)
	t.Cleanup(func() { Trust(before) })
	text := make([]byte, n)
	for i := range text {
		text[i] = byte(1 + (i+i>>8)%255)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "text"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	return f, text
}

func TestReadAnywhere(t *testing.T) {
	f, text := textFile(t, 2*MaxBytes+12345)
	var w Window
	defer w.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	dst := make([]byte, 300<<10)
	check := func(off, n int) {
		part := dst[:n]
		clear(part)
		noZero, ok := w.Read(f, part, int64(off), int64(len(text)))
		if !ok {
			t.Fatalf("%d bytes at %d were not read", n, off)
		}
		if !noZero || !bytes.Equal(part, text[off:off+n]) {
			t.Fatalf("%d bytes at %d: no NUL %v, the same bytes %v", n, off, noZero, bytes.Equal(part, text[off:off+n]))
		}
	}
	for off := 0; off < len(text); off += len(dst) {
		check(off, min(len(dst), len(text)-off))
	}
	for range 300 {
		off := rng.IntN(len(text))
		check(off, rng.IntN(min(len(dst), len(text)-off)+1))
	}
	if len(w.mem) > MaxBytes+os.Getpagesize() {
		t.Errorf("%d bytes are mapped at once", len(w.mem))
	}
}

// TestBound: windows together map no more than they may, and what one gives back another can have.
func TestBound(t *testing.T) {
	f, text := textFile(t, 2*MaxBytes)
	Bound(hugePage + MinBytes)
	defer Bound(math.MaxInt64)
	var a, b Window
	defer a.Close()
	defer b.Close()
	dst := make([]byte, 4096)
	read := func(w *Window, off int64) bool {
		_, ok := w.Read(f, dst, off, int64(len(text)))
		return ok
	}
	if !read(&a, 0) || len(a.mem) > hugePage {
		t.Errorf("the first window maps %d bytes", len(a.mem))
	}
	if read(&b, 0) || read(&b, MaxBytes) {
		t.Error("both map")
	}
	if !read(&a, MaxBytes) {
		t.Error("the first window does not move on")
	}
	a.Close()
	if !read(&b, MaxBytes+hugePage) {
		t.Error("the second window has no use of what the first gave back")
	}
}

// TestOtherFile: a window that served one file serves the next one, even in the same place.
func TestOtherFile(t *testing.T) {
	a, _ := textFile(t, MinBytes)
	b, text := textFile(t, MinBytes)
	copy(text, "another")
	if _, err := b.WriteAt(text[:7], 0); err != nil {
		t.Fatal(err)
	}
	var w Window
	defer w.Close()
	dst := make([]byte, 4096)
	for range 3 {
		for _, f := range []*os.File{a, b} {
			if _, ok := w.Read(f, dst, 0, MinBytes); !ok || bytes.HasPrefix(dst, []byte("another")) != (f == b) {
				t.Fatalf("read %v: %q", ok, dst[:8])
			}
		}
	}
}

// TestSmallOrClosed: what is not worth a mapping, or cannot be mapped, is left to pread.
func TestSmallOrClosed(t *testing.T) {
	f, _ := textFile(t, MinBytes)
	var w Window
	dst := make([]byte, 100)
	Trust(false)
	if _, ok := w.Read(f, dst, 1, MinBytes); ok {
		t.Error("less than MinBytes were mapped")
	}
	w.Close()
	Trust(true)
	f.Close()
	if _, ok := w.Read(f, dst, 0, MinBytes); ok {
		t.Error("a closed file was mapped")
	}
	r, p, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer p.Close()
	if _, ok := w.Read(r, dst, 0, MinBytes); ok {
		t.Error("a pipe was mapped")
	}
}

// TestNULs: those of the file are reported; the file is read on.
func TestNULs(t *testing.T) {
	f, text := textFile(t, MinBytes+1)
	text[MinBytes] = 0
	if _, err := f.WriteAt(text[MinBytes:], MinBytes); err != nil {
		t.Fatal(err)
	}
	var w Window
	defer w.Close()
	dst := make([]byte, len(text))
	if noZero, ok := w.Read(f, dst, 0, int64(len(text))); !ok || noZero || !bytes.Equal(dst, text) {
		t.Errorf("read %v, no NUL %v", ok, noZero)
	}
	if noZero, ok := w.Read(f, dst[:MinBytes], 0, int64(len(text))); !ok || !noZero {
		t.Errorf("before it: read %v, no NUL %v", ok, noZero)
	}
}

// TestCutOff cuts a mapped file off, in a page and between two: neither zeros that are not in the file
// nor a fault may come out, and the window does not serve that file again.
func TestCutOff(t *testing.T) {
	page := int64(os.Getpagesize())
	for _, size := range []int64{0, 1, page - 1, page, page + 1, MinBytes - 1, MinBytes - page, MinBytes - page - 1} {
		bothKernels(t, func(t *testing.T) {
			f, _ := textFile(t, MinBytes)
			var w Window
			defer w.Close()
			dst := make([]byte, MinBytes)
			if _, ok := w.Read(f, dst, 0, MinBytes); !ok {
				t.Fatal("was not mapped")
			}
			if err := f.Truncate(size); err != nil {
				t.Fatal(err)
			}
			if noZero, ok := w.Read(f, dst, 0, MinBytes); ok {
				t.Errorf("cut off at %d: all was read; no NUL %v", size, noZero)
			}
			if n, err := f.ReadAt(dst, 0); int64(n) != size || !errors.Is(err, io.EOF) {
				t.Errorf("pread of a file cut off at %d: %d, %v", size, n, err)
			}
			if err := f.Truncate(MinBytes); err != nil {
				t.Fatal(err)
			}
			if _, ok := w.Read(f, dst[:100], 0, MinBytes); ok {
				t.Errorf("cut off at %d: mapped again", size)
			}
		})
	}
}

// TestView: what is given is the file's, ends where the window or the file does, and a fault is survived.
func TestView(t *testing.T) {
	f, text := textFile(t, MaxBytes+5000)
	var w Window
	defer w.Close()
	for _, c := range []struct{ off, n, ahead, gives int }{
		{0, 100, 50, 50}, {4097, 1000, 0, 0}, {MaxBytes - 100, 100, 200, 0}, {MaxBytes, 4000, 5000, 1000}, {MaxBytes, 5000, 5000, 0},
	} {
		called := false
		result, ok := w.View(f, int64(c.off), int64(c.n), int64(c.ahead), int64(len(text)), func(b, ahead []byte) int {
			called = true
			if !bytes.Equal(b, text[c.off:c.off+c.n]) || !bytes.Equal(ahead, text[c.off+c.n:][:c.gives]) {
				t.Errorf("%d bytes at %d, and %d: others came, %d and %d", c.n, c.off, c.ahead, len(b), len(ahead))
			}
			return 7
		})
		if !ok || !called || result != 7 {
			t.Errorf("%d bytes at %d: called %v, %d, %v", c.n, c.off, called, result, ok)
		}
	}
	_, ok := w.View(f, MaxBytes, 4000, 1000, int64(len(text)), func(b, _ []byte) int {
		if err := f.Truncate(MaxBytes); err != nil {
			t.Fatal(err)
		}
		return int(b[4000-1] + b[0])
	})
	if ok {
		t.Error("what is not in the file any more was looked at")
	}
	if _, ok := w.View(f, 0, 100, 0, 100, func(_, _ []byte) int { return 0 }); ok {
		t.Error("was mapped again")
	}
}

// TestOtherPanicsPass: only faults in the mapping are caught.
func TestOtherPanicsPass(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a bug in the copy was taken for a fault of the file")
		}
	}()
	_ = guarded(nil, func() { copyText(nil, make([]byte, 1<<10)) })
}

// TestEdges copies from and to memory that begins and ends beside unmapped pages.
func TestEdges(t *testing.T) {
	page := os.Getpagesize()
	area := func() []byte {
		all, err := unix.Mmap(-1, 0, 3*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Munmap(all) })
		for _, guard := range [][]byte{all[:page], all[2*page:]} {
			if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
				t.Fatal(err)
			}
		}
		return all[page : 2*page : 2*page]
	}
	src, dst := area(), area()
	for i := range src {
		src[i] = 'x'
	}
	bothKernels(t, func(t *testing.T) {
		for n := 0; n <= page; n += 1 + n/40 {
			for _, from := range [][]byte{src[:n], src[page-n:]} {
				for _, to := range [][]byte{dst[:n], dst[page-n:]} {
					ok := guarded(from, func() {
						if !copyText(to, from) {
							t.Errorf("%d bytes: a NUL was seen", n)
						}
					})
					if !ok {
						t.Fatalf("%d bytes: a fault", n)
					}
				}
			}
		}
	})
}
