package responder

import (
	"bytes"
	"errors"
	"io"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/scan"
)

// openPackedPiece opens a piece of an archive that holds a log: what stands before it is unpacked and left out.
func (p *plan) openPackedPiece(c *piece) (scan.File, error) {
	shared, err := p.sealed.share(p.set, c.file)
	if err != nil {
		return scan.File{}, err
	}
	f := shared.f
	r := archive.Open(f, f.Size(), f.Kind(), p.archives.limits, p.archives.gate)
	file := scan.File{BytesBefore: c.from, Closer: &packedPiece{r, shared}}
	at, lines := c.log.Before(c.from)
	file.LinesBefore = lines
	if _, err = io.CopyN(io.Discard, r, at); err == nil && at < c.from {
		var more counting
		_, err = io.CopyN(&more, r, c.from-at)
		file.LinesBefore += more.lines
	}
	if err != nil {
		return scan.File{}, errors.Join(err, file.Closer.Close())
	}
	if file.Stream = r; c.to >= 0 {
		file.Stream = io.LimitReader(r, c.to-c.from)
	}
	return file, nil
}

// counting counts the lines that are written to it.
type counting struct{ lines int64 }

func (c *counting) Write(p []byte) (int, error) {
	c.lines += int64(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}

// packedPiece is the Closer of a piece of an archive.
type packedPiece struct {
	r      *archive.Reader
	shared *sharedFile
}

// Close closes both.
func (c *packedPiece) Close() error { return errors.Join(c.r.Close(), c.shared.Close()) }
