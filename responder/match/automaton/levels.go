package automaton

// Bounds of a level's memory: words of all its sets, and how many sets there are.
const (
	levelWords = 4096
	minFan     = 16 // above utf8.UTFMax, so that a character begins within every step but the least
	maxFan     = 4096
)

// level holds sets of the places [lo, hi) of a line. The last level has a step of 1, and a set for each place; it is
// empty within a character, unless a match can be there. Any other has one for every step places, that of the first border
// of characters among them. The first level is about the whole line, each other one about a step of the one before.
type level struct {
	lo, hi int
	step   int
	sets   []uint64 // fan of them; bit pcFail says that a match begins there
	from   []int    // their places

	end   int // the first border of characters at hi or behind; at most the length of the line
	atEnd []uint64
}

// put enters a set.
func (l *level) put(r *reach, pos int, list []int32) {
	if l == nil || pos < l.lo || pos >= l.hi {
		return
	}
	to := l.sets[(pos-l.lo)*r.words:][:r.words]
	for _, pc := range list {
		to[pc/64] |= 1 << (pc % 64)
	}
}

// begin enters that a match begins at pos.
func (l *level) begin(r *reach, pos int) {
	if l != nil && pos >= l.lo && pos < l.hi {
		l.sets[(pos-l.lo)*r.words] |= 1 << pcFail
	}
}

// begin makes r know nothing, of line.
func (r *reach) begin(line []byte) {
	r.line = line
	n, step := 1, 1
	for ; step < (len(line)+r.fan)/r.fan; step *= r.fan {
		n++
	}
	for len(r.room) < n {
		r.room = append(r.room, level{
			sets: make([]uint64, r.fan*r.words), from: make([]int, r.fan), atEnd: make([]uint64, r.words),
		})
	}
	r.levels = r.room[:n]
	for i := range r.levels {
		l := &r.levels[i]
		l.lo, l.hi, l.step = 0, 0, step
		step /= r.fan
	}
}

// at returns the set of a place. Places asked for should ascend.
func (r *reach) at(pos int) []uint64 {
	l := &r.levels[len(r.levels)-1]
	if pos < l.lo || pos >= l.hi {
		r.load(pos)
	}
	return l.sets[(pos-l.lo)*r.words:][:r.words]
}

// next returns the first place from pos on where a match begins, or -1.
func (r *reach) next(pos int) int {
	for ; pos <= len(r.line); pos++ {
		if r.at(pos)[0]>>pcFail&1 != 0 {
			return pos
		}
	}
	return -1
}

// load has every level be about the place pos.
func (r *reach) load(pos int) {
	for i := range r.levels {
		l := &r.levels[i]
		if pos >= l.lo && pos < l.hi {
			continue
		}
		if i == 0 {
			l.lo, l.hi, l.end = 0, len(r.line)+1, len(r.line)
			clear(l.atEnd)
		} else {
			l.within(&r.levels[i-1], pos, r.words)
		}
		if l.step > 1 {
			r.fill(l)
		} else {
			r.fillAll(l)
		}
	}
}

// within makes l be about the step of up that holds pos.
func (l *level) within(up *level, pos, words int) {
	k := (pos - up.lo) / up.step
	l.lo = up.lo + k*up.step
	l.hi = min(l.lo+up.step, up.hi)
	if l.hi == up.hi {
		l.end = up.end
		copy(l.atEnd, up.atEnd)
		return
	}
	l.end = up.from[k+1]
	copy(l.atEnd, up.sets[(k+1)*words:][:words])
}

// enterEnd returns the state at the end of l.
func (r *reach) enterEnd(l *level) uint32 {
	list := r.list[:0]
	for _, pc := range r.eats {
		if l.atEnd[pc/64]>>(pc%64)&1 != 0 {
			list = append(list, pc)
		}
	}
	return r.enter(list, r.p.alpha.ahead(r.line[l.end:]))
}

// fill finds the sets of a level with a step above 1, but for its first, which nothing asks for.
func (r *reach) fill(l *level) {
	pos, id := l.end, r.enterEnd(l)
	for k := (l.hi - l.lo - 1) / l.step; k > 0; k-- {
		pos, id = r.run(pos, id, l.lo+k*l.step)
		set := l.sets[k*r.words:][:r.words]
		clear(set)
		_, list := r.get(id)
		for _, pc := range list {
			set[pc/64] |= 1 << (pc % 64)
		}
		l.from[k] = pos
	}
}

// run goes back from pos to the first border of characters at floor or behind.
func (r *reach) run(pos int, id uint32, floor int) (int, uint32) {
	a := r.p.alpha
	for pos > floor {
		if to := r.rows[id+uint32(a.chars[r.line[pos-1]])] &^ hit; to >= r.limit {
			id = to
			pos--
			r.places++
			continue
		}
		sym, size := a.last(r.line[:pos])
		if pos-size < floor {
			break
		}
		id = r.back(nil, id, pos, sym, size)
		pos -= size
	}
	return pos, id
}

// fillAll finds the sets of a level with a step of 1.
func (r *reach) fillAll(l *level) {
	clear(l.sets[:(l.hi-l.lo)*r.words])
	a, pos, id := r.p.alpha, l.end, r.enterEnd(l)
	for pos > l.lo {
		sym, size := a.last(r.line[:pos])
		id = r.back(l, id, pos, sym, size)
		pos -= size
		_, list := r.get(id)
		l.put(r, pos, list)
	}
	if pos < l.lo {
		return
	}
	sym := a.eol
	if pos > 0 {
		sym, _ = a.last(r.line[:pos])
	}
	if r.step(id, sym) >= hit {
		l.begin(r, pos)
	}
}
