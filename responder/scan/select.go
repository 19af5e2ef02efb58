package scan

import (
	"bytes"
	"slices"
	"time"
)

// lines searches the whole lines in buf[lo:hi]. It says whether the search of the segment goes on.
func (s *searcher) lines(lo, hi int) bool {
	buf := s.buf[:hi]
	switch {
	case s.plain && !s.quiet:
		return s.plainLines(buf, lo)
	case s.quiet && s.enough < 0 && s.o.MaxCount < 0 && !s.o.timed():
		n := s.m.Count(buf, lo)
		if s.o.Invert {
			n = bytes.Count(buf[lo:], []byte{s.o.Terminator}) - n
		}
		s.res.selected += int64(n)
		return true
	}
	behind := lo // the last line that matched
	for p := lo; p < hi && s.left > 0; {
		s.found, p = s.m.Lines(s.found[:0], buf, p)
		for _, l := range s.found {
			if !s.o.Invert {
				if !s.take(l.Start, l.End+1) {
					return false
				}
			} else if !s.take(behind, l.Start) {
				return false
			}
			behind = l.End + 1
			if s.left == 0 {
				break
			}
		}
		if s.o.Invert && s.left > 0 && !s.take(behind, p) {
			return false
		}
		behind = max(behind, p)
	}
	if s.pending > 0 && !s.trailing(s.base+int64(hi)) {
		return false
	}
	return s.left > 0 || s.pending > 0
}

// take takes the lines of buf[beg:end], if there are any, as found.
func (s *searcher) take(beg, end int) bool {
	switch {
	case beg == end:
		return true
	case s.o.timed():
		return s.inTime(beg, end)
	}
	return s.selectLines(beg, end)
}

// plainRun is how much text is checked and copied at once where neighbouring lines are selected.
const plainRun = 16 << 10

// plainLines is lines where nothing but the lines themselves is wanted: neighbours are copied
// together, which halves the time where every second line is selected or more.
func (s *searcher) plainLines(buf []byte, lo int) bool {
	beg, end, n := lo, lo, int64(0) // with Invert, n is not known and the run begins behind a line that matches
	for p := lo; p < len(buf); {
		s.found, p = s.m.Lines(s.found[:0], buf, p)
		for _, l := range s.found {
			if s.o.Invert {
				if !s.plainGap(beg, l.Start) {
					return false
				}
				beg = l.End + 1
				continue
			}
			if l.Start != end || l.End-beg > plainRun {
				if n > 0 && !s.plainText(beg, end, n) {
					return false
				}
				beg, n = l.Start, 0
			}
			end = l.End + 1
			n++
		}
		if s.o.Invert {
			if !s.plainGap(beg, p) {
				return false
			}
			beg = p
		}
	}
	return n == 0 || s.plainText(beg, end, n)
}

// plainGap gives the lines of buf[beg:end], however many.
func (s *searcher) plainGap(beg, end int) bool {
	for beg < end {
		cut := end
		if cut-beg > plainRun {
			cut = beg + plainRun
			cut += bytes.IndexByte(s.buf[cut-1:end], s.o.Terminator)
		}
		n := bytes.Count(s.buf[beg:cut], []byte{s.o.Terminator})
		if !s.plainText(beg, cut, int64(n)) {
			return false
		}
		beg = cut
	}
	return true
}

// plainText gives the n selected lines buf[beg:end].
func (s *searcher) plainText(beg, end int, n int64) bool {
	text := s.buf[beg:end]
	if len(text) > s.o.BatchBytes || s.o.Binary != BinaryText && !validText(text) {
		for p := beg; p < end; {
			e := p + bytes.IndexByte(s.buf[p:end], s.o.Terminator) + 1
			if !s.line(s.base+int64(p), s.buf[p:e], false) {
				return false
			}
			p = e
		}
	} else {
		b := s.batch(len(text) + int(n)*len(s.head))
		if b == nil {
			return false
		}
		b.Text = s.headed(b.Text, text, n)
		b.Lines += n
		b.Selected += n
	}
	s.res.selected += n
	return true
}

