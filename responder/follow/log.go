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
	copies  []*log        // copies of it that were found since it was cut last, open
	unclear *log          // not nil: whose copy it may be; it has not the bytes yet that tell
	missing bool          // the last look did not find it
	grown   time.Time     // when it was seen to grow last
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

// learnHead takes more of the first bytes of a file of which little or nothing was read, unless it was
// cut: a few bytes tell nothing.
func (l *log) learnHead() {
	if n := len(l.head); (n > 0 || l.at == 0) && n < headBytes && l.file != nil {
		var b [headBytes]byte
		if k, _ := l.file.Raw().ReadAt(b[:], 0); k > n && bytes.Equal(b[:n], l.head) {
			l.head = append(l.head[:0:0], b[:k]...)
		}
	}
}

// size is how long the file is now.
func (l *log) size() (int64, error) {
	info, err := l.file.Raw().Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// holds says whether what a copy ends with now is there in l too. Of a file of which nothing was read
// the head does not tell whether it was cut since the copy was made: many logs begin alike.
func (l *log) holds(c *log) bool {
	size, err := c.size()
	if err != nil || l.file == nil {
		return false
	}
	k := min(size, overlapBytes)
	here, there := make([]byte, k), make([]byte, k)
	n, _ := l.file.Raw().ReadAt(here, size-k)
	m, _ := c.file.Raw().ReadAt(there, size-k)
	return int64(n) == k && int64(m) == k && bytes.Equal(here, there)
}

// next reads into buf what follows at, up to the size that the round found. It is empty where there is
// nothing; the error is errCut if what stands before is not what was read.
func (l *log) next(buf []byte) ([]byte, error) {
	if l.to < l.at {
		return nil, errCut
	}
	if l.at == 0 && len(l.head) > 0 { // nothing was read but its head, to tell copies
		head := make([]byte, len(l.head))
		if n, err := l.file.Raw().ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		} else if !bytes.Equal(head[:n], l.head) {
			return nil, errCut
		}
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
	if n := headBytes - len(l.head); n > 0 && l.at <= int64(len(l.head)) { // some may be known already
		if known := len(l.head) - int(l.at); known < len(fresh) {
			l.head = append(l.head, fresh[known:min(known+n, len(fresh))]...)
		}
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

// continues says whether a copy of l goes on where l was read to.
func (l *log) continues(c *log) bool {
	b := make([]byte, len(l.overlap))
	_, err := c.file.Raw().ReadAt(b, l.at-int64(len(b)))
	return (err == nil || errors.Is(err, io.EOF)) && bytes.Equal(b, l.overlap)
}

// close closes the file and its copies.
func (l *log) close() {
	if l.file != nil {
		_ = l.file.Close() // opened for reading: nothing is lost
		l.file = nil
	}
	for _, c := range l.copies {
		c.close()
	}
	l.copies = nil
}
