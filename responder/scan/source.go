package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// source is where a searcher reads an input's bytes.
type source interface {
	// readAt fills p with the bytes at off. It returns io.EOF only together with the input's last
	// bytes or after them, and any other error with the bytes before it.
	readAt(p []byte, off int64) (int, error)
	// release says that bytes before off, the start of a line, are not going to be read again.
	release(off int64)
	// from returns the offset of the first byte that can still be read, and an error if it lies
	// after what was released.
	from() (int64, error)
	// ends says whether the input's bytes end at off, if that is known.
	ends(off int64) bool
}

// fileSource reads a file of the size that it had when it was opened.
type fileSource struct {
	at   io.ReaderAt
	size int64
}

func (f *fileSource) release(int64)        {}
func (f *fileSource) from() (int64, error) { return 0, nil }
func (f *fileSource) ends(off int64) bool  { return off >= f.size }

func (f *fileSource) readAt(p []byte, off int64) (int, error) {
	if off >= f.size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), f.size-off)]
	n, err := f.at.ReadAt(want, off)
	if n == len(want) {
		return n, nil
	}
	if n > 0 {
		return n, nil // the error comes again, behind the lines that are here
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %d of %d bytes are left", ErrShrank, off+int64(n), f.size)
	}
	return n, err
}

// streamSource reads a stream in its order and keeps the last part of it, from what was released
// on, so that lines can be read again. It keeps at least the last
// limit bytes of that, and at most twice as many.
type streamSource struct {
	ctx    context.Context
	limit  int
	origin Origin // may be nil
	kept   []byte
	lo     int64 // offset of kept[0]
	line   int64 // up to where bytes were released
	end    bool
	err    error
	want   chan struct{}
	got    chan streamRead
}

type streamRead struct {
	b   []byte
	err error
}

func newStreamSource(ctx context.Context, r io.Reader, limit int) *streamSource {
	s := &streamSource{ctx: ctx, limit: limit, want: make(chan struct{}), got: make(chan streamRead, 1)}
	// A Read may hang for ever. It does so in a goroutine that nobody waits for.
	go func() {
		buf := make([]byte, defaultGeometry.window) // as GNU grep's: what is read together is a window
		for range s.want {
			n, err := r.Read(buf)
			s.got <- streamRead{buf[:n], err}
		}
	}()
	return s
}

// close lets the reading goroutine go, once its Read returns.
func (s *streamSource) close() { close(s.want) }

func (s *streamSource) hi() int64 { return s.lo + int64(len(s.kept)) }

func (s *streamSource) from() (int64, error) {
	if s.lo > s.line {
		return s.lo, s.lost()
	}
	return s.lo, nil
}

func (s *streamSource) ends(off int64) bool { return s.end && off >= s.hi() }

func (s *streamSource) release(off int64) {
	s.line = max(s.line, off)
	s.drop(off)
	if s.origin != nil {
		s.origin.Release(off)
	}
}

// drop lets go of the bytes before off.
func (s *streamSource) drop(off int64) {
	if off <= s.lo {
		return
	}
	n := copy(s.kept, s.kept[min(off-s.lo, int64(len(s.kept))):])
	s.lo, s.kept = s.hi()-int64(n), s.kept[:n]
}

func (s *streamSource) readAt(p []byte, off int64) (int, error) {
	if off < s.lo {
		return 0, s.lost()
	}
	if off == s.hi() {
		if err := s.more(); err != nil {
			return 0, err
		}
	}
	return copy(p, s.kept[off-s.lo:]), nil
}

// lost is the error of reading what is not kept any more.
func (s *streamSource) lost() error {
	return fmt.Errorf("%w to be kept: more than %d bytes", ErrLongLine, s.limit)
}

// more reads on once.
func (s *streamSource) more() error {
	for s.err == nil {
		select {
		case s.want <- struct{}{}:
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
		select {
		case r := <-s.got:
			s.err = r.err
			if len(r.b) > 0 {
				s.keep(r.b)
				s.end = errors.Is(r.err, io.EOF)
				return nil
			}
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
	s.end = errors.Is(s.err, io.EOF)
	return s.err
}

func (s *streamSource) keep(b []byte) {
	if len(s.kept)+len(b) > 2*s.limit { // at twice the limit, so that bytes are not moved too often
		s.drop(s.lo + int64(len(s.kept)+len(b)-s.limit))
	}
	s.kept = append(s.kept, b...)
}
