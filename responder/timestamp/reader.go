package timestamp

import "encoding/binary"

// maxText is the most of a time's date, or of what is behind its clock, that a Reader remembers.
const maxText = 40

// Reader reads the times of one file's lines. It remembers the day it saw last, so it is for one
// goroutine; what it returns does not depend on what it was asked before.
type Reader struct {
	form *Form
	days [maxReadings]dayCache
}

// NewReader returns a Reader for one goroutine.
func (f *Form) NewReader() *Reader {
	r := &Reader{form: f}
	for i := range r.days {
		r.days[i].plan = unplanned
	}
	return r
}

// Time returns the time of the line, in ns since 1970; ok is false if the line has none of the
// form. The line may be given without its end; of one whose time stands at its start, or behind
// so many fields, its head will do.
func (r *Reader) Time(line []byte) (unixNano int64, ok bool) {
	for i := range r.form.readings {
		if unixNano, ok = r.days[i].time(r.form, &r.form.readings[i], line); ok {
			return unixNano, true
		}
	}
	return 0, false
}

// dayCache is the last day that one reading saw: the text of its date before the clock, the text
// behind the clock (a zone, AM or PM, a year), and the instant at which that day begins.
type dayCache struct {
	known      bool
	open       bool // a zone might follow the tail
	headLen    int
	tailLen    int
	start      int64 // ns; half a day later if the tail says PM
	head, tail [maxText]byte

	// The first eight bytes of head, and the last if it has more; the first eight of tail. The masks
	// are over as many bytes as there are.
	first, last, tailWord uint64
	mask, tailMask        uint64

	plan plan
	odd  int  // lines of the day that the plan did not fit
	far  bool // the first separator of the line before was beyond farBytes
}

// time returns what slow returns, faster if date and tail are those of the line before.
func (d *dayCache) time(f *Form, r *reading, line []byte) (int64, bool) {
	at := r.place.count
	switch {
	case r.plain:
	case r.lead != 0:
		if len(line) == 0 || line[0] != r.lead {
			return 0, false
		}
	case r.first:
		at = r.behindFirst(line, &d.far)
	default:
		at = r.find(line, 0)
	}
	if at < 0 || at >= len(line) {
		return 0, false
	}
	if b := line[at:]; len(b) >= d.plan.need && d.sameHead(b) {
		if t, ok := d.planned(b); ok {
			return t, true
		}
	}
	if r.epoch {
		var s fields
		if end := parseEpoch(r.layout[0], line, at, &s); end > 0 && epochEnds(line, end) {
			return s.instant, true
		}
		return d.slow(f, r, line, at)
	}
	b := line[at:]
	if d.known && len(b) >= max(d.headLen+r.width, 8) && d.sameHead(b) {
		if t, ok := d.clock(r, b); ok {
			if d.odd++; d.odd&7 == 0 {
				d.replan(r, b)
			}
			return t, true
		}
	} else if isDigit(b[0]) != r.digit && r.key == nil {
		return 0, false
	}
	return d.slow(f, r, line, at)
}

// sameHead says whether b begins with the remembered date. Up to 16 bytes of it are compared in two
// words, which takes half as long as comparing them as strings.
func (d *dayCache) sameHead(b []byte) bool {
	if (binary.LittleEndian.Uint64(b)^d.first)&d.mask != 0 {
		return false
	}
	if d.headLen <= 8 {
		return true
	}
	return binary.LittleEndian.Uint64(b[d.headLen-8:]) == d.last && (d.headLen <= 16 || string(b[8:d.headLen-8]) == string(d.head[8:d.headLen-8]))
}

// sameTail says whether b begins with the remembered text behind the clock.
func (d *dayCache) sameTail(b []byte) bool {
	if d.tailLen <= 8 && len(b) >= 8 {
		return (binary.LittleEndian.Uint64(b)^d.tailWord)&d.tailMask == 0
	}
	return len(b) >= d.tailLen && string(b[:d.tailLen]) == string(d.tail[:d.tailLen])
}

// Eight characters hh?mm?ss: each digit or separator of the text, taken exclusive or with the same
// of the pattern, is at most 9, or 0; adding reach carries into the top bit of any that is more.
const (
	clockZero  = 0x3030_0030_3000_3030
	clockSeps  = 0x0000_0100_0001_0000
	clockReach = 0x7676_7f76_767f_7676
	topBits    = 0x8080_8080_8080_8080
	eachByte   = 0x0101_0101_0101_0101
)

// packed returns the hour, minute and second of eight characters by their pattern.
func packed(x, pattern uint64) (hour, minute, second int64, ok bool) {
	x ^= pattern
	return int64(x&15*10 + x>>8&15), int64(x>>24&15*10 + x>>32&15), int64(x>>48&15*10 + x>>56), (x|(x+clockReach))&topBits == 0
}

