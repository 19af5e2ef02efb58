package follow

import (
	"cmp"
	"context"
	"slices"

	"github.com/trawl-logs/trawl/responder/source"
)

// A file that is cut is copied before (logrotate's copytruncate), to a name that rotation gives: what has
// such a name beside a file that has kept its own, and came later, is taken for a copy. It is open, and
// not followed, for as long as the file has what it has; when the file has not, it was cut, and what was
// not read of it is in the copy. Several cuts that no round has seen leave a copy each.

// pair makes a new file a copy, if it is called like one and the file of which it is one was known before.
// Of two that are found at once one may be the older log, renamed, unless it has nothing of its own.
func (f *Follower) pair(l *log) {
	for _, name := range slices.Backward(source.RotatedOf(l.now.Real())) {
		o := f.names[name]
		if o == nil || o == l || o.of != nil || o.missing || o.now.Real() != o.entry.Real() || o.file == nil {
			continue
		}
		held, size := o.holds(l)
		if l.look == o.look && !held {
			continue
		}
		f.part(l)
		l.of, l.held = o, held && size > 0
		o.copies = append(o.copies, l)
		return
	}
}

// alone follows a copy as a file of its own, from at on.
func (f *Follower) alone(c *log, at int64) {
	size, err := c.size()
	c.of = nil
	if err == nil && c.missing && at >= size {
		f.lose(c, nil)
		return
	}
	if err == nil {
		err = c.start(at, size, f.o.Terminator, f.o.Numbers, make([]byte, countBytes))
	}
	f.join(c)
	if err != nil {
		f.lose(c, err)
		return
	}
	c.head = c.head[:min(int64(len(c.head)), c.at)]
	f.freed = append(f.freed, c)
}

// settle looks at what may be copies of a file, and says whether that was cut since one was made.
func (f *Follower) settle(l *log) (cut bool) {
	held := 0
	for _, c := range slices.Backward(slices.Clone(l.copies)) {
		has, size := l.holds(c)
		switch {
		case has:
			c.held = size > 0
			if c.held && (held == maxCopies || c.missing) {
				f.free(l, c, size)
			} else if c.held {
				held++
			}
		case c.held || !l.intact() || l.continues(c):
			return true
		default:
			f.free(l, c, c.at) // it is another log
		}
	}
	return false
}

// free makes a copy of l a file of its own.
func (f *Follower) free(l, c *log, at int64) {
	l.copies = slices.DeleteFunc(l.copies, func(o *log) bool { return o == c })
	f.alone(c, at)
}

// cut goes on with a file that was cut: what was not read of it is in the copies that were made before.
func (f *Follower) cut(ctx context.Context, l *log, emit func(*Piece) error) error {
	if err := f.Look(ctx); err != nil {
		return err
	}
	copies := l.copies
	l.copies = nil
	slices.SortStableFunc(copies, func(a, b *log) int { return Older(a.now, b.now) })
	for i, c := range copies {
		has, size := l.holds(c)
		switch {
		case has: // of what there is now
			c.held = size > 0
			l.copies = append(l.copies, c)
			continue
		case l.continues(c):
		case size < l.at && l.begins(c): // of what was read
			f.alone(c, size)
			continue
		default: // it was filled, copied and cut once more
			if err := f.restart(l, emit); err != nil {
				l.copies = append(l.copies, copies[i:]...)
				return err
			}
		}
		if err := f.drain(l, c, size, emit); err != nil {
			l.copies = append(l.copies, copies[i:]...)
			return err
		}
		f.alone(c, size)
	}
	return f.restart(l, emit)
}

// restart tells that a file was cut, of which all that there was has been given.
func (f *Follower) restart(l *log, emit func(*Piece) error) error {
	if err := f.flush(l, emit); err != nil {
		return err
	}
	l.restart()
	return emit(&Piece{Entry: l.entry, Cut: true})
}

// drain gives what a copy has behind the place up to which l was read.
func (f *Follower) drain(l, c *log, size int64, emit func(*Piece) error) error {
	rest := &log{entry: l.entry, file: c.file, at: l.at, to: size, partial: l.partial, line: l.line, overlap: l.overlap, head: l.head}
	defer func() {
		l.at, l.partial, l.line, l.overlap, l.head = rest.at, rest.partial, rest.line, rest.overlap, rest.head
	}()
	if rest.at == 0 {
		if at, err := firstData(c.file.Raw(), size); err == nil {
			rest.at = at
		}
	}
	for {
		fresh, err := rest.next(f.buf)
		if err != nil || len(fresh) == 0 {
			return nil // a copy that is cut itself has no more
		}
		if err := f.take(rest, fresh, emit); err != nil {
			return err
		}
	}
}

// Older orders files that rotation left: by when they were written last, then by their names, of which those
// with numbers count down and those with dates up.
func Older(a, b *source.Entry) int {
	by := source.CompareNatural(b.Path, a.Path)
	if dated(a.Path) && dated(b.Path) {
		by = -by
	}
	return cmp.Or(a.ModTime.Compare(b.ModTime), by)
}

// dated says whether rotation has put a date into a name, rather than a number of up to four digits.
func dated(name string) bool {
	name, _ = source.PackedFrom(name)
	names := source.RotatedOf(name)
	return len(names) > 0 && len(name)-len(names[len(names)-1]) >= len("-20260131")
}
