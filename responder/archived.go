package responder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cespare/xxhash/v2"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/block"
	"github.com/trawl-logs/trawl/responder/clock"
	"github.com/trawl-logs/trawl/responder/indexer"
	"github.com/trawl-logs/trawl/responder/rotation"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/schemas"
)

// An archive that is indexed is searched as a file whose bytes are decompressed where they are read. What
// is found is what is found in its stream; where that has limits, it is read as a stream.

// rulesOf numbers how archives are read: an index that was made by others may know what a search now refuses.
func rulesOf(l archive.Limits) uint64 { return xxhash.Sum64String(fmt.Sprintf("1 %+v", l)) }

// headOf reads the first part of an archive's content, all of it if it is shorter.
func headOf(r io.ReaderAt, size int64, kind archive.Kind, l archive.Limits) ([]byte, error) {
	s := archive.NewSurvey(r, size, kind, l)
	defer s.Close()
	head := make([]byte, clock.HeadBytes)
	n, err := io.ReadFull(s, head)
	if errors.Is(err, io.EOF) || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return head[:n], err
}

// archiveToIndex is what is indexed of an archive.
func (r *Responder) archiveToIndex(f *source.File, e *source.Entry, kind archive.Kind) (indexer.Opened, error) {
	limits, size := archiveLimits(&r.config.Limits), f.Size()
	head, err := headOf(f.Raw(), size, kind, limits)
	if err != nil {
		return indexer.Opened{}, err
	}
	o := indexer.Opened{File: f.Raw(), Size: size, Head: archive.Pack(head), Rules: rulesOf(limits)}
	s := archive.NewSurvey(f.Raw(), size, kind, limits)
	if r.points > 0 {
		s.Every = r.points
	}
	o.Archive = survey{s}
	o.Clock, o.Form = r.headClock(head, e)
	return o, nil
}

// headClock is blockClock for an archive of whose content that is the head.
func (r *Responder) headClock(head []byte, e *source.Entry) (block.Clock, uint64) {
	about := r.timesOf(e)
	return formClock(r.clocks.HeadForm(head, len(head) < clock.HeadBytes, &about, '\n'))
}

// survey is an indexer's Archive.
type survey struct{ *archive.Survey }

// Points returns those that were found since it was called last.
func (s survey) Points() (points []block.Point) {
	for _, p := range s.Survey.Points() {
		points = append(points, block.Point(p))
	}
	return points
}

// errOther is why the index of an archive is dropped whose file is none, or the other way round.
var errOther = errors.New("it is of another file")

// sparse is how many bytes may follow each other without a time: what a stream knows of them from what came
// before, a file has to look for.
const sparse = scan.LookBack - scan.Window

// alike says whether an archive is given the same whether it is read as a stream or at any offset: a stream
// keeps so much of what was read, and an error says where that is not enough.
func (p *pruning) alike(c *block.Content) bool {
	const kept = scan.MaxKept - 2*scan.Window
	return (p.before+1)*(c.Longest+1) <= kept && !(p.times && c.Untimed > sparse)
}

// narrowed is an archive of which only parts are searched.
type narrowed struct {
	ranges []scan.Range
	dated  bool
	state  block.State
	u      *indexer.Use // to be ended
	size   int64        // of the content
}

// archive is how an archive is searched with its index; nil if it is read as a stream.
func (p *pruning) archive(f *rotation.File, a *archives) *narrowed {
	if p == nil || p.store == nil || f.Kind() == archive.Plain || p.r.feeds.formats[f.Entry.Source()] != 0 {
		return nil
	}
	if p.query.Filter == nil && !p.timed { // nothing to ask the index
		all := int64(p.store.Count(indexer.ID(f.Entry.ID)))
		p.count(schemas.Blocks{Considered: all, Read: all})
		return nil
	}
	u := p.store.Use(indexer.ID(f.Entry.ID))
	if u == nil {
		return nil
	}
	c := u.Content()
	if !u.File().Packed {
		p.store.Drop(indexer.ID(f.Entry.ID), errOther)
	}
	if c == nil || c.Rules != rulesOf(a.limits) {
		u.Done()
		return nil
	}
	n := &narrowed{u: u, size: c.Size}
	var err error
	if p.alike(c) {
		n.ranges, n.dated, n.state, err = p.ranges(u, f)
	}
	if err != nil {
		p.r.log.Warn("index not used", "path", f.Entry.Path, "err", err)
	}
	if err != nil || n.ranges == nil {
		all := int64(len(u.Blocks()))
		p.count(schemas.Blocks{Considered: all, Read: all})
		u.Done()
		return nil
	}
	return n
}

// toSearch is how much is searched.
func (n *narrowed) toSearch() (bytes int64) {
	for _, g := range n.ranges {
		bytes += g.To - g.From
	}
	return bytes
}

