package automaton

// A search may begin at every character, so every state of the line DFA contains what the program's start leads
// to. It is left out of the states, which would be large for a pattern of many alternatives, and its steps are
// kept here: what one character makes of it.

// startStep is the outcome of one step from the start.
type startStep struct {
	off, n  int32 // its instructions are items[off : off+n]
	done    bool
	matched bool
}

// starts keeps the steps from the start, by what is behind (masked by the program's sides) and the symbol ahead.
type starts struct {
	p        *Program
	now      *closer // of before the symbol
	then     *closer // of after it
	steps    [1 << 3][]startStep
	items    []int32
	maxItems int
	looks    bool // an assertion can be reached from the start: what is behind matters to every state
}

func newStarts(p *Program, now, then *closer, maxBytes int) *starts {
	s := &starts{p: p, now: now, then: then}
	s.maxItems = max(2*len(p.forward.insts), maxBytes/4) // four bytes an item
	s.looks = reachesLook(&p.forward)
	return s
}

// reachesLook reports whether an assertion can be reached from the start without consuming.
func reachesLook(c *code) bool {
	seen := make([]bool, len(c.insts))
	stack := []int32{c.start}
	for len(stack) > 0 {
		pc := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		switch in := &c.insts[pc]; in.op {
		case opLook:
			return true
		case opSplit:
			stack = append(stack, in.x, in.y)
		}
	}
	return false
}

// step returns what sym makes of the start; the list is good until the next call.
func (s *starts) step(behind side, sym int) (matched bool, list []int32) {
	behind &= s.p.sides
	if !s.looks {
		behind = 0
	}
	if s.steps[behind] == nil {
		s.steps[behind] = make([]startStep, s.p.alpha.n)
	}
	st := &s.steps[behind][sym]
	if !st.done {
		st = s.build(behind, sym)
	}
	return st.matched, s.items[st.off : st.off+st.n]
}

func (s *starts) build(behind side, sym int) *startStep {
	ahead := s.p.alpha.sides[sym]
	s.now.q.reset()
	s.then.q.reset()
	matched := s.now.add(s.p.forward.start, context{behind, ahead, true})
	for _, pc := range s.now.q.list {
		if matched {
			break
		}
		if in := &s.p.forward.insts[pc]; s.p.consumes(in, sym) {
			matched = s.then.add(in.x, context{behind: ahead})
		}
	}
	list := s.then.q.list
	if len(s.items)+len(list) > s.maxItems {
		s.items = s.items[:0]
		for _, steps := range s.steps {
			clear(steps)
		}
	}
	st := &s.steps[behind][sym]
	*st = startStep{off: int32(len(s.items)), done: true, matched: matched}
	if !matched {
		st.n = int32(len(list))
		s.items = append(s.items, list...)
	}
	return st
}
