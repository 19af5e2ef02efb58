package scan

import (
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/responder/match"
)

// counting counts the bytes that a matcher is fed and that it is given to peek at.
type counting struct {
	*match.Matcher
	fed, peeked *atomic.Int64
}

func (c counting) Feed(piece []byte) {
	c.fed.Add(int64(len(piece)))
	c.Matcher.Feed(piece)
}

func (c counting) Peek(piece []byte) bool {
	c.peeked.Add(int64(len(piece)))
	return c.Matcher.Peek(piece)
}

func compiled(t testing.TB, pattern string) *match.Pattern {
	t.Helper()
	p, err := match.Compile(match.Spec{Patterns: []string{pattern}, Terminator: '\n'})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// peeked are patterns of every strategy that peeks, and of one that does not.
var peeked = []string{
	"abc", "(?i)aBc", "(?i)ska", `\babc\b`, "^abc", "abc$", "cab|bca|aaa", "abc.*0+b", "(abc|bca).*0", "0.[ab]+0", "a.*b.*c", "zzz", "",
}

// A line that comes in pieces gives what it gives whole, whether the pieces are peeked at or fed, with
// NULs in it and without, of files and of streams.
func TestPiecesOfLongLines(t *testing.T) {
	words := []string{"a", "b", "c", "ab", " ", "0", "s", "K", "\u017f", "\u212a"}
	for seed := range uint64(1200) {
		rng := rand.New(rand.NewPCG(seed, 6))
		o := drawOptions(rng)
		b := []byte(drawText(rng, '\n', words))
		if i := rng.IntN(len(b) + 1); i < len(b) && b[i] < utf8.RuneSelf && rng.IntN(3) == 0 {
			b[i] = 0
			o.Before, o.After, o.Groups, o.Limit = 0, 0, false, 0
			o.Binary = Binary(rng.IntN(3))
		}
		pattern := peeked[rng.IntN(len(peeked))]
		o.geometry = geometry{window: 16, block: 16 << 10, segment: 64 << 10}
		want, wantStats := record(t, []Input{text("f", string(b))}, matching(pattern, '\n'), o)

		p := compiled(t, pattern)
		small := o
		small.geometry.block = 16 * int64(1+rng.IntN(3))
		small.geometry.segment = small.geometry.block * int64(1+rng.IntN(3))
		small.Threads, small.MaxLine = 1+rng.IntN(4), 20+rng.IntN(40)
		in := text("f", string(b))
		if o.Binary == BinaryText || strings.IndexByte(string(b), 0) < 0 {
			if rng.IntN(3) == 0 {
				in = stream("f", func() io.Reader { return iotest.OneByteReader(strings.NewReader(string(b))) })
			}
		}
		got, stats := record(t, []Input{in}, func() Matcher { return p.NewMatcher() }, small)
		stats.Bytes, wantStats.Bytes = 0, 0
		if got != want || o.Limit == 0 && stats.Selected != wantStats.Selected {
			t.Fatalf("seed %d, %s, %+v, of %q\n got %+v\n%s\nwant %+v\n%s", seed, pattern, small, b, stats, got, wantStats, want)
		}
	}
}

// A line without what the pattern needs never meets the automaton; one with it does, from its start,
// unless that alone is a match.
func TestLongLinesArePeekedAt(t *testing.T) {
	const size = 3 << 20
	hay := strings.Repeat("0123456789abcde ", size/16)
	for _, c := range []struct {
		pattern, line string
		stream        bool
		fed           bool
		selected      int64
	}{
		{"needle", hay, false, false, 0},
		{"needle", hay + "needle", false, false, 1},
		{"needle", hay, true, false, 0},
		{`needle.*[x-z]\d+`, hay, false, false, 0},
		{`needle.*[x-z]\d+`, hay + "needle" + hay + "x7", false, true, 1},
		{`needle.*[x-z]\d+`, hay + "needle" + hay, false, true, 0},
		{`needle.*[x-z]\d+`, hay, true, true, 0}, // of a stream nothing can be read again
		{`\bneedle\b`, hay, false, false, 0},
		{`\bneedle\b`, hay + "needle's", false, true, 1},
		{`(?i)disk`, hay, false, false, 0},
		{`(?i)disk`, hay + "dis\u212a", false, true, 1},
	} {
		in := text("f", c.line+"\n")
		if c.stream {
			in = stream("f", func() io.Reader { return strings.NewReader(c.line + "\n") })
		}
		var fed, seen atomic.Int64
		o := lines()
		o.Mode = Count
		p := compiled(t, c.pattern)
		_, stats := record(t, []Input{in}, func() Matcher { return counting{p.NewMatcher(), &fed, &seen} }, o)
		want := int64(0)
		if c.fed {
			want = int64(len(c.line))
		}
		if fed.Load() != want || seen.Load() == 0 && !(c.fed && c.stream) || stats.Selected != c.selected {
			t.Errorf("%s, stream %v, …%.10q: %d bytes fed, %d peeked at, selected %d", c.pattern, c.stream,
				c.line[len(c.line)-10:], fed.Load(), seen.Load(), stats.Selected)
		}
		if got := stats.Bytes; got != int64(len(c.line))+1 {
			t.Errorf("%s: %d of %d bytes count as read", c.pattern, got, len(c.line)+1)
		}
	}
}

// Of a line too long to be held the spans are looked for only if it matches, and only then is it held, if it may be.
func TestSpansOfLongLines(t *testing.T) {
	const size = 3 << 20
	hay := strings.Repeat("0123456789abcde ", size/16)
	for _, c := range []struct {
		line, want string
		stream     bool
	}{
		{hay + "needle" + hay[:100] + "needle", "f:1:false:needle$\nf:1:false:needle$\n", false},
		{hay + "needle" + hay[:100] + "needle", "f:1:false:needle$\nf:1:false:needle$\n", true},
		{hay + hay, "", false},
		{hay + hay + "needle", "error of f: line too long", false},
	} {
		for _, end := range []string{"", "\n"} {
			in := text("f", c.line+end)
			if c.stream {
				in = stream("f", func() io.Reader { return strings.NewReader(c.line + end) })
			}
			var fed, seen atomic.Int64
			o := lines()
			o.OnlyMatching, o.Numbers = true, true
			p := compiled(t, "needle")
			got, _ := record(t, []Input{in}, func() Matcher { return counting{p.NewMatcher(), &fed, &seen} }, o)
			if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
				t.Errorf("stream %v, %d bytes: %.100q, want %q", c.stream, len(c.line), got, c.want)
			}
			if seen.Load() == 0 {
				t.Errorf("stream %v, %d bytes: held before it was known to match", c.stream, len(c.line))
			}
		}
	}
}

func BenchmarkLongLine(b *testing.B) {
	line := strings.Repeat("2026-11-22T14:30:00Z a line of a log that never ends ", 32<<20/53) + "\n"
	for _, pattern := range []string{"absent", `(?i)absent`, `absent=\w+ x`, `\babsent\b`, `[a-z]+ing\b.*[0-9]{4}`} {
		b.Run(pattern, func(b *testing.B) {
			o := lines()
			o.Mode = Count
			p := compiled(b, pattern)
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				if _, err := Run(b.Context(), []Input{text("f", line)}, func() Matcher { return p.NewMatcher() }, o, func(*Batch) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
