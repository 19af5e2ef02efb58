package syntax

import (
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"unicode/utf8"
)

func TestErrors(t *testing.T) {
	long := strings.Repeat("a", DefaultBytes+1)
	for _, c := range []struct {
		name string
		spec Spec
		want string // part of the message
	}{
		{"terminator", Spec{Patterns: []string{`a\nb`}, Terminator: '\n'}, "line terminator"},
		{"terminator in a class", Spec{Patterns: []string{`a[\n]b`}, Terminator: '\n'}, "line terminator"},
		{"NUL terminator", Spec{Patterns: []string{`a\x00b`}}, "line terminator"},
		{"look-ahead", Spec{Patterns: []string{`a(?=b)`}}, "look-around"},
		{"look-behind", Spec{Patterns: []string{`(?<!b)a`}}, "look-around"},
		{"look-ahead in ERE", Spec{Patterns: []string{`.*o(?!.*s)`}, Syntax: ERE}, "look-around"},
		{"look-behind in ERE", Spec{Patterns: []string{`(?<=o)s`}, Syntax: ERE}, "look-around"},
		{"back-reference", Spec{Patterns: []string{`(a)\1`}}, "back-reference"},
		{"back-reference in ERE", Spec{Patterns: []string{`(a)\1`}, Syntax: ERE}, "back-reference"},
		{"back-reference in BRE", Spec{Patterns: []string{`\(a\)\1`}, Syntax: BRE}, "back-reference"},
		{"names the pattern", Spec{Patterns: []string{"ok\n(bad"}, Syntax: ERE}, `pattern "(bad"`},
		{"nested repeat, RE2", Spec{Patterns: []string{"((a{1000}){1000}){1000}"}}, "limit of 1000"},
		{"nested repeat, ERE", Spec{Patterns: []string{"((a{1000}){1000}){1000}"}, Syntax: ERE}, "limit of 524288 characters"},
		{"nested repeat, BRE", Spec{Patterns: []string{`\(\(a\{1000\}\)\{1000\}\)*`}, Syntax: BRE}, "limit of 524288 characters"},
		{"number overflow", Spec{Patterns: []string{"a{99999999999999999999}"}, Syntax: ERE}, "limit of 32767"},
		{"bytes", Spec{Patterns: []string{long}, Syntax: Fixed}, "limit of 262144"},
		{"patterns", Spec{Patterns: []string{strings.Repeat("a\n", DefaultPatterns)}}, "limit of 1000 patterns"},
		{"depth, RE2", Spec{Patterns: []string{strings.Repeat("(", 5000) + strings.Repeat(")", 5000)}}, "limit of 1000"},
		{"depth, ERE", Spec{Patterns: []string{strings.Repeat("(", 5000) + strings.Repeat(")", 5000)}, Syntax: ERE}, "limit of 1000"},
		{"depth of repeats", Spec{Patterns: []string{"a" + strings.Repeat("{1,2}", 5000)}, Syntax: ERE}, "limit"},
		{"Unicode classes", Spec{Patterns: []string{strings.Repeat(`\pL`, 2000)}}, "limit of 1000"},
		{"invalid UTF-8 and private use", Spec{Patterns: []string{"\xff\U0010FFFF"}}, "private"},
		{"unknown syntax", Spec{Patterns: []string{"a"}, Syntax: 99}, "unknown syntax"},
	} {
		_, err := Parse(c.spec)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		} else if len(err.Error()) > 400 {
			t.Errorf("%s: a message of %d bytes", c.name, len(err.Error()))
		}
	}
}

