package automaton

import (
	"bytes"
	"testing"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// FuzzAgree holds all engines and APIs against the oracle, and on valid lines against regexp.
func FuzzAgree(f *testing.F) {
	for i, p := range []string{`\b\w+ing\b.*\d{4}`, `(a|ab)(c|bcd)*`, `^.*?x$|\B`, `[^a]*a`, "é+|[а-я]{2,3}", `(x+x+)+y`, `a{0,3}?b`} {
		f.Add(p, []byte("the thing 2026\nabcbcd \xff é\nxx\r\n\nxxxy"), uint8(i))
	}
	f.Fuzz(func(t *testing.T, pattern string, text []byte, flags uint8) {
		if len(pattern) > 40 || len(text) > 120 {
			return // the oracle is slow
		}
		eol := byte('\n')
		if flags&8 != 0 {
			eol = 0
		}
		re, err := syntax.Parse(syntax.Spec{
			Patterns: []string{pattern}, Syntax: syntax.Syntax(flags % 4), IgnoreCase: flags&16 != 0,
			Word: flags&32 != 0, Line: flags&64 != 0, Terminator: eol,
		})
		if err != nil || size(re.Root) > 400 {
			return
		}
		agree(t, pattern, re, text, eol, re.Longest || !emptyTurns(re.Root))
		if flags&^1 == 0 {
			for _, l := range lines(text, '\n') {
				againstStdlib(t, pattern, flags == 1, bytes.ToValidUTF8(l, nil))
			}
		}
	})
}

// FuzzLanes holds the loop of the lanes in assembly against the one in Go.
func FuzzLanes(f *testing.F) {
	f.Add([]byte("some text that is cut into four lanes of one length each"), uint64(1), uint8(9))
	f.Fuzz(func(t *testing.T, text []byte, seed uint64, states uint8) {
		r := newRandom(seed)
		const stride = 7
		rows := make([]uint32, stride*(2+int(states)))
		for i := stride; i < len(rows); i++ {
			rows[i] = uint32(1+r.IntN(1+int(states))) * stride
			if r.IntN(40) == 0 {
				rows[i] = uint32(r.IntN(numCodes))
			}
		}
		var col [256]uint8
		for i := range col {
			col[i] = uint8(r.IntN(stride))
		}
		n := len(text) / numLanes
		var cut [numLanes][]byte
		for i := range cut {
			cut[i] = text[i*n : (i+1)*n]
		}
		a := [numLanes]uint32{stride, stride, stride, stride}
		b := a
		as, aa := stepLanes(rows, &col, stride, &cut, &a, n)
		bs, ba := runLanes(rows, &col, stride, &cut, &b, n)
		if as != bs || aa != ba || a != b {
			t.Fatalf("in Go %d steps, lane %d, states %v; else %d, %d, %v", as, aa, a, bs, ba, b)
		}
	})
}
