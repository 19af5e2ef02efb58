package follow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/trawl-logs/trawl/responder/source"
)

const (
	// bufferBytes is how much of a file is read at a time, and so bounds a Piece, but for a long line.
	bufferBytes = 256 << 10
	// retireAfter is how long a file that has no registered name any more, and does not grow, is read on.
	retireAfter = time.Minute
	// maxOpen is how many files one Follower holds open between rounds.
	maxOpen = 4096
)

// Options say what is followed.
type Options struct {
	Catalog    *source.Catalog
	Filter     *source.Filter
	Terminator byte // of lines: '\n' or 0
	MaxLine    int  // bytes; a longer line is given in pieces, each as a line; 0: 1 MiB
	Numbers    bool // fill Piece.Line, for which the files are read once from their start

	// Resume, if set, says of a file that is there at Start where following it begins, which is at the
	// start of a line: somebody has followed it before. Without, and if it is negative, that is where its
	// last whole line ends.
	Resume func(e *source.Entry, at io.ReaderAt, size int64) int64

	// Failed, if set, hears of a file that cannot be followed, or not any further.
	Failed func(e *source.Entry, err error)
}

// Piece is a run of whole lines of one file, or the news that it was cut.
type Piece struct {
	Entry  *source.Entry // as it was when it was found
	Text   []byte        // lines, each with its terminator, which is added where a file has ended without
	Offset int64         // of Text in the file
	End    int64         // where the next Piece of the file begins
	Line   int64         // number of the first line, from 1; 0 unless asked for
	Cut    bool          // no Text: the file was cut, and goes on from its start
}

// Past is what a file held when following began.
type Past struct {
	Entry *source.Entry
	At    io.ReaderAt // the file, open until the Follower is closed
	Size  int64       // where its last whole line ends: following begins there
}

// Follower follows a selection of files. It is for one goroutine.
type Follower struct {
	o      Options
	logs   []*log // in the order in which they were found
	known  map[source.ID]*log
	names  map[string]*log // by real name, as of the last look
	newest map[string]*log // by family: the one that was found last
	other  map[source.ID]*other
	snap   *source.Snapshot
	looks  int
	freed  []*log // what was taken for copies, and is followed since this round began
	open   int
	buf    []byte
	begun  bool

	opening func(*source.Entry) // if set, called before a new file is opened: for tests
}

// New returns a Follower that follows nothing yet.
func New(o Options) *Follower {
	if o.MaxLine <= 0 {
		o.MaxLine = 1 << 20
	}
	if o.Failed == nil {
		o.Failed = func(*source.Entry, error) {}
	}
	return &Follower{o: o, known: map[source.ID]*log{}, newest: map[string]*log{}, other: map[source.ID]*other{}, buf: make([]byte, bufferBytes)}
}

// Start takes the files that the filter admits as they are now, and returns what they hold: all that
// is not in a Past comes as Pieces.
func (f *Follower) Start(ctx context.Context) ([]Past, error) {
	if err := f.Look(ctx); err != nil {
		return nil, err
	}
	var past []Past
	for _, l := range f.logs {
		if l.file != nil {
			past = append(past, Past{l.entry, l.file.Raw(), l.at})
		}
	}
	f.begun = true
	return past, nil
}

// maxRounds is how often one look reads the names anew because a file was renamed under it.
const maxRounds = 20

// Look reads the names again.
func (f *Follower) Look(ctx context.Context) error {
	f.looks++
	var fresh []*source.Entry
	for round := 1; ; round++ {
		snap, err := f.o.Catalog.Again(ctx)
		if err != nil {
			return fmt.Errorf("catalogue: %w", err)
		}
		news := f.compare(snap)
		// Of several that rotation left since the last look, the older ones come first: where one has
		// just been renamed, those that follow it wait until it is found under its new name.
		slices.SortFunc(news, Older)
		renamed := slices.IndexFunc(news, func(e *source.Entry) bool { return !f.found(ctx, e) && round < maxRounds })
		if renamed < 0 {
			fresh = append(fresh, news...)
			break
		}
		fresh = append(fresh, news[:renamed]...)
	}
	for _, e := range fresh {
		if l := f.known[e.ID]; l != nil && l.look == f.looks && l.of == nil && !l.missing {
			f.pair(l)
		}
	}
	return nil
}

