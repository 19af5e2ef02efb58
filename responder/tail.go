package responder

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/responder/clock"
	"github.com/trawl-logs/trawl/responder/feed"
	"github.com/trawl-logs/trawl/responder/follow"
	"github.com/trawl-logs/trawl/responder/rotation"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/responder/timestamp"
	"github.com/trawl-logs/trawl/schemas"
)

// tail is a search that goes on: what a query selects of the lines that are written from now on. It
// knows no session: emit gets what is selected, cut the files that were cut, failed those that cannot be
// followed.
type tail struct {
	r        *Responder
	q        *schemas.Query
	follower *follow.Follower
	matcher  func() scan.Matcher
	options  scan.Options
	clocks   map[*source.Entry]scan.Clock // of files whose times are wanted; nil: it has none
	wrapped  map[*source.Entry]*feed.Unwrapper
	arounds  map[*source.Entry]*around // of files of which lines of context are wanted
	past     []follow.Past
	held     []follow.Piece // wrapped lines at the end of what a file held, of which the rest is to come
	journals []*journalTail
	packed   []*rotation.File // archives that history reaches back into
	archives *archives        // what they are opened with
	mu       sync.Mutex       // held for each piece, since journals run beside the files
	failed   func(file string, err error)
	emit     func(*scan.Batch) error
	cut      func(*source.Entry) error
	fed      func() error              // if set, is called when emit has what came from a journal
	passed   func(*follow.Piece) error // if set, hears of each piece when emit and cut have what it holds
}

// newTail begins to follow; what is in the files by then is history. Resume, if set, says where that ends,
// as follow.Options.Resume does.
func (r *Responder) newTail(ctx context.Context, q *schemas.Query, newMatcher func() scan.Matcher, o scan.Options, failed func(string, error),
	resume func(*source.Entry, io.ReaderAt, int64) int64) (*tail, error) {
	filter, err := selection(&q.Select).Compile()
	if err != nil {
		return nil, err
	}
	m := newMatcher()
	if o.Binary == scan.BinaryReport { // a NUL is no reason to say nothing more of a log
		o.Binary = scan.BinaryText
	}
	o.Mode, o.MaxCount, o.Threads, o.Since, o.Until, o.Limit = scan.Lines, -1, 1, 0, 0, 0
	t := &tail{r: r, q: q, options: o, failed: failed, matcher: func() scan.Matcher { return m },
		clocks: map[*source.Entry]scan.Clock{}, wrapped: map[*source.Entry]*feed.Unwrapper{}, arounds: map[*source.Entry]*around{}}
	t.follower = follow.New(follow.Options{
		Catalog: r.catalog, Filter: filter, Terminator: o.Terminator, MaxLine: o.MaxLine, Numbers: o.Numbers,
		Failed: func(e *source.Entry, err error) { failed(e.Path, err) }, Resume: resume,
	})
	if t.past, err = t.follower.Start(ctx); err != nil {
		t.follower.Close()
		return nil, err
	}
	for i := range t.past {
		if err := t.holdBegun(&t.past[i]); err != nil {
			t.failed(t.past[i].Entry.Path, err)
		}
	}
	return t, nil
}

// bytes is how much the files held when following began.
func (t *tail) bytes() (n int64) {
	for i := range t.past {
		n += t.past[i].Size
	}
	return n
}

// run gives what is selected of what is written until ctx ends or emit or cut fails.
func (t *tail) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel(nil)
	t.runJournals(ctx, &running, cancel)
	for i := range t.held {
		if err := t.piece(ctx, &t.held[i]); err != nil {
			return err
		}
	}
	t.held = nil
	return t.follower.Run(ctx, t.r.watcher, func(p *follow.Piece) error { return t.piece(ctx, p) })
}

// piece gives what is selected of a piece, or that a file was cut.
func (t *tail) piece(ctx context.Context, p *follow.Piece) (err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.Cut {
		delete(t.clocks, p.Entry)
		delete(t.wrapped, p.Entry)
		delete(t.arounds, p.Entry)
		err = t.cut(p.Entry)
	} else {
		err = t.search(ctx, p)
	}
	if err == nil && t.passed != nil {
		err = t.passed(p)
	}
	return err
}

