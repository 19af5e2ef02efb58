package bitstream

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/responder/match/automaton"
	"github.com/trawl-logs/trawl/responder/match/simd"
	"github.com/trawl-logs/trawl/responder/match/syntax"
)

func parse(t testing.TB, pattern string, s syntax.Syntax, term byte) *syntax.Regexp {
	t.Helper()
	re, err := syntax.Parse(syntax.Spec{Patterns: []string{pattern}, Syntax: s, Terminator: term})
	if err != nil {
		t.Fatal(err)
	}
	return re
}

func TestCompile(t *testing.T) {
	for _, c := range []struct {
		pattern   string
		ok, ascii bool
	}{
		{`a`, true, false},
		{`[0-9]{1,3}(\.[0-9]{1,3}){3}`, true, false},
		{`(foo|ba+r)*x`, true, false}, // what precedes x may be missing
		{`x(foo|bar)*`, true, false},
		{`^x[ab]+(y|z)*$`, true, false},
		{`a.*b`, true, true},
		{`(?i)k`, true, true}, // the Kelvin sign
		{`\bx`, true, true},
		{`\B`, true, true},
		{`a(foo|bar)*b`, false, false}, // to repeat more than a character takes as many turns as there are
		{`é`, false, true},
		{`a{999}`, false, false},
		{`((^){20}){20}a`, true, false},
		{`(((^)(^)){20}){40}a`, false, false}, // takes too long to find out
		{`a*`, false, false},                  // every line
	} {
		p, ok := Compile(parse(t, c.pattern, syntax.RE2, '\n'), '\n')
		if ok != c.ok || ok && p.ASCII() != c.ascii {
			t.Errorf("%s: %v, want %+v", c.pattern, ok, c)
		}
	}
}

var pieces = []string{
	"a", "b", "c", "[ab]", "[^a]", ".", "x*", "[ab]*", ".*", "a+", "b?", `\d`, `\d{1,3}`, "[a-f]{2,4}", `[0-9]{2,}`, "^", "$",
	`\b`, `\B`, `\.`, " ", "-", "(?i:k)", "é?", "(ab|c)", "(a|b*c|)",
}

func randomPattern(rnd *rand.Rand) string {
	var b strings.Builder
	for range 1 + rnd.IntN(6) {
		switch rnd.IntN(10) {
		case 0:
			b.WriteString("(" + randomPattern(rnd) + "|" + pieces[rnd.IntN(len(pieces))] + ")")
		case 1:
			b.WriteString("(" + pieces[rnd.IntN(len(pieces))] + pieces[rnd.IntN(len(pieces))] + ")" + []string{"{2}", "{0,2}", "?", "{1,3}"}[rnd.IntN(4)])
		default:
			b.WriteString(pieces[rnd.IntN(len(pieces))])
		}
	}
	return b.String()
}

// randomText has lines of all lengths up to several blocks, many of characters that patterns name, and runs that cross
// the borders of words and blocks.
func randomText(rnd *rand.Rand, size int, term byte) []byte {
	alphabet := []string{"abcx ", "ab", "0123456789.", "abcdef-kK019. _x\x00\n"}[rnd.IntN(4)]
	long := []int{10, 100, 9000}[rnd.IntN(3)]
	var b bytes.Buffer
	for b.Len() < size {
		for n := rnd.IntN(long); n > 0; n-- {
			c := alphabet[rnd.IntN(len(alphabet))]
			switch rnd.IntN(400) {
			case 0:
				b.WriteString([]string{"é", "\u212a", "\xff", "\xc3"}[rnd.IntN(4)])
			case 1:
				b.WriteString(strings.Repeat(string(c), rnd.IntN(300)))
			default:
				b.WriteByte(c)
			}
		}
		b.WriteByte(term)
	}
	return b.Bytes()[:size]
}

// search returns what a searcher, called as the matcher calls it, and the automaton's verdict on lines beyond ASCII make of buf.
func search(t *testing.T, p *Program, m *automaton.Machine, buf []byte) (found []simd.Line) {
	t.Helper()
	s := p.NewSearcher()
	for from := 0; from < len(buf); {
		lines, next := s.Lines(nil, buf, from)
		if next <= from || next > len(buf) || next < len(buf) && buf[next-1] != p.term {
			t.Fatalf("from %d goes on at %d of %d", from, next, len(buf))
		}
		for _, l := range lines {
			if l.Start < from || l.End > next {
				t.Fatalf("line %v of %d to %d", l, from, next)
			}
			if line := buf[l.Start:l.End]; !p.ascii || simd.ASCII(line) || m.MatchLine(line) {
				found = append(found, l)
			}
		}
		from = next
	}
	return found
}

