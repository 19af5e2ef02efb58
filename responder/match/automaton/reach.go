package automaton

// reach knows for each place of a line from which instructions a match can still be completed by what follows. With it no thread
// of a search for a span is followed in vain, and the spans of a line together take time in proportion to the line. Without it, each
// of them may read up to the end of the line, only to find that nothing longer matches.
//
// It reads the line from its end: the set of a place, instructions that consume, follows from the set of the place behind the
// character there. This is a DFA, too, built lazily, of forward instructions. Sets that are known are kept in levels (levels.go):
// a few sets far apart of the whole line, more of a stretch of it, all of a stretch of that.
type reach struct {
	cache
	p     *Program
	insts []inst
	eats  []int32 // instructions that consume, ascending
	into  []int32 // into[edge[pc]:edge[pc+1]]: those that lead to pc without consuming
	edge  []int32
	good  []uint32 // generation in which a match was known to be reached from an instruction
	gen   uint32
	stack []int32
	list  []int32
	whole []int32

	line   []byte
	words  int // of a set
	fan    int // sets of a level
	levels []level
	room   []level // of all levels there ever were

	work, places, built, flushes int64
}

func newReach(p *Program) *reach {
	insts := p.forward.insts
	r := &reach{p: p, insts: insts, words: (len(insts) + 63) / 64}
	r.fan = min(max(levelWords/r.words, minFan), maxFan)
	r.good = make([]uint32, len(insts))
	r.edge = make([]int32, len(insts)+1)
	for pc := range insts {
		if in := &insts[pc]; in.op > opLook {
			r.eats = append(r.eats, int32(pc))
		}
		for _, to := range insts[pc].leads() {
			r.edge[to+1]++
		}
	}
	for pc := range insts {
		r.edge[pc+1] += r.edge[pc]
	}
	r.into = make([]int32, r.edge[len(insts)])
	free := append([]int32(nil), r.edge...)
	for pc := range insts {
		for _, to := range insts[pc].leads() {
			r.into[free[to]] = int32(pc)
			free[to]++
		}
	}
	r.stack = make([]int32, 0, len(insts))
	r.list, r.whole = make([]int32, 0, len(r.eats)), make([]int32, 0, len(r.eats))
	r.cache.init(p.alpha.n, p.opts.CacheBytes/8, len(insts), p.alpha.escape())
	return r
}

// leads returns where in leads without consuming.
func (in *inst) leads() []int32 {
	switch in.op {
	case opSplit:
		return []int32{in.x, in.y}
	case opLook:
		return []int32{in.x}
	}
	return nil
}

// close marks as good what leads to a match or to an instruction of list without consuming, at a place of context cx. It
// reports whether the start does: a match begins there.
func (r *reach) close(list []int32, cx context) (begins bool) {
	if r.gen++; r.gen == 0 {
		clear(r.good)
		r.gen = 1
	}
	stack := append(append(r.stack[:0], list...), pcMatch)
	for _, pc := range stack {
		r.good[pc] = r.gen
	}
	for len(stack) > 0 {
		pc := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		r.work++
		for _, from := range r.into[r.edge[pc]:r.edge[pc+1]] {
			in := &r.insts[from]
			if r.good[from] != r.gen && (in.op != opLook || cx.judge(in) == holds) {
				r.good[from] = r.gen
				stack = append(stack, from)
			}
		}
	}
	return r.good[r.p.forward.start] == r.gen
}

// eating appends to list the instructions that consume sym and go on at what is good.
func (r *reach) eating(list []int32, sym int) []int32 {
	r.work += int64(len(r.eats))
	for _, pc := range r.eats {
		if in := &r.insts[pc]; r.good[in.x] == r.gen && r.p.consumes(in, sym) {
			list = append(list, pc)
		}
	}
	return list
}

// enter returns the state of a set at a place with a character of the given sides ahead. It may flush.
func (r *reach) enter(list []int32, ahead side) uint32 {
	flags := ahead & r.p.sides
	id, ok := r.put(list, flags, false)
	if !ok {
		r.built += int64(len(r.states))
		r.flushes++
		r.flush()
		id, _ = r.put(list, flags, false)
	}
	return id
}

// step returns the state before a character of the symbol sym, and, as the bit hit, whether a match begins behind it.
func (r *reach) step(id uint32, sym int) uint32 {
	to := r.rows[int(id)+sym]
	if to != codeUnknown {
		return to
	}
	s, list := r.get(id)
	sides, flushes := r.p.alpha.sides[sym], r.flushes
	begins := r.close(list, context{sides, s.flags, true})
	to = codeDead // before the line
	if sym != r.p.alpha.eol {
		to = r.enter(r.eating(r.list[:0], sym), sides)
	}
	if begins {
		to |= hit
	}
	if r.flushes == flushes {
		r.rows[int(id)+sym] = to
	}
	return to
}

// back returns the state before the character of size bytes that ends at pos, which is in the state id. What it
// learns about places within l, if that is not nil, is entered there.
func (r *reach) back(l *level, id uint32, pos, sym, size int) uint32 {
	r.places++
	if size == 1 || !r.p.alpha.hasOdd {
		to := r.step(id, sym)
		if to >= hit {
			l.begin(r, pos)
			to &^= hit
		}
		return to
	}
	s, list := r.get(id)
	sides := r.p.alpha.sides[sym]
	if r.close(list, context{sides, s.flags, true}) {
		l.begin(r, pos)
	}
	r.whole = r.eating(r.whole[:0], sym)
	list = r.list[:0]
	for at := pos - 1; ; at-- { // the pattern may name some of the bytes: a match may begin and run between them
		list = list[:0]
		for _, pc := range r.eats {
			if in := &r.insts[pc]; in.op == opByte && in.arg == int32(r.line[at]) && r.good[in.x] == r.gen {
				list = append(list, pc)
			}
		}
		if at == pos-size {
			break
		}
		l.put(r, at, list)
		if r.close(list, context{sideMid, sideMid, true}) {
			l.begin(r, at)
		}
	}
	return r.enter(merge(list, r.whole), sides)
}

// merge returns the union of two ascending lists that share nothing, in the memory of a, if it has room.
func merge(a, b []int32) []int32 {
	i, j := len(a)-1, len(b)-1
	a = append(a, b...)
	for k := len(a) - 1; j >= 0; k-- {
		if i >= 0 && a[i] > b[j] {
			a[k] = a[i]
			i--
		} else {
			a[k] = b[j]
			j--
		}
	}
	return a
}
