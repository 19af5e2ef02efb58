package follow

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/trawl-logs/trawl/responder/source"
)

const (
	// overlapBytes is how much before the place that is read next is compared with what was there: a
	// file that was cut and has grown again is found by it.
	overlapBytes = 64
	// headBytes is how much of a file's head tells a copy of it.
	headBytes = 256
	// countBytes is how much of a file is read at a time to count its lines.
	countBytes = 32 << 10
	// edgeBytes is how much of a copy's head, and of its end, is compared with what it may be a copy of.
	edgeBytes = 4 << 10
)

// log is a file that is followed.
type log struct {
	entry   *source.Entry // as it was found: its lines bear that name
	now     *source.Entry // as the last look found it
	file    *source.File  // nil: not open
	before  *log          // the one of its family that was found before it; nil: none
	at      int64         // the next byte to be read
	to      int64         // the size that the round found
	partial []byte        // what was read of a line that has no end yet
	line    int64         // number of the line that begins next, from 1
	overlap []byte        // what stands before at
	head    []byte        // the file's first bytes
	look    int           // the number of the look that found it
	copies  []*log        // what may be copies of it, made since it was cut last, open
	of      *log          // not nil: what it may be a copy of; it is not followed meanwhile
	held    bool          // a copy whose original had what it has
	missing bool          // the last look did not find it
	gone    bool          // the last round knew that it is missing
	kept    time.Time     // when it was seen to grow last, or to be missing first
}

// errCut says that a file has not any more what was read of it.
var errCut = errors.New("the file was cut")

// start puts a file at at or, if that is negative, at the end of its last whole line within size, and
// counts the lines before if they are wanted.
func (l *log) start(at, size int64, term byte, count bool, buf []byte) error {
	if err := l.readHead(size); err != nil {
		return err
	}
	end := size
	if at >= 0 {
		end = min(at, size)
	}
	for at < 0 && end > 0 { // backwards to a terminator
		n := min(end, int64(len(buf)))
		b := buf[:n]
		if _, err := l.file.Raw().ReadAt(b, end-n); err != nil {
			return err
		}
		if i := bytes.LastIndexByte(b, term); i >= 0 {
			end += int64(i) + 1 - n
			break
		}
		end -= n
	}
	l.at, l.line = end, 1
	k := min(end, overlapBytes)
	l.overlap = make([]byte, k)
	if _, err := l.file.Raw().ReadAt(l.overlap, end-k); err != nil {
		return err
	}
	for off := int64(0); count && off < end; {
		n, err := l.file.Raw().ReadAt(buf[:min(end-off, int64(len(buf)))], off)
		if n == 0 {
			return err
		}
		l.line += int64(bytes.Count(buf[:n], []byte{term}))
		off += int64(n)
	}
	return nil
}

// readHead notes the first bytes of a file of that size.
func (l *log) readHead(size int64) error {
	l.head = make([]byte, min(size, headBytes))
	n, err := l.file.Raw().ReadAt(l.head, 0)
	if l.head = l.head[:n]; errors.Is(err, io.EOF) {
		err = nil
	}
	return err
}

// size is how long the file is now.
func (l *log) size() (int64, error) {
	info, err := l.file.Raw().Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// holds says whether l has what a copy has by now, of size bytes.
func (l *log) holds(c *log) (held bool, size int64) {
	size, err := c.size()
	if err != nil || l.file == nil {
		return false, size
	}
	k := min(size, edgeBytes)
	return l.agrees(c, 0, k) && l.agrees(c, size-k, k), size
}

// agrees says whether two files have the same n bytes at off, at most edgeBytes.
func (l *log) agrees(c *log, off, n int64) bool {
	var here, there [edgeBytes]byte
	k, _ := l.file.Raw().ReadAt(here[:n], off) // fewer bytes differ
	m, _ := c.file.Raw().ReadAt(there[:n], off)
	return int64(k) == n && int64(m) == n && here == there
}

// intact says whether a file has what was read of it.
func (l *log) intact() bool { return l.begins(l) && l.continues(l) }

// begins says whether a file, which may be a copy, has the first bytes of what was read of l, as far as
// it goes.
func (l *log) begins(c *log) bool {
	var b [headBytes]byte
	n, _ := c.file.Raw().ReadAt(b[:len(l.head)], 0)
	return bytes.HasPrefix(l.head, b[:n])
}

// continues says whether a file, which may be a copy, goes on where l was read to.
func (l *log) continues(c *log) bool {
	if size, err := c.size(); err != nil || size < l.at || !l.begins(c) {
		return false
	}
	b := make([]byte, len(l.overlap))
	_, err := c.file.Raw().ReadAt(b, l.at-int64(len(b)))
	return (err == nil || errors.Is(err, io.EOF)) && bytes.Equal(b, l.overlap)
}

// next reads into buf what follows at, up to the size that the round found. It is empty where there is
// nothing; the error is errCut if what stands before is not what was read.
func (l *log) next(buf []byte) ([]byte, error) {
	if l.to < l.at {
		return nil, errCut
	}
	k := int64(len(l.overlap))
	b := buf[:min(int64(len(buf)), k+l.to-l.at)]
	n, err := l.file.Raw().ReadAt(b, l.at-k)
	if int64(n) < k || !bytes.Equal(b[:k], l.overlap) {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, errCut
	}
	if errors.Is(err, io.EOF) {
		err = nil // it was cut since its size was taken: the next round sees that
	}
	return b[k:n], err
}

// passed notes that fresh, which stands at at, was taken.
func (l *log) passed(fresh []byte) {
	if n := headBytes - len(l.head); n > 0 && l.at == int64(len(l.head)) {
		l.head = append(l.head, fresh[:min(n, len(fresh))]...)
	}
	l.at += int64(len(fresh))
	if len(fresh) >= overlapBytes {
		l.overlap = append(l.overlap[:0], fresh[len(fresh)-overlapBytes:]...)
		return
	}
	l.overlap = append(l.overlap, fresh...)
	l.overlap = append(l.overlap[:0], l.overlap[max(0, len(l.overlap)-overlapBytes):]...)
}

// restart forgets what was read, of a file that was cut.
func (l *log) restart() {
	l.at, l.line, l.partial, l.overlap, l.head = 0, 1, l.partial[:0], l.overlap[:0], nil
}

// close closes the file.
func (l *log) close() {
	if l.file != nil {
		_ = l.file.Close() // opened for reading: nothing is lost
		l.file = nil
	}
}
