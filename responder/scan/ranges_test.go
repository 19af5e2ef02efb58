package scan

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// drawRanges draws ranges of s that hold all lines that match, and some that do not; at most one line
// in keep of those.
func drawRanges(rng *rand.Rand, s, pattern string, keep int) []Range {
	re := regexp.MustCompile(pattern)
	ranges := []Range{}
	at, line := int64(0), int64(0)
	for l := range strings.Lines(s) {
		to := at + int64(len(l))
		if re.MatchString(strings.TrimSuffix(l, "\n")) || rng.IntN(keep) == 0 {
			if n := len(ranges); n > 0 && ranges[n-1].To == at && rng.IntN(4) > 0 {
				ranges[n-1].To = to
			} else {
				ranges = append(ranges, Range{From: at, To: to, Line: line})
			}
		}
		at = to
		line++
	}
	return ranges
}

// What is left out because no line of it can match does not show: not in numbers, offsets, context,
// counts and times.
func TestRangesDoNotShow(t *testing.T) {
	words := []string{"a", "b", "c", "ab", " ", "0", "1", "2", "é", "\r"}
	pruned := 0
	for seed := range seeds(6000) {
		rng := rand.New(rand.NewPCG(seed, 9))
		o := drawOptions(rng)
		o.Invert, o.Mode = false, Mode(rng.IntN(5))
		if rng.IntN(3) == 0 {
			o.Times, o.NewClock = true, func(int) Clock { return numberClock{} }
			o.Since, o.Until = int64(rng.IntN(2)), int64(rng.IntN(4))
		}
		pattern := patterns[rng.IntN(len(patterns))]
		var all, some []Input
		for i := range 1 + rng.IntN(3) {
			s := drawText(rng, '\n', words)
			all = append(all, text(fmt.Sprint("f", i), s))
			ranges := drawRanges(rng, s, pattern, 1+rng.IntN(8))
			some = append(some, Input{Name: fmt.Sprint("f", i), Open: func() (File, error) {
				return File{At: strings.NewReader(s), Size: int64(len(s)), Ranges: ranges}, nil
			}})
		}
		o.geometry = geometry{window: 16, block: 16 * int64(1+rng.IntN(3))}
		o.geometry.segment = o.geometry.block * int64(1+rng.IntN(3))
		o.Threads, o.MaxLine = 1+rng.IntN(3), 20+rng.IntN(100)
		want, wantStats := record(t, all, matching(pattern, '\n'), o)
		got, stats := record(t, some, matching(pattern, '\n'), o)
		if stats.Bytes < wantStats.Bytes {
			pruned++
		}
		stats.Bytes, wantStats.Bytes = 0, 0
		if o.Mode == Quiet { // it ends at any
			stats.Selected, wantStats.Selected = min(stats.Selected, 1), min(wantStats.Selected, 1)
			stats.Files, wantStats.Files = 0, 0
		}
		if got != want || o.Limit == 0 && stats != wantStats {
			t.Fatalf("seed %d, %q, %+v\n got %+v\n%s\nwant %+v\n%s", seed, pattern, o, stats, got, wantStats, want)
		}
	}
	if pruned < int(seeds(1000)) {
		t.Errorf("only %d searches read less", pruned)
	}
}

// Ranges and the part of a file that its times leave go together.
func TestRangesWithinAPart(t *testing.T) {
	s := "a1\nb2\na3\nb4\na5\nb6\n"
	in := Input{Name: "f", Open: func() (File, error) {
		return File{At: strings.NewReader(s), From: 3, Size: 12, Ranges: []Range{{0, 9, 0}, {12, 15, 4}}}, nil
	}}
	o := lines()
	o.Offsets = true
	got, stats := record(t, []Input{in}, matching("a", '\n'), o)
	if want := "f:6:false:a3$\n"; got != want || stats.Bytes != 6 {
		t.Errorf("got %q, %d bytes, want %q, 6 bytes", got, stats.Bytes, want)
	}
}

// A file of which nothing is to be read is closed, and counted.
func TestNoRanges(t *testing.T) {
	in := Input{Name: "f", Open: func() (File, error) {
		return File{At: strings.NewReader("a\n"), Size: 2, Ranges: []Range{}}, nil
	}}
	o := lines()
	o.Mode = Count
	got, stats := record(t, []Input{in}, matching("a", '\n'), o)
	if want := fmt.Sprintf("f: kind %d count 0\n", KindCount); got != want || stats.Files != 1 || stats.Bytes != 0 {
		t.Errorf("got %q, %+v, want %q", got, stats, want)
	}
}
