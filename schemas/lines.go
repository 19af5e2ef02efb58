package schemas

import "bytes"

// Terminator is the byte that ends the query's lines.
func (q *Query) Terminator() byte {
	if q.NullData {
		return 0
	}
	return '\n'
}

// TextOnly reports whether a chunk of lines has no columns, so that it can be cut behind any line
// without counting them.
func (c *Chunk) TextOnly() bool {
	return c.Kind == ChunkLines && len(c.Numbers)+len(c.Offsets)+len(c.Times)+len(c.Context)+len(c.Groups) == 0
}

// Lines counts the lines, context included, that begin in the chunk.
func (c *Chunk) Lines(terminator byte) int {
	if len(c.Text) == 0 {
		return 0
	}
	n := bytes.Count(c.Text, []byte{terminator})
	if c.Text[len(c.Text)-1] != terminator {
		n++
	}
	if c.Continues {
		n--
	}
	return n
}

// Selected counts what the chunk adds to the selected lines: lines that begin in it and are not
// context, the count of a ChunkCount, one for a file.
func (c *Chunk) Selected(terminator byte) int64 {
	switch {
	case c.Kind == ChunkCount:
		return c.Count
	case c.Kind >= ChunkSkipped: // news, bytes and blocks
		return 0
	case c.Kind != ChunkLines:
		return 1
	case len(c.Context) == 0:
		return int64(c.Lines(terminator))
	}
	var n int64
	for i := 0; i < len(c.Context); i += 2 {
		n += c.Context[i]
	}
	return n
}

// Check says what in the chunk is not as a query with these columns and this terminator must get
// it, so that whoever prints it may trust the columns' lengths; the error is a *FieldError. It
// counts the selected lines on the way, as Selected does.
func (c *Chunk) Check(columns Columns, terminator byte) (selected int64, err error) {
	if c.Kind != ChunkLines {
		return c.Selected(terminator), nil
	}
	if last := c.Text[len(c.Text)-1]; c.More == (last == terminator) {
		return 0, fieldErrorf("chunk.text", "does not end as its flags say (more %t)", c.More)
	}
	lines := c.Lines(terminator)
	for _, col := range []struct {
		field  string
		flag   Columns
		values []int64
	}{{"chunk.numbers", ColumnNumber, c.Numbers}, {"chunk.offsets", ColumnOffset, c.Offsets}, {"chunk.times", ColumnTime, c.Times}} {
		want := 0
		if columns&col.flag != 0 {
			want = lines
		}
		if len(col.values) != want {
			return 0, fieldErrorf(col.field, "has %d entries, not %d", len(col.values), want)
		}
	}
	if err := c.checkRuns(int64(lines)); err != nil {
		return 0, err
	}
	if len(c.Context) > 0 {
		return c.Selected(terminator), nil
	}
	return int64(lines), nil
}

func (c *Chunk) checkRuns(lines int64) error {
	if len(c.Context) > 0 {
		var sum int64
		for _, run := range c.Context {
			if run < 0 || run > lines-sum {
				return fieldErrorf("chunk.context", "covers more than %d lines", lines)
			}
			sum += run
		}
		if sum != lines {
			return fieldErrorf("chunk.context", "covers %d of %d lines", sum, lines)
		}
	}
	before := int64(-1)
	for _, g := range c.Groups {
		if g < 0 || g < before || g >= lines {
			return fieldErrorf("chunk.groups", "holds %d after %d, of %d lines", g, before, lines)
		}
		before = g
	}
	return nil
}

// Cut splits a chunk of lines behind the first n lines that begin in it (and behind the rest of a
// line begun before, where it continues one). Both parts share the chunk's memory. If there are no
// more lines than n, the tail is empty.
func (c *Chunk) Cut(n int, terminator byte) (head, tail Chunk) {
	at, left := 0, n
	if c.Continues {
		left++
	}
	for ; left > 0; left-- {
		i := bytes.IndexByte(c.Text[at:], terminator)
		if i < 0 {
			return *c, Chunk{}
		}
		at += i + 1
	}
	if at == len(c.Text) {
		return *c, Chunk{}
	}
	head, tail = *c, *c
	head.Text, tail.Text = c.Text[:at], c.Text[at:]
	head.More, tail.Continues = false, false
	head.Numbers, tail.Numbers = cutColumn(c.Numbers, n)
	head.Offsets, tail.Offsets = cutColumn(c.Offsets, n)
	head.Times, tail.Times = cutColumn(c.Times, n)
	head.Context, tail.Context = cutRuns(c.Context, int64(n))
	head.Groups, tail.Groups = cutGroups(c.Groups, int64(n))
	return head, tail
}

func cutColumn(column []int64, n int) (head, tail []int64) {
	n = min(n, len(column))
	return column[:n:n], column[n:]
}

// cutRuns splits alternating run lengths behind n lines. The tail starts, like any runs, with
// selected lines, be they none.
func cutRuns(runs []int64, n int64) (head, tail []int64) {
	for i, run := range runs {
		if run < n {
			n -= run
			continue
		}
		head = append(append(head, runs[:i]...), n)
		if i%2 == 1 {
			tail = append(tail, 0)
		}
		return head, append(append(tail, run-n), runs[i+1:]...)
	}
	return runs, nil
}

func cutGroups(groups []int64, n int64) (head, tail []int64) {
	for i, g := range groups {
		if g >= n {
			for _, g := range groups[i:] {
				tail = append(tail, g-n)
			}
			return groups[:i:i], tail
		}
	}
	return groups, nil
}
