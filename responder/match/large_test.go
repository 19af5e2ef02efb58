package match

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// What a query can carry as strings is no program too large: the limit is about repetitions.
func TestLargeStrings(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	text := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyz0123456789 "[rng.IntN(37)]
		}
		return string(b)
	}
	var many []string
	for range 500 {
		many = append(many, text(200))
	}
	for name, patterns := range map[string][]string{"one of 250 KiB": {text(250 << 10)}, "five hundred": many} {
		for _, s := range []Spec{{Syntax: syntax.Fixed}, {Syntax: syntax.Fixed, IgnoreCase: true}, {Syntax: syntax.Fixed, Line: true}, {Syntax: syntax.ERE, Word: true}} {
			s.Patterns, s.Terminator = patterns, '\n'
			p, err := Compile(s)
			if err != nil {
				t.Errorf("%s, %v: %v", name, s.Syntax, err)
				continue
			}
			m, last := p.NewMatcher(), patterns[len(patterns)-1]
			if !m.MatchLine([]byte(last)) || m.MatchLine([]byte(last[:len(last)-1])) {
				t.Errorf("%s, %v: a string is not found, or a part of it is", name, s.Syntax)
			}
		}
	}
	if _, err := Compile(Spec{Patterns: []string{fmt.Sprintf("(%s){900}", strings.Repeat("a?b", 100))}, Syntax: syntax.ERE, Terminator: '\n'}); err == nil {
		t.Error("a small pattern that means a large program is taken")
	}
}
