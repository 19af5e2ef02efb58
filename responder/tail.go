package responder

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/trawl-logs/trawl/responder/clock"
	"github.com/trawl-logs/trawl/responder/follow"
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
	past     []follow.Past
	failed   func(file string, err error)
	emit     func(*scan.Batch) error
	cut      func(*source.Entry) error
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
	t := &tail{r: r, q: q, options: o, failed: failed, matcher: func() scan.Matcher { return m }, clocks: map[*source.Entry]scan.Clock{}}
	t.follower = follow.New(follow.Options{
		Catalog: r.catalog, Filter: filter, Terminator: o.Terminator, MaxLine: o.MaxLine, Numbers: o.Numbers,
		Failed: func(e *source.Entry, err error) { failed(e.Path, err) }, Resume: resume,
	})
	if t.past, err = t.follower.Start(ctx); err != nil {
		t.follower.Close()
		return nil, err
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
	return t.follower.Run(ctx, t.r.watcher, func(p *follow.Piece) (err error) {
		if p.Cut {
			delete(t.clocks, p.Entry)
			err = t.cut(p.Entry)
		} else {
			err = t.search(ctx, p)
		}
		if err == nil && t.passed != nil {
			err = t.passed(p)
		}
		return err
	})
}

// search gives what is selected of a piece.
func (t *tail) search(ctx context.Context, p *follow.Piece) error {
	file := t.r.feeds.unwrapped(scan.File{At: bytes.NewReader(p.Text), Size: int64(len(p.Text))}, p.Entry)
	o := t.options
	if o.Times && file.Stream == nil {
		clock, known := t.clocks[p.Entry]
		if !known {
			clock = t.clockOf(p)
			t.clocks[p.Entry] = clock
		}
		if o.NewClock = func(int) scan.Clock { return clock }; clock == nil {
			o.NewClock = func(int) scan.Clock { return timeless{} }
		}
	} else if o.Times {
		o.NewClock = func(int) scan.Clock { return timeless{} } // the origin of the lines knows
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
	for i := range t.past {
		n, err := t.last(ctx, &t.past[i])
		if read += n; err != nil {
			return read, err
		}
	}
	return read, nil
}

// last gives the last lines that are selected of a file: it is searched from its end backwards, each
// time four times as much, until there are enough.
func (t *tail) last(ctx context.Context, p *follow.Past) (read int64, err error) {
	for window := int64(firstWindow); ; window *= 4 {
		from, err := t.lineAt(p, p.Size-window)
		if t.q.Last < 0 || t.q.Since != 0 || err != nil {
			from = 0
		}
		var found int64
		n, err := t.searchPast(ctx, p, from, func(b *scan.Batch) error { found += b.Selected; return nil })
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
		n, err = t.searchPast(ctx, p, from, func(b *scan.Batch) error {
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
func (t *tail) searchPast(ctx context.Context, p *follow.Past, from int64, emit func(*scan.Batch) error) (read int64, err error) {
	var base int64 // lines before
	o := t.options
	o.Since = t.q.Since
	if o.Numbers && from > 0 {
		buf := make([]byte, 256<<10)
		for off := int64(0); off < from; {
			n, err := p.At.ReadAt(buf[:min(from-off, int64(len(buf)))], off)
			if n == 0 {
				return 0, err
			}
			base += int64(bytes.Count(buf[:n], []byte{o.Terminator}))
			off += int64(n)
		}
	}
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
