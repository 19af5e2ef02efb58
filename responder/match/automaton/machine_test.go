package automaton

import (
	"bytes"
	"slices"
	"testing"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// TestMatches holds what lines match, in cases that are worth naming.
func TestMatches(t *testing.T) {
	const re2, ere = syntax.RE2, syntax.ERE
	for _, c := range []struct {
		pattern string
		syntax  syntax.Syntax
		word    bool
		line    string
		s, e    int
	}{
		{"a+?b", re2, false, "xaab", 1, 4},
		{"a|ab", re2, false, "xab", 1, 2}, // leftmost-first
		{"a|ab", ere, false, "xab", 1, 3}, // leftmost-longest
		{"abcd|bc", ere, false, "abce", 1, 3},
		{"(a|ab)(c|bcd)", ere, false, "abcd", 0, 4},
		{"a*", re2, false, "baa", 0, 0},
		{`\Bb`, re2, false, "éb", -1, -1}, // é is no word character of RE2
		{`\Bb`, ere, false, "éb", 2, 3},   // but one of GNU's
		{`\bb`, ere, false, "éb", -1, -1},
		{`é\b`, ere, false, "é é", 0, 2},
		{`\<б+\>`, ere, false, "xб б бy ббб", 4, 6},
		{`\B`, re2, false, "a日", 4, 4}, // not inside a character
		{"b", ere, true, "éb", -1, -1},
		{"b", ere, true, "\xc3b\xa9", 1, 2}, // an invalid byte is no word character
		{"b", ere, true, "b\u0301 b", 0, 1},
		{".", re2, false, "\xff\xc3", -1, -1},
		{"a.*b", re2, false, "a\xffb", -1, -1},
		{"[^x]", re2, false, "\xffé", 1, 3},
		{"^$", re2, false, "", 0, 0},
		{"^.*$", re2, false, "", 0, 0},
		{"x$", re2, false, "x\r", -1, -1}, // CR is a character
		{"x.$", re2, false, "x\r", 0, 2},
		{"\xa9", ere, false, "é", 1, 2}, // a byte is found inside a character, as GNU grep does
		{"\xa9", ere, true, "é", -1, -1},
		{"x\xc3", ere, false, "xé", 0, 2},
		{"\xc3z|éx", ere, false, "\xc3éx", 1, 4},
		{"(a??)*", re2, false, "aa", 0, 0}, // an empty turn ends the loop
		{"[xy]*\xc3.*", ere, false, "xé", 0, 2},
	} {
		re, err := syntax.Parse(syntax.Spec{Patterns: []string{c.pattern}, Syntax: c.syntax, Word: c.word, Terminator: '\n'})
		if err != nil {
			t.Fatal(err)
		}
		for name, m := range variants(t, re, '\n') {
			line := []byte(c.line)
			if got := m.MatchLine(line); got != (c.s >= 0) {
				t.Errorf("%s: %q on %q: %v", name, c.pattern, c.line, got)
			}
			if s, e := m.Find(line, 0); s != c.s || e != c.e {
				t.Errorf("%s: %q in %q: %d, %d, want %d, %d", name, c.pattern, c.line, s, e, c.s, c.e)
			}
		}
	}
}

// TestUsesTables guards that nothing but a thrashing cache makes a machine slow: assertions about Unicode words,
// text beyond ASCII and invalid bytes are all decided by the DFA.
func TestUsesTables(t *testing.T) {
	re, err := syntax.Parse(syntax.Spec{Patterns: []string{`\bприв[а-я]+\b.*\B5`}, Syntax: syntax.ERE, Word: true, Terminator: '\n'})
	if err != nil {
		t.Fatal(err)
	}
	m := machine(t, re, Options{Terminator: '\n'})
	var buf []byte
	for range 1000 {
		buf = append(buf, "привет, мир 15\nпривет\xff 日本 5\nприве́т 45 \xc3\n"...)
	}
	all, _ := m.Lines(nil, buf, 0)
	for from := 0; from < len(buf); {
		all, from = m.Lines(all, buf, from)
	}
	if len(all) < 1000 {
		t.Errorf("%d lines", len(all))
	}
	for _, l := range all {
		m.Find(buf[l.Start:l.End], 0)
	}
	if st := m.Stats(); st.NFABytes > 0 || st.Flushes > 0 || st.Threads > 0 || st.Spans == 0 {
		t.Errorf("%+v", st)
	}
}

func TestManyAlternatives(t *testing.T) {
	r := newRandom(1)
	var words []string
	for range 1000 {
		w := ""
		for range 4 + r.IntN(8) {
			w += string(rune('a' + r.IntN(26)))
		}
		words = append(words, w)
	}
	re, err := syntax.Parse(syntax.Spec{Patterns: words, Syntax: syntax.Fixed, Terminator: '\n'})
	if err != nil {
		t.Fatal(err)
	}
	m := machine(t, re, Options{Terminator: '\n'})
	buf := logLines(1 << 18)
	for i := range 20 {
		buf = append(append(buf, words[i*50]...), '\n')
	}
	n := 0
	for from := 0; from < len(buf); {
		var ls []Line
		ls, from = m.Lines(ls, buf, from)
		n += len(ls)
	}
	if st := m.Stats(); n < 20 || st.Flushes > 0 {
		t.Errorf("%d lines, %+v", n, st)
	}
}

// TestLanes holds Lines and Next, with lanes of the usual size, against MatchLine, from several starts on.
func TestLanes(t *testing.T) {
	buf := logLines(100 << 10)
	buf = append(buf, "some reading 1234 that is the last line"...)
	for i := 5_000; i < len(buf); i += 977 { // a few characters of other kinds
		if buf[i] == ' ' || buf[i] == 'e' {
			copy(buf[i:], []string{"é", "\xff", "\n", "б"}[i%4])
		}
	}
	for _, bp := range benchPatterns {
		re, err := syntax.Parse(syntax.Spec{Patterns: []string{bp.pattern}, Syntax: bp.syntax, Word: bp.word, Terminator: '\n'})
		if err != nil {
			t.Fatal(err)
		}
		for _, cache := range []int{0, 1 << 11} {
			m, single := machine(t, re, Options{Terminator: '\n', CacheBytes: cache}), machine(t, re, Options{Terminator: '\n'})
			for _, start := range []int{0, 29_000, 58_000, 90_000, len(buf) - 200} {
				from := start + 1 + bytes.IndexByte(buf[start:], '\n')
				var want []Line
				at := from
				for _, l := range lines(buf[from:], '\n') {
					if single.MatchLine(l) {
						want = append(want, Line{Start: at, End: at + len(l)})
					}
					at += len(l) + 1
				}
				var got, next []Line
				for i := from; i < len(buf); {
					got, i = m.Lines(got, buf, i)
				}
				for i := from; i < len(buf); {
					s, e := m.Next(buf, i)
					if s < 0 {
						break
					}
					next, i = append(next, Line{Start: s, End: e}), e+1
				}
				if !slices.Equal(got, want) || !slices.Equal(next, want) {
					t.Fatalf("%s, cache %d, from %d: %d lines, by Lines %d, by Next %d", bp.name, cache, from, len(want), len(got), len(next))
				}
			}
		}
	}
}

// TestFlushKeepsPlaces runs a pattern of many states in a cache of few, which one search flushes under the other.
func TestFlushKeepsPlaces(t *testing.T) {
	re := parse(t, `^(a|b)*a(a|b){6}(c|\bd)`, syntax.RE2)
	m, sure := machine(t, re, Options{Terminator: '\n', CacheBytes: 1}), machine(t, re, Options{Terminator: '\n'})
	m.line.never, m.line.maxStates = true, numCursors+2
	m.line.sizes = laneSizes{1, 1, 64}
	sure.line.simulate = 1 << 60
	r := newRandom(5)
	var buf []byte
	for range 400 {
		for range r.IntN(60) {
			buf = append(buf, "ab"[r.IntN(2)])
		}
		buf = append(buf, []string{"c\n", "\n", "c", "d\n"}[r.IntN(4)]...)
	}
	var want, got []Line
	at := 0
	for _, l := range lines(buf, '\n') {
		matches := sure.MatchLine(l)
		if matches {
			want = append(want, Line{Start: at, End: at + len(l)})
		}
		at += len(l) + 1
		for k := range l {
			m.Feed(l[k : k+1])
			m.MatchLine(buf[at%1000 : at%1000+40])
		}
		if m.EndLine() != matches {
			t.Fatalf("%q fed byte by byte: %v", l, !matches)
		}
	}
	for from := 0; from < len(buf); {
		got, from = m.Lines(got, buf, from)
	}
	if len(want) < 20 || !slices.Equal(got, want) {
		t.Errorf("Lines: %d, want %d", len(got), len(want))
	}
	if m.Stats().Flushes < 100 || m.Stats().NFABytes > 0 {
		t.Errorf("%+v", m.Stats())
	}
}
