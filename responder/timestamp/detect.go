package timestamp

import (
	"bytes"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Options tells Detect what the content of a file does not say.
type Options struct {
	// Zone is that of times that name none; nil: that of the node.
	Zone *time.Location
	// ModTime is when the file was last written; for a stream, now. If it is zero, times without a
	// year are not read.
	ModTime time.Time
	// Tail is the last lines of the file, if they can be had; of a file that the sample holds in
	// full, the sample. Times without a year are read by it.
	Tail []byte
	// Form is what the config says, if anything: one of epoch, epoch-ms, epoch-us and epoch-ns, or a
	// time in the layout of Go's time package ("02/01/2006 15:04:05"). Where in a line it stands is
	// still found out, and a single line that has it will do.
	Form string
}

const (
	maxHeadLines   = 600 // of a sample
	maxTailLines   = 200
	maxLineGuesses = 16 // times in one line
)

// Detect finds out the form of a file from its first lines, some 64 KiB of them and whole ones. ok is
// false if they have no times that it knows.
func Detect(sample []byte, o Options) (form *Form, ok bool) {
	d := &detector{calendar: newCalendar(o.Zone, o.ModTime), groups: map[groupKey]*group{}}
	if !o.ModTime.IsZero() {
		d.modTime = o.ModTime.UnixNano()
		d.calendar.newest = d.calendar.localOf(o.ModTime) + daySeconds
	}
	if o.Form != "" {
		layouts, err := layoutsOf(o.Form)
		if err != nil {
			return nil, false
		}
		d.wanted = layouts
	}
	d.read(sample, maxHeadLines)
	if !bytes.HasSuffix(sample, o.Tail) {
		d.read(lastLines(o.Tail, maxTailLines), maxTailLines)
	}
	readings, reversed := d.choose(sample)
	if len(readings) == 0 {
		return nil, false
	}
	form = &Form{readings: readings, calendar: d.calendar, reversed: reversed}
	return form.Bind(sample, o.Tail, o.ModTime), true
}

// Check says what is wrong with Options.Form.
func Check(form string) error {
	_, err := layoutsOf(form)
	return err
}

// layoutsOf returns the layouts of a form that a config names. What Go's time package makes of it is
// read back, with a date whose day, month and year cannot be taken for each other.
func layoutsOf(form string) (map[string]bool, error) {
	codes := map[string]byte{"epoch": epoch, "epoch-ms": epochMilli, "epoch-us": epochMicro, "epoch-ns": epochNano}
	if code, ok := codes[form]; ok {
		return map[string]bool{string([]byte{code}): true}, nil
	}
	c := newCalendar(time.UTC, time.Time{})
	c.newest = int64(lastYear-firstYear) * yearSeconds
	text := []byte(time.Date(2061, 11, 23, 15, 16, 17, 123_456_789, time.UTC).Format(form))
	layouts := map[string]bool{}
	c.times(text, func(at int, found []guess) {
		for _, g := range found {
			if len(layouts) == 0 || g.end == len(text) {
				layouts[g.layout] = true
				layouts[withApart(g.layout)] = true
			}
		}
	})
	if len(layouts) == 0 || form == string(text) {
		return nil, fmt.Errorf("timestamp form %q is neither epoch, epoch-ms, epoch-us, epoch-ns nor a date and time as in %q", form, time.DateTime)
	}
	return layouts, nil
}

// withApart is the layout with a zone after a blank, where it may have one.
func withApart(layout string) string {
	i := strings.IndexByte(layout, zoneHere)
	if i < 0 || strings.IndexByte(layout, zoneApart) > 0 {
		return layout
	}
	return layout[:i+1] + string([]byte{zoneApart}) + layout[i+1:]
}

// times yields all readings of each text in the line that may be a time.
func (c *calendar) times(line []byte, yield func(at int, found []guess)) {
	var found []guess
	for i, n := 0, 0; i < len(line) && n < maxLineGuesses; {
		if line[i] == escape { // a colour's letter is no part of the word behind it
			if end := bytes.IndexByte(line[i:], 'm'); end > 0 && colourBefore(line, i+end+1) {
				i += end
			}
		}
		if !isWord(line[i]) || colourBefore(line, i+1) {
			i++
			continue
		}
		next := i
		for next < len(line) && isWord(line[next]) {
			next++
		}
		if begins(line, i) && mayBegin(line[i:next]) {
			if found = c.guesses(found[:0], line, i); len(found) > 0 {
				yield(i, found)
				n++
				for _, g := range found {
					next = max(next, g.end)
				}
			}
		}
		i = next
	}
}

// mayBegin says whether a time may begin with the word.
func mayBegin(word []byte) bool {
	if isDigit(word[0]) {
		return true
	}
	if len(word) < 3 {
		return false
	}
	if _, end := nameAt(word, 0, &monthNames); end > 0 {
		return true
	}
	if _, end := nameAt(word, 0, &weekdayNames); end > 0 {
		return true
	}
	return isSeverity(word[0]) && isDigit(word[1])
}

// detector counts in which places and layouts the lines of a sample have times.
type detector struct {
	calendar calendar
	modTime  int64           // ns; 0: not known
	wanted   map[string]bool // layouts that may be found; nil: all
	groups   map[groupKey]*group
	order    []*group // as first seen
	lines    int
	entries  lineSet
}

type groupKey struct {
	place  place
	layout string
}

// lineSet is a set of lines of the sample.
type lineSet [(maxHeadLines + maxTailLines + 63) / 64]uint64

func (s *lineSet) add(line int)      { s[line/64] |= 1 << (line % 64) }
func (s *lineSet) has(line int) bool { return s[line/64]>>(line%64)&1 != 0 }

// count returns how many lines are in s and not in but.
func (s *lineSet) count(but *lineSet) (n int) {
	for i := range s {
		n += bits.OnesCount64(s[i] &^ but[i])
	}
	return n
}

// group is what the sample says of one layout at one place.
type group struct {
	groupKey
	at     int // where the first of them stood in its line
	sample string
	lines  lineSet
	count  int
	first  int64 // ns
	last   int64 // of the line before
	steps  int   // from a line to the next
	back   int   // those that went back
	moved  int   // those that went either way
	single int   // those by the smallest unit of a count
	future int   // times after the file was written
}

// read counts the times of a text's lines.
func (d *detector) read(text []byte, most int) {
	for line := range linesOf(text) {
		if most--; most < 0 {
			return
		}
		d.readLine(line, d.lines)
		d.lines++
	}
}

// lastLines returns at most so many lines of the end of a text.
func lastLines(text []byte, most int) []byte {
	for i := len(text) - 2; i >= 0; i-- {
		if text[i] == '\n' {
			if most--; most == 0 {
				return text[i+1:]
			}
		}
	}
	return text
}

func (d *detector) readLine(line []byte, n int) {
	if len(line) > 0 && !isBlank(line[0]) {
		d.entries.add(n)
	}
	d.calendar.times(line, func(at int, found []guess) {
		d.entries.add(n)
		places := placesOf(line, at)
		for _, g := range found {
			if d.wanted != nil && !d.wanted[g.layout] {
				continue
			}
			for _, p := range places {
				d.count(groupKey{p, g.layout}, g, line, at, n)
			}
		}
	})
}

// count adds one time to its group; the first of a line counts.
func (d *detector) count(key groupKey, found guess, line []byte, at, n int) {
	g := d.groups[key]
	if g == nil {
		key.layout = strings.Clone(key.layout)
		g = &group{groupKey: key, at: at, sample: string(line[at:found.end])}
		d.groups[key] = g
		d.order = append(d.order, g)
	}
	if g.lines.has(n) {
		return
	}
	ns, _ := d.calendar.instant(&found.fields)
	if g.count > 0 {
		g.step(ns)
	} else {
		g.first = ns
	}
	g.lines.add(n)
	g.count++
	g.last = ns
	if d.modTime != 0 && ns > d.modTime+daySeconds*1e9 {
		g.future++
	}
}

// step counts how the time goes on to that of the next line.
func (g *group) step(to int64) {
	g.steps++
	delta := to - g.last
	if delta != 0 {
		g.moved++
	}
	if r := (reading{layout: g.layout}); !r.hasYear() && (delta > yearSeconds/2*1e9 || delta < -yearSeconds/2*1e9) {
		delta = -delta // over New Year
	}
	if delta < 0 {
		g.back++
	}
	if isEpoch(g.layout) && delta == int64(scale[3*(g.layout[0]-epoch)]) {
		g.single++
	}
}
