package responder

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/responder/rotation"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/schemas"
)

// sealedPlan is what a search takes from sealed blocks.
type sealedPlan struct {
	view *seal.View                  // of the node's own blocks; nil: none is read
	logs map[*source.Entry]*seal.Log // of which the sealed part is taken from blocks
	gone map[*source.Entry]bool      // there are but blocks of these
	// twice are archives that are not read as they are: they hold nothing but what is in the blocks of a log that is gone, or
	// pieces of them are read.
	twice map[*source.Entry]bool
	// replaced are files that are not searched as they are.
	replaced map[*source.Entry]bool

	views   []*seal.View // of other nodes' blocks
	pieces  map[*source.Entry]*piece
	origins map[*source.Entry]*schemas.Origin // of what is read by a plan
	lacking map[string][]schemas.BlockID      // by home: what a plan has it read, and it cannot

	mu     sync.Mutex
	shared map[*source.Entry]*sharedFile // live files of pieces
}

func newSealedPlan() *sealedPlan {
	return &sealedPlan{logs: map[*source.Entry]*seal.Log{}, gone: map[*source.Entry]bool{}, twice: map[*source.Entry]bool{}, replaced: map[*source.Entry]bool{}, pieces: map[*source.Entry]*piece{},
		origins: map[*source.Entry]*schemas.Origin{}, lacking: map[string][]schemas.BlockID{}, shared: map[*source.Entry]*sharedFile{}}
}

// has says whether what there is of a file is read from blocks. s may be nil.
func (s *sealedPlan) has(e *source.Entry) bool {
	return s != nil && (s.logs[e] != nil || s.twice[e])
}

// close lets go of what the search had open.
func (p *plan) close() {
	if p.set != nil {
		p.set.Close()
	}
	if p.sealed == nil {
		return
	}
	if p.sealed.view != nil {
		p.sealed.view.Close()
	}
	for _, v := range p.sealed.views {
		v.Close()
	}
}

// takeSealed has the search read sealed lines from blocks: it finds out which files of its set are which
// logs, adds the logs that are gone, and leaves out archives that hold nothing but what is sealed. mark is of
// before the set was opened. An error is ctx's.
func (r *Responder) takeSealed(ctx context.Context, p *plan, filter *source.Filter, a *assignment, mark sealedMark) error {
	x, s := r.sealing, p.sealed
	for _, d := range x.store.Damaged() {
		p.problems.add("sealed block "+d.Name, d.Err) // whoever reads its lines: where they stand in a log is not known here
	}
	if mark.unsure != nil && (a.planned || r.moving != nil) {
		// With a plan, others may give lines that stand in this node's logs; without, lines may be missing whose logs are gone.
		p.problems.add("sealed blocks", mark.unsure)
	}
	s.view = x.store.View()
	files, entries, mine := r.sealedFiles(ctx, p, s.view)
	absent := map[seal.ID]*source.Entry{}
	wanted := func(l *seal.Log) bool {
		e := r.catalog.Absent(l.Path(), l.Service, l.Bytes(), time.Unix(0, l.ModTime()))
		if e == nil || !r.sealed(e) || !filter.Admits(e) {
			return false
		}
		absent[l.ID] = e
		return true
	}
	m := s.view.Match(ctx, files, mark.at, wanted, source.Family)
	if err := ctx.Err(); err != nil {
		return err
	}
	var gone []*source.Entry
	packed := map[seal.ID]bool{}
	for i, e := range entries {
		switch l := m.Of[i]; {
		case i >= mine: // it is not searched, and whatever it is a log of is not gone
		case l != nil:
			gone = append(gone, p.takeOwn(a, e, e, false, l)...)
		case m.Twice[i] && !a.lacks(x.store, m.In[i]):
			s.twice[e], s.replaced[e] = true, true
			p.bytes -= e.Size
		case m.In[i] != nil:
			packed[m.In[i].ID] = true
			gone = append(gone, p.takeOwn(a, e, e, true, m.In[i])...)
		}
	}
	for _, l := range m.Gone {
		if !packed[l.ID] {
			gone = append(gone, p.takeOwn(a, absent[l.ID], nil, false, l)...)
		}
	}
	for _, e := range gone {
		p.bytes += e.Size
	}
	p.files = slices.DeleteFunc(p.files, func(f *source.Entry) bool { return s.replaced[f] })
	p.files = slices.Concat(gone, p.files) // of two with the same name, the one that is gone comes first
	slices.SortStableFunc(p.files, func(a, b *source.Entry) int { return source.CompareNatural(a.Path, b.Path) })
	return nil
}

