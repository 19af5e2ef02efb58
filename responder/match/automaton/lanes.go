package automaton

import "bytes"

// One lookup of the DFA has to wait for the one before it, 5–6 cycles a byte, and most of the core idles. So a
// buffer is cut at line ends into lanes that run side by side in one loop. What lanes run
// beyond the first match is lost, so Next begins with a single lane, and lanes grow while nothing is found; Lines loses nothing. On a
// core shared with other work: a single lane 350 MB/s, two 650, three 750, four 700 in Go and 1,100 in assembly.
const (
	numLanes = 4
	laneRest = 256 << 10 // bytes searched by a single lane after lanes left their loop too often
	laneCost = 64        // bytes that lanes must run for each time they leave it
)

// laneSizes are bytes.
type laneSizes struct {
	lead     int // searched by a single lane first
	min, max int // of a lane
}

// Wider lanes gain nothing, and lose more when a line matches.
var usualLanes = laneSizes{lead: 1 << 10, min: 512, max: 8 << 10}

// lane is a run of whole lines: its cursor is at buf[pos], it ends at end, and no line before floor is of interest.
type lane struct{ pos, end, floor int }

// search looks through the lines of buf that begin at from or later for the first one that matches and returns
// a place in it, or its end. Where none does, cursor 0 is where the last line ends, for finish.
func (d *lineDFA) search(buf []byte, from int) (at int, matched bool) {
	c := &d.cursors[0]
	c.id = d.start
	for width := 0; ; {
		var l [numLanes]lane
		if alone := max(d.laneRest, d.simulate); width == 0 || alone > 0 {
			width = max(width, d.sizes.min)
			end := d.lineStart(buf, from+max(d.sizes.lead, int(min(alone, laneRest))))
			if end < 0 {
				return d.run(c, buf, from)
			}
			if at, matched = d.run(c, buf[:end], from); matched {
				return at, true
			}
			d.laneRest -= int64(end - from)
			from = end
			continue
		}
		if !d.cut(buf, from, width, &l) {
			return d.run(c, buf, from)
		}
		if at, matched = d.race(buf, &l, nil); matched {
			return at, true
		}
		from, width = l[numLanes-1].end, min(2*width, d.sizes.max)
		c.id = d.start
	}
}

// leaveLanes lets a flush forget the states of the lanes.
func (d *lineDFA) leaveLanes() {
	for i := range numLanes {
		d.cursors[i].id = codeDead
	}
}

// lineStart returns the first place from i on where a line begins after a terminator, or -1.
func (d *lineDFA) lineStart(buf []byte, i int) int {
	if i > len(buf) {
		return -1
	}
	n := bytes.IndexByte(buf[i-1:], d.p.opts.Terminator)
	if n < 0 {
		return -1
	}
	return i + n
}

// cut makes lanes of at least width bytes from from on; it reports whether buf has lines enough.
func (d *lineDFA) cut(buf []byte, from, width int, l *[numLanes]lane) bool {
	for i := range l {
		end := d.lineStart(buf, from+width)
		if end < 0 {
			return false
		}
		l[i] = lane{from, end, from}
		from = end
	}
	return true
}

// race runs all lanes. With a place to collect in it collects all lines that match; else it returns the first place
// where one is known to.
func (d *lineDFA) race(buf []byte, l *[numLanes]lane, all *[numLanes][]Line) (at int, matched bool) {
	for i := range l {
		d.cursors[i].id = d.start
	}
	credit := 8 * laneCost // how many bytes the lanes may still fall behind
	for credit > 0 && d.simulate == 0 {
		steps, ahead, done := d.stepRace(buf, l)
		if done {
			return d.finishLanes(buf, l[:], all)
		}
		credit += numLanes*steps - laneCost
		o, c := &l[ahead], &d.cursors[ahead]
		switch {
		case !d.leave(buf, o, c):
		case all != nil:
			all[ahead] = append(all[ahead], d.take(buf, o, c))
		default:
			if at, matched = d.finishLanes(buf, l[:ahead], nil); matched {
				return at, true
			}
			return o.pos, true
		}
	}
	d.laneRest = laneRest
	return d.finishLanes(buf, l[:], all)
}

// stepRace moves all lanes as far as the loop takes them. It has done what it can when a lane is at its end, else the lane ahead
// is at a transition that is none to another state.
func (d *lineDFA) stepRace(buf []byte, l *[numLanes]lane) (steps, ahead int, done bool) {
	n := len(buf)
	var text [numLanes][]byte
	var id [numLanes]uint32
	for i, o := range l {
		text[i], id[i] = buf[o.pos:o.end], d.cursors[i].id
		n = min(n, len(text[i]))
	}
	steps, ahead = runLanes(d.rows, &d.p.alpha.bytes, d.limit, &text, &id, n)
	done = steps == n
	for i := range l {
		l[i].pos += steps
		if i < ahead {
			l[i].pos++
		}
		d.cursors[i].id = id[i]
	}
	d.progress += int64(numLanes * steps)
	d.dfaBytes += int64(numLanes * steps)
	return steps, ahead, done
}

// leave moves a lane over the character at which the loop ended, if that was for its sake.
func (d *lineDFA) leave(buf []byte, l *lane, c *cursor) (matched bool) {
	switch to := d.rows[c.id+uint32(d.p.alpha.bytes[buf[l.pos]])]; {
	case to >= d.limit:
	case to == codeMatch:
		return true
	case to == codeDead:
		l.pos = d.skipLine(c, buf[:l.end], l.pos)
	default:
		size, matched := d.advance(c, buf[:l.end], l.pos)
		if matched {
			return true
		}
		l.pos += size
		if c.id == codeDead {
			l.pos = d.skipLine(c, buf[:l.end], l.pos)
		}
	}
	return false
}

// finishLanes runs what is left of the lanes one after the other.
func (d *lineDFA) finishLanes(buf []byte, l []lane, all *[numLanes][]Line) (at int, matched bool) {
	for i := range l {
		c := &d.cursors[i]
		if all != nil {
			all[i] = d.collect(all[i], buf, &l[i], c)
		} else if at, matched = d.run(c, buf[:l[i].end], l[i].pos); matched {
			return at, true
		}
	}
	return 0, false
}

// stepLanes is the loop over bytes whose transitions are known, for all lanes: n steps of each, or until one meets
// another transition. That is the lane number ahead, those before it are one step further than steps.
func stepLanes(rows []uint32, col *[256]uint8, limit uint32, text *[numLanes][]byte, id *[numLanes]uint32, n int) (steps, ahead int) {
	ta, tb, tc, td := text[0][:n], text[1][:n], text[2][:n], text[3][:n]
	a, b, c, d := id[0], id[1], id[2], id[3]
	k, ahead := 0, 0
	for ; k < len(ta) && k < len(tb) && k < len(tc) && k < len(td); k++ {
		to := rows[a+uint32(col[ta[k]])]
		if to < limit {
			break
		}
		a, ahead = to, 1
		if to = rows[b+uint32(col[tb[k]])]; to < limit {
			break
		}
		b, ahead = to, 2
		if to = rows[c+uint32(col[tc[k]])]; to < limit {
			break
		}
		c, ahead = to, 3
		if to = rows[d+uint32(col[td[k]])]; to < limit {
			break
		}
		d, ahead = to, 0
	}
	*id = [numLanes]uint32{a, b, c, d}
	return k, ahead
}