// judge returns the lines of buf that match by the automaton alone, one by one.
func judge(m *automaton.Machine, buf []byte, term byte) (found []simd.Line) {
	for from := 0; from < len(buf); {
		end := len(buf)
		if i := bytes.IndexByte(buf[from:], term); i >= 0 {
			end = from + i
		}
		if m.MatchLine(buf[from:end]) {
			found = append(found, simd.Line{Start: from, End: end})
		}
		from = end + 1
	}
	return found
}

func check(t *testing.T, pattern string, s syntax.Syntax, term byte, text []byte) (ok bool) {
	t.Helper()
	re := parse(t, pattern, s, term)
	p, ok := Compile(re, term)
	if !ok {
		return false
	}
	program, err := automaton.Compile(re, automaton.Options{Terminator: term})
	if err != nil {
		t.Fatal(err)
	}
	m := program.NewMachine()
	if got, want := search(t, p, m, text), judge(m, text, term); !slices.Equal(got, want) {
		t.Fatalf("%q in %d bytes (term %q): %d lines, want %d\n%v\n%v", pattern, len(text), term, len(got), len(want), got[:min(9, len(got))], want[:min(9, len(want))])
	}
	return true
}

func TestAgainstAutomaton(t *testing.T) {
	for _, pure := range []bool{false, true} {
		before := simd.SetPure(pure)
		rnd := rand.New(rand.NewPCG(3, 4))
		ran := 0
		for range 500 {
			pattern, term := randomPattern(rnd), []byte{'\n', 0}[rnd.IntN(2)]
			size := []int{rnd.IntN(300), blockBytes - 2 + rnd.IntN(4), 3 * blockBytes, rnd.IntN(60000)}[rnd.IntN(4)]
			if check(t, pattern, []syntax.Syntax{syntax.RE2, syntax.ERE}[rnd.IntN(2)], term, randomText(rnd, size, term)) {
				ran++
			}
		}
		simd.SetPure(before)
		if ran < 250 {
			t.Errorf("only %d patterns compiled", ran)
		}
	}
}

// Runs, and what is shifted, cross each border of words and blocks.
func TestCarries(t *testing.T) {
	for _, pattern := range []string{`xa*y`, `xa{3}y`, `\ba+\b`, `^xa*`, `a$`, `^$`, `xa`, `x[ay]{2,3}$`, `^.*y`} {
		for _, run := range []int{0, 1, 2, 3, 63, 64, 65, 127, 4095, 4096, 4097, 9000} {
			for _, at := range []int{0, 1, 60, 61, 62, 63, 64, 4090, 4093, 4094, 4095, 4096, 36000} {
				text := slices.Concat(bytes.Repeat([]byte("-\n"), at/2), bytes.Repeat([]byte("-"), at%2), []byte("x"), bytes.Repeat([]byte("a"), run), []byte("y\nxa"))
				check(t, pattern, syntax.RE2, '\n', text)
			}
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add(`[0-9]{1,3}\.[0-9]`, []byte("10.0.0.1 ok\nx"), uint16(4090), false)
	f.Add(`^a.*b$`, []byte("a\xffb\nab"), uint16(63), true)
	f.Add(`\bk+\B`, []byte("k\u212ak"), uint16(9000), false)
	f.Fuzz(func(t *testing.T, pattern string, piece []byte, before uint16, ere bool) {
		if len(pattern) > 60 || len(piece) > 4096 {
			return
		}
		s := syntax.RE2
		if ere {
			s = syntax.ERE
		}
		re, err := syntax.Parse(syntax.Spec{Patterns: []string{pattern}, Syntax: s, Terminator: '\n'})
		if err != nil {
			return
		}
		if _, err := automaton.Compile(re, automaton.Options{Terminator: '\n', MaxProgram: 2000}); err != nil {
			return
		}
		check(t, pattern, s, '\n', slices.Concat(bytes.Repeat([]byte("a"), int(before)%9000), piece, []byte("\n"), piece))
	})
}

func BenchmarkSearch(b *testing.B) {
	text := bytes.Repeat([]byte("2026-11-22T12:00:01.123Z info service-7 handled request 8f3a from 10.1.22.7 in 17 ms\n"), 3000)
	for _, pattern := range []string{`[0-9]{1,3}(\.[0-9]{1,3}){3}`, `[a-z]+ing\b.*[0-9]{4}`, `^[0-9]{6} [0-9]+ 1`, `[A-Z]{3}[0-9]`} {
		b.Run(pattern, func(b *testing.B) {
			p, ok := Compile(parse(b, pattern, syntax.RE2, '\n'), '\n')
			if !ok {
				b.Fatal("no program")
			}
			s := p.NewSearcher()
			b.SetBytes(int64(len(text)))
			var found []simd.Line
			for b.Loop() {
				for from := 0; from < len(text); {
					found, from = s.Lines(found[:0], text, from)
				}
			}
			b.ReportMetric(p.Cost(), "estimate")
		})
	}
}
