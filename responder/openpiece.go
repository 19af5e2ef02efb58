package responder

import (
	"bytes"
	"errors"
	"io"

	"github.com/trawl-logs/trawl/responder/rotation"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/responder/source"
)

// openPiece opens a piece for the search.
func (p *plan) openPiece(c *piece) (scan.File, error) {
	if c.packed {
		return p.openPackedPiece(c)
	}
	file, open, err := p.openStretch(c)
	if err != nil || file.Ranges != nil && len(file.Ranges) == 0 && c.about.Sealed.Form != 0 && !c.unsaid {
		return file, err // of the latter nothing is read, not even to know its times
	}
	if err := p.dateStart(&file, c, open); err != nil {
		return scan.File{}, errors.Join(err, open.Close())
	}
	return file, nil
}

// openStretch opens a piece that is no archive's, narrowed to what is to be read of it. open is its Closer.
func (p *plan) openStretch(c *piece) (file scan.File, open *pieceFile, err error) {
	var live *sharedFile
	if c.file != nil {
		if live, err = p.sealed.share(p.set, c.file); err != nil {
			return scan.File{}, nil, err
		}
	}
	to := c.to
	if to < 0 {
		end, _ := c.log.End()
		to = max(live.size(), end)
	}
	text, err := c.view.Stretch(c.log, live.at(), live.size(), c.from, to)
	if err != nil {
		return scan.File{}, nil, errors.Join(err, live.Close())
	}
	open = &pieceFile{text, live}
	file = scan.File{At: text, Size: text.Size(), Closer: open}
	file.BytesBefore, file.LinesBefore = text.Start()
	if err := p.prunePiece(&file, c, text); err != nil {
		return scan.File{}, nil, errors.Join(err, open.Close())
	}
	return file, open, nil
}

// prunePiece narrows a piece to what its blocks' times and filters leave.
func (p *plan) prunePiece(file *scan.File, c *piece, text *seal.Text) (err error) {
	if p.pruning == nil || text.NUL() {
		return nil
	}
	file.Ranges, file.Dated, err = p.pruning.sealed(text, func() (uint64, error) {
		if form := c.about.Sealed.Form; form != 0 {
			return form, nil
		}
		_, form, err := p.r.clockOf(text, text.Size(), &c.about)
		return form, err
	})
	return err
}

var errOtherTimes = errors.New("sealed by a version that did not say in which zone its times are, and read otherwise here")

// dateStart finds the time of a piece's first lines, if they have none of their own.
func (p *plan) dateStart(file *scan.File, c *piece, open *pieceFile) error {
	text, live := open.text, open.live
	if !p.dated || text.Size() == 0 {
		return nil
	}
	at, prior, known := text.Prior()
	file.Prior, file.PriorKnown = prior, known
	start, _ := text.Start()
	if at == start && !c.unsaid {
		return nil
	}
	read, form, err := p.r.clockOf(text, text.Size(), &c.about)
	if err != nil {
		return err
	}
	if sealed := c.about.Sealed.Form; c.unsaid && sealed != 0 && form != sealed {
		return errOtherTimes
	}
	if at == start || read == nil {
		return nil
	}
	before, err := c.view.Stretch(c.log, live.at(), live.size(), at, start)
	if err != nil {
		return err
	}
	defer before.Close()
	head := make([]byte, before.Size())
	if _, err := before.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for line := range bytes.Lines(head) {
		if ns, ok := read(bytes.TrimSuffix(line, []byte{'\n'})); ok {
			file.Prior, file.PriorKnown = ns, true
		}
	}
	return nil
}

// pieceFile is the Closer of a piece.
type pieceFile struct {
	text *seal.Text
	live *sharedFile
}

// Close closes blocks and live file.
func (f *pieceFile) Close() error { return errors.Join(f.text.Close(), f.live.Close()) }

// sharedFile is a live file that several pieces are of.
type sharedFile struct {
	f     *rotation.File
	of    *sealedPlan
	users int
}

// share opens a live file for one more piece.
func (s *sealedPlan) share(set *rotation.Set, e *source.Entry) (*sharedFile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shared[e] == nil {
		f, err := set.Open(e)
		if err != nil {
			return nil, err
		}
		s.shared[e] = &sharedFile{f: f, of: s}
	}
	s.shared[e].users++
	return s.shared[e], nil
}

// at is the file as it is read; nil: there is none. f may be nil.
func (f *sharedFile) at() io.ReaderAt {
	if f == nil {
		return nil
	}
	return f.f
}

// size is the file's. f may be nil.
func (f *sharedFile) size() int64 {
	if f == nil {
		return 0
	}
	return f.f.Size()
}

// Close closes the file when nobody reads it any more. f may be nil.
func (f *sharedFile) Close() error {
	if f == nil {
		return nil
	}
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	if f.users--; f.users > 0 {
		return nil
	}
	delete(f.of.shared, f.f.Entry)
	return f.f.Close()
}
