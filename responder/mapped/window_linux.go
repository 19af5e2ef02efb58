package mapped

import (
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// MaxBytes is how much of a file a Window maps at once.
	MaxBytes = 6 << 20
	// MinBytes is how much must be left to be read, that to map it is worth while.
	MinBytes = 128 << 10
	// probeStep is how far apart the bytes are that must be in memory.
	probeStep = 256 << 10
)

// trusting: windows map what is small, too, and do not ask whether it is in memory.
var trusting bool

// Trust makes windows map whatever they are given, as if it were large and in memory, and returns what
// was set before. It is for tests, whose files are small and lie on whatever file system there is.
func Trust(on bool) (before bool) {
	before, trusting = trusting, on
	return before
}

// Window reads one part after another of files. The zero value is ready for use, by one goroutine at a
// time. Close ends it.
type Window struct {
	f       *os.File // which the other fields speak of
	mem     []byte   // mapped; nil if not
	lo, hi  int64    // offsets between which mem, or pread, serves
	refused bool     // f is not to be mapped any more
}

// Read copies the len(dst) bytes of f at off, of a file that is going to be read on to the offset end.
// ok is false if it did not, for whatever reason: the caller then reads them with pread, which works or
// says why not. noZero tells that none of the bytes is 0.
func (w *Window) Read(f *os.File, dst []byte, off, end int64) (noZero, ok bool) {
	if f != w.f {
		w.Close()
		w.f = f
	}
	if w.refused {
		return false, false
	}
	if off < w.lo || off+int64(len(dst)) > w.hi {
		w.move(off, end)
	}
	if w.mem == nil || off+int64(len(dst)) > w.hi {
		return false, false
	}
	at := off - w.lo
	noZero, ok = guardedCopy(dst, w.mem[at:at+int64(len(dst))])
	if !ok || !noZero && !reaches(f, off+int64(len(dst))) {
		w.unmap()
		w.refused = true
		return false, false
	}
	return noZero, true
}

// Close lets the file go.
func (w *Window) Close() {
	w.unmap()
	*w = Window{}
}

// move maps the part that begins at off, unless it is small or not in memory. w.lo and w.hi then say for
// which part that was decided.
func (w *Window) move(off, end int64) {
	w.unmap()
	page := int64(os.Getpagesize())
	w.lo = off &^ (page - 1)
	w.hi = min(end, w.lo+MaxBytes)
	if w.hi-off < MinBytes && !trusting || w.hi <= off {
		return
	}
	raw, err := w.f.SyscallConn()
	if err != nil {
		w.refused = true
		return
	}
	err = raw.Control(func(fd uintptr) {
		cached, supported := inMemory(int(fd), off, w.hi)
		if !cached && !trusting {
			w.refused = !supported
			return
		}
		mem, err := unix.Mmap(int(fd), w.lo, int(w.hi-w.lo), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			w.refused = true
			return
		}
		w.mem = mem
	})
	w.refused = w.refused || err != nil
}

func (w *Window) unmap() {
	if w.mem != nil {
		_ = unix.Munmap(w.mem) // of what was mapped; there is nothing to be done about it
	}
	w.mem, w.lo, w.hi = nil, 0, 0
}

// inMemory says whether the bytes from lo to hi of a file are in memory, as far as one in every
// probeStep tells; and whether the file system can say so at all.
func inMemory(fd int, lo, hi int64) (cached, supported bool) {
	var b [1]byte
	iov := [][]byte{b[:]}
	for ; lo < hi; lo += probeStep {
		n, err := unix.Preadv2(fd, iov, lo, unix.RWF_NOWAIT)
		if err != nil || n != 1 {
			return false, err == nil || err == unix.EAGAIN || err == unix.EINTR
		}
	}
	return true, true
}

// reaches says whether f is at least end bytes long.
func reaches(f *os.File, end int64) bool {
	info, err := f.Stat()
	return err == nil && info.Size() >= end
}

// guardedCopy is copyText from memory that may not be there; then ok is false.
func guardedCopy(dst, src []byte) (noZero, ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			if fault, is := p.(interface {
				runtime.Error
				Addr() uintptr
			}); !is || !within(src, fault.Addr()) {
				panic(p)
			}
			noZero, ok = false, false
		}
	}()
	return copyText(dst, src), true
}

// within says whether addr lies in the pages of b.
func within(b []byte, addr uintptr) bool {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	end := start + uintptr(len(b))
	return addr >= start&^uintptr(os.Getpagesize()-1) && addr < end
}
