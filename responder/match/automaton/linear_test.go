package automaton

import (
	"bytes"
	"errors"
	"math"
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

// catastrophic are patterns and texts (a piece to repeat, and a tail) on which a backtracking matcher takes exponential or
// polynomial time, and some a DFA takes exponential memory.
var catastrophic = []struct{ pattern, piece, tail string }{
	{`(a*)*b`, "a", ""},
	{`(a|aa)+$`, "a", "b"},
	{`(x+x+)+y`, "x", ""},
	{`(.*)(.*)(.*)(.*)[0-9]x`, "ab 7 ", ""},
	{`(a?){30}a{30}`, "aaab", ""},
	{`(a|b)*a(a|b){18}c`, "abbaabab", ""},
	{`(a|b)*a(a|b){18}c`, "", ""}, // of random a and b, see below
	{`.*.*=.*`, "x", ""},
	{`([a-z]+)*[0-9]`, "a", ""},
	{`((a{0,8}){0,8}){0,8}b`, "a", ""},
	{`(.{0,50}){0,20}x`, "ab", ""},
	{`\b(\w+\s?)*$`, "word ", "!"},
	{`(\w|é|.)+x`, "é", ""},
	{`^(([a-z])+.)+[A-Z]([a-z])+$`, "a", ""},
}

func catastrophe(piece, tail string, n int) []byte {
	if piece == "" {
		r := newRandom(3)
		out := make([]byte, n)
		for i := range out {
			out[i] = "ab"[r.IntN(2)]
		}
		return out
	}
	return append(bytes.Repeat([]byte(piece), n/len(piece)), tail...)
}

// effort counts what a search did: bytes looked up in tables and instructions visited.
func effort(m *Machine, do func()) int64 {
	before := m.Stats()
	do()
	after := m.Stats()
	return after.DFABytes - before.DFABytes + after.Work - before.Work
}

func TestEffortIsLinear(t *testing.T) {
	const n = 2_500
	for _, c := range catastrophic {
		for _, longest := range []bool{false, true} {
			for _, cache := range []int{1, 0} {
				re := parse(t, c.pattern, syntax.RE2)
				re.Longest = longest
				var match, find [2]int64
				size := 0
				for i, k := range []int{n, 4 * n} {
					line := catastrophe(c.piece, c.tail, k)
					m := machine(t, re, Options{Terminator: '\n', CacheBytes: cache})
					size = m.p.Size()
					match[i] = effort(m, func() { m.MatchLine(line) })
					find[i] = effort(m, func() { m.Find(line, 0) })
				}
				what := "matching"
				for _, e := range [][2]int64{match, find} {
					// two searches of a span, each may be given up once, and a simulation after that
					if bound := int64(8*size+64) * 4 * n; e[1] > bound {
						t.Errorf("%s, longest %v, cache %d: %s %d bytes took %d steps, more than %d",
							c.pattern, longest, cache, what, 4*n, e[1], bound)
					}
					if e[1] > 6*e[0]+int64(200*size) {
						t.Errorf("%s, longest %v, cache %d: %s took %d steps, on four times as much %d",
							c.pattern, longest, cache, what, e[0], e[1])
					}
					what = "finding"
				}
			}
		}
	}
}

// TestCacheIsBounded runs a pattern that has 2^20 states over text that visits new ones all the time.
func TestCacheIsBounded(t *testing.T) {
	const bound = 1 << 18
	line := catastrophe("", "", 1<<20)
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
