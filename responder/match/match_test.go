package match

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/responder/match/automaton"
	"github.com/trawl-logs/trawl/responder/match/simd"
	"github.com/trawl-logs/trawl/responder/match/syntax"
)

func compile(t testing.TB, s Spec) *Pattern {
	t.Helper()
	p, err := Compile(s)
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	return p
}

func TestStrategy(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want Strategy
	}{
		{Spec{}, MatchNone},
		{Spec{Patterns: []string{""}}, MatchAll},
		{Spec{Patterns: []string{"x*"}}, MatchAll},
		{Spec{Patterns: []string{"error"}}, ExactLiteral},
		{Spec{Patterns: []string{"error"}, Syntax: syntax.Fixed}, ExactLiteral},
		{Spec{Patterns: []string{".*error.*"}}, ExactLiteral},
		{Spec{Patterns: []string{"error"}, IgnoreCase: true}, FoldedLiteral},
		{Spec{Patterns: []string{`\bword\b`}}, BoundedLiteral},
		{Spec{Patterns: []string{"word"}, Word: true, Syntax: syntax.Fixed}, BoundedLiteral},
		{Spec{Patterns: []string{"^error"}}, BoundedLiteral},
		{Spec{Patterns: []string{"whole"}, Line: true}, BoundedLiteral},
		{Spec{Patterns: []string{"error|warn|fatal|panic|exception"}}, LiteralSet},
		{Spec{Patterns: []string{"error", "warn", "fatal", "panic"}, IgnoreCase: true}, LiteralSet},
		{Spec{Patterns: []string{`user=\w+ .*status=5\d\d`}}, LiteralPrefilter},
		{Spec{Patterns: []string{`[eE]rror`}}, LiteralPrefilter},
		{Spec{Patterns: []string{`(error|warn)\w`}}, SetPrefilter},
		{Spec{Patterns: []string{`\d{1,3}(\.\d{1,3}){3}`}}, WindowPrefilter},
		{Spec{Patterns: []string{`\w+`}}, BitStreams},
		{Spec{Patterns: []string{`(ab)*[cd]+(ab)*[e-i]`}}, Automaton},
	} {
		c.spec.Terminator = '\n'
		if c.want == BitStreams && !simd.Accelerated() {
			c.want = Automaton
		}
		p := compile(t, c.spec)
		if p.Strategy() != c.want {
			t.Errorf("%q: %v, want %v; %s; sets %v", c.spec.Patterns, p.Strategy(), c.want, p.Explain(), p.Required())
		}
		if !strings.HasPrefix(p.Explain(), c.want.String()) {
			t.Errorf("%q: explained as %q", c.spec.Patterns, p.Explain())
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{Patterns: []string{"(a"}}, `pattern "(a"`},
		{Spec{Patterns: []string{`(\w{100}){9}`}, MaxProgram: 100}, "100"},
		{Spec{Patterns: []string{`a\nb`}, Terminator: '\n'}, "line terminator"},
	} {
		_, err := Compile(c.spec)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.spec.Patterns, err)
		}
	}
}

var pieces = []string{
	"a", "b", "ab", "foo", "bar", ".", "[ab]", "[^a]", "é", `\w`, `\d`, "^", "$", `\b`, "(?i:k)", "(?i:s)", "(?i:ab)", "x", "B", "[0-9]", `\d\.\d`, ".*", "bar=",
}

// randomPattern returns an RE2 pattern; many have the shape of what people search for.
func randomPattern(rnd *rand.Rand, depth int) string {
	switch n := rnd.IntN(15); {
	case depth == 0 || n < 5:
		return pieces[rnd.IntN(len(pieces))]
	case n < 10:
		return randomPattern(rnd, depth-1) + randomPattern(rnd, depth-1)
	case n < 12:
		return "(" + randomPattern(rnd, depth-1) + "|" + randomPattern(rnd, depth-1) + ")"
	}
	return "(" + randomPattern(rnd, depth-1) + ")" + []string{"*", "+", "?", "{2}", "{1,2}", "{2,}", "*?"}[rnd.IntN(7)]
}

var words = []string{
	"a", "b", "ab", "foo", "bar", "é", "1", "2.3", " ", "k", "K", "\u212a", "x", "B", "FOO", "s", "ſ", "bar=", "_", "\r", "ba", "fo",
}

