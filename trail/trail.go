// Package trail follows one request through the services of a fleet: it decides which services' logs to ask
// for its id, in which window of time, from what was found so far, and puts what came into one story.
//
// A Planner is the decision. It does no I/O: Next gives what is to be asked now, Answer takes what came of
// it, until Next has nothing more; then Story has the lines. The entries' logs are asked over the whole
// range. If A calls B, B's lines lie between A's first line and A's last line plus a slack for what is handed
// on late, and as much before and after as clocks differ; so B is asked in that window alone. A service that
// logs nothing of the request hands its window on. Where that cannot be trusted, the Planner asks for more than it says, up to
// everything, and Notes tells why.
package trail

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// Open are the ends of a window that has none.
const (
	Beginning = int64(math.MinInt64)
	End       = int64(math.MaxInt64)
)

// Window is a range of times in Unix nanoseconds, From inclusive and To exclusive.
type Window struct{ From, To int64 }

// Whole is the window without ends.
var Whole = Window{Beginning, End}

func (w Window) empty() bool { return w.From >= w.To }

// hull is the least window that holds both; an empty one holds nothing.
func (w Window) hull(o Window) Window {
	switch {
	case w.empty():
		return o
	case o.empty():
		return w
	}
	return Window{min(w.From, o.From), max(w.To, o.To)}
}

func (w Window) within(o Window) Window { return Window{max(w.From, o.From), min(w.To, o.To)} }

// holds tells whether all of o is in w.
func (w Window) holds(o Window) bool { return o.empty() || w.From <= o.From && o.To <= w.To }

// length is how long the window is; open ones are of any length.
func (w Window) length() float64 { return float64(w.To) - float64(w.From) }

// shift moves a time, and stays at the ends.
func shift(at int64, by time.Duration) int64 {
	switch {
	case at == Beginning || at == End:
		return at
	case by < 0 && at < Beginning-int64(by):
		return Beginning
	case by > 0 && at > End-int64(by):
		return End
	}
	return at + int64(by)
}

// Line is a line with the request's id.
type Line struct {
	Node, Service, File string
	Offset              int64 // of the line in its file; -1: unknown
	At                  int64 // its time, Unix nanoseconds, as it says
	Timed               bool  // it has one
	Text                []byte
	Truncated           bool // Text is not all of it
	Hop                 int  // calls between the entry and the service; Story sets it
}

// Ask is what is to be asked: the lines of these services, of all if there are none, within the window.
type Ask struct {
	Services []string
	Window   Window
}

// order sorts lines by time. A line without one goes with the line above it in its file; those that have
// none above them come first.
func order(lines []Line) {
	type place struct{ node, file string }
	last := map[place]int64{}
	for i := range lines {
		l := &lines[i]
		at := place{l.Node, l.File}
		if l.Timed {
			last[at] = l.At
		} else if above, ok := last[at]; ok {
			l.At = above
		} else {
			l.At = Beginning
		}
	}
	slices.SortStableFunc(lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Hop, b.Hop), strings.Compare(a.Service, b.Service), strings.Compare(a.Node, b.Node), strings.Compare(a.File, b.File))
	})
}
