package block

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

func TestCheck(t *testing.T) {
	data := crashLog()
	more := append(bytes.Clone(data), "one more line\n"...)
	size, grown := int64(len(data)), int64(len(more))
	edited := func(p []byte, at int) []byte {
		p = bytes.Clone(p)
		p[at] ^= 1
		return p
	}
	other := bytes.ReplaceAll(more, []byte("10:"), []byte("11:"))
	middle := 3000
	for _, c := range []struct {
		name string
		data []byte
		now  State
		want Verdict
	}{
		{"as it was", nil, State{size, 5, 6}, Fresh}, // nothing is read
		{"grown", more, State{grown, 7, 7}, Fresh},
		{"renamed", data, State{size, 5, 9}, Fresh},
		{"touched, or rewritten in place", data, State{size, 7, 7}, Unsure},
		{"truncated", data[:100], State{100, 7, 7}, Stale},
		{"truncated within the tail", data[:size-1], State{size - 1, 7, 7}, Stale},
		{"truncated to nothing", nil, State{0, 7, 7}, Stale},
		{"truncated and grown again", other, State{grown, 7, 7}, Stale},
		{"grown with another start", edited(more, 3), State{grown, 7, 7}, Stale},
		{"grown with another end of a block", edited(more, middle), State{grown, 7, 7}, Stale},
		{"shorter than stat said", data[:200], State{grown, 7, 7}, Stale},
	} {
		x := indexed(t, data, crashOptions, 1000)
		x.Trust(State{size, 5, 6})
		got, err := x.Check(bytes.NewReader(c.data), c.now)
		if got != c.want || err != nil {
			t.Errorf("%s: %v %v, want %v", c.name, got, err, c.want)
		}
		if c.want == Fresh { // and the next time nothing is read
			if again, err := x.Check(nil, c.now); again != Fresh || err != nil {
				t.Errorf("%s, again: %v %v", c.name, again, err)
			}
		}
	}
}

// Verify finds every byte of the indexed part that is another now.
func TestVerifyFindsEdits(t *testing.T) {
	data := crashLog()
	x := indexed(t, data, crashOptions, 1000)
	end, _ := x.End()
	for at := 0; at < int(end); at += 97 {
		edited := bytes.Clone(data)
		edited[at] ^= 4
		differs := 0
		err := x.Verify(context.Background(), bytes.NewReader(edited), func(b Block, err error) bool {
			if errors.Is(err, ErrDiffers) {
				differs++
			}
			return true
		})
		if err != nil || differs != 1 {
			t.Errorf("byte %d: %d blocks differ, %v", at, differs, err)
		}
	}
}