// A pattern of the largest size costs little more memory than its text, whatever it is made of.
func TestLargePatternsAreCheap(t *testing.T) {
	for _, unit := range []string{"a", "[[:punct:]a]", "a|", "(a)", "*", "\\w", "[ -\u00ff]"} {
		for _, lang := range []Syntax{RE2, ERE, Fixed} {
			if unit == "*" && lang == RE2 {
				continue // an error
			}
			s := Spec{Patterns: []string{strings.Repeat(unit, DefaultBytes/len(unit))}, Syntax: lang, IgnoreCase: lang != RE2}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := Parse(s); err != nil && !strings.Contains(err.Error(), "limit") {
				t.Error(err)
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 160<<20 {
				t.Errorf("%q in syntax %d: %d MiB", unit, lang, got>>20)
			}
		}
	}
}

func TestMeaning(t *testing.T) {
	for _, c := range []struct {
		spec   Spec
		yes    []string
		no     []string
		spanOf string // text whose preferred span is checked, with from and to
		s, e   int
	}{
		{spec: Spec{}, no: []string{"", "a"}},
		{spec: Spec{Patterns: []string{""}}, yes: []string{"", "a"}},
		{spec: Spec{Patterns: []string{"a\nb"}}, yes: []string{"a", "xb"}, no: []string{"c"}},
		{spec: Spec{Patterns: []string{`a\x{ff}`}}, yes: []string{"aÿ"}, no: []string{"a\xff"}},
		{spec: Spec{Patterns: []string{"a\xff"}}, yes: []string{"a\xff"}, no: []string{"aÿ"}},
		{spec: Spec{Patterns: []string{"\xff|\xfe|a"}}, yes: []string{"\xfe", "a"}, no: []string{"\xfd", "þ"}},
		{spec: Spec{Patterns: []string{"[^a]b\xff"}}, yes: []string{"xb\xff", "\U0010FFFEb\xff"}, no: []string{"\xffb\xff"}},
		{spec: Spec{Patterns: []string{"k"}, IgnoreCase: true}, yes: []string{"K", "\u212a"}},
		{spec: Spec{Patterns: []string{"k"}, IgnoreCase: true, Syntax: ERE}, yes: []string{"K"}, no: []string{"\u212a"}},
		{spec: Spec{Patterns: []string{"ab|a.*"}}, yes: []string{"ab"}, spanOf: "xabc", s: 1, e: 3},
		{spec: Spec{Patterns: []string{"ab|a.*"}, Syntax: ERE}, yes: []string{"ab"}, spanOf: "xabc", s: 1, e: 4},
		{spec: Spec{Patterns: []string{"a+?"}}, yes: []string{"a"}, spanOf: "aaa", s: 0, e: 1},
		{spec: Spec{Patterns: []string{"foo"}, Word: true}, yes: []string{"foo", "-foo-", "\xfffoo"}, no: []string{"foob", "éfoo", "_foo"}},
		{spec: Spec{Patterns: []string{"fo|foo"}, Word: true}, yes: []string{"a foo b"}, spanOf: "foo", s: 0, e: 3},
		{spec: Spec{Patterns: []string{"fo", "foo"}, Line: true, Word: true}, yes: []string{"fo", "foo"}, no: []string{"fo "}},
		{spec: Spec{Patterns: []string{`\bé`}}, no: []string{"é", "-é"}, yes: []string{"aé"}},
		{spec: Spec{Patterns: []string{`\bé`}, Syntax: ERE}, yes: []string{"é", "-é"}, no: []string{"aé"}},
		{spec: Spec{Patterns: []string{`(?m)^a$|\Ab\z`}}, yes: []string{"a", "b"}, no: []string{"aa", "ab"}},
		{spec: Spec{Patterns: []string{"a.b"}}, yes: []string{"a\nb"}}, // with -z a line may hold newlines
	} {
		re, err := Parse(c.spec)
		if err != nil {
			t.Errorf("%q: %v", c.spec.Patterns, err)
			continue
		}
		for i, text := range append(slices.Clone(c.yes), c.no...) {
			if s, _ := re.oracleFind(text, 0); (s >= 0) != (i < len(c.yes)) {
				t.Errorf("%+v on %q: %v", c.spec, text, s >= 0)
			}
		}
		if c.spanOf != "" {
			if s, e := re.oracleFind(c.spanOf, 0); s != c.s || e != c.e {
				t.Errorf("%q on %q: %d-%d, want %d-%d", c.spec.Patterns, c.spanOf, s, e, c.s, c.e)
			}
		}
	}
}

var re2Pieces = []string{
	"a", "b", "ab", ".", "[ab]", "[^a]", "é", `\w`, `\W`, `\d`, `\s`, "^", "$", `\b`, `\B`, "(?i:k)", "[[:alpha:]]", `\pL`, "(?i:[a-c])", "x",
}

func randomRE2(rnd *rand.Rand, depth int) string {
	switch n := rnd.IntN(12); {
	case depth == 0 || n < 4:
		return re2Pieces[rnd.IntN(len(re2Pieces))]
	case n < 7:
		return randomRE2(rnd, depth-1) + randomRE2(rnd, depth-1)
	case n < 9:
		return "(" + randomRE2(rnd, depth-1) + "|" + randomRE2(rnd, depth-1) + ")"
	}
	return "(" + randomRE2(rnd, depth-1) + ")" + []string{"*", "+", "?", "{2}", "{1,2}", "{2,}", "*?", "+?", "??"}[rnd.IntN(9)]
}

func randomText(rnd *rand.Rand) string {
	var b strings.Builder
	for range rnd.IntN(8) {
		b.WriteString([]string{"a", "b", "k", "K", "é", " ", "1", "x", "\u212a", "日", "_", "A"}[rnd.IntN(12)])
	}
	return b.String()
}

// empties tells whether a repetition in n repeats what can match nothing: there Go prefers other
// spans than a backtracking matcher does.
func empties(n *Node) bool {
	if n.Op == OpRepeat && nullable(n.Sub[0]) {
		return true
	}
	return slices.ContainsFunc(n.Sub, empties)
}

func nullable(n *Node) bool {
	switch n.Op {
	case OpEmpty, OpLook:
		return true
	case OpConcat:
		return !slices.ContainsFunc(n.Sub, func(s *Node) bool { return !nullable(s) })
	case OpAlt:
		return slices.ContainsFunc(n.Sub, nullable)
	case OpRepeat:
		return n.Min == 0 || nullable(n.Sub[0])
	}
	return false
}

func TestRE2AgainstGo(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	spans := 0
	for range 3000 {
		pattern := randomRE2(rnd, 3)
		std, err := regexp.Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		re, err := Parse(Spec{Patterns: []string{pattern}, Terminator: '\n'})
		if err != nil {
			t.Fatalf("%s: %v", pattern, err)
		}
		for range 10 {
			text := randomText(rnd)
			s, e := re.oracleFind(text, 0)
			want := std.FindStringIndex(text)
			if (s >= 0) != (want != nil) {
				t.Fatalf("%s on %q: %d-%d, want %v", pattern, text, s, e, want)
			}
			if want != nil && !empties(re.Root) {
				spans++
				if s != want[0] || e != want[1] {
					t.Fatalf("%s on %q: %d-%d, want %v", pattern, text, s, e, want)
				}
			}
		}
	}
	if spans < 1000 {
		t.Errorf("only %d spans compared", spans)
	}
}

func TestClassAlgebra(t *testing.T) {
	f := func(a, b []uint16) bool {
		set := func(in []uint16) []rune {
			var out []rune
			for i := 0; i+1 < len(in); i += 2 {
				out = append(out, rune(min(in[i], in[i+1])), rune(max(in[i], in[i+1])))
			}
			return normalize(out)
		}
		x, y := set(a), set(b)
		u, m, n, i := union(x, y), minus(x, y), negate(x), both(x, y)
		for r := rune(0); r < 0x10001; r += 7 {
			inX, inY := inClass(x, r), inClass(y, r)
			if inClass(u, r) != (inX || inY) || inClass(m, r) != (inX && !inY) || inClass(n, r) == inX || inClass(i, r) != (inX && inY) {
				return false
			}
		}
		return true
	}
	if err := quick.Check(f, &quick.Config{MaxCount: 50}); err != nil {
		t.Error(err)
	}
}

// FuzzParse holds Parse to: no panic; classes sorted and merged; an error names its reason; and for
// RE2 the verdict of Go's regexp.
func FuzzParse(f *testing.F) {
	for i, p := range append(append([]string{}, oddities...), byteOddities...) {
		f.Add(p, "ab é", uint8(i), i%3 == 0, i%5 == 0)
	}
	f.Fuzz(func(t *testing.T, pattern, text string, lang uint8, fold, word bool) {
		if len(pattern) > 40 || len(text) > 20 {
			return
		}
		s := Spec{Patterns: []string{pattern}, Syntax: Syntax(lang % 4), IgnoreCase: fold, Word: word, Terminator: '\n'}
		re, err := Parse(s)
		if err != nil {
			if err.Error() == "" {
				t.Error("empty message")
			}
			return
		}
		checkTree(t, re.Root)
		if s.Syntax != RE2 || word || strings.Contains(text, "\n") || strings.Contains(pattern, "\n") || !utf8.ValidString(text) || !utf8.ValidString(pattern) {
			return
		}
		if size, _ := measure(re.Root, 100); size > 60 {
			return // the oracle is exponential
		}
		if fold {
			pattern = "(?i)" + pattern
		}
		if want := regexp.MustCompile(pattern).MatchString(text); want != re.oracleMatch(text) {
			t.Errorf("%q on %q: want %v", pattern, text, want)
		}
	})
}

func (re *Regexp) oracleMatch(text string) bool {
	s, _ := re.oracleFind(text, 0)
	return s >= 0
}

func checkTree(t *testing.T, n *Node) {
	if n.Op == OpClass && len(n.Class) == 0 {
		t.Error("empty class")
	}
	for i := 1; i < len(n.Class); i++ {
		if n.Class[i] < n.Class[i-1] || i%2 == 0 && n.Class[i] <= n.Class[i-1]+1 {
			t.Fatalf("class %v not merged", n.Class)
		}
	}
	for _, sub := range n.Sub {
		checkTree(t, sub)
	}
}
