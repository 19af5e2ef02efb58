package automaton

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// Thrash: a cache that was full after fewer than minProgress bytes a state did not pay for its building. The
// automaton is then simulated for a stretch, which doubles each time and shrinks again when the cache pays.
const (
	minProgress = 16
	minStretch  = 32 << 10
	maxStretch  = 16 << 20
)

// cursor is a place in the line DFA: a state, or, if that is codeUnknown, the set itself.
type cursor struct {
	id    uint32 // a state, codeDead or codeUnknown
	list  []int32
	flags side
	wait  bool // an assertion is in list
}

// The cursors of a lineDFA, which survive a flush.
const (
	streamCursor = numLanes
	numCursors   = numLanes + 1
)

// lineDFA decides whether lines match. A state is the set of instructions that the characters so far lead to, without
// those that a match beginning right here would add (see starts), and what the character behind was, if
// that matters. The end of the line is a symbol, too: it leads to a match or back to the first state,
// so that a buffer is run through without a look at where its lines end.
type lineDFA struct {
	cache
	p       *Program
	now     *closer // before the character ahead is consumed
	then    *closer // after
	starts  *starts
	start   uint32 // state at the start of a line
	flushes int64  // also tells whether a state known before is still one
	cursors [numCursors]cursor
	kept    []int32 // states that survive a flush

	progress int64 // bytes since the last flush
	stretch  int64 // to be simulated after the next flush that shows thrash
	simulate int64 // bytes that are still to be simulated
	never    bool  // never simulate (tests)
	sizes    laneSizes
	found    [numLanes][]Line
	laneRest int64 // bytes that are still to be searched without lanes

	dfaBytes, nfaBytes, built int64
	odd                       oddStep
	bits                      *bitNFA // made when first needed
	noBits                    bool    // there is none
}

func newLineDFA(p *Program) *lineDFA {
	d := &lineDFA{p: p, stretch: minStretch, sizes: usualLanes}
	d.now, d.then = newCloser(p, &p.forward), newCloser(p, &p.forward)
	d.starts = newStarts(p, d.now, d.then, p.opts.CacheBytes/8)
	d.cache.init(p.alpha.n, p.opts.CacheBytes/2, len(p.forward.insts), p.alpha.escape())
	d.kept = make([]int32, 0, (numCursors)*(len(p.forward.insts)+1))
	d.setStart()
	return d
}

// setStart makes the state of the start of a line.
func (d *lineDFA) setStart() { d.start, _ = d.put(nil, d.behind(sideEdge, false), false) }

// behind returns the flags of a state after a character of the given sides: none where nothing asks for them.
func (d *lineDFA) behind(s side, waiting bool) side {
	if !waiting && !d.starts.looks {
		return 0
	}
	return s & d.p.sides
}

// step moves a set over sym; the outcome is d.then.q.
func (d *lineDFA) step(list []int32, flags side, waiting bool, sym int) (matched bool) {
	matched, fresh := d.starts.step(flags, sym)
	if matched {
		return true
	}
	p := d.p
	ahead := p.alpha.sides[sym]
	if waiting {
		d.now.q.reset()
		for _, pc := range list {
			if d.now.add(pc, context{flags, ahead, true}) {
				return true
			}
		}
		list = d.now.q.list
	}
	if sym == p.alpha.eol {
		return false
	}
	q := &d.then.q
	q.reset()
	for _, pc := range list {
		if in := &p.forward.insts[pc]; p.consumes(in, sym) && d.then.add(in.x, context{behind: ahead}) {
			return true
		}
	}
	d.now.work += int64(len(list) + len(fresh))
	for _, pc := range fresh {
		if q.mark[pc] != q.gen {
			q.mark[pc] = q.gen
			q.list = append(q.list, pc)
			q.waiting = q.waiting || p.forward.insts[pc].op == opLook
		}
	}
	return false
}

// enter returns the state of d.then.q after a character of the given sides.
func (d *lineDFA) enter(s side) uint32 {
	q := &d.then.q
	flags := d.behind(s, q.waiting)
	if len(q.list) == 0 && d.p.anchored {
		return codeDead
	}
	slices.Sort(q.list)
	id, ok := d.put(q.list, flags, q.waiting)
	if !ok {
		d.flush()
		id, _ = d.put(q.list, flags, q.waiting)
	}
	return id
}

