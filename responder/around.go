package responder

import (
	"bytes"
	"context"
	"slices"

	"github.com/trawl-logs/trawl/responder/feed"
	"github.com/trawl-logs/trawl/responder/follow"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/source"
)

// aroundBytes bounds what is kept of a file for context before a line: older lines are not shown.
const aroundBytes = 256 << 10

// around gives the lines around those that are selected of a file that is followed, whatever pieces it
// comes in: what grep would print that reads all of it.
type around struct {
	before, after int64
	kept          []aroundLine // the newest lines, which were not given
	size          int          // of their texts
	left          int64        // lines of context that are still to come
	joined        bool         // what was given last stands right before kept
	time          int64        // of the last line that has one
}

// aroundLine is a line with what the columns say of it.
type aroundLine struct {
	text                 []byte // with its end
	number, offset, time int64
}

// line takes the next line of the file, and adds to a batch what is to be given because of it.
func (a *around) line(b *scan.Batch, l aroundLine, selected bool) {
	switch {
	case selected:
		if !a.joined {
			b.Groups = append(b.Groups, b.Lines)
		}
		for _, k := range a.kept {
			give(b, k, true)
		}
		give(b, l, false)
		a.kept, a.size, a.left, a.joined = nil, 0, a.after, true
	case a.left > 0:
		give(b, l, true)
		a.left--
	default:
		l.text = bytes.Clone(l.text)
		a.kept, a.size = append(a.kept, l), a.size+len(l.text)
		for int64(len(a.kept)) > a.before || len(a.kept) > 0 && a.size > aroundBytes {
			a.size -= len(a.kept[0].text)
			a.kept, a.joined = a.kept[1:], false
		}
	}
}

// give adds a line to a batch.
func give(b *scan.Batch, l aroundLine, isContext bool) {
	b.Text = append(b.Text, l.text...)
	b.Numbers, b.Offsets, b.Times = append(b.Numbers, l.number), append(b.Offsets, l.offset), append(b.Times, l.time)
	runs := len(b.Context)
	if runs == 0 && isContext {
		b.Context = append(b.Context, 0)
	}
	if runs == 0 || (runs%2 == 0) != isContext {
		b.Context = append(b.Context, 0)
	}
	b.Context[len(b.Context)-1]++
	b.Lines++
	if !isContext {
		b.Selected++
	}
}

// aroundPiece gives what is selected of a piece of a file, with the lines around it. Of what begins before
// from nothing is selected.
func (t *tail) aroundPiece(ctx context.Context, p *follow.Piece, from int64) (*scan.Batch, error) {
	clock, known := t.clocks[p.Entry]
	if t.options.Times && !known {
		clock = t.clockOf(p)
		t.clocks[p.Entry] = clock
	}
	a, number := t.aroundOf(p.Entry), p.Line
	return t.around(ctx, p.Entry, p.Text, func(off int64, line []byte) (aroundLine, bool) {
		if clock != nil {
			if ns, ok := clock.Time(line); ok {
				a.time = ns
			}
		}
		number++
		return aroundLine{number: number - 1, offset: p.Offset + off, time: a.time}, p.Offset+off >= from
	})
}

// aroundFed is aroundPiece for lines that know where they came from.
func (t *tail) aroundFed(ctx context.Context, e *source.Entry, p *feed.Piece) (*scan.Batch, error) {
	return t.around(ctx, e, p.Text, func(off int64, _ []byte) (aroundLine, bool) {
		ns, number, offset, ok := p.Line(off)
		if !ok {
			ns = scan.NoTime
		}
		return aroundLine{number: number, offset: offset, time: ns}, true
	})
}

// around finds the lines that are selected of a text of whole lines. Place says of a line what it goes by,
// and whether it may be selected.
func (t *tail) around(ctx context.Context, e *source.Entry, text []byte, place func(off int64, line []byte) (aroundLine, bool)) (*scan.Batch, error) {
	o := t.options
	o.Before, o.After, o.Groups, o.Numbers, o.Times, o.Offsets = 0, 0, false, false, false, true
	input := scan.Input{Open: func() (scan.File, error) {
		return scan.File{At: bytes.NewReader(text), Size: int64(len(text))}, nil
	}}
	var selected []int64
	if _, err := scan.Run(ctx, []scan.Input{input}, t.matcher, o, func(b *scan.Batch) error {
		selected = append(selected, b.Offsets...)
		return nil
	}); err != nil {
		return nil, err
	}
	a, b := t.aroundOf(e), &scan.Batch{File: e.Path, Service: e.Service}
	for off := 0; off < len(text); {
		n := bytes.IndexByte(text[off:], o.Terminator) + 1
		if n == 0 {
			n = len(text) - off
		}
		l, may := place(int64(off), text[off:off+n])
		l.text = text[off : off+n]
		is := len(selected) > 0 && selected[0] == int64(off)
		if is {
			selected = selected[1:]
		}
		a.line(b, l, is && may)
		off += n
	}
	for _, column := range []struct {
		wanted bool
		of     *[]int64
	}{{t.options.Numbers, &b.Numbers}, {t.options.Offsets, &b.Offsets}, {t.options.Times, &b.Times}, {b.Lines > b.Selected, &b.Context}} {
		if !column.wanted {
			*column.of = nil
		}
	}
	return b, nil
}

// aroundOf is what is known of the newest lines of a file.
func (t *tail) aroundOf(e *source.Entry) *around {
	a := t.arounds[e]
	if a == nil {
		a = &around{before: t.options.Before, after: t.options.After, time: scan.NoTime}
		t.arounds[e] = a
	}
	return a
}

// lastAround gives the last lines that are selected of what a file held, with those around them.
func (t *tail) lastAround(ctx context.Context, p *follow.Past) (read int64, err error) {
	o := t.options
	o.Before, o.After, o.Groups, o.Numbers, o.Times, o.Offsets = 0, 0, false, false, false, true
	var last []int64 // where the last lines that are selected begin, or all
	for window := int64(firstWindow); ; window *= 4 {
		from, err := t.lineAt(p, p.Size-window)
		if t.q.Last < 0 || t.q.Since != 0 || err != nil {
			from = 0
		}
		last = last[:0]
		n, err := t.searchPast(ctx, p, from, o, func(b *scan.Batch) error {
			last = append(last, b.Offsets...)
			switch more := int64(len(last)) - t.q.Last; {
			case t.q.Last < 0:
				last = last[:min(1, len(last))]
			case more > 0:
				last = slices.Delete(last, 0, int(more))
			}
			return nil
		})
		if read += n; err != nil {
			return read, err
		}
		if t.q.Last < 0 || int64(len(last)) == t.q.Last || from == 0 {
			break
		}
	}
	begin := p.Size
	if len(last) > 0 {
		begin = last[0]
		n, err := t.searchPast(ctx, p, begin, t.options, t.emit)
		if read += n; err != nil {
			return read, err
		}
	}
	return read, t.aroundBegin(ctx, p, begin)
}

// aroundBegin notes the lines around the end of what a file held, of which those from begin on were given.
func (t *tail) aroundBegin(ctx context.Context, p *follow.Past, begin int64) error {
	from, err := t.lineAt(p, p.Size-aroundBytes)
	if err != nil {
		return err
	}
	text := make([]byte, p.Size-from)
	if n, _ := p.At.ReadAt(text, from); n < len(text) {
		return nil // it was cut, as following it is going to find
	}
	line, err := t.linesBefore(p, from)
	if err != nil {
		return err
	}
	_, err = t.aroundPiece(ctx, &follow.Piece{Entry: p.Entry, Text: text, Offset: from, Line: line + 1}, begin)
	return err
}
