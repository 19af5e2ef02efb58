package seal

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
)

// View is a Store as a query sees it, until Close.
type View struct {
	s    *Store
	mark int64
	logs map[ID]*Log
}

// View opens a view.
func (s *Store) View() *View {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.views[s.mark]++
	return &View{s: s, mark: s.mark, logs: maps.Clone(s.logs)}
}

// Close lets go of blocks that were dropped meanwhile. What was made of the View must not be read any more.
func (v *View) Close() {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	if v.s.views[v.mark]--; v.s.views[v.mark] == 0 {
		delete(v.s.views, v.mark)
	}
	v.s.sweep()
}

// Logs are those of which anything is sealed, in no order.
func (v *View) Logs() []*Log { return slices.Collect(maps.Values(v.logs)) }

// Log is the Log of that ID; nil: nothing is sealed of it.
func (v *View) Log(id ID) *Log { return v.logs[id] }

// Reads says whether the View has all lines of a block: in it, or in other blocks that hold the same.
func (v *View) Reads(b *Block) bool {
	for i := range b.Runs {
		r := &b.Runs[i]
		l := v.logs[r.Log]
		if l == nil {
			return false
		}
		at := r.From
		for k := l.partAt(at); k < len(l.parts) && at < r.To && l.parts[k].From <= at; k++ {
			if l.parts[k].block.ID == b.ID && l.parts[k].block.Away {
				return false
			}
			at = l.parts[k].To
		}
		if at < r.To {
			return false
		}
	}
	return true
}

// File is a file that is there, and may be a Log or hold one.
type File struct {
	Identity // without the head
	Path     string
	At       io.ReaderAt
	Size     int64
	ModTime  time.Time
	// Unread tells that it cannot be read at the moment: but Dev and Ino, nothing is known of it.
	Unread bool
	// Content, if set, opens what is compressed in it: then it is an archive, and At is not read.
	Content func() (io.ReadCloser, error)
}

// Matches are what Match found.
type Matches struct {
	// Of has, for each file, the Log that it goes on with; nil: none, so that it is searched as it is.
	Of []*Log
	// Twice tells, for each file, that all it holds is in a Log that is in Gone: it is not to be searched.
	Twice []bool
	// In has, for each file that is an archive, the Log all of which it holds: Twice, or with more than that.
	In []*Log
	// Gone are the Logs without a file: there are but their blocks.
	Gone []*Log
}

// Match tells which of the files is which Log. mark is of before the files' sizes were looked at. wanted, if
// not nil, says which Logs matter. family is what a path has in common with those that rotation gives it. When
// ctx is over, so is Match, and what it found is worth nothing.
func (v *View) Match(ctx context.Context, files []File, mark int64, wanted func(*Log) bool, family func(path string) string) Matches {
	m := matcher{ctx: ctx, v: v, files: files, family: family, Matches: Matches{Of: make([]*Log, len(files)), Twice: make([]bool, len(files)), In: make([]*Log, len(files))},
		taken: map[ID]bool{}, heads: make([]*head, len(files))}
	byInode := map[[2]uint64][]int{}
	for i := range files {
		byInode[[2]uint64{files[i].Dev, files[i].Ino}] = append(byInode[[2]uint64{files[i].Dev, files[i].Ino}], i)
	}
	logs := v.Logs()
	slices.SortFunc(logs, func(a, b *Log) int { return cmp.Compare(a.last().block.Sealed, b.last().block.Sealed) })
	for _, l := range logs {
		for _, i := range byInode[[2]uint64{l.last().Dev, l.last().Ino}] {
			m.byInode(l, i, mark)
		}
	}
	for _, l := range logs {
		if m.taken[l.ID] || wanted != nil && !wanted(l) {
			continue
		}
		if was := l.upTo(mark); was == nil || !m.inCopy(was) {
			if !m.inArchive(l) {
				m.Gone = append(m.Gone, l)
			}
		}
	}
	slices.SortFunc(m.Gone, func(a, b *Log) int { return cmp.Compare(a.sealed(), b.sealed()) })
	return m.Matches
}

type matcher struct {
	Matches
	ctx    context.Context
	v      *View
	files  []File
	family func(string) string
	taken  map[ID]bool
	heads  []*head // of files, once they are known
}

// head is what a file begins with.
type head struct {
	n   int    // bytes, up to printBytes
	sum uint64 // of them
}

// kin says whether a file may hold a Log. Any may that begins with the same 4 KiB, whatever its name: what
// names rotation gives is for nobody to list. Of a shorter start, another log may have the same: the name has
// to agree, or the directory.
func kin(l *Log, path string, family func(string) string) bool {
	if l.last().HeadBytes == printBytes {
		return true
	}
	name := l.Path()
	return filepath.Dir(name) == filepath.Dir(path) || family(name) == family(path)
}

// mayHold says of a file of kin whether it begins as the Log does. It reads each file's head once, and that of
// an archive once for all Views.
func (m *matcher) mayHold(i int, l *Log) bool {
	p := l.last()
	if p.HeadBytes < printBytes {
		return true
	}
	if m.heads[i] == nil {
		h, err := m.v.s.headOf(m.ctx, &m.files[i])
		if err != nil {
			return false // perhaps it can be read next time
		}
		m.heads[i] = &h
	}
	return *m.heads[i] == head{p.HeadBytes, p.Head}
}

