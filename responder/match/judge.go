package match

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/responder/match/literal"
	"github.com/trawl-logs/trawl/responder/match/simd"
)

// also is something that a candidate line must hold besides what made it one. It is cheaper to look for than the
// automaton is, and tells where the automaton may begin.
type also struct {
	literal.Place
	finder finder
	behind bool // it stands behind what made the line a candidate
}

// maxAlso is how many there are at most, of literals and of windows.
const maxAlso = 2

// alsoRequire chooses them: literals that do not overlap with what the strategy looks for or with each other, and the
// rarest window, if it surely stands elsewhere.
func (p *Pattern) alsoRequire(info literal.Info) {
	apart := func(q literal.Place) bool {
		return (q.Behind(p.place) || p.place.Behind(q)) &&
			!slices.ContainsFunc(p.also, func(a also) bool { return !q.Behind(a.Place) && !a.Behind(q) })
	}
	for _, s := range info.Sets {
		if len(p.also) < maxAlso && len(s.Lits) == 1 && apart(s.Place) {
			p.also = append(p.also, also{s.Place, literalFinder{simd.NewFinder(s.Lits[0], s.Fold)}, s.Behind(p.place)})
		}
	}
	for _, w := range info.Windows {
		if f, ok := newWindow(w); ok && apart(w.Place) {
			p.also = append(p.also, also{w.Place, f, w.Behind(p.place)})
			break
		}
	}
}

// tested is how an also has done of late. One that rejects few lines is left out for a while.
type tested struct{ tries, rejected, rest int }

const (
	alsoTrial = 64   // lines between decisions about an also
	alsoRest  = 4096 // lines for which it is left out
	alsoYield = 8    // it must reject one of so many
)

// judge decides about a candidate line, in which the strategy's finder first found something at at.
func (m *Matcher) judge(line []byte, at int) bool {
	from := 0
	if back := m.p.place.Back; back >= 0 {
		from = max(at-back, 0)
	}
	for i := range m.p.also {
		a, t := &m.p.also[i], &m.also[i]
		if t.rest > 0 {
			t.rest--
			continue
		}
		after := 0
		if a.behind {
			after = at + 1
		}
		found := a.finder.next(line[after:], 0)
		m.pace.spent += alsoNanos
		t.tries++
		if found < 0 {
			t.rejected++
			return false
		}
		if t.tries == alsoTrial {
			if t.rejected*alsoYield < t.tries {
				t.rest = alsoRest
			}
			t.tries, t.rejected = 0, 0
		}
		if a.Back >= 0 {
			from = max(from, after+found-a.Back)
		}
	}
	return m.matchFrom(line, from, at)
}

// matchFrom has the automaton judge a line in which no match begins before from. Where none is in progress behind at, it goes
// on where the finder finds the next candidate.
func (m *Matcher) matchFrom(line []byte, from, at int) bool {
	machine, p := m.machine(), m.p
	for least := 0; ; {
		from = border(line, least, from)
		matched, stop := machine.MatchFrom(line, from, at)
		m.pace.spent += (stop - from) * dfaNanos
		if matched || stop == len(line) {
			return matched
		}
		m.pace.spent += alsoNanos
		if at = p.finder.next(line[stop:], 0); at < 0 {
			return false
		}
		at += stop
		from, least = stop, stop
		if p.place.Back >= 0 {
			from = max(at-p.place.Back, stop)
		}
	}
}

// border returns the last place up to from, but not before least, that surely lies between characters: least does.
func border(line []byte, least, from int) int {
	for from > least && line[from-1] >= utf8.RuneSelf {
		from--
	}
	return from
}

// foreign tells whether buf holds a character beyond ASCII that matches an ASCII letter in another case: ſ or K (the
// Kelvin sign).
func foreign(buf []byte) bool {
	for {
		i := simd.Index2(buf, "ſ"[0], "\u212a"[0])
		if i < 0 {
			return false
		}
		if bytes.HasPrefix(buf[i:], []byte("ſ")) || bytes.HasPrefix(buf[i:], []byte("\u212a")) {
			return true
		}
		buf = buf[i+1:]
	}
}
