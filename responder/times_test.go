package responder

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// dated says how a file of loghub is to be read, owing nothing to the detector: where its time is, and
// the time package's layout of it. A layout without a year is of the year.
var dated = []struct {
	file, place, layout string
	year                int
}{
	{"Apache_2k.log", `^\[([^\]]*)\]`, "Mon Jan 02 15:04:05 2006", 0},
	{"HDFS_2k.log", `^(\d{6} \d{6}) `, "060102 150405", 0},
	{"Hadoop_2k.log", `^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) `, "2006-01-02 15:04:05,000", 0},
	{"Linux_2k.log", `^(\w{3} [ \d]\d \d\d:\d\d:\d\d) `, "2006 Jan _2 15:04:05", 2005},
	{"OpenSSH_2k.log", `^(\w{3} [ \d]\d \d\d:\d\d:\d\d) `, "2006 Jan _2 15:04:05", 2016},
	{"OpenStack_2k.log", `^\S+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) `, "2006-01-02 15:04:05.000", 0},
	{"Spark_2k.log", `^(\d\d/\d\d/\d\d \d\d:\d\d:\d\d) `, "06/01/02 15:04:05", 0},
	{"Zookeeper_2k.log", `^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) `, "2006-01-02 15:04:05,000", 0},
}

// timesIn are the times of a file's lines, by the row's layout: a line without one has that of the line
// above, NoTime at the start.
func timesIn(t *testing.T, row int, text string) (lines []string, times []int64) {
	t.Helper()
	d := dated[row]
	place, now := regexp.MustCompile(d.place), schemas.NoTime
	for line := range strings.Lines(text) {
		if m := place.FindStringSubmatch(line); m != nil {
			value := m[1]
			if d.year != 0 {
				value = fmt.Sprint(d.year, " ", value)
			}
			at, err := time.Parse(d.layout, value)
			if err != nil {
				t.Fatalf("%s: %v", d.file, err)
			}
			now = at.UnixNano()
		}
		lines, times = append(lines, strings.TrimRight(line, "\n")+"\n"), append(times, now)
	}
	return lines, times
}

// times are those that came for a query, line by line.
func (f *fleet) times(k Key) (times []int64) {
	for _, frame := range f.numbered(k) {
		if frame.Data != nil {
			for _, c := range frame.Data.Chunks {
				times = append(times, c.Times...)
			}
		}
	}
	return times
}

// inUTC is a source whose times are UTC.
func inUTC(c *Config) { c.Sources[0].Timezone = "UTC" }

// Each file of loghub is searched in time ranges, and the answer compared with what the time package
// makes of its lines.
func TestTimeRangesOfLoghub(t *testing.T) {
	ranges := 8
	if testing.Short() { // under the race detector
		ranges = 4
	}
	for row, d := range dated {
		t.Run(d.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", "e2e", "testdata", "loghub", d.file))
			if err != nil {
				t.Fatal(err)
			}
			lines, times := timesIn(t, row, string(text))
			f, dir := newFleet(t, inUTC, map[string]string{"a.log": string(text)})
			last := time.Unix(0, times[len(times)-1])
			if err := os.Chtimes(filepath.Join(dir, "a.log"), last, last.Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, uint64(row)))
			synctest.Test(t, func(t *testing.T) {
				f.t = t
				for i := range ranges {
					since, until := times[rng.IntN(len(times))], times[rng.IntN(len(times))]+rng.Int64N(3)-1
					if since > until {
						since, until = until, since
					}
					since, until = []int64{since, 0}[i%4/3], []int64{until, until, 0, until}[i%4]
					q := query(fmt.Sprint("q", i), "[a-f]")
					q.Since, q.Until, q.Columns = since, until, schemas.ColumnTime
					var want strings.Builder
					var wantTimes []int64
					for j, line := range lines {
						if at := times[j]; at != schemas.NoTime && at >= since && (until == 0 || at < until) && strings.ContainsAny(line, "abcdef") {
							want.WriteString(line)
							wantTimes = append(wantTimes, at)
						}
					}
					k := f.ask(q)
					e := f.await(k, time.Minute)
					if got := f.text(k); got != want.String() || e.Status != schemas.StatusComplete || e.Lines != int64(len(wantTimes)) {
						t.Errorf("since %s until %s: %d bytes, want %d; end %+v", moment(since), moment(until), len(got), want.Len(), e)
					}
					if got := f.times(k); fmt.Sprint(got) != fmt.Sprint(wantTimes) {
						t.Errorf("since %s until %s: %d times, want %d, or others", moment(since), moment(until), len(got), len(wantTimes))
					}
				}
				f.stop()
			})
		})
	}
}

const javaLog = `starting up
2026-03-01 10:00:00,000 INFO one
2026-03-01 10:00:01,000 ERROR two
java.lang.IllegalStateException: x
	at a.B.c(B.java:1)
	at a.B.d(B.java:2)
2026-03-01 10:00:02,000 INFO three
	at nowhere
`

