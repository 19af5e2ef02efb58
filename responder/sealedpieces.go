package responder

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trawl-logs/trawl/responder/clock"
	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/schemas"
)

// piece is a stretch of a log that is searched by itself, since the rest of it is read by other nodes, or by
// nobody.
type piece struct {
	view     *seal.View
	log      *seal.Log
	file     *source.Entry // that the log goes on in, or that holds all of it; nil: there are but blocks
	packed   bool          // file is an archive
	from, to int64         // bytes; to -1: to the end of file
	about    clock.File
	unsaid   bool // nobody said what the times mean
}

// takeOwn has the search read one of the node's own logs. e is how it is called, and file what it goes on in or,
// packed, what holds it; nil: there are but blocks.
func (p *plan) takeOwn(a *assignment, e, file *source.Entry, packed bool, l *seal.Log) (gone []*source.Entry) {
	r, s := p.r, p.sealed
	extents, whole, lacking := a.parted(r.sealing.store, l, file != nil)
	var origin *schemas.Origin
	if a.planned {
		origin = &schemas.Origin{Node: r.config.Node, Log: schemas.BlockID(l.ID)}
		s.lack(r.config.Node, lacking...)
	} else if len(lacking) > 0 {
		p.problems.add(e.Path, fmt.Errorf("%d of its sealed blocks: %w", len(lacking), whyLacking(r.sealing.store, lacking)))
	}
	if whole {
		if s.origins[e] = origin; !packed {
			s.logs[e] = l
		}
		if file == nil {
			s.gone[e] = true
			return []*source.Entry{e}
		}
		return nil
	}
	if file != nil {
		s.replaced[file] = true
		p.bytes -= file.Size
		if packed {
			s.twice[file] = true
		} else {
			s.logs[file] = l
		}
	}
	about := r.timesOf(e)
	about.ID = clock.ID{}
	for _, x := range extents {
		c := &piece{view: s.view, log: l, file: file, packed: packed, from: x.from, to: x.to, about: about}
		if !packed { // whose form is found from its head, which is unpacked anyway
			c.about.Sealed = sealedAs(l, x)
		}
		gone = append(gone, s.addPiece(e, c, origin))
	}
	return gone
}

// whyLacking is why blocks are not read: of several reasons, the worst.
func whyLacking(s *seal.Store, ids []schemas.BlockID) error {
	for _, id := range ids {
		if err := s.Spoiled(seal.ID(id)); err != nil {
			return err
		}
	}
	return seal.ErrAway
}

// sealedAs is what is known of the times of an extent of a log by its blocks.
func sealedAs(l *seal.Log, x extent) clock.Sealed {
	c := clock.Sealed{Log: l.ID, From: x.from, To: x.to}
	at, forms := x.from, map[uint64]bool{}
	for _, p := range l.Stretches() {
		if p.From <= at && at < p.To {
			at, forms[p.Form] = p.To, true
		}
	}
	if c.Fixed = x.to >= 0 && at >= x.to; c.Fixed && len(forms) == 1 {
		for form := range forms {
			c.Form = form
		}
	}
	return c
}

// addPiece enters a piece of what e is of, under an entry of its own.
func (s *sealedPlan) addPiece(e *source.Entry, c *piece, origin *schemas.Origin) *source.Entry {
	mine := *e
	switch mine.ID = (source.ID{}); {
	case c.to >= 0:
		mine.Size = c.to - c.from
	case c.packed:
		mine.Size = 0 // the archive may not say how long its content is: what is found counts
	default:
		mine.Size = max(0, e.Size-c.from)
	}
	s.pieces[&mine], s.origins[&mine] = c, origin
	return &mine
}

// lack notes blocks that the node should read and cannot.
func (s *sealedPlan) lack(home string, ids ...schemas.BlockID) {
	if len(ids) > 0 {
		s.lacking[home] = append(s.lacking[home], ids...)
	}
}

