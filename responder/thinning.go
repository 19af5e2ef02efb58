package responder

import (
	"bytes"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// thinning decides which lines of a standing query are published, and counts those that are not: one of
// sample lines goes on, and of those, on average, rate a second; up to as many more may come at once
// after a pause. It takes the time as an argument.
type thinning struct {
	rate, sample int64 // no limit if 0; all if 1
	tokens       float64
	last         time.Time
	dropping     bool // the line that was decided last is left out

	matched, sampled, limited int64
}

// admit decides about one more line.
func (t *thinning) admit(now time.Time) bool {
	t.matched++
	if (t.matched-1)%t.sample != 0 {
		t.sampled++
		return false
	}
	if t.rate == 0 {
		return true
	}
	if most := float64(t.rate); t.last.IsZero() {
		t.tokens = most
	} else if passed := now.Sub(t.last); passed > 0 {
		t.tokens = min(most, t.tokens+passed.Seconds()*most)
	}
	t.last = now
	if t.tokens < 1 {
		t.limited++
		return false
	}
	t.tokens--
	return true
}

// take returns what of a chunk is published; ok is false if that is nothing. A line that was begun in the
// chunk before goes as its beginning went. The chunk may be returned as it is, or share its memory.
func (t *thinning) take(c *schemas.Chunk, terminator byte, now time.Time) (kept schemas.Chunk, ok bool) {
	kept = *c
	kept.Text, kept.Numbers, kept.Offsets, kept.Times = nil, nil, nil, nil
	line, all := 0, true
	for text, first := c.Text, true; len(text) > 0; first = false {
		end := bytes.IndexByte(text, terminator) + 1
		if end == 0 {
			end = len(text)
		}
		if begun := first && c.Continues; !begun {
			t.dropping = !t.admit(now)
			if !t.dropping {
				appendAt(&kept.Numbers, c.Numbers, line)
				appendAt(&kept.Offsets, c.Offsets, line)
				appendAt(&kept.Times, c.Times, line)
			}
			line++
		}
		if first {
			kept.Continues = c.Continues && !t.dropping
		}
		if t.dropping {
			all = false
		} else {
			kept.Text = append(kept.Text, text[:end]...)
		}
		text = text[end:]
	}
	if all {
		return *c, len(c.Text) > 0
	}
	kept.More = c.More && !t.dropping
	return kept, len(kept.Text) > 0
}

// appendAt appends the entry of a line to a column, if there is one.
func appendAt(to *[]int64, column []int64, line int) {
	if line < len(column) {
		*to = append(*to, column[line])
	}
}
