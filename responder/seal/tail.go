package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// pieceBytes is how much is read at once.
	pieceBytes = 64 << 10
	// maxLine is how long a line may be in a sealed block. A log with a longer one is sealed up to that.
	maxLine = maxBlock / 2
	// ahead is how far the times of a log may be ahead of now and still be believed.
	ahead = 24 * time.Hour
	// copying is how long a copy may be in the making before it is worth a word.
	copying = 10 * time.Minute
)

// turnBytes is how much of a file a Turn looks at. Tests make it small.
var turnBytes int64 = 64 << 20

// stretch is lines of a file, next to one another, that are of one window.
type stretch struct {
	window   int64
	from, to int64
	lines    int64
}

// tail is what is known of a file behind what is sealed of it.
type tail struct {
	c         Candidate
	born      int64
	form      uint64
	id        ID
	log       *Log // nil: nothing of it is sealed
	line      int64
	last      int64 // the last time before what is not sealed
	lastKnown bool

	seen      int64 // up to where it was looked at
	head      uint64
	headBytes int
	stretches []stretch // between what is sealed and seen
	window    int64     // of what was seen last
	decided   bool      // window follows from the time of a line, or of a former block
	timed     bool      // a line had a time
	skip      int64     // size up to which it need not be looked at
	foreign   bool      // it is nothing that is sealed
	stuck     bool      // before a line that is too long
	whole     bool      // all that can be sealed was looked at
}

func (t *tail) key() [2]uint64 { return [2]uint64{t.c.Dev, t.c.Ino} }

// known says whether the file can be told from others that begin alike: lines with times are never the same
// again, and a copy that is being made grows.
func (t *tail) known(now time.Time) bool {
	return t.log != nil || t.seen >= printBytes || t.timed && now.Sub(t.c.ModTime) >= grace
}

// advance moves the hand-over.
func (t *tail) advance(p *taken, s *Store) {
	st := &t.stretches[0]
	st.from, st.lines = p.run.To, st.lines-p.run.Lines
	if st.from == st.to {
		t.stretches = t.stretches[1:]
	}
	t.line += p.run.Lines
	t.last, t.lastKnown = p.last, p.lastKnown
	s.mu.Lock()
	defer s.mu.Unlock()
	t.log = s.logs[t.id]
}

// look finds out which log a file is, and what of it can be sealed. left says that there is more of it than a
// Turn looks at.
func (z *Sealer) look(ctx context.Context, c Candidate) (_ *tail, left bool, err error) {
	k := [2]uint64{c.Dev, c.Ino}
	t := z.tails[k] // nil: not seen yet
	if t != nil && t.skip >= c.Size && c.Size >= t.seen && c.ModTime.Equal(t.c.ModTime) {
		return t, false, nil
	}
	o, err := z.o.Open(ctx, c)
	if err != nil {
		if errors.Is(err, ErrNotSealed) {
			z.tails[k] = &tail{c: c, skip: c.Size, foreign: true}
		}
		return nil, false, err
	}
	defer o.Close()
	if o.Dev != c.Dev || o.Ino != c.Ino {
		return nil, false, errCut // the next look finds it
	}
	if t != nil {
		t.c = c
		if t.foreign || t.form != o.Form || z.holds(t, &o) != nil {
			t = nil
		}
	}
	if t == nil {
		delete(z.tails, k)
		if t, err = z.begin(ctx, c, &o); err != nil {
			return nil, false, err
		}
		z.tails[k] = t
	}
	if err := z.survey(ctx, t, &o); err != nil {
		return nil, false, err
	}
	if t.log == nil && z.begun(ctx, t, &o) {
		delete(z.tails, k)
		return nil, false, fmt.Errorf("%w does", errAlike)
	}
	return t, t.skip == 0, nil
}

// begun says whether another file of which nothing is sealed begins as this one does, and goes on so: either may be a copy in
// the making of the other. If their names do not agree, they have to have 4 KiB in common.
func (z *Sealer) begun(ctx context.Context, t *tail, o *Opened) bool {
	for _, other := range z.tails {
		n := min(t.headBytes, other.headBytes)
		if other == t || other.log != nil || n == 0 || other.c.Family != t.c.Family && (n < printBytes || other.head != t.head) {
			continue
		}
		head, err := sumAt(o.At, 0, n)
		if err == nil && n == other.headBytes && head != other.head {
			continue
		}
		alike, openErr := z.o.Open(ctx, other.c)
		if openErr != nil {
			return true // for all we know
		}
		theirs, otherErr := sumAt(alike.At, 0, n)
		same := err != nil || otherErr != nil || head == theirs && !differ(o.At, alike.At, 0, min(o.Size, alike.Size))
		alike.Close()
		if same {
			return true
		}
	}
	return false
}

