package trail

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/relations"
)

// Options say what is known before anything is asked.
type Options struct {
	Range    Window           // nothing outside is asked
	Skew     time.Duration    // that the clocks of two nodes may differ
	Slack    time.Duration    // that a service may log after the last line of who called it
	Entries  []string         // where the request entered; none: the roots of the graph
	Graph    *relations.Graph // nil: nothing is known of who calls whom
	Services []string         // that the fleet has
	Unknown  string           // why Services may not be all; empty: they are
}

// Planner decides what is asked. It is not safe for concurrent use.
type Planner struct {
	o       Options
	entries []string
	places  map[string]*place // by service: of the fleet, and of the graph
	all     bool              // everything was asked, or is
	lines   []Line            // of all, if all
	waiting []Ask
	notes   []string
}

// place is what is known of a service.
type place struct {
	here        bool   // the fleet has it
	asked       Window // empty: not yet
	early, late time.Duration
	lines       []Line
	timed       Window // of the lines' times
	found       Window // of the same, and of the asks that gave lines without: these may be anywhere in them
}

var nothing = Window{End, Beginning}

// New returns a Planner.
func New(o Options) *Planner {
	p := &Planner{o: o, places: map[string]*place{}}
	add := func(services []string, here bool) {
		for _, s := range services {
			if p.places[s] == nil {
				p.places[s] = &place{asked: nothing, timed: nothing, found: nothing, early: o.Skew, late: o.Skew + o.Slack}
			}
			p.places[s].here = p.places[s].here || here
		}
	}
	add(o.Services, true)
	switch {
	case o.Unknown != "":
		p.askAll(o.Unknown)
		return p
	case o.Graph == nil || len(o.Graph.Services()) == 0:
		p.askAll("no relations are known")
		return p
	}
	add(o.Graph.Services(), false)
	p.entries = o.Entries
	if len(p.entries) == 0 {
		p.entries = o.Graph.Roots()
	}
	p.enter()
	p.start()
	return p
}

// enter puts in place of entries that have no logs here those whom they call.
func (p *Planner) enter() {
	var entries, absent []string
	seen, waiting := map[string]bool{}, slices.Clone(p.entries)
	for len(waiting) > 0 {
		s := waiting[0]
		waiting = waiting[1:]
		if seen[s] {
			continue
		}
		seen[s] = true
		if at := p.places[s]; at != nil && at.here {
			entries = append(entries, s)
		} else {
			absent, waiting = append(absent, s), append(waiting, p.o.Graph.Callees(s)...)
		}
	}
	if len(absent) > 0 && len(entries) > 0 {
		p.note("no node has logs of %s: those whom they call are entries", names(absent))
	}
	slices.Sort(entries)
	p.entries = entries
}

// start asks the entries, and the services of which the relations know nothing.
func (p *Planner) start() {
	var first, strangers []string
	reached := p.o.Graph.Reachable(p.entries...)
	var unreached []string
	for _, s := range p.o.Services {
		_, reachable := slices.BinarySearch(reached, s)
		switch {
		case slices.Contains(p.entries, s):
			first = append(first, s)
		case !p.o.Graph.Knows(s):
			first, strangers = append(first, s), append(strangers, s)
		case !reachable:
			unreached = append(unreached, s)
		}
	}
	if len(strangers) > 0 {
		p.note("the relations do not know %s: asked over the whole range", names(strangers))
	}
	if len(unreached) > 0 {
		p.note("nothing leads from %s to %s: not asked", names(p.entries), names(unreached))
	}
	for _, s := range first {
		p.places[s].asked = p.o.Range
	}
	if len(first) > 0 {
		p.waiting = append(p.waiting, Ask{first, p.o.Range})
	}
}

// askAll asks everything, in place of all that was asked before.
func (p *Planner) askAll(why string) {
	p.note("%s: all services are asked, over the whole range", why)
	p.all, p.lines = true, nil
	p.waiting = []Ask{{nil, p.o.Range}}
}

func (p *Planner) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// Notes says where more was asked than along the relations, and why.
func (p *Planner) Notes() []string { return p.notes }

// Everything tells whether all services were asked over the whole range in one.
func (p *Planner) Everything() bool { return p.all }

// Next gives what is to be asked now, in any order or at once; nothing: that was all. Each Ask wants its
// Answer before the next Next.
func (p *Planner) Next() []Ask {
	for _, widen := range []bool{false, true} { // only when all callers' lines are known
		if len(p.waiting) == 0 && !p.all {
			p.plan(widen)
		}
	}
	if len(p.waiting) == 0 && !p.all && !p.foundAny() && p.missesSome() {
		p.askAll("no line was found along the relations")
	}
	asks := p.waiting
	p.waiting = nil
	return asks
}

// foundAny tells whether a service that the relations know has a line: without, what calls it is not known.
func (p *Planner) foundAny() bool {
	for s, at := range p.places {
		if len(at.lines) > 0 && p.o.Graph.Knows(s) {
			return true
		}
	}
	return false
}

// missesSome tells whether a service was not asked over the whole range.
func (p *Planner) missesSome() bool {
	for _, s := range p.o.Services {
		if !p.places[s].asked.holds(p.o.Range) {
			return true
		}
	}
	return false
}

