package timeorder

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/trawl-logs/trawl/responder/scan"
)

// counting counts what is read.
type counting struct {
	io.ReaderAt
	read *atomic.Int64
}

func (c counting) ReadAt(p []byte, off int64) (int, error) {
	c.read.Add(int64(len(p)))
	return c.ReaderAt.ReadAt(p, off)
}

// TestKnownTimesAreNotReadAgain holds a second search to giving its first line before it has read all
// files, of which the first search found out in which order they are.
func TestKnownTimesAreNotReadAgain(t *testing.T) {
	var read atomic.Int64
	tr := &trial{stream: make([]bool, 5), opened: map[int]int{}, knows: true, known: map[int]*scan.Outline{}}
	for i := range tr.stream {
		var b strings.Builder
		for n := 0; b.Len() < 1<<20; n++ {
			fmt.Fprintf(&b, "%d error %090d\n", 1_000_000*(i+1)+n, 0)
		}
		tr.texts = append(tr.texts, b.String())
		tr.known[i] = &scan.Outline{}
	}
	so := scan.Options{MaxCount: -1, Terminator: '\n', Threads: 1, Times: true, NewClock: func(int) scan.Clock { return numberClock{} }}
	stop := errors.New("enough")
	for _, least := range []int64{5 << 20, 0} {
		inputs := tr.inputs()
		for i := range inputs {
			open := inputs[i].Open
			inputs[i].Open = func() (scan.File, error) {
				f, err := open()
				f.At = counting{f.At, &read}
				return f, err
			}
		}
		read.Store(0)
		first := ""
		_, err := Run(t.Context(), inputs, pattern(t, "error"), so, Options{}, func(b *scan.Batch) error {
			first = string(b.Text[:7])
			return stop
		})
		if !errors.Is(err, stop) || first != "1000000" {
			t.Fatalf("%q, %v", first, err)
		}
		if n := read.Load(); n < least || least == 0 && n > 1<<20 {
			t.Errorf("%d bytes were read before the first line, of 5 MiB", n)
		}
	}
}
