package rotation

import (
	"bytes"
	"errors"
	"io"
	"path"
	"time"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/source"
)

// fresh is how long ago a file may have changed that is a copy, or an archive, in the making.
const fresh = 2 * time.Minute

// dropTwins marks what is in the Set twice.
func (s *Set) dropTwins() {
	families := map[string][]*File{}
	for _, f := range s.held {
		if f.file != nil {
			name := source.Family(f.Entry.Path)
			families[name] = append(families[name], f)
		}
	}
	for _, family := range families {
		for _, f := range family {
			if f.kind != archive.Plain || f.Size() == 0 {
				continue
			}
			for _, other := range family {
				if other != f && !f.dropped && !other.dropped && f.has(other) {
					other.dropped = true
					_ = other.Close()
				}
			}
		}
	}
}

// has says whether the file has all lines of the other one, since that is made of it or it of that.
func (f *File) has(other *File) bool {
	if other.kind != archive.Plain || other.isEmptyArchive() {
		return f.madeInto(other)
	}
	if other.Size() == 0 || other.Size() > f.Size() {
		return false
	}
	mine, others := len(path.Base(f.Entry.Path)), len(path.Base(other.Entry.Path))
	return mine < others && f.sameLines(other, f, other) || mine > others && f.sameLines(other, other, f)
}

// isEmptyArchive says whether the file is named as an archive and holds nothing yet.
func (f *File) isEmptyArchive() bool {
	_, packed := source.PackedFrom(f.Entry.Path)
	return packed && f.Size() < archive.HeadSize
}

// madeInto says whether an archive is being made of the file, or was and the file is going to be
// deleted: their names say so, or the file has none any more, or was cut after a copy was made that then
// was packed; and the contents agree.
func (f *File) madeInto(other *File) bool {
	plain, packed := source.PackedFrom(other.Entry.Path)
	state, err := f.file.State()
	if err != nil || !state.Gone && !(packed && plain == f.Entry.Path) && f.Intact() {
		return false
	}
	archiveState, err := other.file.State()
	if err != nil {
		return false
	}
	young := time.Since(archiveState.Changed) < fresh
	if other.kind == archive.Plain {
		return young
	}
	r := archive.Open(other.file, other.file.Size(), other.kind, f.set.keeper.limits, nil)
	defer r.Close()
	same, end := sameStart(f, f.Size(), r)
	return same && (errors.Is(end, io.EOF) || young)
}

// sameLines says whether the file begins as the other one, which is not longer, and one of them is a
// copy in the making of the other, the original.
func (f *File) sameLines(other, original, made *File) bool {
	now, err := made.file.State()
	if err != nil || time.Since(now.Changed) > fresh || !f.sameHead(other) {
		return false
	}
	if same, _ := sameStart(f, f.Size(), io.NewSectionReader(other, 0, other.Size())); !same {
		return false
	}
	for {
		now, err = made.file.State()
		switch {
		case err != nil:
			return false
		case now.Size > made.Size() || !original.Intact():
			return true
		case time.Since(now.Changed) > settling:
			return false
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-f.set.ctx.Done():
			return false
		}
	}
}

// sameHead is a quick look at whether one file may begin as the other does.
func (f *File) sameHead(other *File) bool {
	n := min(f.head.n, other.head.n)
	a, err := printOf(f, 0, n)
	return err == nil && a.holds(other)
}

// sameStart compares a stream with the first size bytes of a file: one begins as the other does. The
// error is why the stream ended, nil where the file did first.
func sameStart(file io.ReaderAt, size int64, stream io.Reader) (same bool, end error) {
	var got, want [32 << 10]byte
	for at := int64(0); at < size; {
		n, err := stream.Read(got[:min(int64(len(got)), size-at)])
		if k, e := file.ReadAt(want[:n], at); k < n {
			return false, e
		}
		if !bytes.Equal(got[:n], want[:n]) {
			return false, nil
		}
		at += int64(n)
		if err != nil {
			return true, err
		}
	}
	return true, io.EOF
}
