package responder

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// Rate holds on average, whatever the pace of lines, and every line is counted once.
func TestThinningHoldsTheRate(t *testing.T) {
	for _, perSecond := range []int{5, 50, 5000} {
		th := thinning{rate: 10, sample: 1}
		now, published := time.Unix(1e9, 0), int64(0)
		for range 60 * perSecond {
			if th.admit(now) {
				published++
			}
			now = now.Add(time.Second / time.Duration(perSecond))
		}
		want := int64(min(perSecond*60, 60*10+10))
		if published < want-1 || published > want+1 || published+th.limited != th.matched || th.matched != int64(60*perSecond) {
			t.Errorf("%d lines a second: %d published, want %d, %d limited of %d", perSecond, published, want, th.limited, th.matched)
		}
	}
	th := thinning{rate: 3, sample: 1}
	th.admit(time.Unix(1e9, 0))
	n := 1
	for range 100 { // the clock goes back
		if th.admit(time.Unix(9e8, 0)) {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d lines at a clock that goes back, want 3", n)
	}
}

func TestThinningSamples(t *testing.T) {
	th := thinning{sample: 4}
	var got []int
	for i := range 10 {
		if th.admit(time.Time{}) {
			got = append(got, i)
		}
	}
	if fmt.Sprint(got) != "[0 4 8]" || th.sampled != 7 || th.matched != 10 || th.limited != 0 {
		t.Errorf("published %v, %+v", got, th)
	}
}

// What is left of a chunk is whole lines with the columns that are theirs; a long line goes as it began.
func TestThinningTakesLines(t *testing.T) {
	th := thinning{sample: 2}
	c := schemas.Chunk{File: "f", Text: []byte("a\nb\nc\nlong"), Numbers: []int64{1, 2, 3, 4}, Offsets: []int64{0, 2, 4, 6}, More: true}
	kept, ok := th.take(&c, '\n', time.Time{})
	if !ok || string(kept.Text) != "a\nc\n" || fmt.Sprint(kept.Numbers, kept.Offsets) != "[1 3] [0 4]" || kept.More {
		t.Errorf("kept %q %v %v, more %t", kept.Text, kept.Numbers, kept.Offsets, kept.More)
	}
	c = schemas.Chunk{File: "f", Text: []byte("er\nd\nlong"), Numbers: []int64{5, 6}, Continues: true, More: true}
	if kept, ok = th.take(&c, '\n', time.Time{}); !ok || string(kept.Text) != "d\n" || fmt.Sprint(kept.Numbers) != "[5]" || kept.Continues {
		t.Errorf("behind a line that is left out: %q %v, continues %t", kept.Text, kept.Numbers, kept.Continues)
	}
	th = thinning{sample: 2}
	c = schemas.Chunk{Text: []byte("long"), More: true}
	th.take(&c, '\n', time.Time{})
	c = schemas.Chunk{Text: []byte("er\nx\n"), Continues: true}
	if kept, ok = th.take(&c, '\n', time.Time{}); !ok || string(kept.Text) != "er\n" || !kept.Continues || th.matched != 2 {
		t.Errorf("behind a line that is published: %q, continues %t, %+v", kept.Text, kept.Continues, th)
	}
	th = thinning{sample: 100, matched: 1}
	c = schemas.Chunk{Text: []byte(strings.Repeat("x\n", 50))}
	if kept, ok = th.take(&c, '\n', time.Time{}); ok {
		t.Errorf("nothing is left: %q", kept.Text)
	}
}
