package match

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// formula prints Needs: clauses with &, alternatives of texts with |, of the whole with " or ".
func (n Needs) formula() string {
	var any []string
	for _, clauses := range n.Any {
		var all []string
		for _, texts := range clauses {
			all = append(all, string(bytes.Join(texts, []byte("|"))))
		}
		any = append(any, strings.Join(all, " & "))
	}
	return strings.Join(any, " or ")
}

func TestNeeds(t *testing.T) {
	for _, c := range []struct {
		spec  Spec
		want  string
		plain bool
	}{
		{Spec{Patterns: []string{"Timeout"}}, "timeout", false},
		{Spec{Patterns: []string{"error"}, IgnoreCase: true}, "error", false},
		{Spec{Patterns: []string{"Kelvin"}, IgnoreCase: true}, "kelvin", true},
		{Spec{Patterns: []string{"disk"}, IgnoreCase: true, Syntax: syntax.ERE}, "disk|dısk & sk & d", true},
		{Spec{Patterns: []string{"foo", "bar"}, Syntax: syntax.Fixed, Word: true}, "foo or bar", false},
		{Spec{Patterns: []string{"foo", "bar"}, Syntax: syntax.Fixed, Line: true}, "foo or bar", false},
		{Spec{Patterns: []string{"abcdef.*123456|ghijkl"}}, "abcdef & 123456 or ghijkl", false},
		{Spec{Patterns: []string{"status=5[0-9]{2}"}}, "status=5 & status=50|status=51|status=52|status=53|status=54|status=55|status=56|status=57|status=58|status=59 & 0|1|2|3|4|5|6|7|8|9", false},
		{Spec{Patterns: []string{""}}, "", false},
		{Spec{Patterns: []string{"x*"}}, "", false},
		{Spec{Patterns: []string{"timeout", "x*"}}, "", false},
		{Spec{}, "", false},
	} {
		c.spec.Terminator = '\n'
		n := compile(t, c.spec).Needs()
		got := n.formula()
		if got != c.want || n.Plain != c.plain {
			t.Errorf("%+v: %q %v, want %q %v", c.spec, got, n.Plain, c.want, c.plain)
		}
	}
}

// A long list of patterns, of -f, is told apart.
func TestNeedsOfAList(t *testing.T) {
	var list []string
	for i := range 500 {
		list = append(list, fmt.Sprintf("request-%06d", i*7919))
	}
	n := compile(t, Spec{Patterns: list, Syntax: syntax.Fixed, Terminator: '\n'}).Needs()
	if len(n.Any) != len(list) || string(n.Any[3][0][0]) != list[3] {
		t.Errorf("%d alternatives: %.200s", len(n.Any), n.formula())
	}
}

func FuzzNeeds(f *testing.F) {
	f.Add("a|bc.*d", "xbc d", uint8(0))
	f.Add("(foo)?Kelvin", "ſelvin Kelvin \u212aELVIN", uint8(4))
	f.Fuzz(func(t *testing.T, pattern, line string, flags uint8) {
		if len(pattern) > 200 || strings.ContainsAny(line, "\n") {
			return
		}
		p, err := Compile(Spec{Patterns: []string{pattern}, Terminator: '\n', Syntax: syntax.Syntax(flags % 4), IgnoreCase: flags&4 != 0,
			Word: flags&8 != 0, Line: flags&16 != 0})
		if err != nil || !p.NewMatcher().MatchLine([]byte(line)) {
			return
		}
		n := p.Needs()
		if n.Plain && strings.ContainsAny(line, "ſ\u212a") {
			return
		}
		lower := lowered([][]byte{[]byte(line)})[0]
		met := len(n.Any) == 0
		for _, clauses := range n.Any {
			all := true
			for _, texts := range clauses {
				one := false
				for _, text := range texts {
					one = one || bytes.Contains(lower, text)
				}
				all = all && one
			}
			met = met || all
		}
		if !met {
			t.Errorf("%q matches %q, and does not need %s", pattern, line, n.formula())
		}
	})
}
