package clock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/trawl-logs/trawl/responder/scan"
)

// counted counts what is read of a text.
type counted struct {
	text string
	read int
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := strings.NewReader(c.text).ReadAt(p, off)
	c.read += n
	return n, err
}

// timesOf opens an input as a search in which times are wanted does, and returns the times of the lines.
func timesOf(t *testing.T, c *Cache, f scan.File, about File, o scan.Options, lines ...string) []string {
	t.Helper()
	inputs := []scan.Input{{Open: func() (scan.File, error) { return f, nil }}}
	c.Attach(inputs, func(int) File { return about }, false, &o)
	if _, err := inputs[0].Open(); err != nil {
		return []string{err.Error()}
	}
	clock := o.NewClock(0)
	if clock == nil {
		return []string{"no clock"}
	}
	var times []string
	for _, line := range lines {
		ns, ok := clock.Time([]byte(line))
		if !ok {
			times = append(times, "none")
			continue
		}
		times = append(times, time.Unix(0, ns).UTC().Format(time.DateTime))
	}
	return times
}

var (
	wanted  = scan.Options{Times: true, Terminator: '\n'}
	written = time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)
)

func TestAFormIsRememberedWhileTheFileIsTheSame(t *testing.T) {
	iso := strings.Repeat("2026-03-01 10:00:00 x\n", 5000)
	c := NewCache()
	for i, step := range []struct {
		text, line, want string
		read             int // at most
	}{
		{iso, "2026-03-02 11:00:00 y", "2026-03-02 11:00:00", 200 << 10},
		{iso, "2026-03-02 11:00:00 y", "2026-03-02 11:00:00", printBytes},
		{iso + iso[:len(iso)/2], "2026-03-02 11:00:00 y", "2026-03-02 11:00:00", printBytes},
		{strings.Repeat("h [01/Mar/2026:10:00:00 +0000] y\n", 5000), "h [02/Mar/2026:11:00:00 +0000] y", "2026-03-02 11:00:00", 200 << 10}, // another file under its inode
		{"", "", "no clock", 0}, // copytruncate
		{"2026-03-01T10:00:00Z x\n", "2026-03-02T11:00:00Z y", "2026-03-02 11:00:00", 1000},          // and written again
		{"no time\n", "2026-03-02T11:00:00Z y", "no clock", 1000},                                    // and again
		{"no time\n2026-03-01T10:00:00Z x\n", "2026-03-02T11:00:00Z y", "2026-03-02 11:00:00", 1000}, // whose first time comes late
	} {
		f := &counted{text: step.text}
		got := timesOf(t, c, scan.File{At: f, Size: int64(len(step.text))}, File{ID: ID{1, 2}, ModTime: written, Zone: time.UTC}, wanted, step.line)
		if got[0] != step.want || f.read > step.read {
			t.Errorf("step %d: %s, want %s; %d bytes read, at most %d expected", i, got[0], step.want, f.read, step.read)
		}
	}
}

// The year of a time without one follows the file's modification time, although the form is remembered.
func TestAYearIsBoundToTheFileAsItIs(t *testing.T) {
	c := NewCache()
	text := strings.Repeat("Dec 30 10:00:00 host x\n", 10)
	for _, step := range []struct {
		add     string
		modTime time.Time
		want    string
	}{
		{"", time.Date(2025, 12, 30, 10, 0, 0, 0, time.UTC), "[2025-12-30 10:00:00 2025-09-05 10:00:00]"},
		{"Aug  5 10:00:00 host y\n", time.Date(2026, 8, 5, 10, 0, 0, 0, time.UTC), "[2025-12-30 10:00:00 2026-09-05 10:00:00]"},
	} {
		text += step.add
		f := scan.File{At: strings.NewReader(text), Size: int64(len(text))}
		got := timesOf(t, c, f, File{ID: ID{1, 2}, ModTime: step.modTime, Zone: time.UTC}, wanted, "Dec 30 10:00:00 h", "Sep  5 10:00:00 h")
		if fmt.Sprint(got) != step.want {
			t.Errorf("written %v: %v, want %s", step.modTime, got, step.want)
		}
	}
}

// What is read of a stream to find its form is searched all the same, and its error comes after it.
func TestStreams(t *testing.T) {
	text := "no time\n" + strings.Repeat("2026-03-01 10:00:00 x\n", 9000)
	broken := errors.New("broken")
	for name, stream := range map[string]io.Reader{
		"whole":   strings.NewReader(text),
		"by byte": iotest.OneByteReader(strings.NewReader(text)),
		"broken":  io.MultiReader(strings.NewReader(text[:1000]), iotest.ErrReader(broken)),
	} {
		o := scan.Options{Terminator: '\n', Since: 1}
		f := scan.File{Stream: stream}
		inputs := []scan.Input{{Open: func() (scan.File, error) { return f, nil }}}
		NewCache().Attach(inputs, func(int) File { return File{ModTime: written, Zone: time.UTC} }, false, &o)
		opened, err := inputs[0].Open()
		if err != nil || o.NewClock(0) == nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		all, err := io.ReadAll(opened.Stream)
		want := text
		if name == "broken" {
			want = text[:1000]
		}
		if string(all) != want || errors.Is(err, broken) != (name == "broken") {
			t.Errorf("%s: %d bytes of %d, %v", name, len(all), len(want), err)
		}
	}
}

