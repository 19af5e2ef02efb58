package when

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 14, 30, 15, 0, berlin) // a Sunday, UTC+1
	tests := []struct{ in, want string }{
		{"now", "2026-11-22T14:30:15+01:00"},
		{"today", "2026-11-22T00:00:00+01:00"},
		{"Yesterday", "2026-11-21T00:00:00+01:00"},
		{"tomorrow", "2026-11-23T00:00:00+01:00"},
		{"15m", "2026-11-22T14:15:15+01:00"},
		{"-15m", "2026-11-22T14:15:15+01:00"},
		{"+15m", "2026-11-22T14:45:15+01:00"},
		{"1d12h", "2026-11-21T02:30:15+01:00"},
		{"1.5d", "2026-11-21T02:30:15+01:00"},
		{"1w", "2026-11-15T14:30:15+01:00"},
		{"@1700000000", "2023-11-14T23:13:20+01:00"},
		{"@1700000000.25", "2023-11-14T23:13:20.25+01:00"},
		{"@-1.5", "1970-01-01T00:59:58.5+01:00"},
		{"2026-06-01", "2026-06-01T00:00:00+02:00"},
		{"2026-06-01 08:15", "2026-06-01T08:15:00+02:00"},
		{"2026-06-01T08:15", "2026-06-01T08:15:00+02:00"},
		{"2026-06-01 08:15:30", "2026-06-01T08:15:30+02:00"},
		{"2026-06-01 08:15:30.125", "2026-06-01T08:15:30.125+02:00"},
		{"2026-06-01T08:15:30Z", "2026-06-01T08:15:30Z"},
		{"2026-06-01T08:15:30.5-07:00", "2026-06-01T08:15:30.5-07:00"},
		{" 14:30 ", "2026-11-22T14:30:00+01:00"},
		{"14:30:15", "2026-11-22T14:30:15+01:00"},
		{"14:30:16", "2026-11-21T14:30:16+01:00"}, // still to come today
		{"23:59", "2026-11-21T23:59:00+01:00"},
	}
	for _, test := range tests {
		got, err := Parse(test.in, now)
		if err != nil {
			t.Errorf("Parse(%q): %v", test.in, err)
			continue
		}
		want, err := time.Parse(time.RFC3339, test.want)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Equal(want) {
			t.Errorf("Parse(%q) = %s, want %s", test.in, got.Format(time.RFC3339Nano), test.want)
		}
	}
	for _, in := range []string{"", " ", "soon", "15", "15x", "@", "@x", "@1.", "@1.0000000001", "m", "25:00",
		"2026-13-01", "--5m", "1h-5m", "1 h", "99999999999w", "1..5h", "@1.-5"} {
		if got, err := Parse(in, now); err == nil {
			t.Errorf("Parse(%q) = %s, want an error", in, got)
		}
	}
}

// Days are counted by the calendar, not by 24 hours: 2026-03-29 has 23 of them in Berlin.
func TestParseAcrossDaylightSaving(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 30, 1, 0, 0, 0, berlin)
	got, err := Parse("yesterday", now)
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 3, 29, 0, 0, 0, 0, berlin); !got.Equal(want) {
		t.Errorf("yesterday = %s, want %s", got, want)
	}
	if got := midnight(now, 0).Sub(got); got != 23*time.Hour {
		t.Errorf("that day has %s, want 23h", got)
	}
}

func TestDuration(t *testing.T) {
	tests := []struct {
		in   string
		want time.Duration
	}{
		{"90s", 90 * time.Second}, {"2h30m", 150 * time.Minute}, {"3d", 72 * time.Hour},
		{"1w2d", 9 * 24 * time.Hour}, {"250ms", 250 * time.Millisecond}, {"1.5h", 90 * time.Minute}, {"5µs", 5 * time.Microsecond},
	}
	for _, test := range tests {
		if got, err := Duration(test.in); err != nil || got != test.want {
			t.Errorf("Duration(%q) = %s, %v, want %s", test.in, got, err, test.want)
		}
	}
	for _, in := range []string{"", "5", "h", "-5m", "5min", "1e3s", "99999w99999w99999w"} {
		if got, err := Duration(in); err == nil {
			t.Errorf("Duration(%q) = %s, want an error", in, got)
		}
	}
}
