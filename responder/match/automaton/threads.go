package automaton

import "unicode/utf8"

// thread is an instruction that consumes, or a match, and where the match it is part of starts.
type thread struct {
	pc    int32
	start int
}

// threadList is a list of threads in order of priority, no two at one instruction.
type threadList struct {
	list []thread
	mark []uint32
	gen  uint32
}

func (l *threadList) reset() {
	l.list = l.list[:0]
	if l.gen++; l.gen == 0 {
		clear(l.mark)
		l.gen = 1
	}
}

// threadVM simulates the automaton one character a step and keeps for each thread where it started: a Pike VM. It
// is the engine for spans that holds for every program and input, in time linear in both.
//
// Within a program that has an OpByte it goes byte by byte. A thread that consumes a character of several bytes
// then waits for the rest of it: at pc + k*len(insts) while k bytes are missing.
type threadVM struct {
	p       *Program
	insts   []inst
	cur, to threadList
	stack   []int32
	work    int64 // instructions visited, and places
	stop    int   // the place where the last search ended
}

func newThreadVM(p *Program) *threadVM {
	n := len(p.forward.insts)
	marks := n
	if p.alpha.hasOdd {
		marks = 4 * n
	}
	v := &threadVM{p: p, insts: p.forward.insts, stack: make([]int32, 0, n+1)}
	for _, l := range []*threadList{&v.cur, &v.to} {
		*l = threadList{list: make([]thread, 0, marks), mark: make([]uint32, marks)}
	}
	return v
}

// add appends what pc leads to, as closer.add does.
func (v *threadVM) add(l *threadList, pc int32, start int, cx context) {
	stack := append(v.stack[:0], pc)
	for len(stack) > 0 {
		pc := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for l.mark[pc] != l.gen {
			l.mark[pc] = l.gen
			v.work++
			in := &v.insts[pc]
			switch {
			case in.op == opSplit:
				stack = append(stack, in.y)
				pc = in.x
				continue
			case in.op == opLook && cx.judge(in) == holds:
				pc = in.x
				continue
			case in.op != opLook && in.op != opFail:
				l.list = append(l.list, thread{pc, start})
			}
			break
		}
	}
}

// wait appends a thread that goes on at pc after k more bytes.
func (v *threadVM) wait(l *threadList, pc int32, k, start int) {
	if at := pc + int32(k*len(v.insts)); l.mark[at] != l.gen {
		l.mark[at] = l.gen
		l.list = append(l.list, thread{at, start})
	}
}

// place is a position of a line.
type place struct {
	pos  int
	sym  int  // the symbol ahead
	left int  // how many bytes of the character ahead are still to come; 0 at the end of the line
	mid  bool // inside a character
	cx   context
}

// find returns the leftmost match that starts at from or later, or a negative start. With r, which knows the line, only threads that
// lead to a match are followed.
func (v *threadVM) find(line []byte, from int, r *reach) (start, end int) {
	if r != nil {
		if from = r.next(from); from < 0 {
			v.stop = len(line)
			return -1, -1
		}
	}
	at := v.enter(line, from)
	start, end = -1, -1
	v.cur.reset()
	for {
		if start < 0 && (r == nil || at.pos == from) {
			v.add(&v.cur, v.p.forward.start, at.pos, at.cx)
		}
		next := v.after(line, at)
		v.to.reset()
		v.work += int64(len(v.cur.list)) + 1
		if r == nil {
			start, end = v.step(line, at, next, start, end)
		} else {
			start, end = v.stepWithin(line, at, next, r.at(at.pos), start, end)
		}
		if v.stop = at.pos; at.left == 0 || start >= 0 && len(v.to.list) == 0 {
			return start, end
		}
		v.cur, v.to = v.to, v.cur
		at = next
	}
}

// stepWithin is step for those threads only that lead to a match: that wait, or are in set.
func (v *threadVM) stepWithin(line []byte, at, next place, set []uint64, start, end int) (int, int) {
	n := int32(len(v.insts))
	alive := v.cur.list[:0]
	for _, t := range v.cur.list {
		if t.pc < n && t.pc != pcMatch && set[t.pc/64]>>(t.pc%64)&1 == 0 {
			continue
		}
		if alive = append(alive, t); !v.p.longest {
			break // what follows has less priority than this one's match
		}
	}
	v.cur.list = alive
	return v.step(line, at, next, start, end)
}

// enter returns the place at pos, which may be inside a character.
func (v *threadVM) enter(line []byte, pos int) place {
	first := characterAt(line, pos)
	p := v.at(line, first, v.p.alpha.behind(line[:first]))
	for p.pos < pos {
		p = v.after(line, p)
	}
	return p
}

// characterAt returns where the character begins that holds the byte at pos: pos itself, unless it is inside of one.
func characterAt(line []byte, pos int) int {
	for k := 1; k < utf8.UTFMax && k <= pos && pos < len(line) && !utf8.RuneStart(line[pos]); k++ {
		if first := pos - k; utf8.RuneStart(line[first]) {
			if _, size := utf8.DecodeRune(line[first:]); size > k {
				return first
			}
			break
		}
	}
	return pos
}

// at returns the place at pos, the border of a character.
func (v *threadVM) at(line []byte, pos int, behind side) place {
	a := v.p.alpha
	p := place{pos: pos, sym: a.eol}
	if pos < len(line) {
		p.sym, p.left = a.next(line[pos:])
	}
	p.cx = context{behind, a.sides[p.sym], true}
	return p
}

// after returns the place that follows p.
func (v *threadVM) after(line []byte, p place) place {
	if v.p.alpha.hasOdd && p.left > 1 {
		return place{p.pos + 1, p.sym, p.left - 1, true, context{sideMid, sideMid, true}}
	}
	if p.left == 0 {
		return p
	}
	return v.at(line, p.pos+p.left, v.p.alpha.sides[p.sym])
}

// step moves all threads from one place to the next, and returns the best match so far.
func (v *threadVM) step(line []byte, at, next place, start, end int) (int, int) {
	n := int32(len(v.insts))
	for _, t := range v.cur.list {
		if start >= 0 && v.p.longest && t.start > start {
			break
		}
		pc, k := t.pc%n, int(t.pc/n)
		in := &v.insts[pc]
		switch {
		case k > 1:
			v.wait(&v.to, pc, k-1, t.start)
		case k == 1:
			v.add(&v.to, pc, t.start, next.cx)
		case in.op == opMatch:
			if start, end = t.start, at.pos; !v.p.longest {
				return start, end
			}
		case at.left == 0:
		case in.op == opByte:
			if in.arg == int32(line[at.pos]) {
				v.add(&v.to, in.x, t.start, next.cx)
			}
		case at.mid || !v.p.consumes(in, at.sym):
		case next.mid:
			v.wait(&v.to, in.x, at.left-1, t.start)
		default:
			v.add(&v.to, in.x, t.start, next.cx)
		}
	}
	return start, end
}
