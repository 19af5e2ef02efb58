package responder

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/schemas"
)

// shownLine is a line as it came for a query.
type shownLine struct {
	number  int64
	context bool
	apart   bool // a group begins with it
	text    string
}

// shownLines are the lines that came for a query, with what their chunks say of them.
func (f *fleet) shownLines(k Key) (lines []shownLine) {
	seq := uint64(0)
	for _, frame := range f.numbered(k) {
		if frame.Data == nil || frame.Seq <= seq {
			continue
		}
		seq = frame.Seq
		for _, c := range frame.Data.Chunks {
			var isContext []bool
			for i, run := range c.Context {
				isContext = append(isContext, slices.Repeat([]bool{i%2 == 1}, int(run))...)
			}
			for i, text := range bytes.SplitAfter(c.Text, []byte{'\n'}) {
				if len(text) > 0 {
					l := shownLine{number: c.Numbers[i], apart: slices.Contains(c.Groups, int64(i)), text: string(text)}
					l.context = len(isContext) > 0 && isContext[i]
					lines = append(lines, l)
				}
			}
		}
	}
	return lines
}

// What is followed with context is what a search of the whole file gives, in whatever pieces the file is
// written: over the end of the history as well.
func TestTailContext(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 3))
		n := 0
		some := func(most int) string {
			var b strings.Builder
			for range rng.IntN(most) {
				word := "other"
				if rng.IntN(5) == 0 {
					word = "wanted"
				}
				fmt.Fprintf(&b, "%s line %d\n", word, n)
				n++
			}
			return b.String()
		}
		f, dir := newFleet(t, nil, map[string]string{"a.log": some(60) + "wanted\n"})
		last := []int64{-1, 1, 3}[seed%3]
		with := func(q *schemas.Query) {
			q.Patterns, q.Before, q.After = []string{"wanted|end"}, rng.Int64N(4), rng.Int64N(4)
			q.Columns = schemas.ColumnNumber | schemas.ColumnGroup
		}
		var context schemas.Query
		q := f.tail(last, func(q *schemas.Query) { with(q); context = *q })
		q.until("the history", func(text string) bool { return strings.Contains(text, "wanted\n") })
		for range 8 {
			text := some(9)
			cut := rng.IntN(len(text) + 1)
			appendTo(t, dir+"/a.log", text[:cut])
			runtime.Gosched() // it may come in several pieces
			appendTo(t, dir+"/a.log", text[cut:])
		}
		appendTo(t, dir+"/a.log", "end\n")
		q.until("the last line", func(text string) bool { return strings.HasSuffix(text, "end\n") })
		all := query("all", context.Patterns...)
		all.Before, all.After, all.Columns = context.Before, context.After, context.Columns
		k := f.ask(all)
		eventually(t, func() bool { return f.end(k) != nil }, func() string { return "the search does not end" })
		got, want := f.shownLines(q.k), f.shownLines(k)
		from := slices.IndexFunc(want, func(l shownLine) bool { return l.number == got[0].number })
		if from < 0 || last < 0 && from > 0 {
			t.Fatalf("seed %d: begins with %v", seed, got[0])
		}
		want = want[from:]
		want[0].apart = true
		if last > 0 { // lines before those that were asked for are their context
			for i := range want {
				if i < len(got) && got[i].context && int64(i) < context.Before {
					want[i].context, want[i].apart = true, i == 0
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("seed %d, -B%d -A%d, last %d: gave\n%v\nwant\n%v", seed, context.Before, context.After, last, got, want)
		}
		q.cancel()
	}
}
