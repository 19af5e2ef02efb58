// Package rotation keeps the files of a search while log rotation renames, copies, compresses and cuts
// them: no line is lost that was complete when the search began and that rotation itself kept, and none
// is given twice.
//
// A Keeper belongs to a node. Its Open makes the Set of a query: it opens the files that the query
// selects at once, and looks again until no name changed while it did. From then on renaming and
// deleting touch nothing. Files beyond the number that may be open wait in the Set under their names.
//
// Two members of a Set may hold the same lines for a moment; then one of them leaves it:
//
//   - an archive that is being made of a file, or has just been made, beside the file that it is made of
//     (app.log.1.gz beside app.log.1): the file stays. That the contents agree is read, not guessed;
//   - a copy that is being made of a file that then is cut (logrotate's copytruncate): what is longer
//     stays. Files that merely are equal stay both: a copy is one that still grows, or whose original
//     is cut, within settling.
//
// A Set's File is read as it was when it was opened. If it is cut under its reader, or cut and written
// anew, the File finds the copy that was made before, which begins with the same bytes, plain or
// compressed, and goes on there; if there is none, the error is source.ErrShrunk.
package rotation

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/source"
)

const (
	// maxRounds is how often the names are read again while a Set is opened.
	maxRounds = 20
	// maxHeld is how many files one Set has open at most.
	maxHeld = 1024
)

// Keeper opens the files of a node's searches. It is safe for concurrent use.
type Keeper struct {
	catalog *source.Catalog
	limits  archive.Limits
	free    atomic.Int64 // files that may still be held open
}

// New returns a Keeper; the limits hold for archives that are compared with what they were made of.
func New(catalog *source.Catalog, limits archive.Limits) *Keeper {
	k := &Keeper{catalog: catalog, limits: limits}
	k.free.Store(256)
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil {
		k.free.Store(int64(min(files.Cur, 1<<20) / 2))
	}
	return k
}

// Set is the files of one query, in the natural order of their names. Close it.
type Set struct {
	Files    []*File
	Problems []source.Problem // because of which selected files may be missing

	keeper *Keeper
	ctx    context.Context
	held   map[source.ID]*File
	closed atomic.Bool
}

// Open opens the files that the filter admits. Those of which later says so are only opened when they
// are read. The context holds for as long as the files are read.
func (k *Keeper) Open(ctx context.Context, filter *source.Filter, later func(*source.Entry) bool) (*Set, error) {
	s := &Set{keeper: k, ctx: ctx, held: map[source.ID]*File{}}
	snap, err := k.catalog.Refresh(ctx)
	if err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	for round := 1; ; round++ {
		entries, failed := k.catalog.Select(snap, filter)
		s.Problems = failed
		s.hold(entries, later)
		if !k.catalog.Changed(snap) {
			break
		}
		next, err := k.catalog.Again(ctx)
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("catalogue: %w", err)
		}
		if next.Same(snap) {
			break
		}
		if snap = next; round == maxRounds {
			snap.Unsettled = true
			break
		}
	}
	if snap.Unsettled && len(s.held) > 0 {
		err := fmt.Errorf("names kept changing for %d looks: a file that was renamed meanwhile may be missing", maxRounds)
		s.Problems = append(s.Problems, source.Problem{Path: "files", Err: err})
	}
	s.dropTwins()
	for _, f := range s.held {
		if !f.dropped {
			s.Files = append(s.Files, f)
		}
	}
	slices.SortFunc(s.Files, func(a, b *File) int { return source.CompareNatural(a.Entry.Path, b.Entry.Path) })
	return s, nil
}

// hold opens the files that are new. An original comes before its copies, whose names are longer: what
// is cut from it between the two is in a copy that is opened later.
func (s *Set) hold(entries []*source.Entry, later func(*source.Entry) bool) {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b *source.Entry) int { return len(a.Path) - len(b.Path) })
	maps.DeleteFunc(s.held, func(id source.ID, f *File) bool { // they are under other names, if at all
		return f.file == nil && !slices.ContainsFunc(entries, func(e *source.Entry) bool { return e.ID == id })
	})
	for _, e := range entries {
		if f := s.held[e.ID]; f != nil {
			f.Entry = e // perhaps under another name
			continue
		}
		f := &File{Entry: e, set: s}
		s.held[e.ID] = f
		if len(s.held) > maxHeld || later(e) {
			continue
		}
		if s.keeper.free.Add(-1) < 0 {
			s.keeper.free.Add(1)
			continue
		}
		file, err := s.keeper.catalog.OpenNow(e)
		if source.IsGone(err) {
			delete(s.held, e.ID) // the next look finds what became of it
		}
		if err == nil {
			err = f.take(file)
		}
		if f.counted = err == nil; !f.counted { // the error comes again when it is read
			s.keeper.free.Add(1)
		}
	}
}

// Open opens the file of an entry of the Set's.
func (s *Set) Open(e *source.Entry) (*File, error) {
	f := s.held[e.ID]
	if f == nil {
		return nil, fs.ErrNotExist
	}
	return f, f.Open()
}

// Close closes all files that were not closed.
func (s *Set) Close() {
	s.closed.Store(true)
	for _, f := range s.held {
		_ = f.Close() // opened for reading: nothing is lost
	}
}

// File is one file of a Set. It is read through ReadAt once Open has returned; by many at a time.
type File struct {
	Entry *source.Entry

	set     *Set
	counted bool
	dropped bool

	file *source.File // nil: not open yet
	kind archive.Kind
	head print // of its first bytes
	tail print // of its last

	start []byte // its first bytes, if it changed of late: a copy may be shorter than a fingerprint

	mu     sync.Mutex
	closed bool
	copy   *copied // where the rest is, once it was cut
	lost   error   // why it is nowhere
}

// Open opens the file, if it is not open; one that was closed again, while its Set is not. The error does
// not repeat its name.
func (f *File) Open() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.set.closed.Load() {
		return os.ErrClosed
	}
	if f.file != nil && !f.closed {
		return nil
	}
	file, err := f.set.keeper.catalog.Open(f.set.ctx, f.Entry)
	if err != nil {
		return err
	}
	f.closed, f.counted, f.copy, f.lost = false, false, nil, nil
	return f.take(file)
}

// Held says whether the file is open.
func (f *File) Held() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file != nil && !f.closed
}

// Size is the length in bytes of what is read.
func (f *File) Size() int64 { return f.file.Size() }

// Raw is the file itself, for a reader that maps it. What it reads there counts only if Intact says so
// afterwards.
func (f *File) Raw() *os.File { return f.file.Raw() }

// Close closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	if f.counted {
		f.set.keeper.free.Add(1)
	}
	if f.file != nil {
		_ = f.file.Close() // opened for reading: nothing is lost
	}
	if f.copy != nil {
		_ = f.copy.close()
	}
	return nil
}

// settling is for how long a copy that equals its original is watched: logrotate cuts the original
// when it has written the copy.
const settling = time.Second
