package feed

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"sync"
)

// NoTime is the time of a line that has none and follows none that has.
const NoTime = int64(-1 << 63)

// maxLine is how many bytes of a line are kept: of one that comes in parts, and of a wrapped one that
// cannot be read before its end.
const maxLine = 4 << 20

// maxOrigins bounds what is remembered of lines that were not released: 8 MiB.
const maxOrigins = 1 << 18

// Lines is a stream of lines. One goroutine at a time may Read; Line and Release may be called from
// another.
type Lines struct {
	fill func() error // adds to out; after an error it is not called again
	out  []byte
	read int // bytes of out that were read
	err  error
	made int64 // offset in the stream of what comes after out

	mu      sync.Mutex
	origins []origin // by at
}

// origin says where the bytes from at on came from.
type origin struct{ at, ns, number, offset int64 }

// Read reads the lines. It returns what there is rather than wait for more.
func (l *Lines) Read(p []byte) (int, error) {
	for l.read == len(l.out) {
		if l.err != nil {
			return 0, l.err
		}
		l.made += int64(len(l.out))
		l.out, l.read = l.out[:0], 0
		l.err = l.fill()
	}
	n := copy(p, l.out[l.read:])
	l.read += n
	return n, nil
}

// Line says of the line that begins at off in the stream what time it is of, in Unix nanoseconds or
// NoTime, the number, from 1, of the line that it came from, and the offset of that one's first byte.
// ok is false if it was not read yet, was released, or is one of too many that were not.
func (l *Lines) Line(off int64) (ns, number, offset int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, exact := slices.BinarySearchFunc(l.origins, off, func(o origin, off int64) int { return cmp.Compare(o.at, off) })
	if !exact {
		i--
	}
	if i < 0 {
		return NoTime, 0, 0, false
	}
	o := l.origins[i]
	return o.ns, o.number, o.offset, true
}

// Release says that Line is not going to be asked for lines before the one at off.
func (l *Lines) Release(off int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, exact := slices.BinarySearchFunc(l.origins, off, func(o origin, off int64) int { return cmp.Compare(o.at, off) })
	if !exact {
		i--
	}
	if i > len(l.origins)/2 { // so that they are not moved too often
		l.origins = slices.Delete(l.origins, 0, i)
	}
}

// came enters where the bytes of out from index i on came from.
func (l *Lines) came(i int, ns, number, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.origins) >= maxOrigins {
		l.origins = slices.Delete(l.origins, 0, maxOrigins/2)
	}
	l.origins = append(l.origins, origin{l.made + int64(i), ns, number, offset})
}

// splitter cuts a stream into its lines.
type splitter struct {
	r      io.Reader
	buf    []byte
	n      int   // bytes in buf
	offset int64 // of the line that is next
	number int64 // lines before it
	inside bool  // a line that is too long has been begun
	long   int64 // bytes of that, so far
	ended  bool  // a line that lacks its terminator at the end of the stream is none
}

// chunk is how much is read at a time.
const chunk = 64 << 10

// more reads once and hands on each line that is complete by then, without its terminator; at the end
// of the stream also one that lacks it. What is longer than maxLine comes in pieces. The line's number
// and offset are s.number+1 and s.offset meanwhile.
func (s *splitter) more(take func(text []byte, begins, ends bool)) error {
	if len(s.buf)-s.n < chunk {
		grown := make([]byte, max(2*len(s.buf), s.n+chunk))
		copy(grown, s.buf[:s.n])
		s.buf = grown
	}
	fresh := s.n
	n, err := s.r.Read(s.buf[fresh : fresh+chunk])
	s.n += n
	start := 0
	for {
		i := bytes.IndexByte(s.buf[fresh:s.n], '\n')
		if i < 0 {
			break
		}
		end := fresh + i
		s.line(s.buf[start:end], take, true)
		start, fresh = end+1, end+1
	}
	rest := s.buf[start:s.n]
	switch {
	case err != nil && s.ended:
		rest = nil
	case err != nil && (len(rest) > 0 || s.inside):
		s.line(rest, take, true)
		rest = nil
	case len(rest) > maxLine:
		s.line(rest, take, false)
		rest = nil
	}
	s.n = copy(s.buf, rest)
	return err
}

func (s *splitter) line(text []byte, take func([]byte, bool, bool), ends bool) {
	take(text, !s.inside, ends)
	s.inside = !ends
	if !ends {
		s.long += int64(len(text))
		return
	}
	s.number++
	s.offset += s.long + int64(len(text)) + 1
	s.long = 0
}
