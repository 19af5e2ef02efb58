package automaton

// oddStep is the scratch memory of stepOdd.
type oddStep struct {
	far []int32 // where the character as a whole leads to
	cur []int32 // instructions between its bytes
}

// hasOddByte reports whether the pattern names a byte of the character char.
func (d *lineDFA) hasOddByte(char []byte) bool {
	for _, b := range char {
		if d.p.alpha.odd[b] >= 0 {
			return true
		}
	}
	return false
}

// stepOdd moves a set over a character of several bytes some of which the pattern names (OpByte), so that a match
// may run through it byte by byte. That is rare, and such a step is not kept in the table.
func (d *lineDFA) stepOdd(list []int32, flags side, sym int, char []byte) (matched bool) {
	p, o := d.p, &d.odd
	ahead := p.alpha.sides[sym]
	d.now.q.reset()
	for _, pc := range list {
		if d.now.add(pc, context{flags, ahead, true}) {
			return true
		}
	}
	if d.now.add(p.forward.start, context{flags, ahead, true}) {
		return true
	}
	o.far = o.far[:0]
	for _, pc := range d.now.q.list {
		if in := &p.forward.insts[pc]; p.consumes(in, sym) && in.op != opByte {
			o.far = append(o.far, in.x)
		}
	}
	for _, b := range char[:len(char)-1] {
		o.cur = append(o.cur[:0], d.now.q.list...)
		d.now.q.reset()
		mid := context{sideMid, sideMid, true}
		for _, pc := range o.cur {
			if in := &p.forward.insts[pc]; in.op == opByte && in.arg == int32(b) && d.now.add(in.x, mid) {
				return true
			}
		}
		if d.now.add(p.forward.start, mid) {
			return true
		}
	}
	d.then.q.reset()
	after := context{behind: ahead}
	for _, pc := range d.now.q.list {
		in := &p.forward.insts[pc]
		if in.op == opByte && in.arg == int32(char[len(char)-1]) && d.then.add(in.x, after) {
			return true
		}
	}
	for _, pc := range o.far {
		if d.then.add(pc, after) {
			return true
		}
	}
	return false
}
