package literal

// joiner joins the pieces of a concatenation. Three runs grow side by side: across, the options of
// all pieces multiplied out while they are few; single, the literal of pieces that can be one string
// only, which is often longer and faster to find than across is; classes, for windows. Where a
// piece ends a run, the run is a requirement, and the next begins with what the piece ends with.
type joiner struct {
	x *extractor

	across  []lit
	started bool // across is the run from the start of the concatenation
	pre     []lit
	single  lit
	run     []Class
	head    []Class
	fixed   bool // run is all there was

	part  int                                 // the one that is added
	size  span                                // of the parts before it
	where struct{ across, single, run Place } // the starts of the runs

	begun bool
	out   piece
}

// begin sets up the runs of an empty concatenation.
func (j *joiner) begin() {
	if !j.begun {
		j.begun, j.started, j.fixed = true, true, true
		j.across = emptyLit
		j.size.known = true
	}
}

// here is the place before the part that is added; behind, that after it.
func (j *joiner) here() Place { return Place{j.size.back(), j.part, j.part} }

func (j *joiner) behind(p *piece) Place { return Place{j.size.then(p.size).back(), j.part, j.part} }

// add appends p.
func (j *joiner) add(p piece) {
	j.begin()
	j.out.look = j.out.look || p.look
	for _, s := range p.sets {
		s.Place = Place{j.size.then(spanOf(s.Back)).back(), j.part, j.part}
		j.out.sets = append(j.out.sets, s)
	}
	for _, w := range p.wins {
		w.Place = Place{j.size.then(spanOf(w.Back)).back(), j.part, j.part}
		j.out.wins = append(j.out.wins, w)
	}
	j.literals(&p)
	j.classes(&p)
	j.size = j.size.then(p.size)
	j.part++
	if len(j.out.sets) > 4*kept {
		j.out.sets = best(j.out.sets, kept)
	}
	if len(j.out.wins) > 4*kept {
		j.out.wins = rarest(j.out.wins, kept)
	}
}

// fewOptions is how many strings a part must be one of, for what they begin with to be looked for behind a literal: fewer are
// better looked for together with it, which tells more.
const fewOptions = 8

// literals goes on with the runs of literals.
func (j *joiner) literals(p *piece) {
	if len(j.across) == 0 {
		return
	}
	first := p.before()
	if p.whole && len(first) == 0 { // matches nothing, and so does the concatenation
		j.across, j.single, j.started = []lit{}, lit{}, true
		return
	}
	if len(first) == 1 {
		if len(j.single.text) == 0 {
			j.where.single = j.here()
		}
		j.single = appendLit(j.single, first[0])
	}
	if !p.whole || len(first) != 1 || len(j.single.text) > maxText {
		var then *Class
		if open := len(first) == 0 || len(first) >= fewOptions || len(first) == 1 && len(first[0].text) == 0; open && len(p.head) > 0 {
			then = &p.head[0]
		}
		j.endSingle(then)
		if last := p.after(); len(last) == 1 {
			j.single, j.where.single = appendLit(lit{}, last[0]), j.behind(p)
		}
	}
	if next, ok := cross(j.across, first); ok && p.whole {
		j.across = next
		return
	} else if ok {
		j.across = next
		j.endAcross()
		j.startAcross(p.after(), j.behind(p))
		return
	}
	j.endAcross()
	if p.whole { // too many only together with what was before
		j.startAcross(first, j.here())
		return
	}
	j.endRun(first, j.here())
	j.startAcross(p.after(), j.behind(p))
}

// startAcross begins a run of options anew. It clips them, so that appending to one does not write
// into memory that other runs share.
func (j *joiner) startAcross(opts []lit, at Place) {
	j.where.across = at
	if opts == nil {
		opts = emptyLit
	}
	j.across = make([]lit, len(opts))
	for i, l := range opts {
		l.text = l.text[:len(l.text):len(l.text)]
		j.across[i] = l
	}
}

// endAcross makes a requirement of the run of options.
func (j *joiner) endAcross() {
	j.endRun(j.across, j.where.across)
	if j.started {
		j.pre, j.started = j.across, false
	}
}

