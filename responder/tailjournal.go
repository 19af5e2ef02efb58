package responder

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/trawl-logs/trawl/responder/feed"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/source"
)

const (
	// firstEntries is how many of a journal's newest entries are searched first for its last lines.
	firstEntries = 1000
	// lastKept bounds, in bytes, the last lines of a journal that are kept while it is read to its end.
	lastKept = 8 << 20
)

// errLastKept says that a history is not as long as it was wanted.
var errLastKept = errors.New("the last lines that match have more than 8 MiB: the earlier ones are left out")

// journalTail is a journal that a tail follows.
type journalTail struct {
	entry *source.Entry
	feed  *feed.JournalTail
}

// addJournals has the tail follow the journals too that the query selects. Without a history they begin
// behind their newest entry, with one history finds where they do.
func (t *tail) addJournals(ctx context.Context, filter *source.Filter) {
	for _, e := range t.r.feeds.selected(filter) {
		j := &journalTail{e, t.r.feeds.openers[e].Tail(t.q.Since)}
		if t.q.Last == 0 {
			if err := j.feed.Begin(ctx); err != nil {
				t.failed(e.Path, err)
				continue
			}
		}
		t.journals = append(t.journals, j)
	}
}

// lastOfJournal gives the last lines that are selected of a journal: its newest entries are searched,
// each time four times as many, until there are enough.
func (t *tail) lastOfJournal(ctx context.Context, j *journalTail) (read int64, err error) {
	if t.q.Last < 0 {
		return t.searchJournal(ctx, j, -1, t.emit)
	}
	for window := int64(firstEntries); ; window *= 4 {
		if t.q.Since != 0 {
			window = -1
		}
		last := lastLines{wanted: t.q.Last, terminator: t.options.Terminator}
		n, err := t.searchJournal(ctx, j, window, last.add)
		if read += n; err != nil {
			return read, err
		}
		if last.lines < t.q.Last && window > 0 && j.feed.Seen() >= window {
			continue
		}
		if last.lost {
			t.failed(j.entry.Path, errLastKept)
		}
		return read, last.give(t.emit)
	}
}

// searchJournal searches a journal's newest entries, or if n is negative all.
func (t *tail) searchJournal(ctx context.Context, j *journalTail, n int64, emit func(*scan.Batch) error) (read int64, err error) {
	o := t.options
	if t.q.Last > 0 { // which of them are the last is not known yet
		o.Before, o.After, o.Groups = 0, 0, false
	}
	o.Since, o.NewClock = t.q.Since, func(int) scan.Clock { return timeless{} } // the origin of the lines knows
	o.OnError = func(_ int, err error) { t.failed(j.entry.Path, err) }
	open := func() (scan.File, error) {
		lines, closer, err := j.feed.History(ctx, n)
		if err != nil {
			return scan.File{}, err
		}
		return scan.File{Stream: lines, Origin: lines, Closer: closer}, nil
	}
	stats, err := scan.Run(ctx, []scan.Input{{Name: j.entry.Path, Service: j.entry.Service, Open: open}}, t.matcher, o, emit)
	return stats.Bytes, err
}

// runJournals gives what is selected of entries as they come, each journal beside the others, until ctx
// ends or emit fails, of which fail hears.
func (t *tail) runJournals(ctx context.Context, running *sync.WaitGroup, fail func(error)) {
	for _, j := range t.journals {
		running.Go(func() {
			err := j.feed.Run(ctx, func(p *feed.Piece) error {
				t.mu.Lock()
				defer t.mu.Unlock()
				err := t.searchFed(ctx, j.entry, p)
				if err == nil && t.fed != nil {
					err = t.fed()
				}
				return err
			}, func(err error) { t.failed(j.entry.Path, err) })
			if ctx.Err() == nil {
				fail(err)
			}
		})
	}
}

// searchFed gives what is selected of lines that know where they came from. mu is held.
func (t *tail) searchFed(ctx context.Context, e *source.Entry, p *feed.Piece) error {
	if t.options.Groups {
		b, err := t.aroundFed(ctx, e, p)
		if err == nil && b.Lines > 0 {
			err = t.emit(b)
		}
		return err
	}
	o := t.options
	o.NewClock = func(int) scan.Clock { return timeless{} }
	file := scan.File{Stream: bytes.NewReader(p.Text), Origin: p}
	inputs := []scan.Input{{Name: e.Path, Service: e.Service, Open: func() (scan.File, error) { return file, nil }}}
	_, err := scan.Run(ctx, inputs, t.matcher, o, t.emit)
	return err
}

// lastLines keeps the last lines that are selected of what has an end that is not known yet.
type lastLines struct {
	wanted     int64
	terminator byte
	batches    []*scan.Batch
	lines      int64 // selected, in batches
	size       int
	lost       bool // fewer than wanted are kept
}

// add keeps a copy of a batch, and drops what is not wanted any more.
func (l *lastLines) add(b *scan.Batch) error {
	c := *b
	c.Text = slices.Clone(b.Text)
	for _, column := range []*[]int64{&c.Numbers, &c.Offsets, &c.Times, &c.Context, &c.Groups} {
		*column = slices.Clone(*column)
	}
	l.batches = append(l.batches, &c)
	l.lines += c.Selected
	l.size += len(c.Text)
	for len(l.batches) > 1 {
		first := l.batches[0]
		enough := l.lines-first.Selected >= l.wanted && !l.batches[1].Continues
		if !enough && l.size <= lastKept {
			return nil
		}
		l.lost = l.lost || !enough
		l.lines -= first.Selected
		l.size -= len(first.Text)
		l.batches[0], l.batches = nil, l.batches[1:]
	}
	return nil
}

// give emits the lines.
func (l *lastLines) give(emit func(*scan.Batch) error) error {
	skip := max(0, l.lines-l.wanted)
	for _, b := range l.batches {
		if b.Kind == scan.KindLines && skip > 0 {
			k := min(skip, b.Selected)
			skip -= k
			if k == b.Selected && !b.More {
				continue
			}
			b = behind(b, k, l.terminator)
		}
		if err := emit(b); err != nil {
			return err
		}
	}
	return nil
}
