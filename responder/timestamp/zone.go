package timestamp

import "time"

// calendar places times that do not say all of themselves: the zone of those that name none, and
// the year of those that have none.
type calendar struct {
	zone   *time.Location
	fixed  bool        // zone has had one offset since the first year
	offset int         // seconds east, if fixed
	names  [2]zoneName // what the zone calls itself in winter and in summer
	// newest is the latest that a time without a year may be, in seconds of the zone's own clock. 0:
	// not known, and such times are not read.
	newest int64
}

type zoneName struct {
	name   string
	offset int
}

// newCalendar returns one for the zone; at is when the file was written, if that is known.
func newCalendar(zone *time.Location, at time.Time) calendar {
	if zone == nil {
		zone = time.Local
	}
	c := calendar{zone: zone}
	if at.IsZero() {
		at = time.Unix(firstEpoch, 0)
	}
	year := at.In(zone).Year()
	for i, m := range []time.Month{time.January, time.July} {
		name, offset := time.Date(year, m, 1, 12, 0, 0, 0, zone).Zone()
		c.names[i] = zoneName{name, offset}
	}
	first := time.Date(firstYear, 1, 1, 0, 0, 0, 0, zone)
	if _, end := first.ZoneBounds(); end.IsZero() {
		_, c.offset = first.Zone()
		c.fixed = true
	}
	return c
}

// offsetAt returns the zone's offset at an instant, both in seconds.
func (c *calendar) offsetAt(instant int64) int64 {
	_, offset := time.Unix(instant, 0).In(c.zone).Zone()
	return int64(offset)
}

// offsetOf returns the zone's offset for a time on its own clock. Of a time that the clock showed
// twice the first is meant; a time that it jumped over is read by the clock before the jump.
func (c *calendar) offsetOf(local int64) int64 {
	if c.fixed {
		return int64(c.offset)
	}
	before, after := c.offsetAt(local-daySeconds), c.offsetAt(local+daySeconds)
	if before == after || c.offsetAt(local-before) == before {
		return before
	}
	if c.offsetAt(local-after) == after {
		return after
	}
	return before
}

// offsetOfDay returns the one offset of the day that begins at local; ok is false if it changes in
// the course of that day.
func (c *calendar) offsetOfDay(local int64) (offset int64, ok bool) {
	offset = c.offsetOf(local)
	if c.fixed {
		return offset, true
	}
	start := time.Unix(local-offset, 0).In(c.zone)
	if _, now := start.Zone(); int64(now) != offset {
		return 0, false // midnight itself was jumped over
	}
	_, end := start.ZoneBounds()
	return offset, end.IsZero() || end.Unix() >= local-offset+daySeconds
}

// longestFold returns the most that the zone's clock went back by between two instants.
func (c *calendar) longestFold(from, to time.Time) time.Duration {
	var longest time.Duration
	for at := from.In(c.zone); at.Before(to); {
		next := nextBound(at)
		if next.IsZero() || next.After(to) {
			break
		}
		_, before := at.Zone()
		_, after := next.Zone()
		longest = max(longest, time.Duration(before-after)*time.Second)
		at = next
	}
	return longest
}

// nextBound returns the end of the stretch of one offset that at lies in, or an instant within it; zero if
// it has no end. ZoneBounds itself, where a rule goes on behind the changes that a zone's file lists, ends
// each year after 365 days: on the last day of a leap year that is not after at.
func nextBound(at time.Time) time.Time {
	_, end := at.ZoneBounds()
	if !end.IsZero() && !end.After(at) {
		return at.Add(24 * time.Hour)
	}
	return end
}

// parseZone reads a zone, which may be missing.
func (c *calendar) parseZone(code byte, b []byte, i int, f *fields) int {
	apart := code == zoneApart
	k := i
	if apart {
		if f.zoned || k+1 >= len(b) || b[k] != ' ' {
			return i
		}
		k++
	}
	if k >= len(b) {
		return i
	}
	offset, end := 0, -1
	switch ch := b[k]; {
	case ch == '+' || ch == '-':
		offset, end = numericZone(b, k, apart)
	case (ch == 'Z' || ch == 'z') && !apart:
		end = k + 1
	case isUpper(ch):
		offset, end = c.namedZone(b, k, apart)
	}
	if end < 0 || !ends(b, end) {
		return i
	}
	f.zoned, f.offset, f.apart = true, offset, apart
	return end
}

// numericZone reads ±hh:mm, ±hhmm or, unless it stands apart, where it may be any number, ±hh.
func numericZone(b []byte, i int, apart bool) (offset, end int) {
	hours, k := number(b, i+1, 2, 2)
	if k < 0 || hours > 14 {
		return 0, -1
	}
	offset = hours * 3600
	if at := k; at < len(b) {
		if b[at] == ':' {
			at++
		}
		if minutes, after := number(b, at, 2, 2); after > 0 && minutes%15 == 0 && minutes < 60 {
			offset, k = offset+minutes*60, after
		}
	}
	if apart && k == i+3 {
		return 0, -1
	}
	if b[i] == '-' {
		offset = -offset
	}
	return offset, k
}

// namedZone reads an abbreviation: those of the calendar's own zone first, then the well-known ones.
// Right behind a clock only UTC and GMT are read. An offset may follow these two.
func (c *calendar) namedZone(b []byte, i int, apart bool) (offset, end int) {
	end = i
	for end < len(b) && isUpper(b[end]) {
		end++
	}
	name := b[i:end]
	if string(name) == "UTC" || string(name) == "GMT" {
		if end < len(b) && (b[end] == '+' || b[end] == '-') {
			if offset, after := numericZone(b, end, false); after > 0 {
				return offset, after
			}
		}
		return 0, end
	}
	if !apart || len(name) < 3 || len(name) > 4 {
		return 0, -1
	}
	for _, own := range c.names {
		if own.name == string(name) {
			return own.offset, end
		}
	}
	hours, known := abbreviations[string(name)]
	if !known {
		return 0, -1
	}
	return int(hours * 3600), end
}

// abbreviations are the zones, in hours east, that logs name by their letters; where a name has
// several meanings, the one met most.
var abbreviations = map[string]float64{
	"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
	"AKST": -9, "AKDT": -8, "HST": -10, "BRT": -3, "ART": -3,
	"WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "SAST": 2,
	"IST": 5.5, "PKT": 5, "WIB": 7, "SGT": 8, "HKT": 8, "AWST": 8, "JST": 9, "KST": 9, "ACST": 9.5,
	"AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}
