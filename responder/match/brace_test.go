package match

import (
	"testing"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// A brace that opens no interval is a character where there is nothing to repeat, with -w or another assertion, too:
// with -w such a brace was skipped, and `{a` matched lines of a alone.
func TestBraceWithNothingToRepeat(t *testing.T) {
	for _, c := range []struct {
		pattern, yes, no string
		word             bool
	}{
		{"{a", "{a", "a", true},
		{"{a", "{a", "a", false},
		{"a|{b", "{b", "b", true},
		{"^{2", "{2", "2", true},
		{"{1,2a", "{1,2a", "1,2a", true},
		{"{,", "{,", ",", true},
		{"{{", "{{", "{", true},
		{`({b|c)`, "{b", "b", true},
		{`\B{a`, "{a", "a", false},
		{"{}", "{}", "}", true},
		{"{}", "{}", "}", false},
		{"{,,}a", "{,,}a", ",}a", false},
		{"{2,1}a", "{2,1}a", "a", false},
		{"{1}a", "a", "1}", false}, // an interval of the empty string
		{"a{,3}{", "aa{", "{a", true},
	} {
		m := compile(t, Spec{Patterns: []string{c.pattern}, Syntax: syntax.ERE, Word: c.word, Terminator: '\n'}).NewMatcher()
		if !m.MatchLine([]byte(c.yes)) || m.MatchLine([]byte(c.no)) {
			t.Errorf("%q, word %v: %q %v, %q %v", c.pattern, c.word, c.yes, m.MatchLine([]byte(c.yes)), c.no, m.MatchLine([]byte(c.no)))
		}
	}
}
