package seal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/trawl-logs/trawl/responder/block"
)

// suffixes of the names of blocks, of those that are being made, and of those that are damaged.
const (
	suffix        = ".sealed"
	suffixTmp     = ".tmp"
	suffixDamaged = ".damaged"
	suffixAway    = ".away" // a stub
	suffixPart    = ".part" // as far as it has been copied from another node
)

// Store is the sealed blocks of a state directory. It is safe for concurrent use.
type Store struct {
	dir     string
	foreign bool // its blocks were sealed by another node
	log     *slog.Logger
	lock    *os.File

	mu      sync.Mutex
	mark    int64 // grows with every block that is published or dropped
	blocks  map[ID]*Block
	stored  int64 // bytes of those that are not away
	logs    map[ID]*Log
	damaged []Damage
	views   map[int64]int    // how many were opened at which mark
	graves  map[ID]grave     // blocks that only older views see
	copies  map[copyKey]int  // verdicts about archives
	heads   map[headKey]head // of archives
	refused string           // why nothing is sealed; empty: it is
	spoiled map[ID]error     // blocks that could not be read

	adopting sync.Mutex // one block at a time
}

// grave is what is to become of the files of a block that only older views see.
type grave struct {
	mark int64 // since when
	stub bool  // its stub goes as well
}

// Damage is a block that cannot be read.
type Damage struct {
	Name string
	Err  error
}

// step is where the tests end the process, or have it fail.
var step = func(name string) error { return nil }

// Open opens the blocks in dir, which is made if need be. Two processes cannot have it at once. What a
// crash left half made is removed; a block that is damaged is put aside, and Damaged names it.
func Open(dir string, log *slog.Logger) (*Store, error) { return open(dir, log, false) }

// OpenForeign opens blocks that another node sealed. It has no Sealer.
func OpenForeign(dir string, log *slog.Logger) (*Store, error) { return open(dir, log, true) }

func open(dir string, log *slog.Logger, foreign bool) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of sealed blocks: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	// A process that was killed may have published a block, and not made that durable. From here on it counts: logs are deleted, and
	// other nodes drop their copies.
	if err := syncDir(dir); err != nil {
		lock.Close()
		return nil, err
	}
	s := &Store{dir: dir, foreign: foreign, log: log, lock: lock, mark: 1, blocks: map[ID]*Block{}, logs: map[ID]*Log{},
		views: map[int64]int{}, graves: map[ID]grave{}, spoiled: map[ID]error{}, copies: map[copyKey]int{}, heads: map[headKey]head{}}
	if err := s.load(); err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("directory of sealed blocks: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("directory of sealed blocks %s is in use by another process", dir)
		}
		return nil, fmt.Errorf("directory of sealed blocks %s: lock: %w", dir, err)
	}
	return f, nil
}

// load reads the footers of all blocks.
func (s *Store) load() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("list sealed blocks: %w", err)
	}
	for _, e := range entries {
		name := filepath.Join(s.dir, e.Name())
		switch {
		case strings.HasSuffix(name, suffix+suffixTmp), strings.HasSuffix(name, suffix+suffixAway+suffixTmp):
			if err := os.Remove(name); err != nil {
				return fmt.Errorf("remove half a sealed block: %w", err)
			}
		case strings.HasSuffix(name, suffix+suffixDamaged), strings.HasSuffix(name, suffix+suffixAway+suffixDamaged):
			s.damaged = append(s.damaged, Damage{e.Name(), ErrDamaged})
		case strings.HasSuffix(name, suffix):
			if err := s.loadBlock(e.Name()); err != nil {
				return err
			}
		case strings.HasSuffix(name, suffix+suffixAway): // its block, if that is there, was before it
			if err := s.loadStub(e.Name()); err != nil {
				return err
			}
		}
	}
	indexes, err := block.List(s.dir)
	if err != nil {
		return err
	}
	known := map[[2]uint64]bool{}
	for id, b := range s.blocks {
		known[id.index()] = !b.Away
	}
	for _, x := range indexes {
		if !known[[2]uint64{x.Dev, x.Ino}] {
			if err := block.Remove(s.dir, x.Dev, x.Ino); err != nil {
				return err
			}
		}
	}
	return nil
}

