package timestamp

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// Shares of the entries that must have a time.
const (
	shareStart  = 0.02 // a full date at the start of the line, or in a key with a usual name
	shareElse   = 0.5
	shareSecond = 0.1 // the same for the further forms of a file that mixes them
	shareOther  = 0.3
)

// fewLines is from how many lines on something can be said of how their times follow each other.
const fewLines = 20

// nearModTime is how close to when it was written the last line of a file would be, in ns.
const nearModTime = 2 * daySeconds * 1e9

// choose returns the best reading of the lines of the sample, and those of lines that it does not read. Reversed
// says that the times mostly fall.
func (d *detector) choose(sample []byte) (readings []reading, reversed bool) {
	var covered, none lineSet
	entries := d.entries.count(&none)
	for len(readings) < maxReadings {
		if left := d.entries.count(&covered); left == 0 || len(readings) > 0 && float64(left) < shareSecond*float64(entries) {
			break
		}
		best := d.best(&covered, entries, len(readings) > 0)
		if best == nil {
			break
		}
		best = d.sibling(best, &covered)
		layout := best.layout
		if apart := withApart(layout); apart != layout && d.groups[groupKey{best.place, apart}] != nil {
			layout = apart
		}
		if len(readings) == 0 {
			reversed = best.back*2 > best.moved
		}
		next := newReading(best.place, layout, best.sample)
		if best.place.kind == afterKey {
			next.key = newKey(best.place.text, sample)
		}
		readings = append(readings, next)
		for i := range covered {
			covered[i] |= best.lines[i]
		}
	}
	return readings, reversed
}

// best returns the group with the highest score that may be chosen; nil if there is none.
func (d *detector) best(covered *lineSet, entries int, further bool) (best *group) {
	var most float64
	for _, g := range d.order {
		share := float64(g.lines.count(covered)) / float64(entries)
		if share == 0 || d.wanted == nil && !g.may(share, further) {
			continue
		}
		if score := g.score(share); score > most {
			best, most = g, score
		}
	}
	return best
}

// may says whether the group has enough of the entries to be the times of the file.
func (g *group) may(share float64, further bool) bool {
	least := shareElse
	strong := g.place.isStart() || g.place.kind == afterKey && rank(g.place.text) == 2 ||
		g.place.kind == afterBytes && g.place.sep == 'm' && g.place.count == 1
	switch {
	case further && strong && !g.weak():
		least = shareSecond
	case further:
		least = shareOther
	case strong && !g.weak():
		least = shareStart
	}
	if share < least {
		return false
	}
	if !g.weak() {
		return true
	}
	if g.steps > 3 && g.single == g.steps {
		return false // a counter
	}
	named := g.place.kind == afterKey && rank(g.place.text) > 0
	if g.place.kind == afterKey && !named {
		return false
	}
	return named || g.future*2 <= g.count && (g.count < fewLines || g.moved > 0) && (g.back*10 <= g.steps || g.back*10 >= g.moved*9)
}

// weak says whether numbers could have the layout by chance.
func (g *group) weak() bool {
	if isEpoch(g.layout) {
		return true
	}
	if strings.IndexByte(g.layout, monthName) >= 0 || strings.IndexByte(g.layout, severity) >= 0 {
		return false
	}
	return !(&reading{layout: g.layout}).hasYear() || strings.IndexByte(g.layout, year2) >= 0 && strings.IndexByte(g.layout, clockTight) >= 0
}

// score weighs a group: the entries it covers, less if its times stand still, jump about or lie in the
// future; small things decide between those that cover the same.
func (g *group) score(share float64) float64 {
	score := share
	if g.count >= fewLines && g.moved == 0 {
		score *= 0.5
	}
	if g.moved > 0 {
		score *= 1 - 0.5*float64(min(g.back, g.moved-g.back))/float64(g.moved)
	}
	if g.future*2 > g.count {
		score *= 0.5
	}
	if g.weak() {
		score *= 0.9
	}
	if g.place.kind == afterKey {
		score *= [...]float64{0.9, 1, 1.02}[rank(g.place.text)]
	}
	if !g.place.isStart() && g.place.kind == atOffset {
		score *= 0.999 // the same width by chance
	}
	score *= 1 - 1e-5*float64(min(g.at, 1000)) - 1e-6*float64(g.place.kind)
	return score * (1 + 1e-7*float64(len(g.layout)))
}

// sibling returns the group that reads the same texts as g with day, month and two-digit year in the
// likeliest order.
func (d *detector) sibling(g *group, covered *lineSet) *group {
	shape := shapeOf(g.layout)
	var list []*group
	for _, other := range d.order {
		if other.place == g.place && shapeOf(other.layout) == shape {
			list = append(list, other)
		}
	}
	near := func(g *group) int {
		if age := d.modTime - g.last; d.modTime != 0 && age > -nearModTime/2 && age < nearModTime {
			return 1
		}
		return 0
	}
	return slices.MaxFunc(list, func(a, b *group) int {
		return cmp.Or(
			cmp.Compare(a.lines.count(covered), b.lines.count(covered)),
			-cmp.Compare(a.future, b.future),
			cmp.Compare(near(a), near(b)),
			-cmp.Compare(min(a.back, a.moved-a.back), min(b.back, b.moved-b.back)),
			-cmp.Compare(a.last-a.first, b.last-b.first),
			-cmp.Compare(unusual(a.layout), unusual(b.layout)),
		)
	})
}

// shapeOf is the layout with all numbers of two digits taken for the same.
func shapeOf(layout string) string {
	shape := []byte(layout)
	for i, c := range shape {
		if c == month || c == day || c == year2 {
			shape[i] = '#'
		}
	}
	return string(shape)
}

// unusual ranks the orders of a date's numbers that could each be right: the usual one is 0. The
// first number and what follows it decide.
func unusual(layout string) int {
	for i, c := range []byte(layout) {
		if c != month && c != day && c != year2 {
			continue
		}
		usual := []byte{year2, month, day}
		switch sep := layout[i+1]; {
		case sep == '.':
			usual = []byte{day, year2, month}
		case sep == '-' && (&reading{layout: layout}).hasYear():
			usual = []byte{year2, day, month}
		}
		return bytes.IndexByte(usual, c)
	}
	return 0
}
