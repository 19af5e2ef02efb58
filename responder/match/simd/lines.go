package simd

// Lines fills b with the first lines of buf[from:], from being the start of a line, that hold the
// literal, which is not empty and holds no term; At is where first. next is where to go on: the start of a line, or the
// end of buf when all lines have been looked at. b may be empty before that.
func (f *Finder) Lines(b *Batch, buf []byte, from int, term byte) (next int) {
	n := len(buf) - f.reach() + 1
	next, full := b.gather(&f.kernel, buf, from, 0, n, term)
	if len(f.text) > 8 {
		b.Keep(f.confirm, buf)
	}
	if full {
		return next
	}
	return b.tail(f.matches, buf, max(n, from), len(buf)-f.size+1)
}

// confirm looks closer at a candidate. It may stand at the end of the line, where a byte that was not compared is the terminator.
func (f *Finder) confirm(buf []byte, _, at int) int {
	switch {
	case at == len(buf):
		return -1
	case f.matches(buf[at:]):
		return at
	}
	if i := f.Index(buf[at+1:]); i >= 0 {
		return at + 1 + i
	}
	return -1
}

// Count returns how many lines of buf[from:] hold the literal. It is faster than Lines, which looks for their
// starts; b is scratch.
func (f *Finder) Count(b *Batch, buf []byte, from int, term byte) (count int) {
	if len(f.text) > 8 {
		for from < len(buf) {
			from = f.Lines(b, buf, from, term)
			count += len(b.Hits)
		}
		return count
	}
	n := len(buf) - f.reach() + 1
	count = b.tally(&f.kernel, buf, from, n, term)
	for at := max(n, from, b.floor); at <= len(buf)-f.size; at++ {
		if f.matches(buf[at:]) {
			count++
			b.enter(buf, at)
			at = b.floor - 1
		}
	}
	return count
}

// Lines is as that of Finder, for lines that hold any of the literals.
func (s *Set) Lines(b *Batch, buf []byte, from int, term byte) (next int) {
	n := min(len(buf)-s.at-setReach, len(buf)-s.shortest) + 1
	next, full := b.gather(&s.kernel, buf, from, s.at, n, term)
	b.Keep(s.confirm, buf)
	if full {
		return next
	}
	return b.tail(s.begins, buf, max(n, from), len(buf)-s.shortest+1)
}

// begins tells whether text, which is as long as the shortest literal, begins with one.
func (s *Set) begins(text []byte) bool {
	which, _ := s.compare(text)
	return which >= 0
}

// confirm looks closer at a candidate, whose window, but not all of it, is known to lie in the line.
func (s *Set) confirm(buf []byte, start, at int) int {
	if at >= start && len(buf)-at >= s.shortest && s.begins(buf[at:]) {
		return at
	}
	at, _ = s.Next(buf, max(start, at+1))
	return at
}

// Lines is as that of Finder, for lines that hold a run of the classes. None of them has term.
func (w *Window) Lines(b *Batch, buf []byte, from int, term byte) (next int) {
	n := len(buf) - w.kernel.width + 1
	next, full := b.gather(&w.kernel, buf, from, 0, n, term)
	if full {
		return next
	}
	return len(buf)
}