// randomBuffer returns lines of valid UTF-8, the last perhaps without terminator.
func randomBuffer(rnd *rand.Rand, term byte, wild bool) []byte {
	var b bytes.Buffer
	for range rnd.IntN(12) {
		for range rnd.IntN(9) {
			b.WriteString(words[rnd.IntN(len(words))])
			if wild && rnd.IntN(12) == 0 {
				b.WriteByte([]byte{0xff, 0xc3, 0xa9, 0x80, '\n'}[rnd.IntN(5)])
			}
		}
		if rnd.IntN(3) == 0 {
			b.WriteString(strings.Repeat("-", rnd.IntN(70)))
		}
		b.WriteByte(term)
	}
	out := b.Bytes()
	if len(out) > 0 && rnd.IntN(3) == 0 {
		out = out[:len(out)-1]
	}
	return out
}

// lines cuts buf.
func lines(buf []byte, term byte) (spans [][2]int) {
	for from := 0; from < len(buf); {
		end := len(buf)
		if i := bytes.IndexByte(buf[from:], term); i >= 0 {
			end = from + i
		}
		spans = append(spans, [2]int{from, end})
		from = end + 1
	}
	return spans
}

// verdict says whether a line matches.
type verdict func(line []byte) bool

// checkBuffer holds Lines, Count, MatchLine and streaming against want, line by line.
func checkBuffer(t *testing.T, rnd *rand.Rand, p *Pattern, m *Matcher, name string, buf []byte, want verdict) {
	t.Helper()
	var expected, got [][2]int
	for _, l := range lines(buf, p.term) {
		line := buf[l[0]:l[1]]
		yes := want(line)
		if yes {
			expected = append(expected, l)
		}
		if m.MatchLine(line) != yes {
			t.Fatalf("%s (%v): MatchLine(%q) = %v", name, p.Strategy(), line, !yes)
		}
		m.Reset()
		for rest := line; len(rest) > 0; {
			n := 1 + rnd.IntN(len(rest))
			m.Feed(rest[:n])
			rest = rest[n:]
		}
		if m.EndLine() != yes {
			t.Fatalf("%s (%v): streaming %q = %v", name, p.Strategy(), line, !yes)
		}
		checkPeek(t, rnd, p, m, name, line, yes)
	}
	for from := 0; from < len(buf); {
		if rnd.IntN(4) == 0 {
			m.pace.skip = rnd.IntN(60) // as if the prefilter had lost
		}
		lines, next := m.Lines(nil, buf, from)
		if next <= from || next > len(buf) || next < len(buf) && buf[next-1] != p.term {
			t.Fatalf("%s (%v): Lines of %q from %d goes on at %d", name, p.Strategy(), buf, from, next)
		}
		for _, l := range lines {
			if l.Start < from || l.End > next {
				t.Fatalf("%s (%v): Lines of %q from %d to %d holds %v", name, p.Strategy(), buf, from, next, l)
			}
			got = append(got, [2]int{l.Start, l.End})
		}
		from = next
	}
	checkSkip(t, p, m, name, buf, expected)
	if n := m.Count(buf, 0); n != len(expected) {
		t.Fatalf("%s (%v) in %q: counts %d lines, want %v", name, p.Strategy(), buf, n, expected)
	}
	if !slices.Equal(got, expected) {
		t.Fatalf("%s (%v) in %q: lines %v, want %v", name, p.Strategy(), buf, got, expected)
	}
}

// checkSkip: what is passed over are whole lines of which none matches.
func checkSkip(t *testing.T, p *Pattern, m *Matcher, name string, buf []byte, expected [][2]int) {
	t.Helper()
	n, v, seen := m.Skip(buf, simd.Look(buf), buf)
	if seen && v != simd.Look(buf) {
		t.Fatalf("%s (%v) saw %+v in %q", name, p.Strategy(), v, buf)
	}
	if n > 0 && buf[n-1] != p.term || len(expected) > 0 && n > expected[0][0] {
		t.Fatalf("%s (%v) in %q: passes over %d bytes, the first line is %v", name, p.Strategy(), buf, n, expected)
	}
}

