package match

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/responder/match/literal"
	"github.com/trawl-logs/trawl/responder/match/simd"
	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// also is something that a candidate line must hold besides what made it one. It is cheaper to look for than the
// automaton is, and tells where the automaton may begin.
type also struct {
	literal.Place
	finder finder
	behind bool // it stands behind what made the line a candidate
	before bool // before
	anchor bool // it alone tells where a match can begin
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
	add := func(q literal.Place, f finder) {
		p.also = append(p.also, also{q, f, q.Behind(p.place), p.place.Behind(q), q.Back >= 0 && p.place.Back < 0})
	}
	for _, s := range info.Sets {
		if len(p.also) < maxAlso && len(s.Lits) == 1 && apart(s.Place) {
			if f, ok := newFinder(s, p.term); ok {
				add(s.Place, f)
			}
		}
	}
	for _, w := range info.Windows {
		if f, ok := newWindow(w); ok && apart(w.Place) {
			add(w.Place, f)
			break
		}
	}
}

// tested is how an also has done of late. One that rejects few lines is left out for a while.
type tested struct {
	tries, rejected, rest int

	at int // where it was found in the line at hand, negative if it was not looked for yet
}

const (
	alsoTrial = 64   // lines between decisions about an also
	alsoRest  = 4096 // lines for which it is left out
	alsoYield = 8    // it must reject one of so many
)

// judge decides about a candidate line, in which the strategy's finder first found something at at. The automaton begins
// where a match can; where none is in progress any more, all is looked for again behind.
func (m *Matcher) judge(line []byte, at int) bool {
	p, least := m.p, 0
	for i := range m.also {
		m.also[i].at = -1
	}
	for {
		from, past, found := m.begin(line, least, at)
		if at = found; at < 0 {
			return false
		}
		from = border(line, least, from)
		matched, stop := m.machine().MatchFrom(line, from, past)
		m.pace.spent += (stop - from) * dfaNanos
		if matched || stop == len(line) {
			return matched
		}
		if least = stop; at < least { // what lies ahead still is not looked for again: time would not be linear
			m.pace.spent += alsoNanos
			if at = p.finder.next(line, least); at < 0 {
				return false
			}
		}
	}
}

// begin returns where the first match of line can begin that does so at least or later, and the place beyond from of what
// says so. at is where the finder found something, not before least; it comes back as the place where a match needs it, or
// negative if there is no match.
func (m *Matcher) begin(line []byte, least, at int) (from, past, needed int) {
	p := m.p
	from, past = least, least
	for i := range p.also {
		a, t := &p.also[i], &m.also[i]
		if t.rest > 0 && t.at < 0 {
			t.rest--
			continue
		}
		after := least
		if a.behind {
			after = at + 1
		}
		found := t.at
		if found < after {
			found = a.finder.next(line, after)
			m.pace.spent += alsoNanos
		}
		t.at = found
		if found >= 0 && a.before && at <= found {
			m.pace.spent += alsoNanos
			if at = p.finder.next(line, found+1); at < 0 {
				found = -1
			}
		}
		if t.count(found < 0, a.anchor); found < 0 {
			return 0, 0, -1
		}
		if a.Back >= 0 && found-a.Back > from {
			from, past = found-a.Back, found
		}
	}
	if back := p.place.Back; back >= 0 && at-back > from {
		from, past = at-back, at
	}
	return from, past, at
}

// count counts a line, and has an also rest that rejects too few of them, if it is no anchor.
func (t *tested) count(rejected, anchor bool) {
	t.tries++
	if rejected {
		t.rejected++
	}
	if t.tries < alsoTrial {
		return
	}
	if t.rejected*alsoYield < t.tries && !anchor {
		t.rest = alsoRest
	}
	t.tries, t.rejected = 0, 0
}

// anchor is what tells where a span can begin.
type anchor struct {
	finder finder
	back   int
}

// newAnchor returns nil if re has none that is worth looking for.
func newAnchor(re *syntax.Regexp, term byte) *anchor {
	a, ok := literal.SpanAnchor(re, term)
	if !ok {
		return nil
	}
	var f finder
	if a.Set != nil {
		f, ok = newFinder(*a.Set, term)
	} else {
		f, ok = newWindow(*a.Window)
	}
	if !ok {
		return nil
	}
	return &anchor{f, a.Back()}
}

// start returns from where on the first span of line can begin that does so at from or later; negative if there is none.
func (a *anchor) start(line []byte, from int) int {
	at := a.finder.next(line, from)
	if at < 0 {
		return -1
	}
	return border(line, from, max(from, at-a.back))
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
	for !simd.ASCII(buf) {
		i := simd.Index2(buf, "ſ"[0], "\u212a"[0])
		if i < 0 {
			return false
		}
		if bytes.HasPrefix(buf[i:], []byte("ſ")) || bytes.HasPrefix(buf[i:], []byte("\u212a")) {
			return true
		}
		buf = buf[i+1:]
	}
	return false
}
