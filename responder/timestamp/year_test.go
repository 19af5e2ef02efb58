package timestamp

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// syslog writes a line for each time, in UTC and without its year.
func syslog(times ...string) []byte {
	var b bytes.Buffer
	for _, text := range times {
		at, err := time.Parse(time.DateTime, text)
		if err != nil {
			panic(err)
		}
		b.WriteString(at.Format(time.Stamp) + " web1 sshd[12]: hello\n")
	}
	return b.Bytes()
}

// TestYear gives lines without a year their year back from when the file was written.
func TestYear(t *testing.T) {
	for _, c := range []struct {
		name, modTime string
		lines         []string
	}{
		{"one day", "2024-03-17 12:00:00", []string{"2024-03-17 11:00:00", "2024-03-17 12:00:00"}},
		{"over New Year", "2024-01-05 12:00:00", []string{"2023-12-30 10:00:00", "2023-12-31 23:59:59", "2024-01-01 00:00:00", "2024-01-05 12:00:00"}},
		{"over New Year, newest first", "2024-01-05 12:00:00", []string{"2024-01-05 12:00:00", "2024-01-02 12:00:00", "2024-01-01 00:00:00", "2023-12-31 23:59:59", "2023-12-30 10:00:00"}},
		{"all before New Year", "2024-01-05 12:00:00", []string{"2023-12-30 10:00:00", "2023-12-31 10:00:00"}},
		{"a clock that is ahead, over New Year", "2023-12-31 23:59:50", []string{"2023-12-31 10:00:00", "2024-01-01 00:00:30"}},
		{"ten months", "2024-03-17 12:00:00", []string{"2023-05-18 10:00:00", "2023-11-01 10:00:00", "2024-01-01 10:00:00", "2024-03-16 11:00:00"}},
		{"copied later", "2026-11-22 12:00:00", []string{"2025-07-27 10:00:00", "2025-12-31 10:00:00", "2026-06-14 12:00:00"}},
		{"a leap day", "2025-02-01 12:00:00", []string{"2024-02-28 10:00:00", "2024-02-29 10:00:00", "2024-03-01 10:00:00", "2025-02-01 10:00:00"}},
		{"a leap day of a copy", "2026-11-22 12:00:00", []string{"2024-02-29 10:00:00"}},
		{"lines out of order", "2024-01-02 12:00:00", []string{"2023-12-31 23:59:58", "2024-01-01 00:00:01", "2023-12-31 23:59:59", "2024-01-01 00:00:02"}},
	} {
		written, err := time.Parse(time.DateTime, c.modTime)
		if err != nil {
			t.Fatal(err)
		}
		data := syslog(c.lines...)
		form, ok := Detect(data, Options{Zone: time.UTC, ModTime: written, Tail: data})
		if !ok || !form.Stateful() {
			t.Errorf("%s: no form, or one with a year", c.name)
			continue
		}
		reader := form.NewReader()
		n := 0
		for line := range linesOf(data) {
			if got, ok := reader.Time(line); !ok || time.Unix(0, got).UTC().Format(time.DateTime) != c.lines[n] {
				t.Errorf("%s: %s reads %v, want %s", c.name, line, time.Unix(0, got).UTC(), c.lines[n])
			}
			n++
		}
	}
}

// TestYearGrows follows a file that was bound months ago, and binds it again.
func TestYearGrows(t *testing.T) {
	data := syslog("2023-11-20 10:00:00", "2023-12-20 10:00:00")
	form, ok := Detect(data, Options{Zone: time.UTC, ModTime: time.Date(2023, 12, 20, 10, 0, 0, 0, time.UTC), Tail: data})
	if !ok {
		t.Fatal("no form")
	}
	for _, text := range []string{"2023-12-31 10:00:00", "2024-01-01 10:00:00", "2024-05-01 10:00:00"} {
		if got, _ := form.Time(syslog(text)); time.Unix(0, got).UTC().Format(time.DateTime) != text {
			t.Errorf("%s reads %v", text, time.Unix(0, got).UTC())
		}
	}
	for _, text := range []string{"2024-08-01 10:00:00", "2024-10-01 10:00:00"} {
		at, err := time.Parse(time.DateTime, text)
		if err != nil {
			t.Fatal(err)
		}
		bound := form.Bind(data, syslog("2024-05-01 10:00:00", text), at)
		if got, _ := bound.Time(syslog(text)); got != at.UnixNano() {
			t.Errorf("bound again, %s reads %v", text, time.Unix(0, got).UTC())
		}
		if got, _ := bound.Time(data); time.Unix(0, got).UTC().Year() != 2023 {
			t.Errorf("bound again, the first line reads %v", time.Unix(0, got).UTC())
		}
	}
}

