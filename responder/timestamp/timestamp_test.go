package timestamp

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// blocks are what Go's time package can write of the grammar; every date goes with every join, clock
// and zone.
var blocks = struct{ dates, joins, clocks, zones, prefixes []string }{
	dates: []string{
		"2006-01-02", "2006/01/02", "2006.01.02", "2006/1/2", "2006-Jan-02", "20060102", "02/Jan/2006", "02-Jan-2006", "2-Jan-06", "2 Jan 2006", "02 January 2006",
		"02/01/2006", "01/02/2006", "2.1.2006", "02.01.06", "06/01/02", "01/02/06", "02-01-2006", "Jan _2", "Jan 2", "Jan 2 2006", "January 2, 2006",
		"Mon, 02 Jan 2006", "Monday, 02-Jan-06", "Mon 2006-01-02", "Mon Jan _2", "01-02", "02.01", "02 Jan",
	},
	joins:    []string{" ", "T", "_", ", ", "|", " at ", "  "},
	clocks:   []string{"15:04:05", "15:04:05.000", "15:04:05,000", "15:04:05.000000", "15:04:05.999999999", "15.04.05", "150405", "150405.000", "15:04", "3:04:05 PM", "03:04:05.000PM"},
	zones:    []string{"", "Z07:00", "-0700", " -0700", " -07:00", " MST"},
	prefixes: []string{"", "[", "web-1 ", "app.log:", "<34>", `{"level":"info","ts":"`, `level=info time="`, "INFO [", "WARN  main  "},
}

func TestBlocks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	zones := []*time.Location{time.UTC, berlin, mustZone("America/St_Johns"), mustZone("Asia/Kolkata")}
	checked := 0
	for _, date := range blocks.dates {
		for _, join := range blocks.joins {
			for _, clock := range blocks.clocks {
				for _, zone := range blocks.zones {
					if random.IntN(3) > 0 || join == "T" && strings.HasSuffix(date, "Jan") {
						continue // a third will do; no letter follows a name
					}
					checkBlocks(t, date+join+clock+zone, zones[random.IntN(len(zones))], random)
					checked++
				}
			}
		}
	}
	for _, clock := range []string{"15:04:05", "15:04:05.000"} {
		for _, date := range []string{"2006-01-02", "02.01.2006", "Jan 2 2006", "02 Jan 2006", "01/02/2006"} {
			checkBlocks(t, clock+" "+date, berlin, random)
		}
	}
	for _, layout := range []string{time.ANSIC, time.UnixDate, time.RubyDate, time.RFC822, time.RFC822Z, time.RFC850, time.RFC1123, time.RFC1123Z,
		time.RFC3339, time.RFC3339Nano, time.Stamp, time.StampMilli, time.StampMicro, time.StampNano, time.DateTime, "20060102150405", "060102 150405"} {
		checkBlocks(t, layout, zones[random.IntN(len(zones))], random)
	}
	t.Log(checked, "layouts")
}

// checkBlocks writes lines with times of the layout and reads them back; the time package is the
// oracle.
func checkBlocks(t *testing.T, layout string, zone *time.Location, random *rand.Rand) {
	at := time.Date(2023, 11, 20, 10, 0, 0, 0, zone).Add(time.Duration(random.Int64N(int64(90 * 24 * time.Hour))))
	prefix := blocks.prefixes[random.IntN(len(blocks.prefixes))]
	var lines, times []string
	for range 24 {
		at = at.Add(time.Duration(random.Int64N(int64(60 * time.Hour))))
		times = append(times, at.Format(layout))
		lines = append(lines, prefix+at.Format(layout)+`"] request 12.5.3 of 10.0.0.1 served`)
	}
	sample := []byte(strings.Join(lines, "\n") + "\n")
	form, ok := Detect(sample, Options{Zone: zone, ModTime: at, Tail: sample})
	if !ok {
		t.Errorf("%s: no form for %s", layout, lines[0])
		return
	}
	reader := form.NewReader()
	for i, line := range lines {
		want, err := time.ParseInLocation(layout, times[i], zone)
		for year := at.Year(); want.Year() < firstYear || want.After(at); year-- { // the last one that was
			want, err = time.ParseInLocation("2006 "+layout, fmt.Sprint(year, " ", times[i]), zone)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := reader.Time([]byte(line)); !ok || got != want.UnixNano() {
			t.Errorf("%s: %s: %s reads %v, %v; want %v", layout, line, form.Name(), time.Unix(0, got).In(zone), ok, want)
			return
		}
	}
}

// TestZones compares every tenth minute around the changes of zones' clocks with a search for the
// instants at which the clock shows it.
func TestZones(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "Africa/Casablanca", "Asia/Tehran", "Antarctica/Troll", "Asia/Beirut"} {
		zone := mustZone(name)
		form, ok := Detect([]byte("2024-01-02 15:04:05 a\n"), Options{Zone: zone})
		if !ok {
			t.Fatal("no form")
		}
		reader := form.NewReader()
		at := time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC).In(zone)
		for changes := 0; changes < 12; changes++ {
			_, next := at.ZoneBounds()
			if next.IsZero() {
				break
			}
			first := daysOf(next.UTC().Year(), int(next.UTC().Month()), next.UTC().Day())*daySeconds - 2*daySeconds
			for local := first; local < first+5*daySeconds; local += 600 {
				line := []byte(time.Unix(local, 0).UTC().Format(time.DateTime) + " a")
				want := clockShows(zone, local, next)
				got, ok := reader.Time(line)
				if slow, _ := form.Time(line); !ok || got != want*1e9 || slow != got {
					t.Fatalf("%s: %s reads %v, without cache %v; want %v", name, line, time.Unix(0, got).In(zone), time.Unix(0, slow).In(zone), time.Unix(want, 0).In(zone))
				}
			}
			at = next.Add(time.Hour)
		}
	}
}

