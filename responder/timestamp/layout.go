package timestamp

import "encoding/binary"

// A layout is a string of codes. A byte below 0x80 stands for itself, but a blank for a run of blanks
// and tabs; the bytes below stand for an element.
const (
	year4      byte = 0x80 + iota // 1970 to 2199
	year2                         // 69 to 99: 19xx, 00 to 68: 20xx
	month                         // one or two digits
	month2                        // two digits, nothing between them and their neighbours
	monthName                     // Jan, january, Sept
	day                           // one or two digits
	day2                          // two digits
	weekday                       // Sun, Sunday; not compared with the date
	severity                      // the letter before a date of klog
	clockColon                    // h:mm:ss, then perhaps a fraction
	clockDot                      // h.mm.ss, then perhaps a fraction
	clockDash                     // h-mm-ss, then perhaps a fraction
	clockShort                    // h:mm
	clockTight                    // hhmmss, then perhaps a fraction
	halfDay                       // AM, pm, perhaps after a blank
	zoneHere                      // Z, UTC, ±hh, ±hhmm, ±hh:mm right behind; may be missing
	zoneApart                     // the same, or a zone's abbreviation, after a blank; may be missing
	epoch                         // seconds since 1970, ten digits, then perhaps a fraction
	epochMilli                    // thirteen digits
	epochMicro                    // sixteen
	epochNano                     // nineteen
)

const (
	firstYear = 1970
	lastYear  = 2199
)

// fields is what a layout read from a text.
type fields struct {
	year, month, day           int // year 0: the text names none
	hour, minute, second, nano int
	zoned                      bool // the text names its zone, which is offset seconds east
	offset                     int
	apart                      bool  // and that after a blank
	instant                    int64 // of an epoch, in ns
	clockAt, clockEnd          int   // where the clock begins and its fraction ends
}

// parse reads the layout at b[i:] into f and returns where the text ends, -1 if it is another.
func (c *calendar) parse(layout string, b []byte, i int, f *fields) int {
	for k := 0; k < len(layout) && i >= 0; k++ {
		code := layout[k]
		switch {
		case code == ' ':
			i = skipBlanks(b, i)
		case code < 0x80:
			if i >= len(b) || b[i] != code {
				return -1
			}
			i++
		case code <= severity:
			i = parseDate(code, b, i, f)
		case code <= clockTight:
			f.clockAt = i
			i = parseClock(code, b, i, f)
			f.clockEnd = i
		case code == halfDay:
			i = parseHalf(b, i, f)
		case code <= zoneApart:
			i = c.parseZone(code, b, i, f)
		default:
			i = parseEpoch(code, b, i, f)
		}
	}
	return i
}

