package responder

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/trawl-logs/trawl/responder/clock"
	"github.com/trawl-logs/trawl/responder/rotation"
	"github.com/trawl-logs/trawl/responder/scan"
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

// assignment is a query's Plan as it is looked up; without one, all is read of the node's own logs.
type assignment struct {
	planned bool
	leave   map[seal.ID]bool
	skip    map[seal.ID]int64
	overlap func(*seal.Block) bool // may it have lines of the query's times
}

func assigned(q *schemas.Query) *assignment {
	a := &assignment{leave: map[seal.ID]bool{}, skip: map[seal.ID]int64{}, overlap: func(b *seal.Block) bool {
		k := schemas.BlockRecord{Timed: b.Timed, MinTime: b.MinTime, MaxTime: b.MaxTime}
		return k.Overlaps(q.Since, q.Until)
	}}
	if q.Plan == nil {
		return a
	}
	a.planned = true
	for _, id := range q.Plan.Leave {
		a.leave[seal.ID(id)] = true
	}
	for _, m := range q.Plan.Skip {
		a.skip[seal.ID(m.Log)] = max(a.skip[seal.ID(m.Log)], m.From)
	}
	return a
}

// extent is the bytes of a log from one to another; to -1: to its file's end.
type extent struct{ from, to int64 }

// parted is what is to be read of one of the node's own logs. whole says that this is all there is of it; lacking
// are the blocks that it should read and cannot. file tells that there is one that has all of the log.
func (a *assignment) parted(s *seal.Store, l *seal.Log, file bool) (extents []extent, whole bool, lacking []schemas.BlockID) {
	skip := a.skip[l.ID]
	whole = skip == 0
	add := func(from, to int64) {
		if from = max(from, skip); to >= 0 && from >= to {
			return
		}
		if n := len(extents); n > 0 && extents[n-1].to == from {
			extents[n-1].to = to
			return
		}
		extents = append(extents, extent{from, to})
	}
	end := int64(0)
	for _, p := range l.Stretches() {
		if file {
			add(end, p.From)
		}
		end = p.To
		switch {
		case a.leave[p.ID]:
			whole = false
		case file || !p.Away && s.Spoiled(p.ID) == nil:
			add(p.From, p.To)
		default:
			whole = false
			if id := schemas.BlockID(p.ID); p.To > skip && a.overlap(p.Block) && !slices.Contains(lacking, id) {
				lacking = append(lacking, id)
			}
		}
	}
	if file {
		add(end, -1)
	}
	return extents, whole, lacking
}

// lacks says whether there is a block of a log that is to be read and is not here.
func (a *assignment) lacks(s *seal.Store, l *seal.Log) bool {
	_, _, lacking := a.parted(s, l, false)
	return len(lacking) > 0
}

// takeOwn has the search read one of the node's own logs. e is how it is called, and file what it goes on in or,
// packed, what holds it; nil: there are but blocks.
func (p *plan) takeOwn(r *Responder, a *assignment, e, file *source.Entry, packed bool, l *seal.Log) (gone []*source.Entry) {
	s := p.sealed
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

// openPiece opens a piece for the search.
func (p *plan) openPiece(e *source.Entry, c *piece) (scan.File, error) {
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

// tellLacking tells the requester what is not read, before anything else: somebody else may read it meanwhile.
func (s *session) tellLacking(lacking map[string][]schemas.BlockID) error {
	const atOnce = 1 << 10
	s.mu.Lock()
	defer s.mu.Unlock()
	for home, ids := range lacking {
		for some := range slices.Chunk(ids, atOnce) {
			var text []byte
			for _, id := range some {
				text = append(text, id[:]...)
			}
			c := schemas.Chunk{Kind: schemas.ChunkUnread, Text: text, Origin: &schemas.Origin{Node: home}}
			for int(s.box.Room()) < size(&c)+frameHeads {
				if err := s.await(); err != nil {
					return err
				}
			}
			if err := s.data(0, c); err != nil {
				return err
			}
		}
	}
	return nil
}
