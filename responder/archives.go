package responder

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/rotation"
	"github.com/trawl-logs/trawl/responder/scan"
)

// archives opens the files of one search: those that are compressed become streams of what is in them.
type archives struct {
	limits archive.Limits
	gate   *archive.Gate
	grown  atomic.Int64 // by how much the archives' contents are larger than their files

	unpacked atomic.Int64 // bytes
}

func newArchives(l *Limits) *archives {
	limits := archiveLimits(l)
	return &archives{limits: limits, gate: archive.NewGate(limits.Window)}
}

func archiveLimits(l *Limits) archive.Limits {
	return archive.Limits{Window: int64(l.ArchiveWindow), Ratio: int64(l.ArchiveRatio), Output: int64(l.ArchiveOutput)}
}

// open takes over a file.
func (a *archives) open(f *rotation.File) (scan.File, error) {
	kind := f.Kind()
	if kind == archive.Plain {
		return scan.File{At: f, Size: f.Size(), Raw: f.Raw(), Intact: f.Intact, Closer: f}, nil
	}
	known, ok := archive.Size(f, f.Size(), kind)
	if !ok {
		known = f.Size()
	}
	r := archive.Open(f, f.Size(), kind, a.limits, a.gate)
	return scan.File{Stream: r, Closer: &openArchive{a, r, f, known}}, nil
}

// openArchive is the Closer of an archive that is searched.
type openArchive struct {
	of    *archives
	r     *archive.Reader
	f     *rotation.File
	known int64 // size of the content, as far as it was known before
}

// Close notes how large the content is, which at its end is known for sure.
func (o *openArchive) Close() error {
	n, all := o.r.Total()
	o.of.unpacked.Add(n)
	if !all {
		n = max(n, o.known)
	}
	o.of.grown.Add(n - o.f.Size())
	return errors.Join(o.r.Close(), o.f.Close())
}

// measure finds how much a search would read, without searching: of archives, how large the contents
// are, where they say so.
func (p *plan) measure(ctx context.Context) (bytes int64) {
	if p.set == nil {
		return p.measureSealed(ctx)
	}
	for _, f := range p.set.Files {
		if ctx.Err() != nil || f.Open() != nil || p.sealed.has(f.Entry) {
			continue // a search would say so, or it is not read
		}
		if f.Kind() == archive.Plain {
			bytes += p.pruning.planned(f)
			continue
		}
		n, size := p.plannedArchive(f)
		p.archives.grown.Add(size - f.Size())
		bytes += n
	}
	return bytes + p.measureSealed(ctx)
}
