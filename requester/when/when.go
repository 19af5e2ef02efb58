// Package when reads the times that people type: for --since, --until and their like.
//
// Parse is its one principal. A time is resolved once, by the requester, against its own clock and
// zone, so that every node is asked for the same instant; the caller echoes what it understood.
package when

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Forms is a summary of what Parse reads, for help texts and errors.
const Forms = "15m, 2h30m, 3d, 1w, 14:30, 2006-01-02 [15:04[:05]], RFC 3339, today, yesterday, now, @epoch"

// Parse returns the instant that s names, seen from now; the zone of now is the one in which dates
// and times of day are read. A duration is that long before now ("15m", "1d12h", "2w"; also with a
// leading "-"), one with a leading "+" that long after it. A time of day is the last one that was:
// today's, or yesterday's if today's is still to come. "@" goes before Unix seconds, with or
// without a fraction.
func Parse(s string, now time.Time) (time.Time, error) {
	text := strings.TrimSpace(s)
	switch strings.ToLower(text) {
	case "":
		return time.Time{}, errors.New("empty time")
	case "now":
		return now, nil
	case "today":
		return midnight(now, 0), nil
	case "yesterday":
		return midnight(now, -1), nil
	case "tomorrow":
		return midnight(now, 1), nil
	}
	if epoch, ok := strings.CutPrefix(text, "@"); ok {
		return parseEpoch(epoch, now)
	}
	if t, ok := parseDate(text, now.Location()); ok {
		return t, nil
	}
	if t, ok := parseClock(text, now); ok {
		return t, nil
	}
	body, sign := text, time.Duration(-1)
	switch {
	case strings.HasPrefix(body, "+"):
		body, sign = body[1:], 1
	case strings.HasPrefix(body, "-"):
		body = body[1:]
	}
	if d, err := Duration(body); err == nil {
		return now.Add(sign * d), nil
	}
	return time.Time{}, fmt.Errorf("time %q is none of: %s", s, Forms)
}

// Duration reads a Go duration that may also hold days (d, 24 hours) and weeks (w): "90s", "1d12h",
// "2w". It takes no sign.
func Duration(s string) (time.Duration, error) {
	bad := fmt.Errorf("duration %q is none like 90s, 15m, 2h30m, 3d, 1w", s)
	var total time.Duration
	rest := s
	for rest != "" {
		end := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if end <= 0 {
			return 0, bad
		}
		value, err := strconv.ParseFloat(rest[:end], 64)
		if err != nil {
			return 0, bad
		}
		name := rest[end:]
		if next := strings.IndexAny(name, "0123456789."); next >= 0 {
			name = name[:next]
		}
		unit, ok := units[name]
		if !ok {
			return 0, bad
		}
		// A century and more is a slip of the finger, and far more would overflow.
		part := value * float64(unit)
		if part > math.MaxInt64/2 || total > math.MaxInt64/2 {
			return 0, fmt.Errorf("duration %q is too long", s)
		}
		total += time.Duration(math.Round(part))
		rest = rest[end+len(name):]
	}
	if s == "" {
		return 0, bad
	}
	return total, nil
}

var units = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "ms": time.Millisecond,
	"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

// midnight is the start of now's day, days later; days have 23 to 25 hours.
func midnight(now time.Time, days int) time.Time {
	year, month, day := now.Date()
	return time.Date(year, month, day+days, 0, 0, 0, 0, now.Location())
}

// parseEpoch reads Unix seconds with up to nine digits of fraction, exactly.
func parseEpoch(s string, now time.Time) (time.Time, error) {
	whole, fraction, hasFraction := strings.Cut(s, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || hasFraction && (fraction == "" || len(fraction) > 9) {
		return time.Time{}, fmt.Errorf("time %q: after @ come Unix seconds", "@"+s)
	}
	var nanos uint64
	if hasFraction {
		nanos, err = strconv.ParseUint((fraction + "00000000")[:9], 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("time %q: after @ come Unix seconds", "@"+s)
		}
	}
	if strings.HasPrefix(whole, "-") {
		return time.Unix(seconds, -int64(nanos)).In(now.Location()), nil
	}
	return time.Unix(seconds, int64(nanos)).In(now.Location()), nil
}

// Go accepts a fraction after the seconds of a layout that has none.
var dateLayouts = []string{
	time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00",
	"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
}

func parseDate(s string, zone *time.Location) (time.Time, bool) {
	for _, layout := range dateLayouts {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func parseClock(s string, now time.Time) (time.Time, bool) {
	for _, layout := range []string{"15:04:05", "15:04"} {
		clock, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		at := func(days int) time.Time {
			year, month, day := now.Date()
			return time.Date(year, month, day+days, clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), now.Location())
		}
		if t := at(0); !t.After(now) {
			return t, true
		}
		return at(-1), true
	}
	return time.Time{}, false
}
