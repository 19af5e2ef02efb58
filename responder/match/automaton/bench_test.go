package automaton

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// logLines returns about n bytes of lines as a service writes them, lower case but for levels.
func logLines(n int) []byte {
	r := rand.New(rand.NewPCG(7, 7))
	words := []string{
		"request", "served", "upstream", "connection", "user", "session", "cache", "miss", "timeout", "retry",
		"accepted", "closed", "handler", "queue", "worker", "started", "finished", "block", "replica", "token",
		"reading", "starting", "opening", "listening", "payload", "from", "to", "in", "with", "for",
	}
	levels := []string{"INFO", "INFO", "INFO", "WARN", "DEBUG", "ERROR"}
	out := make([]byte, 0, n+256)
	for i := 0; len(out) < n; i++ {
		out = fmt.Appendf(out, "2026-11-22T%02d:%02d:%02d.%03dZ node%d %s [%s-%d] ", i/3600000%24, i/60000%60, i/1000%60, i%1000,
			1+r.IntN(4), levels[r.IntN(len(levels))], words[r.IntN(len(words))], r.IntN(32))
		for range 4 + r.IntN(10) {
			out = append(append(out, words[r.IntN(len(words))]...), ' ')
		}
		switch r.IntN(5) {
		case 0:
			out = fmt.Appendf(out, "client=%d.%d.%d.%d", r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(256))
		case 1:
			out = fmt.Appendf(out, "id=%016x", r.Uint64())
		case 2:
			out = fmt.Appendf(out, "status=%d took=%dms", 200+r.IntN(304), r.IntN(900))
		}
		out = append(out, '\n')
	}
	return out
}

var benchPatterns = []struct {
	name, pattern string
	syntax        syntax.Syntax
	word          bool
}{
	{"ing4digits", `[a-z]+ing\b.*[0-9]{4}`, syntax.RE2, false},
	{"ing4digitsGNU", `[a-z]+ing\b.*[0-9]{4}`, syntax.ERE, false},
	{"ipv4", `[0-9]{1,3}(\.[0-9]{1,3}){3}`, syntax.RE2, false},
	{"absentClass", `[qx][0-9]z[0-9]`, syntax.RE2, false},
	{"wordUnicode", `zzz`, syntax.ERE, true},
	{"anchored", `^[a-z]+x`, syntax.RE2, false},
	{"dots", `s.*q.*z.*x`, syntax.RE2, false},
	{"thrash", `(a|e)*a(a|b|c|d|e|[f-z ]){14}#`, syntax.RE2, false},
	{"alternatives", `timeouts|panic|exception|fatal|refused`, syntax.RE2, false},
}

func compileBench(b *testing.B, pattern string, s syntax.Syntax, word bool) *Machine {
	b.Helper()
	re, err := syntax.Parse(syntax.Spec{Patterns: []string{pattern}, Syntax: s, Word: word, Terminator: '\n'})
	if err != nil {
		b.Fatal(err)
	}
	p, err := Compile(re, Options{Terminator: '\n'})
	if err != nil {
		b.Fatal(err)
	}
	return p.NewMachine()
}

func BenchmarkNext(b *testing.B) {
	buf := logLines(4 << 20)
	for _, bp := range benchPatterns {
		b.Run(bp.name, func(b *testing.B) {
			m := compileBench(b, bp.pattern, bp.syntax, bp.word)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = 0
				for from := 0; from < len(buf); {
					s, e := m.Next(buf, from)
					if s < 0 {
						break
					}
					n++
					from = e + 1
				}
			}
			b.ReportMetric(float64(n), "lines")
		})
	}
}

func BenchmarkLines(b *testing.B) {
	buf := logLines(4 << 20)
	for _, bp := range benchPatterns {
		b.Run(bp.name, func(b *testing.B) {
			m := compileBench(b, bp.pattern, bp.syntax, bp.word)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			var all []Line
			n := 0
			for b.Loop() {
				n = 0
				for from := 0; from < len(buf); n += len(all) {
					all, from = m.Lines(all[:0], buf, from)
				}
			}
			b.ReportMetric(float64(n), "lines")
		})
	}
}

func BenchmarkFind(b *testing.B) {
	buf := logLines(1 << 20)
	ls := lines(buf, '\n')
	for _, bp := range benchPatterns[:3] {
		b.Run(bp.name, func(b *testing.B) {
			m := compileBench(b, bp.pattern, bp.syntax, bp.word)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				for _, l := range ls {
					m.Find(l, 0)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, bp := range benchPatterns[:3] {
		b.Run(bp.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				compileBench(b, bp.pattern, bp.syntax, bp.word)
			}
		})
	}
}
