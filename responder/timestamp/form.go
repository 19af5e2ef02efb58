// Package timestamp finds out in which form a log file writes its times, from its content, and reads
// the time of each line.
//
// Detect looks at the head of a file and returns its Form: where in a line the time stands (a place),
// and of what it is made (a layout, by the grammar in grammar.go). A Form is immutable and shared;
// each goroutine reads through its own Reader, which remembers the day it saw last. A line's time
// depends on the Form and the line alone, never on the lines read before, so that a file may be
// searched from any offset, by several goroutines.
//
// # Lines without a time
//
// They have none here. The caller gives a line of a stack trace the time of the entry above it.
//
// # Zones
//
// A zone that the line names counts. Times without one are read by Options.Zone. When its clock goes
// back an hour, an hour of such times is ambiguous: the first pass is meant; Form.Slack tells by how
// much a sorted file may so seem to go back. A time that the clock jumps over is read by the clock
// before the jump. A leap second is the instant after it.
//
// # Times without a year
//
// They lie in the year before a last instant, which Bind sets: the file's last line is as late as the
// file's modification time allows (and a day more, for clocks that differ), and the free part of the
// year is shared between what may still be appended and what may stand before the first line. That
// needs no other line of the file to be read, and carries over New Year. A file that holds more than
// a year of such lines is read as if they were all of its last year. As a file grows over months, or
// is rotated, Bind has to be called again.
//
// # Day and month
//
// Whether 03/04/2005 is in March or in April is decided, in this order, by a field over 12 anywhere
// in the sample; by what would lie in the future of the file; by what ends within two days of the
// file's modification time; by what runs forward more often; by what lies closer together; else by
// custom: before slashes a year of two digits, else the month; before dots the day; before dashes a
// year of two digits, else the day, without a year the month.
//
// # What counts as a time
//
// A date with a clock, or a count of seconds since 1970 in its usual width, from 1970 to 2199. Entries
// are lines that are not indented, or have a time. At the start of the line, or in a key with a usual
// name, a full date need be in one entry of 50 only, as a stack trace is long; anywhere else, and for
// forms that a number could be by chance (HDFS's 081109 203615, 03-17 16:13:38, epochs) in half of
// them, and such numbers have to grow. A file that mixes forms has up to four.
package timestamp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// maxReadings is how many forms a file may mix.
const maxReadings = 4

// Form is how one file writes its times.
type Form struct {
	readings []reading
	calendar calendar
	reversed bool // the newest line comes first
}

// reading is one layout at one place.
type reading struct {
	place  place
	layout string
	sample string // as it stood in the file

	key *key // of place, if it is one

	// What a dayCache needs; width is 0 if the clock is not one it reads.
	width   int    // of the clock, 8 or 6
	pattern uint64 // of a clock with separators
	sep     byte   // its separator
	half    bool   // hours count to twelve
	epoch   bool   // it counts from 1970
	plain   bool   // nothing stands before the time
	lead    byte   // what does, if it is one byte at the start of the line
	first   bool   // it stands right behind the first separator, or the first run of them
	seps    uint64 // eight of these
	digit   bool   // it begins with one
	apart   bool   // a zone may follow after a blank
}

// newReading prepares a layout at a place for use.
func newReading(p place, layout, sample string) reading {
	r := reading{place: p, layout: layout, sample: sample}
	for _, code := range []byte(layout) {
		switch code {
		case clockColon:
			r.width, r.sep = 8, ':'
		case clockDot:
			r.width, r.sep = 8, '.'
		case clockDash:
			r.width, r.sep = 8, '-'
		case clockTight:
			r.width = 6
		case halfDay:
			r.half = true
		case zoneApart:
			r.apart = true
		}
	}
	switch layout[0] {
	case monthName, weekday, severity:
	default:
		r.digit = true
	}
	r.epoch = isEpoch(layout)
	r.plain = p.kind == atOffset && p.count == 0
	if p.isStart() && p.count == 1 {
		r.lead = p.text[0]
	}
	r.first = (p.kind == afterRuns || p.kind == afterBytes) && p.count == 1 && p.text == "" && p.sep != 'm'
	r.seps = uint64(p.sep) * eachByte
	r.pattern = clockZero | uint64(r.sep)*clockSeps
	return r
}

