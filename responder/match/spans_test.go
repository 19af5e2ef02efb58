package match

import (
	"bytes"
	"testing"

	"github.com/trawl-logs/trawl/responder/match/automaton"
	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// checkSpans holds the spans of a line against those that the automaton finds one by one, each as if it were the first.
func checkSpans(t *testing.T, m *Matcher, oracle *automaton.Machine, name string, line []byte) {
	t.Helper()
	m.Begin(line)
	for from := 0; ; {
		ws, we := -1, -1
		for from < len(line) {
			if ws, we = oracle.Find(line, from); ws < 0 || ws < we {
				break
			}
			from = ws + 1
		}
		if ws == we {
			ws, we = -1, -1
		}
		if s, e := m.NextSpan(); s != ws || e != we {
			t.Fatalf("%s (%v): a span of %q from %d on: %d, %d, want %d, %d", name, m.p.Strategy(), line, from, s, e, ws, we)
		}
		if from = we; ws < 0 {
			return
		}
	}
}

// TestSpansAreLinear: the spans of a line twice as long take twice the steps, with whatever strategy they are found.
func TestSpansAreLinear(t *testing.T) {
	for _, c := range []struct {
		spec  Spec
		piece string
	}{
		{Spec{Patterns: []string{`a.*b|a`}}, "a"},
		{Spec{Patterns: []string{`a.*b|a`}, Syntax: syntax.ERE}, "a"},
		{Spec{Patterns: []string{`a.*b|a`}, IgnoreCase: true, Word: true}, "A "},
		{Spec{Patterns: []string{`a.*b`, `a`}}, "a"},
		{Spec{Patterns: []string{`foo.*bar|foo=[0-9]`}}, "foo=1 "},
		{Spec{Patterns: []string{`[a-z]+ing.*[0-9]{4}|[a-z]+ing`}}, "thing "},
		{Spec{Patterns: []string{`[0-9]{1,3}(\.[0-9]{1,3})*x|[0-9]`}}, "1.2.3."},
		{Spec{Patterns: []string{`\w+@\w+|\w`}}, "word"},
		{Spec{Patterns: []string{`(.*,)*;|,`}, Syntax: syntax.ERE}, "a,"},
		{Spec{Patterns: []string{`.*;|.`}, Line: true}, "a,"},
		{Spec{Patterns: []string{`k`}, IgnoreCase: true}, "\u212a"}, // of which the search for the letter knows nothing
		{Spec{Patterns: []string{`k`}, IgnoreCase: true, Word: true}, "\u212a-ss "},
		{Spec{Patterns: []string{`sk`, `ks`}, IgnoreCase: true}, "ſ\u212a"},
		{Spec{Patterns: []string{`a`, `aaaaaaaab`}, Syntax: syntax.Fixed}, "a"},
		{Spec{Patterns: []string{`$|x*`}}, "xé"},
	} {
		var before int64
		for n := 2_000; n <= 16_000; n *= 2 {
			c.spec.Terminator = '\n'
			m := compile(t, c.spec).NewMatcher()
			line := bytes.Repeat([]byte(c.piece), n/len(c.piece))
			spans := 0
			m.Begin(line)
			for s, e := m.NextSpan(); s >= 0; s, e = m.NextSpan() {
				if spans++; e > len(line) {
					t.Fatal(s, e)
				}
			}
			steps := int64(m.spans.read)
			if m.m != nil {
				s := m.m.Stats()
				steps += s.DFABytes + s.NFABytes + s.SpanBytes + s.Work
			}
			if most := max(before*5/2, int64(60*n)); steps > most {
				t.Errorf("%v: %d spans of %d bytes took %d steps, with half as much text %d", c.spec, spans, n, steps, before)
			}
			before = steps
		}
	}
}

// TestSpansBeginBetweenCharacters: what follows an empty match is not looked for from inside of a character.
func TestSpansBeginBetweenCharacters(t *testing.T) {
	for _, c := range []struct {
		pattern, line string
		want          int
	}{
		{`\ba|\b`, "éa", 0},
		{`\ba|\b`, "é a", 1},
		{`é*?|a`, "éa", 2},
		{`(\Ba|\b)`, "éa", 1},
	} {
		m := compile(t, Spec{Patterns: []string{c.pattern}, Syntax: syntax.ERE, Terminator: '\n'}).NewMatcher()
		m.Begin([]byte(c.line))
		spans := 0
		for s, _ := m.NextSpan(); s >= 0; s, _ = m.NextSpan() {
			spans++
		}
		if spans != c.want {
			t.Errorf("%s in %s: %d spans", c.pattern, c.line, spans)
		}
	}
}
