package timeorder

import (
	"bytes"
	"cmp"

	"github.com/trawl-logs/trawl/responder/scan"
)

// key is the place of a unit in the order.
type key struct {
	time  int64 // of its first line; scan.NoTime: before all that have one
	input int
	seq   int64 // counts the units of an input that is sorted; 0 where the file is in order
}

// last is behind every key.
var last = key{time: 1<<63 - 1, input: 1<<63 - 1}

func (k key) compare(o key) int {
	return cmp.Or(cmp.Compare(k.time, o.time), cmp.Compare(k.input, o.input), cmp.Compare(k.seq, o.seq))
}

// row is a line or span of a result, or a piece of one.
type row struct {
	binary    bool   // no line: the file is binary and matches
	text      []byte // with its terminator, unless more
	key       int64  // time of the unit that the row belongs to
	start     bool   // it begins a unit
	more      bool   // the line goes on in the next row
	continues bool   // the line began in the row before
	group     bool   // a group begins here
	context   bool
	time      int64
	number    int64
	offset    int64
}

// selected says whether a selected line ends with the row.
func (r *row) selected() bool { return !r.binary && !r.context && !r.more }

// splitter makes rows of the batches of one input.
type splitter struct {
	terminator byte
	grouped    bool  // units are groups, else lines
	mark       bool  // a group begins with the next line
	context    bool  // of the line that goes on
	time       int64 // of the line before
	key        int64 // of the unit before
}

func newSplitter(o *scan.Options) splitter {
	return splitter{terminator: o.Terminator, grouped: groups(o), mark: true, time: scan.NoTime, key: scan.NoTime}
}

// groups says whether units are groups.
func groups(o *scan.Options) bool { return o.Groups || o.Before > 0 || o.After > 0 }

// rows appends the rows of a batch, which share its memory.
func (s *splitter) rows(dst []row, b *scan.Batch) []row {
	if b.Kind != scan.KindLines {
		return append(dst, row{binary: true, key: s.key, start: true, time: scan.NoTime})
	}
	text, marks, continues := b.Text, b.Groups, b.Continues
	run, left := 0, int64(0)
	if len(b.Context) > 0 {
		left = b.Context[0]
	}
	for i := 0; len(text) > 0; {
		end := bytes.IndexByte(text, s.terminator) + 1
		r := row{more: end == 0, time: scan.NoTime}
		if r.more {
			end = len(text)
		}
		r.text, text = text[:end:end], text[end:]
		if continues {
			continues = false
			r.continues, r.key, r.context = true, s.key, s.context
			dst = append(dst, r)
			continue
		}
		for left == 0 && run+1 < len(b.Context) {
			run++
			left = b.Context[run]
		}
		left--
		r.context = run%2 == 1
		for len(marks) > 0 && marks[0] <= int64(i) {
			s.mark, marks = true, marks[1:]
		}
		dst = append(dst, s.line(r, b, i))
		i++
	}
	s.mark = s.mark || len(marks) > 0
	return dst
}

// line completes the row of the i-th line that begins in a batch.
func (s *splitter) line(r row, b *scan.Batch, i int) row {
	r.group = s.grouped && s.mark
	r.start = r.group || !s.grouped
	s.mark, s.context = false, r.context
	if i < len(b.Numbers) {
		r.number = b.Numbers[i]
	}
	if i < len(b.Offsets) {
		r.offset = b.Offsets[i]
	}
	if i < len(b.Times) {
		r.time = b.Times[i]
	}
	if r.time != scan.NoTime {
		s.time = r.time
	}
	if r.start {
		s.key = s.time
	}
	r.key = s.key
	return r
}

// builder makes batches of rows, and emits them.
type builder struct {
	o      *scan.Options
	inputs []scan.Input
	emit   func(*scan.Batch) error
	b      scan.Batch
	runs   bool // the last run of b.Context is one of context
}

// add adds a row of an input.
func (w *builder) add(input int, r *row) error {
	if !w.empty() && (r.binary || input != w.b.Input || len(w.b.Text)+len(r.text) > w.o.BatchBytes) {
		if err := w.flush(); err != nil {
			return err
		}
	}
	b := &w.b
	if b.Input, b.Service, b.File = input, w.inputs[input].Service, w.inputs[input].Name; r.binary {
		b.Kind = scan.KindBinary
		return w.pass()
	}
	if w.empty() {
		b.Continues = r.continues
	}
	b.More = r.more
	b.Text = append(b.Text, r.text...)
	if r.continues {
		return nil
	}
	if r.group {
		b.Groups = append(b.Groups, b.Lines)
	}
	w.count(r.context)
	if w.o.Numbers {
		b.Numbers = append(b.Numbers, r.number)
	}
	if w.o.Offsets {
		b.Offsets = append(b.Offsets, r.offset)
	}
	if w.o.Times {
		b.Times = append(b.Times, r.time)
	}
	return nil
}

// count enters a line into the lengths of alternating runs.
func (w *builder) count(context bool) {
	b := &w.b
	switch {
	case len(b.Context) > 0 && w.runs == context:
		b.Context[len(b.Context)-1]++
	case len(b.Context) > 0:
		b.Context = append(b.Context, 1)
	case context:
		b.Context = append(b.Context, b.Lines, 1)
	}
	w.runs = context
	if b.Lines++; !context {
		b.Selected++
	}
}

func (w *builder) empty() bool { return len(w.b.Text) == 0 }

// flush emits what was added.
func (w *builder) flush() error {
	if w.empty() {
		return nil
	}
	return w.pass()
}

func (w *builder) pass() error {
	b := &w.b
	err := w.emit(b)
	*b = scan.Batch{
		Text: b.Text[:0], Numbers: b.Numbers[:0], Offsets: b.Offsets[:0], Times: b.Times[:0],
		Context: b.Context[:0], Groups: b.Groups[:0],
	}
	return err
}