// skipBlanks returns the end of the blanks that begin at i, -1 if there are none.
func skipBlanks(b []byte, i int) int {
	start := i
	for i < len(b) && isBlank(b[i]) {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// number reads between least and most digits.
func number(b []byte, i, least, most int) (value, end int) {
	start := i
	for i < len(b) && i-start < most && isDigit(b[i]) {
		value = value*10 + int(b[i]-'0')
		i++
	}
	if i-start < least {
		return 0, -1
	}
	return value, i
}

// parseDate reads one element of a date.
func parseDate(code byte, b []byte, i int, f *fields) (end int) {
	switch code {
	case year4:
		f.year, end = number(b, i, 4, 4)
		return within(f.year, firstYear, lastYear, end)
	case year2:
		f.year, end = number(b, i, 2, 2)
		f.year += 1900
		if f.year < 1969 {
			f.year += 100
		}
		return within(f.year, firstYear, lastYear, end)
	case month, month2:
		f.month, end = number(b, i, 1+int(code-month), 2)
		return within(f.month, 1, 12, end)
	case day, day2:
		f.day, end = number(b, i, 1+int(code-day), 2)
		return within(f.day, 1, 31, end)
	case monthName:
		f.month, end = nameAt(b, i, &monthNames)
		return end
	case weekday:
		_, end = nameAt(b, i, &weekdayNames)
		return end
	}
	if i < len(b) && isSeverity(b[i]) {
		return i + 1
	}
	return -1
}

// within returns end, -1 if the value is out of bounds.
func within(value, least, most, end int) int {
	if value < least || value > most {
		return -1
	}
	return end
}

// parseClock reads a time of day with its fraction. Second 60 is taken: it is the instant after it.
func parseClock(code byte, b []byte, i int, f *fields) int {
	least, sep := 1, byte(':')
	switch code {
	case clockDot:
		sep = '.'
	case clockDash:
		sep = '-'
	case clockTight:
		least, sep = 2, 0
	}
	f.hour, i = number(b, i, least, 2)
	if i < 0 || f.hour > 23 {
		return -1
	}
	if f.minute, i = clockPart(b, i, least, sep, 59); i < 0 || code == clockShort {
		return i
	}
	if f.second, i = clockPart(b, i, least, sep, 60); i < 0 {
		return -1
	}
	f.nano, i = fraction(b, i, sep)
	return i
}

// clockPart reads the minutes or seconds and what parts them from what is before.
func clockPart(b []byte, i, least int, sep byte, most int) (value, end int) {
	if sep != 0 {
		if i >= len(b) || b[i] != sep {
			return 0, -1
		}
		i++
	}
	value, end = number(b, i, least, 2)
	return value, within(value, 0, most, end)
}

// scale[n] is the worth in ns of the last of n digits of a fraction.
var scale = [10]int{1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1}

// fraction reads the fraction of a second, in ns, if there is one; digits past the ninth do not
// count. After a colon stand whole milliseconds, which need not be padded.
func fraction(b []byte, i int, sep byte) (nano, end int) {
	if i+1 >= len(b) || !isDigit(b[i+1]) {
		return 0, i
	}
	if c := b[i]; c != '.' && c != ',' && (c != ':' || sep != ':') {
		return 0, i
	}
	k := i + 1
	for k < len(b) && k-i <= 9 && isDigit(b[k]) {
		nano = nano*10 + int(b[k]-'0')
		k++
	}
	digits := k - i - 1
	if b[i] == ':' && digits < 3 {
		digits = 3
	}
	for k < len(b) && isDigit(b[k]) {
		k++
	}
	if b[i] == ',' && k+1 < len(b) && b[k] == '.' && isDigit(b[k+1]) {
		return 0, i // the next column of a table
	}
	return nano * scale[digits], k
}

// parseHalf reads AM or PM and turns the hour into that of the whole day.
func parseHalf(b []byte, i int, f *fields) int {
	if i < len(b) && isBlank(b[i]) {
		i++
	}
	if i+2 > len(b) || b[i+1]|0x20 != 'm' || f.hour < 1 || f.hour > 12 {
		return -1
	}
	f.hour %= 12
	switch b[i] | 0x20 {
	case 'p':
		f.hour += 12
	case 'a':
	default:
		return -1
	}
	return i + 2
}

// Epochs between September 2001, when they got their tenth digit, and the last year.
const (
	firstEpoch = 1_000_000_000
	afterEpoch = 7_258_118_400
)

// parseEpoch reads a count of seconds, or of a fraction of them, since 1970.
func parseEpoch(code byte, b []byte, i int, f *fields) int {
	digits := 10 + 3*int(code-epoch)
	if len(b)-i < digits {
		return -1
	}
	value, ok := count(b[i : i+digits])
	if !ok {
		return -1
	}
	unit := int64(scale[digits-10])
	if seconds := value / (1e9 / unit); seconds < firstEpoch || seconds >= afterEpoch {
		return -1
	}
	f.clockAt = i
	i += digits
	value *= unit
	if i < len(b) && b[i] == '.' {
		var nano int
		nano, i = fraction(b, i, '.')
		value += int64(nano) / (1e9 / unit)
	}
	f.instant, f.clockEnd = value, i
	return i
}

// count returns the number that all of b is, eight digits at a time.
func count(b []byte) (value int64, ok bool) {
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b) ^ 0x3030_3030_3030_3030
		if (x|(x+0x7676_7676_7676_7676))&topBits != 0 {
			return 0, false
		}
		x = x*10 + x>>8 // pairs
		x = (x&0x0000_00ff_0000_00ff*(100+1_000_000<<32) + x>>16&0x0000_00ff_0000_00ff*(1+10_000<<32)) >> 32
		value = value*100_000_000 + int64(x)
	}
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		value = value*10 + int64(c-'0')
	}
	return value, true
}