// loadBlock reads the footer of a block. One that is damaged is put aside; one of a later version stays, and
// is damaged for this one.
func (s *Store) loadBlock(name string) error {
	b, err := readBlock(filepath.Join(s.dir, name), false)
	if err == nil && b.ID.String()+suffix != name {
		err = fmt.Errorf("%w: it is of %v", ErrDamaged, b.ID)
	}
	switch {
	case err == nil:
		s.add(b)
		return nil
	case errors.Is(err, ErrDamaged):
		s.log.Error("sealed block put aside", "block", name, "err", err)
		if err := os.Rename(filepath.Join(s.dir, name), filepath.Join(s.dir, name+suffixDamaged)); err != nil {
			return fmt.Errorf("put a sealed block aside: %w", err)
		}
		name += suffixDamaged
	case !errors.Is(err, ErrForeign):
		return err
	}
	s.damaged = append(s.damaged, Damage{name, err})
	return nil
}

// readBlock reads the footer of a block, or of a stub.
func readBlock(name string, stub bool) (*Block, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open sealed block: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open sealed block: %w", err)
	}
	r, err := newReader(f, info.Size())
	switch {
	case err != nil:
		return nil, err
	case r.Block.Away != stub:
		return nil, fmt.Errorf("%w: its frames", ErrDamaged)
	}
	return &r.Block, nil
}

// index is what the block's skip index goes by in place of device and inode.
func (id ID) index() [2]uint64 {
	return [2]uint64{binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])}
}

func newID() (id ID) {
	_, _ = rand.Read(id[:]) // does not fail
	return id
}

func (s *Store) path(id ID) string { return filepath.Join(s.dir, id.String()+suffix) }

// add enters a published block. s.mu is held, or nobody else has s yet.
func (s *Store) add(b *Block) {
	s.mark++
	s.blocks[b.ID] = b
	s.stored += b.here()
	at, line := int64(0), int64(0)
	for i := range b.Runs {
		r := &b.Runs[i]
		l := s.logs[r.Log]
		if l == nil {
			l = &Log{ID: r.Log, Service: b.Service}
		}
		s.logs[r.Log] = l.with(part{Run: *r, block: b, at: at, line: line, mark: s.mark})
		at, line = at+r.To-r.From, line+r.Lines
	}
}

// Close lets another process have the directory.
func (s *Store) Close() { _ = s.lock.Close() } // nothing was written to it

// Blocks lists the blocks: by service, window, and when they were made. They must not be changed.
func (s *Store) Blocks() []*Block {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.blocks), compareBlocks)
}

// Stored is how many bytes the files of the blocks that are not away have.
func (s *Store) Stored() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored
}

// here is what the block's file has.
func (b *Block) here() int64 {
	if b.Away {
		return 0
	}
	return b.Stored
}

// Damaged are the blocks that cannot be read: lines may be missing because of them.
func (s *Store) Damaged() []Damage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.damaged)
}

// Refused is why nothing is sealed at the moment; empty if it is.
func (s *Store) Refused() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

func (s *Store) refuse(why string) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news = s.refused != why
	s.refused = why
	return news
}

// Mark is a moment: Match of a later View takes of a Log no more than was sealed then.
func (s *Store) Mark() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mark
}

// drop takes blocks out of the Store. Their files go as soon as no View has them.
func (s *Store) drop(ids ...ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		b := s.blocks[id]
		if b == nil {
			continue
		}
		delete(s.blocks, id)
		delete(s.spoiled, id)
		s.stored -= b.here()
		for i := range b.Runs {
			if l := s.logs[b.Runs[i].Log]; l == nil {
				continue
			} else if l = l.without(id); l == nil {
				delete(s.logs, b.Runs[i].Log)
			} else {
				s.logs[l.ID] = l
			}
		}
		s.mark++
		s.graves[id] = grave{s.mark, true}
	}
	s.sweep()
}

// sweep removes the files of the blocks that no View has any more. s.mu is held.
func (s *Store) sweep() {
	oldest := s.mark + 1
	for mark := range s.views {
		oldest = min(oldest, mark)
	}
	for id, g := range s.graves {
		if g.mark > oldest {
			continue
		}
		delete(s.graves, id)
		s.remove(s.path(id))
		if g.stub {
			s.remove(s.path(id) + suffixAway)
		}
		_ = step("removed") // a test ends here; there is nothing that could fail
		s.unindex(id)
	}
}

func (s *Store) remove(name string) {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Error("sealed block not removed", "block", filepath.Base(name), "err", err)
	}
}
