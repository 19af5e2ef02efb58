package literal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

func parse(t testing.TB, s syntax.Spec) *syntax.Regexp {
	t.Helper()
	re, err := syntax.Parse(s)
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	return re
}

func (s Set) String() string {
	var b strings.Builder
	for i, l := range s.Lits {
		if i > 0 {
			b.WriteByte('|')
		}
		fmt.Fprintf(&b, "%s", l)
	}
	if s.Fold {
		b.WriteString("/i")
	}
	if s.Then != nil {
		lo, hi := s.Then.Bounds()
		fmt.Fprintf(&b, " then %c-%c", lo, hi)
	}
	if s.Exact {
		b.WriteString(" exact")
	}
	return b.String()
}

// TestExtract shows the cheapest set of each pattern.
func TestExtract(t *testing.T) {
	for _, c := range []struct{ pattern, want string }{
		{"error", "error exact"},
		{"(?i)error", "error/i exact"},
		{"[eE]rror", "error/i"},
		{"error|warn|fatal|panic|exception", "error|warn|fatal|panic|exception exact"},
		{"(?i)error|warn", "error|warn/i exact"},
		{`user=\w+ .*status=5\d\d`, "status=5 then 0-9"},
		{`user=\w+ .*rhost=\d+`, "rhost= then 0-9"},
		{`user=\w+ `, "user= then 0-z"},
		{`foo(\d+|[a-f]+) `, "foo then 0-f"},
		{`foo\d*barx \d?`, "barx "},
		{`\bfoo\b`, "foo"},
		{`^foo`, "foo"},
		{`https?://x`, "://x"},
		{`.*foo.*`, "foo exact"},
		{`fo+`, "fo exact"},
		{`(foo|foobar|xfoo)`, "foo exact"},
		{`a{3}b{2,5}`, "aaabb exact"},
		{`(abc)+d`, "abcd exact"},
		{`(abc){2,}d`, "abcabcd exact"},
		{`x(abc)+d`, "xabc"},
		{`(?i)session`, "session/i exact"},
		{`é+t`, "ét exact"},
		{`foo(a|b|c)bar`, "fooabar|foobbar|foocbar exact"},
		{`(one|two).*(three|four)`, "three|four"},
		{"[ab]?c[xy]", "cx|cy exact"},
		{`a\b*`, "a exact"},
		{`[a-z]+ing\b.*[0-9]{4}`, "ing"},
	} {
		info := Extract(parse(t, syntax.Spec{Patterns: []string{c.pattern}, Terminator: '\n'}), '\n')
		got := ""
		if len(info.Sets) > 0 {
			got = info.Sets[0].String()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q (all: %v)", c.pattern, got, c.want, info.Sets)
		}
	}
}

func TestWindows(t *testing.T) {
	for _, c := range []struct {
		pattern, member string // member is a run that the rarest window must hold
	}{
		{`\d{1,3}(\.\d{1,3}){3}`, "1.2"},
		{`[0-9]+:[0-9]+`, "1:2"},
		{`[A-Z][0-9][A-Z]`, "A0Z"},
	} {
		info := Extract(parse(t, syntax.Spec{Patterns: []string{c.pattern}, Terminator: '\n'}), '\n')
		if len(info.Windows) == 0 {
			t.Errorf("%s: no window, sets %v", c.pattern, info.Sets)
		} else if len(info.Windows[0].Classes) != len(c.member) || !info.Windows[0].in([]byte(c.member)) {
			t.Errorf("%s: %d windows, sets %v, first %d long", c.pattern, len(info.Windows), info.Sets, len(info.Windows[0].Classes))
		}
	}
}

// in tells whether text holds a run of w.
func (w Window) in(text []byte) bool { return w.index(text) >= 0 }

func (w Window) index(text []byte) int {
	for i := 0; i+len(w.Classes) <= len(text); i++ {
		ok := true
		for k := range w.Classes {
			ok = ok && w.Classes[k].Has(text[i+k])
		}
		if ok {
			return i
		}
	}
	return -1
}

// in tells whether text holds a literal of s.
func (s Set) in(text []byte) bool { return s.index(text) >= 0 }

func (s Set) index(text []byte) int {
	if s.Fold {
		text = bytes.Clone(text)
		lower(text)
	}
	for i := range text {
		for _, l := range s.Lits {
			if end := i + len(l); bytes.HasPrefix(text[i:], l) && (s.Then == nil || end < len(text) && s.then(text[end])) {
				return i
			}
		}
	}
	return -1
}

// then tells whether b may follow; text is in lower case with Fold.
func (s Set) then(b byte) bool {
	return s.Then.Has(b) || s.Fold && b >= 'a' && b <= 'z' && s.Then.Has(b&^0x20)
}

var pieces = []string{
	"a", "b", "ab", "abc", ".", "[ab]", "[^a]", "é", `\w`, `\d`, "^", "$", `\b`, "(?i:k)", "(?i:s)", "(?i:ab)", "x", "B", "[0-9]", "[é-ë]", "A", "(?i:aé)", `\pL`, "[a\\n]", `\d\w`, "1[ab]",
}

func randomPattern(rnd *rand.Rand, depth int) string {
	switch n := rnd.IntN(13); {
	case depth == 0 || n < 4:
		return pieces[rnd.IntN(len(pieces))]
	case n < 8:
		return randomPattern(rnd, depth-1) + randomPattern(rnd, depth-1)
	case n < 10:
		return "(" + randomPattern(rnd, depth-1) + "|" + randomPattern(rnd, depth-1) + ")"
	}
	return "(" + randomPattern(rnd, depth-1) + ")" + []string{"*", "+", "?", "{2}", "{1,2}", "{2,}", "{3}"}[rnd.IntN(7)]
}