// search gives what is selected of a piece.
func (t *tail) search(ctx context.Context, p *follow.Piece) error {
	if format := t.r.feeds.formats[p.Entry.Source()]; format != 0 {
		w := t.wrapped[p.Entry]
		if w == nil {
			w = feed.NewUnwrapper(format)
			t.wrapped[p.Entry] = w
		}
		return t.searchFed(ctx, p.Entry, w.Unwrap(p.Text, p.Offset, p.Line))
	}
	if t.options.Groups {
		b, err := t.aroundPiece(ctx, p, 0)
		if err == nil && b.Lines > 0 {
			err = t.emit(b)
		}
		return err
	}
	file := scan.File{At: bytes.NewReader(p.Text), Size: int64(len(p.Text))}
	o := t.options
	if o.Times {
		clock, known := t.clocks[p.Entry]
		if !known {
			clock = t.clockOf(p)
			t.clocks[p.Entry] = clock
		}
		if o.NewClock = func(int) scan.Clock { return clock }; clock == nil {
			o.NewClock = func(int) scan.Clock { return timeless{} }
		}
	}
	inputs := []scan.Input{{Name: p.Entry.Path, Service: p.Entry.Service, Open: func() (scan.File, error) { return file, nil }}}
	_, err := scan.Run(ctx, inputs, t.matcher, o, func(b *scan.Batch) error {
		for i := range b.Numbers {
			b.Numbers[i] += p.Line - 1
		}
		for i := range b.Offsets {
			b.Offsets[i] += p.Offset
		}
		return t.emit(b)
	})
	return err
}

// holdBegun takes off a wrapped file's history what comes after the beginning of a line of which parts are
// there and the last one is to come: it is one line, and a new one.
func (t *tail) holdBegun(p *follow.Past) error {
	format := t.r.feeds.formats[p.Entry.Source()]
	if format == 0 {
		return nil
	}
	from, err := t.lineAt(p, p.Size-firstWindow)
	if err != nil {
		return err
	}
	text := make([]byte, p.Size-from)
	if _, err := io.ReadFull(io.NewSectionReader(p.At, from, p.Size-from), text); err != nil {
		return err
	}
	w := feed.NewUnwrapper(format)
	w.Unwrap(text, from, 1)
	begun := w.Begun()
	if begun < 0 {
		return nil
	}
	line, err := t.linesBefore(p, begun)
	if err != nil {
		return err
	}
	held := follow.Piece{Entry: p.Entry, Text: text[begun-from:], Offset: begun, End: p.Size, Line: line + 1}
	if t.q.Last == 0 { // whole ones between the parts are of before
		w = feed.NewUnwrapper(format)
		w.Unwrap(held.Text, held.Offset, held.Line)
		t.wrapped[p.Entry] = w
		return nil
	}
	p.Size, t.held = begun, append(t.held, held)
	return nil
}

// linesBefore counts the lines of a file before off, if they are wanted.
func (t *tail) linesBefore(p *follow.Past, off int64) (lines int64, err error) {
	if !t.options.Numbers {
		return 0, nil
	}
	buf := make([]byte, 256<<10)
	for at := int64(0); at < off; {
		n, err := p.At.ReadAt(buf[:min(off-at, int64(len(buf)))], at)
		if n == 0 {
			return 0, err
		}
		lines += int64(bytes.Count(buf[:n], []byte{t.options.Terminator}))
		at += int64(n)
	}
	return lines, nil
}

// timeless is the clock of lines that have no times.
type timeless struct{}

// Time knows none.
func (timeless) Time([]byte) (int64, bool) { return 0, false }

// clockOf finds the form of a file's times from what was written to it; nil if it has none.
func (t *tail) clockOf(p *follow.Piece) scan.Clock {
	about := t.r.timesOf(p.Entry)
	text := p.Text[:min(len(p.Text), 64<<10)]
	form, ok := timestamp.Detect(text, timestamp.Options{Zone: about.Zone, ModTime: time.Now(), Tail: text, Form: about.Form})
	if !ok {
		return nil
	}
	return form.NewReader()
}

// firstWindow is how much of a file's end is searched first for its last lines.
const firstWindow = 64 << 10

