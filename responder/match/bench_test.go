package match

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// benchText is log-like: n bytes, a status=5xx in one line of fifty, an error in one of two hundred.
func benchText(n int) []byte {
	rnd := rand.New(rand.NewPCG(11, 12))
	var b bytes.Buffer
	for b.Len() < n {
		status, level := 200, "info"
		if rnd.IntN(50) == 0 {
			status = 500 + rnd.IntN(5)
		}
		if rnd.IntN(200) == 0 {
			level = "error"
		}
		fmt.Fprintf(&b, "2026-11-%02dT12:%02d:%02d.%03dZ %s service-%d handled request %x for user=u%d in %d ms status=%d\n",
			1+rnd.IntN(28), rnd.IntN(60), rnd.IntN(60), rnd.IntN(1000), level, rnd.IntN(9), rnd.Uint64(), rnd.IntN(500), rnd.IntN(90), status)
	}
	return b.Bytes()
}

func BenchmarkLines(b *testing.B) {
	text := benchText(16 << 20)
	for _, c := range []struct {
		name string
		spec Spec
	}{
		{"absent", Spec{Patterns: []string{"zebra crossing"}}},
		{"error", Spec{Patterns: []string{"error"}}},
		{"everywhere", Spec{Patterns: []string{"handled"}}},
		{"fold", Spec{Patterns: []string{"ERROR"}, IgnoreCase: true}},
		{"word", Spec{Patterns: []string{`\berror\b`}}},
		{"anchored", Spec{Patterns: []string{`^2026-11-07`}}},
		{"five", Spec{Patterns: []string{"error|warn|fatal|panic|exception"}}},
		{"inner", Spec{Patterns: []string{`user=\w+ .*status=5\d\d`}}},
		{"ipv4", Spec{Patterns: []string{`\d{1,3}(\.\d{1,3}){3}`}}},
		{"noLiteral", Spec{Patterns: []string{`[a-z]+ing\b.*[0-9]{4}`}}},
		{"noLiteralGNU", Spec{Patterns: []string{`[a-z]+ing\b.*[0-9]{4}`}, Syntax: syntax.ERE}},
		{"digits", Spec{Patterns: []string{`[0-9]{4}-[0-9]{2}-07`}}},
	} {
		c.spec.Terminator = '\n'
		p, err := Compile(c.spec)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name+"/"+p.Strategy().String(), func(b *testing.B) {
			m := p.NewMatcher()
			b.SetBytes(int64(len(text)))
			hits := 0
			var found []Line
			for b.Loop() {
				hits = 0
				for off := 0; off < len(text); { // as the scan: a quarter of a MiB of whole lines at a time
					end := min(off+256<<10, len(text))
					end = off + bytes.LastIndexByte(text[off:end], '\n') + 1
					for buf, from := text[off:end], 0; from < len(buf); hits += len(found) {
						found, from = m.Lines(found[:0], buf, from)
					}
					off = end
				}
			}
			b.ReportMetric(float64(hits), "lines")
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, pattern := range []string{"error", "error|warn|fatal|panic|exception", `user=\w+ .*status=5\d\d`} {
		b.Run(pattern, func(b *testing.B) {
			for b.Loop() {
				if _, err := Compile(Spec{Patterns: []string{pattern}, Terminator: '\n'}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
