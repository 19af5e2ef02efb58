package literal

import (
	"math"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// Bounds of what is looked at. They keep extraction linear in the pattern.
const (
	maxOptions = 64   // strings that one piece can be: as many as one search looks for
	maxChars   = 16   // characters of a class that are told apart
	maxText    = 1024 // bytes of one literal
	maxParts   = 1024 // parts of one concatenation; what follows requires nothing
	maxRun     = 8    // classes of a run
	maxCopies  = 8    // copies of what is repeated
	maxBack    = 64   // bytes of a match before what it requires
)

// lit is a string that a piece can be. Letters that match in either case are in lower case.
type lit struct {
	text   []byte
	either bool // some letter matches in either case
	only   bool // some letter matches in its own case only
}

// mixed tells that no single search finds l and nothing else.
func (l lit) mixed() bool { return l.either && l.only }

// piece is what is known of a node.
type piece struct {
	whole    bool  // the node matches one of opts and nothing else, but for its assertions
	look     bool  // it holds an assertion
	opts     []lit // if whole
	pre, suf []lit // if not whole: every match begins, ends with one of these; nil says nothing

	size span // of what the node matches

	fixed      bool    // the node matches exactly head, which is then tail
	head, tail []Class // every match begins, ends with such bytes

	sets []Set
	wins []Window
}

// span is a length in bytes, at most: known and small, or else the zero value.
type span struct {
	known bool
	most  int
}

func (s span) plus(n int) span { return s.then(span{true, n}) }

func (s span) then(t span) span {
	if !s.known || !t.known || s.most+t.most > maxBack {
		return span{}
	}
	return span{true, s.most + t.most}
}

func (s span) or(t span) span {
	if !s.known || !t.known {
		return span{}
	}
	return span{true, max(s.most, t.most)}
}

// back is s as Place has it.
func (s span) back() int {
	if !s.known {
		return -1
	}
	return s.most
}

// spanOf is the reverse of back.
func spanOf(back int) span { return span{back >= 0, max(back, 0)} }

var emptyLit = []lit{{}}

// before and after return what p begins and ends with.
func (p *piece) before() []lit {
	if p.whole {
		return p.opts
	}
	return p.pre
}

func (p *piece) after() []lit {
	if p.whole {
		return p.opts
	}
	return p.suf
}

// extractor turns nodes into pieces.
type extractor struct {
	term    byte
	windows bool // collect windows too
	plain   bool // what was found holds for plain lines only, see Info
}

func (x *extractor) piece(n *syntax.Node) piece {
	switch n.Op {
	case syntax.OpNone:
		return piece{whole: true, opts: []lit{}, size: span{known: true}}
	case syntax.OpEmpty:
		return piece{whole: true, opts: emptyLit, fixed: true, size: span{known: true}}
	case syntax.OpLook:
		return piece{whole: true, opts: emptyLit, fixed: true, look: true, size: span{known: true}}
	case syntax.OpByte:
		var c Class
		c.add(n.Byte)
		return piece{whole: true, opts: []lit{{text: []byte{n.Byte}}}, size: span{true, 1}, fixed: true, head: []Class{c}, tail: []Class{c}}
	case syntax.OpClass:
		return x.class(n.Class)
	case syntax.OpConcat:
		j := joiner{x: x}
		for _, sub := range n.Sub[:min(len(n.Sub), maxParts)] {
			j.add(x.piece(sub))
		}
		if len(n.Sub) > maxParts {
			j.add(piece{})
		}
		return j.end()
	case syntax.OpAlt:
		return x.alternate(n.Sub)
	case syntax.OpRepeat:
		return x.repeat(n)
	}
	return piece{}
}

// class returns the piece of one character.
func (x *extractor) class(c []rune) piece {
	var p piece
	c = x.withoutFolds(c)
	p.opts, p.whole = x.chars(c)
	p.size = span{true, utf8.UTFMax}
	if len(c) == 0 || c[len(c)-1] < utf8.RuneSelf {
		p.size.most = 1
	}
	var first, last Class
	p.fixed = true
	for i := 0; i < len(c); i += 2 {
		for r := c[i]; r <= min(c[i+1], utf8.RuneSelf-1); r++ {
			if byte(r) != x.term {
				first.add(byte(r))
				last.add(byte(r))
			}
		}
		if c[i+1] >= utf8.RuneSelf {
			p.fixed = false
			edges(&first, &last, max(c[i], utf8.RuneSelf), c[i+1])
		}
	}
	p.head, p.tail = []Class{first}, []Class{last}
	return p
}

// withoutFolds drops from a class the characters beyond ASCII that are there because an ASCII letter
// is, if there are no others beyond ASCII: lines that hold them are rare, and each would double the
// options of a word.
func (x *extractor) withoutFolds(c []rune) []rune {
	n := len(c)
	for n > 0 && c[n-1] == c[n-2] && (c[n-1] == 'ſ' && has(c, 's') || c[n-1] == '\u212a' && has(c, 'k')) {
		n -= 2
	}
	if n == len(c) || n > 0 && c[n-1] >= utf8.RuneSelf {
		return c
	}
	x.plain = true
	return c[:n]
}

// edges adds the first and last bytes of the characters from lo to hi, which are not ASCII. Of a
// long range every continuation byte may be the last.
func edges(first, last *Class, lo, hi rune) {
	var a, b [utf8.UTFMax]byte
	n, m := utf8.EncodeRune(a[:], lo), utf8.EncodeRune(b[:], hi)
	for l := int(a[0]); l <= int(b[0]); l++ {
		first.add(byte(l))
	}
	from, to := a[n-1], b[m-1]
	if hi-lo >= 64 || from > to {
		from, to = 0x80, 0xBF
	}
	for l := int(from); l <= int(to); l++ {
		last.add(byte(l))
	}
}

// chars lists the characters of a class as options; false if they are too many.
func (x *extractor) chars(c []rune) ([]lit, bool) {
	size := rune(0)
	for i := 0; i < len(c); i += 2 {
		if size += c[i+1] - c[i] + 1; size > 2*maxChars {
			return nil, false
		}
	}
	opts := []lit{}
	for i := 0; i < len(c); i += 2 {
		for r := c[i]; r <= c[i+1]; r++ {
			letter := r|0x20 >= 'a' && r|0x20 <= 'z'
			switch {
			case r == rune(x.term) || r >= 0xD800 && r <= 0xDFFF: // in no line
			case letter && has(c, r^0x20):
				if r >= 'a' {
					opts = append(opts, lit{text: []byte{byte(r)}, either: true})
				}
			default:
				opts = append(opts, lit{text: utf8.AppendRune(nil, r), only: letter})
			}
		}
	}
	return opts, len(opts) <= maxChars
}

func has(c []rune, r rune) bool {
	for i := 0; i < len(c); i += 2 {
		if c[i] <= r && r <= c[i+1] {
			return true
		}
	}
	return false
}

// repeat returns the piece of a repetition: that of its first copies, if it must have any.
func (x *extractor) repeat(n *syntax.Node) piece {
	sub := x.piece(n.Sub[0])
	if n.Min == 0 {
		if n.Max == 1 && sub.whole && len(sub.opts) < maxOptions {
			return piece{whole: true, look: sub.look, opts: append(append([]lit{}, sub.opts...), lit{}), size: sub.size}
		}
		return piece{look: sub.look, size: repeated(sub.size, n.Max)}
	}
	copies := min(n.Min, maxCopies)
	j := joiner{x: x}
	for range copies {
		j.add(sub)
	}
	if copies == n.Max {
		return j.end()
	}
	j.vary()
	p := j.end()
	p.size = repeated(sub.size, n.Max)
	return p
}

// repeated is the length of up to n copies; n is negative for no bound.
func repeated(s span, n int) span {
	if n < 0 || !s.known || s.most > 0 && n > maxBack/s.most {
		return span{}
	}
	return span{true, n * s.most}
}

// alternate returns the piece of alternatives.
func (x *extractor) alternate(subs []*syntax.Node) piece {
	var p piece
	if len(subs) > maxOptions {
		return p // no search looks for so many
	}
	var need []Set // the best requirement of each alternative
	for i, sub := range subs {
		q := x.piece(sub)
		if i == 0 {
			p.whole, p.opts, p.fixed, p.head, p.tail = q.whole, q.opts, q.fixed, q.head, q.tail
			p.pre, p.suf = q.before(), q.after()
			p.size = q.size
		} else {
			p.size = p.size.or(q.size)
			p.fixed = p.fixed && q.fixed && len(p.head) == len(q.head)
			p.head, p.tail = shareHead(p.head, q.head), shareTail(p.tail, q.tail)
			p.pre, p.suf = either(p.pre, q.before()), either(p.suf, q.after())
			if p.whole = p.whole && q.whole && len(p.opts)+len(q.opts) <= maxOptions; p.whole {
				p.opts = p.pre
			}
		}
		p.look = p.look || q.look
		if s, ok := q.requirement(); ok {
			need = append(need, s)
		} else if !q.whole || len(q.opts) > 0 {
			need = append(need, Set{}) // requires nothing
		}
	}
	if s, ok := merge(need); ok {
		p.sets = []Set{s}
	}
	return p
}

// requirement returns the best set that p requires.
func (p *piece) requirement() (Set, bool) {
	sets := p.sets
	if p.whole {
		if s, ok := toSet(p.opts, false); ok {
			sets = append(sets[:len(sets):len(sets)], s)
		}
	}
	if len(sets) == 0 {
		return Set{}, false
	}
	return best(sets, 1)[0], true
}

// merge returns the requirement of alternatives: any one of theirs.
func merge(sets []Set) (Set, bool) {
	out := Set{Place: Place{Last: math.MaxInt}}
	for i, s := range sets {
		if back := spanOf(s.Back); i > 0 {
			out.Back = spanOf(out.Back).or(back).back()
		} else {
			out.Back = s.Back
		}
		if len(s.Lits) == 0 || len(out.Lits)+len(s.Lits) > maxOptions {
			return Set{}, false
		}
		out.Lits = append(out.Lits, s.Lits...)
		out.Fold = out.Fold || s.Fold
	}
	if len(out.Lits) == 0 {
		return Set{}, false
	}
	if out.Fold {
		for i, l := range out.Lits {
			out.Lits[i] = append([]byte{}, l...)
			lower(out.Lits[i])
		}
	}
	lits, shift := minimal(out.Lits)
	out.Lits, out.Back = lits, spanOf(out.Back).plus(shift).back()
	return out, true
}

// either returns the options of both, or nil if they are too many or one says nothing.
func either(a, b []lit) []lit {
	if a == nil || b == nil || len(a)+len(b) > maxOptions {
		return nil
	}
	return append(a[:len(a):len(a)], b...)
}

// shareHead returns the run that both a match with head a and one with head b begin with.
func shareHead(a, b []Class) []Class {
	n := min(len(a), len(b))
	return overlay(a[:n], b[:n])
}

func shareTail(a, b []Class) []Class {
	n := min(len(a), len(b))
	return overlay(a[len(a)-n:], b[len(b)-n:])
}

func overlay(a, b []Class) []Class {
	out := make([]Class, len(a))
	for i := range out {
		for k := range out[i] {
			out[i][k] = a[i][k] | b[i][k]
		}
	}
	return out
}