// Every strategy gives the verdicts of Go's regexp.
func TestAgainstGo(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	seen := map[Strategy]int{}
	for range 3000 {
		pattern := randomPattern(rnd, 3)
		if rnd.IntN(3) == 0 {
			pattern += "|" + randomPattern(rnd, 2)
		}
		s := Spec{Patterns: []string{pattern}, Terminator: '\n', IgnoreCase: rnd.IntN(4) == 0, Line: rnd.IntN(12) == 0}
		p := compile(t, s)
		seen[p.Strategy()]++
		text := pattern
		if s.Line {
			text = "^(?:" + text + ")$"
		}
		if s.IgnoreCase {
			text = "(?i)" + text
		}
		std := regexp.MustCompile(text)
		m := p.NewMatcher()
		for range 4 {
			buf := randomBuffer(rnd, '\n', false)
			checkBuffer(t, rnd, p, m, text, buf, std.Match)
			for _, l := range lines(buf, '\n') {
				checkFind(t, p, m, text, buf[l[0]:l[1]], std)
			}
		}
	}
	for st := MatchAll; st <= Automaton; st++ {
		if seen[st] < 10 && st != LargeSet && (st != BitStreams || simd.Accelerated()) { // of LargeSet: package dictionary
			t.Errorf("%v was chosen %d times only", st, seen[st])
		}
	}
	t.Log(seen)
}

// emptyLoops tells patterns in which Go prefers other spans than it documents: those that repeat
// what may be empty.
var emptyLoops = regexp.MustCompile(`[*?}]\??\)*[*+{?]|\^\)|\$\)|b\)[*+?{]|\|`)

func checkFind(t *testing.T, p *Pattern, m *Matcher, name string, line []byte, std *regexp.Regexp) {
	t.Helper()
	s, e := m.Find(line, 0)
	want := std.FindIndex(line)
	if (s >= 0) != (want != nil) {
		t.Fatalf("%s (%v): Find(%q) = %d, %d, want %v", name, p.Strategy(), line, s, e, want)
	}
	if want != nil && (s != want[0] || e != want[1]) && !emptyLoops.MatchString(name) {
		t.Fatalf("%s (%v): Find(%q) = %d, %d, want %v", name, p.Strategy(), line, s, e, want)
	}
}

// Every strategy gives the verdicts and spans of the automaton, whatever the bytes, the language, the
// flags and the terminator.
func TestAgainstAutomaton(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	seen := map[Strategy]int{}
	for range 2000 {
		s := Spec{
			Terminator: []byte{'\n', 0}[rnd.IntN(2)], IgnoreCase: rnd.IntN(4) == 0, Word: rnd.IntN(4) == 0, Line: rnd.IntN(12) == 0,
		}
		for range 1 + rnd.IntN(2) {
			s.Patterns = append(s.Patterns, randomPattern(rnd, 3))
		}
		switch rnd.IntN(4) {
		case 0:
			s.Syntax = syntax.ERE
			for i, p := range s.Patterns {
				s.Patterns[i] = strings.NewReplacer("(?i:", "(", `\d`, "[0-9]", "*?", "*").Replace(p)
			}
		case 1:
			s.Syntax = syntax.Fixed
			s.Patterns = []string{words[rnd.IntN(len(words))] + words[rnd.IntN(len(words))], words[rnd.IntN(len(words))] + "\xff"}[:1+rnd.IntN(2)]
		}
		p := compile(t, s)
		seen[p.Strategy()]++
		re, err := syntax.Parse(syntax.Spec{
			Patterns: s.Patterns, Syntax: s.Syntax, IgnoreCase: s.IgnoreCase, Word: s.Word, Line: s.Line, Terminator: s.Terminator,
		})
		if err != nil {
			t.Fatal(err)
		}
		program, err := automaton.Compile(re, automaton.Options{Terminator: s.Terminator})
		if err != nil {
			t.Fatal(err)
		}
		oracle, m := program.NewMachine(), p.NewMatcher()
		name := fmt.Sprintf("%+v", s)
		for range 4 {
			buf := randomBuffer(rnd, s.Terminator, true)
			checkBuffer(t, rnd, p, m, name, buf, oracle.MatchLine)
			for _, l := range lines(buf, s.Terminator) {
				line := buf[l[0]:l[1]]
				gs, ge := m.Find(line, 0)
				if ws, we := oracle.Find(line, 0); gs != ws || ge != we {
					t.Fatalf("%s (%v): Find(%q) = %d, %d, want %d, %d", name, p.Strategy(), line, gs, ge, ws, we)
				}
				checkSpans(t, m, oracle, name, line)
			}
		}
	}
	t.Log(seen)
}