// headed appends n whole lines to dst, the head before each.
func (s *searcher) headed(dst, lines []byte, n int64) []byte {
	if len(s.head) == 0 {
		return append(dst, lines...)
	}
	if n == 1 {
		return append(append(dst, s.head...), lines...)
	}
	for len(lines) > 0 {
		n := bytes.IndexByte(lines, s.o.Terminator) + 1
		dst = append(append(dst, s.head...), lines[:n]...)
		lines = lines[n:]
	}
	return dst
}

// inTime selects those lines of buf[beg:end] that lie in the time range.
func (s *searcher) inTime(beg, end int) bool {
	for p := beg; p < end; {
		e := p + bytes.IndexByte(s.buf[p:end], s.o.Terminator) + 1
		t := s.timeOf(s.base+int64(p), s.buf[p:e-1])
		if t != NoTime && t >= s.o.Since && (s.o.Until == 0 || t < s.o.Until) {
			if s.left == 0 {
				return true
			}
			if !s.selectLines(p, e) {
				return false
			}
		}
		p = e
	}
	return true
}

// selectLines takes the lines of buf[beg:end] as selected: one, or with Invert as many as there are.
func (s *searcher) selectLines(beg, end int) bool {
	if s.quiet {
		return s.countLines(beg, end)
	}
	at := s.base + int64(beg)
	if s.o.Groups {
		if s.pending > 0 && !s.trailing(at) {
			return false
		}
		if !s.leading(at) {
			return false
		}
	}
	p := beg
	var n int64
	for p < end && n < s.left {
		e := end
		if s.o.Invert {
			e = p + bytes.IndexByte(s.buf[p:end], s.o.Terminator) + 1
		}
		if !s.line(s.base+int64(p), s.buf[p:e], false) {
			return false
		}
		p = e
		n++
	}
	s.res.selected += n
	s.left -= n
	s.pending = s.o.After
	return true
}

// countLines is selectLines where nothing is given of the lines.
func (s *searcher) countLines(beg, end int) bool {
	n := int64(1)
	if s.o.Invert {
		n = min(s.left, int64(bytes.Count(s.buf[beg:end], []byte{s.o.Terminator})))
	}
	if s.enough >= 0 {
		n = 1 // ends the search: no more of them count
	}
	s.pending = 0 // as in GNU grep: what is not printed has no context
	s.res.selected += n
	s.left -= n
	if s.enough >= 0 && s.res.selected > s.enough {
		s.over = true
		s.res.binaryHit = s.res.binary
		return false
	}
	return true
}

// trailing gives the lines of context that are due after the last selected one, up to the offset
// limit. A line that cannot be printed uses up all of them, as in GNU grep.
func (s *searcher) trailing(limit int64) bool {
	if s.lastOut < s.base {
		s.lastOut = s.base
	}
	for s.pending > 0 && s.lastOut < limit {
		i := int(s.lastOut - s.base)
		e := i + bytes.IndexByte(s.buf[i:limit-s.base], s.o.Terminator) + 1
		was := s.lastOut
		if !s.line(was, s.buf[i:e], true) {
			return false
		}
		s.pending--
		if s.lastOut == was {
			s.pending = 0
		}
	}
	return true
}

// leading begins a group if the selected line at the offset at is not next to the last one given, and
// gives the context before it.
func (s *searcher) leading(at int64) bool {
	from := at
	if s.o.Before > 0 {
		var err error
		if from, err = s.linesBack(at, s.o.Before, max(s.lastOut, 0)); err != nil {
			s.res.lineErr = err
			from = at
		}
	}
	if from != s.lastOut {
		if s.group { // the group before gave no text
			b := s.batch(8)
			if b == nil {
				return false
			}
			b.Groups = append(b.Groups, b.Lines)
		}
		s.group = true
	}
	for p := from; p < at; {
		var next int64
		ok := true
		if p < s.base {
			next, ok = s.farLine(p, min(at, s.base), true)
		} else {
			i := int(p - s.base)
			e := i + bytes.IndexByte(s.buf[i:], s.o.Terminator) + 1
			ok = s.line(p, s.buf[i:e], true)
			next = s.base + int64(e)
		}
		if !ok {
			return false
		}
		p = next
	}
	return true
}

