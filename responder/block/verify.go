package block

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"
)

// ErrDiffers says that a file's bytes are not those that were indexed.
var ErrDiffers = errors.New("file differs from its index")

// Verify reads all indexed bytes of r, which for an archive is its content, and makes every block anew: its checksum, strips and filter must be
// those of the index. It calls report with each block and nil, ErrDiffers or ErrDamaged, wrapped; where
// it returns false, Verify stops. An error is one of reading r, or of ctx.
func (x *Index) Verify(ctx context.Context, r io.ReaderAt, report func(Block, error) bool) error {
	buf := make([]byte, 256<<10)
	var b *Builder
	for _, k := range x.Blocks() {
		o := k.Shape()
		if b == nil || b.o != o {
			var err error
			if b, err = NewBuilder(o); err != nil {
				if !report(k, fmt.Errorf("%w: %w", ErrDamaged, err)) {
					return nil
				}
				continue
			}
		}
		wrong, err := x.verify(ctx, b, k, r, buf)
		if err != nil {
			return err
		}
		if !report(k, wrong) {
			return nil
		}
	}
	return nil
}

// verify makes a block anew with b; wrong says how it differs.
func (x *Index) verify(ctx context.Context, b *Builder, k Block, r io.ReaderAt, buf []byte) (wrong, err error) {
	b.off, b.line, b.packed = k.From, k.FirstLine, x.file.Packed
	b.begin()
	b.reserve(k.log)
	full := false
	for at := k.From; at < k.To; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p := buf[:min(int64(len(buf)), k.To-at)]
		if n, err := r.ReadAt(p, at); n < len(p) {
			return nil, fmt.Errorf("read indexed file: %w", err)
		}
		if full {
			return fmt.Errorf("%w: the block at %d has more lines", ErrDiffers, k.From), nil
		}
		var n int
		n, full = b.take(p)
		b.keep(p[:n])
		b.off += int64(n)
		if at += int64(n); n < len(p) {
			return fmt.Errorf("%w: the block at %d has more lines", ErrDiffers, k.From), nil
		}
	}
	if c := x.Content(); !full && c != nil && k.To == c.Size {
		full = b.pad()
	}
	if !full || b.content.Sum64() != k.Content || xxhash.Sum64(b.tail) != k.tail {
		return fmt.Errorf("%w: the block at %d", ErrDiffers, k.From), nil
	}
	want := b.record(k.at)[entryBytes:]
	have := make([]byte, len(want))
	if err := readAt(x.f, have, k.at+entryBytes); err != nil && !damaged(err) {
		return nil, err
	}
	if !bytes.Equal(want, have) {
		return fmt.Errorf("%w: the filter of the block at %d", ErrDamaged, k.From), nil
	}
	return nil, nil
}
