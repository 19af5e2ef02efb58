package match

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// checkPeek: pieces of a line tell what the line is, or nothing. It returns whether they tell.
func checkPeek(t *testing.T, rnd *rand.Rand, p *Pattern, m *Matcher, name string, line []byte, want bool) (sure bool) {
	t.Helper()
	may, surely := m.Peeks()
	if !may {
		return false
	}
	m.BeginPeek()
	for rest, more := line, true; more && len(rest) > 0; {
		n := 1 + rnd.IntN(min(len(rest), 1+rnd.IntN(12)))
		more = m.Peek(rest[:n])
		rest = rest[n:]
	}
	matched, sure := m.EndPeek()
	if sure && matched != want || surely && !sure {
		t.Fatalf("%s (%v): peeking at %q: %v, sure %v (always %v)", name, p.Strategy(), line, matched, sure, surely)
	}
	return sure
}

// What is looked for is seen wherever the line is cut, in two and in three, and a line without it is
// known not to match.
func TestPeekAtBorders(t *testing.T) {
	for _, c := range []struct {
		pattern, hit string
		strategy     Strategy
		exact        bool // a hit is known to match
	}{
		{"needle", "needle", ExactLiteral, true},
		{"(?i)needle", "nEEdLe", FoldedLiteral, true},
		{"(?i)disk", "DISK", FoldedLiteral, false}, // may be found in lines with a Kelvin sign
		{"(?i)disk", "di\u017fk", FoldedLiteral, false},
		{"(?i)disk", "dis\u212a", FoldedLiteral, false},
		{`\bneedle\b`, "needle", BoundedLiteral, false},
		{`^needle`, "needle", BoundedLiteral, false},
		{"needle|pin|thimble", "thimble", LiteralSet, true},
		{"needle|pin|thimble", "pin", LiteralSet, true},
		{`needle=[a-z]+x`, "needle=abx", LiteralPrefilter, false},
		{`(needle|pin|thimble)[a-z]+\d`, "thimblex5", SetPrefilter, false},
		{`\d\.\d`, "7.8", WindowPrefilter, false},
	} {
		p := compile(t, Spec{Patterns: []string{c.pattern}, Terminator: '\n'})
		if p.Strategy() != c.strategy {
			t.Errorf("%s: %v, want %v", c.pattern, p.Strategy(), c.strategy)
		}
		m := p.NewMatcher()
		peek := func(pieces ...string) (bool, bool) {
			m.BeginPeek()
			for _, piece := range pieces {
				m.Peek([]byte(piece))
			}
			return m.EndPeek()
		}
		line := "some " + c.hit + " text"
		for i := range len(line) + 1 {
			for j := i; j <= len(line); j++ {
				matched, sure := peek(line[:i], line[i:j], line[j:])
				if !matched || sure != c.exact {
					t.Errorf("%s in %q, %q, %q: %v, sure %v", c.pattern, line[:i], line[i:j], line[j:], matched, sure)
				}
			}
		}
		if matched, sure := peek("some ", "need", "ful", " text"); matched || !sure {
			t.Errorf("%s: not in the line: %v, sure %v", c.pattern, matched, sure)
		}
	}
}

// Any strategy, text and way to cut it: what peeking is sure of is what the automaton says, and where
// the pattern needs something rare, it is sure.
func TestPeekAgainstAutomaton(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 3))
	sure, lines := map[Strategy]int{}, map[Strategy]int{}
	for range 1500 {
		s := Spec{
			Patterns: []string{randomPattern(rnd, 3)}, Terminator: '\n',
			IgnoreCase: rnd.IntN(3) == 0, Word: rnd.IntN(4) == 0, Line: rnd.IntN(8) == 0,
		}
		p := compile(t, s)
		m, oracle := p.NewMatcher(), p.program().NewMachine()
		for range 6 {
			line := bytes.ReplaceAll(randomBuffer(rnd, ' ', true), []byte("\n"), nil)
			lines[p.Strategy()]++
			if checkPeek(t, rnd, p, m, s.Patterns[0], line, oracle.MatchLine(line)) {
				sure[p.Strategy()]++
			}
		}
	}
	for _, st := range []Strategy{ExactLiteral, LiteralSet, LiteralPrefilter} {
		if sure[st] < 50 {
			t.Errorf("%v: sure of %d of %d lines only", st, sure[st], lines[st])
		}
	}
}

// Nothing is allocated, once the borders' buffers have grown.
func TestPeekAllocatesNothing(t *testing.T) {
	m := compile(t, Spec{Patterns: []string{strings.Repeat("needle", 30)}, Terminator: '\n'}).NewMatcher()
	piece := []byte(strings.Repeat("hay", 1000))
	run := func() {
		m.BeginPeek()
		for i := range 10 {
			m.Peek(piece[:i*i*i])
			m.Peek(piece)
		}
		m.EndPeek()
	}
	run()
	if n := testing.AllocsPerRun(10, run); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
