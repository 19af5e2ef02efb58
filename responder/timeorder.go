package responder

import (
	"context"
	"errors"

	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/timeorder"
	"github.com/trawl-logs/trawl/schemas"
)

// searcher is what searches for the session: file by file or, for lines in the order of their times,
// all files side by side.
func (s *session) searcher() searchFunc {
	if s.q.Order != schemas.OrderTime || s.q.Mode != schemas.ModeLines {
		return s.r.search
	}
	return func(ctx context.Context, inputs []scan.Input, newMatcher func() scan.Matcher, o scan.Options, emit func(*scan.Batch) error) (scan.Stats, error) {
		stats, err := timeorder.Run(ctx, inputs, newMatcher, o, timeorder.Options{
			Create: func() (timeorder.File, error) { return timeorder.TempFile(s.r.config.State) },
			Budget: s.r.sorting, Mark: s.setMark,
		}, func(b *scan.Batch) error {
			if s.grouped() { // part of a group may be sent before the rest
				s.setMark(schemas.NoTime)
			}
			return emit(b)
		})
		if errors.Is(err, timeorder.ErrBudget) {
			err = &verdict{schemas.StatusError, err.Error() + " (limits.sort_bytes)"}
		}
		return stats, err
	}
}

// grouped says whether lines are sent in groups.
func (s *session) grouped() bool {
	return s.q.Before > 0 || s.q.After > 0 || s.q.Columns&schemas.ColumnGroup != 0
}

// setMark notes a time before which the search will emit no line any more.
func (s *session) setMark(ns int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark = ns
}

// watermark is a time before which no line will be sent that has not been. mu is held.
func (s *session) watermark() int64 {
	switch {
	case s.q.Order != schemas.OrderTime, s.box.Unsent():
		return schemas.NoTime
	case len(s.pack.kept) == 0:
		return s.mark
	case s.grouped() || len(s.pack.kept[0].Times) == 0:
		return schemas.NoTime
	}
	return s.pack.kept[0].Times[0]
}
