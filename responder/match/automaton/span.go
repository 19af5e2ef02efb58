package automaton

import "slices"

const (
	flagFound side = 1 << 4 // of a state: a match is known, no later start is tried
	hit            = 1 << 31
	separator      = -1 // between groups of threads in a state
)

// spanDFA finds one end of a match: forward the end of the leftmost one, backward from there its start. A transition
// with the bit hit says that there is a match up to the place before its symbol: assertions have seen what is
// ahead by then.
//
// States are ordered, other than those of the line DFA. Leftmost-first: instructions by priority, cut at a match.
// Leftmost-longest: groups of equal start, earlier ones first; a match cuts later groups, and the earlier ones and its
// own go on.
type spanDFA struct {
	cache
	p       *Program
	code    *code
	now     *closer
	then    *closer
	longest bool
	search  bool // a match may start anywhere
	looks   bool // an assertion can be reached from the start
	list    []int32

	begins                   [flagFound]struct{ id, flushes uint32 } // by the character behind: the states of begin; flushes is 1 more
	progress, flushes, built int64
	stop                     int // where the last search ended
	thrashed                 bool
	never                    bool // never give up (tests)
}

func newSpanDFA(p *Program, c *code, longest, search bool) *spanDFA {
	d := &spanDFA{p: p, code: c, longest: longest, search: search, looks: reachesLook(c)}
	d.now, d.then = newCloser(p, c), newCloser(p, c)
	d.now.all, d.then.all, d.then.keep = longest, longest, true
	d.list = make([]int32, 0, 2*len(c.insts)+1)
	d.cache.init(p.alpha.n, p.opts.CacheBytes/8, 2*len(c.insts), p.alpha.escape())
	return d
}

// begin returns the state with a character of the given sides behind.
func (d *spanDFA) begin(behind side) uint32 {
	d.thrashed = false
	known := &d.begins[behind]
	if known.flushes == uint32(d.flushes)+1 {
		return known.id
	}
	d.then.q.reset()
	d.list = d.list[:0]
	if !d.search {
		d.then.add(d.code.start, context{behind: behind})
		d.addGroup(0)
	}
	known.id = d.enter(behind, false)
	known.flushes = uint32(d.flushes) + 1
	return known.id
}

// addGroup ends a group, the instructions added to d.then since from.
func (d *spanDFA) addGroup(from int) {
	group := d.then.q.list[from:]
	if len(group) == 0 {
		return
	}
	if d.longest {
		if len(d.list) > 0 {
			d.list = append(d.list, separator)
		}
		slices.Sort(group)
	}
	d.list = append(d.list, group...)
}

// enter returns the state of d.list.
func (d *spanDFA) enter(behind side, found bool) uint32 {
	starts := d.search && !found
	if len(d.list) == 0 && (!starts || d.p.anchored && behind&sideEdge == 0) {
		return codeDead
	}
	flags := side(0)
	if d.then.q.waiting || starts && d.looks {
		flags = behind & d.p.sides
	}
	if found {
		flags |= flagFound
	}
	id, ok := d.put(d.list, flags, d.then.q.waiting)
	if !ok {
		d.built += int64(len(d.states))
		d.thrashed = d.progress < minProgress*int64(len(d.states)) && !d.never
		d.progress = 0
		d.flushes++
		d.flush()
		id, _ = d.put(d.list, flags, d.then.q.waiting)
	}
	return id
}

// build computes the transition of a state on sym and enters it into the table. It may flush.
func (d *spanDFA) build(id uint32, sym int) uint32 {
	s, list := d.get(id)
	flags, found := s.flags, s.flags&flagFound != 0
	ahead := d.p.alpha.sides[sym]
	after := context{behind: ahead}
	d.now.q.reset()
	d.then.q.reset()
	d.list = d.list[:0]
	matched := false
	for len(list) > 0 && !matched {
		group := list
		if i := slices.Index(list, separator); i >= 0 {
			group, list = list[:i], list[i+1:]
		} else {
			list = nil
		}
		matched = d.stepGroup(group, context{flags, ahead, true}, sym, after)
	}
	if d.search && !found && !matched {
		matched = d.stepGroup([]int32{d.code.start}, context{flags, ahead, true}, sym, after)
	}
	flushes, to := d.flushes, uint32(codeDead)
	if sym != d.p.alpha.eol {
		to = d.enter(ahead, found || matched)
	}
	if matched {
		to |= hit
	}
	if d.flushes == flushes {
		d.rows[int(id)+sym] = to
	}
	return to
}

