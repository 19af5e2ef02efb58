package clock

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"os"
	"time"

	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/timestamp"
)

const (
	// fullBytes is how much of a file whose order is not proven is read in full rather than taken for
	// sorted: that costs some 10 ms, if it is in the page cache.
	fullBytes = 64 << 20
	// cachePieces is how many pieces of outlines a Cache keeps, at 40 bytes each. With more, the outlines
	// become coarser, down to so many pieces.
	cachePieces  = 256 << 10
	coarsePieces = 64
	// printEnds is how many places of a file tell whether what its outline is of is still there, of
	// endBytes each.
	printEnds = 8
	endBytes  = 512
)

// outlined is the outline of a file, and what tells whether the file is still what it is of.
type outlined struct {
	*scan.Outline
	form    uint64 // the Sum of the form that its times were read by
	size    int64  // of the file when it was last held against it
	modTime time.Time
	ends    []end
}

// end is the hash of the bytes before an offset.
type end struct {
	at  int64
	sum uint64
}

func (k *known) pieces() int {
	if k.outline == nil {
		return 0
	}
	return len(k.outline.Pieces)
}

// outline returns what is proven of a file's times, nil if that is nothing: the file has the same head (of
// which its form is known), and was not written since but for its growth. What this does not see is
// lines that were overwritten in place between the ends that are compared, before others were added.
func (c *Cache) outline(at io.ReaderAt, size int64, modTime time.Time, id ID, form *timestamp.Form) (*scan.Outline, error) {
	k := c.get(id)
	if k == nil || k.outline == nil {
		return nil, nil
	}
	o := k.outline
	if least, greatest := o.Bounds(); o.form != form.Sum() || size < o.End || size < o.size || !form.Reads(least, greatest) {
		return nil, nil
	}
	switch {
	case size == o.size && modTime.Equal(o.modTime):
		return o.Outline, nil
	case size == o.size: // rewritten in place, or a line is just being appended
		return nil, nil
	}
	for _, e := range o.ends {
		if now, err := c.endAt(at, e.at); err != nil || now.sum != e.sum {
			return nil, err
		}
	}
	c.keepOutline(id, &outlined{Outline: o.Outline, form: o.form, size: size, modTime: modTime, ends: o.ends})
	return o.Outline, nil
}

func (c *Cache) endAt(at io.ReaderAt, off int64) (end, error) {
	b := make([]byte, min(endBytes, off))
	err := readAt(at, b, off-int64(len(b)))
	return end{off, maphash.Bytes(c.seed, b)}, err
}

// learn keeps an outline of a file that was in that state, and known as k, before it was read, and still is but for
// its growth: one that was cut meanwhile and has grown beyond size has another head.
func (c *Cache) learn(at io.ReaderAt, size int64, modTime time.Time, id ID, k *known, o *scan.Outline) error {
	if k == nil || o.End == 0 {
		return nil
	}
	n := &outlined{Outline: o, form: k.form.Sum(), size: size, modTime: modTime}
	for i := range printEnds {
		off := o.End
		if i > 0 {
			off = o.Pieces[i*len(o.Pieces)/printEnds].From
		}
		e, err := c.endAt(at, off)
		if err != nil {
			return err
		}
		n.ends = append(n.ends, e)
	}
	head := make([]byte, k.printed) // after the ends: they are of the same file
	if err := readAt(at, head, 0); err != nil {
		return err
	}
	if c.print(head) != k.print {
		return scan.ErrShrank
	}
	c.keepOutline(id, n)
	return nil
}

// knownBy is what a file is known as, if its times are read by that form.
func (c *Cache) knownBy(id ID, form *timestamp.Form) *known {
	if k := c.get(id); k != nil && k.form != nil && k.form.Sum() == form.Sum() {
		return k
	}
	return nil
}

