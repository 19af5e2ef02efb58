package responder

import (
	"bytes"
	"errors"
	"io"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/block"
	"github.com/trawl-logs/trawl/responder/clock"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/schemas"
)

// openPackedPiece opens a piece of an archive that holds a log: what stands before it is unpacked and left out.
func (p *plan) openPackedPiece(c *piece) (scan.File, error) {
	shared, err := p.sealed.share(p.set, c.file)
	if err != nil {
		return scan.File{}, err
	}
	if otherTime, err := p.ofAnotherTime(c, shared); err != nil {
		return scan.File{}, errors.Join(err, shared.Close())
	} else if otherTime {
		return scan.File{At: bytes.NewReader(nil), Closer: shared}, nil
	}
	f := shared.f
	open := &packedPiece{archive.Open(f, f.Size(), f.Kind(), p.archives.limits, p.archives.gate), shared, c, p.archives}
	file := scan.File{BytesBefore: c.from, Closer: open}
	if err := p.unpackTo(&file, c, open.r); err != nil {
		return scan.File{}, errors.Join(err, open.Close())
	}
	if file.Stream = open.r; c.to >= 0 {
		file.Stream = io.LimitReader(open.r, c.to-c.from)
	}
	return file, nil
}

// unpackTo leaves out what stands before a piece. Of what no block says it for, it counts the lines, and notes the times.
func (p *plan) unpackTo(file *scan.File, c *piece, r io.Reader) error {
	at, lines, prior, known := c.log.Before(c.from)
	file.LinesBefore, file.Prior, file.PriorKnown = lines, prior, known
	if at == c.from {
		_, err := io.CopyN(io.Discard, r, at)
		return err
	}
	head := make([]byte, min(c.from, clock.HeadBytes))
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	more := noted{prior: prior, known: known}
	if p.dated {
		more.read, _ = p.r.headClock(head, c.file)
	}
	headed := int64(len(head))
	if at < headed {
		_, _ = more.Write(head[at:]) // does not fail
	} else if _, err := io.CopyN(io.Discard, r, at-headed); err != nil {
		return err
	}
	if _, err := io.CopyN(&more, r, c.from-max(at, headed)); err != nil {
		return err
	}
	file.LinesBefore += more.lines
	file.Prior, file.PriorKnown = more.prior, more.known
	return nil
}

// ofAnotherTime says whether nothing of a piece is of the query's times: then it is not unpacked. Its blocks know, if
// their times were read as those of the archive are.
func (p *plan) ofAnotherTime(c *piece, f *sharedFile) (bool, error) {
	if p.pruning == nil || !p.pruning.timed || c.to < 0 {
		return false, nil
	}
	at, form := c.from, uint64(0)
	for _, s := range c.log.Stretches() {
		if s.From > at || s.To <= at || at >= c.to {
			continue
		}
		k := schemas.BlockRecord{Timed: s.Timed, MinTime: s.MinTime, MaxTime: s.MaxTime}
		if s.NUL || s.Form == 0 || form != 0 && s.Form != form || k.Overlaps(p.since, p.until) {
			return false, nil
		}
		at, form = s.To, s.Form
	}
	if at < c.to {
		return false, nil // some of it is in no block
	}
	head, err := headOf(f.f, f.f.Size(), f.f.Kind(), p.archives.limits)
	if err != nil {
		return false, err
	}
	_, now := p.r.headClock(head, c.file)
	return now == form, nil
}

// noted counts the lines that are written to it, and keeps the last of their times.
type noted struct {
	lines int64
	read  block.Clock // nil: they have none
	prior int64
	known bool
	begun []byte // what there is of a line, as much as read looks at
}

// Write takes whole lines in the end.
func (n *noted) Write(p []byte) (int, error) {
	n.lines += int64(bytes.Count(p, []byte{'\n'}))
	if n.read == nil {
		return len(p), nil
	}
	for line := range bytes.Lines(p) {
		whole := bytes.TrimSuffix(line, []byte{'\n'})
		n.begun = append(n.begun, whole[:min(len(whole), scan.HeadBytes-len(n.begun))]...)
		if len(whole) == len(line) { // it goes on
			break
		}
		if ns, ok := n.read(n.begun); ok {
			n.prior, n.known = ns, true
		}
		n.begun = n.begun[:0]
	}
	return len(p), nil
}

// packedPiece is the Closer of a piece of an archive.
type packedPiece struct {
	r      *archive.Reader
	shared *sharedFile
	c      *piece
	of     *archives
}

// Close notes how much was unpacked, and how long the piece is, if that was not known.
func (o *packedPiece) Close() error {
	n, _ := o.r.Total()
	o.of.unpacked.Add(n)
	if o.c.to < 0 {
		o.of.grown.Add(max(0, n-o.c.from))
	}
	return errors.Join(o.r.Close(), o.shared.Close())
}