// line gives one line, terminator included, or the spans in it. A line that cannot be printed is
// noted and left out. It says whether the search goes on.
func (s *searcher) line(at int64, line []byte, context bool) bool {
	if s.o.OnlyMatching {
		return s.spans(at, line, context)
	}
	if s.o.Binary != BinaryText && !validText(line[:len(line)-1]) {
		s.res.badText = true
		return true
	}
	s.lastOut = at + int64(len(line))
	if !s.begin(at, at, line[:len(line)-1], len(line), context) {
		return false
	}
	return s.text(line)
}

// spans gives the matching spans of a line. With Invert, selected lines have none, and the lines of
// their context may.
func (s *searcher) spans(at int64, line []byte, context bool) bool {
	end := at + int64(len(line))
	if context != s.o.Invert {
		s.lastOut = end
		return true
	}
	term := line[len(line)-1:]
	line = line[:len(line)-1]
	s.m.Begin(line)
	for {
		b, e := s.m.NextSpan()
		if b < 0 {
			break
		}
		if s.o.Binary != BinaryText && !validText(line[b:e]) {
			s.res.badText = true
			return true
		}
		if !s.begin(at, at+int64(b), line, e-b+1, context) || !s.text(line[b:e]) || !s.text(term) {
			return false
		}
	}
	s.lastOut = end
	return true
}

// begin enters a line (or span of it) into the columns of a batch with room for size bytes of text.
func (s *searcher) begin(lineAt, at int64, line []byte, size int, context bool) bool {
	b := s.batch(size + 32 + len(s.head))
	if b == nil {
		return false
	}
	b.Text = append(b.Text, s.head...)
	if s.group {
		b.Groups = append(b.Groups, b.Lines)
		s.group = false
	}
	b.beginLines(1, context)
	if s.o.Numbers || s.o.Offsets {
		number, offset := s.place(lineAt, at)
		if s.o.Numbers {
			b.Numbers = append(b.Numbers, number)
		}
		if s.o.Offsets {
			b.Offsets = append(b.Offsets, offset)
		}
	}
	if s.o.Times {
		b.Times = append(b.Times, s.timeOf(lineAt, line))
	}
	return true
}

// batch returns the batch to add to: the present one, if it is empty or has room for size bytes.
func (s *searcher) batch(size int) *Batch {
	if s.out != nil && !s.out.empty() && s.out.size()+size > s.o.BatchBytes && !s.flush() {
		return nil
	}
	if s.out == nil {
		s.newBatch()
	}
	if b := s.out; len(b.Text)+size > cap(b.Text) { // at once to what it may hold: more than a first few lines match
		b.Text = slices.Grow(b.Text, max(size, s.o.BatchBytes-len(b.Text)))
	}
	return s.out
}

func (s *searcher) newBatch() {
	s.out = newBatch()
	if s.outSince = time.Now(); cap(s.out.Text) == 0 {
		s.out.Text = make([]byte, 0, min(s.o.BatchBytes, 16<<10))
	}
}

// text adds text of the line that was begun, in pieces if it does not fit.
func (s *searcher) text(p []byte) bool {
	for {
		b := s.out
		room := max(s.o.BatchBytes-b.size(), 1)
		if len(p) <= room {
			b.Text = append(b.Text, p...)
			return true
		}
		b.Text = append(b.Text, p[:room]...)
		p = p[room:]
		b.More = true
		if !s.flush() {
			return false
		}
		s.newBatch()
		s.out.Continues = true
	}
}

// numberAt returns how many lines of the segment end before the line that starts at the offset at.
func (s *searcher) numberAt(at int64) int64 {
	if at < s.base {
		if at != s.farAt {
			n, err := s.countFar(at)
			if err != nil {
				s.res.lineErr = err
			}
			s.farAt, s.farNumber = at, s.atBase-n
		}
		return s.farNumber
	}
	if s.countTo < s.base || at < s.countTo {
		s.counted, s.countTo = s.atBase, s.base
	}
	i, j := s.countTo-s.base, min(at-s.base, int64(s.n))
	if i < j {
		s.counted += int64(bytes.Count(s.buf[i:j], []byte{s.o.Terminator}))
		s.countTo = at
	}
	return s.counted
}