// headOf reads what a file begins with.
func (s *Store) headOf(ctx context.Context, f *File) (h head, err error) {
	if f.Content == nil {
		h.n = int(min(f.Size, printBytes))
		h.sum, err = sumAt(f.At, 0, h.n)
		return h, err
	}
	k := headKey{f.Identity, f.Size, f.ModTime.UnixNano()}
	s.mu.Lock()
	h, ok := s.heads[k]
	s.mu.Unlock()
	if ok || ctx.Err() != nil {
		return h, ctx.Err()
	}
	r, err := f.Content()
	if err != nil {
		return h, err
	}
	defer r.Close()
	p := make([]byte, printBytes)
	h.n, err = io.ReadFull(r, p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return h, err
	}
	h.sum = xxhash.Sum64(p[:h.n])
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.heads) >= maxCopies {
		clear(s.heads)
	}
	s.heads[k] = h
	return h, nil
}

// byInode takes a file for the Log if it has its inode and holds what was sealed of it.
func (m *matcher) byInode(l *Log, i int, mark int64) {
	f := &m.files[i]
	if f.Unread { // for all we know it is the log's
		m.taken[l.ID] = true
		return
	}
	if m.taken[l.ID] || m.Of[i] != nil || f.Content != nil || !f.same(&l.last().Identity) {
		return
	}
	was := l.upTo(mark)
	if was == nil { // its first block was made after the file was looked at, which has it all
		m.taken[l.ID] = true
		return
	}
	ok, err := was.isIn(f.At, f.Size)
	if ok {
		m.Of[i] = was
	}
	m.taken[l.ID] = ok || err != nil // an error of reading is no other content
}

// inCopy looks for a file with another inode that begins with all that is sealed: a copy that was made of
// the log before that was cut.
func (m *matcher) inCopy(l *Log) bool {
	for i := range m.files {
		f := &m.files[i]
		if f.Content != nil || f.Unread || m.Of[i] != nil || f.Size < l.last().To || !kin(l, f.Path, m.family) || !m.mayHold(i, l) {
			continue
		}
		if ok, _ := l.isIn(f.At, f.Size); ok {
			m.Of[i] = l
			return true
		}
	}
	return false
}

// Verdicts about an archive and a Log.
const (
	otherContent = iota + 1
	sameContent  // the archive holds what is sealed, and no more
	moreContent
)

// headKey names an archive as it is at the moment.
type headKey struct {
	archive Identity
	size    int64
	modTime int64
}

type copyKey struct {
	headKey
	log ID
	end int64
}

// maxCopies bounds the verdicts that are remembered, and the heads, at some 100 bytes each.
const maxCopies = 16 << 10

// inArchive looks for an archive of the log. If it holds no more than what is sealed, it is there twice; else
// it is searched in place of the Log.
func (m *matcher) inArchive(l *Log) bool {
	start, _ := l.Start()
	for i := range m.files {
		f := &m.files[i]
		if f.Content == nil || m.In[i] != nil || m.ctx.Err() != nil || !kin(l, f.Path, m.family) || !m.mayHold(i, l) {
			continue
		}
		switch v := m.v.s.verdict(m.ctx, f, l); {
		case v == sameContent && start == 0:
			m.Twice[i], m.In[i] = true, l
			return false
		case v == sameContent || v == moreContent: // it has what the blocks do not
			m.In[i] = l
			return true
		}
	}
	return false
}

// verdict compares an archive with a Log, or remembers what came of that.
func (s *Store) verdict(ctx context.Context, f *File, l *Log) int {
	end, _ := l.End()
	k := copyKey{headKey{f.Identity, f.Size, f.ModTime.UnixNano()}, l.ID, end}
	s.mu.Lock()
	v := s.copies[k]
	s.mu.Unlock()
	if v != 0 {
		return v
	}
	if v = compareArchive(ctx, f, l); v == 0 {
		return otherContent // it could not be read; perhaps it can next time
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.copies) >= maxCopies {
		clear(s.copies)
	}
	s.copies[k] = v
	return v
}

// compareArchive reads an archive, beyond its head only if that is the log's. 0: it could not be read, or ctx
// is over.
func compareArchive(ctx context.Context, f *File, l *Log) int {
	r, err := f.Content()
	if err != nil {
		return 0
	}
	defer r.Close()
	p := l.last()
	head := make([]byte, p.HeadBytes)
	if _, err := io.ReadFull(r, head); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return otherContent
		}
		return 0
	}
	if sum, _ := sumAt(bytes.NewReader(head), 0, len(head)); sum != p.Head {
		return otherContent
	}
	ring := tailKeeper{ctx: ctx, kept: head}
	n, err := io.CopyN(&ring, r, p.To-int64(len(head)))
	if errors.Is(err, io.EOF) {
		return otherContent
	}
	if err != nil || n < p.To-int64(len(head)) {
		return 0
	}
	if sum, err := tailAt(bytes.NewReader(ring.kept), int64(len(ring.kept))); err != nil || sum != p.Tail {
		return otherContent
	}
	if _, err := io.ReadFull(r, make([]byte, 1)); errors.Is(err, io.EOF) {
		return sameContent
	} else if err != nil {
		return 0
	}
	return moreContent
}

// tailKeeper keeps the last 4 KiB at least of what is written to it, until ctx is over.
type tailKeeper struct {
	ctx  context.Context
	kept []byte
}

func (t *tailKeeper) Write(p []byte) (int, error) {
	if err := t.ctx.Err(); err != nil {
		return 0, err
	}
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - 16*printBytes; over > 0 {
		t.kept = t.kept[:copy(t.kept, t.kept[len(t.kept)-printBytes:])]
	}
	return len(p), nil
}
