package mapped

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// MaxBytes is how much of a file a Window maps at once.
	MaxBytes = 6 << 20
	// MinBytes is how much must be left to be read, that to map it is worth while.
	MinBytes = 128 << 10
	// hugePage is what parts begin and end at: where the file's pages lie together, the kernel maps so many bytes
	// at one fault, and else 64 KiB.
	hugePage = 2 << 20
	// probeStep is how far apart the bytes are that must be in memory. To ask is to read a page that no cache of the
	// processor holds: every 256 KiB, 240 MB in which nothing matches took 1.05 times the processor time.
	probeStep = 1 << 20
)

// trusting: windows map what is small, too, and do not ask whether it is in memory.
var trusting bool

// budget is how much all windows of the process may still map.
type budget struct{ left atomic.Int64 }

var room = func() *budget {
	b := &budget{}
	b.left.Store(math.MaxInt64)
	return b
}()

// take takes n bytes, if they are left.
func (b *budget) take(n int64) bool {
	if b.left.Add(-n) >= 0 {
		return true
	}
	b.left.Add(n)
	return false
}

// Bound sets how many bytes all windows of the process together may map, before any does; there is no bound else. Where little is
// left windows are smaller, and where nothing is, reading is left to pread.
func Bound(bytes int64) { room.left.Store(bytes) }

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
	text := w.at(f, off, int64(len(dst)), end)
	if text == nil {
		return false, false
	}
	ok = guarded(text, func() { noZero = copyText(dst, text) })
	if !ok || !noZero && !reaches(f, off+int64(len(dst))) {
		w.refuse()
		return false, false
	}
	return noZero, true
}

// at returns the n bytes of f at off, mapped, or nil.
func (w *Window) at(f *os.File, off, n, end int64) []byte {
	if f != w.f {
		w.Close()
		w.f = f
	}
	if w.refused {
		return nil
	}
	if off < w.lo || off+n > w.hi {
		w.move(off, end)
	}
	if w.mem == nil || off+n > w.hi {
		return nil
	}
	return w.mem[off-w.lo:][:n]
}

// refuse has w not map the file any more.
func (w *Window) refuse() {
	w.unmap()
	w.refused = true
}

// View calls look with the n bytes of f at off, and with up to ahead bytes that follow them before end, as they are
// mapped, and returns what look does. All may change while look reads them, and it must not keep them. ok is
// false, and look perhaps not called, or not to its end, if they could not be read; end is as for Read.
func (w *Window) View(f *os.File, off, n, ahead, end int64, look func(text, ahead []byte) int) (result int, ok bool) {
	text := w.at(f, off, n, end)
	if text == nil {
		return 0, false
	}
	at := off - w.lo
	next := w.mem[at+n : min(at+n+ahead, w.hi-w.lo)]
	if ok = guarded(w.mem, func() { result = look(text, next) }); !ok {
		w.refuse()
	}
	return result, ok
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
	w.lo = off &^ (hugePage - 1)
	w.hi = min(end, w.lo+MaxBytes)
	if room.left.Load() < MaxBytes {
		w.hi = min(w.hi, w.lo+hugePage)
	}
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
		whole := (w.hi - w.lo + hugePage - 1) &^ (hugePage - 1)
		if !room.take(whole) {
			return
		}
		mem, err := unix.Mmap(int(fd), w.lo, int(whole), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			room.left.Add(whole)
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
		room.left.Add(int64(len(w.mem)))
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

// guarded calls f, which reads text, which may not be there: then ok is false, and f did not end.
func guarded(text []byte, f func()) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			if fault, is := p.(interface {
				runtime.Error
				Addr() uintptr
			}); !is || !within(text, fault.Addr()) {
				panic(p)
			}
			ok = false
		}
	}()
	f()
	return true
}

// within says whether addr lies in the pages of b.
func within(b []byte, addr uintptr) bool {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	end := start + uintptr(len(b))
	return addr >= start&^uintptr(os.Getpagesize()-1) && addr < end
}
