package match

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/responder/match/simd"
	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// The characters beyond ASCII that ignoring case makes equal to ASCII letters, or nearly: ſ is s, K (Kelvin) is k, İ
// and ı are not i. Every kernel, in assembly and in Go, says of them what the automaton says, wherever in a vector
// they stand, and beside lines without them.
func TestFoldingBeyondASCII(t *testing.T) {
	patterns := []string{"k", "s", "disk", "\u212a", "ſ", "di\u017fk", "İ", "ı", "isk", "file", "kiss|mask|disks", "sk[0-9]+x*k", "(kiss|mask|risk)[a-z]+[0-9]", `s[0-9]k`, `[ks]i[^x]*k`}
	texts := []string{"k", "K", "\u212a", "s", "ſ", "disk", "DI\u017fK", "di\u017f\u212a", "di\u017f", "İ", "ı", "İSK", "ısk", "isk", "file", "fİle", "fıle",
		"mas\u212as", "kiſſ", "RI\u017f\u212aab7", "sk9\u212a", "\u017f7\u212a", "\u212ai--k", "\xe2\x84", "\xc5", "\xe2\x84\xab", "\xc5\xbe"}
	strategies := map[Strategy]bool{}
	for _, pure := range []bool{true, false} {
		defer simd.SetPure(simd.SetPure(pure))
		for i, pattern := range patterns {
			for _, s := range []Spec{{}, {Word: true}, {Line: true}, {Syntax: syntax.Fixed}, {Syntax: syntax.ERE, Word: true}} {
				s.Patterns, s.IgnoreCase, s.Terminator = []string{pattern}, true, '\n'
				p := compile(t, s)
				strategies[p.Strategy()] = true
				m, oracle := p.NewMatcher(), p.program().NewMachine()
				for k, text := range texts {
					for pad := i % 3; pad < 70; pad += 3 { // all alignments in all patterns together
						line := strings.Repeat(".", pad) + " " + text + " " + strings.Repeat("-", k%40)
						if s.Line {
							line = text
						}
						buf := []byte("plain line\n" + line + "\nand another\n")
						got, want := matching(m, buf), []string(nil)
						for _, l := range strings.Split(strings.TrimSuffix(string(buf), "\n"), "\n") {
							if oracle.MatchLine([]byte(l)) {
								want = append(want, l)
							}
						}
						if !slices.Equal(got, want) {
							t.Fatalf("%s, %+v (%v), pure %v, in %q: %q, want %q", pattern, s, p.Strategy(), pure, buf, got, want)
						}
						at, end := m.Find([]byte(line), 0)
						if from, to := oracle.Find([]byte(line), 0); from != at || from >= 0 && to != end {
							t.Fatalf("%s, %+v (%v), pure %v, in %q: span %d–%d, want %d–%d", pattern, s, p.Strategy(), pure, line, at, end, from, to)
						}
					}
				}
			}
		}
	}
	for _, st := range []Strategy{ExactLiteral, FoldedLiteral, BoundedLiteral, LiteralSet, LiteralPrefilter, SetPrefilter} {
		if !strategies[st] {
			t.Errorf("no pattern is of the strategy %v; there are %s", st, fmt.Sprint(strategies))
		}
	}
}

// matching returns the lines of buf that m says match.
func matching(m *Matcher, buf []byte) (out []string) {
	var lines []Line
	for from := 0; from < len(buf); {
		lines, from = m.Lines(lines[:0], buf, from)
		for _, l := range lines {
			out = append(out, string(buf[l.Start:l.End]))
		}
	}
	return out
}
