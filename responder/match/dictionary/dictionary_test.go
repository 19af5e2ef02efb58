package dictionary_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/responder/match"
	"github.com/trawl-logs/trawl/responder/match/automaton"
	"github.com/trawl-logs/trawl/responder/match/simd"
	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// compare holds a set of strings, in every way it is searched, against the automaton; chop draws where a stream is cut.
func compare(t *testing.T, s match.Spec, buf []byte, chop func(n int) int) {
	t.Helper()
	p, err := match.Compile(s)
	if err != nil || p.Strategy() != match.LargeSet && p.Strategy() != match.MatchAll {
		return
	}
	re, err := syntax.Parse(syntax.Spec{Patterns: s.Patterns, Syntax: s.Syntax, IgnoreCase: s.IgnoreCase, Word: s.Word, Line: s.Line, Terminator: s.Terminator})
	if err != nil {
		t.Fatal(err)
	}
	program, err := automaton.Compile(re, automaton.Options{Terminator: s.Terminator})
	if err != nil {
		t.Fatal(err)
	}
	m, oracle := p.NewMatcher(), program.NewMachine()
	var want, got []string
	for rest := buf; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte{s.Terminator})
		rest = after
		yes := oracle.MatchLine(line)
		if yes {
			want = append(want, string(line))
		}
		if m.MatchLine(line) != yes {
			t.Fatalf("%+v: MatchLine(%q) = %v", s, line, !yes)
		}
		m.Reset()
		for piece := line; len(piece) > 0; {
			n := 1 + chop(len(piece))
			m.Feed(piece[:n])
			piece = piece[n:]
		}
		if m.EndLine() != yes {
			t.Fatalf("%+v: streaming %q = %v", s, line, !yes)
		}
		for from := 0; from < len(line); {
			start, end := m.Find(line, from)
			if a, b := oracle.Find(line, from); start != a || a >= 0 && end != b {
				t.Fatalf("%+v: Find(%q, %d) = %d %d, want %d %d", s, line, from, start, end, a, b)
			}
			if from = end; start < 0 || start == end {
				break
			}
		}
	}
	if n, _, seen := m.Skip(buf, simd.Look(buf), buf); n > 0 || seen {
		t.Fatalf("%+v: Skip of %q: %d, seen %v", s, buf, n, seen)
	}
	for from := 0; from < len(buf); {
		lines, next := m.Lines(nil, buf, from)
		if next <= from {
			t.Fatalf("%+v: Lines of %q from %d goes on at %d", s, buf, from, next)
		}
		for from = next; len(lines) > 0; lines = lines[1:] {
			got = append(got, string(buf[lines[0].Start:lines[0].End]))
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%+v in %q: %q, want %q", s, buf, got, want)
	}
}

// alphabets of strings and of text: plain, of words, with case variants and bytes that are no characters.
var alphabets = [][]string{
	{"a", "b"},
	{"a", "b", "c", "d", "-", " "},
	{"a", "A", "k", "K", "s", "S", "ſ", "\u212a", "é", "É", "я", "Я", " "},
	{"a", "é", "\u00c3", "_", " ", "世", "\ufffd"},
}

// odd is in text only: bytes that are no characters.
var odd = []string{"\xc3", "\xa9", "\xff", "\xe4\xb8"}

func draw(rnd *rand.Rand, letters []string, n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(letters[rnd.IntN(len(letters))])
	}
	return b.String()
}

// A set finds what the automaton finds, with every option.
func TestAgainstAutomaton(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 5))
	used := map[string]int{}
	for i := range 150 {
		letters := alphabets[rnd.IntN(len(alphabets))]
		least, spread := rnd.IntN(2)*rnd.IntN(20), 1+rnd.IntN(8)
		s := match.Spec{
			Terminator: '\n', IgnoreCase: rnd.IntN(2) == 0, Word: rnd.IntN(3) == 0, Line: rnd.IntN(5) == 0,
			Syntax: []syntax.Syntax{syntax.Fixed, syntax.Fixed, syntax.ERE, syntax.RE2}[i%4],
		}
		for range 120 {
			s.Patterns = append(s.Patterns, draw(rnd, letters, max(least+rnd.IntN(spread), 1-rnd.IntN(1000)/999)))
		}
		var buf bytes.Buffer
		for range 25 {
			for range rnd.IntN(4) {
				buf.WriteString(draw(rnd, letters, rnd.IntN(20)))
				if rnd.IntN(5) == 0 {
					buf.WriteString(draw(rnd, odd, 1))
				}
				if rnd.IntN(3) == 0 {
					buf.WriteString(s.Patterns[rnd.IntN(len(s.Patterns))])
				}
			}
			buf.WriteByte('\n')
		}
		if p, err := match.Compile(s); err == nil {
			used[p.Strategy().String()]++
		}
		compare(t, s, buf.Bytes(), rnd.IntN)
	}
	if used["large-set"] < 80 || used["match-all"] == 0 {
		t.Errorf("strategies: %v", used)
	}
}

