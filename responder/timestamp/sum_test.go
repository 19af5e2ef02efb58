package timestamp

import (
	"testing"
	"time"
)

// local is a zone that is called as the node's own is, whatever it is.
func local(t *testing.T, name string) *time.Location {
	t.Helper()
	data, ok := zoneData[name]
	if !ok {
		t.Fatalf("no data of %s", name)
	}
	zone, err := time.LoadLocationFromTZData("Local", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// zoneData are zones of one rule, as tzfile(5) has them: no change, and a rule in POSIX's form.
var zoneData = map[string]string{
	"Berlin": tzFile(3600, "CET", "CET-1CEST,M3.5.0,M10.5.0/3"),
	"Athens": tzFile(7200, "EET", "EET-2EEST,M3.5.0/3,M10.5.0/4"),
	"UTC+1":  tzFile(3600, "CET", "CET-1"),
}

func tzFile(offset int, name, rule string) string {
	counts := func(types, chars int) string {
		b := make([]byte, 24)
		b[19], b[23] = byte(types), byte(chars) // no leap second, no change
		return string(b)
	}
	kind := string([]byte{byte(offset >> 24), byte(offset >> 16), byte(offset >> 8), byte(offset), 0, 0}) + name + "\x00"
	head := "TZif2" + string(make([]byte, 15))
	return head + counts(1, len(name)+1) + kind + head + counts(1, len(name)+1) + kind + "\n" + rule + "\n"
}

// A node's zone is always called Local: what its clock shows tells one from another.
func TestSumIsOfTheZonesClock(t *testing.T) {
	sum := func(line string, zone *time.Location) uint64 {
		form, ok := Detect([]byte(line), Options{Zone: zone, ModTime: modTime})
		if !ok {
			t.Fatalf("%s: no form", line)
		}
		return form.Sum()
	}
	const iso = "2024-01-02 15:04:05 started"
	own := sum(iso, local(t, "Berlin"))
	for name, other := range map[string]uint64{
		"Athens": sum(iso, local(t, "Athens")), "no summer time": sum(iso, local(t, "UTC+1")),
		"UTC": sum(iso, time.UTC), "a fraction": sum("2024-01-02 15:04:05.000 started", local(t, "Berlin")),
	} {
		if other == own {
			t.Errorf("%s has the sum of another", name)
		}
	}
	if again := sum(iso, local(t, "Berlin")); again != own {
		t.Errorf("the same zone, loaded again, has the sum %x, then %x", own, again)
	}
}

// A zone whose file ends in a rule has an end of the last day of a leap year that is not behind it: what
// goes from one change to the next must get over it.
func TestLeapYearsOfARule(t *testing.T) {
	form, ok := Detect([]byte("2024-12-31 15:04:05 started"), Options{Zone: local(t, "Berlin"), ModTime: modTime})
	if !ok {
		t.Fatal("no form")
	}
	from := time.Date(2024, 12, 31, 20, 0, 0, 0, time.UTC)
	if got := form.Slack(from, from.AddDate(0, 6, 0)); got != 0 {
		t.Errorf("slack %v over the winter, want none", got)
	}
	if got := form.Slack(from, from.AddDate(1, 0, 0)); got != time.Hour {
		t.Errorf("slack %v over a year, want an hour", got)
	}
}