// openSealed opens a log whose sealed lines come from blocks.
func (p *plan) openSealed(e *source.Entry, l *seal.Log) (scan.File, error) {
	var live *rotation.File
	var text *seal.Text
	if p.sealed.gone[e] {
		text = p.sealed.view.Text(l, nil, 0)
	} else {
		f, err := p.set.Open(e)
		if err != nil {
			return scan.File{}, err
		}
		live, text = f, p.sealed.view.Text(l, f, f.Size())
	}
	file := scan.File{At: text, Size: text.Size(), Closer: &sealedFile{text, live}}
	file.BytesBefore, file.LinesBefore = text.Start()
	if p.pruning == nil || text.NUL() {
		return file, nil
	}
	ranges, dated, err := p.pruning.sealed(text, func() (uint64, error) {
		about := p.timesOf(e)
		_, form, err := p.r.clockOf(text, text.Size(), &about)
		return form, err
	})
	if err != nil {
		return file, errors.Join(err, file.Closer.Close())
	}
	file.Ranges, file.Dated = ranges, dated
	return file, nil
}

// sealedFile is the Closer of such a log.
type sealedFile struct {
	text *seal.Text
	live *rotation.File
}

// Close closes blocks and live file.
func (f *sealedFile) Close() error {
	err := f.text.Close()
	if f.live != nil {
		err = errors.Join(err, f.live.Close())
	}
	return err
}

// sealed narrows a log to what the blocks' times and filters leave; nil: all of it. form tells that of its times; it
// is not asked where no block's are of any.
func (p *pruning) sealed(text *seal.Text, form func() (uint64, error)) (ranges []scan.Range, dated bool, err error) {
	q := p.query
	if p.timed && text.Timed() {
		if q.Form, err = form(); err != nil {
			return nil, false, err
		}
		dated = text.Dated(q.Form)
	}
	found, counts := text.Ranges(q)
	skipped := int64(counts.SkippedTime + counts.SkippedIndex)
	p.count(schemas.Blocks{Considered: int64(counts.Blocks), Skipped: skipped, Read: int64(counts.Blocks) - skipped,
		SkippedTime: int64(counts.SkippedTime), IndexBytes: counts.IndexRead})
	if skipped == 0 && p.query.Filter == nil {
		return nil, dated, nil
	}
	ranges = make([]scan.Range, 0, len(found))
	for _, g := range found {
		if len(ranges) == maxRanges {
			ranges = halved(ranges)
		}
		ranges = append(ranges, scan.Range(g))
	}
	if p.binary {
		ranges = scan.UpToTail(ranges, text.Size())
	}
	return ranges, dated, nil
}

// measureSealed is how much of all logs with blocks would be read.
func (p *plan) measureSealed(ctx context.Context) (n int64) {
	if p.sealed == nil {
		return 0
	}
	for _, e := range p.files {
		if ctx.Err() != nil {
			break
		}
		if c := p.sealed.pieces[e]; c != nil && c.packed {
			n += planned(p.openPackedPiece(c))
		} else if c != nil {
			file, _, err := p.openStretch(c)
			n += planned(file, err)
		} else if l := p.sealed.logs[e]; l != nil {
			n += planned(p.openSealed(e, l))
		}
	}
	return n
}

// planned is how much of a log would be read.
func planned(file scan.File, err error) (n int64) {
	if err != nil {
		return 0 // a search would say so
	}
	defer file.Closer.Close()
	if file.Ranges == nil {
		return file.Size
	}
	for _, g := range file.Ranges {
		n += g.To - g.From
	}
	return n
}

var errNotOpen = errors.New("the sealed blocks are not open yet")

// sealedMark is the moment before a set is opened, as far as sealed blocks go.
type sealedMark struct {
	at      int64             // of the store
	any     bool              // there is one, and it is read
	unsure  error             // the node may have lost blocks by then
	unknown []schemas.BlockID // of its own that a plan has it read, and it knew nothing of
	unleft  []schemas.BlockID // and that a plan has it leave
}

// sealedNow is that moment. Without the blocks there is no answer: it would lack what only they have. The mark is
// taken last: what becomes known before it is found in the logs.
func (r *Responder) sealedNow(q *schemas.Query) (m sealedMark, err error) {
	var store *seal.Store
	if r.sealing != nil && q.Mode != schemas.ModeFollow {
		if store = r.sealing.store; store == nil {
			return m, errNotOpen
		}
		m.any, m.unsure = true, r.sealing.lacking()
	}
	unknown := func(ids []schemas.BlockID) []schemas.BlockID {
		return slices.DeleteFunc(slices.Clone(ids), func(id schemas.BlockID) bool {
			if store == nil {
				return false
			}
			_, err := store.Block(seal.ID(id))
			return err == nil
		})
	}
	if p := q.Plan; p != nil && !p.Only {
		m.unleft = unknown(p.Leave)
		for _, read := range p.Read {
			if read.Home == r.config.Node {
				m.unknown = append(m.unknown, unknown(read.Blocks)...)
			}
		}
	}
	if m.any {
		m.at = store.Mark()
	}
	return m, nil
}

// sealedServices adds the services of the logs that have sealed lines.
func (r *Responder) sealedServices(names map[string]bool) {
	if r.sealing == nil || r.sealing.store == nil {
		return
	}
	view := r.sealing.store.View()
	defer view.Close()
	for _, l := range view.Logs() {
		if names[l.Service] {
			continue
		}
		if e := r.catalog.Absent(l.Path(), l.Service, 0, time.Time{}); e != nil && r.sealed(e) {
			names[l.Service] = true
		}
	}
}
