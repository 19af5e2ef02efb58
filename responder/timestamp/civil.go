package timestamp

const (
	daySeconds  = 86_400
	yearSeconds = 365 * daySeconds
)

// daysOf returns the days from 1970-01-01 to a date of the Gregorian calendar. Years are counted
// from March, so that the leap day is the last of its year.
func daysOf(year, month, day int) int64 {
	if month < 3 {
		year, month = year-1, month+12
	}
	era := year / 400
	ofEra := year % 400
	ofYear := (153*(month-3)+2)/5 + day - 1
	return int64(era*146_097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719_468)
}

// daysIn returns the length of a month.
func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// instant returns the time that f names, in ns since 1970. ok is false for a date that is none, or
// whose year is not known.
func (c *calendar) instant(f *fields) (ns int64, ok bool) {
	if f.instant != 0 {
		return f.instant, true
	}
	local, ok := c.dayOf(f)
	if !ok {
		return 0, false
	}
	local += f.ofDay()
	offset := int64(f.offset)
	if !f.zoned {
		offset = c.offsetOf(local)
	}
	return (local-offset)*1e9 + int64(f.nano), true
}

// ofDay returns the seconds since midnight.
func (f *fields) ofDay() int64 { return int64(f.hour*3600 + f.minute*60 + f.second) }

// dayOf returns when the day of f begins on its clock, in seconds.
func (c *calendar) dayOf(f *fields) (local int64, ok bool) {
	if f.year == 0 {
		return c.latestDay(f.month, f.day, f.ofDay())
	}
	if f.day > daysIn(f.year, f.month) {
		return 0, false
	}
	return daysOf(f.year, f.month, f.day) * daySeconds, true
}

// latestDay returns when the day begins in the last year in which the time is not after c.newest. Nine
// years back there is a leap day, whatever century ends between.
func (c *calendar) latestDay(month, day int, ofDay int64) (local int64, ok bool) {
	if c.newest == 0 {
		return 0, false
	}
	year := firstYear + int(c.newest/(daySeconds*1461)*4) + 4 // not before the year of newest
	for tries := 0; tries < 16 && year >= firstYear; tries++ {
		if day <= daysIn(year, month) {
			if local = daysOf(year, month, day) * daySeconds; local+ofDay <= c.newest {
				return local, true
			}
		}
		year--
	}
	return 0, false
}
