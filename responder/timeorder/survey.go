package timeorder

import (
	"context"
	"errors"
	"slices"
	"sort"

	"github.com/trawl-logs/trawl/responder/scan"
)

// mostMarks is how many marks are kept of a file, at 16 bytes each.
const mostMarks = 64

// survey is what is known of the times of a file's lines.
type survey struct {
	inOrder     bool
	from, size  int64 // what it speaks of: bytes that were appended since are not searched
	first, last int64 // no line is before or behind them; scan.NoTime: some line, or every line, has none
	marks       []mark
}

// mark says of a place in a file in order that no line that begins there or later has an earlier time.
type mark struct{ at, time int64 }

// after is a time before which no line that begins at off or later has its own.
func (s *survey) after(off int64) int64 {
	if n := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].at > off }); n > 0 {
		return s.marks[n-1].time
	}
	return s.first
}

// errOutOfOrder ends the reading of a file's times: it is sorted, whatever else it holds.
var errOutOfOrder = errors.New("out of order")

// look says in which order the lines are that are going to be searched of a file: in groups, with others of it
// as context. It reads those of which the times are not known yet, up to the first that is out of
// order. The error is that of reading.
func look(ctx context.Context, f *scan.File, clock scan.Clock, terminator byte, grouped bool) (s survey, err error) {
	s = survey{inOrder: true, from: f.From, size: f.Size, first: scan.NoTime, last: scan.NoTime}
	if clock == nil {
		return s, nil
	}
	o, err := outline(ctx, f, clock, terminator)
	if err != nil {
		s.inOrder = false
		if errors.Is(err, errOutOfOrder) {
			err = nil
		}
		return s, err
	}
	pieces := o.Pieces
	if f.Ranges != nil && !grouped {
		pieces = searched(o, f)
	}
	for i := range pieces {
		p := &pieces[i]
		if s.inOrder = p.Ordered && (p.Max == scan.NoTime || p.Min >= s.last); !s.inOrder {
			return s, nil
		}
		s.last = max(s.last, p.Max)
	}
	s.mark(pieces)
	if grouped && f.From > 0 {
		s.first = scan.NoTime // of the context before
	}
	return s, nil
}

// outline gives the times of all lines of a file from From on, or errOutOfOrder as soon as one is before
// another. What it finds out is told.
func outline(ctx context.Context, f *scan.File, clock scan.Clock, terminator byte) (*scan.Outline, error) {
	o := &scan.Outline{End: f.From}
	if f.Outline != nil && f.From == 0 {
		o = f.Outline.Clone()
	}
	if f.Ranges == nil && !o.Ordered() {
		return nil, errOutOfOrder
	}
	known := o.End
	err := o.Extend(ctx, f.At, f.Size, clock, terminator, func() error {
		for n := len(o.Pieces) - 1; n >= 0 && o.Pieces[n].From >= known; n-- {
			if !o.Pieces[n].Ordered {
				return errOutOfOrder
			}
		}
		return nil
	})
	if f.Outlined != nil && f.From == 0 && o.End > known {
		f.Outlined(o)
		o = o.Clone()
	}
	if err == nil {
		err = o.Finish(f.At, f.Size, clock)
	}
	return o, err
}

// searched are the pieces in which there is anything of a file's ranges.
func searched(o *scan.Outline, f *scan.File) (pieces []scan.Piece) {
	ranges := f.Ranges
	for i, p := range o.Pieces {
		end := o.End
		if i+1 < len(o.Pieces) {
			end = o.Pieces[i+1].From
		}
		for len(ranges) > 0 && ranges[0].To <= p.From {
			ranges = ranges[1:]
		}
		if len(ranges) > 0 && ranges[0].From < end {
			pieces = append(pieces, p)
		}
	}
	return pieces
}

// mark keeps some marks of pieces in order.
func (s *survey) mark(pieces []scan.Piece) {
	step := len(pieces)/mostMarks + 1
	for i := 0; i < len(pieces); i += step {
		p := &pieces[i]
		m := mark{p.From, p.Min}
		if p.Untimed {
			m.time = scan.NoTime
		}
		s.marks = append(s.marks, m)
	}
	if len(s.marks) > 0 {
		s.first = s.marks[0].time
	}
	s.marks = slices.Clip(s.marks)
}
