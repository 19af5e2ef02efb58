package responder

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/source"
)

// archives opens the files of one search: those that are compressed become streams of what is in them.
type archives struct {
	limits archive.Limits
	gate   *archive.Gate
	grown  atomic.Int64 // by how much the archives' contents are larger than their files
}

func newArchives(l *Limits) *archives {
	limits := archive.Limits{Window: int64(l.ArchiveWindow), Ratio: int64(l.ArchiveRatio), Output: int64(l.ArchiveOutput)}
	return &archives{limits: limits, gate: archive.NewGate(limits.Window)}
}

// open takes over a file.
func (a *archives) open(f *source.File) (scan.File, error) {
	kind, err := kindOf(f)
	switch {
	case err != nil:
		f.Close()
		return scan.File{}, err
	case kind == archive.Plain:
		return scan.File{At: f, Size: f.Size(), Raw: f.Raw(), Closer: f}, nil
	}
	known, ok := archive.Size(f, f.Size(), kind)
	if !ok {
		known = f.Size()
	}
	r := archive.Open(f, f.Size(), kind, a.limits, a.gate)
	return scan.File{Stream: r, Closer: &openArchive{a, r, f, known}}, nil
}

func kindOf(f *source.File) (archive.Kind, error) {
	var head [archive.HeadSize]byte
	n, err := f.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return archive.Plain, err
	}
	return archive.Detect(head[:n]), nil
}

// openArchive is the Closer of an archive that is searched.
type openArchive struct {
	of    *archives
	r     *archive.Reader
	f     *source.File
	known int64 // size of the content, as far as it was known before
}

// Close notes how large the content is, which at its end is known for sure.
func (o *openArchive) Close() error {
	n, all := o.r.Total()
	if !all {
		n = max(n, o.known)
	}
	o.of.grown.Add(n - o.f.Size())
	return errors.Join(o.r.Close(), o.f.Close())
}

// measure finds how large the contents are where the archives say so, without searching them.
func (p *plan) measure(ctx context.Context) {
	for _, e := range p.files {
		if ctx.Err() != nil {
			return
		}
		if p.feeds.openers[e] != nil {
			continue // of a journal nothing is known before
		}
		f, err := p.catalog.Open(ctx, e)
		if err != nil {
			continue // a search would say so
		}
		if kind, err := kindOf(f); err == nil && kind != archive.Plain {
			if n, ok := archive.Size(f, f.Size(), kind); ok {
				p.archives.grown.Add(n - f.Size())
			}
		}
		f.Close()
	}
}
