package timestamp

// The grammar of timestamps. A layout is one of each, in this order; what the text cannot be is
// dropped at the first element that differs:
//
//	time   = [ weekday ] date join clock [ AM|PM ] [ zone ] [ " " year ]
//	       | clock [ zone ] gap date
//	       | epoch
//	date   = year-month-day | day-month-year | month-day-year | month-day | … in numbers and names
//	clock  = h:mm:ss [ fraction ] | h.mm.ss [ fraction ] | h-mm-ss [ fraction ] | hhmmss [ fraction ] | h:mm
//	epoch  = seconds | milliseconds | microseconds | nanoseconds, with decimals or without
//
// year stands at the end only where the date has none. A date without a year anywhere is placed by
// its calendar.
var (
	// dates by what they begin with: a run of so many digits, or (0) a name.
	dates = map[int][]string{
		0: {
			codes(monthName, ' ', day, ' ', year4), codes(monthName, ' ', day, ',', ' ', year4), codes(monthName, ' ', day),
			codes(monthName, '-', day, '-', year4), codes(monthName, '/', day, '/', year4),
			codes(severity, month2, day2), codes(severity, year4, month2, day2),
		},
		1:  each(shortDates, '/', '-', '.'),
		2:  append(each(shortDates, '/', '-', '.'), each(shortYearFirst, '/', '-', '.')...),
		4:  each(longYearFirst, '/', '-', '.', ' '),
		6:  {codes(year2, month2, day2)},
		8:  {codes(year4, month2, day2)},
		14: {codes(year4, month2, day2)},
	}
	// joins are what stands between a date and its clock.
	joins = []string{" ", "T", "t", "_", "-", ":", ", ", ",", "|", ";", "@", " at ", ", at ", "][", "] [", " - "}
	// gaps are what stands between a clock and the date behind it.
	gaps     = []string{" ", ", ", "-", "_"}
	clocks   = []byte{clockColon, clockShort, clockDot, clockDash, clockTight}
	epochs   = map[int]byte{10: epoch, 13: epochMilli, 16: epochMicro, 19: epochNano}
	dayNames = []string{codes(weekday, ' '), codes(weekday, ',', ' '), codes(weekday, ',')}
)

// shortDates begin with a day or a month of one or two digits.
func shortDates(sep byte) []string {
	list := []string{
		codes(month, sep, day, sep, year4), codes(day, sep, month, sep, year4),
		codes(month, sep, day, sep, year2), codes(day, sep, month, sep, year2),
		codes(month, sep, day), codes(day, sep, month),
		codes(day, sep, monthName, sep, year4), codes(day, sep, monthName, sep, year2),
	}
	if sep == '.' {
		return append(list, codes(day, '.', ' ', monthName, ' ', year4))
	}
	if sep == '-' { // once for all
		list = append(list, codes(day, ' ', monthName, ' ', year4), codes(day, ' ', monthName, ',', ' ', year4),
			codes(day, ' ', monthName, ' ', year2), codes(day, ' ', monthName), codes(day, monthName, year4))
	}
	return list
}

// shortYearFirst begin with a year of two digits.
func shortYearFirst(sep byte) []string { return []string{codes(year2, sep, month, sep, day)} }

// longYearFirst begin with a year of four digits.
func longYearFirst(sep byte) []string {
	return []string{codes(year4, sep, month, sep, day), codes(year4, sep, monthName, sep, day)}
}

func codes(list ...byte) string { return string(list) }

// each is the dates of a kind for each separator.
func each(kind func(sep byte) []string, seps ...byte) []string {
	var list []string
	for _, sep := range seps {
		list = append(list, kind(sep)...)
	}
	return list
}

// guess is one reading of a text: its layout, what it says, and where it ends.
type guess struct {
	layout string
	fields fields
	end    int
}

