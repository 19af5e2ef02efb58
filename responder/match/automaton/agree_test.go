package automaton

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// random makes patterns and texts from a small alphabet, so that they meet.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 1))} }

var randomRunes = []rune{'a', 'b', 'c', '_', ' ', '-', '1', '\r', 'é', 'б', 'д', '世', '€', '😀', '\u0301'}

// text returns bytes of at most n pieces, one in eight of them something that is not UTF-8, and lines among them if eol is
// one.
func (r random) text(n int, eol string) []byte {
	var out []byte
	few := randomRunes[:3+r.IntN(len(randomRunes)-3)]
	invalid := r.IntN(3) == 0
	for range r.IntN(n + 1) {
		switch k := r.IntN(16); {
		case k < 2:
			out = append(out, eol...)
		case k < 4 && invalid:
			out = append(out, []string{"\xff", "\xc3", "\xa9", "\xe4\xb8", "\xf0\x9f\x98", "\xed\xa0\x80", "\xe2\x82", "\x80"}[r.IntN(8)]...)
		default:
			out = append(out, string(few[r.IntN(len(few))])...)
		}
	}
	return out
}

func class(rs ...rune) *syntax.Node { return &syntax.Node{Op: syntax.OpClass, Class: rs} }

func (r random) node(depth int) *syntax.Node {
	k := r.IntN(20)
	if depth <= 0 {
		k = r.IntN(11)
	}
	switch {
	case k < 5:
		c := randomRunes[r.IntN(len(randomRunes))]
		return class(c, c)
	case k < 8:
		return [...]*syntax.Node{
			class('a', 'b'), class('0', '9'), class(0, 9, 11, 0x10ffff), class('b', 'z', 'é', 'ê'),
			class(syntax.WordClass()...), class(0, 9, 11, '`', 'b', 0x10ffff), class(0x80, 0x10ffff), class(0xd700, 0xdfff),
		}[r.IntN(8)]
	case k < 10:
		return &syntax.Node{Op: syntax.OpLook, Look: syntax.Look(r.IntN(8)), Unicode: r.IntN(2) == 0}
	case k < 11:
		if r.IntN(2) == 0 {
			return &syntax.Node{Op: syntax.OpByte, Byte: []byte{0xc3, 0xa9, 0xff, 0xe4, 0x80, 'a'}[r.IntN(6)]}
		}
		return &syntax.Node{Op: []syntax.Op{syntax.OpEmpty, syntax.OpEmpty, syntax.OpNone}[r.IntN(3)]}
	case k < 14:
		n := &syntax.Node{Op: syntax.OpConcat}
		for range 2 + r.IntN(3) {
			n.Sub = append(n.Sub, r.node(depth-1))
		}
		return n
	case k < 17:
		n := &syntax.Node{Op: syntax.OpAlt}
		for range 2 + r.IntN(2) {
			n.Sub = append(n.Sub, r.node(depth-1))
		}
		return n
	}
	lo := r.IntN(3)
	hi := lo + r.IntN(3)
	if r.IntN(2) == 0 {
		hi = -1
	}
	return &syntax.Node{Op: syntax.OpRepeat, Sub: []*syntax.Node{r.node(depth - 1)}, Min: lo, Max: hi, Lazy: r.IntN(3) == 0}
}

// lines cuts buf as grep does: nothing follows a last terminator.
func lines(buf []byte, eol byte) [][]byte {
	if len(buf) == 0 {
		return nil
	}
	return bytes.Split(bytes.TrimSuffix(buf, []byte{eol}), []byte{eol})
}

// variants are the machines that must agree: the usual one, one with lanes of few bytes, one whose cache is flushed at every few
// characters, one that gives such a cache up at once, one without any table, and three that find spans by a reach, one of
// these late, one with many levels and a cache that is flushed at every few characters.
func variants(t testing.TB, re *syntax.Regexp, eol byte) map[string]*Machine {
	t.Helper()
	vs := map[string]*Machine{}
	for _, name := range []string{"usual", "lanes", "flushed", "thrashing", "simulated", "reach", "late", "levels"} {
		o := Options{Terminator: eol}
		if name != "usual" && name != "lanes" {
			o.CacheBytes = 1
		}
		p, err := Compile(re, o)
		if err != nil {
			t.Fatalf("compile: %v", err)
		}
		m := p.NewMachine()
		if name != "usual" {
			m.line.sizes = laneSizes{1, 1, 8}
		}
		switch name {
		case "flushed":
			m.line.never, m.line.maxStates = true, numCursors+2
			m.span = newSpanFinder(p)
			if m.span.forward != nil {
				for _, d := range []*spanDFA{m.span.forward, m.span.backward} {
					d.maxStates, d.never = 2, true
				}
			}
		case "simulated":
			m.line.simulate = 1 << 60
			m.span = newSpanFinder(p)
			m.span.skip = 1 << 60
		case "reach", "late", "levels":
			m.span = newSpanFinder(p)
			if m.span.spare = -1 << 60; name == "late" {
				m.span.spare = -60
			}
			if m.span.reach = newReach(p); name == "levels" {
				m.span.reach.fan, m.span.reach.maxStates = utf8.UTFMax, 2
			}
		}
		vs[name] = m
	}
	return vs
}