// A stack trace belongs to its entry, and is in the range if that is.
func TestLinesWithoutATimeBelongToTheEntryAbove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFleet(t, inUTC, map[string]string{"a.log": javaLog})
		at := func(second int) int64 { return time.Date(2026, 3, 1, 10, 0, second, 0, time.UTC).UnixNano() }
		for i, c := range []struct {
			since, until int64
			pattern      string
			want         string
		}{
			{at(1), at(2), "at a.B.d", "\tat a.B.d(B.java:2)\n"},
			{at(1), at(2), "", "2026-03-01 10:00:01,000 ERROR two\njava.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)\n"},
			{at(2), 0, "at ", "\tat nowhere\n"},
			{0, at(1), "", "2026-03-01 10:00:00,000 INFO one\n"},
			{at(2) + 1, 0, "", ""},
		} {
			q := query(fmt.Sprint("q", i), c.pattern)
			q.Since, q.Until = c.since, c.until
			k := f.ask(q)
			e := f.await(k, time.Minute)
			if got := f.text(k); got != c.want || e.Status != schemas.StatusComplete {
				t.Errorf("%d: %q, want %q; end %+v", i, got, c.want, e)
			}
		}
		f.stop()
	})
}

// A compressed file is searched by the times of what is in it.
func TestTimesInACompressedFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write([]byte(javaLog))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		f, _ := newFleet(t, inUTC, map[string]string{"a.log": packed.String()})
		q := query("q", "a.B|three")
		q.Until = time.Date(2026, 3, 1, 10, 0, 2, 0, time.UTC).UnixNano()
		k := f.ask(q)
		e := f.await(k, time.Minute)
		if got := f.text(k); got != "\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)\n" || e.Status != schemas.StatusComplete {
			t.Errorf("%q; end %+v", got, e)
		}
		f.stop()
	})
}

// A time without a zone is of the source's; a format that is configured goes before what is found.
func TestTimesAsConfigured(t *testing.T) {
	for _, c := range []struct {
		zone, format, line string
		want               time.Time
	}{
		{"Asia/Kolkata", "", "2026-03-01 10:00:00 x", time.Date(2026, 3, 1, 4, 30, 0, 0, time.UTC)},
		{"Asia/Kolkata", "", "2026-03-01T10:00:00Z x", time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)},
		{"UTC", "02/01/2006 15:04:05", "03/04/2026 10:00:00 x", time.Date(2026, 4, 3, 10, 0, 0, 0, time.UTC)},
		{"UTC", "01/02/2006 15:04:05", "03/04/2026 10:00:00 x", time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)},
		{"UTC", "", `{"message":"` + strings.Repeat("m", 9000) + `","time":"2026-03-01T10:00:00Z"}`, time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, _ := newFleet(t, func(config *Config) { config.Sources[0].Timezone, config.Sources[0].TimeFormat = c.zone, c.format },
				map[string]string{"a.log": c.line + "\n"})
			q := query("q", "")
			q.Columns = schemas.ColumnTime
			k := f.ask(q)
			f.await(k, time.Minute)
			if got := f.times(k); len(got) != 1 || got[0] != c.want.UnixNano() {
				t.Errorf("%+.200v: %v, want %v", c, got, c.want.UnixNano())
			}
			f.stop()
		})
	}
	for _, s := range []SourceConfig{{Timezone: "Mars/Olympus"}, {TimeFormat: "soon"}} {
		c := DefaultConfig()
		s.Logs = List{"/x"}
		c.Sources = []SourceConfig{s}
		if err := c.Finish(); err == nil {
			t.Errorf("%+v is accepted", s)
		}
	}
}

// A file without times is neither searched in full nor left out in silence. An empty one has no lines,
// and one that was written last long before the range none that are in it: neither is trouble, and the
// latter counts as considered, and is not read.
func TestFilesOfNoTime(t *testing.T) {
	old := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	synctest.Test(t, func(t *testing.T) {
		f, dir := newFleet(t, inUTC, map[string]string{"a.log": javaLog, "empty.log": "", "old.log": "two, but no time\n", "plain.log": "two, and no time either\n"})
		if err := os.Chtimes(filepath.Join(dir, "old.log"), old, old); err != nil {
			t.Fatal(err)
		}
		for i, c := range []struct {
			since time.Time
			want  string
			plain int // files without times
		}{
			{old.AddDate(0, 0, -1), "2026-03-01 10:00:01,000 ERROR two\n", 2},
			{old.AddDate(0, 0, 2), "", 1},
		} {
			c.since = c.since.Add(-14 * time.Hour)
			q := query(fmt.Sprint("q", i), "two")
			q.Since = c.since.UnixNano()
			k := f.ask(q)
			e := f.await(k, time.Minute)
			if got := f.text(k); got != c.want || e.Status != schemas.StatusPartial || e.ErrorCount != int64(c.plain) || e.Files != 4 {
				t.Errorf("%d: %q, want %q; end %+v", i, got, c.want, e)
			}
			for _, err := range e.Errors {
				if err.Err != "no timestamps found: not searched by time" {
					t.Errorf("%d: %+v", i, err)
				}
			}
		}
		q := query("count", "two")
		q.Mode, q.Since, q.Select.Paths = schemas.ModeCount, old.AddDate(0, 0, 2).UnixNano(), []string{"**/old.log"}
		k := f.ask(q)
		if e := f.await(k, time.Minute); e.Status != schemas.StatusComplete || e.BytesRead != 0 || e.BytesConsidered == 0 || e.Files != 1 {
			t.Errorf("a file from before the range: %+v", e)
		}
		counts := 0
		for _, frame := range f.numbered(k) {
			if frame.Data != nil {
				counts += len(frame.Data.Chunks)
			}
		}
		if counts != 1 {
			t.Errorf("%d counts for a file from before the range, want its 0", counts)
		}
		f.stop()
	})
}