// takeUnknown says which of its own blocks the node should read or leave and knows nothing of. What it should read
// others may read; but the lines of either may stand in its files too, and then come twice.
func (p *plan) takeUnknown(self string, mark *sealedMark) {
	named := map[schemas.BlockID]bool{}
	for _, id := range p.sealed.lacking[self] {
		named[id] = true // it is known since
	}
	for _, id := range mark.unknown {
		if !named[id] {
			named[id] = true
			p.sealed.lack(self, id)
		}
		if p.set != nil && len(p.set.Files) > 0 {
			p.problems.add("sealed block "+id.String(), errUnknownRead)
		}
	}
	if !mark.any && (p.set == nil || len(p.set.Files) == 0) {
		return // there is nothing here that may have the lines of a block
	}
	for _, id := range mark.unleft {
		p.problems.add("sealed block "+id.String(), errUnknownLeft)
	}
}

var (
	errUnknownRead = errors.New("sealed here, and unknown here: its lines may come twice, from this node's files")
	errUnknownLeft = errors.New("sealed here, and unknown here, while another node reads it: its lines may come twice")
)

// takeRead has the search read the blocks that a plan names of other homes and, where it reads nothing else of
// the node's own logs, of its own.
func (r *Responder) takeRead(p *plan, q *schemas.Query, a *assignment) error {
	sel := selection(&q.Select)
	sel.Labels = nil // who made the plan has looked at them
	filter, err := sel.Compile()
	if err != nil {
		return err
	}
	var pieces []*source.Entry
	for _, read := range q.Plan.Read {
		var store *seal.Store
		switch {
		case read.Home != r.config.Node:
			store = r.foreign.of(read.Home)
		case !q.Plan.Only:
			continue // all that it knows of are read anyway, but for those in Leave; for the others see takeUnknown
		case r.sealing != nil:
			store = r.sealing.store
		}
		if store == nil {
			p.sealed.lack(read.Home, read.Blocks...)
			continue
		}
		view := store.View()
		p.sealed.views = append(p.sealed.views, view)
		pieces = append(pieces, p.readOf(r, a, store, view, &read, filter)...)
	}
	for _, e := range pieces {
		p.bytes += e.Size
	}
	p.files = slices.Concat(p.files, pieces)
	slices.SortStableFunc(p.files, func(a, b *source.Entry) int { return source.CompareNatural(a.Path, b.Path) })
	return nil
}

// readOf are the pieces that blocks of a store come to, as a view of it has them. What came to be there since that was opened
// it has not.
func (p *plan) readOf(r *Responder, a *assignment, store *seal.Store, view *seal.View, read *schemas.PlanRead, filter *source.Filter) (pieces []*source.Entry) {
	var logs []*seal.Log
	want, seen := map[seal.ID]bool{}, map[seal.ID]bool{}
	for _, id := range read.Blocks {
		b, err := store.Block(seal.ID(id))
		if err != nil || b.Away || store.Spoiled(b.ID) != nil || !view.Reads(b) {
			p.sealed.lack(read.Home, id)
			continue
		}
		want[b.ID] = true
		for i := range b.Runs {
			if l := view.Log(b.Runs[i].Log); l != nil && !seen[l.ID] {
				seen[l.ID] = true
				logs = append(logs, l)
			}
		}
	}
	slices.SortFunc(logs, func(a, b *seal.Log) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for _, l := range logs {
		pieces = append(pieces, p.readLog(r, a, view, l, want, read.Home, filter)...)
	}
	return pieces
}

// readLog are the pieces of one log.
func (p *plan) readLog(r *Responder, a *assignment, view *seal.View, l *seal.Log, want map[seal.ID]bool, home string, filter *source.Filter) (pieces []*source.Entry) {
	for _, part := range l.Only(func(b *seal.Block) bool { return want[b.ID] }) {
		stretches := part.Stretches()
		newest := stretches[len(stretches)-1]
		e := &source.Entry{Path: l.Path(), Service: l.Service, ModTime: time.Unix(0, part.ModTime())}
		from, _ := part.Start()
		to, _ := part.End()
		if from = max(from, a.skip[l.ID]); from >= to || !filter.Admits(e) {
			continue
		}
		c := &piece{view: view, log: part, from: from, to: to, unsaid: newest.Zone == "" && home != r.config.Node,
			about: clock.File{ModTime: e.ModTime, Zone: r.foreign.zone(newest.Zone), Form: newest.Layout, Sealed: sealedAs(part, extent{from, to})}}
		pieces = append(pieces, p.sealed.addPiece(e, c, &schemas.Origin{Node: home, Log: schemas.BlockID(l.ID)}))
	}
	return pieces
}