// clockShows returns the first instant at which the zone's clock shows local; if it never does, that
// by the offset before the change.
func clockShows(zone *time.Location, local int64, change time.Time) int64 {
	for instant := local - 15*3600; instant <= local+15*3600; instant += 600 {
		if _, offset := time.Unix(instant, 0).In(zone).Zone(); instant+int64(offset) == local {
			return instant
		}
	}
	_, before := change.Add(-time.Second).Zone()
	return local - int64(before)
}

func TestSlack(t *testing.T) {
	from, to := time.Date(2023, 6, 1, 0, 0, 0, 0, time.UTC), time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		line string
		zone *time.Location
		want time.Duration
	}{
		{"2024-01-02 15:04:05 a", berlin, time.Hour},
		{"2024-01-02 15:04:05 a", mustZone("Australia/Lord_Howe"), 30 * time.Minute},
		{"2024-01-02 15:04:05 a", time.UTC, 0},
		{"2024-01-02 15:04:05 a", mustZone("Asia/Kolkata"), 0},
		{"2024-01-02T15:04:05Z a", berlin, 0},
		{"1704207845 a", berlin, 0},
	} {
		form, ok := Detect([]byte(c.line), Options{Zone: c.zone, ModTime: to})
		if !ok {
			t.Fatalf("%s: no form", c.line)
		}
		if got := form.Slack(from, to); got != c.want {
			t.Errorf("%s in %v: slack %v, want %v", c.line, c.zone, got, c.want)
		}
	}
}

// TestDayOrMonth holds the order in which day and month are told apart.
func TestDayOrMonth(t *testing.T) {
	for _, c := range []struct{ name, sample, tail, modTime, want string }{
		{"a field over 12", "03/04/2023 10:00:00 a\n13/04/2023 10:00:00 b\n", "", "2024-03-17", "2023-04-03"},
		{"a field over 12, month first", "03/04/2023 10:00:00 a\n03/14/2023 10:00:00 b\n", "", "2024-03-17", "2023-03-04"},
		{"a field over 12 in the tail", "03/04/2023 10:00:00 a\n", "13/05/2023 10:00:00 b\n", "2024-03-17", "2023-04-03"},
		{"the future", "01/06/2024 10:00:00 a\n", "", "2024-03-17", "2024-01-06"},
		{"the future, day first", "06/01/2024 10:00:00 a\n", "", "2024-03-17", "2024-01-06"},
		{"near the modification time", "02/03/2024 10:00:00 a\n", "", "2024-03-02", "2024-03-02"},
		{"near the modification time, month first", "02/03/2024 10:00:00 a\n", "", "2024-02-03", "2024-02-03"},
		{"what runs forward", "01/02/2023 10:00:00 a\n02/02/2023 10:00:00 a\n03/02/2023 10:00:00 a\n01/03/2023 10:00:00 a\n", "", "2024-03-17", "2023-02-01"},
		{"slashes", "03/04/2023 10:00:00 a\n", "", "2024-03-17", "2023-03-04"},
		{"dots", "03.04.2023 10:00:00 a\n", "", "2024-03-17", "2023-04-03"},
		{"dashes", "03-04-2023 10:00:00 a\n", "", "2024-03-17", "2023-04-03"},
		{"what lies closer together", "01.12.23 10:00:00 a\n23.12.23 10:00:00 a\n", "", "2023-12-23", "2023-12-01"},
		{"two digits: dots", "10.11.12 10:00:00 a\n", "", "2024-03-17", "2012-11-10"},
		{"dashes without a year", "01-02 10:00:00 a\n", "", "2024-03-17", "2024-01-02"},
		{"two digits: year first", "10/11/12 10:00:00 a\n", "", "2024-03-17", "2010-11-12"},
		{"two digits: month first", "10/11/32 10:00:00 a\n", "", "2034-03-17", "2032-10-11"},
		{"two digits: day first", "20/11/32 10:00:00 a\n13/11/32 10:00:00 b\n", "", "2034-03-17", "2032-11-20"},
		{"two digits: near the modification time", "05/01/24 10:00:00 a\n", "", "2024-01-06", "2024-01-05"},
	} {
		written, err := time.Parse(time.DateTime, c.modTime+" 12:00:00")
		if err != nil {
			t.Fatal(err)
		}
		form, ok := Detect([]byte(c.sample), Options{Zone: time.UTC, ModTime: written, Tail: []byte(c.tail)})
		if !ok {
			t.Errorf("%s: no form", c.name)
			continue
		}
		line, _, _ := strings.Cut(c.sample, "\n")
		if got, _ := form.Time([]byte(line)); time.Unix(0, got).UTC().Format(time.DateOnly) != c.want {
			t.Errorf("%s: %s reads %v by %s, want %s", c.name, line, time.Unix(0, got).UTC(), form.Name(), c.want)
		}
	}
}

