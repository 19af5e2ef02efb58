package bitstream

import (
	"unicode/utf8"

	"github.com/trawl-logs/trawl/responder/match/simd"
	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// Program is a compiled pattern. It is immutable.
type Program struct {
	tests []*simd.ClassTest // of the first streams
	ops   []op
	n     int // number of streams
	end   int // the stream of places where a match ends
	ascii bool
	term  byte
}

// ASCII tells whether the program is right about lines of ASCII only, and finds all others as well.
func (p *Program) ASCII() bool { return p.ascii }

// Cost estimates what a search takes, in nanoseconds a byte.
func (p *Program) Cost() float64 {
	return testNanos*float64(len(p.tests)) + opNanos*float64(len(p.ops))
}

// Nanoseconds a byte with everything in the cache, on a busy machine; BenchmarkSearch holds them against what it measures.
const (
	testNanos = 0.02
	opNanos   = 0.012
)

// maxOps bounds a program, and so a search: 600 steps take some 7 ns a byte and 300 KiB, which is still much better than an
// automaton without a cache.
const (
	maxOps    = 600
	maxVisits = 2 * maxOps
)

// opcode is what an op does with the streams a and b.
type opcode uint8

const (
	opShift  opcode = iota // a << 1; the first bit of all is set if b is 1
	opOver                 // (a & b) << 1
	opStar                 // to the end of each run of b that a place of a is in or before: all places on the way
	opAnd                  // a & b
	opAndNot               // a &^ b
	opXor                  // a ^ b
	opOr                   // a | b
)

type op struct {
	code     opcode
	to, a, b int
}

// everywhere stands for the stream of all places: a match can begin at each.
const everywhere = -1

// ends is the stream of terminators, the first of all.
const ends = 0

// compiler makes a Program.
type compiler struct {
	p       *Program
	classes map[simd.Class]int
	known   map[op]int // the stream of an op: equal ones are made once
	visits  int
	ok      bool
}

// Compile returns the program of re for lines that end with term. It returns false if there is none.
func Compile(re *syntax.Regexp, term byte) (*Program, bool) {
	c := &compiler{p: &Program{term: term}, classes: map[simd.Class]int{}, known: map[op]int{}, ok: true}
	var terminator simd.Class
	terminator.Add(term, term)
	c.class(terminator)
	end := c.node(re.Root, everywhere, true)
	if c.p.ascii {
		var high simd.Class
		high.Add(utf8.RuneSelf, 0xff)
		end = c.either(end, c.class(high))
	}
	if !c.ok || end == everywhere {
		return nil, false
	}
	c.number(end)
	return c.p, true
}

// opStream marks the number of a stream that an op makes, while it is not known how many classes there are.
const opStream = 1 << 20

// number gives the streams of ops the numbers behind those of classes.
func (c *compiler) number(end int) {
	p := c.p
	at := func(s int) int {
		if s >= opStream {
			return s - opStream + len(p.tests)
		}
		return s
	}
	for i := range p.ops {
		o := &p.ops[i]
		o.to, o.a = at(o.to), at(o.a)
		if o.code != opShift {
			o.b = at(o.b)
		}
	}
	p.end, p.n = at(end), len(p.tests)+len(p.ops)
}

// class returns the stream of the bytes of a class.
func (c *compiler) class(class simd.Class) int {
	if s, ok := c.classes[class]; ok {
		return s
	}
	test, ok := simd.NewClassTest(class)
	c.ok = c.ok && ok && class != simd.Class{}
	s := len(c.p.tests)
	c.p.tests = append(c.p.tests, test)
	c.classes[class] = s
	return s
}

// make returns the stream that an op makes.
func (c *compiler) make(code opcode, a, b int) int {
	o := op{code: code, a: a, b: b}
	if s, ok := c.known[o]; ok {
		return s
	}
	if len(c.p.ops) == maxOps {
		c.ok = false
		return a
	}
	s := opStream + len(c.p.ops)
	c.known[o] = s
	o.to = s
	c.p.ops = append(c.p.ops, o)
	return s
}

func (c *compiler) either(a, b int) int {
	switch {
	case a == everywhere || b == everywhere:
		return everywhere
	case a == b:
		return a
	}
	return c.make(opOr, a, b)
}

// node returns the places behind n where it begins at those of at. With last, nothing follows, and fewer places will do if
// there are some in the same lines.
func (c *compiler) node(n *syntax.Node, at int, last bool) int {
	if c.visits++; c.visits > maxVisits {
		c.ok = false // a large repetition of what makes no new streams
	}
	if !c.ok {
		return at
	}
	switch n.Op {
	case syntax.OpEmpty:
		return at
	case syntax.OpByte, syntax.OpClass:
		class, ok := c.bytes(n)
		if c.ok = c.ok && ok; !ok {
			return at
		}
		if at == everywhere {
			return c.make(opShift, c.class(class), 0)
		}
		return c.make(opOver, at, c.class(class))
	case syntax.OpLook:
		return c.look(n, at)
	case syntax.OpConcat:
		return c.concat(n.Sub, at, last)
	case syntax.OpAlt:
		out := at
		for i, sub := range n.Sub {
			if s := c.node(sub, at, last); i == 0 {
				out = s
			} else {
				out = c.either(out, s)
			}
		}
		return out
	case syntax.OpRepeat:
		return c.repeat(n, at, last)
	}
	c.ok = false
	return at
}

func (c *compiler) concat(subs []*syntax.Node, at int, last bool) int {
	if last { // what may be missing at the end may as well not be there
		for len(subs) > 0 && subs[len(subs)-1].Op == syntax.OpRepeat && subs[len(subs)-1].Min == 0 {
			subs = subs[:len(subs)-1]
		}
	}
	for i, sub := range subs {
		at = c.node(sub, at, last && i == len(subs)-1)
	}
	return at
}

func (c *compiler) repeat(n *syntax.Node, at int, last bool) int {
	sub := n.Sub[0]
	least := at == everywhere || last // more turns find no other lines: a match may begin, or end, with fewer
	if !least && n.Max < 0 {
		return c.star(n, at)
	}
	for i := 1; i <= n.Min && c.ok; i++ {
		at = c.node(sub, at, last && i == n.Min)
	}
	if least {
		return at
	}
	all := at
	for i := n.Min; i < n.Max && c.ok; i++ {
		at = c.node(sub, at, false)
		all = c.either(all, at)
	}
	return all
}

// star repeats a character without bound.
func (c *compiler) star(n *syntax.Node, at int) int {
	class, ok := c.bytes(n.Sub[0])
	if c.ok = c.ok && ok; !c.ok {
		return at
	}
	s := c.class(class)
	for range n.Min {
		at = c.make(opOver, at, s)
	}
	return c.make(opStar, at, s)
}

// bytes returns the ASCII characters that n, which matches one character, can be; false if it is something else.
func (c *compiler) bytes(n *syntax.Node) (class simd.Class, ok bool) {
	switch n.Op {
	case syntax.OpByte:
		if n.Byte >= utf8.RuneSelf {
			return class, false
		}
		class.Add(n.Byte, n.Byte)
	case syntax.OpClass:
		for i := 0; i < len(n.Class); i += 2 {
			lo, hi := n.Class[i], n.Class[i+1]
			if hi >= utf8.RuneSelf {
				c.p.ascii = true
			}
			if lo < utf8.RuneSelf {
				class.Add(byte(lo), byte(min(hi, utf8.RuneSelf-1)))
			}
		}
	case syntax.OpAlt:
		for _, sub := range n.Sub {
			part, ok := c.bytes(sub)
			if !ok {
				return class, false
			}
			for i := range class {
				class[i] |= part[i]
			}
		}
	default:
		return class, false
	}
	class[c.p.term>>6] &^= 1 << (c.p.term & 63)
	return class, true
}

// look returns the places of at where an assertion holds.
func (c *compiler) look(n *syntax.Node, at int) int {
	if n.Look == syntax.LookEnd {
		return c.both(at, ends)
	}
	if n.Look == syntax.LookStart {
		return c.both(at, c.make(opShift, ends, 1))
	}
	c.p.ascii = true
	var word simd.Class
	word.Add('0', '9')
	word.Add('A', 'Z')
	word.Add('_', '_')
	word.Add('a', 'z')
	ahead := c.class(word)
	behind := c.make(opShift, ahead, 0)
	switch n.Look {
	case syntax.LookWord:
		return c.both(at, c.make(opXor, ahead, behind))
	case syntax.LookNotWord:
		return c.but(at, c.make(opXor, ahead, behind))
	case syntax.LookWordStart:
		return c.both(at, c.make(opAndNot, ahead, behind))
	case syntax.LookWordEnd:
		return c.both(at, c.make(opAndNot, behind, ahead))
	case syntax.LookHalfStart:
		return c.but(at, behind)
	default: // LookHalfEnd
		return c.but(at, ahead)
	}
}

func (c *compiler) both(at, s int) int {
	if at == everywhere || at == s {
		return s
	}
	return c.make(opAnd, at, s)
}

// but returns the places of at that are not in s.
func (c *compiler) but(at, s int) int {
	if at == everywhere {
		var any simd.Class
		any.Add(0, 0xff)
		at = c.class(any)
	}
	return c.make(opAndNot, at, s)
}