// Answer takes what came of an Ask. Timeless says that a file of it has no times, so that it was not searched
// within the window. It returns whether the lines count: if not, the same services come again with the
// whole range, and what was wrong with this answer is of no account.
func (p *Planner) Answer(a Ask, lines []Line, timeless bool) bool {
	if len(a.Services) == 0 {
		p.lines = lines
		return true
	}
	if p.all { // an answer to what was asked before everything was
		return false
	}
	if timeless && a.Window != p.o.Range {
		p.note("a log of %s has no times: asked over the whole range", names(a.Services))
		for _, s := range a.Services {
			at := p.places[s]
			*at = place{here: true, asked: p.o.Range, timed: nothing, found: nothing, early: at.early, late: at.late}
		}
		p.waiting = append(p.waiting, Ask{a.Services, p.o.Range})
		return false
	}
	for i := range lines {
		l := &lines[i]
		at := p.places[l.Service]
		if at == nil || !slices.Contains(a.Services, l.Service) {
			continue // a node that answers what nobody asked
		}
		at.lines = append(at.lines, *l)
		if l.Timed {
			at.timed = at.timed.hull(Window{l.At, shift(l.At, 1)})
		} else {
			at.found = at.found.hull(a.Window)
		}
	}
	for _, s := range a.Services {
		if at := p.places[s]; at != nil {
			at.found = at.found.hull(at.timed)
		}
	}
	return true
}

// plan looks which windows are wanted beyond what was asked.
func (p *Planner) plan(widen bool) {
	var fresh []Ask
	for _, s := range p.o.Services {
		at := p.places[s]
		wanted := p.wanted(s, widen)
		switch {
		case at.asked.holds(wanted):
		case at.asked.empty():
			fresh = append(fresh, Ask{[]string{s}, wanted})
		default:
			p.extend(s, at.asked.hull(wanted))
		}
	}
	p.join(fresh)
}

// extend asks what a window has beyond what was asked.
func (p *Planner) extend(s string, whole Window) {
	asked := p.places[s].asked
	p.places[s].asked = whole
	for _, part := range []Window{{whole.From, asked.From}, {asked.To, whole.To}} {
		if !part.empty() {
			p.waiting = append(p.waiting, Ask{[]string{s}, part})
		}
	}
}

// join makes one Ask of those whose windows are much the same: a query costs more than a few seconds of a
// log. Windows only ever grow by it.
func (p *Planner) join(fresh []Ask) {
	var joined []Ask
	for _, a := range fresh {
		i := slices.IndexFunc(joined, func(b Ask) bool {
			return a.Window.hull(b.Window).length() <= 1.5*min(a.Window.length(), b.Window.length())
		})
		if i < 0 {
			joined = append(joined, a)
			continue
		}
		joined[i] = Ask{append(joined[i].Services, a.Services...), joined[i].Window.hull(a.Window)}
	}
	for _, a := range joined {
		for _, s := range a.Services {
			p.places[s].asked = a.Window
		}
	}
	p.waiting = append(p.waiting, joined...)
}

// wanted is the window in which a service's lines lie, by those who call it. A caller that logs nothing hands
// on the window of its own callers, to which it may have added its slack.
func (p *Planner) wanted(s string, widen bool) Window {
	at, calls := p.places[s], nothing
	seen, level := map[string]bool{s: true}, []string{s}
	for slack := at.late; len(level) > 0; slack += p.o.Slack {
		var silent []string
		for _, callee := range level {
			for _, caller := range p.o.Graph.Callers(callee) {
				from := p.places[caller]
				switch {
				case seen[caller]:
				case len(from.lines) > 0:
					calls = calls.hull(Window{from.found.From, shift(from.found.To, slack-at.late)})
				case !from.here || !from.asked.empty():
					silent = append(silent, caller)
				}
				seen[caller] = true
			}
		}
		level = silent
	}
	if calls.empty() {
		return nothing
	}
	if widen && !at.timed.empty() {
		p.widen(s, at, calls)
	}
	return Window{shift(calls.From, -at.early), shift(calls.To, at.late)}.within(p.o.Range)
}

// maxMargin is more than any clock is off: a hundred years.
const maxMargin = 100 * 365 * 24 * time.Hour

// widen doubles the margins of a service whose lines are in the outer half of one: more may be beyond it.
func (p *Planner) widen(s string, at *place, calls Window) {
	early, late := at.early, at.late
	for calls.From != Beginning && at.timed.From < shift(calls.From, -at.early/2) && at.early < maxMargin {
		at.early = max(2*at.early, time.Millisecond)
	}
	for calls.To != End && at.timed.To > shift(calls.To, at.late/2) && at.late < maxMargin {
		at.late = max(2*at.late, time.Millisecond)
	}
	// Within the range there may be nothing more to ask.
	if early != at.early && shift(calls.From, -early) > p.o.Range.From {
		p.note("%s logs %v before who calls it: asked from %v before", s, time.Duration(calls.From-at.timed.From), at.early)
	}
	if late != at.late && shift(calls.To, late) < p.o.Range.To {
		p.note("%s logs %v after who calls it: asked to %v after", s, time.Duration(at.timed.To-calls.To), at.late)
	}
}

// names lists services.
func names(services []string) string {
	const most = 8
	if n := len(services); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(services[:most], ", "), n-most)
	}
	return strings.Join(services, ", ")
}