// Where the text is large and matches are rare, the filter passes over most of it: lines are those that hold a string.
func TestAgainstContains(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 9))
	letters := strings.Split("abcdefghijklmnopqrstuvwxyz0123456789-", "")
	for _, least := range []int{3, 4, 6, 9, 14, 40} {
		var words []string
		for range 400 {
			words = append(words, draw(rnd, letters, least+rnd.IntN(10)))
		}
		var buf bytes.Buffer
		for i := range 1500 {
			buf.WriteString(draw(rnd, letters, rnd.IntN(60)))
			if i%9 == 0 {
				buf.WriteString(words[rnd.IntN(len(words))])
			}
			if i%50 == 0 {
				buf.WriteString("é")
			}
			buf.WriteString(draw(rnd, letters, rnd.IntN(20)) + "\n")
		}
		want := 0
		for line := range strings.Lines(buf.String()) {
			if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(line, w) }) {
				want++
			}
		}
		p, err := match.Compile(match.Spec{Patterns: words, Syntax: syntax.Fixed, Terminator: '\n'})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.NewMatcher().Count(buf.Bytes(), 0); got != want || p.Explain() != fmt.Sprintf("large-set of %d strings", len(words)) {
			t.Errorf("strings of %d: %s: %d lines, want %d", least, p.Explain(), got, want)
		}
	}
}

// RE2 takes the alternatives of one pattern apart; so are they strings again.
func TestAlternatives(t *testing.T) {
	var words []string
	for i := range 500 {
		words = append(words, fmt.Sprintf("user%03d", i), fmt.Sprintf("host%03dx?", i))
	}
	for _, s := range []match.Spec{{Patterns: words}, {Patterns: words, IgnoreCase: true}, {Patterns: words, Word: true}, {Patterns: words, Syntax: syntax.ERE}} {
		s.Terminator = '\n'
		p, err := match.Compile(s)
		if err != nil {
			t.Fatal(err)
		}
		if p.Strategy() != match.LargeSet {
			t.Errorf("%+v: %v", s.Syntax, p.Strategy())
		}
		compare(t, s, []byte("user499\nuser500\n USER001x\nhost123x host123\nhost1\n"), func(int) int { return 0 })
	}
}

func FuzzSet(f *testing.F) {
	f.Add("a|ab|abc|b", "xabcab b\na", byte(0))
	f.Add("k|\u212a|ſ|ss|S", "K \u212as\xc3 ſſ", byte(1))
	f.Add("abcdefgh|cdefghij|-a-|a", "abcdefghij -a-\n", byte(2))
	f.Add("\xc3|\xa9|é|世界", "\xc3\xa9é\xc3世界世\xe4\xb8", byte(7))
	f.Fuzz(func(t *testing.T, words, text string, options byte) {
		if len(words) > 2000 || len(text) > 4000 {
			return
		}
		s := match.Spec{Patterns: strings.Split(words, "|"), Syntax: syntax.Fixed, Terminator: '\n',
			IgnoreCase: options&1 != 0, Word: options&2 != 0, Line: options&4 != 0}
		for i := range 70 { // so many that they are a large set
			s.Patterns = append(s.Patterns, fmt.Sprintf("#%d#", i))
		}
		if options&8 != 0 { // as long as the filter wants them
			for i := range s.Patterns {
				s.Patterns[i] += "0123456789abcdef"
			}
			text = strings.ReplaceAll(text, " ", "0123456789abcdef")
		}
		compare(t, s, []byte(text), func(n int) int { return int(options) * 7 % n })
	})
}

func BenchmarkLargeSet(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 1))
	letters := strings.Split("abcdefghijklmnopqrstuvwxyz0123456789 ", "")
	text := []byte(strings.ReplaceAll(draw(rnd, letters, 1<<20), "zz", "\n"))
	for _, n := range []int{1000, 100000} {
		var words []string
		for range n {
			words = append(words, draw(rnd, letters, 12))
		}
		s := match.Spec{Patterns: words, Syntax: syntax.Fixed, Terminator: '\n', Limits: syntax.Limits{Patterns: 1 << 20, Bytes: 1 << 26, Expanded: 1 << 26}}
		p, err := match.Compile(s)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := p.NewMatcher()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				m.Count(text, 0)
			}
		})
	}
}