// guesses appends all readings of the text at b[i:] to list.
func (c *calendar) guesses(list []guess, b []byte, i int) []guess {
	g := guess{end: i}
	run := digitRun(b, i)
	if code, ok := epochs[run]; ok {
		if e, ok := c.extend(g, b, codes(code)); ok && epochEnds(b, e.end) {
			list = append(list, e)
		}
	}
	if run > 0 {
		list = c.dated(list, b, g, run)
		if run <= 2 && i+run < len(b) && b[i+run] == ':' {
			list = c.clockFirst(list, b, g)
		}
		return list
	}
	list = c.dated(list, b, g, 0)
	for _, name := range dayNames {
		if w, ok := c.extend(g, b, name); ok {
			list = c.dated(list, b, w, digitRun(b, w.end))
		}
	}
	return list
}

// digitRun returns how many digits stand at b[i:].
func digitRun(b []byte, i int) int {
	k := i
	for k < len(b) && isDigit(b[k]) {
		k++
	}
	return k - i
}

// extend reads more elements behind a guess.
func (c *calendar) extend(g guess, b []byte, layout string) (guess, bool) {
	g.end = c.parse(layout, b, g.end, &g.fields)
	if g.end < 0 {
		return g, false
	}
	g.layout += layout
	return g, true
}

// dated appends the readings that go on with a date that begins with a run of digits.
func (c *calendar) dated(list []guess, b []byte, g guess, run int) []guess {
	for _, date := range dates[run] {
		if run > 0 && run <= 4 && !beginsWith(b, g.end+run, date[1]) {
			continue
		}
		d, ok := c.extend(g, b, date)
		if !ok {
			continue
		}
		if run == 14 {
			list = c.clocked(list, b, d, clockTight)
			continue
		}
		for _, join := range joins {
			if !beginsWith(b, d.end, join[0]) {
				continue
			}
			j, ok := c.extend(d, b, join)
			if !ok || digitRun(b, j.end) == 0 {
				continue
			}
			for _, clock := range clocks {
				list = c.clocked(list, b, j, clock)
			}
		}
	}
	return list
}

// beginsWith says whether the text at b[i:] may begin with the code; false is sure.
func beginsWith(b []byte, i int, code byte) bool {
	switch {
	case code >= 0x80:
		return true
	case i >= len(b):
		return false
	case code == ' ':
		return isBlank(b[i])
	}
	return b[i] == code
}

// clocked appends the readings that go on with a clock and what may follow it.
func (c *calendar) clocked(list []guess, b []byte, g guess, clock byte) []guess {
	g, ok := c.extend(g, b, codes(clock))
	if !ok {
		return list
	}
	if h, ok := c.extend(g, b, codes(halfDay, zoneHere)); ok && ends(b, h.end) {
		g = h
	} else if g, _ = c.extend(g, b, codes(zoneHere)); !ends(b, g.end) {
		return list
	}
	list = c.finish(list, g)
	tails := []guess{g}
	if z, ok := c.extend(g, b, codes(zoneApart)); ok && z.fields.apart {
		list = c.finish(list, z)
		tails = append(tails, z)
	}
	if g.fields.year == 0 {
		for _, t := range tails {
			if y, ok := c.extend(t, b, codes(' ', year4)); ok && ends(b, y.end) {
				list = c.finish(list, y)
			}
		}
	}
	return list
}

// clockFirst appends the readings in which the date comes behind the clock.
func (c *calendar) clockFirst(list []guess, b []byte, g guess) []guess {
	for _, clock := range []byte{clockColon, clockShort} {
		t, ok := c.extend(g, b, codes(clock, zoneHere))
		if !ok {
			continue
		}
		for _, gap := range gaps {
			j, ok := c.extend(t, b, gap)
			if !ok {
				continue
			}
			for _, date := range dates[digitRun(b, j.end)] {
				if d, ok := c.extend(j, b, date); ok && d.fields.year != 0 && ends(b, d.end) {
					list = c.finish(list, d)
				}
			}
		}
	}
	return list
}

// finish appends the guess if its date exists.
func (c *calendar) finish(list []guess, g guess) []guess {
	if _, ok := c.instant(&g.fields); !ok {
		return list
	}
	return append(list, g)
}
