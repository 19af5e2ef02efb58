package seal

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Partial opens what there is of a block that is being copied here, to be written on from byte at. What a crash
// left of it may not be what was written: Adopt finds out.
func (s *Store) Partial(id ID) (f *os.File, at int64, err error) {
	f, err = os.OpenFile(s.path(id)+suffixPart, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("copy of a sealed block: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("copy of a sealed block: %w", err)
	}
	return f, info.Size(), nil
}

// Partials are the blocks of which a copy was begun, and not adopted yet.
func (s *Store) Partials() (ids []ID, err error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list copies of sealed blocks: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix+suffixPart)
		if p, err := hex.DecodeString(name); ok && err == nil && len(p) == len(ID{}) {
			ids = append(ids, ID(p))
		}
	}
	return ids, nil
}

// Abandon removes what was copied of a block that is not adopted.
func (s *Store) Abandon(id ID) error {
	if err := os.Remove(s.path(id) + suffixPart); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("copy of a sealed block: %w", err)
	}
	return nil
}

// Adopt publishes a block all of which was copied to its Partial: if that is the block with the checksum, and each
// of its frames is whole, it gets its skip index and is there from then on, whatever ends when. If it is not,
// the error is ErrDamaged and the copy is gone. After another error the copy is there still. worked is called
// after each piece of work; an error of it ends the work. A block that is there is left alone, unless
// it is Spoiled; a stub is replaced.
func (s *Store) Adopt(ctx context.Context, id ID, checksum uint64, worked func(context.Context) error) error {
	s.adopting.Lock()
	defer s.adopting.Unlock()
	if b, err := s.Block(id); err == nil && !b.Away && s.Spoiled(id) == nil {
		return s.Abandon(id)
	}
	if s.Spoiled(id) == nil && s.unbury(id) {
		return s.Abandon(id)
	}
	b, err := s.verifyCopy(ctx, id, checksum, worked)
	if err != nil {
		if errors.Is(err, ErrDamaged) || errors.Is(err, ErrForeign) {
			err = errors.Join(err, s.Abandon(id))
		}
		return fmt.Errorf("copy of a sealed block: %w", err)
	}
	name := s.path(id)
	if err := os.Rename(name+suffixPart, name); err != nil {
		s.unindex(id)
		return fmt.Errorf("publish a copy of a sealed block: %w", err)
	}
	if err = step("copy renamed"); err == nil {
		if err = syncDir(s.dir); err == nil {
			err = step("copy published")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enter(b)
	if err != nil {
		return err // it may not outlive the machine's next crash: the stub stays
	}
	s.remove(name + suffixAway)
	return step("stub removed")
}

// unbury takes back that a block was shed or dropped whose file is there still, for older Views.
func (s *Store) unbury(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.graves[id]; !ok {
		return false
	}
	b, err := readBlock(s.path(id), false)
	if err != nil || b.ID != id {
		return false
	}
	delete(s.graves, id)
	s.enter(b)
	s.remove(s.path(id) + suffixAway)
	return true
}

// enter enters a block that is there whole now. s.mu is held.
func (s *Store) enter(b *Block) {
	delete(s.graves, b.ID)
	delete(s.spoiled, b.ID)
	s.damaged = slices.DeleteFunc(s.damaged, func(d Damage) bool {
		of := strings.HasPrefix(d.Name, b.ID.String()) && strings.HasSuffix(d.Name, suffixDamaged)
		if of {
			s.remove(filepath.Join(s.dir, d.Name))
		}
		return of
	})
	if s.blocks[b.ID] != nil {
		s.replace(b)
	} else {
		s.add(b)
	}
}

// verifyCopy reads all of a copy, and indexes it.
func (s *Store) verifyCopy(ctx context.Context, id ID, checksum uint64, worked func(context.Context) error) (*Block, error) {
	f, err := os.OpenFile(s.path(id)+suffixPart, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := fsync(f); err != nil {
		return nil, err
	}
	if err := step("copy synced"); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r, err := NewReader(f, info.Size())
	if err != nil {
		return nil, err
	}
	if r.Block.ID != id || r.Block.Checksum != checksum {
		return nil, fmt.Errorf("%w: it is another one, %v", ErrDamaged, r.Block.ID)
	}
	for _, err := range r.content(ctx, worked) {
		if err != nil {
			return nil, err
		}
	}
	if err := step("copy verified"); err != nil {
		return nil, err
	}
	var x indexer // it keeps some MiB: too much for each home's Store to have one for good
	if err = x.index(s.dir, &r.Block, r.content(ctx, worked)); err == nil {
		err = step("copy indexed")
	}
	if err != nil {
		s.unindex(id) // of a block that is spoiled and there, only what speeds its search up
		return nil, err
	}
	return &r.Block, nil
}

// content is what the frames hold, one after the other; each is valid until the next one.
func (r *Reader) content(ctx context.Context, worked func(context.Context) error) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var text []byte
		for i := range r.frames {
			var err error
			if text, err = r.wholeFrame(i, text); err == nil {
				err = worked(ctx)
			}
			if !yield(text, err) || err != nil {
				return
			}
		}
	}
}

// Dir is where the Store's files are.
func (s *Store) Dir() string { return filepath.Clean(s.dir) }
