package follow

import (
	"bytes"
	"context"
	"path"
	"slices"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/source"
)

// maxCopies is how many copies of a file are held open that no cut has followed.
const maxCopies = 2

// found begins to follow a file that is new. It is false if the file has another name by now, or none.
func (f *Follower) found(ctx context.Context, e *source.Entry) bool {
	l := &log{entry: e, now: e, line: 1, look: f.looks}
	if f.opening != nil {
		f.opening(e)
	}
	err := f.hold(ctx, l)
	if source.IsGone(err) {
		return false
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
		return true
	case !f.begun:
		at := int64(-1)
		if f.o.Resume != nil {
			at = f.o.Resume(e, l.file.Raw(), size)
		}
		err = l.start(at, size, f.o.Terminator, f.o.Numbers, f.buf)
	}
	if err != nil {
		f.leave(l)
		f.o.Failed(e, err)
		return true
	}
	delete(f.other, e.ID)
	l.head = l.head[:min(int64(len(l.head)), l.at)] // of what was read
	f.known[e.ID], f.names[e.Real()] = l, l
	f.join(l)
	return true
}

// join puts a file behind those that are followed.
func (f *Follower) join(l *log) {
	l.before, f.newest[family(l.entry)] = f.newest[family(l.entry)], l
	f.logs = append(f.logs, l)
}

// family is what the files that rotation makes of a log have in common.
func family(e *source.Entry) string { return path.Dir(e.Path) + "/" + source.Family(e.Path) }

// unname takes a file out of those that are followed.
func (f *Follower) unname(l *log) {
	f.part(l)
	delete(f.known, l.entry.ID)
	if f.names[l.now.Real()] == l {
		delete(f.names, l.now.Real())
	}
}

// part undoes join.
func (f *Follower) part(l *log) {
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
	l.before = nil
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
