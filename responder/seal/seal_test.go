package seal

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Full blocks have the same number of lines; the rest of a window goes when that is over; the hand-over is
// exact; names and inodes may change.
func TestSealing(t *testing.T) {
	w := newWorld(t, 100)
	written := w.dated(0, 250)
	w.append("app.log", written+"no end yet")
	w.turn()
	blocks := w.s.Blocks()
	if len(blocks) != 2 || blocks[0].Lines != 100 || blocks[1].Lines != 100 || !blocks[0].Timed || blocks[0].Form != 7 {
		t.Fatalf("blocks of 100 of 250 lines: %+v", blocks)
	}
	w.append("app.log", "\n")
	written += "no end yet\n"
	w.holds(written)

	w.now = w.now.Add(2 * time.Hour)
	w.turn()
	if blocks = w.s.Blocks(); len(blocks) != 3 || blocks[2].Lines != 51 {
		t.Fatalf("the window is over: %+v", blocks)
	}
	w.reopen()
	more := w.dated(250, 120)
	w.append("app.log", more)
	written += more
	w.turn()
	w.holds(written)
	if n := len(w.s.Blocks()); n != 4 {
		t.Fatalf("%d blocks after a restart", n)
	}

	w.must(os.Rename(w.path("app.log"), w.path("app.log.1")))
	more = w.dated(1000, 10)
	w.append("app.log", more)
	written += more
	w.turn()
	w.holds(written)
	w.now = w.now.Add(2 * time.Hour)
	w.turn()
	w.zip("app.log.1")
	w.holds(written)
	if n := len(w.found()[w.path("app.log.1.gz")]); n != 0 {
		t.Errorf("%d lines come from the archive of a log that is sealed in full", n)
	}
	w.must(os.Remove(w.path("app.log.1.gz")))
	w.holds(written)
	w.must(os.Remove(w.path("app.log")))
	w.holds(written)
	w.reopen()
	w.holds(written)
	for _, b := range w.s.Blocks() {
		r, f, err := w.s.openBlock(b)
		w.must(err)
		w.must(r.Verify())
		w.must(f.Close())
	}
}

// Files of a service share blocks, by window.
func TestClustering(t *testing.T) {
	w := newWorld(t, 100)
	var written string
	for _, name := range []string{"app.a.log", "app.b.log", "other.log"} {
		text := w.dated(0, 60)
		w.now = w.now.Add(time.Hour)
		text += w.dated(60, 60)
		w.now = w.now.Add(-time.Hour)
		text = strings.ReplaceAll(text, "of it", "of "+name)
		text = strings.ReplaceAll(text, "of the", "of the "+name)
		w.append(name, text)
		written += text
	}
	w.now = w.now.Add(5 * time.Hour)
	w.turn()
	w.holds(written)
	lines := map[string][]int64{}
	for _, b := range w.s.Blocks() {
		lines[b.Service+" "+time.Unix(0, b.Window).UTC().Format("15:04")] = append(lines[b.Service+" "+time.Unix(0, b.Window).UTC().Format("15:04")], b.Lines)
		if b.MinTime < b.Window || b.MaxTime >= b.Window+b.Span {
			t.Errorf("times of %s are not in its window", b.ID)
		}
	}
	want := map[string][]int64{"app 12:00": {100, 20}, "app 13:00": {100, 20}, "other 12:00": {60}, "other 13:00": {60}}
	for k, v := range want {
		slices.Sort(lines[k])
		slices.Sort(v)
		if got := lines[k]; !slices.Equal(got, v) {
			t.Errorf("%s: blocks of %v lines, want %v", k, got, v)
		}
	}
	if len(lines) != len(want) {
		t.Errorf("blocks: %v", lines)
	}
}

