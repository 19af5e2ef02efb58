package rotation

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"time"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/source"
)

// printBytes is how much of a file's head, and of its end, its fingerprint is of.
const printBytes = 4 << 10

var seed = maphash.MakeSeed()

// print is the fingerprint of n bytes at an offset.
type print struct {
	at, n int64
	sum   uint64
}

func printOf(r io.ReaderAt, at, n int64) (print, error) {
	b := make([]byte, n)
	if k, err := r.ReadAt(b, at); k < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return print{}, err
	}
	return print{at, n, maphash.Bytes(seed, b)}, nil
}

// holds says whether r has the print's bytes in their place.
func (p print) holds(r io.ReaderAt) bool {
	other, err := printOf(r, p.at, p.n)
	return err == nil && other == p
}

// take makes an open file the one that is read, or closes it if it cannot be.
func (f *File) take(file *source.File) (err error) {
	f.file = file
	defer func() {
		if err != nil {
			f.file = nil
			file.Close()
		}
	}()
	n := min(file.Size(), printBytes)
	if f.head, err = printOf(file, 0, n); err != nil {
		return err
	}
	if f.tail, err = printOf(file, file.Size()-n, n); err != nil {
		return err
	}
	if state, err := file.State(); err == nil && time.Since(state.Changed) < fresh {
		f.start = make([]byte, n) // a file that is cut was written to until then
		if _, err := file.ReadAt(f.start, 0); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	var head [archive.HeadSize]byte
	k, err := file.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	f.kind = archive.Detect(head[:k])
	return nil
}

// Kind is how the file is compressed.
func (f *File) Kind() archive.Kind { return f.kind }

// ReadAt reads as io.ReaderAt does, what the file was when it was opened. The error is source.ErrShrunk
// if that is nowhere any more.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	rest, lost := f.copy, f.lost
	f.mu.Unlock()
	if rest == nil && lost == nil {
		n, err := f.file.ReadAt(p, off)
		cut := errors.Is(err, source.ErrShrunk)
		if !cut && f.Intact() {
			return n, err
		}
		if rest, lost = f.find(); lost != nil {
			if cut {
				return n, err
			}
			return 0, lost
		}
	}
	if lost != nil {
		return 0, lost
	}
	return rest.ReadAt(p, off)
}

// Intact says whether what was read until now was the file's: that it was not cut since it was opened,
// and filled again.
func (f *File) Intact() bool {
	state, err := f.file.State()
	return err == nil && (!state.Written || state.Size >= f.file.Size() && f.head.holds(f.file))
}

// copied is a file with the same first bytes as one that was cut.
type copied struct {
	io.ReaderAt
	size  int64
	lost  int64 // bytes of the original that are not in it
	close func() error
}

// ReadAt reads up to the size that the original had. Where it was written to after it was copied and
// before it was cut, the copy ends before that.
func (c *copied) ReadAt(p []byte, off int64) (int, error) {
	n, err := io.NewSectionReader(c.ReaderAt, 0, c.size).ReadAt(p, off)
	if c.lost > 0 && errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: its last %d bytes were not copied before", source.ErrShrunk, c.lost)
	}
	return n, err
}

// find finds the copy that was made of the file before it was cut.
func (f *File) find() (*copied, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.copy != nil || f.lost != nil {
		return f.copy, f.lost
	}
	catalog := f.set.keeper.catalog
	for looks := 0; looks < maxRounds; looks++ {
		snap, err := catalog.Again(f.set.ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range snap.Files {
			if e.ID == f.Entry.ID || source.Family(e.Path) != source.Family(f.Entry.Path) {
				continue
			}
			made := f.copyIn(e)
			if made == nil {
				continue
			}
			if f.copy == nil || made.lost < f.copy.lost {
				f.copy, made = made, f.copy
			}
			if made != nil {
				_ = made.close() // opened for reading: nothing is lost
			}
			if f.copy.lost == 0 {
				return f.copy, nil
			}
		}
		if !catalog.Changed(snap) {
			break
		}
		if next, err := catalog.Again(f.set.ctx); err != nil || next.Same(snap) {
			break
		}
	}
	if f.copy != nil {
		return f.copy, nil
	}
	f.lost = fmt.Errorf("%w: no copy of its %d bytes is found", source.ErrShrunk, f.file.Size())
	return nil, f.lost
}

// beginsAs says whether other, of so many bytes, has the first bytes of the file: those of the
// fingerprint, or all that it has if it is shorter.
func (f *File) beginsAs(other io.ReaderAt, size int64) bool {
	if size >= f.head.n {
		return f.head.holds(other)
	}
	if size == 0 || size > int64(len(f.start)) {
		return false
	}
	b := make([]byte, size)
	n, _ := other.ReadAt(b, 0)
	return bytes.Equal(b[:n], f.start[:size])
}

// copyIn returns the copy that an entry holds, nil if it holds none.
func (f *File) copyIn(e *source.Entry) *copied {
	file, err := f.set.keeper.catalog.OpenNow(e)
	if err != nil {
		return nil
	}
	other := &File{Entry: e, set: f.set}
	if other.take(file) != nil {
		return nil
	}
	size := f.file.Size()
	if other.kind == archive.Plain || other.kind == f.kind {
		if f.beginsAs(file, file.Size()) && (file.Size() < size || f.tail.holds(file)) {
			return &copied{file, min(size, file.Size()), max(0, size-file.Size()), file.Close}
		}
		file.Close()
		return nil
	}
	defer file.Close()
	// An archive cannot be read from any offset: it is unpacked into a file without a name.
	unpacked, err := os.CreateTemp("", "trawl-")
	if err != nil {
		return nil
	}
	_ = os.Remove(unpacked.Name())
	r := archive.Open(file, file.Size(), other.kind, f.set.keeper.limits, nil)
	defer r.Close()
	if n, err := io.CopyN(unpacked, r, f.head.n); f.beginsAs(unpacked, n) && (err == nil || errors.Is(err, io.EOF)) {
		more, err := io.CopyN(unpacked, r, size-n)
		if n += more; n < size && errors.Is(err, io.EOF) || n == size && f.tail.holds(unpacked) {
			return &copied{unpacked, n, size - n, unpacked.Close}
		}
	}
	unpacked.Close()
	return nil
}
