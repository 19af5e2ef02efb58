package automaton

import "github.com/trawl-logs/trawl/responder/match/syntax"

// context is what is known around a position: the character behind, already read, and, if known, the one ahead.
type context struct {
	behind, ahead side
	known         bool // ahead is known
}

// verdict is what a context says of an assertion.
type verdict uint8

const (
	fails verdict = iota
	holds
	waits // for the character ahead
)

// judge returns the verdict of cx on the assertion in.
func (cx context) judge(in *inst) verdict {
	look := syntax.Look(in.arg)
	switch look {
	case syntax.LookStart:
		return truth(cx.behind&sideEdge != 0)
	case syntax.LookEnd:
		if !cx.known {
			return waits
		}
		return truth(cx.ahead&sideEdge != 0)
	}
	if cx.behind&sideMid != 0 {
		return fails
	}
	word := sideWord
	if in.uni {
		word = sideUWord
	}
	before := cx.behind&word != 0
	switch {
	case look == syntax.LookHalfStart:
		return truth(!before)
	case look == syntax.LookWordStart && before, look == syntax.LookWordEnd && !before:
		return fails
	case !cx.known:
		return waits
	}
	after := cx.ahead&word != 0
	switch look {
	case syntax.LookWord:
		return truth(before != after)
	case syntax.LookNotWord:
		return truth(before == after)
	case syntax.LookWordStart:
		return truth(after)
	default: // LookWordEnd, LookHalfEnd
		return truth(!after)
	}
}

func truth(b bool) verdict {
	if b {
		return holds
	}
	return fails
}

// threads is a set of instructions in the order they were added, emptied in constant time.
type threads struct {
	list    []int32
	mark    []uint32 // generation in which an instruction was added
	gen     uint32
	waiting bool // an assertion is among them
}

func (q *threads) reset() {
	q.list, q.waiting = q.list[:0], false
	if q.gen++; q.gen == 0 {
		clear(q.mark)
		q.gen = 1
	}
}

// closer follows the instructions that consume nothing.
type closer struct {
	insts []inst
	q     threads
	stack []int32
	all   bool  // go on after a match
	keep  bool  // make a match an entry of the list
	work  int64 // instructions visited
}

// newCloser returns a closer over c whose memory never grows.
func newCloser(p *Program, c *code) *closer {
	n := len(c.insts)
	return &closer{
		insts: c.insts,
		q:     threads{list: make([]int32, 0, n+1), mark: make([]uint32, n), gen: 1},
		stack: make([]int32, 0, n+1),
	}
}

// add puts what pc leads to into the set, in order of priority: instructions that consume, and assertions
// that wait. It reports whether there was a match among them, and stops there unless all is set.
func (c *closer) add(pc int32, cx context) (matched bool) {
	stack := append(c.stack[:0], pc)
	for len(stack) > 0 {
		pc := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for c.q.mark[pc] != c.q.gen {
			c.q.mark[pc] = c.q.gen
			c.work++
			in := &c.insts[pc]
			switch in.op {
			case opFail:
			case opSplit:
				stack = append(stack, in.y)
				pc = in.x
				continue
			case opLook:
				switch cx.judge(in) {
				case holds:
					pc = in.x
					continue
				case waits:
					c.q.waiting = true
					c.q.list = append(c.q.list, pc)
				}
			case opMatch:
				matched = true
				if c.keep {
					c.q.list = append(c.q.list, pc)
				}
				if !c.all {
					return true
				}
			default:
				c.q.list = append(c.q.list, pc)
			}
			break
		}
	}
	return matched
}
