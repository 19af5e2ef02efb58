package timestamp

import (
	"strings"
	"testing"
	"time"
)

// TestPlans holds that lines of the usual forms are read by a plan, in which case they cost half, and that
// every fraction is read the same with it and without.
func TestPlans(t *testing.T) {
	for _, layout := range []string{
		"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02 15:04:05,000", "Jan _2 15:04:05", "060102 150405",
		"[Mon Jan 02 15:04:05 2006]", "[Mon Jan 02 15:04:05.000000 2006]", "06/01/02 15:04:05", "15:04:05.000 2006-01-02",
	} {
		fraction := strings.IndexAny(layout, ".,")
		for digits := range 11 {
			with := layout
			if fraction > 0 {
				with = layout[:fraction+1] + strings.Repeat("0", max(1, min(digits, 9))) + strings.TrimLeft(layout[fraction+1:], "0")
			}
			at := time.Date(2024, 1, 22, 12, 0, 0, 0, time.UTC)
			form, ok := Detect([]byte(at.Format(with)+" started"), Options{Zone: time.UTC, ModTime: modTime})
			if !ok {
				t.Fatalf("%s: no form", with)
			}
			reader := form.NewReader()
			for range 50 {
				at = at.Add(777_777_777_777)
				line := []byte(at.Format(with) + " started")
				got, ok := reader.Time(line)
				if want, known := form.Time(line); got != want || ok != known || !known {
					t.Fatalf("%s: %d, %v; without a plan %d, %v", line, got, ok, want, known)
				}
				if p := reader.days[0].plan; p.need > len(line) {
					t.Fatalf("%s: no plan", line)
				} else if planned, ok := reader.days[0].planned(line[form.readings[0].place.count:]); !ok || planned != got {
					t.Fatalf("%s: the plan reads %d, %v; want %d", line, planned, ok, got)
				}
			}
		}
	}
}
