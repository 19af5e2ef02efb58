package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	// historyKept is how much of the content before what was read last a Content keeps, so that to look back
	// a little costs nothing, and mostKept what that may grow to where it did not do.
	historyKept = 128 << 10
	mostKept    = 8 << 20
	// lead is how far before what is asked for decompression begins, if it has to begin anew.
	lead = 4 << 10
	// skipStep is how much is skipped at once.
	skipStep = 64 << 10
)

// Content reads an archive at any offset of its content, decompressing from the Point before it: forward
// at the cost of what lies between, back at that of what lies behind the Point. It is for one reader at a
// time; Close may be called at any time.
type Content struct {
	// Check, if set before a ReadAt, takes all that is decompressed and where it stands: the archive's own checksums are
	// looked at only where it is read from the start of a member or frame to its end.
	Check func(off int64, p []byte)

	ctx    context.Context
	r      io.ReaderAt
	packed int64 // size of the archive
	kind   Kind
	limits Limits
	size   int64
	point  func(out int64) (Point, error)
	ticket *ticket

	mu       sync.Mutex
	closed   bool
	cur      *Reader
	at       int64  // offset of what cur gives next
	history  []byte // what stands before it
	keep     int
	unpacked int64
}

// NewContent returns the content, size bytes, of an archive of packed bytes. point gives the last Point
// at an offset or before it, Point{} if there is none. Nothing is read before ReadAt, which ends with ctx: where
// there are no points, it may have much to decompress first.
func NewContent(ctx context.Context, r io.ReaderAt, packed int64, kind Kind, limits Limits, gate *Gate, size int64, point func(out int64) (Point, error)) *Content {
	return &Content{ctx: ctx, r: r, packed: packed, kind: kind, limits: limits, size: size, point: point, ticket: gate.ticket(), keep: historyKept}
}

// ReadAt reads as io.ReaderAt does. Errors are those of a Reader.
func (c *Content) ReadAt(p []byte, off int64) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if off >= c.size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), c.size-off)]
	if err := c.seek(off); err != nil {
		return 0, err
	}
	if back := c.at - off; back > 0 {
		n = copy(want, c.history[int64(len(c.history))-back:])
	}
	for n < len(want) && err == nil {
		var k int
		k, err = c.read(want[n:])
		n += k
	}
	if n == len(want) && n < len(p) && err == nil {
		err = io.EOF
	}
	return n, err
}

// seek has cur stand at off, or a little behind it, in the history.
func (c *Content) seek(off int64) error {
	back := c.at - off
	if c.cur != nil && back >= 0 && back <= int64(len(c.history)) {
		return nil
	}
	from := off - lead
	if c.cur != nil && back > 0 { // farther back than was thought
		c.keep = min(4*c.keep, mostKept)
		from = off - int64(c.keep)
	}
	p, err := c.point(max(from, 0))
	if err != nil {
		return err
	}
	if c.cur == nil || back > 0 || p.Out > c.at {
		if c.closed {
			return errClosed
		}
		if c.cur != nil {
			_ = c.cur.Close()
		}
		c.cur = open(c.r, c.packed, c.kind, c.limits, c.ticket, p)
		c.cur.shared = true
		c.at, c.history = p.Out, c.history[:0]
	}
	for skip := make([]byte, min(skipStep, max(off-c.at, 0))); c.at < off; {
		if c.ctx.Err() != nil {
			return context.Cause(c.ctx)
		}
		if _, err := c.read(skip[:min(int64(len(skip)), off-c.at)]); err != nil {
			return err
		}
	}
	return nil
}

// read reads on.
func (c *Content) read(p []byte) (int, error) {
	n, err := c.cur.Read(p)
	if c.Check != nil && n > 0 {
		c.Check(c.at, p[:n])
	}
	c.at += int64(n)
	c.unpacked += int64(n)
	c.history = append(c.history, p[:n]...)
	if over := len(c.history) - c.keep; over > c.keep {
		c.history = c.history[:copy(c.history, c.history[over:])]
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: it has %d bytes, not %d", io.ErrUnexpectedEOF, c.at, c.size)
	}
	return n, err
}

// Unpacked returns how many bytes were decompressed.
func (c *Content) Unpacked() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unpacked
}

// Close ends the decompression.
func (c *Content) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	if c.cur != nil {
		_ = c.cur.Close() // which returns nil
	}
	c.ticket.leave()
	return nil
}