// farBytes is how much of a line is looked through at once for the first separator, where that was farther
// away in the line before.
const farBytes = 32

// behindFirst is find where the time stands behind the first separator: that is looked for eight bytes at a
// time, as mostly it is near. It takes and gives back whether it was beyond farBytes.
func (r *reading) behindFirst(line []byte, far *bool) int {
	i := 0
	if *far && len(line) > farBytes {
		b := line[:farBytes:farBytes]
		x := (binary.LittleEndian.Uint64(b) ^ r.seps) - eachByte
		x |= (binary.LittleEndian.Uint64(b[8:]) ^ r.seps) - eachByte
		x |= (binary.LittleEndian.Uint64(b[16:]) ^ r.seps) - eachByte
		x |= (binary.LittleEndian.Uint64(b[24:]) ^ r.seps) - eachByte
		if x&topBits == 0 { // set by a separator, and by bytes beyond ASCII
			i = farBytes
		}
	}
	for ; i+9 <= len(line); i += 8 {
		x := binary.LittleEndian.Uint64(line[i:]) ^ r.seps
		if zero := (x - eachByte) &^ x & topBits; zero != 0 {
			at := i + bits.TrailingZeros64(zero)>>3 + 1
			if line[at] == r.place.sep && r.place.kind == afterRuns {
				break
			}
			*far = at > farBytes
			return at
		}
	}
	return r.place.find(line)
}

// find returns where the time stands in the line, -1 if nowhere. Where a key may come again, only
// what is at or after from counts.
func (r *reading) find(line []byte, from int) int {
	if r.key != nil {
		return r.key.find(line, from)
	}
	return r.place.find(line)
}

// Time returns the time of the line, in ns since 1970; ok is false if the line has none of the form.
// A Reader is faster.
func (f *Form) Time(line []byte) (unixNano int64, ok bool) {
	for i := range f.readings {
		r := &f.readings[i]
		at := r.find(line, 0)
		var s fields
		if at < 0 || f.match(r, line, &at, &s) < 0 {
			continue
		}
		if unixNano, ok = f.calendar.instant(&s); ok {
			return unixNano, true
		}
	}
	return 0, false
}

// Name says what the form is, for people: `2006-01-02 15:04:05.000 behind the first field`.
func (f *Form) Name() string {
	names := make([]string, len(f.readings))
	for i := range f.readings {
		r := &f.readings[i]
		names[i] = strings.TrimSpace(r.describe() + " " + r.place.String())
	}
	return strings.Join(names, ", or ")
}

// Sample returns a time as it stands in the file.
func (f *Form) Sample() string { return f.readings[0].sample }

// Stateful says whether the times that Form reads depend on what Bind was told: some name no year.
func (f *Form) Stateful() bool {
	for i := range f.readings {
		if !f.readings[i].hasYear() {
			return true
		}
	}
	return false
}

func (r *reading) hasYear() bool {
	return isEpoch(r.layout) || strings.IndexByte(r.layout, year4) >= 0 || strings.IndexByte(r.layout, year2) >= 0
}

// Slack returns how far the times of a file that was written in order may go back, because the
// clock of a zone that its lines do not name did, between from and to.
func (f *Form) Slack(from, to time.Time) time.Duration {
	for i := range f.readings {
		r := &f.readings[i]
		var s fields
		if f.calendar.parse(r.layout, []byte(r.sample), 0, &s) >= 0 && !s.zoned && !isEpoch(r.layout) {
			return f.calendar.longestFold(from, to)
		}
	}
	return 0
}

// Reads says whether lines that had their times between least and greatest, ns since 1970, when the form was
// bound to another state of the file, have the same times by this one. Where they name no year, the
// year is the last in which they are not behind what it is bound to.
func (f *Form) Reads(least, greatest int64) bool {
	if !f.Stateful() {
		return true
	}
	c := &f.calendar
	local := func(ns int64) int64 { return c.localOf(time.Unix(0, ns)) }
	return local(greatest) <= c.newest && local(least)+yearSeconds-daySeconds > c.newest
}