// tight returns the hour, minute and second of six digits.
func tight(b []byte) (hour, minute, second int64, ok bool) {
	var x [6]byte
	for i := range x {
		if x[i] = b[i] - '0'; x[i] > 9 {
			return 0, 0, 0, false
		}
	}
	return int64(x[0]*10 + x[1]), int64(x[2]*10 + x[3]), int64(x[4]*10 + x[5]), true
}

// clock reads what is behind the remembered date, if it is as usual: two digits a part, and the
// remembered tail.
func (d *dayCache) clock(r *reading, b []byte) (int64, bool) {
	var hour, minute, second int64
	var ok bool
	end := d.headLen
	switch {
	case r.width == 6:
		hour, minute, second, ok = tight(b[end:])
		end += 6
	case b[end+1] == r.sep && end > 0: // one digit of the hour
		end--
		x := binary.LittleEndian.Uint64(b[end:])
		hour, minute, second, ok = packed(x&^0xff|'0', r.pattern)
		end += 8
	default:
		hour, minute, second, ok = packed(binary.LittleEndian.Uint64(b[end:]), r.pattern)
		end += 8
	}
	if !ok || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	if r.half {
		if hour < 1 || hour > 12 {
			return 0, false
		}
		hour %= 12
	}
	nano := 0
	if end < len(b) && (b[end] == '.' || b[end] == ',' || b[end] == ':') {
		nano, end = fraction(b, end, r.sep)
	}
	if d.tailLen > 0 {
		if !d.sameTail(b[end:]) {
			return 0, false
		}
		end += d.tailLen
	}
	if end < len(b) && !d.closes(b, end) {
		return 0, false
	}
	return d.start + (hour*3600+minute*60+second)*1e9 + int64(nano), true
}

// closes says whether the text surely ends before b[end:], so that no zone or more digits follow.
func (d *dayCache) closes(b []byte, end int) bool {
	switch c := b[end]; {
	case c == ' ':
		if !d.open || end+1 >= len(b) {
			return true
		}
		next := b[end+1]
		return next != '+' && next != '-' && !isUpper(next)
	case c == '+' || c == '-':
		return end+1 >= len(b) || !isDigit(b[end+1])
	}
	return ends(b, end)
}

// slow reads the line's time by its layout, and remembers its day.
func (d *dayCache) slow(f *Form, r *reading, line []byte, at int) (int64, bool) {
	var s fields
	end := f.match(r, line, &at, &s)
	if end < 0 {
		return 0, false
	}
	ns, ok := f.calendar.instant(&s)
	if ok && r.width > 0 {
		d.remember(&f.calendar, r, &s, line, at, end)
	}
	return ns, ok
}

// match reads the layout at the offset at, or where its key is found next, and returns its end.
func (f *Form) match(r *reading, line []byte, at *int, s *fields) int {
	for tries := 0; tries < maxTries && *at >= 0; tries++ {
		*s = fields{}
		end := f.calendar.parse(r.layout, line, *at, s)
		if end >= 0 && (isEpoch(r.layout) && epochEnds(line, end) || !isEpoch(r.layout) && ends(line, end)) {
			return end
		}
		if r.key == nil {
			break
		}
		*at = r.find(line, *at)
	}
	return -1
}

// maxTries is how often a key may be met in a line before its value is a time.
const maxTries = 4

// remember keeps the day of a time, if all of the day has one offset and one year.
func (d *dayCache) remember(c *calendar, r *reading, s *fields, line []byte, at, end int) {
	head, tail := line[at:s.clockAt], line[s.clockEnd:end]
	if len(head) > maxText || len(tail) > maxText {
		return
	}
	local, ok := c.dayOf(s)
	if !ok || s.year == 0 && local+daySeconds > c.newest {
		return
	}
	offset := int64(s.offset)
	if !s.zoned {
		if offset, ok = c.offsetOfDay(local); !ok {
			return
		}
	}
	d.start = (local - offset) * 1e9
	if r.half && s.hour >= 12 {
		d.start += daySeconds / 2 * 1e9
	}
	d.headLen, d.tailLen = copy(d.head[:], head), copy(d.tail[:], tail)
	d.first, d.mask = binary.LittleEndian.Uint64(d.head[:]), maskOf(d.headLen)
	d.tailWord, d.tailMask = binary.LittleEndian.Uint64(d.tail[:]), maskOf(d.tailLen)
	if d.headLen > 8 {
		d.last = binary.LittleEndian.Uint64(d.head[d.headLen-8:])
	}
	d.known, d.open = true, r.apart && !s.zoned
	d.odd = 0
	d.replan(r, line[at:])
}

// maskOf returns a word that has its first n bytes set, all of them at most.
func maskOf(n int) uint64 {
	if n >= 8 {
		return ^uint64(0)
	}
	return 1<<(8*n) - 1
}
