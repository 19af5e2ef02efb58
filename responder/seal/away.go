package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// ErrAway says that what a block holds is at other nodes.
var ErrAway = errors.New("sealed block is at other nodes")

// ErrUnknown says that a Store has nothing of a block.
var ErrUnknown = errors.New("sealed block is not here")

// loadStub reads a stub. One whose block is there says nothing: a crash came before that was removed, or after
// it was adopted.
func (s *Store) loadStub(name string) error {
	full := filepath.Join(s.dir, name)
	b, err := readBlock(full, true)
	if err == nil && b.ID.String()+suffix+suffixAway != name {
		err = fmt.Errorf("%w: it is of %v", ErrDamaged, b.ID)
	}
	switch {
	case err == nil && s.blocks[b.ID] != nil:
		if err := os.Remove(full); err != nil {
			return fmt.Errorf("remove the stub of a sealed block: %w", err)
		}
	case err == nil:
		s.add(b)
	case errors.Is(err, ErrDamaged):
		s.log.Error("stub of a sealed block put aside", "stub", name, "err", err)
		if err := os.Rename(full, full+suffixDamaged); err != nil {
			return fmt.Errorf("put the stub of a sealed block aside: %w", err)
		}
		s.damaged = append(s.damaged, Damage{name + suffixDamaged, err})
	case errors.Is(err, ErrForeign):
		s.damaged = append(s.damaged, Damage{name, err})
	default:
		return err
	}
	return nil
}

// Shed lets go of a block that other nodes have. A Store of the node's own blocks keeps a stub, so that where its
// logs' sealed lines end is known still; one of another node's drops it. Views that are open read the block to
// their end. After an error the block may be there or not, as a crash would leave it; Shed again.
func (s *Store) Shed(id ID) error {
	s.adopting.Lock()
	defer s.adopting.Unlock()
	b, err := s.Block(id)
	switch {
	case err != nil:
		return err
	case s.foreign:
		s.drop(id)
		return nil
	case b.Away:
		return nil
	}
	if err := s.makeStub(b); err != nil {
		return fmt.Errorf("stub of sealed block: %w", err)
	}
	away := *b
	away.Away = true
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blocks[id] == nil { // retention has dropped it meanwhile
		s.remove(s.path(id) + suffixAway)
		return nil
	}
	delete(s.spoiled, id)
	s.replace(&away)
	s.graves[id] = grave{mark: s.mark}
	s.sweep()
	return nil
}

// makeStub publishes a stub beside its block.
func (s *Store) makeStub(b *Block) error {
	r, f, err := s.openBlock(b)
	if err != nil {
		return err
	}
	defer f.Close()
	at := int64(headerBytes)
	if n := len(r.frames); n > 0 {
		at = r.frames[n-1].at + int64(r.frames[n-1].stored)
	}
	p := make([]byte, headerBytes+b.Stored-at)
	if err := readFull(f, p[:headerBytes], 0); err != nil {
		return err
	}
	if err := readFull(f, p[headerBytes:], at); err != nil {
		return err
	}
	name := s.path(b.ID) + suffixAway
	if err := writeDurably(name+suffixTmp, p, "stub"); err != nil {
		_ = os.Remove(name + suffixTmp) // Open removes it if this cannot
		return err
	}
	if err := os.Rename(name+suffixTmp, name); err != nil {
		_ = os.Remove(name + suffixTmp)
		return err
	}
	if err := step("stub renamed"); err != nil {
		return err
	}
	if err := syncDir(s.dir); err != nil {
		return err
	}
	return step("stub published")
}

// writeDurably writes a file anew.
func writeDurably(name string, p []byte, what string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := step(what + " created"); err != nil {
		return err
	}
	if _, err := f.Write(p); err != nil {
		return err
	}
	if err := step(what + " written"); err != nil {
		return err
	}
	if err := fsync(f); err != nil {
		return err
	}
	return step(what + " synced")
}

// replace has the logs go by another state of a block that is there. s.mu is held.
func (s *Store) replace(b *Block) {
	s.stored += b.here() - s.blocks[b.ID].here()
	s.blocks[b.ID] = b
	for i := range b.Runs {
		l := s.logs[b.Runs[i].Log]
		if l == nil {
			continue
		}
		next := *l
		next.parts = slices.Clone(l.parts)
		for k := range next.parts {
			if next.parts[k].block.ID == b.ID {
				next.parts[k].block = b
			}
		}
		s.logs[l.ID] = &next
	}
	s.mark++
}

// Block is what is known of a block; ErrUnknown if the Store has nothing of it. It must not be changed.
func (s *Store) Block(id ID) (*Block, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.blocks[id]; b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("%w: %v", ErrUnknown, id)
}

// File opens the file of a block, to be sent: Stored bytes of it. It can be read after the block is shed. The
// error is ErrUnknown, or ErrAway.
func (s *Store) File(id ID) (*os.File, *Block, error) {
	b, err := s.Block(id)
	if err != nil {
		return nil, nil, err
	}
	_, f, err := s.openBlock(b)
	if errors.Is(err, fs.ErrNotExist) { // it was shed just now
		err = ErrAway
	}
	if err != nil {
		return nil, nil, err
	}
	return f, b, nil
}

// Spoiled is why a block that is there could not be read, when a search or Verify tried it last; nil: it could, or
// nobody tried. It is not searched before Verify finds it whole, or a copy of another node's is adopted in its place.
func (s *Store) Spoiled(id ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spoiled[id]
}

// spoil notes that a block that is there cannot be read.
func (s *Store) spoil(id ID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.blocks[id]; b == nil || b.Away {
		return // it was let go of
	}
	if s.spoiled[id] == nil {
		s.log.Error("sealed block cannot be read", "block", id, "err", err)
	}
	s.spoiled[id] = err
}