// agree holds every API of every variant against what the oracle says of buf.
func agree(t testing.TB, what string, re *syntax.Regexp, buf []byte, eol byte, spans bool) {
	t.Helper()
	var want []string
	ls := lines(buf, eol)
	type span struct{ s, e int }
	wantSpan := make([]span, len(ls))
	at := 0
	for i, l := range ls {
		s, e := newOracle(l).find(re, 0)
		wantSpan[i] = span{s, e}
		if s >= 0 {
			want = append(want, fmt.Sprintf("%d-%d", at, at+len(l)))
		}
		at += len(l) + 1
	}
	vs := variants(t, re, eol)
	wantAll := make([][][2]int, len(ls))
	for i, l := range ls {
		find := vs["usual"].Find
		if o := newOracle(l); spans {
			find = func(_ []byte, from int) (int, int) { return o.find(re, from) }
		}
		wantAll[i] = allSpans(l, func(from int) (int, int) { return find(l, from) })
	}
	for name, m := range vs {
		var got []string
		for from := 0; from <= len(buf); {
			s, e := m.Next(buf, from)
			if s < 0 {
				break
			}
			got = append(got, fmt.Sprintf("%d-%d", s, e))
			from = e + 1
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s, %s: Next in %q: %v, want %v", what, name, buf, got, want)
		}
		got = got[:0]
		var all []Line
		for from := 0; from < len(buf); {
			all, from = m.Lines(all, buf, from)
		}
		for _, l := range all {
			got = append(got, fmt.Sprintf("%d-%d", l.Start, l.End))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s, %s: Lines of %q: %v, want %v", what, name, buf, got, want)
		}
		for i, l := range ls {
			matches := wantSpan[i].s >= 0
			if m.MatchLine(l) != matches {
				t.Fatalf("%s, %s: MatchLine(%q) = %v", what, name, l, !matches)
			}
			for k := 0; k <= len(l); k++ {
				j := k + (len(l)-k)/2
				m.Feed(l[:k])
				m.Feed(l[k:j])
				m.MatchLine(l) // in between
				m.Feed(l[j:])
				if m.EndLine() != matches {
					t.Fatalf("%s, %s: %q fed in pieces to %d and %d: %v", what, name, l, k, j, !matches)
				}
			}
			for k := range l {
				m.Feed(l[k : k+1])
			}
			if m.EndLine() != matches {
				t.Fatalf("%s, %s: %q fed byte by byte: %v", what, name, l, !matches)
			}
			if s, e := m.Find(l, 0); s != wantSpan[i].s || spans && e != wantSpan[i].e {
				t.Fatalf("%s, %s: Find(%q) = %d, %d, want %v", what, name, l, s, e, wantSpan[i])
			}
			for from := range l {
				if newOracle(l).mid[from] {
					continue
				}
				s, e := newOracle(l).find(re, from)
				if gs, ge := m.Find(l, from); gs != s || spans && ge != e {
					t.Fatalf("%s, %s: Find(%q, %d) = %d, %d, want %d, %d", what, name, l, from, gs, ge, s, e)
				}
			}
			m.Begin(l)
			if got := allSpans(l, m.FindFrom); !slices.Equal(got, wantAll[i]) {
				t.Fatalf("%s, %s: spans of %q: %v, want %v", what, name, l, got, wantAll[i])
			}
		}
	}
}

// allSpans returns all spans of a line that are not empty, one by one.
func allSpans(line []byte, find func(from int) (start, end int)) (all [][2]int) {
	for from := 0; from < len(line); {
		s, e := find(from)
		switch {
		case s < 0:
			return all
		case s == e:
			from = s + 1
		default:
			all = append(all, [2]int{s, e})
			from = e
		}
	}
	return all
}

// dump prints a tree.
func dump(n *syntax.Node) string {
	sub := ""
	for i, s := range n.Sub {
		if i > 0 {
			sub += ", "
		}
		sub += dump(s)
	}
	switch n.Op {
	case syntax.OpNone:
		return "none"
	case syntax.OpEmpty:
		return "empty"
	case syntax.OpByte:
		return fmt.Sprintf("byte(%02x)", n.Byte)
	case syntax.OpClass:
		if len(n.Class) > 12 {
			return "class(…)"
		}
		return fmt.Sprintf("class(%q)", n.Class)
	case syntax.OpLook:
		return fmt.Sprintf("look(%d,%v)", n.Look, n.Unicode)
	case syntax.OpRepeat:
		return fmt.Sprintf("repeat{%d,%d,%v}(%s)", n.Min, n.Max, n.Lazy, sub)
	}
	return fmt.Sprintf("%s(%s)", map[syntax.Op]string{syntax.OpConcat: "concat", syntax.OpAlt: "alt"}[n.Op], sub)
}

// emptyTurns reports whether a repeat in n can run on the empty string: engines may then differ in priority.
func emptyTurns(n *syntax.Node) bool {
	if n.Op == syntax.OpRepeat && nullable(n.Sub[0]) {
		return true
	}
	for _, s := range n.Sub {
		if emptyTurns(s) {
			return true
		}
	}
	return false
}

func TestRandomTreesAgainstOracle(t *testing.T) {
	n := 800
	if testing.Short() {
		n = 300
	}
	for seed := range uint64(n) {
		r := newRandom(seed)
		re := &syntax.Regexp{Root: r.node(1 + r.IntN(4)), Longest: r.IntN(2) == 0}
		eol := byte('\n')
		if r.IntN(4) == 0 {
			eol = 0
		}
		what := fmt.Sprintf("seed %d, longest %v, %s", seed, re.Longest, dump(re.Root))
		for range 3 {
			agree(t, what, re, r.text(20+r.IntN(2)*60, string(eol)), eol, re.Longest || !emptyTurns(re.Root))
		}
	}
}
