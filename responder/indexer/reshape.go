package indexer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/trawl-logs/trawl/responder/block"
)

// besideDir, in that of the indexes, is where one is made that is to take the place of another.
const besideDir = "beside"

// reshape works on the newest log whose blocks have another shape than those that are made now. Its index is
// used, and goes on, until the one with the new blocks has as much, so that a search never lacks one. Where
// there is no room for both, the old one goes first. more says that it left any work.
func (b *Builder) reshape(ctx context.Context, logs []Log, shape block.Options, room int64) (more bool) {
	for _, l := range logs {
		if !b.other[l.ID] {
			continue
		}
		left, err := b.guarded(l, func() (bool, error) { return b.remake(ctx, l, shape, room) })
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			delete(b.other, l.ID) // until the log has grown
			b.warn(l, err)
		}
		return left || len(b.other) > 0
	}
	if err := b.store.clearBeside(); err != nil {
		b.store.log.Error("indexes", "err", err)
	}
	return false
}

// remake goes on with the index that is to take the place of a log's.
func (b *Builder) remake(ctx context.Context, l Log, shape block.Options, room int64) (left bool, err error) {
	old := b.store.Use(l.ID)
	if old == nil {
		delete(b.other, l.ID)
		return false, nil
	}
	defer old.Done()
	if old.Bytes() > room {
		delete(b.other, l.ID)
		b.due[l.ID] = 0
		b.store.Drop(l.ID, errors.New("the node's blocks have another size now, and there is no room for both"))
		return true, nil
	}
	o, state, err := b.open(ctx, l)
	if err != nil {
		return false, err
	}
	defer o.close()
	if o.Archive != nil {
		return false, ErrNotIndexed
	}
	f, err := fileOf(l, &o, state)
	if err != nil {
		return false, err
	}
	x, err := b.store.beside(f, o.File, state, shape)
	if err != nil {
		return false, err
	}
	left, err = b.feed(ctx, x, old, &o, state, shape)
	switch {
	case err != nil && ctx.Err() == nil:
	case changed(o.File, state):
		err = errors.Join(fmt.Errorf("%s changed while it was indexed", l.Path), b.store.clearBeside())
	case err == nil && !left && !old.gone():
		delete(b.other, l.ID)
		b.due[l.ID] = b.block.Due()
		if len(x.Blocks()) > 0 { // else the file is too short for one: the old ones are better than none
			return false, b.store.replace(l.ID, x)
		}
	}
	return left, errors.Join(err, x.Close())
}

// bytesOf is how large indexes are together.
func bytesOf(stored []block.Stored) (n int64) {
	for _, x := range stored {
		n += x.Bytes
	}
	return n
}

// beside opens what there is of an index that is to take the place of that of f, or makes an empty one.
func (s *Store) beside(f block.File, r *os.File, state block.State, shape block.Options) (*block.Index, error) {
	dir := filepath.Join(s.dir, besideDir)
	x, err := block.Open(dir, f.Dev, f.Ino)
	if err == nil {
		list := x.Blocks()
		v, err := x.Check(r, state)
		if err == nil && v == block.Fresh && len(list) > 0 && list[0].Shape() == shape && x.File().Form == f.Form {
			return x, nil
		}
		_ = x.Close() // it is made anew
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("index directory: %w", err)
	}
	return block.Create(dir, f)
}

// clearBeside removes what was begun.
func (s *Store) clearBeside() error {
	if err := os.RemoveAll(filepath.Join(s.dir, besideDir)); err != nil {
		return fmt.Errorf("index directory: %w", err)
	}
	return nil
}

// replace puts x, which was made beside, in the place of a log's index. Searches that use the old one go on
// with it.
func (s *Store) replace(id ID, x *block.Index) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stored[id] { // it was dropped meanwhile
		return errors.Join(s.clearBeside(), x.Close())
	}
	if err := block.Move(filepath.Join(s.dir, besideDir), s.dir, id.Dev, id.Ino); err != nil {
		return errors.Join(err, x.Close())
	}
	s.forget(id)
	s.hold(id, x)
	return nil
}
