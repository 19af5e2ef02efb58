package timeorder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/trawl-logs/trawl/responder/scan"
)

const (
	surveyBytes = 256 << 10 // read at once
	surveyHead  = 16 << 10  // of a line, that its clock sees
	markEvery   = 1 << 20   // bytes between two marks
)

// survey is what is known of the times of a file's lines.
type survey struct {
	inOrder     bool
	from, size  int64 // what it speaks of: bytes that were appended since are not searched
	first, last int64 // times of the first and the last line; scan.NoTime: it has none
	marks       []int64
}

// after is a time before which no line that begins at off or later has its own.
func (s *survey) after(off int64) int64 {
	if len(s.marks) == 0 {
		return s.first
	}
	return s.marks[min(off/markEvery, int64(len(s.marks)-1))]
}

// surveyor reads files for the times of all their lines.
type surveyor struct{ buf []byte }

// survey looks at every line of a file that is going to be searched. The error is that of reading.
func (y *surveyor) survey(ctx context.Context, f *scan.File, clock scan.Clock, terminator byte) (s survey, err error) {
	size := f.Size
	s = survey{inOrder: true, from: f.From, size: size, first: scan.NoTime, last: scan.NoTime}
	if clock == nil {
		return s, nil
	}
	if y.buf == nil {
		y.buf = make([]byte, surveyBytes)
	}
	timed, cut := false, false // cut: what is read is of a line whose head was seen
	n := 0
	for off := f.From; off < size || n > 0; {
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
		want := int(min(int64(len(y.buf)-n), size-off))
		k, err := f.At.ReadAt(y.buf[n:n+want], off)
		if k < want {
			if err == nil || errors.Is(err, io.EOF) {
				err = fmt.Errorf("%w: %d of %d bytes are left", scan.ErrShrank, off+int64(k), size)
			}
			return s, err
		}
		base := off - int64(n)
		off, n = off+int64(k), n+k
		rest := y.buf[:n]
		for len(rest) > 0 {
			end := bytes.IndexByte(rest, terminator)
			whole := end >= 0 || off == size || len(rest) == len(y.buf)
			if !whole && !cut {
				break
			}
			if !cut {
				start := base + int64(n-len(rest))
				for int64(len(s.marks)) <= start/markEvery {
					s.marks = append(s.marks, s.last)
				}
				line := rest
				if end >= 0 {
					line = rest[:end]
				}
				if t, ok := clock.Time(line[:min(len(line), surveyHead)]); ok {
					if s.inOrder = t >= s.last; !s.inOrder {
						return s, nil
					}
					if s.last = t; !timed {
						timed = true
						if start == f.From {
							s.first = t
						}
					}
				}
			}
			if cut = end < 0; cut {
				rest = nil
				break
			}
			rest = rest[end+1:]
		}
		if n = copy(y.buf, rest); off == size {
			break
		}
	}
	return s, nil
}