// TestYearAnywhere reads the lines of a long file in random order, as a binary search does.
func TestYearAnywhere(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, days := range []int{2, 40, 200, 330, 360} {
		at := time.Date(2023, 9, 1, 0, 0, 0, 0, berlin).AddDate(0, 0, -random.IntN(300))
		var data bytes.Buffer
		var lines [][]byte
		var truth []int64
		for range 5000 {
			at = at.Add(time.Duration(days) * 24 * time.Hour / 5000)
			line := at.Format(time.Stamp) + " web1 sshd[12]: hello"
			lines, truth = append(lines, []byte(line)), append(truth, at.Unix())
			data.WriteString(line + "\n")
		}
		text := data.Bytes()
		form, ok := Detect(headOf(text), Options{Zone: berlin, ModTime: at.Add(time.Hour), Tail: text[len(text)-4096:]})
		if !ok {
			t.Fatal("no form")
		}
		reader := form.NewReader()
		folds := int64(form.Slack(time.Unix(truth[0], 0), at) / time.Second)
		for range 5000 {
			i := random.IntN(len(lines))
			got, ok := reader.Time(lines[i])
			if late := truth[i] - got/1e9; !ok || late != 0 && late != folds {
				t.Fatalf("%d days: line %d %s reads %v, want %v", days, i, lines[i], time.Unix(0, got), time.Unix(truth[i], 0))
			}
		}
	}
}

// TestYearUnknown holds that without a time of writing no year is made up.
func TestYearUnknown(t *testing.T) {
	if form, ok := Detect(syslog("2024-01-02 15:04:05"), Options{Zone: time.UTC}); ok {
		t.Errorf("read as %s", form.Name())
	}
	if form, ok := Detect([]byte("2024-01-02 15:04:05 a"), Options{Zone: time.UTC}); !ok || form.Stateful() {
		t.Error("a date with its year needs no time of writing")
	}
}

func FuzzDetect(f *testing.F) {
	for _, c := range forms {
		f.Add([]byte(c.line), []byte(strings.ToUpper(c.line)), int64(modTime.Unix()))
	}
	f.Fuzz(func(t *testing.T, sample, more []byte, written int64) {
		o := Options{Zone: berlin}
		if written > 0 && written < afterEpoch {
			o.ModTime = time.Unix(written, 0)
		}
		form, ok := Detect(sample, o)
		if !ok {
			return
		}
		if form.Name() == "" || form.Sample() == "" {
			t.Fatal("a form without a name or sample")
		}
		form = form.Bind(sample, more, o.ModTime)
		reader := form.NewReader()
		read := 0
		for _, text := range [][]byte{sample, more, sample} {
			for line := range linesOf(text) {
				got, ok := reader.Time(line)
				slow, slowOK := form.Time(line)
				if got != slow || ok != slowOK {
					t.Fatalf("%q by %s: %d, %v from the cache; %d, %v without", line, form.Name(), got, ok, slow, slowOK)
				}
				if at := time.Unix(0, got).UTC(); ok && (at.Year() < firstYear-1 || at.Year() > lastYear+1) {
					t.Fatalf("%q reads %v", line, at)
				}
				if ok {
					read++
				}
			}
		}
		if read == 0 {
			t.Fatalf("%s reads no line of its own sample", form.Name())
		}
	})
}