// TestMixed holds what is taken for the times of files whose lines are not all alike.
func TestMixed(t *testing.T) {
	trace := "\tat com.example.Main.main(Main.java:12)\nCaused by: java.io.IOException: no\n"
	for _, c := range []struct{ name, sample, want string }{
		{"stack traces", strings.Repeat("2024-01-02 15:04:05,123 ERROR failed\n"+strings.Repeat(trace, 15), 3), "2006-01-02 15:04:05,000"},
		{"two forms", strings.Repeat("2024-01-02 15:04:05 a\n2024-01-02 15:04:06 b\n[Tue Jan 02 15:04:05 2024] c\n", 9), `2006-01-02 15:04:05, or Mon Jan 02 15:04:05 2006 in "["`},
		{"json and text", strings.Repeat(`{"time":"2024-01-02T15:04:05Z"}`+"\nstarting\n2024/01/02 15:04:05 a\n", 9), `2006-01-02T15:04:05Z07:00 in "time", or 2006/01/02 15:04:05`},
		{"a time in some messages", strings.Repeat("user a\nuser b\nsince 2024-01-02 15:04:05\n", 9), ""},
		{"a time in most messages", strings.Repeat("user a\nsince 2024-01-02 15:04:05\nsince 2024-01-02 15:04:06\n", 9), "2006-01-02 15:04:05 behind the first field"},
		{"a time in the message too", "2024-01-02 15:04:05 since 2023-01-02 15:04:05\n2024-01-02 15:04:06 since 2023-01-02 15:04:05\n", "2006-01-02 15:04:05"},
		{"a constant before", strings.Repeat("2020-01-01 00:00:00 | 2024-01-02 15:04:05 a\n2020-01-01 00:00:00 | 2024-01-02 15:04:06 b\n", 12), "2006-01-02 15:04:05 behind 3 fields"},
		{"addresses of one width by chance", strings.Repeat("10.0.0.1 - - [02/Jan/2024:15:04:05 +0000] a\n", 9), `02/Jan/2006:15:04:05 -0700 behind 3 fields in "["`},
		{"zones in some lines", strings.Repeat("2024-01-02 15:04:05 a\n", 9) + "2024-01-02 15:04:05 +0100 a\n", "2006-01-02 15:04:05"},
	} {
		name := ""
		if form, ok := Detect([]byte(c.sample), Options{Zone: time.UTC, ModTime: modTime}); ok {
			name = form.Name()
		}
		if name != c.want {
			t.Errorf("%s: %q, want %q", c.name, name, c.want)
		}
	}
}