// A prefilter whose candidates are everywhere and all fail gives way, and comes back.
func TestPrefilterGivesWay(t *testing.T) {
	p := compile(t, Spec{Patterns: []string{`needle\d\d`}, Terminator: '\n'})
	if p.Strategy() != LiteralPrefilter {
		t.Fatal(p.Strategy())
	}
	m := p.NewMatcher()
	search := func(buf []byte) {
		if n := m.Count(buf, 0); n > 0 {
			t.Fatal("found", n)
		}
	}
	dense := bytes.Repeat([]byte("needle1-\n"), 20_000)
	search(dense)
	if m.pace.stretch == minStretch {
		t.Error("the prefilter was kept although every line is a candidate")
	}
	sparse := bytes.Repeat(append(bytes.Repeat([]byte("-"), 4000), "\nneedle1-\n"...), 3000)
	search(sparse)
	if m.pace.skip > 0 || m.pace.stretch != minStretch {
		t.Errorf("the prefilter has not come back: %+v", m.pace)
	}
	if l, _ := m.Lines(nil, []byte("x\nneedle12\n"), 0); !slices.Equal(l, []Line{{Start: 2, End: 10}}) {
		t.Error(l)
	}
}

// The judgement of a line takes time in proportion to its length, however often a match begins and
// fails, and however far apart the requirements stand: anything else would take minutes here.
func TestLongLines(t *testing.T) {
	const size = 8 << 20
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	for _, c := range []struct {
		pattern string
		line    string
		want    bool
	}{
		{`user=\w+ .*rhost=\d+`, fill("user= ") + "rhost=1", false},
		{`user=\w+ .*rhost=\d+`, fill("rhost= user= "), false},
		{`user=\w+ .*rhost=\d+`, fill("user= ") + "user=x rhost=1", true},
		{`[a-z]+ing\b.*[0-9]{4}`, fill("thing ") + "0123", true},
		{`[a-z]+ing\b.*[0-9]{4}`, fill(" ing ") + "0123", false},
		{`[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}`, fill("1.2 .3. 4.5 ") + "6.7.8.9.", true},
		{`[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}`, fill("1.2 . "), false},
		{`needle[0-9]x.*thread=[0-9]`, fill("needle1 ") + "thread=1 needle1", false},
		{`needle[0-9]x.*thread=[0-9]`, fill("needle1 thread=9 "), false},
		{`\bneedle\b`, fill("needles "), false},
		{`^needle`, fill(" needle"), false},
		{`(?i)k[0-9]sk`, fill("k1s \u2013"), false},
	} {
		p := compile(t, Spec{Patterns: []string{c.pattern}, Terminator: '\n'})
		m := p.NewMatcher()
		if got := m.Count([]byte(c.line+"\n"), 0) == 1; got != c.want {
			t.Errorf("%s in %.20q…: %v", c.pattern, c.line, got)
		}
		if got := m.MatchLine([]byte(c.line)); got != c.want {
			t.Errorf("%s: MatchLine(%.20q…) = %v", c.pattern, c.line, got)
		}
		spans, from := 0, 0
		for from < len(c.line) && spans < 1000 {
			s, e := m.Find([]byte(c.line), from)
			if s < 0 {
				break
			}
			spans, from = spans+1, max(e, s+1)
		}
		if (spans > 0) != c.want {
			t.Errorf("%s in %.20q…: %d spans", c.pattern, c.line, spans)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	buf := bytes.Repeat([]byte("2024-01-01 12:00:00 INFO user=bob did foo 10.0.0.1 status=501 ok\n"), 200)
	for _, pattern := range []string{"foo", "(?i)FOO", `\bfoo\b`, "foo|bar", `user=\w+ .*status=5\d\d`, `\d{1,3}(\.\d{1,3}){3}`, `[a-z]+ing|o+k`, ""} {
		p := compile(t, Spec{Patterns: []string{pattern}, Terminator: '\n'})
		m := p.NewMatcher()
		var found []Line
		run := func() {
			found = found[:0]
			for from := 0; from < len(buf); {
				found, from = m.Lines(found, buf, from)
			}
			for _, l := range found {
				m.Find(buf[l.Start:l.End], 0)
			}
			if n := m.Count(buf, 0); n != 200 || len(found) != 200 {
				t.Errorf("%s: %d lines, counted %d", pattern, len(found), n)
			}
		}
		run()
		if allocs := testing.AllocsPerRun(5, run); allocs > 0 {
			t.Errorf("%s (%v): %v allocations in 200 lines", pattern, p.Strategy(), allocs)
		}
	}
}

// FuzzMatch holds every strategy against the automaton alone.
func FuzzMatch(f *testing.F) {
	for i, p := range pieces {
		f.Add(p+pieces[(i*5+2)%len(pieces)], []byte("xfoo=1.2\nab\xff\n\nbar= s\r\né"), uint8(i))
	}
	f.Add(`user=\w+ .*status=5\d\d`, []byte("user=a status=500\nstatus=501 user=b\n"), uint8(0))
	f.Add("error|warn", []byte("an error\nwarning"), uint8(4))
	f.Fuzz(func(t *testing.T, pattern string, buf []byte, flags uint8) {
		if len(pattern) > 60 || len(buf) > 4096 {
			return
		}
		s := Spec{
			Patterns: []string{pattern}, Syntax: syntax.Syntax(flags & 3), IgnoreCase: flags&4 != 0, Word: flags&8 != 0, Line: flags&16 != 0,
			Terminator: []byte{'\n', 0}[flags>>5&1], MaxProgram: 5000,
		}
		p, err := Compile(s)
		if err != nil {
			return
		}
		oracle := p.program().NewMachine()
		rnd := rand.New(rand.NewPCG(uint64(flags), uint64(len(buf))))
		m := p.NewMatcher()
		checkBuffer(t, rnd, p, m, fmt.Sprintf("%+v", s), buf, oracle.MatchLine)
		for _, l := range lines(buf, p.term) {
			line := buf[l[0]:l[1]]
			gs, ge := m.Find(line, 0)
			if ws, we := oracle.Find(line, 0); gs != ws || ge != we {
				t.Fatalf("%+v: Find(%q) = %d, %d, want %d, %d", s, line, gs, ge, ws, we)
			}
			checkSpans(t, m, oracle, fmt.Sprintf("%+v", s), line)
		}
	})
}

// What makes the DFA's cache thrash is left to bit streams where there are any, and lines come out the same.
func TestThrashGivesWay(t *testing.T) {
	rnd := rand.New(rand.NewPCG(13, 14))
	var b bytes.Buffer
	for b.Len() < 256<<10 {
		for range 200 {
			b.WriteByte("ab"[rnd.IntN(2)])
		}
		b.WriteString([]string{"\n", "c\n"}[rnd.IntN(2)])
	}
	text := b.Bytes()
	for _, pattern := range []string{`(a|b)*a(a|b){12}c`, `^[ab]*a[ab]{20}b[ab]{20}bc`, `(a|bb)a(a|b|bb){15}c`, `b(aa|ab)*a[ab]{20}bc`} {
		p := compile(t, Spec{Patterns: []string{pattern}, Terminator: '\n'})
		std := regexp.MustCompile(pattern)
		m := p.NewMatcher()
		got, want := 0, 0
		for _, l := range lines(text, '\n') {
			if std.Match(text[l[0]:l[1]]) {
				want++
			}
		}
		for from := 0; from < len(text); {
			end := min(from+64<<10, len(text))
			end = from + bytes.LastIndexByte(text[from:end], '\n') + 1
			got += m.Count(text[from:end], 0)
			from = end
		}
		if got != want || want == 0 {
			t.Errorf("%s: %d lines, want %d", pattern, got, want)
		}
		if p.streams == nil || m.m == nil {
			continue
		}
		if n := m.m.Stats().NFABytes; n > int64(len(text))/10 {
			t.Errorf("%s: %d of %d bytes simulated", pattern, n, len(text))
		}
	}
}
