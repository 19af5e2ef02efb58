package timeorder

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/trawl-logs/trawl/responder/scan"
)

// ErrDisorder is the error of a file whose lines were in order when they were looked at, and are not
// any more. What is out of order is left out.
var ErrDisorder = errors.New("changed while it was read: its times are not in order any more")

// liveBatch is how large the batches of a file are that is searched while it is merged.
const liveBatch = 8 << 10

// live is a file in order that is searched while it is merged.
type live struct {
	search *search
	index  int // of the input
	survey survey
	file   *scan.File // if it was kept open

	key     key // of rows[at], or of the unit before, or the mark behind it
	rows    []row
	at      int
	split   splitter
	events  chan event
	holding bool // a batch, which its search waits for
	ack     chan struct{}
	cancel  context.CancelFunc
	over    bool
}

// event is what the search of a file says: one of these.
type event struct {
	batch *scan.Batch
	off   int64 // all that begins before has been given
	err   error // of the file
	end   *scan.Stats
	fatal error // with end: of the search
}

func newLive(s *search, index int, y *survey, file *scan.File) *live {
	return &live{search: s, index: index, survey: *y, file: file, key: key{time: y.first, input: index}, split: newSplitter(s.o)}
}

func (l *live) bound() (key, bool) { return l.key, l.at < len(l.rows) }

func (l *live) input() int { return l.index }

func (l *live) row() (*row, error) {
	r := &l.rows[l.at]
	if l.at++; l.at < len(l.rows) {
		l.key.time = max(l.key.time, l.rows[l.at].key)
	}
	return r, nil
}

// fetch lets the search go on, and takes what it says next.
func (l *live) fetch() error {
	if l.over {
		return io.EOF
	}
	if l.events == nil {
		l.start()
	}
	if l.holding {
		l.holding = false
		l.ack <- struct{}{}
	}
	e := <-l.events
	switch {
	case e.batch != nil:
		l.holding = true
		return l.take(e.batch)
	case e.err != nil:
		l.search.failed(l.index, e.err)
	case e.end != nil:
		l.over = true
		l.cancel()
		if l.search.count(e.end); e.fatal != nil {
			return e.fatal
		}
		return io.EOF
	case !l.search.grouped: // the context of a later group may begin before
		l.key.time = max(l.key.time, l.survey.after(e.off))
	}
	return nil
}

// take makes rows of a batch. Those that are out of order are left out, with all that follow.
func (l *live) take(b *scan.Batch) error {
	l.rows, l.at = l.split.rows(l.rows[:0], b), 0
	before := l.key.time
	for i := range l.rows {
		r := &l.rows[i]
		if r.binary { // of no time
			r.key = max(r.key, before)
		}
		if r.start && r.key < before {
			l.rows = l.rows[:i]
			l.over = true
			l.cancel()
			l.search.failed(l.index, ErrDisorder)
			break
		} else if r.start {
			before = r.key
		}
	}
	if len(l.rows) > 0 {
		l.key.time = max(l.key.time, l.rows[0].key)
	}
	return nil
}

// start starts the search.
func (l *live) start() {
	s := l.search
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(s.ctx)
	l.events, l.ack = make(chan event), make(chan struct{}, 1)
	tell := func(e event) error {
		select {
		case l.events <- e:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	o := s.single(l.index)
	o.BatchBytes, o.Limit = liveBatch, s.o.Limit
	o.OnError = func(_ int, err error) { _ = tell(event{err: err}) } // not heard: nobody listens any more
	o.Searched = func(_ int, off int64) { _ = tell(event{off: off}) }
	in := s.inputs[l.index]
	in.Open = func() (scan.File, error) { return l.open() }
	m := s.matchers.lend()
	s.running.Go(func() {
		var stats scan.Stats
		err := guard(func() (err error) {
			stats, err = scan.Run(ctx, []scan.Input{in}, m.of(), o, func(b *scan.Batch) error {
				if err := tell(event{batch: b}); err != nil {
					return err
				}
				select {
				case <-l.ack:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			return err
		})
		s.matchers.back(m)
		if ctx.Err() == nil {
			_ = tell(event{end: &stats, fatal: err})
		}
	})
}

// open opens the file, or gives it if it was kept open, as long as it was.
func (l *live) open() (scan.File, error) {
	f := l.file
	if l.file = nil; f != nil {
		return *f, nil
	}
	again, err := l.search.inputs[l.index].Open()
	switch {
	case err != nil:
	case again.At == nil:
		err = fmt.Errorf("changed while it was read: a file, then a stream")
	case again.Size < l.survey.size:
		err = fmt.Errorf("%w: %d of %d bytes are left", scan.ErrShrank, again.Size, l.survey.size)
	}
	if err != nil && again.Closer != nil {
		_ = again.Closer.Close() // opened for reading: nothing is lost
	}
	again.From, again.Size = max(again.From, l.survey.from), min(again.Size, l.survey.size)
	return again, err
}

func (l *live) close() {
	l.over = true
	if l.cancel != nil {
		l.cancel()
	}
	if l.file != nil && l.file.Closer != nil {
		_ = l.file.Closer.Close() // opened for reading: nothing is lost
		l.file = nil
	}
}