// isEpoch says whether the layout counts from 1970.
func isEpoch(layout string) bool { return layout[0] >= epoch }

// begins says whether a time may begin at b[i:]: not inside a word, a number, a path or a version.
func begins(b []byte, i int) bool {
	if i == 0 {
		return true
	}
	switch c := b[i-1]; c {
	case '.', '_', '-', '/', '+', '%', '#', '$':
		return i <= maxLead && isPunctuation(b[:i])
	default:
		return !isWord(c) || c == 'm' && colourBefore(b, i)
	}
}

// colourBefore says whether a terminal's colour sequence, such as ESC [31m, ends at i.
func colourBefore(b []byte, i int) bool {
	if i < 3 || b[i-1] != 'm' {
		return false
	}
	for i -= 2; i > 0 && (isDigit(b[i]) || b[i] == ';'); i-- {
	}
	return i > 0 && b[i] == '[' && b[i-1] == escape
}

const escape = 0x1b

// ends says whether a time may end before b[i:].
func ends(b []byte, i int) bool {
	if i >= len(b) {
		return true
	}
	c := b[i]
	if c == '.' || c == ':' {
		return i+1 >= len(b) || !isDigit(b[i+1])
	}
	return !isWord(c)
}

// epochEnds is ends for a count: a part of an identifier goes on with a dash as well, and audit puts
// a colon and a serial number behind it.
func epochEnds(b []byte, i int) bool {
	if i < len(b) {
		switch c := b[i]; {
		case c == '-' || c == '_' || c == '.' || c == '/':
			return i+1 < len(b) && !isWord(b[i+1])
		case c == ':':
			return true
		}
	}
	return ends(b, i)
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// isWord says whether c is an ASCII letter or digit.
func isWord(c byte) bool { return isDigit(c) || c|0x20-'a' <= 'z'-'a' }

func isUpper(c byte) bool { return c-'A' <= 'Z'-'A' }

// isSeverity says whether c is one of klog's letters.
func isSeverity(c byte) bool {
	switch c {
	case 'I', 'W', 'E', 'F', 'D', 'V':
		return true
	}
	return false
}

// isPunctuation says whether b holds neither letter nor digit nor blank.
func isPunctuation(b []byte) bool {
	for _, c := range b {
		if isWord(c) || isBlank(c) {
			return false
		}
	}
	return true
}

var (
	monthNames = [...]string{"january", "february", "march", "april", "may", "june", "july", "august",
		"september", "october", "november", "december"}
	weekdayNames = [...]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
)

// nameAt reads one of the names, in full or its first three letters (four for Sept, Tues and
// Thur), in any case. The first of the names is number one.
func nameAt[T [12]string | [7]string](b []byte, i int, names *T) (value, end int) {
	if len(b)-i < 3 {
		return 0, -1
	}
	for n := range len(*names) {
		name := (*names)[n]
		if !hasFold(b[i:], name[:3]) {
			continue
		}
		end = i + 3
		switch {
		case hasFold(b[i:], name):
			end = i + len(name)
		case len(name) > 4 && name[3] != 'r' && hasFold(b[i:], name[:4]):
			end = i + 4
		}
		if end < len(b) && b[end]|0x20-'a' <= 'z'-'a' {
			return 0, -1
		}
		return n + 1, end
	}
	return 0, -1
}

// hasFold says whether b begins with the lower-case word, in any case.
func hasFold(b []byte, word string) bool {
	if len(b) < len(word) {
		return false
	}
	for k := range len(word) {
		if b[k]|0x20 != word[k] {
			return false
		}
	}
	return true
}