// TestZoneInSomeLines holds that a zone in a line counts, also where most lines have none.
func TestZoneInSomeLines(t *testing.T) {
	sample := "2024-01-02 15:04:05 a\n2024-01-02 15:04:05 INFO a\n2024-01-02 15:04:05 +0100 a\n2024-01-02 15:04:05 EST a\n2024-01-02 15:04:05Z a\n"
	form, ok := Detect([]byte(sample), Options{Zone: berlin, ModTime: modTime})
	if !ok {
		t.Fatal("no form")
	}
	reader := form.NewReader()
	for range 2 {
		for _, c := range []struct{ line, want string }{
			{"2024-01-02 15:04:05 a", "14:04:05"}, {"2024-01-02 15:04:05 +0200 a", "13:04:05"}, {"2024-01-02 15:04:05 INFO a", "14:04:05"},
			{"2024-01-02 15:04:05Z a", "15:04:05"}, {"2024-01-02 15:04:05 EST a", "20:04:05"}, {"2024-01-02 15:04:05+05:30 a", "09:34:05"}, {"2024-01-02 15:04:05", "14:04:05"},
		} {
			if got, ok := reader.Time([]byte(c.line)); !ok || time.Unix(0, got).UTC().Format(time.TimeOnly) != c.want {
				t.Errorf("%s reads %v, %v; want %s", c.line, time.Unix(0, got).UTC(), ok, c.want)
			}
		}
	}
}

func TestOptionsForm(t *testing.T) {
	for _, c := range []struct{ form, line, want string }{
		{"02/01/2006 15:04:05", "03/04/2023 10:00:00 a", "2023-04-03T10:00:00Z"},
		{"01/02/2006 15:04:05", "03/04/2023 10:00:00 a", "2023-03-04T10:00:00Z"},
		{"01.02.2006 15:04:05", "host 03.04.2023 10:00:00 a", "2023-03-04T10:00:00Z"},
		{"02/01/06 15:04", "03/04/23 10:00 a", "2023-04-03T10:00:00Z"},
		{"2006-01-02 15:04:05", "user a\nuser b\nuser c\nsince 2024-01-02 15:04:05", "2024-01-02T15:04:05Z"},
		{"Jan _2 15:04:05", "Jan  3 15:04:05 a", "2024-01-03T15:04:05Z"},
		{"epoch", "a\nb\nc\njob 1704207845 done", "2024-01-02T15:04:05Z"},
		{"epoch-ms", "a\nb\nc\njob 1704207845123 done", "2024-01-02T15:04:05.123Z"},
	} {
		if err := Check(c.form); err != nil {
			t.Errorf("%s: %v", c.form, err)
		}
		form, ok := Detect([]byte(c.line), Options{Zone: time.UTC, ModTime: modTime, Form: c.form})
		if !ok {
			t.Errorf("%s: no form", c.form)
			continue
		}
		got, _ := form.Time([]byte(c.line[strings.LastIndex(c.line, "\n")+1:]))
		if text := time.Unix(0, got).UTC().Format(time.RFC3339Nano); text != c.want {
			t.Errorf("%s: %s reads %s, want %s", c.form, c.line, text, c.want)
		}
	}
	for _, bad := range []string{"syslog", "15:04:05", "%Y-%m-%d", "2006", "2061-11-23 15:16:17"} {
		if Check(bad) == nil {
			t.Errorf("form %q is taken", bad)
		}
		if _, ok := Detect([]byte("2024-01-02 15:04:05 a"), Options{Form: bad}); ok {
			t.Errorf("form %q finds something", bad)
		}
	}
	if _, ok := Detect([]byte("2024-01-02 15:04:05 a"), Options{Form: "epoch"}); ok {
		t.Error("another form than the one asked for is found")
	}
}

func TestNoAllocation(t *testing.T) {
	for _, layout := range benchLines {
		var lines [][]byte
		data := generated(layout)
		for line := range linesOf(data) {
			lines = append(lines, line)
		}
		form, ok := Detect(data, Options{Zone: berlin, ModTime: modTime})
		if !ok {
			t.Fatalf("%s: no form", layout)
		}
		reader := form.NewReader()
		if n := testing.AllocsPerRun(5, func() {
			for _, line := range lines {
				if _, ok := reader.Time(line); !ok {
					t.Fatalf("%s: no time", line)
				}
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", layout, n)
		}
	}
}

// TestShared reads through one Form from several goroutines; the race detector looks on.
func TestShared(t *testing.T) {
	data := generated("Jan _2 15:04:05 web1 a")
	form, ok := Detect(data, Options{Zone: berlin, ModTime: modTime.AddDate(1, 0, 0), Tail: data})
	if !ok {
		t.Fatal("no form")
	}
	var wait sync.WaitGroup
	sums := make([]int64, 4)
	for i := range sums {
		wait.Go(func() {
			reader := form.NewReader()
			for line := range linesOf(data) {
				ns, _ := reader.Time(line)
				sums[i] += ns / 1e9
			}
		})
	}
	wait.Wait()
	for _, sum := range sums {
		if sum == 0 || sum != sums[0] {
			t.Fatal(fmt.Sprint("goroutines read different times: ", sums))
		}
	}
}
