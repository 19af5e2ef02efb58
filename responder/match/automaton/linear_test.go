package automaton

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

func parse(t testing.TB, pattern string, s syntax.Syntax) *syntax.Regexp {
	t.Helper()
	re, err := syntax.Parse(syntax.Spec{Patterns: []string{pattern}, Syntax: s, Terminator: '\n'})
	if err != nil {
		t.Fatal(err)
	}
	return re
}

func machine(t testing.TB, re *syntax.Regexp, o Options) *Machine {
	t.Helper()
	p, err := Compile(re, o)
	if err != nil {
		t.Fatal(err)
	}
	return p.NewMachine()
}

// catastrophe is a pattern and a text, a piece to repeat and a tail, on which a backtracking matcher takes exponential or
// polynomial time, a DFA exponential memory, or a search for all spans, one by one, the square of the time.
type catastrophe struct {
	pattern, piece, tail string
	syntax               syntax.Syntax
}

var catastrophes = []catastrophe{
	{pattern: `(a*)*b`, piece: "a"},
	{pattern: `(a|aa)+$`, piece: "a", tail: "b"},
	{pattern: `(x+x+)+y`, piece: "x"},
	{pattern: `(.*)(.*)(.*)(.*)[0-9]x`, piece: "ab 7 "},
	{pattern: `(a?){30}a{30}`, piece: "aaab"},
	{pattern: `(a|b)*a(a|b){18}c`, piece: "abbaabab"},
	{pattern: `(a|b)*a(a|b){18}c`}, // of random a and b, see below
	{pattern: `.*.*=.*`, piece: "x"},
	{pattern: `([a-z]+)*[0-9]`, piece: "a"},
	{pattern: `((a{0,8}){0,8}){0,8}b`, piece: "a"},
	{pattern: `(.{0,50}){0,20}x`, piece: "ab"},
	{pattern: `\b(\w+\s?)*$`, piece: "word ", tail: "!"},
	{pattern: `(\w|é|.)+x`, piece: "é"},
	{pattern: `^(([a-z])+.)+[A-Z]([a-z])+$`, piece: "a"},

	// Spans: each match, or each start of what is none, is followed to the end of the line.
	{pattern: `a.*b|a`, piece: "a"},
	{pattern: `a.*b|c`, piece: "ac"},
	{pattern: `(a.*)?a`, piece: "a", tail: "b"},
	{pattern: `a(.*b)??(.*c)?`, piece: "a"},
	{pattern: `(x+x+)+y|x`, piece: "x"},
	{pattern: `[a-z]+[0-9]|[a-z]`, piece: "abc"},
	{pattern: `\w+@\w+|\w`, piece: "word "},
	{pattern: `\w+@\w+|\w`, piece: "é"},
	{pattern: `\ba\b.*\bb\b|\ba\b`, piece: "a "},
	{pattern: `é.*x|é|$`, piece: "éa"},
	{pattern: `(.*,)*;|,`, piece: "a,"},
	{pattern: `a(a|b)*c|(a|b){18}b`},
	{pattern: "\xff.*b|\xff|\x80", piece: "\xffé", syntax: syntax.ERE},
	{pattern: `x*.*y|x*`, piece: "xz"},
}

func (c catastrophe) text(n int) []byte {
	if c.piece == "" {
		r := newRandom(3)
		out := make([]byte, n)
		for i := range out {
			out[i] = "ab"[r.IntN(2)]
		}
		return out
	}
	return append(bytes.Repeat([]byte(c.piece), n/len(c.piece)), c.tail...)
}

// effort counts what a search did: bytes looked up in tables and instructions visited.
func effort(m *Machine, do func()) int64 {
	before := m.Stats()
	do()
	after := m.Stats()
	return after.DFABytes - before.DFABytes + after.NFABytes - before.NFABytes + after.SpanBytes - before.SpanBytes +
		after.Work - before.Work
}

// TestEffortIsLinear: twice the text takes twice the steps, whatever is asked.
func TestEffortIsLinear(t *testing.T) {
	const n = 800
	tasks := map[string]func(m *Machine, line []byte){
		"matching": func(m *Machine, line []byte) { m.MatchLine(line) },
		"finding":  func(m *Machine, line []byte) { m.Find(line, 0) },
		"finding all": func(m *Machine, line []byte) {
			m.Begin(line)
			allSpans(line, m.FindFrom)
		},
	}
	for _, c := range catastrophes {
		for _, longest := range []bool{false, true} {
			for _, cache := range []int{1, 0} {
				re := parse(t, c.pattern, c.syntax)
				re.Longest = longest
				for task, do := range tasks {
					what := fmt.Sprintf("%s, longest %v, cache %d: %s", c.pattern, longest, cache, task)
					before := int64(math.MaxInt32)
					for k := int64(n); k <= 4*n; k *= 2 {
						m := machine(t, re, Options{Terminator: '\n', CacheBytes: cache})
						steps, size := effort(m, func() { do(m, c.text(int(k))) }), int64(m.p.Size())
						if most := (8*size + 64) * k; steps > most {
							t.Errorf("%s of %d bytes took %d steps, more than %d", what, k, steps, most)
						}
						// few steps may grow for a while, until the caches are full
						if most := max(before*5/2, 2*size*k); steps > most {
							t.Errorf("%s took %d steps, with half as much text %d", what, steps, before)
						}
						before = steps
					}
				}
			}
		}
	}
}

