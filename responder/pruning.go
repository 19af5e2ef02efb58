package responder

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/responder/block"
	"github.com/trawl-logs/trawl/responder/indexer"
	"github.com/trawl-logs/trawl/responder/match"
	"github.com/trawl-logs/trawl/responder/rotation"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/schemas"
)

// maxRanges bounds what is kept of one file's plan; beyond it, neighbours are read together.
const maxRanges = 64 << 10

var errRewritten = errors.New("the file was written in place while its index was used")

// pruning leaves out of a search what the index says cannot match.
type pruning struct {
	r      *Responder
	store  *indexer.Store // nil: there is none
	query  block.Query
	timed  bool
	binary bool // a NUL decides what is given
	times  bool // lines' times are wanted
	before int64
	mu     sync.Mutex
	blocks schemas.Blocks
	told   []schemas.FileError // what was found out when files had been read
}

// pruning returns nil where a query cannot or must not use the index.
func (r *Responder) pruning(q *schemas.Query, needs func() match.Needs) *pruning {
	x := r.index.Load()
	inTimeOrder := q.Order == schemas.OrderTime && q.Mode == schemas.ModeLines // which reads all to know it
	if x == nil && r.sealing == nil && q.Plan == nil || q.Exhaustive || q.NullData || inTimeOrder || needs == nil {
		return nil
	}
	p := &pruning{r: r, timed: q.Since != 0 || q.Until != 0,
		binary: q.Binary == schemas.BinaryWithout || q.Binary == schemas.BinaryReport && q.Mode == schemas.ModeLines, query: block.Query{Since: block.NoTime, Until: block.NoTime}}
	p.times, p.before = p.timed || q.Columns&schemas.ColumnTime != 0, q.Before
	if x != nil {
		p.store = x.store
	}
	if q.Since != 0 {
		p.query.Since = q.Since
	}
	if q.Until != 0 {
		p.query.Until = q.Until
	}
	if !q.Invert {
		n := needs()
		if f := block.NewFilter(n.Any, n.Plain); f.Prunes() {
			p.query.Filter = f
		}
	}
	return p
}

// apply narrows an open file to what its index leaves.
func (p *pruning) apply(file scan.File, f *rotation.File) scan.File {
	if p == nil || p.store == nil || p.r.feeds.formats[f.Entry.Source()] != 0 {
		return file
	}
	if p.query.Filter == nil && !p.timed { // nothing to ask the index
		n := int64(p.store.Count(indexer.ID(f.Entry.ID)))
		p.count(schemas.Blocks{Considered: n, Read: n})
		return file
	}
	u := p.store.Use(indexer.ID(f.Entry.ID))
	if u == nil {
		return file
	}
	defer u.Done()
	if u.File().Packed {
		p.store.Drop(indexer.ID(f.Entry.ID), errOther)
		return file
	}
	ranges, dated, state, err := p.ranges(u, f)
	if err != nil || ranges == nil {
		if err != nil {
			p.r.log.Warn("index not used", "path", f.Entry.Path, "err", err)
		}
		n := int64(len(u.Blocks()))
		p.count(schemas.Blocks{Considered: n, Read: n})
		return file
	}
	file.Ranges, file.Dated = ranges, dated
	file.Closer = &prunedFile{File: f, p: p, state: state}
	return file
}