// stepGroup moves one group over sym and reports whether it matches before it.
func (d *spanDFA) stepGroup(group []int32, now context, sym int, after context) (matched bool) {
	from := len(d.now.q.list)
	for _, pc := range group {
		if d.now.add(pc, now) {
			matched = true
			if !d.longest {
				break
			}
		}
	}
	to := len(d.then.q.list)
	if sym != d.p.alpha.eol {
		for _, pc := range d.now.q.list[from:] {
			in := &d.code.insts[pc]
			if d.p.consumes(in, sym) && d.then.add(in.x, after) && !d.longest {
				break // what follows has less priority than that match
			}
		}
	}
	d.addGroup(to)
	return matched
}

// forward returns the end of the leftmost match in line that starts at from or later, or -1; ok is
// false if the cache thrashes.
func (d *spanDFA) forward(line []byte, from int) (end int, ok bool) {
	a := d.p.alpha
	id, pos, end := d.begin(a.behind(line[:from])), from, -1
	if d.stop = pos; id == codeDead {
		return -1, true
	}
	done := pos // the place up to which progress is counted
	for pos < len(line) {
		to := d.rows[id+uint32(a.chars[line[pos]])]
		if to-d.limit < hit-d.limit { // a state without hit
			id = to
			pos++
			continue
		}
		sym, size := a.next(line[pos:])
		d.progress += int64(pos + size - done)
		done, d.stop = pos+size, pos+size
		to = d.rows[int(id)+sym]
		if to == codeUnknown {
			if to = d.build(id, sym); d.thrashed {
				return -1, false
			}
		}
		if to >= hit {
			end = pos
			to &^= hit
		}
		if to == codeDead {
			return end, true
		}
		id = to
		pos += size
	}
	d.progress += int64(pos - done)
	d.stop = pos
	if d.edge(id, a.eol) {
		end = pos
	}
	return end, true
}

// backward returns the start, from or later, of the longest match in line that ends at end, or -1.
func (d *spanDFA) backward(line []byte, from, end int) (start int, ok bool) {
	a := d.p.alpha
	id, pos, start := d.begin(a.ahead(line[end:])), end, -1
	if d.stop = pos; id == codeDead {
		return -1, true
	}
	done := pos
	for pos > from {
		to := d.rows[id+uint32(a.chars[line[pos-1]])]
		if to-d.limit < hit-d.limit {
			id = to
			pos--
			continue
		}
		sym, size := a.last(line[from:pos])
		d.progress += int64(done - pos + size)
		done, d.stop = pos-size, pos-size
		to = d.rows[int(id)+sym]
		if to == codeUnknown {
			if to = d.build(id, sym); d.thrashed {
				return -1, false
			}
		}
		if to >= hit {
			start = pos
			to &^= hit
		}
		if to == codeDead {
			return start, true
		}
		id = to
		pos -= size
	}
	d.progress += int64(done - pos)
	d.stop = pos
	sym := a.eol
	if from > 0 {
		sym, _ = a.last(line[:from])
	}
	if d.edge(id, sym) {
		start = pos
	}
	return start, true
}

// edge reports whether there is a match where the search ends, before sym.
func (d *spanDFA) edge(id uint32, sym int) bool {
	to := d.rows[int(id)+sym]
	if to == codeUnknown {
		to = d.build(id, sym)
	}
	return to >= hit
}

// behind returns the sides of the last character of p, those of the edge if there is none.
func (a *alphabet) behind(p []byte) side {
	if len(p) == 0 {
		return sideEdge
	}
	sym, _ := a.last(p)
	return a.sides[sym]
}

// ahead returns the sides of the first character of p, those of the edge if there is none.
func (a *alphabet) ahead(p []byte) side {
	if len(p) == 0 {
		return sideEdge
	}
	sym, _ := a.next(p)
	return a.sides[sym]
}