// Copytruncate: while the copy is being made, it is nothing new; then it goes on with the log.
func TestCopyTruncate(t *testing.T) {
	w := newWorld(t, 50)
	written := w.dated(0, 400)
	w.append("app.log", written)
	w.turn()
	sealed := len(w.s.Blocks())
	w.append("app.log.1", written[:len(written)/2])
	w.turn()
	w.append("app.log.1", written[len(written)/2:])
	w.turn()
	w.now = w.now.Add(3 * time.Hour)
	w.turn()
	if n := len(w.s.Blocks()); n > sealed+1 {
		t.Errorf("the copy was sealed: %d blocks, %d before", n, sealed)
	}
	w.must(os.Truncate(w.path("app.log"), 0))
	w.holds(written)
	more := w.dated(2000, 500)
	w.append("app.log", more)
	written += more
	w.holds(written)
	w.turn()
	w.holds(written)
	w.must(os.Remove(w.path("app.log.1")))
	w.holds(written)
	w.must(os.Remove(w.path("app.log")))
	w.now = w.now.Add(3 * time.Hour)
	w.turn()
	if n := len(all(w.found())); n < 800 {
		t.Errorf("%d lines are left of 900", n)
	}
}

// What a log's archive has beyond what was sealed is not lost, and nothing is double.
func TestArchiveOfPartlySealed(t *testing.T) {
	w := newWorld(t, 100)
	written := w.dated(0, 330)
	w.append("app.log", written)
	w.turn()
	w.zip("app.log")
	w.holds(written)
	w.append("app.log", "another log, without any times\n")
	w.holds(written + "another log, without any times\n")
}

// Lines without times have windows by arrival; short logs without times wait.
func TestTimeless(t *testing.T) {
	w := newWorld(t, 100)
	w.append("timeless.log", strings.Repeat("short\n", 10))
	w.now = w.now.Add(3 * time.Hour)
	w.turn()
	if n := len(w.s.Blocks()); n != 0 {
		t.Fatalf("%d blocks of a log that cannot be told from others", n)
	}
	text := strings.Repeat("no times at all in this long line\n", 150)
	w.append("timeless.log", text)
	w.turn()
	w.now = w.now.Add(3 * time.Hour)
	w.append("timeless.log", "one more\n")
	w.turn()
	if n := len(w.s.Blocks()); n != 2 {
		t.Fatalf("%d blocks", n)
	}
	for _, b := range w.s.Blocks() {
		if b.Timed {
			t.Errorf("%v has times", b.ID)
		}
	}
	w.holds(strings.Repeat("short\n", 10) + text + "one more\n")
}

// A damaged block is never believed: that is said, and the live file has the lines.
func TestDamage(t *testing.T) {
	w := newWorld(t, 100)
	written := w.dated(0, 300)
	w.append("app.log", written)
	w.turn()
	name := w.s.path(w.s.Blocks()[1].ID)
	bytes, err := os.ReadFile(name)
	w.must(err)
	bytes[len(bytes)-endBytes-20] ^= 1
	w.must(os.WriteFile(name, bytes, 0o600))
	w.reopen()
	if d := w.s.Damaged(); len(d) != 1 || !strings.Contains(w.said.String(), "put aside") {
		t.Fatalf("damaged: %v", d)
	}
	w.holds(written)
	w.reopen()
	if d := w.s.Damaged(); len(d) != 1 || filepath.Ext(d[0].Name) != suffixDamaged {
		t.Fatalf("damaged, the next time: %v", d)
	}
	w.turn()
	w.holds(written)
}

// A line that no block has room for ends the sealing of its log, which says so.
func TestTooLongALine(t *testing.T) {
	w := newWorld(t, 10)
	before, long, after := w.dated(0, 20), strings.Repeat("x", maxLine+10)+"\n", w.dated(100, 20)
	w.append("app.log", before+long+after)
	w.turn()
	w.turn()
	if n := len(w.s.Blocks()); n != 2 || strings.Count(w.said.String(), "too long") != 1 {
		t.Errorf("%d blocks; %s", n, &w.said)
	}
	w.holds(before + long + after)
}

// A log that is more than a Turn looks at is sealed to its end all the same, in blocks of the same number of
// lines.
func TestManyTurns(t *testing.T) {
	before := turnBytes
	turnBytes = 3000
	defer func() { turnBytes = before }()
	w := newWorld(t, 50)
	text := w.dated(0, 1020)
	w.append("app.log", text)
	w.now = w.now.Add(3 * time.Hour)
	w.turn()
	w.must(os.Remove(w.path("app.log")))
	w.holds(text)
	for i, b := range w.s.Blocks() {
		if b.Lines != 50 && b.Lines != 20 {
			t.Errorf("block %d of %d has %d lines", i, len(w.s.Blocks()), b.Lines)
		}
	}
	if n := len(w.s.Blocks()); n != 21 {
		t.Errorf("%d blocks", n)
	}
}