// ranges asks an index that still speaks of its file; nil: read all. dated says that the index knows the
// times of its blocks.
func (p *pruning) ranges(u *indexer.Use, f *rotation.File) (ranges []scan.Range, dated bool, state block.State, err error) {
	id := indexer.ID(f.Entry.ID)
	state, now, err := indexer.StateOf(f.Raw())
	if err != nil || now != id || u.NUL() {
		return nil, false, state, err
	}
	switch verdict, err := u.Check(f.Raw(), state); {
	case err != nil:
		return nil, false, state, err
	case verdict == block.Stale:
		p.store.Drop(id, fmt.Errorf("%s was truncated or rewritten", f.Entry.Path))
		return nil, false, state, nil
	case verdict == block.Unsure:
		p.store.Suspect(id)
		return nil, false, state, nil
	}
	q, size := p.query, f.Size()
	c := u.Content()
	if c != nil {
		if state.Size != size {
			return nil, false, state, nil // it has grown since it was opened
		}
		size = c.Size
	}
	if p.timed {
		if c == nil {
			_, q.Form, err = p.r.blockClock(f, size, f.Entry)
		} else {
			q.Form, err = p.r.headForm(c, f.Entry)
		}
		if err != nil {
			return nil, false, state, err
		}
		dated = q.Form != 0 && q.Form == u.File().Form
	}
	ranges = []scan.Range{}
	counts, err := u.Walk(q, size, func(g block.Range) bool {
		if len(ranges) == maxRanges {
			ranges = halved(ranges)
		}
		ranges = append(ranges, scan.Range(g))
		return true
	})
	if err != nil || counts.Damaged > 0 {
		p.store.Drop(id, errors.Join(block.ErrDamaged, err))
		if err != nil {
			return nil, false, state, nil
		}
	}
	skipped := int64(counts.SkippedTime + counts.SkippedIndex)
	p.count(schemas.Blocks{
		Considered: int64(counts.Blocks), Skipped: skipped, Read: int64(counts.Blocks) - skipped,
		SkippedTime: int64(counts.SkippedTime), IndexBytes: counts.IndexRead,
	})
	if p.binary {
		ranges = scan.UpToTail(ranges, size)
	}
	return ranges, dated, state, nil
}

// halved joins every range with the next one.
func halved(ranges []scan.Range) []scan.Range {
	n := 0
	for i := 0; i < len(ranges); i += 2 {
		g := ranges[i]
		if i+1 < len(ranges) {
			g.To = ranges[i+1].To
		}
		ranges[n] = g
		n++
	}
	return ranges[:n]
}

func (p *pruning) count(b schemas.Blocks) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocks.Add(b)
}

// prunedFile is the Closer of a file that was not read in full.
type prunedFile struct {
	*rotation.File
	p       *pruning
	state   block.State // when it was held against the index
	archive bool        // which does not grow
}

// Close looks whether the file was written in place meanwhile: what was left out may have changed.
func (f *prunedFile) Close() error {
	if f.rewritten() {
		f.p.late(f.File, errRewritten)
		f.p.store.Suspect(indexer.ID(f.Entry.ID))
	}
	return f.File.Close()
}

// late notes what was found out of a file when it had been read.
func (p *pruning) late(f *rotation.File, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, schemas.FileError{File: f.Entry.Path, Err: err.Error()})
}

// rewritten tells a log that was modified and did not grow, and an archive that was modified at all. Where a line
// is just being appended, the kernel changes the time a moment before the size.
func (f *prunedFile) rewritten() bool {
	for wait := time.Millisecond; ; wait *= 2 {
		now, _, err := indexer.StateOf(f.Raw())
		if f.archive {
			return err == nil && (now.Size != f.state.Size || now.ModTime != f.state.ModTime)
		}
		if err != nil || now.Size != f.state.Size || now.ModTime == f.state.ModTime {
			return false
		}
		if wait > 20*time.Millisecond {
			return true
		}
		time.Sleep(wait)
	}
}

// planned is how much of an open file that is not compressed would be read.
func (p *pruning) planned(f *rotation.File) (n int64) {
	file := p.apply(scan.File{At: f, Size: f.Size()}, f)
	if file.Ranges == nil {
		return f.Size()
	}
	for _, g := range file.Ranges {
		n += g.To - g.From
	}
	return n
}

// pruned is what the index did in a search. Files of which it may have been wrong are problems.
func (p *plan) pruned() schemas.Blocks {
	if p.pruning == nil {
		return schemas.Blocks{}
	}
	p.pruning.mu.Lock()
	defer p.pruning.mu.Unlock()
	for _, f := range p.pruning.told {
		p.problems.add(f.File, errors.New(f.Err))
	}
	return p.pruning.blocks
}
