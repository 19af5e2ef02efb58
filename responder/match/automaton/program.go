package automaton

import (
	"fmt"

	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// Options are the choices of Compile. The zero value is good: lines end in NUL then, so most callers set Terminator.
type Options struct {
	Terminator byte // ends each line of a buffer: '\n', or 0 with -z
	CacheBytes int  // bound of one machine's DFA tables; 0: DefaultCacheBytes
	MaxProgram int  // bound of the number of instructions; 0: DefaultMaxProgram
}

// Defaults of Options.
const (
	DefaultCacheBytes = 2 << 20
	DefaultMaxProgram = 100_000
)

// SizeError reports a pattern whose program would have more instructions (or symbols) than are allowed. It is found
// before anything large is built.
type SizeError struct {
	Size, Limit int // instructions; Size is the largest int if it does not fit one
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("pattern too large: its program needs %d instructions, the limit is %d", e.Size, e.Limit)
}

// opcode is the kind of an instruction.
type opcode uint8

const (
	opFail  opcode = iota // no way on
	opMatch               // the pattern has matched
	opSplit               // go on at x, or, with less priority, at y
	opLook                // go on at x if the assertion arg holds
	opSym                 // consume the symbol arg, go on at x
	opSet                 // consume a symbol of set arg, go on at x
	opByte                // consume the byte arg, go on at x
)

// inst is an instruction of the automaton.
type inst struct {
	op   opcode
	uni  bool // opLook: Unicode words
	arg  int32
	x, y int32
}

// code is an automaton for one direction of reading.
type code struct {
	insts []inst
	start int32
}

const (
	pcFail  = 0
	pcMatch = 1
)

// Program is a compiled pattern. It is immutable and may be shared by any number of machines.
type Program struct {
	alpha    *alphabet
	sets     []uint64 // bit sets over symbols, setWords each
	setWords int
	forward  code
	reverse  code // of the reversed pattern, its assertions swapped: it reads a line from its end
	longest  bool
	sides    side // what the pattern's assertions ask of the character before
	anchored bool // a match can start at the start of the line only
	opts     Options
}

// Compile builds the program of re. Its error is a *SizeError.
func Compile(re *syntax.Regexp, o Options) (*Program, error) {
	if o.CacheBytes <= 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.MaxProgram <= 0 {
		o.MaxProgram = DefaultMaxProgram
	}
	if n := size(re.Root); n > o.MaxProgram {
		return nil, &SizeError{n, o.MaxProgram}
	}
	c := newCompiler(re.Root, o.Terminator)
	if c.alpha.n > maxSymbols {
		return nil, &SizeError{c.alpha.n, maxSymbols}
	}
	p := &Program{alpha: c.alpha, longest: re.Longest, opts: o}
	p.forward = c.compile(re.Root, false)
	p.reverse = c.compile(re.Root, true)
	p.sets, p.setWords, p.sides = c.sets, c.setWords, c.sides
	p.anchored = p.startsAtEdgeOnly()
	return p, nil
}

// small is how many instructions a program may have to be called small.
const small = 1000

// Small tells that Compile of re cannot fail and is quick: for callers that may not need the program.
func Small(re *syntax.Regexp, o Options) bool {
	n := size(re.Root)
	return n <= small && (o.MaxProgram <= 0 || n <= o.MaxProgram)
}

// Size returns the number of instructions of the forward automaton.
func (p *Program) Size() int { return len(p.forward.insts) }

// consumes reports whether in consumes sym. For opByte that is the byte's symbol where it is invalid.
func (p *Program) consumes(in *inst, sym int) bool {
	switch in.op {
	case opSym:
		return int(in.arg) == sym
	case opSet:
		return p.sets[int(in.arg)*p.setWords+sym>>6]>>(sym&63)&1 != 0
	case opByte:
		return int(p.alpha.odd[in.arg]) == sym
	}
	return false
}

// startsAtEdgeOnly reports whether nothing can be reached from the start where a character goes before.
func (p *Program) startsAtEdgeOnly() bool {
	c := newCloser(p, &p.forward)
	for _, behind := range []side{0, sideWord, sideUWord, sideWord | sideUWord} {
		c.q.reset()
		if c.add(p.forward.start, context{behind: behind}) || len(c.q.list) > 0 {
			return false
		}
	}
	return !p.alpha.hasOdd
}
