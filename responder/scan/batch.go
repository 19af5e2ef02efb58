package scan

import "sync"

// Kind tells what a batch reports of its file.
type Kind uint8

const (
	KindLines  Kind = iota // lines or spans in Text
	KindCount              // Count selected lines
	KindFile               // the file itself
	KindBinary             // the file is binary and matches
)

// Batch is a run of results of one input, in the order of the file. Its columns are those of
// schemas.Chunk, so that it goes on the wire or to the printer without a copy.
//
// Text holds lines (or spans), each ended by the terminator. More says that the last of them goes on
// in the next batch of the same file, whose Continues is set. Numbers, Offsets and Times, if asked
// for, have an entry for every line that begins in this batch; Context and Groups speak of those
// lines as well: Context holds the lengths of alternating runs, selected first, and is empty if all
// are selected; Groups holds, ascending, before which of them a new group begins (the first group of
// a file included). Groups may repeat an index, or name the one after the last line, where a line
// was selected that gave no text: one without a span, or one whose bytes are not text.
type Batch struct {
	Kind      Kind
	Input     int // index into Run's inputs
	Service   string
	File      string
	Text      []byte
	More      bool
	Continues bool
	Numbers   []int64
	Offsets   []int64
	Times     []int64
	Context   []int64
	Groups    []int64
	Count     int64
	Lines     int64 // lines or spans that begin in Text, context included
	Selected  int64 // those of them that are no context

	inContext bool // the run that Context's last entry counts
}

var batchPool = sync.Pool{New: func() any { return new(Batch) }}

func newBatch() *Batch { return batchPool.Get().(*Batch) }

func (b *Batch) recycle() {
	*b = Batch{
		Text: b.Text[:0], Numbers: b.Numbers[:0], Offsets: b.Offsets[:0], Times: b.Times[:0],
		Context: b.Context[:0], Groups: b.Groups[:0],
	}
	batchPool.Put(b)
}

// size is what the batch weighs against BatchBytes.
func (b *Batch) size() int {
	return len(b.Text) + 8*(len(b.Numbers)+len(b.Offsets)+len(b.Times)+len(b.Context)+len(b.Groups))
}

func (b *Batch) empty() bool { return len(b.Text) == 0 && len(b.Groups) == 0 }

// beginLines notes that n lines of one sort begin here.
func (b *Batch) beginLines(n int64, context bool) {
	switch {
	case len(b.Context) > 0 && b.inContext == context:
		b.Context[len(b.Context)-1] += n
	case len(b.Context) > 0:
		b.Context = append(b.Context, n)
	case context: // the first context line: all before it were selected
		b.Context = append(b.Context, b.Lines, n)
	}
	b.inContext = context
	b.Lines += n
	if !context {
		b.Selected += n
	}
}

// cut keeps the first n selected lines of the batch, with the context between them.
func (b *Batch) cut(n int64, terminator byte) {
	lines := n
	if len(b.Context) > 0 {
		lines = b.linesUpTo(n)
	}
	end := int64(0)
	pieces := lines
	if b.Continues {
		pieces++ // the rest of a line that began before
	}
	for range pieces {
		i := indexByte(b.Text[end:], terminator)
		if i < 0 {
			end = int64(len(b.Text))
			break
		}
		end += int64(i) + 1
	}
	b.Text, b.Lines, b.Selected = b.Text[:end], lines, n
	b.More = b.More && len(b.Text) > 0 && b.Text[len(b.Text)-1] != terminator
	for _, c := range []*[]int64{&b.Numbers, &b.Offsets, &b.Times} {
		if int64(len(*c)) > lines {
			*c = (*c)[:lines]
		}
	}
	for len(b.Groups) > 0 && b.Groups[len(b.Groups)-1] >= lines {
		b.Groups = b.Groups[:len(b.Groups)-1]
	}
}

// linesUpTo returns how many lines there are up to the n-th selected one, and trims Context to them.
func (b *Batch) linesUpTo(n int64) (lines int64) {
	for i, run := range b.Context {
		if i%2 == 0 {
			if run >= n {
				b.Context[i] = n
				b.Context = b.Context[:i+1]
				return lines + n
			}
			n -= run
		}
		lines += run
	}
	return lines
}
