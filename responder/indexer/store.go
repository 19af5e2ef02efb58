package indexer

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/trawl-logs/trawl/responder/block"
)

// ID is what a log is known by whatever its name: device and inode.
type ID struct{ Dev, Ino uint64 }

// maxIdle is how many indexes stay open that nobody uses.
const maxIdle = 256

// Store is the indexes of a state directory. It is safe for concurrent use.
type Store struct {
	dir  string
	log  *slog.Logger
	lock *os.File
	wake chan struct{} // a log is to be looked at again

	mu       sync.Mutex
	stored   map[ID]bool // there is a file
	open     map[ID]*Use
	counts   map[ID]int  // blocks of those that were open, and are not
	suspects map[ID]bool // logs to be looked at whatever their size
}

// Use is an index that is open, for as long as Done was not called.
type Use struct {
	*block.Index

	store   *Store
	id      ID
	users   int
	dropped bool
}

// OpenStore opens the indexes in dir, which is made if need be. Two processes cannot have it at once.
func OpenStore(dir string, log *slog.Logger) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("index directory: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, log: log, lock: lock, wake: make(chan struct{}, 1),
		stored: map[ID]bool{}, open: map[ID]*Use{}, counts: map[ID]int{}, suspects: map[ID]bool{}}
	list, err := block.List(dir)
	if err != nil {
		lock.Close()
		return nil, err
	}
	for _, x := range list {
		s.stored[ID{x.Dev, x.Ino}] = true
	}
	return s, nil
}

// Close closes what nobody uses, and lets another process have the directory. What is used is closed
// by Done.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeIdle(0)
	clear(s.stored)
	_ = s.lock.Close() // nothing was written to it
}

// Use returns the index of a log, nil if there is none. Done has to be called.
func (s *Store) Use(id ID) *Use {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stored[id] {
		return nil
	}
	u := s.open[id]
	if u == nil {
		x, err := block.Open(s.dir, id.Dev, id.Ino)
		if err != nil {
			s.drop(id, err)
			return nil
		}
		u = s.hold(id, x)
	}
	u.users++
	return u
}

// Count returns how many blocks the index of a log has, 0 if there is none: for a search that has no use for it,
// and so need not open it. Only one that was never open is opened.
func (s *Store) Count(id ID) int {
	s.mu.Lock()
	u, n, ok := s.open[id], 0, false
	if u == nil {
		n, ok = s.counts[id]
	}
	s.mu.Unlock()
	if ok {
		return n
	}
	if u = s.Use(id); u == nil {
		return 0
	}
	defer u.Done()
	return len(u.Blocks())
}

// hold takes an open index. s.mu is held.
func (s *Store) hold(id ID, x *block.Index) *Use {
	s.closeIdle(maxIdle)
	u := &Use{Index: x, store: s, id: id}
	s.open[id] = u
	delete(s.counts, id)
	return u
}

// closeIdle closes unused indexes until at most so many are open. s.mu is held.
func (s *Store) closeIdle(most int) {
	for id, u := range s.open {
		if len(s.open) <= most {
			return
		}
		if u.users == 0 {
			s.counts[id] = len(u.Blocks())
			delete(s.open, id)
			_ = u.Index.Close() // Finish made durable what is worth it
		}
	}
}

// Done ends the use.
func (u *Use) Done() {
	s := u.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.users--; u.users == 0 && u.dropped {
		_ = u.Index.Close() // its file is removed
	}
}

// create makes an empty index of a log, for use.
func (s *Store) create(f block.File) (*Use, error) {
	x, err := block.Create(s.dir, f)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := ID{f.Dev, f.Ino}
	s.forget(id)
	s.stored[id] = true
	u := s.hold(id, x)
	u.users++
	return u, nil
}

// Drop removes an index that is not to be relied on, and says so in the log; it is built anew.
func (s *Store) Drop(id ID, reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(id, reason)
}

func (s *Store) drop(id ID, reason error) {
	if !s.stored[id] {
		return
	}
	s.remove(id)
	if !errors.Is(reason, fs.ErrNotExist) {
		s.log.Warn("index dropped; it is built anew", "index", filepath.Join(s.dir, block.Name(id.Dev, id.Ino)), "reason", reason)
		s.suspects[id] = true
	}
	s.poke()
}

// remove removes an index. s.mu is held.
func (s *Store) remove(id ID) {
	s.forget(id)
	delete(s.stored, id)
	if err := block.Remove(s.dir, id.Dev, id.Ino); err != nil {
		s.log.Error("index not removed", "err", err)
	}
}

// forget closes an index as soon as nobody uses it. s.mu is held.
func (s *Store) forget(id ID) {
	delete(s.suspects, id)
	delete(s.counts, id)
	u := s.open[id]
	if u == nil {
		return
	}
	delete(s.open, id)
	if u.dropped = true; u.users == 0 {
		_ = u.Index.Close() // its file is removed
	}
}

// Suspect has the index of a log verified that was modified and did not grow.
func (s *Store) Suspect(id ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stored[id] {
		s.suspects[id] = true
		s.poke()
	}
}

// poke wakes the Builder.
func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// isSuspect says whether an index has to be verified, or built anew.
func (s *Store) isSuspect(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.suspects[id]
}

// cleared says that a log is being looked at.
func (s *Store) cleared(id ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.suspects, id)
}

// gone says whether the index was dropped while it was used.
func (u *Use) gone() bool {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	return u.dropped
}
