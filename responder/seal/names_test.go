package seal

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// oddNames are of archives that rotation makes, and that no list of rotation's marks has.
var oddNames = []string{
	"app-2016-11-04T18-30-00.000.log", // lumberjack
	"app.2026-07-30.0.log",            // logback
	"app-07-30-2026-1.log",            // log4j2
	"app.log.2026-07-30-10-15",
}

// A log that is packed under whatever name is not found twice, and its archive is unpacked once to be told
// from others.
func TestArchiveOfAnyName(t *testing.T) {
	for _, lines := range []int{40, 300} { // less than a fingerprint, and more
		for _, name := range oddNames {
			w := newWorld(t, 20)
			written := w.dated(0, lines)
			w.append("app.log", written)
			w.now = w.now.Add(2 * time.Hour)
			w.turn()
			w.must(os.Rename(w.path("app.log"), w.path(name)))
			w.holds(written)
			w.zip(name)
			w.holds(written)
			if n := len(w.found()[w.path(name+".gz")]); n != 0 {
				t.Errorf("%s: %d lines come from the archive of a log that is sealed in full", name, n)
			}
		}
	}
}

// A copy of whatever name goes on with the log that is cut; it is not another log.
func TestCopyOfAnyName(t *testing.T) {
	for _, name := range oddNames {
		w := newWorld(t, 50)
		written := w.dated(0, 300)
		w.append("app.log", written)
		w.turn()
		w.append(name, written)
		w.must(os.Truncate(w.path("app.log"), 0))
		w.holds(written)
		w.now = w.now.Add(3 * time.Hour)
		w.turn()
		w.holds(written)
		w.must(os.Remove(w.path(name)))
		w.holds(written)
	}
}

// What an archive begins with is looked at once, however many logs are gone; and not at all for somebody who
// has left.
func TestArchivesAreUnpackedOnce(t *testing.T) {
	w := newWorld(t, 50)
	for _, name := range []string{"a.log", "b.log", "c.log"} {
		w.append(name, strings.ReplaceAll(w.dated(0, 300), " of ", " of "+name+" "))
	}
	w.now = w.now.Add(3 * time.Hour)
	w.turn()
	for _, name := range []string{"a.log", "b.log", "c.log"} {
		w.must(os.Remove(w.path(name)))
	}
	unpacked := 0
	file := File{Identity: Identity{Dev: 1, Ino: 2}, Path: "z.log", Size: 9, Content: func() (io.ReadCloser, error) {
		unpacked++
		return io.NopCloser(strings.NewReader(strings.Repeat("another log\n", 1000))), nil
	}}
	v := w.s.View()
	defer v.Close()
	left, cancel := context.WithCancel(context.Background())
	cancel()
	v.Match(left, []File{file}, w.s.Mark(), nil, family)
	if unpacked != 0 {
		t.Errorf("unpacked %d times for nobody", unpacked)
	}
	for range 2 {
		if m := v.Match(context.Background(), []File{file}, w.s.Mark(), nil, family); len(m.Gone) != 3 || m.Twice[0] {
			t.Errorf("%d logs are gone; twice: %v", len(m.Gone), m.Twice)
		}
	}
	if unpacked != 1 {
		t.Errorf("unpacked %d times", unpacked)
	}
}

// leaver ends a context when so much was read of it.
type leaver struct {
	leave context.CancelFunc
	r     io.Reader
	read  int
}

func (l *leaver) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.read += n; l.read > 2*printBytes {
		l.leave()
	}
	return n, err
}

// An archive is not unpacked to its end for somebody who leaves meanwhile.
func TestUnpackingEndsWithTheQuery(t *testing.T) {
	w := newWorld(t, 8000)
	text := w.dated(0, 8000)
	w.append("app.log", text)
	w.turn()
	w.must(os.Remove(w.path("app.log")))
	ctx, cancel := context.WithCancel(context.Background())
	l := &leaver{leave: cancel, r: strings.NewReader(text)}
	v := w.s.View()
	defer v.Close()
	file := File{Identity: Identity{Dev: 1, Ino: 2}, Path: "app.log", Size: 9, Content: func() (io.ReadCloser, error) { return io.NopCloser(l), nil }}
	v.Match(ctx, []File{file}, w.s.Mark(), nil, family)
	if l.read > len(text)/2 {
		t.Errorf("%d bytes of %d were unpacked for nobody", l.read, len(text))
	}
}

// A file that cannot be read at the moment is not one that is gone.
func TestUnreadableIsNotGone(t *testing.T) {
	w := newWorld(t, 50)
	w.append("app.log", w.dated(0, 300))
	w.turn()
	v := w.s.View()
	defer v.Close()
	id := identityOf(w.path("app.log"))
	file := File{Identity: Identity{Dev: id.Dev, Ino: id.Ino}, Unread: true}
	if m := v.Match(context.Background(), []File{file}, w.s.Mark(), nil, family); len(m.Gone) != 0 || m.Of[0] != nil {
		t.Errorf("%d logs are gone; the file is of %v", len(m.Gone), m.Of[0])
	}
}

// Logs that begin with the same banner, longer than what a log is known by, are sealed each, whether their programs run side by
// side or one after the other; a copy in the making of one is not.
func TestSameBanner(t *testing.T) {
	quickly(t)
	w := newWorld(t, 20)
	banner := strings.Repeat("a line of a banner that every instance prints at its start\n", 100)
	if len(banner) < printBytes+1000 {
		t.Fatal("it is too short")
	}
	text := ""
	add := func(name, more string) {
		w.append(name, more)
		text += more
	}
	add("app.log", banner+w.dated(0, 90))
	add("web.log", banner+w.dated(1000, 50))
	add("db.log", banner+w.dated(2000, 50)) // as long, and of other lines
	w.now = w.now.Add(3 * time.Hour)
	for range 4 { // one may wait for another
		w.turn()
	}
	w.holds(text)
	w.must(os.Rename(w.path("app.log"), w.path("app.log.1")))
	add("app.log", banner+w.dated(3000, 40)) // the program was started anew
	w.now = w.now.Add(3 * time.Hour)
	for range 4 {
		w.turn()
	}
	w.holds(text)

	whole, err := os.ReadFile(w.path("web.log"))
	w.must(err)
	blocks := len(w.s.Blocks())
	for _, part := range []int{len(banner), len(banner) + 100, len(whole) - 10} { // a copy is made, elsewhere
		w.must(os.WriteFile(w.path("copy.log"), whole[:part], 0o600))
		w.now = w.now.Add(3 * time.Hour)
		w.turn()
		if n := len(w.s.Blocks()); n != blocks {
			t.Errorf("%d bytes of a copy are sealed", part)
		}
		w.must(os.WriteFile(w.path("copy.log"), append(whole[:part:part], make([]byte, 8<<10)...), 0o600)) // its room is taken first
		w.turn()
		if n := len(w.s.Blocks()); n != blocks {
			t.Errorf("%d bytes of a copy that has its size already are sealed", part)
		}
	}
	if n := strings.Count(w.said.String(), "copy.log"); n != 1 {
		t.Errorf("it is said %d times that it is taken for a copy", n)
	}
	for _, name := range []string{"app.log", "app.log.1", "web.log", "db.log", "copy.log"} {
		w.must(os.Remove(w.path(name)))
	}
	w.holds(text)
}
