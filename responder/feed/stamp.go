package feed

import "time"

// stamp reads times as RFC 3339 writes them, with up to nine digits of fraction. Those of one second
// differ in the fraction alone: the rest is remembered.
type stamp struct {
	head    [19]byte // 2006-01-02T15:04:05
	seconds int64    // of head, read as UTC
}

const noZone = "2006-01-02T15:04:05"

// parse returns the time in Unix nanoseconds.
func (s *stamp) parse(b []byte) (ns int64, ok bool) {
	if len(b) < len(noZone)+1 {
		return 0, false
	}
	if string(s.head[:]) != string(b[:len(noZone)]) {
		t, err := time.Parse(noZone, string(b[:len(noZone)]))
		if err != nil || t.Year() < 1678 || t.Year() > 2261 { // beyond, nanoseconds overflow
			return 0, false
		}
		copy(s.head[:], b)
		s.seconds = t.Unix()
	}
	b = b[len(noZone):]
	if b[0] == '.' {
		i, unit := 1, int64(100_000_000)
		for ; i < len(b) && b[i]-'0' <= 9; i++ {
			ns += int64(b[i]-'0') * unit
			unit /= 10
		}
		if i == 1 {
			return 0, false
		}
		b = b[i:]
	}
	offset, ok := zoneOffset(b)
	return (s.seconds-offset)*1e9 + ns, ok
}

// zoneOffset returns the seconds east of UTC of Z, +02:00 or -0700.
func zoneOffset(b []byte) (seconds int64, ok bool) {
	if len(b) == 1 && b[0] == 'Z' {
		return 0, true
	}
	if len(b) == 6 && b[3] == ':' {
		b = append(b[:3:3], b[4:]...)
	}
	if len(b) != 5 || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	for _, c := range b[1:] {
		if c-'0' > 9 {
			return 0, false
		}
	}
	hours, minutes := int64(b[1]-'0')*10+int64(b[2]-'0'), int64(b[3]-'0')*10+int64(b[4]-'0')
	if hours > 23 || minutes > 59 {
		return 0, false
	}
	seconds = hours*3600 + minutes*60
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}
