package clock

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/match"
	"github.com/trawl-logs/trawl/responder/scan"
)

// all matches every line.
type all struct{ scan.Matcher }

func (all) Lines(dst []match.Line, buf []byte, from int) ([]match.Line, int) {
	for from < len(buf) {
		end := from + bytes.IndexByte(buf[from:], '\n')
		dst = append(dst, match.Line{Start: from, End: end})
		from = end + 1
	}
	return dst, from
}

func (all) MatchLine([]byte) bool { return true }

// searched is what a search in a range gives, and what it read.
type searched struct {
	text    string
	offsets []int64
	read    int64
	assumed int64
	err     error
}

// searchRange searches a file in a time range.
func searchRange(t *testing.T, c *Cache, f scan.File, about File, exhaustive bool, o scan.Options) (s searched) {
	t.Helper()
	o.MaxCount, o.Terminator, o.Offsets, o.Threads = -1, '\n', true, 2
	o.OnError = func(_ int, err error) { s.err = err }
	inputs := []scan.Input{{Name: "a", Open: func() (scan.File, error) { return f, nil }}}
	times := c.Attach(inputs, func(int) File { return about }, exhaustive, &o)
	var text strings.Builder
	stats, err := scan.Run(context.Background(), inputs, func() scan.Matcher { return all{} }, o, func(b *scan.Batch) error {
		text.Write(b.Text)
		s.offsets = append(s.offsets, b.Offsets...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.text, s.read, s.assumed = text.String(), stats.Bytes+times.Read(), times.Assumed()
	return s
}

// logFile is a made-up log: the times of its entries, and how many lines without a time follow each.
type logFile struct {
	format string
	zone   *time.Location
	text   bytes.Buffer
}

func (l *logFile) add(at time.Time, more int) {
	fmt.Fprintf(&l.text, "%s web1 app[12]: request %d was served by the second of four backends\n", at.In(l.zone).Format(l.format), l.text.Len())
	for range more {
		l.text.WriteString("\tat com.example.Handler.serve(Handler.java:123)\n")
	}
}

// sampling returns a Cache by which nothing is read in full just to be sure.
func sampling() *Cache {
	c := NewCache()
	c.full = 0
	return c
}

// kinds of files for which it is promised that no line is missed.
var kinds = map[string]func(times []time.Time, random *rand.Rand){
	"sorted": func([]time.Time, *rand.Rand) {},
	"all of one second": func(times []time.Time, _ *rand.Rand) {
		for i := range times {
			times[i] = times[0]
		}
	},
	"late by less than a minute": func(times []time.Time, random *rand.Rand) {
		for i := range times {
			times[i] = times[i].Add(-time.Duration(random.Int64N(int64(minSlack))))
		}
	},
	"often late by some minutes": func(times []time.Time, random *rand.Rand) {
		for i := range times {
			if random.IntN(3) == 0 {
				times[i] = times[i].Add(-time.Duration(4+random.IntN(3)) * time.Minute)
			}
		}
	},
	"joined in the wrong order": func(times []time.Time, random *rand.Rand) {
		third := len(times)/3 + random.IntN(len(times)/4)
		copy(times, append(append([]time.Time{}, times[third:]...), times[:third]...))
	},
	"a day of old lines within": func(times []time.Time, random *rand.Rand) {
		n := len(times) / 12
		from := random.IntN(len(times) - n)
		for i := from; i < from+n; i++ {
			times[i] = times[i].AddDate(0, 0, -1)
		}
	},
	"newest first": func(times []time.Time, _ *rand.Rand) {
		for i, j := 0, len(times)-1; i < j; i, j = i+1, j-1 {
			times[i], times[j] = times[j], times[i]
		}
	},
}

// TestPrunedIsExhaustive searches files of all kinds in ranges, with what is not in the range left
// unread and without, and remembering a file or not.
func TestPrunedIsExhaustive(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	rounds := 6
	if testing.Short() { // under the race detector
		rounds = 2
	}
	for name, disturb := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(7, uint64(len(name))))
			for round := range rounds {
				l := &logFile{format: []string{time.RFC3339, time.DateTime, time.Stamp}[round%3], zone: berlin}
				// New Year, or the night in which Berlin's clock goes back, is in the middle.
				middle := []time.Time{time.Date(2025, 12, 31, 23, 0, 0, 0, time.UTC), time.Date(2025, 10, 26, 1, 0, 0, 0, time.UTC)}[round/3]
				times := make([]time.Time, 1500+random.IntN(1500))
				at := middle.Add(-time.Duration(len(times)/2) * 20 * time.Second)
				for i := range times {
					times[i] = at
					at = at.Add(time.Duration(random.Int64N(int64(40 * time.Second))))
				}
				written := at
				disturb(times, random)
				for _, at := range times {
					l.add(at, max(0, random.IntN(12)-8))
				}
				text, cache := l.text.String(), sampling()
				file := func() scan.File { return scan.File{At: strings.NewReader(text), Size: int64(len(text))} }
				about := File{ID: ID{1, uint64(1 + round)}, ModTime: written, Zone: berlin}
				for ask := range 7 {
					o := scan.Options{Before: int64(ask / 4 * 2), After: int64(ask / 4 * 3), Numbers: ask%4 == 3}
					from := times[random.IntN(len(times))].Add(time.Duration(random.IntN(3)-1) * time.Second)
					o.Since, o.Until = from.UnixNano(), from.Add(time.Duration(random.Int64N(int64(3*time.Hour)))).UnixNano()
					switch ask % 4 {
					case 1:
						o.Since = 0
					case 2:
						o.Until = 0
					}
					want := searchRange(t, NewCache(), file(), about, true, o)
					got := searchRange(t, cache, file(), about, false, o)
					if got.text != want.text || fmt.Sprint(got.offsets) != fmt.Sprint(want.offsets) || got.err != nil || want.err != nil {
						t.Fatalf("round %d, %d bytes, since %v until %v: %d lines, want %d; %v, %v", round, len(text),
							time.Unix(0, o.Since), time.Unix(0, o.Until), len(got.offsets), len(want.offsets), got.err, want.err)
					}
					if got.read > int64(len(text)) || want.read != int64(len(text)) {
						t.Fatalf("of %d bytes, %d were read, and %d in full", len(text), got.read, want.read)
					}
				}
			}
		})
	}
}

