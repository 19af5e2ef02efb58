package responder

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/rotation"
	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/responder/source"
)

// sealedFiles are the files that may be, or hold, a sealed log: those of the search, which the first so many are that mine
// says, and others with the inode of one, so that it is not taken for gone. Their source does not matter: rotation may
// have moved a log to another one, that seals nothing.
func (r *Responder) sealedFiles(ctx context.Context, p *plan, v *seal.View) (files []seal.File, entries []*source.Entry, mine int) {
	logs := v.Logs()
	if len(logs) == 0 {
		return nil, nil, 0
	}
	look := func(e *source.Entry, open opener, searched bool) {
		if e.Size == 0 || r.feeds.formats[e.Source()] != 0 || ctx.Err() != nil {
			return
		}
		file, gone := r.toMatch(e, open, p.archives.limits)
		if !gone && (searched || file.Content == nil) { // an archive is no log, whatever its inode was of
			files, entries = append(files, file), append(entries, e)
		}
	}
	known := map[source.ID]bool{}
	for _, f := range p.set.Files {
		known[f.Entry.ID] = true
		look(f.Entry, func() (readable, error) {
			if f.Held() {
				return heldFile{f}, nil
			}
			return f, f.Open()
		}, true)
	}
	mine = len(files)
	sealed := map[source.ID]bool{}
	for _, l := range logs {
		dev, ino := l.Inode()
		sealed[source.ID{Dev: dev, Ino: ino}] = true
	}
	if snap := r.catalog.Newest(); snap != nil {
		for _, e := range snap.Files {
			if !known[e.ID] && sealed[e.ID] {
				look(e, func() (readable, error) { return r.openKnown(ctx, e) }, false)
			}
		}
	}
	return files, entries, mine
}

// toMatch is a file as Match takes it. Only one that is gone is as if it were not there: what cannot be opened
// for another reason may be searched in a moment, and would be found twice.
func (r *Responder) toMatch(e *source.Entry, open opener, limits archive.Limits) (file seal.File, gone bool) {
	file = seal.File{Identity: seal.Identity{Dev: e.ID.Dev, Ino: e.ID.Ino}, Path: e.Path, ModTime: e.ModTime}
	if r.sealing.opening != nil {
		if err := r.sealing.opening(e); err != nil {
			open = func() (readable, error) { return nil, err }
		}
	}
	f, err := open()
	if err != nil {
		file.Unread = true
		return file, source.IsGone(err)
	}
	defer f.Close()
	id, err := seal.IdentityOf(f.Raw())
	if err != nil {
		file.Unread = true
		return file, false
	}
	file.Identity, file.At, file.Size = id, open, f.Size()
	if kind := f.Kind(); kind != archive.Plain {
		file.Content = func() (io.ReadCloser, error) {
			f, err := open()
			if err != nil {
				return nil, err
			}
			return &matchedArchive{archive.Open(f, f.Size(), kind, limits, nil), f}, nil
		}
	}
	return file, false
}

// readable is a file that is open: a rotation.File or a knownFile.
type readable interface {
	io.ReaderAt
	io.Closer
	Size() int64
	Raw() *os.File
	Kind() archive.Kind
}

// knownFile is a file of the catalogue, and what it holds.
type knownFile struct {
	*source.File
	kind archive.Kind
}

// Kind says how it is packed.
func (f knownFile) Kind() archive.Kind { return f.kind }

// openKnown opens a file of the catalogue that no search has.
func (r *Responder) openKnown(ctx context.Context, e *source.Entry) (readable, error) {
	f, kind, err := r.openKind(ctx, e)
	if err != nil {
		return nil, err
	}
	return knownFile{f, kind}, nil
}

// opener opens a file while it is matched. There may be more of them than may be open, so that each is closed
// when it has been looked at.
type opener func() (readable, error)

// ReadAt opens, reads and closes the file.
func (o opener) ReadAt(p []byte, off int64) (int, error) {
	f, err := o()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.ReadAt(p, off)
}

// heldFile is a file that the search has open anyway, and that stays so.
type heldFile struct{ *rotation.File }

// Close does nothing.
func (heldFile) Close() error { return nil }

// matchedArchive is the content of an archive, and its file.
type matchedArchive struct {
	io.ReadCloser
	f io.Closer
}

// Close closes both.
func (m *matchedArchive) Close() error { return errors.Join(m.ReadCloser.Close(), m.f.Close()) }
