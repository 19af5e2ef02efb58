package timestamp

import (
	"bytes"
	"iter"
)

// linesOf yields the lines of a text without their ends.
func linesOf(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(text) > 0 {
			line, rest, _ := bytes.Cut(text, []byte{'\n'})
			if !yield(bytes.TrimSuffix(line, []byte{'\r'})) {
				return
			}
			text = rest
		}
	}
}