// errAlike is why a file is not sealed that may be a copy in the making.
var errAlike = fmt.Errorf("%w: as far as it goes, it holds what another log", ErrNotSealed)

// tellAlike logs, once for each file, that it is taken for a copy, and for longer than it takes to make one.
func (z *Sealer) tellAlike(c Candidate, err error) {
	k := [2]uint64{c.Dev, c.Ino}
	switch since, ok := z.alike[k]; {
	case !ok:
		z.alike[k] = z.o.Now()
	case !since.IsZero() && z.o.Now().Sub(since) >= copying:
		z.alike[k] = time.Time{}
		z.s.log.Info("a log is taken for a copy of another one", "path", c.Path, "err", err)
	}
}

// differ says whether two logs that begin alike go on with other lines: then neither is a copy of the other, not even one in
// the making. It looks at the last 4 KiB that both have, of what stands between from and to. A file that has its size before
// its bytes, as some copies do, says nothing.
func differ(a, b io.ReaderAt, from, to int64) bool {
	n := int(min(to-from, printBytes))
	if n <= 0 {
		return false
	}
	var text [2][]byte
	for i, at := range []io.ReaderAt{a, b} {
		text[i] = make([]byte, n)
		if got, _ := at.ReadAt(text[i], to-int64(n)); got < n || bytes.IndexByte(text[i], 0) >= 0 {
			return false
		}
	}
	return !bytes.Equal(text[0], text[1])
}

// holds says whether a file is still what its tail tells.
func (z *Sealer) holds(t *tail, o *Opened) error {
	ok, err := o.Size >= t.seen && o.Dev == t.c.Dev && o.Ino == t.c.Ino && (o.Born == t.born || o.Born == 0 || t.born == 0), error(nil)
	if ok && t.log != nil {
		ok, err = t.log.isIn(o.At, o.Size)
	}
	if ok && err == nil && t.headBytes > 0 {
		var head uint64
		head, err = sumAt(o.At, 0, t.headBytes)
		ok = head == t.head
	}
	if !ok || err != nil {
		return errors.Join(errCut, err)
	}
	return nil
}

// begin finds the log that a file is, or makes it a new one.
func (z *Sealer) begin(ctx context.Context, c Candidate, o *Opened) (*tail, error) {
	l, err := z.logOf(ctx, c, o)
	if err != nil {
		return nil, err
	}
	t := &tail{c: c, born: o.Born, form: o.Form, id: newID()}
	if l == nil {
		return t, nil
	}
	t.log, t.id = l, l.ID
	p := l.last()
	t.seen, t.line = l.End()
	t.last, t.lastKnown = p.Last, p.LastKnown
	t.window, t.decided = p.block.Window, true
	if p.block.Span != int64(z.o.Window) { // the windows have another length now
		t.window = floor(p.block.Window, int64(z.o.Window))
	}
	return t, nil
}

// logOf finds the log that a file is; nil: a new one. It fails if the file may be a copy in the making of one
// that is there.
func (z *Sealer) logOf(ctx context.Context, c Candidate, o *Opened) (*Log, error) {
	v := z.s.View()
	defer v.Close()
	var alike []*Log
	heads := map[int]uint64{} // of the file, by length
	for _, l := range v.Logs() {
		p := l.last()
		if p.Identity.same(&o.Identity) {
			if ok, err := l.isIn(o.At, o.Size); ok || err != nil {
				return l, err
			}
		}
		if o.Size < int64(p.HeadBytes) || !kin(l, c.Path, z.o.Family) {
			continue
		}
		head, ok := heads[p.HeadBytes]
		if !ok {
			var err error
			if head, err = sumAt(o.At, 0, p.HeadBytes); err != nil {
				return nil, err
			}
			heads[p.HeadBytes] = head
		}
		if head == p.Head {
			alike = append(alike, l)
		}
	}
	var goesOn *Log
	for _, l := range alike {
		ok, err := l.isIn(o.At, o.Size)
		if !ok && err == nil && v.goesOnOtherwise(l, o) {
			continue
		}
		if !ok || err != nil || z.lives(ctx, l) {
			return nil, fmt.Errorf("%w, %s, does", errAlike, l.Path())
		}
		goesOn = l
	}
	return goesOn, nil
}

// goesOnOtherwise says whether a file that begins as a Log does goes on with other lines than that, as far as its blocks tell.
func (v *View) goesOnOtherwise(l *Log, o *Opened) bool {
	text := v.Text(l, nil, 0)
	defer text.Close()
	from, _ := text.Start()
	end, _ := l.End()
	return differ(o.At, logText{text}, from, min(o.Size, end))
}

// logText is a Text that is read by the offsets of its Log.
type logText struct{ *Text }

