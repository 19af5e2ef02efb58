package scan

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// digits reads a time as a digit at the start of the line, followed by others.
type digits struct{}

func (digits) Time(line []byte) (ns int64, ok bool) {
	for _, c := range line {
		if c < '0' || c > '9' {
			break
		}
		ns, ok = ns*10+int64(c-'0'), true
	}
	return ns, ok
}

// TestOutline holds outlines, extended in steps as the file grows, to what the lines are.
func TestOutline(t *testing.T) {
	seeds := uint64(36)
	if testing.Short() { // under the race detector
		seeds = 12
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 3))
		var text strings.Builder
		now := 1000
		disorder := []int{0, 1000, 3}[seed%3] // none; one line in so many
		for size := rng.IntN([]int{1000, 3 << 20}[seed/3%2]); text.Len() < size; {
			if now += rng.IntN(3); disorder > 0 && rng.IntN(disorder) == 0 {
				now += rng.IntN(400) - 200
			}
			if rng.IntN(3) > 0 {
				fmt.Fprint(&text, now)
			}
			text.WriteString(" line" + strings.Repeat("x", rng.IntN(100)))
			if rng.IntN(4000) == 0 {
				text.WriteString(strings.Repeat("y", rng.IntN(600<<10)))
			}
			text.WriteByte('\n')
		}
		all := strings.TrimSuffix(text.String(), []string{"", "\n"}[rng.IntN(2)])
		o := &Outline{}
		for end := int64(0); end < int64(len(all)); {
			end = min(int64(len(all)), end+1+rng.Int64N(1<<20))
			if err := o.Extend(t.Context(), strings.NewReader(all), end, digits{}, '\n', nil); err != nil {
				t.Fatal(err)
			}
			if want := int64(strings.LastIndexByte(all[:end], '\n') + 1); o.End != want {
				t.Fatalf("seed %d: ends at %d, want %d", seed, o.End, want)
			}
		}
		if rng.IntN(2) == 0 {
			if err := o.Finish(strings.NewReader(all), int64(len(all)), digits{}); err != nil || o.End != int64(len(all)) {
				t.Fatal(err)
			}
		}
		if rng.IntN(2) == 0 && len(o.Pieces) > 0 {
			o = o.Coarse()
		}
		checkOutline(t, seed, o, all)
	}
}

// checkOutline compares an outline with each line of the text.
func checkOutline(t *testing.T, seed uint64, o *Outline, all string) {
	t.Helper()
	var at, n, piece int64
	last, ordered := NoTime, true
	found := make([]Piece, len(o.Pieces))
	for line := range strings.SplitAfterSeq(all[:o.End], "\n") {
		if line == "" {
			break
		}
		for piece+1 < int64(len(o.Pieces)) && o.Pieces[piece+1].From <= at {
			piece++
		}
		p := &found[piece]
		if at == o.Pieces[piece].From {
			*p = Piece{From: at, Line: n, Min: NoTime, Max: NoTime, Ordered: true}
		}
		if ns, ok := (digits{}).Time([]byte(line)); ok {
			p.Ordered, ordered = p.Ordered && ns >= last, ordered && ns >= last
			last = ns
		}
		if p.Untimed = p.Untimed || last == NoTime; last != NoTime {
			if p.Max = max(p.Max, last); p.Min == NoTime || last < p.Min {
				p.Min = last
			}
		}
		at, n = at+int64(len(line)), n+1
	}
	if fmt.Sprint(found) != fmt.Sprint(o.Pieces) || n != o.Lines || ordered != o.Ordered() {
		t.Fatalf("seed %d, %d bytes: %d lines, in order %v, of pieces\n%v, want %d, %v,\n%v", seed, len(all), o.Lines, o.Ordered(), o.Pieces, n, ordered, found)
	}
}

// TestOutlinesStaySmall holds that an outline is bounded whatever the file's size.
func TestOutlinesStaySmall(t *testing.T) {
	o := &Outline{}
	for off := int64(0); off < 1<<40; off += 1 << 24 { // lines of 16 MiB
		o.add(line{off, off, true}, off+1<<24)
		if len(o.Pieces) > mostPieces {
			t.Fatalf("%d pieces", len(o.Pieces))
		}
	}
	if !o.Ordered() || len(o.Pieces) < mostPieces/2 {
		t.Errorf("in order: %v, of %d pieces", o.Ordered(), len(o.Pieces))
	}
	if got := o.Within(1<<39, 1<<39+1, 1<<40); len(got) != 1 || got[0].To-got[0].From > 1<<40/100 {
		t.Errorf("a moment is in %v", got)
	}
}

// TestBoth holds what two lists of ranges have in common to what each byte is in.
func TestBoth(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 4))
		draw := func() (ranges []Range) {
			for at := int64(rng.IntN(5)); at < 60; at += 1 + rng.Int64N(9) {
				to := at + 1 + rng.Int64N(9)
				ranges = append(ranges, Range{at, to, at})
				at = to
			}
			return ranges
		}
		mark := func(ranges []Range) (m [100]byte) {
			for _, g := range ranges {
				if g.Line != g.From {
					t.Fatalf("seed %d: line %d at %d", seed, g.Line, g.From)
				}
				for i := g.From; i < g.To; i++ {
					m[i]++
				}
			}
			return m
		}
		a, b := draw(), draw()
		x, y := mark(a), mark(b)
		for i := range x {
			x[i] *= y[i]
		}
		if got := mark(Both(a, b)); !bytes.Equal(got[:], x[:]) {
			t.Fatalf("seed %d: %v and %v have %v in common", seed, a, b, Both(a, b))
		}
	}
}
