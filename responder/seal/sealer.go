package seal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/trawl-logs/trawl/responder/block"
)

// grace is for how long after its window the lines of a log are waited for.
const grace = time.Minute

// ErrNotSealed is returned by Options.Open for a file that is not to be sealed: a compressed one, say.
var ErrNotSealed = errors.New("not sealed")

// Candidate is a file whose lines are to be sealed.
type Candidate struct {
	Path, Service string
	Family        string // of the path: see Options
	Dev, Ino      uint64
	Size          int64
	ModTime       time.Time
}

// Opened is a Candidate that is open. Its File has the size that it has now.
type Opened struct {
	File
	Clock block.Clock // nil: its lines have no times
	Form  uint64      // of the times
	// Zone and Layout are what the times are read by, where it was said.
	Zone, Layout string
	Close        func()
}

// Options are what a Sealer goes by. All are set but Age, Most, Retired and Room.
type Options struct {
	Window time.Duration // that lines are clustered by
	Lines  int           // of a block
	Age    time.Duration // after which blocks are dropped; 0: never
	Most   int64         // bytes that blocks may take; 0: no limit
	Now    func() time.Time
	// Files are the files that there are; Open opens one.
	Files func() []Candidate
	Open  func(context.Context, Candidate) (Opened, error)
	// Family is what a path has in common with those that rotation gives it.
	Family func(path string) string
	// Retired, if set, says in place of Age which blocks are to be dropped; Room, if set, in place of Most why so many
	// bytes more have no room.
	Retired func(ID) bool
	Room    func(more int64) error
	// Worked is called after each piece of work, and rests as is due. An error is ctx's.
	Worked func(ctx context.Context) error
}

// Sealer seals lines into a Store. It is for one goroutine.
type Sealer struct {
	s       *Store
	o       Options
	tails   map[[2]uint64]*tail     // by device and inode
	alike   map[[2]uint64]time.Time // likewise, since when files are taken for copies; zero: that is said
	files   []Candidate
	text    []byte
	indexer indexer
	lacked  int64 // bytes of a block that had no room when it was tried last; 0: there was room
	looked  bool  // all files have been looked at
}

// NewSealer returns the Sealer of a Store, which has one at most.
func NewSealer(s *Store, o Options) *Sealer {
	return &Sealer{s: s, o: o, tails: map[[2]uint64]*tail{}, alike: map[[2]uint64]time.Time{}}
}