// open opens an archive, as a stream if its index leaves nothing out.
func (p *plan) openArchive(ctx context.Context, f *rotation.File) (scan.File, error) {
	n := p.pruning.archive(f, p.archives)
	if n == nil {
		return p.archives.open(f)
	}
	if n.toSearch() == n.size {
		n.u.Done()
		return p.archives.open(f)
	}
	content := contentOf(ctx, n.u, p.pruning.store, f.Raw(), f, f.Size(), f.Kind(), p.archives)
	file := scan.File{At: content, Size: n.size, Ranges: n.ranges, Dated: n.dated, InOrder: true}
	if p.pruning.times {
		head, err := archive.Unpack(n.u.Content().Head)
		if err != nil {
			n.u.Done()
			return scan.File{}, errors.Join(err, content.Close())
		}
		file.Head = head
	}
	file.Closer = &prunedArchive{&prunedFile{File: f, p: p.pruning, state: n.state, archive: true}, content, checked(n.u, f.Kind(), content), n, p.archives}
	return file, nil
}

// prunedArchive is the Closer of an archive that was not read in full.
type prunedArchive struct {
	*prunedFile
	content *archive.Content
	damage  *error // of what was read, once content is closed
	n       *narrowed
	of      *archives
}

// checked has all that is read of an archive's content held against its index. The error that it sets is the
// first place that differs, or what keeps from looking.
func checked(u *indexer.Use, kind archive.Kind, content *archive.Content) *error {
	checker, damage := u.Checker(), new(error)
	content.Check = func(off int64, p []byte) {
		if *damage != nil {
			return
		}
		if *damage = checker.Take(off, p); errors.Is(*damage, block.ErrDiffers) {
			*damage = &archive.DamagedError{Kind: kind, After: off, Err: *damage}
		}
	}
	return damage
}

// Close looks whether the archive was written in place meanwhile, and whether what was read of it was damaged.
func (a *prunedArchive) Close() error {
	a.of.grown.Add(a.n.size - a.Size())
	a.of.unpacked.Add(a.content.Unpacked())
	err := a.content.Close()
	if *a.damage != nil {
		if wrong := (*archive.DamagedError)(nil); errors.As(*a.damage, &wrong) { // and not the index
			a.p.late(a.File, wrong)
		}
		a.p.store.Drop(indexer.ID(a.Entry.ID), *a.damage)
	}
	a.n.u.Done()
	return errors.Join(err, a.prunedFile.Close())
}

// contentOf is an indexed archive's content. Where a point cannot be read, it is read from its start, and the
// index is dropped.
func contentOf(ctx context.Context, u *indexer.Use, store *indexer.Store, f *os.File, r io.ReaderAt, size int64, kind archive.Kind, a *archives) *archive.Content {
	return archive.NewContent(ctx, r, size, kind, a.limits, a.gate, u.Content().Size, func(out int64) (archive.Point, error) {
		p, err := u.PointBefore(out)
		if err != nil {
			if _, id, e := indexer.StateOf(f); e == nil {
				store.Drop(id, err)
			}
			return archive.Point{}, nil
		}
		return archive.Point(p), nil
	})
}

// plannedArchive is how much of an archive would be searched, and how large its content is.
func (p *plan) plannedArchive(f *rotation.File) (searched, size int64) {
	if n := p.pruning.archive(f, p.archives); n != nil {
		defer n.u.Done()
		return n.toSearch(), n.size
	}
	n, ok := archive.Size(f, f.Size(), f.Kind())
	if !ok {
		n = f.Size()
	}
	return n, n
}

// headForm is the number of the form of the times in an indexed archive.
func (r *Responder) headForm(c *block.Content, e *source.Entry) (uint64, error) {
	head, err := archive.Unpack(c.Head)
	if err != nil {
		return 0, err
	}
	_, form := r.headClock(head, e)
	return form, nil
}

// contentToVerify is the content of an archive that is held against its index; wrong says that the archive is
// another one by now.
func (r *Responder) contentToVerify(ctx context.Context, u *indexer.Use, store *indexer.Store, f *source.File) (content *archive.Content, wrong error) {
	state, _, err := indexer.StateOf(f.Raw())
	if err == nil {
		var verdict block.Verdict
		if verdict, err = u.Check(f.Raw(), state); err == nil && verdict != block.Fresh {
			err = block.ErrDiffers
		}
	}
	head := make([]byte, archive.HeadSize)
	n, readErr := f.Raw().ReadAt(head, 0)
	if errors.Is(readErr, io.EOF) {
		readErr = nil
	}
	if err = errors.Join(err, readErr); err != nil {
		return nil, err
	}
	return contentOf(ctx, u, store, f.Raw(), f.Raw(), f.Size(), archive.Detect(head[:n]), newArchives(&r.config.Limits)), nil
}
