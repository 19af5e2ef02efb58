package requester

import (
	"bytes"
	"iter"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// MaxHit is how much of a line a Hit holds; what is longer comes Truncated.
const MaxHit = 16 << 20

// Hit is one result: a line (a span with OnlyMatching), a count, or a file.
type Hit struct {
	Node, Service, File string
	Kind                schemas.ChunkKind // what it is a result of
	Text                []byte            // the line, without its terminator; may be kept
	Context             bool              // a context line
	Truncated           bool              // the line is longer than MaxHit
	Line                int64             // number of the line, from 1; 0 if not asked for
	Offset              int64             // of the line in its file; -1 if not asked for
	Time                time.Time         // zero if not asked for, or the line has none
	Count               int64             // selected lines of the file, in ModeCount
}

// Hits yields the answer line by line, in the query's order. Its last step is an *IncompleteError if
// not every node answered in full, and the query was not ended early. What Chunks says of slow
// consumers and of leaving the loop is true of Hits too.
func (a *Answer) Hits() iter.Seq2[Hit, error] {
	return func(yield func(Hit, error) bool) {
		s := &splitter{terminator: a.q.Terminator()}
		for node, chunks := range a.Chunks() {
			for i := range chunks {
				if !s.split(node, &chunks[i], func(h Hit) bool { return yield(h, nil) }) {
					return
				}
			}
		}
		if r := a.Receipt(); !r.Complete && !r.Satisfied && !a.r.okPartial {
			yield(Hit{}, &IncompleteError{r})
		}
	}
}

// splitter makes Hits of chunks, and one of the fragments of a long line.
type splitter struct {
	terminator byte
	open       Hit // of a line whose rest has not come yet
	begun      bool
}

// split yields what ends in the chunk; false says that yield wants no more.
func (s *splitter) split(node string, c *schemas.Chunk, yield func(Hit) bool) bool {
	if c.Kind != schemas.ChunkLines {
		return yield(Hit{Node: node, Service: c.Service, File: c.File, Kind: c.Kind, Count: c.Count, Offset: -1})
	}
	text := c.Text
	run, left := -1, int64(0) // the run of Context, and what is left of it
	for i := 0; len(text) > 0; {
		end := bytes.IndexByte(text, s.terminator)
		var line []byte
		if end >= 0 {
			line, text = text[:end:end], text[end+1:]
		} else {
			line, text = text[:len(text):len(text)], nil
		}
		if s.begun {
			s.grow(line)
		} else {
			for left == 0 && run+1 < len(c.Context) {
				run++
				left = c.Context[run]
			}
			left--
			s.open, s.begun = hit(node, c, i), true
			s.open.Text, s.open.Context = line, run%2 == 1
			i++
		}
		if end < 0 {
			return true // goes on in the next chunk
		}
		s.begun = false
		if !yield(s.open) {
			return false
		}
	}
	return true
}

// grow adds a fragment to the open line.
func (s *splitter) grow(fragment []byte) {
	room := MaxHit - len(s.open.Text)
	if len(fragment) > room {
		s.open.Truncated = true
		fragment = fragment[:room]
	}
	s.open.Text = append(s.open.Text, fragment...)
}

// hit is the i-th line that begins in the chunk, but for its text.
func hit(node string, c *schemas.Chunk, i int) Hit {
	h := Hit{Node: node, Service: c.Service, File: c.File, Offset: -1}
	if i < len(c.Numbers) {
		h.Line = c.Numbers[i]
	}
	if i < len(c.Offsets) {
		h.Offset = c.Offsets[i]
	}
	if i < len(c.Times) && c.Times[i] != schemas.NoTime {
		h.Time = time.Unix(0, c.Times[i]).UTC()
	}
	return h
}