// TestReachOfLongLines holds the spans that a reach finds, where it takes more than one level, against those found without.
func TestReachOfLongLines(t *testing.T) {
	r := newRandom(5)
	for _, c := range catastrophes {
		for _, longest := range []bool{false, true} {
			re := parse(t, c.pattern, c.syntax)
			re.Longest = longest
			plain, m := machine(t, re, Options{Terminator: '\n'}), machine(t, re, Options{Terminator: '\n'})
			plain.Begin(nil)
			plain.span.spare = 1 << 60
			m.Begin(nil)
			m.span.spare = -1 << 60
			var line []byte
			for len(line) <= maxFan+100 {
				line = append(line, []string{c.piece, c.piece, c.tail, "a", "é\xffb", "b "}[r.IntN(6)]...)
			}
			plain.Begin(line)
			want := allSpans(line, plain.FindFrom)
			m.Begin(line)
			if got := allSpans(line, m.FindFrom); !slices.Equal(got, want) {
				t.Errorf("%s, longest %v: other spans with a reach", c.pattern, longest)
			}
			if m.Stats().Reached == 0 || len(m.span.reach.levels) < 2 || plain.Stats().Reached > 0 {
				t.Errorf("%s: %d levels", c.pattern, len(m.span.reach.levels))
			}
		}
	}
}

// TestCacheIsBounded runs a pattern that has 2^20 states over text that visits new ones all the time.
func TestCacheIsBounded(t *testing.T) {
	const bound = 1 << 18
	line := catastrophe{}.text(1 << 20)
	m := machine(t, parse(t, `(a|b)*a(a|b){20}c`, syntax.RE2), Options{Terminator: '\n', CacheBytes: bound})
	if m.MatchLine(line) {
		t.Error("matches")
	}
	if s, _ := m.Find(line, 0); s >= 0 {
		t.Error("found")
	}
	st := m.Stats()
	if st.Bytes > bound*5/4 {
		t.Errorf("caches hold %d bytes, the bound is %d", st.Bytes, bound)
	}
	if st.Flushes == 0 || st.NFABytes < int64(len(line))/2 || st.Threads == 0 {
		t.Errorf("the caches were not given up: %+v", st)
	}
	if max := int64(len(line)) / 8; st.States > max {
		t.Errorf("%d states built", st.States)
	}
}

func TestProgramTooLarge(t *testing.T) {
	deep := &syntax.Node{Op: syntax.OpClass, Class: []rune{'a', 'a'}}
	for range 40 {
		deep = &syntax.Node{Op: syntax.OpRepeat, Sub: []*syntax.Node{deep}, Min: 100, Max: 1000}
	}
	var e *SizeError
	if _, err := Compile(&syntax.Regexp{Root: deep}, Options{}); !errors.As(err, &e) || e.Size != math.MaxInt {
		t.Errorf("got %v", err)
	}
	re := parse(t, `(abc){100}`, syntax.RE2)
	if _, err := Compile(re, Options{MaxProgram: 200}); !errors.As(err, &e) || e.Limit != 200 || !strings.Contains(err.Error(), "limit is 200") {
		t.Errorf("got %v", err)
	}
	if _, err := Compile(re, Options{MaxProgram: 2000}); err != nil {
		t.Error(err)
	}
}

// TestProgramsAreSmall guards that a class is one instruction however many ranges it has.
func TestProgramsAreSmall(t *testing.T) {
	for pattern, most := range map[string]int{`\w`: 3, `\w{100}`: 102, `.*`: 5, `[^a]+x`: 7, `\pL+\pN{3}`: 9, `(foo|bar|fox)`: 13} {
		if n := machine(t, parse(t, pattern, syntax.ERE), Options{Terminator: '\n'}).p.Size(); n > most && !strings.Contains(pattern, `\p`) {
			t.Errorf("%s takes %d instructions, want at most %d", pattern, n, most)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	buf := logLines(64 << 10)
	ls := lines(buf, '\n')
	for _, bp := range benchPatterns {
		for _, cache := range []int{0, 1 << 12} {
			re, err := syntax.Parse(syntax.Spec{Patterns: []string{bp.pattern}, Syntax: bp.syntax, Word: bp.word, Terminator: '\n'})
			if err != nil {
				t.Fatal(err)
			}
			m := machine(t, re, Options{Terminator: '\n', CacheBytes: cache})
			all := make([]Line, 0, len(ls))
			run := func() {
				for from := 0; from < len(buf); {
					all, from = m.Lines(all[:0], buf, from)
				}
				for from := 0; ; {
					s, e := m.Next(buf, from)
					if s < 0 {
						break
					}
					m.Find(buf[s:e], 0)
					from = e + 1
				}
				for i, l := range ls[:50] {
					m.MatchLine(l)
					m.Feed(l[:i%(len(l)+1)])
					m.Feed(l[i%(len(l)+1):])
					m.EndLine()
					m.Find(l, 0)
				}
				m.span.spare = -1 << 60 // with a reach
				for _, l := range ls[:50] {
					m.Begin(l)
					for from := 0; from < len(l); {
						s, e := m.FindFrom(from)
						if s < 0 {
							break
						}
						from = max(e, s+1)
					}
				}
				m.span.spare = spanSpare
			}
			for range 4 {
				run()
			}
			if n := testing.AllocsPerRun(5, run); n > 0 {
				t.Errorf("%s, cache %d: %v allocations a run", bp.name, cache, n)
			}
		}
	}
}
