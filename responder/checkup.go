package responder

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/feed"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/responder/timestamp"
	"github.com/trawl-logs/trawl/schemas"
)

const (
	// checkupTime bounds a checkup; what it did not come to is counted as not tried.
	checkupTime = 10 * time.Second
	// checkupFiles is how many files of a source are looked into, the newest first.
	checkupFiles = 200
	// checkupWindow is how much is read in one place of a file, and checkupPlaces how many there are.
	checkupWindow = 64 << 10
	checkupPlaces = 12
	// disorder is how far a time may be behind one above it in a file that is called sorted: as much as
	// package clock puts up with.
	disorder = 15 * time.Minute
)

// Checkup looks at what the node can read: it opens the files of each source and reads some of them.
// The fields of the bus are left empty.
func (r *Responder) Checkup(ctx context.Context) *schemas.Checkup {
	ctx, stop := context.WithTimeout(ctx, checkupTime)
	defer stop()
	now := time.Now()
	c := &schemas.Checkup{Name: r.config.Node, User: whoami(), Zone: now.Format("MST -07:00"), Store: r.storeTrouble()}
	snap, err := r.catalog.Refresh(ctx)
	if err != nil {
		c.Problems = append(c.Problems, schemas.FileError{Err: fmt.Sprintf("catalogue: %v", err)})
		return c
	}
	for _, p := range slices.Concat(snap.Failed, snap.Refused) {
		c.Problems = append(c.Problems, schemas.FileError{File: p.Path, Err: p.Err.Error()})
	}
	bySource := make([][]*source.Entry, len(r.config.Sources))
	for _, e := range snap.Files {
		bySource[e.Source()] = append(bySource[e.Source()], e)
	}
	p := &plan{archives: newArchives(&r.config.Limits), feeds: r.feeds}
	for i := range r.config.Sources {
		if s := &r.config.Sources[i]; s.Kind != kindJournal {
			c.Sources = append(c.Sources, r.checkFiles(ctx, p, s, bySource[i]))
		}
	}
	for _, e := range r.feeds.journals {
		c.Sources = append(c.Sources, p.checkJournal(ctx, e))
	}
	return c
}

// whoami is as whom the process reads.
func whoami() string {
	u, err := user.Current()
	if err != nil {
		return fmt.Sprintf("uid %d", os.Geteuid())
	}
	return fmt.Sprintf("%s (uid %s)", u.Username, u.Uid)
}

func (r *Responder) checkFiles(ctx context.Context, p *plan, s *SourceConfig, files []*source.Entry) schemas.SourceCheckup {
	c := schemas.SourceCheckup{Service: s.Service, Logs: strings.Join(s.Logs, " "), Files: int64(len(files))}
	for _, e := range files {
		c.Bytes += e.Size
	}
	newest := slices.Clone(files)
	slices.SortStableFunc(newest, func(a, b *source.Entry) int { return b.ModTime.Compare(a.ModTime) })
	var details []schemas.FileCheckup
	for _, e := range newest[:min(len(newest), checkupFiles)] {
		if ctx.Err() != nil {
			break
		}
		f := r.checkFile(ctx, p, e)
		c.Opened++
		switch {
		case f.Err != "":
			c.Unreadable++
		case f.Form == "" && f.Size > 0:
			c.Timeless++
		case f.Order == schemas.OrderUnsorted:
			c.Unsorted++
		}
		details = append(details, f)
	}
	slices.SortStableFunc(details, func(a, b schemas.FileCheckup) int { return cmp.Compare(rank(&a), rank(&b)) })
	c.Details = details[:min(len(details), schemas.MaxSourceFiles)]
	return c
}

// rank puts what is wrong first.
func rank(f *schemas.FileCheckup) int {
	switch {
	case f.Err != "":
		return 0
	case f.Form == "" && f.Size > 0:
		return 1
	}
	return 2
}

// checkFile reads some of a file. A panic is that file's error.
func (r *Responder) checkFile(ctx context.Context, p *plan, e *source.Entry) (c schemas.FileCheckup) {
	c = schemas.FileCheckup{Path: e.Path, Size: e.Size, ModTime: e.ModTime.UnixNano(), First: scan.NoTime, Last: scan.NoTime}
	defer func() {
		if v := recover(); v != nil {
			c.Err = fmt.Sprintf("internal error: %v", v)
		}
	}()
	if err := r.look(ctx, p, e, &c); err != nil {
		c.Err = err.Error()
	}
	return c
}

func (r *Responder) look(ctx context.Context, p *plan, e *source.Entry, c *schemas.FileCheckup) error {
	open, err := r.catalog.Open(ctx, e)
	if err != nil {
		return err
	}
	defer open.Close()
	head := make([]byte, archive.HeadSize)
	n, err := open.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	f := scan.File{At: open, Size: open.Size()}
	if kind := archive.Detect(head[:n]); kind != archive.Plain {
		content := archive.Open(open, open.Size(), kind, p.archives.limits, p.archives.gate)
		defer content.Close()
		f = scan.File{Stream: content}
	}
	f = p.feeds.unwrapped(f, e)
	times := timesSeen{c: c}
	defer times.finish()
	if f.At != nil {
		return r.checkText(&times, &f, e)
	}
	if err := r.checkStream(&times, &f, e); err != nil || f.Origin == nil || archive.Detect(head[:n]) != archive.Plain {
		return err
	}
	return p.checkEnd(&times, open, e)
}

