package timestamp

import (
	"encoding/binary"
	"math"
)

// plan is where the parts of a time stood in a line of the remembered day, behind its date: what most
// lines of a file have at the same offsets. Lines that have it otherwise are read part by part.
type plan struct {
	need          int    // bytes that a line must have, from its date on
	clock         int    // offset of the clock
	pattern, mask uint64 // of its bytes
	reach         uint64 // what carries into the top bit of what is no digit
	tight         bool   // it has no separators
	digits        int    // of the fraction, at most nine
	point         byte   // before them
	end           int    // offset of what is behind the fraction
	keep          uint64 // the last digits, eight at most, of a word
	scale         int64  // of the number that they are
}

const (
	zeroDigits  = 0x3030_3030_3030_3030
	digitsReach = 0x7676_7676_7676_7676
)

// unplanned fits no line.
var unplanned = plan{need: math.MaxInt}

// surely says of which bytes behind a time no digit, zone or fraction can be the first.
var surely = func() (is [256]bool) {
	for c := range is {
		switch c {
		case '.', ',', ':', '+', '-', ' ':
		default:
			is[c] = !isWord(byte(c))
		}
	}
	return is
}()

// replan takes the plan from a line that has the remembered day and a time.
func (d *dayCache) replan(r *reading, b []byte) {
	d.plan = unplanned
	at := d.headLen
	if r.half || at+8 > len(b) || r.width == 8 && at+1 < len(b) && b[at+1] == r.sep {
		return
	}
	p := plan{clock: at, pattern: r.pattern, mask: math.MaxUint64, reach: clockReach}
	if r.width == 6 {
		p.mask = maskOf(6)
		p.pattern, p.reach = zeroDigits&p.mask, digitsReach&p.mask
		p.tight = true
	}
	p.end = at + r.width
	if p.end < len(b) && (b[p.end] == '.' || b[p.end] == ',' || b[p.end] == ':') {
		if _, end := fraction(b, p.end, r.sep); end > p.end {
			p.point, p.digits, p.end = b[p.end], end-p.end-1, end
		}
	}
	if p.digits > 9 || p.point == ':' && p.digits < 3 {
		return
	}
	if p.digits > 0 {
		p.scale = int64(scale[p.digits])
		p.keep = ^maskOf(8 - min(p.digits, 8))
	}
	if d.tailLen > 0 && (isDigit(d.tail[0]) || d.tail[0] == '.' || d.tail[0] == ',' || d.tail[0] == ':') {
		return
	}
	p.need = max(p.end+d.tailLen+1, at+8, 8)
	d.plan = p
}

// planned reads the time of a line that begins with the remembered date, if the rest is as planned.
// Each part of it is read from one word.
func (d *dayCache) planned(b []byte) (int64, bool) {
	p := &d.plan
	x := (binary.LittleEndian.Uint64(b[p.clock:]) ^ p.pattern) & p.mask
	pairs := x*10 + x>>8 // of two digits each
	hour, minute, second := pairs&255, pairs>>24&255, pairs>>48&255
	if p.tight {
		minute, second = pairs>>16&255, pairs>>32&255
	}
	if (x|(x+p.reach))&topBits != 0 || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	t := d.start + int64(hour*3600+minute*60+second)*1e9
	switch {
	case p.digits == 3: // the usual, without a call
		x := binary.LittleEndian.Uint32(b[p.end-4:])
		d1, d2, d3 := x>>8&255-'0', x>>16&255-'0', x>>24-'0'
		if byte(x) != p.point || d1 > 9 || d2 > 9 || d3 > 9 {
			return 0, false
		}
		t += int64(d1*100+d2*10+d3) * 1e6
	case p.digits > 0:
		nano, ok := p.fraction(b)
		if !ok {
			return 0, false
		}
		t += nano
	}
	end := p.end
	if d.tailLen > 0 {
		if !d.sameTail(b[end:]) {
			return 0, false
		}
		end += d.tailLen
	}
	if c := b[end]; !surely[c] && (c != ' ' || d.open && !d.closes(b, end)) {
		return 0, false
	}
	return t, true
}

// fraction returns the planned fraction in ns: eight digits, or as many as there are, are added up in
// pairs, then in pairs of pairs.
func (p *plan) fraction(b []byte) (nano int64, ok bool) {
	last := p.end
	if p.digits == 9 {
		last--
	}
	x := (binary.LittleEndian.Uint64(b[last-8:]) ^ zeroDigits) & p.keep
	if (x|(x+digitsReach))&topBits != 0 || b[p.end-p.digits-1] != p.point {
		return 0, false
	}
	x = x*10 + x>>8
	x = (x&0x0000_00ff_0000_00ff*(100+1_000_000<<32) + x>>16&0x0000_00ff_0000_00ff*(1+10_000<<32)) >> 32
	if p.digits < 9 {
		return int64(x) * p.scale, true
	}
	ninth := b[last] - '0'
	return int64(x)*10 + int64(ninth), ninth <= 9
}
