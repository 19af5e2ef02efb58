package automaton

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// pattern returns a random pattern of RE2, in which stdlib is the oracle.
func (r random) pattern(depth int) string {
	if depth <= 0 || r.IntN(4) == 0 {
		return []string{
			"a", "b", "c", "_", " ", "é", "б", "世", ".", "[ab]", "[^a]", "[а-я]", `\w`, `\W`, `\d`, `\s`, `\pL`,
			`\b`, `\B`, "^", "$", "", "(?i:a)", "(?i:É)", "-", "1", "[[:alpha:]]", `\x{301}`,
		}[r.IntN(28)]
	}
	switch r.IntN(8) {
	case 0, 1, 2:
		return r.pattern(depth-1) + r.pattern(depth-1)
	case 3, 4:
		return "(?:" + r.pattern(depth-1) + "|" + r.pattern(depth-1) + ")"
	case 5:
		return "(?:" + r.pattern(depth-1) + ")" + []string{"*", "*?", "+", "+?", "?", "??"}[r.IntN(6)]
	case 6:
		return "(?:" + r.pattern(depth-1) + ")" + []string{"{2}", "{1,3}", "{0,2}?", "{2,}", "{3}?", "{0,4}"}[r.IntN(6)]
	}
	return r.pattern(depth-1) + r.pattern(depth-1) + r.pattern(depth-1)
}

// againstStdlib holds MatchLine and Find of every variant against regexp, on valid UTF-8.
func againstStdlib(t testing.TB, pattern string, longest bool, line []byte) {
	t.Helper()
	std, err := regexp.Compile(pattern)
	if err != nil {
		return
	}
	re, err := syntax.Parse(syntax.Spec{Patterns: []string{pattern}, Syntax: syntax.RE2, Terminator: '\n'})
	if err != nil {
		return
	}
	if re.Longest = longest; longest {
		std.Longest()
	}
	want := std.FindIndex(line)
	if want == nil {
		want = []int{-1, -1}
	}
	for name, m := range variants(t, re, '\n') {
		if got := m.MatchLine(line); got != (want[0] >= 0) {
			t.Fatalf("%s: %q on %q: %v, regexp finds %v", name, pattern, line, got, want)
		}
		if s, e := m.Find(line, 0); s != want[0] || e != want[1] {
			t.Fatalf("%s: %q (longest %v) in %q: %d, %d, regexp finds %v", name, pattern, longest, line, s, e, want)
		}
	}
}

func TestRandomPatternsAgainstStdlib(t *testing.T) {
	n := 1500
	if testing.Short() {
		n = 500
	}
	for seed := range uint64(n) {
		r := newRandom(seed)
		pattern := r.pattern(1 + r.IntN(4))
		for range 3 {
			line := bytes.ToValidUTF8(r.text(24, ""), nil)
			againstStdlib(t, pattern, r.IntN(2) == 0, line)
		}
	}
}

// TestSuiteOfRust runs the cases of testdata: see its README.
func TestSuiteOfRust(t *testing.T) {
	f, err := os.Open("testdata/match_rust.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for sc := bufio.NewScanner(z); sc.Scan(); {
		var c struct {
			ID, Pattern, Flags string
			Text               string
			Bytes              []byte `json:"text_b64"`
			Match              bool
			Span               []int
			LongestSame        bool `json:"longest_same"`
		}
		if err := json.Unmarshal(sc.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		text := []byte(c.Text)
		if c.Bytes != nil {
			text = c.Bytes
		}
		if bytes.IndexByte(text, '\n') >= 0 || strings.Contains(c.Pattern, "\n") {
			continue // not a line
		}
		re, err := syntax.Parse(syntax.Spec{Patterns: []string{c.Pattern}, IgnoreCase: c.Flags == "i", Terminator: '\n'})
		if err != nil {
			t.Errorf("%s: %v", c.ID, err)
			continue
		}
		ran++
		for _, longest := range []bool{false, true} {
			re.Longest = longest
			for name, m := range variants(t, re, '\n') {
				// Go's regexp lets a class such as [^a] match an invalid byte; here it never does
				valid := utf8.Valid(text)
				if got := m.MatchLine(text); got != c.Match && valid {
					t.Errorf("%s, %s: %q on %q: %v", c.ID, name, c.Pattern, text, got)
				}
				s, e := m.Find(text, 0)
				if valid && c.Match && (!longest || c.LongestSame) && (s != c.Span[0] || e != c.Span[1]) {
					t.Errorf("%s, %s: %q in %q: %d, %d, want %v", c.ID, name, c.Pattern, text, s, e, c.Span)
				}
				if valid == false {
					if ws, we := newOracle(text).find(re, 0); ws != s || we != e {
						t.Errorf("%s, %s: %q in %q: %d, %d, want %d, %d", c.ID, name, c.Pattern, text, s, e, ws, we)
					}
				}
			}
		}
	}
	if ran < 300 {
		t.Errorf("only %d cases", ran)
	}
}