// keepOutline remembers an outline, and makes those of others coarser if they take too much room.
func (c *Cache) keepOutline(id ID, o *outlined) {
	k := c.get(id)
	if k == nil {
		return
	}
	with := *k
	with.outline = o
	c.keep(id, &with)
	c.mu.Lock()
	defer c.mu.Unlock()
	for other, k := range c.known {
		if c.pieces <= cachePieces {
			return
		}
		if n := k.pieces(); n > coarsePieces && other != id {
			coarse := *k.outline
			coarse.Outline = coarse.Coarse()
			with := *k
			with.outline = &coarse
			c.known[other] = &with
			c.pieces += with.pieces() - n
		}
	}
}

// Prove reads on in a file of lines until the times of all are known, and remembers them: from then on a
// search reads what can be in its range, whatever the order. It calls pace, if that is set, now and then;
// an error from it ends the reading.
func (c *Cache) Prove(ctx context.Context, f *os.File, about File, pace func() error) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size, modTime := info.Size(), info.ModTime()
	about.ModTime = modTime
	form, err := c.find(f, size, &about, '\n')
	if err != nil || form == nil || about.ID == (ID{}) {
		return err
	}
	k, o := c.knownBy(about.ID, form), &scan.Outline{}
	switch was, err := c.outline(f, size, modTime, about.ID, form); {
	case err != nil:
		return err
	case was != nil && was.End >= size:
		return nil
	case was != nil:
		o = was.Clone()
	}
	if err := o.Extend(ctx, f, size, form.NewReader(), '\n', pace); err != nil {
		return err
	}
	if info, err = f.Stat(); err != nil || info.Size() < size || info.Size() == size && !info.ModTime().Equal(modTime) {
		return errors.Join(err, scan.ErrShrank) // or written anew
	}
	return c.learn(f, size, modTime, about.ID, k, o)
}

// narrow cuts a file to the part in which lines of the range can be: to the pieces of its outline where that
// is known, else to what samples leave if they are in order and the file is large. Where a file is Dated,
// more is known than either.
func (s *Search) narrow(i int, f *scan.File, at io.ReaderAt, form *timestamp.Form, about *File) error {
	if s.exhaustive {
		return nil
	}
	modTime, err := modTimeOf(f, about)
	if err != nil {
		return err
	}
	var o *scan.Outline
	if s.terminator == '\n' {
		if o, err = s.cache.outline(at, f.Size, modTime, about.ID, form); err != nil {
			return err
		}
		s.teach(i, f, about, form, modTime, o)
	}
	ends := int64(0)
	if o != nil {
		ends = o.End
	}
	if !s.timed || f.Dated || f.PriorKnown || f.Size < minSearched {
		return nil
	}
	if s.terminator == '\n' && f.Size-ends > pieceLate {
		s.unproven[i].Store(true)
	}
	switch {
	case f.Size-ends > s.cache.full:
		return s.sampled(f, at, form, about)
	case o == nil || o.NUL: // what is left out could say that the file is binary
		return nil
	}
	ranges := o.Within(s.o.Since, s.o.Until, f.Size)
	if f.Ranges != nil {
		ranges = scan.Both(f.Ranges, ranges)
	}
	f.Ranges, f.Dated = scan.UpToTail(ranges, f.Size), true
	return nil
}

// pieceLate is how much may stand behind an outline before it is worth while to extend it.
const pieceLate = 1 << 20

// teach has what a search finds out of a file's times remembered, and gives it what is known.
func (s *Search) teach(i int, f *scan.File, about *File, form *timestamp.Form, modTime time.Time, o *scan.Outline) {
	f.Outline = o
	at, size, id, k := f.At, f.Size, about.ID, s.cache.knownBy(about.ID, form)
	f.Outlined = func(o *scan.Outline) {
		if err := s.cache.learn(at, size, modTime, id, k, o); err == nil {
			s.unproven[i].Store(false)
		}
	}
}

// modTimeOf is when the file was written, as of now.
func modTimeOf(f *scan.File, about *File) (time.Time, error) {
	if f.Raw == nil {
		return about.ModTime, nil
	}
	info, err := f.Raw.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
