package archive

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Errors of archives that go over a limit. What was decompressed until then is delivered.
var (
	ErrWindow = errors.New("archive needs too large a window")
	ErrRatio  = errors.New("archive is compressed too well")
	ErrOutput = errors.New("archive is too large when decompressed")
)

// DamagedError says that an archive cannot be decompressed to its end.
type DamagedError struct {
	Kind  Kind
	After int64 // bytes that were decompressed before
	Err   error
}

func (e *DamagedError) Error() string {
	why := e.Err.Error()
	if errors.Is(e.Err, io.ErrUnexpectedEOF) {
		why = "it is cut short"
	}
	return fmt.Sprintf("damaged %v data after %d bytes: %s", e.Kind, e.After, why)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// PanicError is a bug that was met while a file was decompressed. It is that file's error.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("internal error: %v", e.Value) }

// Limits bound what one archive may cost. The zero value sets none.
type Limits struct {
	Window int64 // bytes of history that zstd and xz may ask for; gzip and bzip2 need less than 4 MiB
	Ratio  int64 // output for each byte of input, once there are RatioFrom bytes of output
	Output int64 // bytes of output
}

// RatioFrom is how many bytes an archive may have before its ratio counts: a short run of equal lines
// compresses as well as any bomb.
const RatioFrom = 64 << 20

// blockSize is the size of the buffers between the goroutine and the reader. A Read of as many bytes
// takes one, which is what a search asks for at a time.
const blockSize = 96 << 10

var blocks = sync.Pool{New: func() any { return new([blockSize]byte) }}

// Reader delivers an archive's content. One goroutine at a time may Read; Close may be called at any
// time, also while a Read waits.
type Reader struct {
	in     input
	kind   Kind
	limits Limits
	ticket *ticket
	shared bool  // the ticket is not given up with the Reader
	holds  int64 // memory, of the ticket's
	start  Point

	once  sync.Once
	begun sync.Once
	full  chan block
	block block
	at    int // index of what was not yet read of block

	total    atomic.Int64 // bytes decompressed
	finished atomic.Bool  // total is all
}

// block is a part of the content, with the error after it.
type block struct {
	data *[blockSize]byte
	n    int
	err  error
}

// Open gives the content of an archive of kind in the first size bytes of r. It reads nothing yet:
// what is wrong with the archive is an error of Read. The gate may be nil. Close must be called; it
// does not wait for a ReadAt of r that is under way.
func Open(r io.ReaderAt, size int64, kind Kind, limits Limits, gate *Gate) *Reader {
	return open(r, size, kind, limits, gate.ticket(), Point{})
}

// open gives the content from a Point on.
func open(r io.ReaderAt, size int64, kind Kind, limits Limits, t *ticket, start Point) *Reader {
	a := &Reader{kind: kind, limits: limits, full: make(chan block, 1), ticket: t, start: start}
	a.in = input{r: r, size: size, quit: make(chan struct{})}
	a.total.Store(start.Out)
	return a
}

// Read fills p unless the content ends before; then, and on an error, it first returns what there is.
func (a *Reader) Read(p []byte) (int, error) {
	a.begun.Do(func() { go a.run() })
	n := 0
	for n < len(p) {
		if a.at == a.block.n {
			if a.block.err != nil {
				if n > 0 {
					return n, nil
				}
				return 0, a.block.err
			}
			if err := a.next(); err != nil {
				return n, err
			}
		}
		k := copy(p[n:], a.block.data[a.at:a.block.n])
		n, a.at = n+k, a.at+k
	}
	return n, nil
}

// next takes the next block and gives the last one back.
func (a *Reader) next() error {
	if a.block.data != nil {
		blocks.Put(a.block.data)
		a.block, a.at = block{}, 0
	}
	select {
	case <-a.in.quit:
		return errClosed
	default:
	}
	select {
	case a.block = <-a.full:
		a.at = 0
		return nil
	case <-a.in.quit:
		return errClosed
	}
}

// Close ends the decompression.
func (a *Reader) Close() error {
	a.once.Do(func() {
		close(a.in.quit)
		a.begun.Do(a.leave) // the goroutine would
	})
	return nil
}

// leave gives up what the Reader has of its ticket.
func (a *Reader) leave() {
	if a.shared {
		a.ticket.release(a.holds)
		return
	}
	a.ticket.leave()
}

// Total returns how many bytes were decompressed so far, and whether those are all.
func (a *Reader) Total() (n int64, all bool) {
	all = a.finished.Load()
	return a.total.Load(), all
}

// run decompresses until the end, an error or Close.
func (a *Reader) run() {
	defer a.leave()
	var b block
	defer func() {
		if p := recover(); p != nil {
			a.put(block{data: b.data, n: b.n, err: &PanicError{p, debug.Stack()}})
		}
	}()
	content, err := a.decoder()
	for b.err = err; ; {
		b.data = blocks.Get().(*[blockSize]byte)
		for b.n = 0; b.err == nil && b.n < blockSize; {
			var n int
			n, b.err = content.Read(b.data[b.n:])
			b.n += n
		}
		last := b.err != nil
		a.settle(&b)
		if !a.put(b) || last || b.err != nil {
			return
		}
	}
}

// settle counts a block, holds it against the limits and gives its error the form that Read returns.
func (a *Reader) settle(b *block) {
	before := a.total.Load()
	total := before + int64(b.n)
	in := a.in.off
	switch {
	case a.limits.Output > 0 && total > a.limits.Output:
		b.n = int(a.limits.Output - before)
		total = a.limits.Output
		b.err = fmt.Errorf("%w: more than %d bytes", ErrOutput, a.limits.Output)
	case a.limits.Ratio > 0 && total > RatioFrom && total/a.limits.Ratio > in:
		b.err = fmt.Errorf("%w: %d bytes from %d, more than %d:1", ErrRatio, total, in, a.limits.Ratio)
	case b.err == nil || errors.Is(b.err, ErrWindow) || errors.Is(b.err, errClosed):
	case a.in.err != nil && a.in.err != io.EOF:
		b.err = a.in.err // the file could not be read: nothing is known of its content
	case b.err == io.EOF:
		a.total.Store(total)
		a.finished.Store(true)
	default:
		b.err = &DamagedError{a.kind, total, b.err}
	}
	a.total.Store(total)
}

// put hands a block on; false after Close.
func (a *Reader) put(b block) bool {
	select {
	case a.full <- b:
		return true
	case <-a.in.quit:
		return false
	}
}

var errClosed = errors.New("archive is closed")

// input reads an archive's bytes in their order, until quit is closed.
type input struct {
	r    io.ReaderAt
	size int64
	off  int64
	err  error // io.EOF at the end
	quit chan struct{}
}

func (in *input) Read(p []byte) (int, error) {
	select {
	case <-in.quit:
		return 0, errClosed
	default:
	}
	if in.err != nil {
		return 0, in.err
	}
	if in.off >= in.size {
		in.err = io.EOF
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), in.size-in.off)]
	n, err := in.r.ReadAt(p, in.off)
	in.off += int64(n)
	switch {
	case n == len(p):
		return n, nil
	case err == io.EOF || err == nil:
		err = fmt.Errorf("%w: the file has %d bytes of %d", io.ErrUnexpectedEOF, in.off, in.size)
	}
	in.err = err
	return n, err
}