// flush empties the cache but for the start and the states that cursors are in, and judges whether it paid.
func (d *lineDFA) flush() {
	d.built += int64(len(d.states))
	if d.progress < minProgress*int64(len(d.states)) && !d.never {
		d.simulate = d.stretch
		d.stretch = min(2*d.stretch, maxStretch)
	} else {
		d.stretch = max(d.stretch/2, minStretch)
	}
	d.progress = 0
	d.flushes++
	kept := d.kept[:0]
	var was [numCursors]state
	for i := range d.cursors {
		if c := &d.cursors[i]; c.id >= d.limit {
			s, list := d.get(c.id)
			was[i] = *s
			was[i].off = int32(len(kept))
			kept = append(kept, list...)
		}
	}
	d.cache.flush()
	d.setStart()
	for i, s := range was {
		if c := &d.cursors[i]; c.id >= d.limit {
			c.id, _ = d.put(kept[s.off:s.off+s.n], s.flags, s.waiting)
		}
	}
}

// build computes the transition of a state on sym and enters it into the table. It may flush.
func (d *lineDFA) build(id uint32, sym int) uint32 {
	s, list := d.get(id)
	if d.step(list, s.flags, s.waiting, sym) {
		d.rows[int(id)+sym] = codeMatch
		return codeMatch
	}
	if sym == d.p.alpha.eol {
		d.rows[int(id)+sym] = d.start
		return d.start
	}
	flushes := d.flushes
	to := d.enter(d.p.alpha.sides[sym])
	if d.flushes == flushes {
		d.rows[int(id)+sym] = to
	}
	return to
}

// advance moves a cursor that is in a state over the character at buf[i].
func (d *lineDFA) advance(c *cursor, buf []byte, i int) (size int, matched bool) {
	sym, size := d.next(buf[i:])
	if size > 1 && d.p.alpha.hasOdd && d.hasOddByte(buf[i:i+size]) {
		s, list := d.get(c.id)
		if d.stepOdd(list, s.flags, sym, buf[i:i+size]) {
			return size, true
		}
		c.id = d.enter(d.p.alpha.sides[sym])
		return size, false
	}
	to := d.rows[int(c.id)+sym]
	if to == codeUnknown {
		to = d.build(c.id, sym)
	}
	if to == codeMatch {
		return size, true
	}
	c.id = to
	return size, false
}

// next returns the symbol at the start of p, eol at a terminator.
func (d *lineDFA) next(p []byte) (sym, size int) {
	if b := p[0]; b < utf8.RuneSelf {
		return int(d.p.alpha.bytes[b]), 1
	}
	return d.p.alpha.next(p)
}

// run moves a cursor through buf from i on, up to the end or to the character at which a line is known to
// match, and returns where that is.
func (d *lineDFA) run(c *cursor, buf []byte, i int) (at int, matched bool) {
	for i < len(buf) {
		switch {
		case c.id == codeDead:
			if i = d.skipLine(c, buf, i); c.id == codeDead {
				return i, false
			}
			continue
		case d.simulate > 0:
			if i, matched = d.simulateOn(c, buf, i); matched {
				return i, true
			}
			continue
		case c.id == codeUnknown:
			d.then.q.load(c)
			c.id = d.enter(c.flags)
			continue
		}
		from := i
		var code uint32
		i, c.id, code = d.inner(buf, i, c.id)
		d.progress += int64(i - from)
		d.dfaBytes += int64(i - from)
		switch {
		case i == len(buf):
			return i, false
		case code == codeMatch:
			return i, true
		case code == codeDead:
			c.id = codeDead
			i++
		case code == codeEsc && !d.p.alpha.hasOdd:
			if i = d.wide(c, buf, i); i == len(buf) || buf[i] < utf8.RuneSelf {
				continue
			}
			fallthrough
		default:
			size, matched := d.advance(c, buf, i)
			if matched {
				return i, true
			}
			d.progress += int64(size)
			i += size
		}
	}
	return i, false
}

// inner is the loop over bytes whose transitions are known: it stops at the first other one, at buf[at].
func (d *lineDFA) inner(buf []byte, i int, id uint32) (at int, last, code uint32) {
	rows, limit, col := d.rows, d.limit, &d.p.alpha.bytes
	for i+4 <= len(buf) {
		b := buf[i : i+4 : i+4]
		to := rows[id+uint32(col[b[0]])]
		if to < limit {
			return i, id, to
		}
		id = rows[to+uint32(col[b[1]])]
		if id < limit {
			return i + 1, to, id
		}
		to = rows[id+uint32(col[b[2]])]
		if to < limit {
			return i + 2, id, to
		}
		id = rows[to+uint32(col[b[3]])]
		if id < limit {
			return i + 3, to, id
		}
		i += 4
	}
	for ; i < len(buf); i++ {
		to := rows[id+uint32(col[buf[i]])]
		if to < limit {
			return i, id, to
		}
		id = to
	}
	return i, id, codeUnknown
}

