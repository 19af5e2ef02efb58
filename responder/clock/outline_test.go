package clock

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/scan"
)

// onDisk is a log that grows.
type onDisk struct {
	t    *testing.T
	path string
	id   ID
	zone *time.Location
}

func newOnDisk(t *testing.T, id uint64) *onDisk {
	return &onDisk{t, filepath.Join(t.TempDir(), "a.log"), ID{1, id}, time.UTC}
}

func (d *onDisk) write(text string, written time.Time) {
	d.t.Helper()
	if err := os.WriteFile(d.path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Chtimes(d.path, written, written); err != nil {
		d.t.Fatal(err)
	}
}

func (d *onDisk) open() (*os.File, int64, File) {
	d.t.Helper()
	f, err := os.Open(d.path)
	if err != nil {
		d.t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		d.t.Fatal(err)
	}
	return f, info.Size(), File{ID: d.id, ModTime: info.ModTime(), Zone: d.zone}
}

func (d *onDisk) prove(c *Cache) {
	d.t.Helper()
	f, _, about := d.open()
	defer f.Close()
	if err := c.Prove(d.t.Context(), f, about, nil); err != nil {
		d.t.Fatal(err)
	}
}

func (d *onDisk) search(c *Cache, exhaustive bool, o scan.Options) searched {
	d.t.Helper()
	f, size, about := d.open()
	return searchRange(d.t, c, scan.File{At: f, Size: size, Raw: f, Closer: f}, about, exhaustive, o)
}

// misplaced are the times of a log of n lines of which a piece of any length stands anywhere else.
func misplaced(random *rand.Rand, n int, from time.Time) []time.Time {
	times := make([]time.Time, n)
	for i := range times {
		from = from.Add(time.Duration(random.Int64N(int64(20 * time.Second))))
		times[i] = from
	}
	length := 1 << random.IntN(12) // as many short ones as long ones
	length = min(length+random.IntN(length), n/2)
	at, to := random.IntN(n-length), random.IntN(n-length)
	piece := append([]time.Time{}, times[at:at+length]...)
	times = append(times[:at], times[at+length:]...)
	return append(times[:to], append(piece, times[to:]...)...)
}

// TestNothingIsMissedUnsaid searches files of which a piece of any length stands at any place: what is not
// found is counted as assumed until the file is proven, and from then on all is found, also of what
// is appended. Files that are small are searched in full, and nothing is assumed.
func TestNothingIsMissedUnsaid(t *testing.T) {
	rounds := 24
	if testing.Short() {
		rounds = 6
	}
	missed, pruned := 0, 0
	for round := range rounds {
		random := rand.New(rand.NewPCG(11, uint64(round)))
		l := &logFile{format: []string{time.RFC3339, time.DateTime, time.Stamp}[round%3], zone: time.UTC}
		times := misplaced(random, 3000+random.IntN(2000), time.Date(2025, 12, 31, 18, 0, 0, 0, time.UTC))
		written := times[len(times)-1].Add(24 * time.Hour)
		half := random.IntN(len(times))
		d, cache := newOnDisk(t, uint64(1+round)), NewCache()
		cache.full = int64(round % 2 * fullBytes)
		cut := 0
		for i, at := range times {
			if i == half {
				cut = l.text.Len()
			}
			l.add(at, max(0, random.IntN(12)-8))
		}
		for ask := range 9 {
			switch ask {
			case 0:
				d.write(l.text.String()[:cut], written)
			case 2:
				d.prove(cache)
			case 4:
				d.write(l.text.String(), written.Add(time.Hour))
			case 6:
				d.prove(cache)
			}
			o := scan.Options{Before: int64(ask / 4 * 2), After: int64(ask / 4 * 3), Numbers: ask%4 == 3}
			from := times[random.IntN(len(times))]
			o.Since, o.Until = from.UnixNano(), from.Add(time.Duration(random.Int64N(int64(time.Hour)))).UnixNano()
			want, got := d.search(NewCache(), true, o), d.search(cache, false, o)
			same := got.text == want.text && fmt.Sprint(got.offsets) == fmt.Sprint(want.offsets)
			if got.err != nil || want.err != nil || !same && got.assumed == 0 || got.assumed > 0 && (ask == 2 || ask == 3 || ask > 5 || cache.full > 0) {
				t.Fatalf("round %d, search %d, since %v until %v: %d lines, want %d, assumed of %d files; %v, %v", round, ask,
					time.Unix(0, o.Since), time.Unix(0, o.Until), len(got.offsets), len(want.offsets), got.assumed, got.err, want.err)
			}
			if !same {
				missed++
			}
			if got.assumed == 0 && got.read < want.read/2 {
				pruned++
			}
		}
	}
	if !testing.Short() && (missed == 0 || pruned < rounds*3) {
		t.Errorf("%d searches missed lines, %d read little: the test does not do what it says", missed, pruned)
	}
}

// TestLittleIsReadOfWhatIsProven holds how much of a proven file in any order is read, and that nothing of it
// is assumed.
func TestLittleIsReadOfWhatIsProven(t *testing.T) {
	l := &logFile{format: time.RFC3339, zone: time.UTC}
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range 200_000 {
		at := from.Add(time.Duration(i) * time.Second)
		if i/1000 == 77 { // a batch that was sent late
			at = at.Add(-24 * time.Hour)
		}
		l.add(at, 0)
	}
	d, c := newOnDisk(t, 1), NewCache()
	d.write(l.text.String(), from.Add(60*time.Hour))
	o := scan.Options{Since: from.Add(100_000 * time.Second).UnixNano(), Until: from.Add(100_060 * time.Second).UnixNano()}
	size := int64(l.text.Len())
	if got := d.search(c, false, o); got.read < size || got.assumed != 0 || len(got.offsets) != 60 {
		t.Errorf("not proven: %d of %d bytes were read, %d lines", got.read, size, len(got.offsets))
	}
	d.prove(c)
	if got := d.search(c, false, o); got.read > size/100 || got.assumed != 0 || len(got.offsets) != 60 {
		t.Errorf("proven: %d of %d bytes were read, %d lines", got.read, size, len(got.offsets))
	}
	o.Since, o.Until = from.Add(-9400*time.Second).UnixNano(), from.Add(-9390*time.Second).UnixNano()
	if got := d.search(c, false, o); got.read > size/50 || len(got.offsets) != 10 {
		t.Errorf("the late batch: %d of %d bytes were read, %d lines", got.read, size, len(got.offsets))
	}
}

// TestWhatIsProvenIsForgotten holds that an outline is not believed once its file is another one.
func TestWhatIsProvenIsForgotten(t *testing.T) {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	lines := func(first, n int) string {
		var b strings.Builder
		for i := first; i < first+n; i++ {
			fmt.Fprintf(&b, "%s request %0100d\n", from.Add(time.Duration(i)*time.Second).Format(time.RFC3339), i)
		}
		return b.String()
	}
	whole := lines(0, 10_000)
	late := whole[:len(whole)/2] + lines(7000, 1) + whole[len(whole)/2:]
	for name, then := range map[string]struct {
		text    string
		written time.Duration
		lines   int
	}{
		"cut, and grown again":              {lines(5000, 12_000), 1, 10},
		"written in place":                  {strings.Replace(whole, lines(100, 10), lines(7000, 10), 1), 1, 20},
		"with a line within, and longer":    {late, 1, 11},
		"shorter":                           {lines(6995, 8000), 1, 10},
		"of the same size, at another time": {whole, 1, 10},
		"as it was":                         {whole, 0, 10},
		"appended to":                       {whole + lines(7000, 3), 1, 13},
	} {
		d, c := newOnDisk(t, 1), NewCache()
		written := from.Add(24 * time.Hour)
		d.write(whole, written)
		d.prove(c)
		d.write(then.text, written.Add(then.written))
		o := scan.Options{Since: from.Add(7000 * time.Second).UnixNano(), Until: from.Add(7010 * time.Second).UnixNano()}
		for range 2 {
			if got := d.search(c, false, o); len(got.offsets) != then.lines || got.err != nil || got.assumed != 0 {
				t.Errorf("%s: %d lines, want %d; %v", name, len(got.offsets), then.lines, got.err)
			}
			d.prove(c)
		}
	}
}

// TestYearsOfWhatIsProven holds that times without a year are believed for as long as they are of that year.
func TestYearsOfWhatIsProven(t *testing.T) {
	l := &logFile{format: time.Stamp, zone: time.UTC}
	from := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range 3000 {
		l.add(from.Add(time.Duration(i)*time.Minute), 0)
	}
	d, c := newOnDisk(t, 1), NewCache()
	d.write(l.text.String(), from.Add(3000*time.Minute))
	d.prove(c)
	for _, after := range []int{0, 30, 300, 600} { // days until more is written
		written := from.AddDate(0, 0, after).Add(3000 * time.Minute)
		if after > 0 {
			l.add(written, 0)
		}
		d.write(l.text.String(), written)
		for year := 2024; year < 2028; year++ {
			at := time.Date(year, 3, 2, 0, 0, 0, 0, time.UTC)
			o := scan.Options{Since: at.UnixNano(), Until: at.Add(time.Hour).UnixNano()}
			want, got := d.search(NewCache(), true, o), d.search(c, false, o)
			if got.text != want.text || got.assumed != 0 {
				t.Errorf("%d days later, in %d: %d lines, want %d", after, year, len(got.offsets), len(want.offsets))
			}
		}
	}
}

// TestOutlinesAreBounded holds the room that outlines take.
func TestOutlinesAreBounded(t *testing.T) {
	c := NewCache()
	for i := range uint64(400) {
		o := &scan.Outline{Pieces: make([]scan.Piece, 1000)}
		c.keep(ID{1, i}, &known{})
		c.keepOutline(ID{1, i}, &outlined{Outline: o})
	}
	sum := 0
	for _, k := range c.known {
		if sum += k.pieces(); k.outline == nil {
			t.Error("an outline is forgotten")
		}
	}
	if sum != c.pieces || sum > cachePieces {
		t.Errorf("%d pieces are kept, %d counted", sum, c.pieces)
	}
}

// A log that is cut while its times are read, and has grown beyond what it was before they are through, has
// nothing proven: part of what was read is not in it any more. Nor where a query came meanwhile, after which it
// is known as what it is now.
func TestCutAndGrownWhileItIsRead(t *testing.T) {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	log := func(from time.Time, lines int) string {
		l := &logFile{format: time.RFC3339, zone: time.UTC}
		for i := range lines {
			l.add(from.Add(time.Duration(i)*time.Second), 0)
		}
		return l.text.String()
	}
	old, next := log(from, 10_000), log(from.Add(100*time.Hour), 12_000)
	for name, read := range map[string]func(d *onDisk, c *Cache, f *os.File, size int64, about File, meanwhile func() error) error{
		"by proof": func(d *onDisk, c *Cache, f *os.File, _ int64, about File, meanwhile func() error) error {
			return c.Prove(d.t.Context(), f, about, meanwhile)
		},
		"by a search": func(d *onDisk, c *Cache, f *os.File, size int64, about File, meanwhile func() error) error {
			o := wanted
			inputs := []scan.Input{{Open: func() (scan.File, error) { return scan.File{At: f, Size: size, Raw: f}, nil }}}
			c.Attach(inputs, func(int) File { return about }, false, &o)
			file, err := inputs[0].Open()
			if err != nil {
				return err
			}
			x := &scan.Outline{}
			if err := x.Extend(d.t.Context(), file.At, file.Size, o.NewClock(0), '\n', meanwhile); err != nil {
				return err
			}
			file.Outlined(x)
			return nil
		},
	} {
		for _, asked := range []bool{false, true} {
			d, c := newOnDisk(t, 1), NewCache()
			d.write(old, from.Add(100*time.Hour))
			f, size, about := d.open()
			reads := 0
			err := read(d, c, f, size, about, func() error {
				if reads++; reads == 1 {
					d.write(next, from.Add(200*time.Hour))
					if asked {
						d.search(c, false, wanted)
					}
				}
				return nil
			})
			if reads < 2 {
				t.Fatalf("%s: read at once: %v", name, err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			o := scan.Options{Since: from.Add(100 * time.Hour).UnixNano(), Until: from.Add(100*time.Hour + 10*time.Minute).UnixNano()}
			if want, got := d.search(NewCache(), true, o), d.search(c, false, o); got.text != want.text || len(got.offsets) != 600 {
				t.Errorf("%s, a query meanwhile %v (%v): %d lines found, want %d", name, asked, err, len(got.offsets), len(want.offsets))
			}
		}
	}
}