// Turn looks at all files once and seals what is due; more says that it left any. An error is ctx's, or says
// why nothing can be sealed: the next Turn tries again.
func (z *Sealer) Turn(ctx context.Context) (more bool, err error) {
	if z.files = z.o.Files(); z.files == nil {
		return false, nil
	}
	there := map[[2]uint64]bool{}
	services := map[string][]Candidate{}
	for _, c := range z.files {
		there[[2]uint64{c.Dev, c.Ino}] = true
		services[c.Service] = append(services[c.Service], c)
	}
	maps.DeleteFunc(z.tails, func(k [2]uint64, _ *tail) bool { return !there[k] })
	maps.DeleteFunc(z.alike, func(k [2]uint64, _ time.Time) bool { return !there[k] })
	var due []map[uint64][]*tail
	for _, name := range slices.Sorted(maps.Keys(services)) {
		files := services[name]
		slices.SortFunc(files, func(a, b Candidate) int { // an original before its copies
			if n := len(a.Path) - len(b.Path); n != 0 {
				return n
			}
			return strings.Compare(a.Path, b.Path)
		})
		forms, left := z.lookAt(ctx, files)
		due, more = append(due, forms), more || left
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
	z.looked = true // before anything is sealed: only now may blocks of logs that are gone make room
	for _, forms := range due {
		if err := z.sealAll(ctx, forms); err != nil {
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			if z.s.refuse(err.Error()) {
				z.s.log.Error("nothing is sealed", "err", err)
			}
			return false, err
		}
	}
	z.retain(0)
	if z.s.refuse("") {
		z.s.log.Info("lines are sealed")
	}
	return more, nil
}

// lookAt looks at a service's files. forms are those with lines that are not sealed, by the form of their
// times.
func (z *Sealer) lookAt(ctx context.Context, files []Candidate) (forms map[uint64][]*tail, more bool) {
	forms = map[uint64][]*tail{}
	for _, c := range files {
		t, left, err := z.look(ctx, c)
		if ctx.Err() != nil {
			return nil, false
		}
		if err != nil {
			switch {
			case errors.Is(err, errAlike):
				z.tellAlike(c, err)
			case !errors.Is(err, ErrNotSealed):
				z.s.log.Debug("not sealed", "path", c.Path, "err", err)
			}
			continue
		}
		delete(z.alike, [2]uint64{c.Dev, c.Ino})
		more = more || left
		if len(t.stretches) > 0 {
			forms[t.form] = append(forms[t.form], t)
		}
	}
	return forms, more
}

// sealAll seals what is due of a service's files.
func (z *Sealer) sealAll(ctx context.Context, forms map[uint64][]*tail) error {
	for _, form := range slices.Sorted(maps.Keys(forms)) {
		for {
			done, err := z.sealOne(ctx, forms[form])
			if err != nil {
				return err
			}
			if !done {
				break
			}
		}
	}
	return nil
}

// sealOne seals one block of what tails of a form have, the oldest window first; false: nothing is due.
func (z *Sealer) sealOne(ctx context.Context, tails []*tail) (bool, error) {
	windows := map[int64][]*tail{}
	for _, t := range tails {
		if len(t.stretches) > 0 && t.known(z.o.Now()) {
			windows[t.stretches[0].window] = append(windows[t.stretches[0].window], t)
		}
	}
	now := z.o.Now()
	for _, w := range slices.Sorted(maps.Keys(windows)) {
		lines, bytes, over, whole := int64(0), int64(0), true, true
		for _, t := range windows[w] {
			st := t.stretches[0]
			lines, bytes, over = lines+st.lines, bytes+st.to-st.from, over && len(t.stretches) > 1
			whole = whole && (t.whole || len(t.stretches) > 1)
		}
		over = over || whole && !now.Before(time.Unix(0, w).Add(z.o.Window+grace))
		if lines < int64(z.o.Lines) && bytes < maxBlock/2 && !over {
			continue
		}
		done, err := z.seal(ctx, windows[w], w)
		if done || err != nil {
			return done, err
		}
	}
	return false, nil
}

// taken is what a block takes of a tail.
type taken struct {
	t         *tail
	run       Run
	last      int64
	lastKnown bool

	zone, layout string
}

// seal makes a block of the first stretches of tails, which are of a window.
func (z *Sealer) seal(ctx context.Context, tails []*tail, window int64) (bool, error) {
	if err := z.roomAgain(tails); err != nil {
		return false, err
	}
	b := Block{ID: newID(), Service: tails[0].c.Service, Window: window, Span: int64(z.o.Window), Form: tails[0].form, Sealed: z.o.Now().UnixNano()}
	var parts []taken
	z.text = z.text[:0]
	span := span{timed: true}
	lines := int64(0)
	for _, t := range tails {
		from := len(z.text)
		p, err := z.take(ctx, t, int64(z.o.Lines)-lines, &span)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil { // the file is another one by now: the next Turn sees
			delete(z.tails, t.key())
			t.stretches = nil
			return len(tails) > 1, nil
		}
		if len(z.text) == from { // the block is full
			break
		}
		if len(parts) == 0 {
			b.Zone, b.Layout = p.zone, p.layout
		}
		parts = append(parts, p)
		b.Runs = append(b.Runs, p.run)
		if lines += p.run.Lines; lines == int64(z.o.Lines) || p.run.To < t.stretches[0].to {
			break
		}
	}
	b.Timed, b.MinTime, b.MaxTime = span.result()
	z.lacked = int64(len(z.text)) / 3
	if err := z.room(z.lacked); err != nil {
		return false, err
	}
	z.lacked = 0
	published, err := z.publish(&b, z.text, func() error { return z.o.Worked(ctx) })
	if !published {
		return false, err
	}
	for i := range parts {
		parts[i].t.advance(&parts[i], z.s)
	}
	if err == nil {
		err = z.o.Worked(ctx)
	}
	return true, err
}

// roomAgain asks for the room that was lacking last, as far as tails can be the lines that it was for: they are not read
// in vain at each Turn.
func (z *Sealer) roomAgain(tails []*tail) error {
	if z.lacked == 0 {
		return nil
	}
	var bytes int64
	for _, t := range tails {
		bytes += t.stretches[0].to - t.stretches[0].from
	}
	return z.room(min(z.lacked, bytes/3))
}

// span is from when to when lines are.
type span struct {
	timed, any bool
	min, max   int64
}

func (s *span) see(ns int64) {
	if !s.any {
		s.any, s.min, s.max = true, ns, ns
	}
	s.min, s.max = min(s.min, ns), max(s.max, ns)
}

func (s *span) result() (timed bool, from, to int64) {
	if !s.timed || !s.any {
		return false, 0, 0
	}
	return true, s.min, s.max
}

// take appends up to so many lines of a tail's first stretch to z.text.
func (z *Sealer) take(ctx context.Context, t *tail, most int64, span *span) (p taken, err error) {
	o, err := z.o.Open(ctx, t.c)
	if err != nil {
		return p, err
	}
	defer o.Close()
	if err := z.holds(t, &o); err != nil {
		return p, err
	}
	if t.log == nil { // something that it may be a copy of may have been sealed meanwhile
		if l, err := z.logOf(ctx, t.c, &o); err != nil || l != nil {
			return p, errors.Join(ErrNotSealed, err)
		}
	}
	st := &t.stretches[0]
	from := len(z.text)
	if err := z.read(ctx, o.At, st, most); err != nil {
		return p, err
	}
	text := z.text[from:]
	if len(text) == 0 {
		return p, nil
	}
	p = taken{t: t, last: t.last, lastKnown: t.lastKnown, zone: o.Zone, layout: o.Layout}
	for rest := text; len(rest) > 0; p.run.Lines++ {
		n := bytes.IndexByte(rest, '\n') + 1
		p.time(o.Clock, rest[:n-1], span)
		rest = rest[n:]
	}
	r := &p.run
	r.Log, r.Path, r.Identity = t.id, t.c.Path, o.Identity
	r.From, r.To, r.Line = st.from, st.from+int64(len(text)), t.line
	r.ModTime, r.Last, r.LastKnown = o.ModTime.UnixNano(), p.last, p.lastKnown
	r.Prior, r.PriorKnown = t.last, t.lastKnown
	r.HeadBytes = int(min(r.To, printBytes))
	if r.Head, err = sumAt(o.At, 0, r.HeadBytes); err != nil {
		return p, err
	}
	// What was read is the log's only if it was not cut and written anew meanwhile.
	if err := z.holds(t, &o); err != nil {
		return p, err
	}
	r.Tail, err = tailAt(o.At, r.To)
	if n := min(len(text), printBytes); err == nil && r.To >= printBytes && n == printBytes && r.Tail != xxhash.Sum64(text[len(text)-n:]) {
		err = errCut
	}
	return p, err
}

var errCut = errors.New("the log was cut, or is another file")

// time enters the time of a line.
func (p *taken) time(clock block.Clock, line []byte, span *span) {
	if clock != nil {
		if ns, ok := clock(line); ok {
			p.last, p.lastKnown = ns, true
		}
	}
	if !p.lastKnown || clock == nil {
		span.timed = false
		return
	}
	span.see(p.last)
}

// read appends lines of a stretch to z.text, at most so many, and so that a block has room for them.
func (z *Sealer) read(ctx context.Context, at io.ReaderAt, st *stretch, most int64) error {
	first := len(z.text)
	end := min(st.to, st.from+int64(maxBlock-len(z.text)))
	for off := st.from; off < end && most > 0; {
		n := len(z.text)
		z.text = slices.Grow(z.text, int(min(pieceBytes, end-off)))
		piece := z.text[n : n+int(min(pieceBytes, end-off))]
		got, err := at.ReadAt(piece, off)
		if got < len(piece) {
			if err == nil || errors.Is(err, io.EOF) {
				err = errCut
			}
			return err
		}
		z.text = z.text[:n+got]
		off += int64(got)
		for rest := piece; len(rest) > 0; {
			i := bytes.IndexByte(rest, '\n') + 1
			if i == 0 {
				break
			}
			if most--; most == 0 {
				z.text = z.text[:len(z.text)-len(rest)+i]
				break
			}
			rest = rest[i:]
		}
		if err := z.o.Worked(ctx); err != nil {
			return err
		}
	}
	z.text = z.text[:first+bytes.LastIndexByte(z.text[first:], '\n')+1] // there was no room for the last line
	return nil
}