// wide moves a cursor over characters of two or three bytes, as far as they are that and lead from state to state by
// known transitions. The rest is left to advance.
func (d *lineDFA) wide(c *cursor, buf []byte, i int) int {
	a, rows, id, from := d.p.alpha, d.rows, c.id, i
	for i+1 < len(buf) {
		b, r, size := buf[i], rune(0), 2
		x := rune(buf[i+1]) ^ 0x80 // a byte that continues has its high bits gone
		switch {
		case b >= 0xc2 && b < 0xe0:
			r = rune(b&0x1f)<<6 | x
		case b >= 0xe0 && b < 0xf0 && i+2 < len(buf):
			y := rune(buf[i+2]) ^ 0x80
			if r, size = rune(b&0x0f)<<12|x<<6|y, 3; y >= 0x40 || r < 0x800 || r >= 0xd800 && r < 0xe000 {
				x = 0x40
			}
		default:
			x = 0x40
		}
		if x >= 0x40 {
			break
		}
		to := rows[id+uint32(a.blocks[int(a.pages[r>>8])<<8|int(r&255)])]
		if to < d.limit {
			break
		}
		id = to
		i += size
	}
	c.id = id
	d.progress += int64(i - from)
	d.dfaBytes += int64(i - from)
	return i
}

// skipLine moves a dead cursor to the start of the next line, or leaves it dead at the end of buf.
func (d *lineDFA) skipLine(c *cursor, buf []byte, i int) int {
	n := bytes.IndexByte(buf[i:], d.p.opts.Terminator)
	if n < 0 {
		d.progress += int64(len(buf) - i)
		return len(buf)
	}
	d.progress += int64(n + 1)
	c.id = d.start
	return i + n + 1
}

// simulateOn moves a cursor without the table, for the rest of the stretch at most.
func (d *lineDFA) simulateOn(c *cursor, buf []byte, i int) (at int, matched bool) {
	if d.bits == nil && !d.noBits {
		d.bits = newBitNFA(d.p, d.then)
		d.noBits = d.bits == nil
	}
	if d.bits != nil {
		return d.simulateBits(c, buf, i)
	}
	for i < len(buf) && d.simulate > 0 {
		if c.id != codeUnknown {
			s, list := d.get(c.id)
			c.list, c.flags, c.wait = append(c.list[:0], list...), s.flags, s.waiting
			c.id = codeUnknown
		}
		sym, size := d.next(buf[i:])
		if size > 1 && d.p.alpha.hasOdd && d.hasOddByte(buf[i:i+size]) {
			matched = d.stepOdd(c.list, c.flags, sym, buf[i:i+size])
		} else {
			matched = d.step(c.list, c.flags, c.wait, sym)
		}
		if matched {
			return i, true
		}
		i += size
		d.simulate -= int64(size)
		d.nfaBytes += int64(size)
		if sym == d.p.alpha.eol {
			c.id = d.start
			continue
		}
		d.then.q.save(c, d.behind(d.p.alpha.sides[sym], d.then.q.waiting))
		if len(c.list) == 0 && d.p.anchored {
			c.id = codeDead
			return i, false
		}
	}
	return i, false
}

// save copies the set into a cursor.
func (q *threads) save(c *cursor, flags side) {
	c.list = append(c.list[:0], q.list...)
	c.flags, c.wait = flags, q.waiting
}

// load makes the cursor's set the set.
func (q *threads) load(c *cursor) {
	q.reset()
	q.list = append(q.list, c.list...)
	q.waiting = c.wait
}

// finish reports whether the line that a cursor is in matches if it ends here.
func (d *lineDFA) finish(c *cursor) bool {
	switch eol := d.p.alpha.eol; c.id {
	case codeDead:
		return false
	case codeUnknown:
		return d.step(c.list, c.flags, c.wait, eol)
	default:
		to := d.rows[int(c.id)+eol]
		if to == codeUnknown {
			to = d.build(c.id, eol)
		}
		return to == codeMatch
	}
}