func (j *joiner) endRun(opts []lit, at Place) {
	if s, ok := toSet(opts, false); ok {
		s.Place = Place{spanOf(at.Back).plus(s.Back).back(), at.First, j.part}
		j.out.sets = append(j.out.sets, s)
	}
}

// endSingle makes a requirement of the run that can be one string only. One of then, if it is not nil, follows it.
func (j *joiner) endSingle(then *Class) {
	if len(j.single.text) > 0 {
		j.endRun([]lit{j.single}, j.where.single)
		j.out.sets[len(j.out.sets)-1].Then = then
	}
	j.single = lit{}
}

// classes goes on with the run of classes.
func (j *joiner) classes(p *piece) {
	if p.whole && len(p.opts) == 0 {
		return
	}
	if len(j.run) == 0 {
		j.where.run = j.here()
	}
	j.run = append(j.run[:len(j.run):len(j.run)], p.head...)
	if p.fixed && len(j.run) <= maxRun {
		return
	}
	j.endClasses()
	j.run, j.where.run = p.tail, j.behind(p)
	if p.fixed && len(p.tail) > maxRun-1 {
		j.run = p.tail[len(p.tail)-maxRun+1:]
	}
}

// endClasses makes requirements of the run of classes.
func (j *joiner) endClasses() {
	for width := 2; width <= maxWindow && j.x.windows; width++ {
		for i := 0; i+width <= len(j.run); i++ {
			at := j.where.run
			j.out.wins = append(j.out.wins, Window{Place{spanOf(at.Back).plus(i).back(), at.First, j.part}, j.run[i : i+width : i+width]})
		}
	}
	if j.fixed {
		j.head, j.fixed = j.run[:min(len(j.run), maxRun)], false
	}
}

// maxWindow is how many classes a Window has at most.
const maxWindow = 4

// vary says that what was added may be followed, or preceded, by more of the same.
func (j *joiner) vary() {
	if len(j.across) == 0 {
		return // matches nothing
	}
	j.endSingle(nil)
	j.endAcross()
	j.size = span{}
	anywhere := Place{Back: -1}
	j.startAcross(j.across, anywhere)
	run := j.run
	j.endClasses()
	j.run, j.where.run = run, anywhere
}

// end returns the piece of the concatenation.
func (j *joiner) end() piece {
	j.begin()
	p := &j.out
	p.whole, p.opts = j.started, j.across
	if p.whole && len(p.opts) == 0 {
		return piece{whole: true, opts: []lit{}, size: span{known: true}}
	}
	if len(j.single.text) > 0 && !(p.whole && len(p.opts) == 1) {
		j.endSingle(nil)
	}
	p.size = j.size
	if !p.whole {
		p.pre, p.suf = j.pre, j.across
		j.endRun(j.across, j.where.across)
		p.opts = nil
	}
	if p.fixed = j.fixed; p.fixed {
		p.head, p.tail = j.run, j.run
	}
	fixed := j.fixed
	j.endClasses()
	if !fixed {
		p.head, p.tail = j.head, j.run
	}
	p.sets, p.wins = best(p.sets, kept), rarest(p.wins, kept)
	return *p
}

// cross returns every option of a followed by every one of b; false if they would be too many or
// too long.
func cross(a, b []lit) ([]lit, bool) {
	if b == nil || len(a)*len(b) > maxOptions {
		return nil, false
	}
	if len(b) == 1 && len(b[0].text) == 0 {
		return a, true
	}
	out := make([]lit, 0, len(a)*len(b))
	for _, l := range a {
		for _, m := range b {
			if len(l.text)+len(m.text) > maxText {
				return nil, false
			}
			if len(b) == 1 {
				out = append(out, appendLit(l, m))
				continue
			}
			out = append(out, appendLit(lit{text: l.text[:len(l.text):len(l.text)], either: l.either, only: l.only}, m))
		}
	}
	return out, true
}

// appendLit appends m to l, in l's memory where there is room.
func appendLit(l, m lit) lit {
	return lit{text: append(l.text, m.text...), either: l.either || m.either, only: l.only || m.only}
}
