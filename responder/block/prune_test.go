package block

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/responder/match"
	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// indexed builds the index of data in a directory of its own, fed in pieces.
func indexed(t testing.TB, data []byte, o Options, piece int) *Index {
	t.Helper()
	f := File{Dev: 1, Ino: 2, Service: "shop"}
	if err := f.Fingerprint(bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
	x, err := Create(t.TempDir(), f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	extend(t, x, data, o, piece)
	return x
}

// extend feeds a Builder what x does not have of data.
func extend(t testing.TB, x *Index, data []byte, o Options, piece int) *Builder {
	t.Helper()
	b, err := NewBuilder(o)
	if err != nil {
		t.Fatal(err)
	}
	for at := int(b.Start(x, State{Size: int64(len(data))}, nil)); at < len(data); at += piece {
		if err := b.Feed(data[at:min(at+piece, len(data))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Finish(); err != nil {
		t.Fatal(err)
	}
	return b
}

// found lists the offsets and numbers of the lines of ranges that match.
func found(p *match.Pattern, data []byte, ranges []Range) []string {
	var out []string
	m := p.NewMatcher()
	for _, r := range ranges {
		line, at := r.Line, r.From
		for at < r.To {
			end := r.To
			if i := bytes.IndexByte(data[at:r.To], '\n'); i >= 0 {
				end = at + int64(i)
			}
			if m.MatchLine(data[at:end]) {
				out = append(out, fmt.Sprintf("%d:%d:%s", line+1, at, data[at:end]))
			}
			line, at = line+1, end+1
		}
	}
	return out
}

// walk lists the ranges that x gives for p.
func walk(t testing.TB, x *Index, p *match.Pattern, size int) ([]Range, Counts) {
	t.Helper()
	needs := p.Needs()
	var ranges []Range
	q := Query{Filter: NewFilter(needs.Any, needs.Plain), Since: NoTime, Until: NoTime}
	counts, err := x.Walk(q, int64(size), func(r Range) bool {
		ranges = append(ranges, r)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return ranges, counts
}

// same holds a pruned search against the exhaustive one.
func same(t testing.TB, x *Index, data []byte, spec match.Spec) Counts {
	t.Helper()
	p, err := match.Compile(spec)
	if err != nil {
		return Counts{}
	}
	ranges, counts := walk(t, x, p, len(data))
	for i, r := range ranges {
		if r.From >= r.To || r.To > int64(len(data)) || i > 0 && r.From <= ranges[i-1].To {
			t.Fatalf("%+v: range %d of %v is not behind the one before", spec, i, ranges)
		}
	}
	got, want := found(p, data, ranges), found(p, data, []Range{{0, int64(len(data)), 0}})
	if !slices.Equal(got, want) {
		t.Errorf("%+v: pruned to %d of %d bytes, found %d lines, not %d\n%.2000q\nnot\n%.2000q",
			spec, counts.Read, len(data), len(got), len(want), got, want)
	}
	return counts
}

var vocabulary = strings.Fields(`error Error ERROR warn timeout connection kernel Kelvin ſong Kilo müller GET /api/v1/cart
	status=200 user=alice req= 10.251.73.220 2015-10-18 18:01:47,978 [main] blk_-6952295868487656571 a b ab abc é`)

// randomLine makes lines that share much, with ids, and now and then what is odd.
func randomLine(r *rand.Rand) []byte {
	var b []byte
	for range r.IntN(8) {
		switch r.IntN(12) {
		case 0:
			b = fmt.Appendf(b, "%x", r.Uint64())
		case 1:
			b = fmt.Appendf(b, "%d", r.IntN(1e6))
		case 2:
			if r.IntN(8) == 0 {
				b = append(b, byte(r.IntN(256)))
			}
		case 3:
			if r.IntN(40) == 0 {
				b = append(b, bytes.Repeat([]byte("long line "), 200)...)
			}
		default:
			b = append(b, vocabulary[r.IntN(len(vocabulary))]...)
		}
		if r.IntN(4) > 0 {
			b = append(b, ' ')
		}
	}
	return append(bytes.ReplaceAll(b, []byte("\n"), nil), '\n')
}

// piece cuts something out of a line.
func piece(r *rand.Rand, line []byte) string {
	line = bytes.TrimSuffix(line, []byte("\n"))
	if len(line) == 0 {
		return "nowhere"
	}
	from := r.IntN(len(line))
	return string(line[from:min(from+1+r.IntN(24), len(line))])
}

var digitRun = regexp.MustCompile(`[0-9]+`)

// randomSpec makes a pattern that some line may match, in any language and with any flags.
func randomSpec(r *rand.Rand, lines [][]byte) match.Spec {
	text := func() string {
		p := piece(r, lines[r.IntN(len(lines))])
		if r.IntN(6) == 0 {
			p = strings.ToUpper(p)
		}
		if r.IntN(8) == 0 {
			p += string(rune('a' + r.IntN(26)))
		}
		return p
	}
	s := match.Spec{Terminator: '\n', IgnoreCase: r.IntN(2) == 0, Word: r.IntN(4) == 0, Line: r.IntN(12) == 0}
	if r.IntN(3) == 0 {
		s.Syntax = syntax.Fixed
		for range 1 + r.IntN(3) {
			s.Patterns = append(s.Patterns, text())
		}
		return s
	}
	s.Syntax = []syntax.Syntax{syntax.RE2, syntax.ERE}[r.IntN(2)]
	quoted := func() string { return regexp.QuoteMeta(text()) }
	for range 1 + r.IntN(2) {
		p := quoted()
		switch r.IntN(8) {
		case 0:
			p = digitRun.ReplaceAllString(p, "[0-9]+")
		case 1:
			p += ".*" + quoted()
		case 2:
			p = "(" + p + "|" + quoted() + ")"
		case 3:
			p = "(" + p + "|" + quoted() + ")" + quoted()
		case 4:
			p = "^" + p
		case 5:
			p = "(" + p + ")?" + quoted()
		case 6:
			p = "(" + p + "){1,3}" + quoted() + "|" + quoted()
		}
		s.Patterns = append(s.Patterns, p)
	}
	return s
}

// What is left out holds no line that matches: any corpus, any pattern.
func TestPrunedIsExhaustive(t *testing.T) {
	var strips, kept, pairs int
	for seed := range 50 {
		r := rand.New(rand.NewPCG(uint64(seed), 5))
		var data []byte
		var lines [][]byte
		for range 60 + r.IntN(500) {
			lines = append(lines, randomLine(r))
			data = append(data, lines[len(lines)-1]...)
		}
		if r.IntN(2) == 0 {
			data = data[:len(data)-1] // no line end at the end
		}
		o := Options{Strips: 64, StripLines: 1 + r.IntN(3), RowsPerKey: 0.5 + 3*r.Float64(), Common: 0.05 + 0.95*r.Float64()}
		x := indexed(t, data, o, 1+r.IntN(3000))
		for range 60 {
			counts := same(t, x, data, randomSpec(r, lines))
			strips, kept, pairs = strips+counts.Strips, kept+counts.Kept, pairs+1
		}
	}
	if pairs < 3000 || kept*2 > strips {
		t.Errorf("%d pairs, %d of %d strips kept: this tests little", pairs, kept, strips)
	}
}

// Patterns drawn from the sample logs' own lines.
func TestPrunedIsExhaustiveOnSampleLogs(t *testing.T) {
	paths, err := filepath.Glob("../../e2e/testdata/loghub/*.log")
	if err != nil || len(paths) < 8 {
		t.Fatalf("sample logs: %v %v", paths, err)
	}
	var strips, kept, pairs int
	for i, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.SplitAfter(data, []byte("\n"))
		x := indexed(t, data, Options{Strips: 64, StripLines: 4, RowsPerKey: 1.44, Common: common}, 64<<10)
		if blocks := x.Blocks(); len(blocks) != len(lines)/256 {
			t.Errorf("%s: %d blocks of %d lines", path, len(blocks), len(lines))
		}
		r := rand.New(rand.NewPCG(uint64(i), 6))
		for range 40 {
			counts := same(t, x, data, randomSpec(r, lines))
			strips, kept, pairs = strips+counts.Strips, kept+counts.Kept, pairs+1
		}
	}
	if pairs < 200 || kept*10 > strips*9 {
		t.Errorf("%d pairs, %d of %d strips kept: this tests little", pairs, kept, strips)
	}
}

// A pattern that requires nothing reads everything, in one range.
func TestNothingToPrune(t *testing.T) {
	data := bytes.Repeat([]byte("some line with words\n"), 300)
	x := indexed(t, data, Options{Strips: 64, StripLines: 1, RowsPerKey: 1.44, Common: common}, 1000)
	for _, spec := range []match.Spec{
		{Patterns: []string{""}}, {Patterns: []string{"x*"}}, {Patterns: []string{"."}}, {Patterns: []string{"abc"}},
		{Patterns: []string{"something", "ab"}}, {Patterns: []string{"(something)?"}}, {Patterns: []string{"[0-9]{30}"}},
	} {
		spec.Terminator = '\n'
		p, err := match.Compile(spec)
		if err != nil {
			t.Fatal(err)
		}
		if ranges, _ := walk(t, x, p, len(data)); len(ranges) != 1 || ranges[0] != (Range{0, int64(len(data)), 0}) {
			t.Errorf("%q: ranges %v", spec.Patterns, ranges)
		}
	}
}

func FuzzPrune(f *testing.F) {
	f.Add([]byte("one line\nanother ſong\nK\n"), "another", uint8(0), uint8(1))
	f.Add([]byte("\x00\xff\xc5\xbf\n\nuser=alice12\n"), "alice|(bob)?1", uint8(5), uint8(3))
	f.Add([]byte("connection refused\nConnection Reset\n"), "CONNECTION RE[fs]", uint8(9), uint8(7))
	f.Fuzz(func(t *testing.T, seed []byte, pattern string, flags, step uint8) {
		if len(seed) == 0 || len(seed) > 4096 || len(pattern) > 200 {
			return
		}
		var data []byte // the lines of seed, over and over, with something else each time
		for i := 0; bytes.Count(data, []byte("\n")) < 200; i++ {
			data = append(data, seed[i*int(step)%len(seed):]...)
			data = fmt.Appendf(data, "%x\n", i*7919)
		}
		x := indexed(t, data, Options{Strips: 64, StripLines: 1 + int(step)%3, RowsPerKey: 1.44, Common: common}, 1+int(step)*37)
		same(t, x, data, match.Spec{
			Patterns: []string{pattern}, Terminator: '\n', Syntax: syntax.Syntax(flags % 4), IgnoreCase: flags&4 != 0,
			Word: flags&8 != 0, Line: flags&16 != 0,
		})
	})
}

// A filter that leaves out nothing is not asked for long; one that begins to is asked again.
func TestWalkGivesUpWhereItDoesNotPay(t *testing.T) {
	o := Options{Strips: 64, StripLines: 1, RowsPerKey: 2, Common: 1}
	var data []byte
	for i := range 64 * 256 {
		word := "everywhere"
		if i >= 64*128 {
			word = "elsewhere"
		}
		data = fmt.Appendf(data, "line %d %s\n", i, word)
	}
	x := indexed(t, data, o, len(data))
	needle := NewFilter([][][][]byte{{{[]byte("everywhere")}}}, false)
	var read int64
	counts, err := x.Walk(Query{Filter: needle, Since: NoTime, Until: NoTime}, int64(len(data)), func(r Range) bool {
		read += r.To - r.From
		return true
	})
	first := bytes.Index(data, []byte("elsewhere"))
	if err != nil || counts.Strips > 64*200 || read < int64(first) || read > int64(len(data))*9/10 {
		t.Errorf("asked about %d strips of %d, read %d of %d bytes, of which %d are needed; %v", counts.Strips, 64*256, read, len(data), first, err)
	}
}
