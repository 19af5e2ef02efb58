package seal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"os"
	"syscall"

	"github.com/trawl-logs/trawl/responder/block"
)

// fsync makes a file durable; tests that end it thousands of times have it do nothing.
var fsync = func(f *os.File) error { return f.Sync() }

// publish makes a block of the lines of its runs: it is there whole or not at all. After an error it is not,
// unless published says so: then it may not outlive the machine's next crash, and is sealed again if it does
// not.
func (z *Sealer) publish(b *Block, text []byte, packed func() error) (published bool, err error) {
	name := z.s.path(b.ID)
	if err := z.makeFile(name+suffixTmp, b, text, packed); err != nil {
		_ = os.Remove(name + suffixTmp) // Open removes it if this cannot
		z.s.unindex(b.ID)
		return false, fmt.Errorf("sealed block: %w", err)
	}
	err = os.Rename(name+suffixTmp, name)
	if err != nil {
		_ = os.Remove(name + suffixTmp)
		z.s.unindex(b.ID)
		return false, fmt.Errorf("publish sealed block: %w", err)
	}
	err = step("renamed")
	if err == nil {
		err = syncDir(z.s.dir)
	}
	if err == nil {
		err = step("published")
	}
	z.s.mu.Lock()
	z.s.add(b)
	z.s.mu.Unlock()
	return true, err
}

// makeFile writes the file of a block and its index, and reads it again.
func (z *Sealer) makeFile(name string, b *Block, text []byte, packed func() error) error {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := step("created"); err != nil {
		return err
	}
	err = write(f, b, text, func() error {
		if err := step("frame written"); err != nil {
			return err
		}
		return packed()
	})
	if err != nil {
		return err
	}
	if err := step("written"); err != nil {
		return err
	}
	if err := fsync(f); err != nil {
		return err
	}
	if err := step("synced"); err != nil {
		return err
	}
	if err := verify(f, b); err != nil {
		return err
	}
	if err := step("verified"); err != nil {
		return err
	}
	if err := z.indexer.index(z.s.dir, b, func(yield func([]byte, error) bool) { yield(text, nil) }); err != nil {
		return err
	}
	return step("indexed")
}

// verify reads a block that was written just now.
func verify(f *os.File, b *Block) error {
	r, err := NewReader(f, b.Stored)
	if err != nil {
		return err
	}
	if r.Block.Checksum != b.Checksum || len(r.Block.Runs) != len(b.Runs) {
		return fmt.Errorf("%w: it was written otherwise", ErrDamaged)
	}
	return r.Verify()
}

// indexedLines is how many lines a block has at least that has an index.
const indexedLines = 64

// indexer makes skip indexes.
type indexer struct {
	builder *block.Builder
	made    block.Options
}

// index makes the skip index of a block in dir; too short ones have none. It is of the block's content, which
// texts are, in order, and is known by the block's checksum. All lines are in its strips, some four to a frame.
func (x *indexer) index(dir string, b *Block, texts iter.Seq2[[]byte, error]) error {
	if b.Lines < indexedLines {
		return nil
	}
	shape := block.Sizing{}.Shape().Of(int(b.Lines))
	if x.builder == nil || x.made != shape {
		var err error
		if x.builder, err = block.NewBuilder(shape); err != nil {
			return err
		}
		x.made = shape
	}
	id := b.ID.index()
	out, err := block.Create(dir, block.File{Dev: id[0], Ino: id[1], Head: b.Checksum, Service: b.Service})
	if err != nil {
		return err
	}
	defer out.Close()
	x.builder.Start(out, block.State{Size: b.Bytes}, nil)
	for text, err := range texts {
		if err == nil {
			err = x.builder.Feed(text)
		}
		if err != nil {
			return err
		}
	}
	if _, err := x.builder.End(); err != nil {
		return err
	}
	return x.builder.Finish()
}

func (s *Store) unindex(id ID) {
	x := id.index()
	if err := block.Remove(s.dir, x[0], x[1]); err != nil {
		s.log.Error("index of a sealed block not removed", "block", id, "err", err)
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory of sealed blocks: %w", err)
	}
	defer d.Close()
	if err := fsync(d); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems cannot
		return fmt.Errorf("sync directory of sealed blocks: %w", err)
	}
	return nil
}

func compareBlocks(a, b *Block) int {
	return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Window, b.Window), cmp.Compare(a.Sealed, b.Sealed), bytes.Compare(a.ID[:], b.ID[:]))
}
