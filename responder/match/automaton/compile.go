package automaton

import (
	"math"
	"slices"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// size returns how many instructions n needs at most. Compile asks it first: it takes no longer than the
// tree is large, however large the product of nested repeats.
func size(n *syntax.Node) int {
	total := 1
	switch n.Op {
	case syntax.OpConcat, syntax.OpAlt:
		for _, s := range n.Sub {
			total = addSat(total, addSat(size(s), 1))
		}
	case syntax.OpRepeat:
		copies := n.Max
		if n.Max < 0 {
			copies = n.Min + 1
		}
		total = addSat(total, mulSat(copies, addSat(size(n.Sub[0]), 1)))
	}
	return total
}

func addSat(a, b int) int {
	if a > math.MaxInt-b {
		return math.MaxInt
	}
	return a + b
}

func mulSat(a, b int) int {
	if a > 0 && b > math.MaxInt/a {
		return math.MaxInt
	}
	return a * b
}

// compiler turns a tree into code. It builds from the end backward, so that every instruction knows its
// successors, and equal instructions with equal successors become one: alternatives share their ends.
type compiler struct {
	alpha    *alphabet
	ivs      []interval
	sets     []uint64
	setWords int
	sides    side
	classes  map[string]inst // the instruction of a class, x unset
	reverse  bool
	insts    []inst
	same     map[inst]int32
}

// survey is what the alphabet has to know of a tree.
type survey struct {
	classes map[string][]rune
	odd     []byte
	word    [2]bool // an assertion about ASCII, Unicode words
	edge    bool    // an assertion about the start of the line; in reverse, the end
	fine    bool    // an assertion that could hold inside a character if bytes were characters
}

func (s *survey) visit(n *syntax.Node) {
	switch n.Op {
	case syntax.OpByte:
		if n.Byte < utf8.RuneSelf {
			s.classes[classKey(asClass(n.Byte))] = asClass(n.Byte)
			return
		}
		s.odd = append(s.odd, n.Byte)
	case syntax.OpClass:
		s.classes[classKey(n.Class)] = n.Class
	case syntax.OpLook:
		switch n.Look {
		case syntax.LookStart, syntax.LookEnd:
			s.edge = true
			return
		case syntax.LookNotWord, syntax.LookHalfStart, syntax.LookHalfEnd:
			s.fine = true
		}
		if n.Unicode {
			s.word[1], s.fine = true, true
		} else {
			s.word[0] = true
		}
	}
	for _, sub := range n.Sub {
		s.visit(sub)
	}
}

// classKey returns a string that two classes share only if they are equal; string(class) would not do, it
// makes all surrogates one.
func classKey(class []rune) string {
	key := make([]byte, 0, 3*len(class))
	for _, r := range class {
		key = append(key, byte(r>>16), byte(r>>8), byte(r))
	}
	return string(key)
}

// asClass returns the class of an OpByte that is a character, and is thus never invalid.
func asClass(b byte) []rune { return []rune{rune(b), rune(b)} }

var asciiWord = []rune{'0', '9', 'A', 'Z', '_', '_', 'a', 'z'}

func newCompiler(root *syntax.Node, terminator byte) *compiler {
	s := survey{classes: map[string][]rune{}}
	s.visit(root)
	keys := make([]string, 0, len(s.classes))
	for k := range s.classes {
		keys = append(keys, k)
	}
	slices.Sort(keys) // the numbering of symbols is the same in every run
	classes := make([][]rune, len(keys))
	for i, k := range keys {
		classes[i] = s.classes[k]
	}
	c := &compiler{classes: map[string]inst{}}
	var words []wordSet
	if s.word[0] {
		words = append(words, wordSet{asciiWord, sideWord})
	}
	if s.word[1] {
		words = append(words, wordSet{syntax.WordClass(), sideUWord})
	}
	for _, w := range words {
		c.sides |= w.side
	}
	if s.edge {
		c.sides |= sideEdge
	}
	c.alpha, c.ivs = newAlphabet(classes, s.odd, s.fine, terminator, words)
	c.setWords = (c.alpha.n + 63) / 64
	for i, k := range keys {
		c.classes[k] = c.classInst(classes[i])
	}
	return c
}

// classInst returns the instruction that consumes a character of class.
func (c *compiler) classInst(class []rune) inst {
	set := make([]uint64, c.setWords)
	n, one := 0, int32(0)
	classSymbols(class, c.ivs, func(sym int32) {
		if set[sym>>6]>>(sym&63)&1 == 0 {
			set[sym>>6] |= 1 << (sym & 63)
			one = sym
			n++
		}
	})
	switch n {
	case 0:
		return inst{op: opFail}
	case 1:
		return inst{op: opSym, arg: one}
	}
	in := inst{op: opSet, arg: int32(len(c.sets) / c.setWords)}
	c.sets = append(c.sets, set...)
	return in
}

// compile returns the code of root, or of root reversed.
func (c *compiler) compile(root *syntax.Node, reverse bool) code {
	c.reverse, c.same = reverse, map[inst]int32{}
	c.insts = []inst{pcFail: {op: opFail}, pcMatch: {op: opMatch}}
	start := c.node(root, pcMatch)
	return code{c.insts, start}
}

// emit returns the place of in, which it adds if there is none like it yet.
func (c *compiler) emit(in inst) int32 {
	if pc, ok := c.same[in]; ok {
		return pc
	}
	pc := int32(len(c.insts))
	c.insts = append(c.insts, in)
	c.same[in] = pc
	return pc
}

// node adds the code of n, going on at next, and returns where it starts.
func (c *compiler) node(n *syntax.Node, next int32) int32 {
	if next == pcFail {
		return pcFail
	}
	switch n.Op {
	case syntax.OpEmpty:
		return next
	case syntax.OpByte:
		if n.Byte < utf8.RuneSelf {
			return c.class(asClass(n.Byte), next)
		}
		return c.emit(inst{op: opByte, arg: int32(n.Byte), x: next})
	case syntax.OpClass:
		return c.class(n.Class, next)
	case syntax.OpLook:
		look := n.Look
		if c.reverse {
			look = mirrored[look]
		}
		return c.emit(inst{op: opLook, arg: int32(look), uni: n.Unicode, x: next})
	case syntax.OpConcat:
		for i := range n.Sub {
			if !c.reverse {
				i = len(n.Sub) - 1 - i
			}
			next = c.node(n.Sub[i], next)
		}
		return next
	case syntax.OpAlt:
		at := int32(pcFail)
		for i := len(n.Sub) - 1; i >= 0; i-- {
			at = c.split(c.node(n.Sub[i], next), at, false)
		}
		return at
	case syntax.OpRepeat:
		return c.repeat(n, next)
	}
	return pcFail
}

// class adds an instruction that consumes a character of class.
func (c *compiler) class(class []rune, next int32) int32 {
	in := c.classes[classKey(class)]
	if in.op == opFail {
		return pcFail
	}
	in.x = next
	return c.emit(in)
}

var mirrored = [...]syntax.Look{
	syntax.LookStart: syntax.LookEnd, syntax.LookEnd: syntax.LookStart,
	syntax.LookWord: syntax.LookWord, syntax.LookNotWord: syntax.LookNotWord,
	syntax.LookWordStart: syntax.LookWordEnd, syntax.LookWordEnd: syntax.LookWordStart,
	syntax.LookHalfStart: syntax.LookHalfEnd, syntax.LookHalfEnd: syntax.LookHalfStart,
}

// split returns a choice between x, preferred, and y; lazy swaps them.
func (c *compiler) split(x, y int32, lazy bool) int32 {
	if lazy {
		x, y = y, x
	}
	switch {
	case x == pcFail || x == y:
		return y
	case y == pcFail:
		return x
	}
	return c.emit(inst{op: opSplit, x: x, y: y})
}

// repeat adds Min copies, then a loop or a ladder of optional copies that all leave to next.
func (c *compiler) repeat(n *syntax.Node, next int32) int32 {
	sub, at, copies := n.Sub[0], next, n.Min
	switch {
	case n.Max >= 0:
		for range n.Max - n.Min {
			at = c.split(c.node(sub, at), next, n.Lazy)
		}
	case n.Min > 0:
		at = c.plus(sub, next, n.Lazy)
		copies--
	case nullable(sub): // (x*)* prefers as (x+)? does: an empty turn ends the loop
		at = c.split(c.plus(sub, next, n.Lazy), next, n.Lazy)
	default:
		loop := c.loop()
		c.close(loop, c.node(sub, loop), next, n.Lazy)
		at = loop
	}
	for range copies {
		at = c.node(sub, at)
	}
	return at
}

// plus adds one or more of sub.
func (c *compiler) plus(sub *syntax.Node, next int32, lazy bool) int32 {
	loop := c.loop()
	start := c.node(sub, loop)
	c.close(loop, start, next, lazy)
	return start
}

// loop adds a split whose ways are set by close; it is never shared.
func (c *compiler) loop() int32 {
	c.insts = append(c.insts, inst{op: opSplit})
	return int32(len(c.insts) - 1)
}

func (c *compiler) close(loop, back, next int32, lazy bool) {
	if lazy {
		back, next = next, back
	}
	c.insts[loop].x, c.insts[loop].y = back, next
}

// nullable reports whether n can match the empty string somewhere.
func nullable(n *syntax.Node) bool {
	switch n.Op {
	case syntax.OpEmpty, syntax.OpLook:
		return true
	case syntax.OpConcat:
		for _, s := range n.Sub {
			if !nullable(s) {
				return false
			}
		}
		return true
	case syntax.OpAlt:
		return slices.ContainsFunc(n.Sub, nullable)
	case syntax.OpRepeat:
		return n.Min == 0 || nullable(n.Sub[0])
	}
	return false
}
