package requester

import (
	"bytes"
	"maps"
	"math"

	"github.com/trawl-logs/trawl/schemas"
)

// marks say what has been released of the lines of an account's blocks, so that another account can go on there.
//
// A node gives each log's lines in the order of their offsets: of a log, all of the blocks' lines up to the last one
// that came have come. In time order all of an earlier time than the last line have, and of its own time those
// that are remembered one by one. What is of no sealed log cannot be had again, and is not noted.
type marks struct {
	logs map[schemas.BlockID]mark
	at   int64          // in time order: the time of the last line
	same map[point]bool // lines of that time
	full bool           // there are more than are remembered
}

// mark is how far a log has come: all of it before from, which is where a line begins, and no line beyond that at last,
// of which perhaps only a part has come.
type mark struct {
	from, last int64
	open       bool  // the last line goes on
	owes       bool  // lines of context behind the last selected one may have to come yet
	selected   int64 // with context behind lines: where the last selected line begins
	behind     int64 // and how many lines have come behind it
}

// point is a line of a log.
type point struct {
	log    schemas.BlockID
	offset int64
}

// sameMost is how many lines of one time are remembered.
const sameMost = 100_000

func newMarks() marks { return marks{at: schemas.NoTime} }

func (m *marks) clone() marks {
	return marks{logs: maps.Clone(m.logs), at: m.at, same: maps.Clone(m.same), full: m.full}
}

// note takes what is released of an account.
func (m *marks) note(g *Gather, r *Release) {
	for i := range r.Chunks {
		c := &r.Chunks[i]
		switch {
		case g.inTime() && c.Kind == schemas.ChunkLines:
			m.noteTimes(c)
		case c.Origin == nil:
		case c.Kind == schemas.ChunkLines:
			m.noteLines(c, g)
		case c.Kind != schemas.ChunkCount: // its name: no more is wanted of the log
			m.set(c.Origin.Log, mark{from: math.MaxInt64, last: math.MaxInt64})
		}
	}
}

func (m *marks) set(log schemas.BlockID, to mark) {
	if m.logs == nil {
		m.logs = map[schemas.BlockID]mark{}
	}
	m.logs[log] = to
}

func (m *marks) noteLines(c *schemas.Chunk, g *Gather) {
	at := m.logs[c.Origin.Log]
	n := len(c.Offsets)
	switch {
	case n == 0 && g.q.OnlyMatching:
	case n == 0: // a piece of a line
		at.from += int64(len(c.Text))
	case g.q.OnlyMatching: // more may come of the same line, and where that begins nobody has said
		at.last = c.Offsets[n-1]
	default:
		at.last = c.Offsets[n-1]
		begins := bytes.LastIndexByte(c.Text[:len(c.Text)-1], g.terminator) + 1
		at.from = at.last + int64(len(c.Text)-begins)
		if g.q.After > 0 {
			at.noteContext(c, g.q.After)
		}
	}
	at.open = c.More
	m.set(c.Origin.Log, at)
}

func (m *marks) noteTimes(c *schemas.Chunk) {
	for i, t := range c.Times {
		if t != schemas.NoTime && t > m.at {
			m.at, m.full = t, false
			clear(m.same)
		}
		switch {
		case c.Origin == nil || i >= len(c.Offsets):
		case len(m.same) >= sameMost:
			m.full = true
		default:
			if m.same == nil {
				m.same = map[point]bool{}
			}
			m.same[point{c.Origin.Log, c.Offsets[i]}] = true
		}
	}
}

// noteContext finds the last selected line, which who goes on begins with again while context behind it is owed: what of
// that has come is known by its offsets.
func (at *mark) noteContext(c *schemas.Chunk, after int64) {
	runs := c.Context
	if len(runs) == 0 {
		runs = []int64{int64(len(c.Offsets))}
	}
	found, behind := false, int64(0)
	for i := len(runs) - 1; i >= 0 && !found; i-- {
		if found = i%2 == 0 && runs[i] > 0; !found {
			behind += runs[i]
		}
	}
	if found {
		at.selected, at.behind, at.owes = c.Offsets[int64(len(c.Offsets))-1-behind], 0, true
	}
	at.behind += behind
	at.owes = at.owes && at.behind < after
}

// list is the marks as they travel; false: there are too many to remember, and nobody can go on from here.
func (m *marks) list() ([]schemas.LogMark, bool) {
	list := make([]schemas.LogMark, 0, len(m.logs))
	for log, at := range m.logs {
		from := at.from
		if at.open {
			from = min(from, at.last)
		}
		if at.owes {
			from = min(from, at.selected)
		}
		if from == 0 {
			continue
		}
		list = append(list, schemas.LogMark{Log: log, From: from})
	}
	return list, !m.full
}

// since is where the range of who goes on begins, given that of the query.
func (m *marks) since(of int64) int64 {
	if m.at != schemas.NoTime && m.at > of {
		return m.at
	}
	return of
}

// has says whether a line has been released, or a part of it.
func (m *marks) has(log schemas.BlockID, offset int64) bool {
	if m.same[point{log, offset}] {
		return true
	}
	at, known := m.logs[log]
	return known && offset <= at.last
}

// fresh appends what of a chunk has not been released of those that the account inherited from.
func (s *share) fresh(to []schemas.Chunk, c *schemas.Chunk, terminator byte) []schemas.Chunk {
	rest := *c
	if rest.Continues {
		head, tail := rest.Cut(0, terminator)
		if !s.drops {
			to = append(to, head)
		}
		if len(tail.Text) == 0 {
			s.drops = s.drops && head.More
			return to
		}
		rest, s.drops = tail, false
	}
	if rest.Origin == nil {
		return append(to, rest)
	}
	for lines := len(rest.Offsets); lines > 0; {
		old := s.before.has(rest.Origin.Log, rest.Offsets[0])
		n := 1
		for n < lines && s.before.has(rest.Origin.Log, rest.Offsets[n]) == old {
			n++
		}
		run, tail := rest, schemas.Chunk{}
		if n < lines {
			run, tail = rest.Cut(n, terminator)
		}
		switch {
		case !old:
			to = append(to, run)
		case run.More:
			s.drops = true
		}
		rest, lines = tail, lines-n
	}
	return to
}