// checkEnd reads the end of a wrapped file. The first line of what it reads may be cut, and has no time.
func (p *plan) checkEnd(t *timesSeen, open *source.File, e *source.Entry) error {
	from := max(0, open.Size()-checkupWindow)
	f := p.feeds.unwrapped(scan.File{Stream: io.NewSectionReader(open, from, open.Size()-from)}, e)
	n, err := io.Copy(io.Discard, f.Stream)
	if err != nil && !errors.Is(err, feed.ErrFormat) || n == 0 {
		return err
	}
	if ns, _, _, ok := f.Origin.Line(n - 1); ok && ns != scan.NoTime {
		t.see(ns)
	}
	return nil
}

// timesSeen takes note of times in the order in which they lie in a file.
type timesSeen struct {
	c     *schemas.FileCheckup
	late  time.Duration // the farthest that one was behind the latest before
	most  int64
	count int
}

func (t *timesSeen) see(ns int64) {
	if t.count == 0 {
		t.c.First, t.most = ns, ns
	}
	t.count++
	t.late = max(t.late, time.Duration(t.most-ns))
	t.most = max(t.most, ns)
	t.c.Last = ns
}

func (t *timesSeen) finish() {
	switch {
	case t.late > disorder:
		t.c.Order = schemas.OrderUnsorted
	case t.count > 1:
		t.c.Order = schemas.OrderSorted
	}
}

func (t *timesSeen) lines(form *timestamp.Form, text []byte) {
	for line := range bytes.Lines(text) {
		if ns, ok := form.Time(line[:min(len(line), scan.HeadBytes)]); ok {
			t.see(ns)
		}
	}
}

// checkText reads the start and the end of a file, and some places between.
func (r *Responder) checkText(t *timesSeen, f *scan.File, e *source.Entry) error {
	window := func(off int64) ([]byte, error) {
		b := make([]byte, min(checkupWindow, f.Size-off))
		n, err := f.At.ReadAt(b, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if b = b[:n]; off > 0 { // its first line is cut
			b = b[bytes.IndexByte(b, '\n')+1:]
		}
		return b, nil
	}
	head, err := window(0)
	if err != nil {
		return err
	}
	end := max(0, f.Size-checkupWindow)
	tail, err := window(end)
	if err != nil {
		return err
	}
	form := r.formOf(t.c, e, head, tail)
	if form == nil {
		return nil
	}
	t.lines(form, head)
	if f.Size <= checkupWindow {
		return nil
	}
	for i := int64(1); i <= checkupPlaces; i++ {
		if off := f.Size / (checkupPlaces + 1) * i; off >= checkupWindow && off+checkupWindow <= end {
			text, err := window(off)
			if err != nil {
				return err
			}
			t.lines(form, text)
		}
	}
	t.lines(form, tail)
	return nil
}

// checkStream reads the start of what is compressed or wrapped; the last time is known only of what
// ends there.
func (r *Responder) checkStream(t *timesSeen, f *scan.File, e *source.Entry) error {
	text := make([]byte, 4*checkupWindow)
	n, err := io.ReadFull(f.Stream, text)
	text = text[:n]
	whole := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if whole {
		err = nil
	}
	if f.Origin != nil {
		at := int64(0)
		for line := range bytes.Lines(text) {
			if ns, _, _, ok := f.Origin.Line(at); ok && ns != scan.NoTime {
				t.see(ns)
			}
			at += int64(len(line))
		}
		if t.count > 0 {
			t.c.Form, t.c.Sample = "the wrapper's", time.Unix(0, t.c.First).UTC().Format(time.RFC3339Nano)
		}
	} else if form := r.formOf(t.c, e, text, nil); form != nil {
		t.lines(form, text)
	}
	if !whole {
		t.c.Last = scan.NoTime
	}
	return err
}

// formOf finds the form of a file's times.
func (r *Responder) formOf(c *schemas.FileCheckup, e *source.Entry, head, tail []byte) *timestamp.Form {
	about := r.times[e.Source()]
	o := timestamp.Options{Zone: about.Zone, ModTime: e.ModTime, Tail: tail, Form: about.Form}
	form, ok := timestamp.Detect(head, o)
	if !ok && len(tail) > 0 {
		form, ok = timestamp.Detect(tail, o)
	}
	if !ok {
		return nil
	}
	c.Form, c.Sample = form.Name(), form.Sample()
	return form
}

// checkJournal looks for the first and the last entry.
func (p *plan) checkJournal(ctx context.Context, e *source.Entry) schemas.SourceCheckup {
	c := schemas.SourceCheckup{Service: e.Service, Logs: e.Path, Files: 1, Opened: 1}
	f := schemas.FileCheckup{Path: e.Path, Form: "the journal's", First: scan.NoTime, Last: scan.NoTime}
	j := p.feeds.openers[e]
	err := func() error {
		lines, closer, err := j.Open(ctx, 0, 0)
		if err != nil {
			return err
		}
		defer closer.Close()
		n, err := lines.Read(make([]byte, 1))
		if errors.Is(err, io.EOF) {
			err = nil
		}
		if n > 0 {
			f.First, _, _, _ = lines.Line(0)
			f.Order = schemas.OrderSorted
			f.Sample = time.Unix(0, f.First).UTC().Format(time.RFC3339Nano)
		}
		if err == nil {
			f.Last, err = j.Newest(ctx)
		}
		return err
	}()
	if err != nil {
		f.Err, c.Unreadable = err.Error(), 1
	}
	c.Details = []schemas.FileCheckup{f}
	return c
}

// The two packages agree on what is no time.
var _ = [1]struct{}{}[feed.NoTime-scan.NoTime]
