package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// ErrShrunk says that a file became shorter than it was when it was opened (copytruncate, say).
var ErrShrunk = errors.New("the file shrank while it was searched")

// ErrNotRegular says that a name stands for a directory, device, FIFO or socket.
var ErrNotRegular = errors.New("not a regular file")

// ID is what a file is known by whatever its name: device and inode.
type ID struct{ Dev, Ino uint64 }

func idOf(info fs.FileInfo) ID {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ID{}
	}
	return ID{Dev: uint64(st.Dev), Ino: uint64(st.Ino)}
}

// File is an open, regular, registered file. Its size is frozen when it is opened: what is appended
// later is not seen, and what is cut off before that size is an error, never a short read.
type File struct {
	f       *os.File
	size    int64
	modTime time.Time
	id      ID
}

// newFile takes over f if it is a regular file, and closes it otherwise.
func newFile(f *os.File) (*File, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotRegular
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &File{f: f, size: info.Size(), modTime: info.ModTime(), id: idOf(info)}, nil
}

// Size is the file's length in bytes when it was opened.
func (f *File) Size() int64 { return f.size }

// ID tells which file it is.
func (f *File) ID() ID { return f.id }

// Raw is the file itself, for a reader that maps it; its bytes behind Size are not to be read.
func (f *File) Raw() *os.File { return f.f }

// ReadAt reads as io.ReaderAt does, up to Size. It fails with ErrShrunk where the file now ends
// before Size.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.size {
		return 0, io.EOF
	}
	short := int64(len(p)) > f.size-off
	if short {
		p = p[:f.size-off]
	}
	n, err := f.f.ReadAt(p, off)
	switch {
	case n < len(p) && errors.Is(err, io.EOF):
		return n, fmt.Errorf("%w: it was %d bytes long, now it ends at %d", ErrShrunk, f.size, off+int64(n))
	case n < len(p):
		return n, err
	case short:
		return n, io.EOF
	}
	return n, nil
}

// State is what became of a file since it was opened.
type State struct {
	Size    int64
	Written bool      // since it was opened, perhaps in place
	Changed time.Time // last, in content, name or attributes
	Gone    bool      // no name is left
}

// State looks at the open file.
func (f *File) State() (State, error) {
	info, err := f.f.Stat()
	if err != nil {
		return State{}, err
	}
	s := State{Size: info.Size(), Written: info.Size() != f.size || !info.ModTime().Equal(f.modTime)}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.Changed, s.Gone = changed(st, info), st.Nlink == 0
	}
	return s, nil
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// errLink is what the kernel says when a link stands where there was none: the name was replaced.
var errLink = syscall.ELOOP