// history gives the last lines that are selected of what each file held, or all of the range of times.
func (t *tail) history(ctx context.Context) (read int64, err error) {
	if read, err = t.packedHistory(ctx); err != nil {
		return read, err
	}
	for i := range t.past {
		n, err := t.last(ctx, &t.past[i])
		if read += n; err != nil {
			return read, err
		}
	}
	for _, j := range t.journals {
		n, err := t.lastOfJournal(ctx, j)
		if read += n; err != nil {
			return read, err
		}
	}
	return read, nil
}

// last gives the last lines that are selected of a file: it is searched from its end backwards, each
// time four times as much, until there are enough.
func (t *tail) last(ctx context.Context, p *follow.Past) (read int64, err error) {
	o := t.options
	if o.Groups {
		if t.r.feeds.formats[p.Entry.Source()] == 0 {
			return t.lastAround(ctx, p)
		}
		if t.q.Last > 0 { // which of the lines are the last is not known before they all are
			o.Before, o.After, o.Groups = 0, 0, false
		}
	}
	for window := int64(firstWindow); ; window *= 4 {
		from, err := t.lineAt(p, p.Size-window)
		if t.q.Last < 0 || t.q.Since != 0 || err != nil {
			from = 0
		}
		var found int64
		n, err := t.searchPast(ctx, p, from, o, func(b *scan.Batch) error { found += b.Selected; return nil })
		if read += n; err != nil || found == 0 && from == 0 {
			return read, err
		}
		if found < t.q.Last && from > 0 {
			continue
		}
		skip := max(0, found-t.q.Last)
		if t.q.Last < 0 {
			skip = 0
		}
		n, err = t.searchPast(ctx, p, from, o, func(b *scan.Batch) error {
			if b.Kind != scan.KindLines || skip == 0 {
				return t.emit(b)
			}
			k := min(skip, b.Selected)
			skip -= k
			if k == b.Selected {
				return nil
			}
			return t.emit(behind(b, k, t.options.Terminator))
		})
		return read + n, err
	}
}

// behind is a batch of lines without its first n.
func behind(b *scan.Batch, n int64, terminator byte) *scan.Batch {
	c := *b
	for range n {
		c.Text = c.Text[bytes.IndexByte(c.Text, terminator)+1:]
	}
	for _, column := range []*[]int64{&c.Numbers, &c.Offsets, &c.Times} {
		*column = (*column)[min(int(n), len(*column)):]
	}
	c.Lines, c.Selected = b.Lines-n, b.Selected-n
	return &c
}

// lineAt returns the start of the first line that begins at off or later; 0 if off is not behind 0.
func (t *tail) lineAt(p *follow.Past, off int64) (int64, error) {
	buf := make([]byte, 32<<10)
	for off > 0 && off < p.Size {
		n, err := p.At.ReadAt(buf[:min(p.Size-off, int64(len(buf)))], off-1)
		if n == 0 {
			return 0, err
		}
		if i := bytes.IndexByte(buf[:n], t.options.Terminator); i >= 0 {
			return off + int64(i), nil
		}
		off += int64(n)
	}
	return max(0, min(off, p.Size)), nil
}

// searchPast searches one file from a line on, as it was.
func (t *tail) searchPast(ctx context.Context, p *follow.Past, from int64, o scan.Options, emit func(*scan.Batch) error) (read int64, err error) {
	base, err := t.linesBefore(p, from)
	if err != nil {
		return 0, err
	}
	o.Since = t.q.Since
	var failed error
	o.OnError = func(_ int, err error) { failed = err }
	file := t.r.feeds.unwrapped(scan.File{At: p.At, Size: p.Size, From: from}, p.Entry)
	if file.Stream != nil {
		base = 0
	}
	inputs := []scan.Input{{Name: p.Entry.Path, Service: p.Entry.Service, Open: func() (scan.File, error) { return file, nil }}}
	times := t.r.clocks.Attach(inputs, func(int) clock.File { return t.r.timesOf(p.Entry) }, true, &o)
	stats, err := scan.Run(ctx, inputs, t.matcher, o, func(b *scan.Batch) error {
		for i := range b.Numbers {
			b.Numbers[i] += base
		}
		return emit(b)
	})
	if err == nil && failed != nil {
		t.failed(p.Entry.Path, failed)
	}
	return stats.Bytes + times.Read(), err
}