// sorted is a large file in order that is written as it is read: each line is 128 bytes long.
type sorted struct {
	lines int64
	from  time.Time
	step  time.Duration
}

func (s sorted) size() int64 { return s.lines * 128 }

func (s sorted) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && off < s.size() {
		at := s.from.Add(time.Duration(off/128) * s.step)
		line := fmt.Appendf(nil, "%s INFO request %-89d\n", at.UTC().Format("2006-01-02T15:04:05.000Z"), off/128)
		line = append(line[:127], '\n')
		k := copy(p[n:], line[off%128:])
		n, off = n+k, off+int64(k)
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// TestLittleIsRead holds how much of a sorted gigabyte the first search reads, and a later one.
func TestLittleIsRead(t *testing.T) {
	file := sorted{lines: 8 << 20, from: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), step: 20 * time.Millisecond} // two days
	end := file.from.Add(time.Duration(file.lines) * file.step)
	c := NewCache()
	for i, o := range []scan.Options{
		{Since: end.Add(-time.Minute).UnixNano()},
		{Since: end.Add(-time.Hour).UnixNano(), Until: end.Add(-59 * time.Minute).UnixNano()},
		{Until: file.from.Add(time.Minute).UnixNano()},
		{Until: file.from.Add(-2 * time.Minute).UnixNano()},
		{Since: end.Add(2 * time.Minute).UnixNano()},
	} {
		o.Before, o.After = 2, 2
		got := searchRange(t, c, scan.File{At: file, Size: file.size()}, File{ID: ID{1, 1}, ModTime: end, Zone: time.UTC}, false, o)
		limit := file.size() / 100
		if i > 0 {
			limit /= 4 // samples are remembered
		}
		if got.err != nil || got.read > limit {
			t.Errorf("search %d read %d of %d bytes, want at most %d; %v", i, got.read, file.size(), limit, got.err)
		}
		want := []int{3002, 3004, 3002, 0, 0}[i]
		if len(got.offsets) != want {
			t.Errorf("search %d found %d lines, want %d", i, len(got.offsets), want)
		}
	}
}

// TestALaterArchiveIsNotUnpacked holds that of a compressed file only the head is read if that is
// behind the range, and all of it if its head is out of order.
func TestALaterArchiveIsNotUnpacked(t *testing.T) {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	until := from.Add(-time.Hour)
	for _, disorder := range []time.Duration{0, time.Duration(maxDisorder) + time.Minute} {
		l := &logFile{format: time.RFC3339, zone: time.UTC}
		for i := range 20_000 {
			l.add(from.Add(time.Duration(i)*time.Second-time.Duration(i%2)*disorder), 0)
		}
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write(l.text.Bytes())
		_ = w.Close()
		stream, err := gzip.NewReader(&packed)
		if err != nil {
			t.Fatal(err)
		}
		about := File{ID: ID{1, 1}, ModTime: from.AddDate(0, 0, 1), Zone: time.UTC}
		got := searchRange(t, NewCache(), scan.File{Stream: stream}, about, false, scan.Options{Until: until.UnixNano()})
		want := int64(sampleBytes)
		if disorder > 0 {
			want = int64(l.text.Len())
		}
		if got.read != want || got.err != nil || got.text != "" {
			t.Errorf("with times back by %v: %d bytes were read, want %d; %v, %d found", disorder, got.read, want, got.err, len(got.text))
		}
	}
}

// TestOrdersAreForgotten holds that what is remembered of files' orders is bounded.
func TestOrdersAreForgotten(t *testing.T) {
	file := sorted{lines: 16 << 10, from: written, step: time.Second}
	c := sampling()
	c.kept = cacheProbes - 40
	for i := range uint64(5) {
		searchRange(t, c, scan.File{At: file, Size: file.size()}, File{ID: ID{1, 1 + i}, ModTime: written, Zone: time.UTC}, false,
			scan.Options{Since: written.UnixNano(), Until: written.Add(time.Second).UnixNano()})
	}
	if c.kept > cacheProbes {
		t.Errorf("%d probes are kept", c.kept)
	}
	if c.known[ID{1, 5}].order == nil {
		t.Error("the newest order is forgotten")
	}
}