func randomText(rnd *rand.Rand) []byte {
	var b bytes.Buffer
	for range rnd.IntN(10) {
		b.WriteString([]string{"a", "b", "k", "K", "é", " ", "1", "x", "\u212a", "ë", "s", "ſ", "A", "B", "c"}[rnd.IntN(15)])
	}
	return b.Bytes()
}

// checkInfo holds info against the verdict of Go's regexp on one text.
func checkInfo(t *testing.T, pattern string, info Info, text []byte, match bool) {
	t.Helper()
	if info.Plain && (bytes.ContainsRune(text, 'ſ') || bytes.ContainsRune(text, '\u212a')) {
		return
	}
	if match && info.Never || !match && info.Always {
		t.Fatalf("%q on %q: match %v, info %+v", pattern, text, match, info)
	}
	for _, s := range info.Sets {
		if in := s.in(text); match && !in || s.Exact && in != match {
			t.Fatalf("%q on %q: match %v, set %v", pattern, text, match, s)
		}
	}
	for _, w := range info.Windows {
		if match && !w.in(text) {
			t.Fatalf("%q on %q: no window %v", pattern, text, w)
		}
	}
	if info.Text != nil && len(info.Before)+len(info.After) == 0 {
		if in := (Set{Lits: [][]byte{info.Text}, Fold: info.Fold}).in(text); in != match {
			t.Fatalf("%q on %q: match %v, text %q", pattern, text, match, info.Text)
		}
	}
	if match {
		checkPlaces(t, pattern, info, text)
	}
}

// checkPlaces holds what info says of places against a text that matches: no match begins further
// before the first occurrence of a requirement than it says, and what is behind another is found there.
func checkPlaces(t *testing.T, pattern string, info Info, text []byte) {
	t.Helper()
	type found struct {
		Place
		at    int
		index func([]byte) int
	}
	var all []found
	for _, s := range info.Sets {
		all = append(all, found{s.Place, s.index(text), s.index})
	}
	for _, w := range info.Windows {
		all = append(all, found{w.Place, w.index(text), w.index})
	}
	for _, a := range all {
		if a.Back >= 0 && a.Back < a.at && !strings.Contains(pattern, "\\n") {
			least := a.at - a.Back
			for !utf8.RuneStart(text[least]) {
				least--
			}
			behind := regexp.MustCompile(fmt.Sprintf("(?s:^.{%d,})(?:%s)", utf8.RuneCount(text[:least]), pattern))
			if !behind.Match(text) {
				t.Fatalf("%q on %q: no match that begins within %d bytes before %d: %+v", pattern, text, a.Back, a.at, info)
			}
		}
		for _, b := range all {
			if b.Behind(a.Place) && b.index(text[a.at+1:]) < 0 {
				t.Fatalf("%q on %q: %+v is not behind %+v: %+v", pattern, text, b.Place, a.Place, info)
			}
		}
	}
}

func TestConservative(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	var matches, exact, sets, windows int
	for range 3000 {
		pattern := randomPattern(rnd, 4)
		info := Extract(parse(t, syntax.Spec{Patterns: []string{pattern}, Terminator: '\n'}), '\n')
		if len(info.Sets) > 0 {
			sets++
			if info.Sets[0].Exact {
				exact++
			}
		}
		if len(info.Windows) > 0 {
			windows++
		}
		std := regexp.MustCompile(pattern)
		for range 12 {
			text := randomText(rnd)
			match := std.Match(text)
			if match {
				matches++
			}
			checkInfo(t, pattern, info, text, match)
		}
	}
	t.Logf("%d matches; of 3000 patterns %d with sets, %d exact, %d with windows", matches, sets, exact, windows)
	if matches < 5000 || exact < 300 || windows < 150 {
		t.Error("too few cases of some kind")
	}
}

// Extraction is linear in the pattern, whatever it looks like.
func TestLarge(t *testing.T) {
	for _, unit := range []string{"abcdefg", "a.", "[ab]", "a|", "[0-9]", "(ab)*", "ab\n", "(a|b)c", "(abc){2}", ".é", "(?i:s)", "a?", "[a-z0-9]"} {
		n := syntax.DefaultBytes / len(unit)
		if strings.HasSuffix(unit, "\n") {
			n = 999
		}
		re := parse(t, syntax.Spec{Patterns: []string{strings.Repeat(unit, n)}, Terminator: '\n'})
		began := time.Now()
		Extract(re, '\n')
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%q: %v", unit, took)
		} else {
			t.Logf("%q: %v", unit, took)
		}
	}
}

func FuzzExtract(f *testing.F) {
	for i, p := range pieces {
		f.Add(p+pieces[(i*7+3)%len(pieces)]+"*", "xabk é")
	}
	f.Add("(foo|bar)+baz?", "foobarbaz")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 60 || len(text) > 40 || strings.Contains(pattern, "\n") || strings.Contains(text, "\n") {
			return
		}
		std, err := regexp.Compile(pattern)
		if err != nil {
			return
		}
		re, err := syntax.Parse(syntax.Spec{Patterns: []string{pattern}, Terminator: '\n'})
		if err != nil {
			return
		}
		if text = strings.ToValidUTF8(text, "?"); true {
			checkInfo(t, pattern, Extract(re, '\n'), []byte(text), std.MatchString(text))
		}
	})
}
