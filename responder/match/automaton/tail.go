package automaton

// MatchFrom reports whether line has a match that starts at from or later. from is 0 or follows an ASCII character. The
// search stops behind past where no match is in progress, or else at the end of line: the caller can go on
// from there where the next match can begin.
func (m *Machine) MatchFrom(line []byte, from, past int) (matched bool, stop int) {
	d := m.line
	c := &d.cursors[0]
	c.id = d.start
	if from > 0 && d.starts.looks {
		d.then.q.reset()
		c.id = d.enter(d.p.alpha.behind(line[:from]))
	}
	i := from
	if d.simulate == 0 && c.id >= d.limit {
		rows, limit, start, col, id := d.rows, d.limit, d.start, &d.p.alpha.bytes, c.id
		for i < len(line) {
			to := rows[id+uint32(col[line[i]])]
			if to < limit {
				break
			}
			i++
			// With assertions at its start, a program is never back in the state of a line's start.
			if id = to; id == start && i > past && i < len(line) {
				c.id = codeDead
				d.progress += int64(i - from)
				d.dfaBytes += int64(i - from)
				return false, i
			}
		}
		c.id = id
		d.progress += int64(i - from)
		d.dfaBytes += int64(i - from)
	}
	stop, matched = d.run(c, line, i)
	matched = matched || d.finish(c)
	c.id = codeDead
	return matched, stop
}