// compare takes a snapshot for what is now, and returns the files in it that are new.
func (f *Follower) compare(snap *source.Snapshot) (fresh []*source.Entry) {
	entries, _ := f.o.Catalog.Select(snap, f.o.Filter)
	f.snap = snap
	f.names = make(map[string]*log, len(entries))
	for _, l := range f.known {
		l.missing = true
	}
	others := make(map[source.ID]*other, len(f.other))
	for _, e := range entries {
		l, o := f.known[e.ID], f.other[e.ID]
		if o != nil {
			others[e.ID] = o
		}
		switch {
		case l != nil:
			l.now, l.missing = e, false
			f.names[e.Real()] = l
		case o == nil || !o.same(e):
			fresh = append(fresh, e)
		}
	}
	f.other = others
	return fresh
}

// hold opens a file if it is not open.
func (f *Follower) hold(ctx context.Context, l *log) (err error) {
	if l.file != nil {
		return nil
	}
	if l.file, err = f.o.Catalog.OpenNow(l.now); err != nil && f.begun && source.IsGone(err) && l.at > 0 {
		l.file, err = f.o.Catalog.Open(ctx, l.now)
	}
	if err == nil {
		f.open++
	}
	return err
}

func (f *Follower) release(l *log) {
	if l.file != nil {
		f.open--
	}
	l.close()
}

// Close closes all files.
func (f *Follower) Close() {
	for _, l := range f.known {
		f.release(l)
	}
	f.logs, f.known = nil, map[source.ID]*log{}
}

// Poll gives what was appended to the files of those real names, or with nil to all. The Piece and its
// Text are valid until emit returns; an error of emit ends the round and is returned. Files that could
// not be read are reported to Options.Failed and not followed any more.
func (f *Follower) Poll(ctx context.Context, touched map[string]bool, now time.Time, emit func(*Piece) error) error {
	for logs := f.round(touched); len(logs) > 0; logs = slices.Clone(f.freed) {
		f.freed = nil
		if err := f.poll(ctx, logs, now, emit); err != nil {
			return err
		}
	}
	return nil
}

// poll is a round of the files that are given, in their order.
func (f *Follower) poll(ctx context.Context, logs []*log, now time.Time, emit func(*Piece) error) error {
	// The size of what took a file's name is taken before the file's: whatever was written to the
	// file before is read in this round, and comes first.
	for i, l := range slices.Backward(logs) {
		err := f.hold(ctx, l)
		if err == nil {
			l.to, err = l.size()
		}
		if err != nil {
			f.lose(l, err)
			logs[i] = nil
		}
	}
	for _, l := range logs {
		if l == nil || l.file == nil {
			continue
		}
		if err := f.read(ctx, l, now, emit); err != nil {
			return err
		}
		if l.missing != l.gone {
			l.gone, l.kept = l.missing, now
		}
		switch {
		case l.missing && now.Sub(l.kept) >= retireAfter:
			if err := f.flush(l, emit); err != nil {
				return err
			}
			f.lose(l, nil)
		case f.open > maxOpen && len(l.copies) == 0:
			f.release(l)
		}
	}
	return nil
}

// round are the files of a round, in the order in which they are read.
func (f *Follower) round(touched map[string]bool) []*log {
	if touched == nil {
		return slices.Clone(f.logs)
	}
	wanted := map[*log]bool{}
	for name := range touched {
		l := f.names[name]
		if l != nil && l.of != nil {
			l = l.of
		}
		for ; l != nil && !wanted[l]; l = l.before {
			wanted[l] = true
		}
	}
	var logs []*log
	for _, l := range f.logs {
		if wanted[l] {
			logs = append(logs, l)
		}
	}
	return logs
}