// Bind returns the form for another state of the file: its first and last lines, as far as the
// caller has them, and when it was written. A form whose lines name their year is returned as it is.
func (f *Form) Bind(head, tail []byte, modTime time.Time) *Form {
	if !f.Stateful() || modTime.IsZero() {
		return f
	}
	bound := *f
	bound.calendar.newest = f.calendar.localOf(modTime) + daySeconds
	if len(tail) == 0 {
		return &bound
	}
	newest, oldest := bound.lastTime, bound.firstTime
	if f.reversed {
		newest, oldest, head, tail = oldest, newest, tail, head
	}
	last, ok := newest(tail)
	if !ok {
		return &bound
	}
	bound.calendar.newest = f.calendar.localOf(time.Unix(last, 0)) + daySeconds
	first, ok := oldest(head)
	if free := yearSeconds - (last - first); ok && free/2 > daySeconds {
		bound.calendar.newest += free/2 - daySeconds
	}
	return &bound
}

// localOf returns an instant on the calendar's clock, in seconds.
func (c *calendar) localOf(t time.Time) int64 { return t.Unix() + c.offsetAt(t.Unix()) }

// firstTime returns the time, in seconds, of the first line that has one.
func (f *Form) firstTime(text []byte) (seconds int64, ok bool) {
	for line := range linesOf(text) {
		if ns, ok := f.Time(line); ok {
			return ns / 1e9, true
		}
	}
	return 0, false
}

// lastTime returns the time, in seconds, of the last line that has one.
func (f *Form) lastTime(text []byte) (seconds int64, ok bool) {
	for end := len(text); end > 0 && !ok; {
		start := bytes.LastIndexByte(text[:end-1], '\n') + 1
		var ns int64
		if ns, ok = f.Time(text[start:end]); ok {
			seconds = ns / 1e9
		}
		end = start
	}
	return seconds, ok
}

// describe names the layout by the time package's reference time.
func (r *reading) describe() string {
	var name strings.Builder
	var s fields
	c := newCalendar(time.UTC, time.Time{})
	text := []byte(r.sample)
	for k, i := 0, 0; k < len(r.layout) && i >= 0; k++ {
		start := i
		i = c.parse(r.layout[k:k+1], text, i, &s)
		end := max(i, start)
		name.WriteString(r.describeCode(r.layout[k], string(text[start:end])))
	}
	return name.String()
}

// describeCode names one element, which read text.
func (r *reading) describeCode(code byte, text string) string {
	switch code {
	case year4:
		return "2006"
	case year2:
		return "06"
	case month, month2:
		return "01"
	case monthName:
		if len(text) > 4 {
			return "January"
		}
		return "Jan"
	case day, day2:
		return "02"
	case weekday:
		if len(text) > 4 {
			return "Monday"
		}
		return "Mon"
	case severity:
		return text
	case clockColon, clockDot, clockDash, clockTight, clockShort:
		return r.describeClock(code, text)
	case halfDay:
		return strings.NewReplacer("A", "P", "a", "p").Replace(text)
	case zoneHere, zoneApart:
		return describeZone(text)
	case epoch, epochMilli, epochMicro, epochNano:
		return "epoch in " + [...]string{"s", "ms", "µs", "ns"}[code-epoch]
	}
	return text
}

func (r *reading) describeClock(code byte, text string) string {
	hour := "15"
	if r.half {
		hour = "03"
	}
	if code == clockShort {
		return hour + ":04"
	}
	sep := strings.Trim(string(r.sep), "\x00")
	name := hour + sep + "04" + sep + "05"
	if i := strings.IndexAny(text, ".,"); i > 0 && code == clockColon || i == 6 && code == clockTight {
		name += text[i:i+1] + strings.Repeat("0", len(text)-i-1)
	} else if parts := strings.Split(text, sep); r.width == 8 && len(parts) == 4 {
		name += sep + strings.Repeat("0", len(parts[3]))
	}
	return name
}

func describeZone(text string) string {
	body := strings.TrimPrefix(text, " ")
	blank := text[:len(text)-len(body)]
	switch {
	case body == "":
		return ""
	case body == "Z" || body == "z":
		return "Z07:00"
	case body[0] != '+' && body[0] != '-':
		return blank + "MST"
	case strings.Contains(body, ":"):
		return blank + "-07:00"
	case len(body) == 3:
		return blank + "-07"
	}
	return fmt.Sprint(blank, "-0700")
}