// The form of a compressed file is remembered until it is written again.
func TestAFormOfAStreamIsRemembered(t *testing.T) {
	c := NewCache()
	for i, step := range []struct {
		text    string
		modTime time.Time
		same    bool
	}{
		{"2026-03-01 10:00:00 x\n", written, false},
		{"2026-03-01 10:00:00 x\n", written, true},
		{"2026-03-01 10:00:00 x\n", written.Add(1), false},
		{"2026-03-01T10:00:00 x\n", written.Add(1), false},
	} {
		before := c.get(ID{1, 2})
		f := scan.File{Stream: iotest.OneByteReader(strings.NewReader(step.text))}
		got := timesOf(t, c, f, File{ID: ID{1, 2}, ModTime: step.modTime, Zone: time.UTC}, wanted, step.text)
		if got[0] != "2026-03-01 10:00:00" || (c.get(ID{1, 2}) == before) != step.same {
			t.Errorf("step %d: %s", i, got)
		}
	}
}

// A live stream whose times only go with its lines is not waited for.
func TestALiveStreamIsNotWaitedFor(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	go func() { _, _ = io.WriteString(w, "no time here\n") }()
	if got := timesOf(t, NewCache(), scan.File{Stream: r}, File{ModTime: written}, wanted); got[0] != "no clock" {
		t.Error(got)
	}
}

func TestRanges(t *testing.T) {
	plain := "no time\n"
	for _, c := range []struct {
		since   time.Time
		modTime time.Time
		want    string // of the error
		opened  bool
	}{
		{written, written, ErrNoTimes.Error(), true},
		{written.Add(margin), written, ErrNoTimes.Error(), true},
		{written.Add(margin + 1), written, "", false},
		{written, time.Unix(0, 0), ErrNoTimes.Error(), true}, // of a reproducible archive: tells nothing
	} {
		opened := false
		inputs := []scan.Input{{Open: func() (scan.File, error) {
			opened = true
			return scan.File{At: strings.NewReader(plain), Size: int64(len(plain))}, nil
		}}}
		o := scan.Options{Mode: scan.Count, MaxCount: -1, Terminator: '\n', Since: c.since.UnixNano()}
		said := ""
		o.OnError = func(_ int, err error) { said = err.Error() }
		NewCache().Attach(inputs, func(int) File { return File{ModTime: c.modTime, Zone: time.UTC} }, false, &o)
		_, err := scan.Run(context.Background(), inputs, func() scan.Matcher { return nil }, o, func(*scan.Batch) error { return nil })
		if err == nil && (said != c.want || opened != c.opened) {
			t.Errorf("since %v, written %v: %q, opened %v", c.since, c.modTime, said, opened)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// A bug that a file's content meets in the detector is that file's error.
func TestAPanicIsTheFilesError(t *testing.T) {
	inputs := []scan.Input{{Open: func() (scan.File, error) { return scan.File{At: panicking{}, Size: 100}, nil }}}
	o := wanted
	NewCache().Attach(inputs, func(int) File { return File{} }, false, &o)
	_, err := inputs[0].Open()
	if p, ok := errors.AsType[*scan.PanicError](err); !ok || p.Value != "bug" {
		t.Error(err)
	}
}

type panicking struct{}

func (panicking) ReadAt([]byte, int64) (int, error) { panic("bug") }

func TestTheCacheIsBounded(t *testing.T) {
	c := NewCache()
	for i := range cacheFiles + 100 {
		c.keep(ID{1, uint64(i)}, &known{})
	}
	if len(c.known) != cacheFiles {
		t.Errorf("%d files are remembered", len(c.known))
	}
}

// A search without times is left as it is.
func TestOtherSearchesAreLeftAlone(t *testing.T) {
	opened := errors.New("opened")
	for _, o := range []scan.Options{{}, {Mode: scan.Count, Times: true}} {
		inputs := []scan.Input{{Open: func() (scan.File, error) { return scan.File{}, opened }}}
		NewCache().Attach(inputs, func(int) File { t.Error("asked"); return File{} }, false, &o)
		if _, err := inputs[0].Open(); err != opened || o.NewClock != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// A file may have the ID of an archive that is gone.
func TestIDOfAnArchive(t *testing.T) {
	c, id := NewCache(), ID{1, 2}
	text := strings.Repeat("2026-03-01T00:00:00Z a line\n", 400)
	if c.HeadForm([]byte(text), true, &File{ID: id, ModTime: time.Unix(1, 0)}, '\n') == nil {
		t.Fatal("no form")
	}
	short := text[:100]
	if form, err := c.Form(strings.NewReader(short), int64(len(short)), &File{ID: id, ModTime: time.Unix(2, 0)}); form == nil || err != nil {
		t.Errorf("%v, %v", form, err)
	}
}
