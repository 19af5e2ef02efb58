package seal

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"
)

// Reader reads the content of a block, frame by frame. It is safe for concurrent use.
type Reader struct {
	Block  Block
	r      io.ReaderAt
	frames []frame
}

// NewReader reads header and footer of a block's file of that size: of the frames nothing. It fails with
// ErrDamaged or ErrForeign if it is none.
func NewReader(r io.ReaderAt, size int64) (*Reader, error) {
	b, err := newReader(r, size)
	if err == nil && b.Block.Away {
		return nil, fmt.Errorf("%w: its frames", ErrDamaged)
	}
	return b, err
}

// newReader reads a stub as well.
func newReader(r io.ReaderAt, size int64) (*Reader, error) {
	if size < headerBytes+endBytes {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrDamaged, size)
	}
	header, end := make([]byte, headerBytes), make([]byte, endBytes)
	if err := readFull(r, header, 0); err != nil {
		return nil, err
	}
	id, v, err := decodeHeader(header)
	if err != nil {
		return nil, err
	}
	if err := readFull(r, end, size-endBytes); err != nil {
		return nil, err
	}
	at, n, err := endOf(end, size)
	if err != nil {
		return nil, err
	}
	footer := make([]byte, n+8)
	if err := readFull(r, footer, at); err != nil {
		return nil, err
	}
	d := xxhash.New()
	d.Write(header)
	d.Write(footer)
	sum := d.Sum64()
	if sum != checksumOf(end) {
		return nil, fmt.Errorf("%w: its footer", ErrDamaged)
	}
	b, frames, err := decodeFooter(footer[:n], at, v)
	if err != nil {
		return nil, err
	}
	b.ID, b.Checksum = id, sum
	return &Reader{Block: b, r: r, frames: frames}, nil
}

func readFull(r io.ReaderAt, p []byte, at int64) error {
	n, err := r.ReadAt(p, at)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it ends at %d", ErrDamaged, at+int64(n))
	}
	return fmt.Errorf("read sealed block: %w", err)
}

// frameAt is the frame that holds the byte of the content at that offset, which there is.
func (r *Reader) frameAt(off int64) int {
	i, found := slices.BinarySearchFunc(r.frames, off, func(f frame, off int64) int {
		switch {
		case f.from > off:
			return 1
		case f.from+int64(f.size) <= off:
			return -1
		}
		return 0
	})
	if !found {
		return len(r.frames)
	}
	return i
}

var decoders = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxBlock))
	if err != nil {
		panic(err) // its options are constants
	}
	return d
})

var stored = sync.Pool{New: func() any { return new([]byte) }}

// Frame gives the content of a frame, in dst if that is large enough.
func (r *Reader) Frame(i int, dst []byte) ([]byte, error) {
	f := &r.frames[i]
	in := stored.Get().(*[]byte)
	defer stored.Put(in)
	if cap(*in) < f.stored {
		*in = make([]byte, f.stored)
	}
	p := (*in)[:f.stored]
	if err := readFull(r.r, p, f.at); err != nil {
		return nil, err
	}
	if cap(dst) < f.size {
		dst = make([]byte, 0, f.size)
	}
	dst, err := decoders().DecodeAll(p, dst[:0])
	if err != nil || len(dst) != f.size || xxhash.Sum64(dst) != f.sum {
		return nil, fmt.Errorf("%w: frame %d of %v", ErrDamaged, i, r.Block.ID)
	}
	return dst, nil
}

// Verify reads all of the block.
func (r *Reader) Verify() error {
	var content []byte
	for i := range r.frames {
		var err error
		if content, err = r.wholeFrame(i, content); err != nil {
			return err
		}
	}
	return nil
}

// wholeFrame is a frame whose lines are those that the footer tells.
func (r *Reader) wholeFrame(i int, dst []byte) ([]byte, error) {
	text, err := r.Frame(i, dst)
	if n := len(text); err == nil && (n == 0 || text[n-1] != '\n' || countLines(text) != r.frames[i].lines) {
		err = fmt.Errorf("%w: lines of frame %d of %v", ErrDamaged, i, r.Block.ID)
	}
	return text, err
}
