package timeorder

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// File is where what does not fit into memory is kept.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
}

// TempFile makes a file in dir, or in the system's folder for such if dir is empty, that has no name
// any more: it takes no room once it is closed, however the process ends.
func TempFile(dir string) (File, error) {
	f, err := os.CreateTemp(dir, "trawl-sort-*")
	if err != nil {
		return nil, fmt.Errorf("make a file to sort in: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close() // nothing is in it
		return nil, fmt.Errorf("unlink the file to sort in: %w", err)
	}
	return f, nil
}

// Budget bounds what all searches together may spill. It is safe for concurrent use.
type Budget struct {
	most int64
	used atomic.Int64
}

// NewBudget returns a Budget of so many bytes.
func NewBudget(most int64) *Budget { return &Budget{most: most} }

// Used is how many bytes are spilled now.
func (b *Budget) Used() int64 { return b.used.Load() }

// ErrBudget is the error of a search that would have to spill more than it may.
var ErrBudget = errors.New("too much to sort by time")

func (b *Budget) take(n int64) error {
	if b.used.Add(n) > b.most {
		b.used.Add(-n)
		return fmt.Errorf("%w: more than %d bytes on disk", ErrBudget, b.most)
	}
	return nil
}

// extentBytes is how much of a run lies together, and is written at once.
const extentBytes = 256 << 10

type extent struct{ at, n int64 }

// spill is the file of one search. Runs are written to it side by side.
type spill struct {
	create func() (File, error)
	budget *Budget

	mu   sync.Mutex
	file File
	size int64
}

// allot gives the place of the next extent.
func (s *spill) allot(n int64) (File, extent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		f, err := s.create()
		if err != nil {
			return nil, extent{}, err
		}
		s.file = f
	}
	if err := s.budget.take(n); err != nil {
		return nil, extent{}, err
	}
	e := extent{s.size, n}
	s.size += n
	return s.file, e, nil
}

// close gives up what was spilled.
func (s *spill) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		_ = s.file.Close() // unlinked: nothing of it is wanted
		s.budget.used.Add(-s.size)
		s.file, s.size = nil, 0
	}
}

// runWriter writes one run.
type runWriter struct {
	s       *spill
	buf     []byte
	extents []extent
}

func (w *runWriter) write(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), extentBytes-len(w.buf))
		w.buf, p = append(w.buf, p[:n]...), p[n:]
		if len(w.buf) == extentBytes {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *runWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	f, e, err := w.s.allot(int64(len(w.buf)))
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(w.buf, e.at); err != nil {
		return fmt.Errorf("spill to disk: %w", err)
	}
	w.extents = append(w.extents, e)
	w.buf = w.buf[:0]
	return nil
}

// extentReader reads a run.
type extentReader struct {
	file    File
	extents []extent
}

func (r *extentReader) Read(p []byte) (int, error) {
	if len(r.extents) == 0 {
		return 0, io.EOF
	}
	e := &r.extents[0]
	n, err := r.file.ReadAt(p[:min(int64(len(p)), e.n)], e.at)
	if e.at, e.n = e.at+int64(n), e.n-int64(n); e.n == 0 {
		r.extents = r.extents[1:]
		return n, nil
	}
	if err != nil {
		err = fmt.Errorf("read what was spilled: %w", err)
	}
	return n, err
}
