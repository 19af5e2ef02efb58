package feed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Piece is a run of lines of something that is followed. It says, as scan.Origin has it, where they came
// from, and is valid until the next one is made.
type Piece struct {
	Text  []byte // lines, each with its end
	lines *Lines
}

// Line says of the line that begins at off in Text what Lines.Line says.
func (p *Piece) Line(off int64) (ns, number, offset int64, ok bool) {
	return p.lines.Line(p.lines.made + off)
}

// Release does nothing: a Piece is short.
func (p *Piece) Release(int64) {}

// piece is what was made since the last one.
func (l *Lines) piece() *Piece { return &Piece{l.out, l} }

// taken forgets what piece gave.
func (l *Lines) taken() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made += int64(len(l.out))
	l.out, l.origins = l.out[:0], l.origins[:0]
}

// Unwrapper takes the wrappers off a container's log that comes in runs of lines: parts of a line are
// joined that came in several.
type Unwrapper struct{ u unwrapper }

// NewUnwrapper returns one that has seen nothing.
func NewUnwrapper(f Format) *Unwrapper {
	return &Unwrapper{unwrapper{Lines: &Lines{}, format: f, last: NoTime}}
}

// Unwrap gives the lines that end in text, which holds whole wrapped ones: the first one's offset in the
// file and number, from 1, are given.
func (w *Unwrapper) Unwrap(text []byte, offset, number int64) *Piece {
	w.u.taken()
	w.u.splitter = splitter{r: bytes.NewReader(text), offset: offset, number: number - 1, buf: w.u.buf, ended: true}
	for w.u.more(w.u.take) == nil {
	}
	return w.u.piece()
}

// Begun is the offset of the first line of which parts have come, and not the last one; -1 if there is
// none.
func (w *Unwrapper) Begun() int64 {
	first := int64(-1)
	for i := range w.u.begun {
		if p := &w.u.begun[i]; p.open && (first < 0 || p.origin.offset < first) {
			first = p.origin.offset
		}
	}
	return first
}

// JournalTail reads each of a journal's entries once: by Begin or History those that there are, by Run
// those that come. One goroutine at a time uses it.
type JournalTail struct {
	journal *Journal
	since   int64
	cursor  string // of the newest entry that was read; empty: none was
	seen    int64  // entries that History has read
	count   int64  // lines that Run has given
}

// Tail follows the entries of the times from since on, Unix nanoseconds, 0 for all.
func (j *Journal) Tail(since int64) *JournalTail { return &JournalTail{journal: j, since: since} }

// note enters that an entry was read.
func (t *JournalTail) note(cursor []byte) {
	if t == nil {
		return
	}
	t.seen++
	if len(cursor) > 0 && string(cursor) != t.cursor {
		t.cursor = string(cursor)
	}
}

// Begin has Run give what is not there yet.
func (t *JournalTail) Begin(ctx context.Context) error {
	lines, closer, err := t.History(ctx, 1)
	if err != nil {
		return err
	}
	defer closer.Close()
	_, err = io.Copy(io.Discard, lines)
	return err
}

// History gives the lines of the last n entries, or if n is negative of all, as Journal.Open does; Run
// goes on after the last one that was read. It may be called again, and begins anew then.
func (t *JournalTail) History(ctx context.Context, n int64) (*Lines, io.Closer, error) {
	args := t.journal.arguments(t.since, 0)
	if n >= 0 {
		args = append(args, fmt.Sprintf("--lines=%d", n))
	}
	t.cursor, t.seen = "", 0
	e, c, err := t.journal.entries(ctx, args)
	if err != nil {
		return nil, nil, err
	}
	e.tail = t
	return e.Lines, c, nil
}

// Seen is how many entries History has read.
func (t *JournalTail) Seen() int64 { return t.seen }

// Pauses before journalctl is started again; each is twice the one before, until entries come.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

// Run gives the lines of entries as they come, until ctx ends, which kills journalctl, or emit returns an
// error; it returns that. Where journalctl ends of itself, failed hears why, and it is started again
// behind the newest entry that was given.
func (t *JournalTail) Run(ctx context.Context, emit func(*Piece) error, failed func(error)) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		before := t.count
		stop, err := t.follow(ctx, emit, failed)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if stop {
			return err
		}
		if err != nil {
			failed(err)
		}
		if t.count > before {
			pause = firstPause
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// follow gives lines until journalctl ends; stop says that emit has returned err. The error is nil where
// there is no such unit yet.
func (t *JournalTail) follow(ctx context.Context, emit func(*Piece) error, failed func(error)) (stop bool, err error) {
	since := t.since
	if t.cursor != "" {
		since = 0
	}
	args := append(t.journal.arguments(since, 0), "--follow", "--no-tail")
	if t.cursor != "" {
		args = append(args, "--after-cursor="+t.cursor)
	}
	e, c, err := t.journal.entries(ctx, args)
	if err != nil {
		return false, err
	}
	defer c.Close()
	e.tail, e.count, e.ended = t, t.count, true // a line that was cut off with journalctl comes again
	for dropped := int64(0); ; {
		err := e.more(e.take)
		if t.count = e.count; len(e.out) > 0 {
			if err := emit(e.piece()); err != nil {
				return true, err
			}
			e.taken()
		}
		if e.dropped > dropped {
			dropped = e.dropped
			failed(fmt.Errorf("%w: one of more than %d bytes is left out", ErrEntry, maxLine))
		}
		switch {
		case errors.Is(err, io.EOF) && c.said.is(noSuchUnit):
			return false, nil
		case errors.Is(err, io.EOF):
			return false, errors.New("journalctl has ended")
		case err != nil:
			return false, err
		}
	}
}