// lose follows a file no more.
func (f *Follower) lose(l *log, err error) {
	copies := l.copies
	l.copies = nil
	f.release(l)
	f.unname(l)
	if err != nil && !source.IsGone(err) {
		f.other[l.entry.ID] = &other{l.now, l.head}
		f.o.Failed(l.entry, err)
	}
	for _, c := range copies {
		at := c.at
		if size, err := c.size(); err == nil && c.held {
			at = size
		}
		f.alone(c, at)
	}
}

// fresh reads what follows. Where little was read, that does not tell whether the file was cut: its copies
// do, which are looked for as long as that may be. Fatal is an error that is not the file's.
func (f *Follower) fresh(ctx context.Context, l *log) (b []byte, err, fatal error) {
	if f.settle(l) {
		return nil, errCut, nil
	}
	if b, err = l.next(f.buf); err != nil || len(b) == 0 || l.at >= overlapBytes {
		return b, err, nil
	}
	if f.o.Catalog.Changed(f.snap) {
		if err := f.Look(ctx); err != nil {
			return nil, nil, err
		}
	}
	if f.settle(l) {
		return nil, errCut, nil
	}
	return b, nil, nil
}

// read gives what a file has up to the size that the round found.
func (f *Follower) read(ctx context.Context, l *log, now time.Time, emit func(*Piece) error) error {
	for {
		fresh, err, fatal := f.fresh(ctx, l)
		switch {
		case fatal != nil:
			return fatal
		case errors.Is(err, errCut):
			l.kept = now
			if err := f.cut(ctx, l, emit); err != nil {
				return err
			}
			if l.to, err = l.size(); err != nil || l.to == 0 {
				return nil // the next round tells
			}
			if l.at, err = firstData(l.file.Raw(), l.to); err != nil {
				return nil
			}
			continue
		case err != nil:
			f.lose(l, err)
			return nil
		case len(fresh) == 0:
			if l.kept.IsZero() {
				l.kept = now
			}
			return nil
		}
		l.kept = now
		if err := f.take(l, fresh, emit); err != nil {
			return err
		}
	}
}

// take gives the whole lines of what was read.
func (f *Follower) take(l *log, fresh []byte, emit func(*Piece) error) error {
	end := bytes.LastIndexByte(fresh, f.o.Terminator) + 1
	offset := l.at - int64(len(l.partial))
	l.passed(fresh)
	if end == 0 {
		l.partial = append(l.partial, fresh...)
		if len(l.partial) >= f.o.MaxLine {
			return f.give(l, offset, emit)
		}
		return nil
	}
	text := fresh[:end]
	if len(l.partial) > 0 {
		text = append(l.partial, text...)
		l.partial = nil
	}
	rest := bytes.Clone(fresh[end:])
	err := f.emit(l, text, offset, int64(len(text)), emit)
	l.partial = rest
	return err
}

// give gives a line that has no end as it is.
func (f *Follower) give(l *log, offset int64, emit func(*Piece) error) error {
	text := append(l.partial, f.o.Terminator)
	l.partial = nil
	return f.emit(l, text, offset, int64(len(text))-1, emit)
}

// emit gives lines, of which size bytes are in the file.
func (f *Follower) emit(l *log, text []byte, offset, size int64, emit func(*Piece) error) error {
	p := Piece{Entry: l.entry, Text: text, Offset: offset, End: offset + size}
	if f.o.Numbers {
		p.Line = l.line
		l.line += int64(bytes.Count(text, []byte{f.o.Terminator}))
	}
	return emit(&p)
}

// flush gives a line whose end will not come.
func (f *Follower) flush(l *log, emit func(*Piece) error) error {
	if len(l.partial) == 0 {
		return nil
	}
	return f.give(l, l.at-int64(len(l.partial)), emit)
}
