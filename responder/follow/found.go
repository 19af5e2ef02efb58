package follow

import (
	"bytes"
	"context"
	"path"
	"slices"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/source"
)

// maxCopies is how many copies of a file are held that no cut has followed.
const maxCopies = 2

// found begins to follow a file that is new.
func (f *Follower) found(ctx context.Context, e *source.Entry) {
	l := &log{entry: e, now: e, line: 1}
	err := f.hold(ctx, l)
	if source.IsGone(err) {
		return // the next look finds it
	}
	var size int64
	if err == nil {
		if size, err = l.size(); err == nil {
			err = l.readHead(size)
		}
	}
	o := f.other[e.ID]
	switch {
	case err != nil:
	case o != nil && len(o.head) > 0 && bytes.HasPrefix(l.head, o.head), archive.Detect(l.head) != archive.Plain:
		f.leave(l)
		return
	case !f.begun:
		at := int64(-1)
		if f.o.Resume != nil {
			at = f.o.Resume(e, l.file.Raw(), size)
		}
		err = l.start(at, size, f.o.Terminator, f.o.Numbers, f.buf)
	default:
		original := f.originalOf(l)
		if original != nil && len(l.head) >= len(original.head) {
			f.isCopy(original, l)
			return
		}
		l.unclear = original
	}
	if err != nil {
		f.leave(l)
		f.o.Failed(e, err)
		return
	}
	delete(f.other, e.ID)
	l.head = l.head[:min(int64(len(l.head)), l.at)] // of what was read
	f.known[e.ID], f.names[e.Real()] = l, l
	l.before, f.newest[family(e)] = f.newest[family(e)], l
	f.logs = append(f.logs, l)
}

// family is what the files that rotation makes of a log have in common.
func family(e *source.Entry) string { return path.Dir(e.Path) + "/" + source.Family(e.Path) }

// unname takes a file out of those that are followed.
func (f *Follower) unname(l *log) {
	f.logs = slices.DeleteFunc(f.logs, func(o *log) bool { return o == l })
	for _, o := range f.logs {
		if o.before == l {
			o.before = l.before
		}
	}
	switch key := family(l.entry); {
	case f.newest[key] != l:
	case l.before != nil:
		f.newest[key] = l.before
	default:
		delete(f.newest, key)
	}
	delete(f.known, l.entry.ID)
	if f.names[l.now.Real()] == l {
		delete(f.names, l.now.Real())
	}
}

// other is a file that is not followed. Its inode may become another file's.
type other struct {
	entry *source.Entry
	head  []byte
}

// same says whether an entry is sure to be the same file, unchanged.
func (o *other) same(e *source.Entry) bool {
	return o.entry.Path == e.Path && o.entry.Size == e.Size && o.entry.ModTime.Equal(e.ModTime)
}

// leave does not follow a file.
func (f *Follower) leave(l *log) {
	f.other[l.entry.ID] = &other{l.entry, l.head}
	f.release(l)
}

// originalOf returns the file that l may be a copy of: one that has kept its name, which is shorter,
// beside it, of the same log, and begins as l does, so far.
func (f *Follower) originalOf(l *log) *log {
	for _, o := range f.logs {
		if o.missing || o.unclear != nil || o.now.Real() != o.entry.Real() ||
			len(o.now.Path) >= len(l.entry.Path) || family(o.entry) != family(l.entry) {
			continue
		}
		o.learnHead()
		n := min(len(o.head), len(l.head))
		if len(o.head) > 0 && bytes.Equal(o.head[:n], l.head[:n]) && (o.at > 0 || o.holds(l)) {
			return o
		}
	}
	return nil
}

// isCopy keeps a copy of a file until that is cut.
func (f *Follower) isCopy(original, l *log) {
	f.other[l.entry.ID] = &other{l.entry, l.head}
	original.copies = append(original.copies, l)
	f.open-- // counted no more: there are few
	if n := len(original.copies) - maxCopies; n > 0 {
		f.drop(original.copies[:n])
		original.copies = original.copies[n:]
	}
}

// settled decides whether a file that had no more than the first bytes of another when it was found is a
// copy of that; false if nothing is to be read of it, or not yet.
func (f *Follower) settled(l *log) bool {
	if l.to == 0 {
		return false
	}
	original := l.unclear
	if l.readHead(l.to) != nil {
		l.unclear = nil
		return true // reading it tells what is wrong
	}
	n := min(len(l.head), len(original.head))
	same := bytes.Equal(l.head[:n], original.head[:n])
	switch {
	case same && n > 0 && len(l.head) >= len(original.head):
		f.unname(l)
		f.isCopy(original, l)
		return false
	case same && n > 0:
		return false
	}
	l.head, l.unclear = nil, nil
	return true
}

// drop closes copies. Their inodes may become other files', which their heads tell.
func (f *Follower) drop(copies []*log) {
	for _, c := range copies {
		if size, err := c.size(); err == nil && c.readHead(size) == nil && f.other[c.entry.ID] != nil {
			f.other[c.entry.ID].head = c.head
		}
		c.close()
	}
}

// cut goes on with a file that was cut: what was not read of it is in the copy that was made before.
func (f *Follower) cut(ctx context.Context, l *log, emit func(*Piece) error) error {
	if err := f.Look(ctx); err != nil {
		return err
	}
	for _, o := range slices.Clone(f.logs) { // copies that had nothing yet when they were found
		if o.unclear == l && o.file != nil {
			if size, err := o.size(); err == nil {
				o.to = size
				f.settled(o)
			}
		}
	}
	for _, c := range l.copies {
		if !l.continues(c) {
			continue
		}
		rest := &log{entry: l.entry, now: l.now, file: c.file, at: l.at, partial: l.partial, line: l.line, overlap: l.overlap, head: l.head}
		l.partial = nil
		var err error
		if rest.to, err = c.size(); err != nil {
			break
		}
		for {
			fresh, err := rest.next(f.buf)
			if err != nil || len(fresh) == 0 {
				break
			}
			if err := f.take(rest, fresh, emit); err != nil {
				return err
			}
		}
		l.partial, l.at, l.line = rest.partial, rest.at, rest.line
		break
	}
	if err := f.flush(l, emit); err != nil {
		return err
	}
	f.drop(l.copies)
	l.copies = nil
	l.restart()
	return emit(&Piece{Entry: l.entry, Cut: true})
}