// ReadAt reads as io.ReaderAt does.
func (t logText) ReadAt(p []byte, off int64) (int, error) {
	from, _ := t.Start()
	return t.Text.ReadAt(p, off-from)
}

// lives says whether a file of the Log's own inode is there.
func (z *Sealer) lives(ctx context.Context, l *Log) bool {
	p := l.last()
	for _, c := range z.files {
		if c.Dev != p.Dev || c.Ino != p.Ino {
			continue
		}
		o, err := z.o.Open(ctx, c)
		if err != nil {
			return true // for all we know
		}
		ok, err := l.isIn(o.At, o.Size)
		ok = ok && o.Identity.same(&p.Identity)
		o.Close()
		return ok || err != nil
	}
	return false
}

// survey looks at lines that were not seen yet.
func (z *Sealer) survey(ctx context.Context, t *tail, o *Opened) error {
	end := min(o.Size, t.seen+turnBytes)
	buf := make([]byte, pieceBytes)
	t.skip, t.whole = 0, o.Size <= end
	for t.seen < end && !t.stuck {
		piece := buf[:min(int64(len(buf)), o.Size-t.seen)]
		if n, err := o.At.ReadAt(piece, t.seen); n < len(piece) {
			if err == nil || errors.Is(err, io.EOF) {
				err = errCut
			}
			return err
		}
		whole := bytes.LastIndexByte(piece, '\n') + 1
		if whole == 0 {
			if int64(len(piece)) == o.Size-t.seen { // the line is not written to its end
				t.whole = true
				break
			}
			if len(buf) >= maxLine {
				z.s.log.Warn("a log is sealed only up to a line that is too long", "path", t.c.Path, "offset", t.seen, "most", maxLine)
				t.stuck, t.whole = true, true
				break
			}
			buf = make([]byte, 2*len(buf))
			continue
		}
		z.lines(t, o, piece[:whole])
		if err := z.o.Worked(ctx); err != nil {
			return err
		}
	}
	z.forgo(t)
	if t.whole = t.whole || t.seen == o.Size; t.whole {
		t.skip = o.Size
	}
	return z.print(t, o)
}

// print takes the fingerprint of a file of which nothing is sealed.
func (z *Sealer) print(t *tail, o *Opened) (err error) {
	t.headBytes = int(min(t.seen, printBytes))
	t.head, err = sumAt(o.At, 0, t.headBytes)
	return err
}

// forgo leaves alone what retention would drop at once.
func (z *Sealer) forgo(t *tail) {
	oldest := z.o.Now().Add(-z.o.Age).UnixNano()
	for z.o.Age > 0 && t.log == nil && len(t.stretches) > 0 && t.stretches[0].window+int64(z.o.Window) < oldest {
		t.line += t.stretches[0].lines
		t.last, t.lastKnown = 0, false
		t.stretches = t.stretches[1:]
	}
}

// lines enters lines into the stretches.
func (z *Sealer) lines(t *tail, o *Opened, text []byte) {
	now, length := z.o.Now(), int64(z.o.Window)
	arrival := floor(min(now.UnixNano(), o.ModTime.UnixNano()), length)
	if o.Clock == nil && (!t.decided || arrival > t.window) {
		t.window, t.decided = arrival, true
	}
	for len(text) > 0 {
		n := bytes.IndexByte(text, '\n') + 1
		if o.Clock != nil {
			z.date(t, o, text[:n-1], now.Add(ahead).UnixNano())
		}
		w := t.window
		if !t.decided {
			w = arrival
		}
		if k := len(t.stretches) - 1; k < 0 || t.stretches[k].window != w {
			t.stretches = append(t.stretches, stretch{window: w, from: t.seen, to: t.seen})
		}
		st := &t.stretches[len(t.stretches)-1]
		st.to += int64(n)
		st.lines++
		t.seen += int64(n)
		text = text[n:]
	}
}

// date moves the window on if the line's time is in a later one. Lines above the first time are of its window.
func (z *Sealer) date(t *tail, o *Opened, line []byte, most int64) {
	ns, ok := o.Clock(line)
	if !ok {
		return
	}
	t.timed = true
	w := floor(ns, int64(z.o.Window))
	if t.decided && w <= t.window || ns > most {
		return
	}
	if !t.decided {
		for i := range t.stretches {
			t.stretches[i].window = w
		}
		if n := len(t.stretches); n > 1 {
			st := t.stretches[0]
			st.to = t.stretches[n-1].to
			for _, more := range t.stretches[1:] {
				st.lines += more.lines
			}
			t.stretches = []stretch{st}
		}
	}
	t.window, t.decided = w, true
}

func floor(ns, length int64) int64 {
	f := ns - ns%length
	if ns%length < 0 {
		f -= length
	}
	return f
}
