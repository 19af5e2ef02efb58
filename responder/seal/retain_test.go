package seal

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Blocks whose age is over go, those of a log from its start on; what a file that is there still
// has is found.
func TestRetentionByAge(t *testing.T) {
	w := newWorld(t, 50)
	w.o.Age = 24 * time.Hour
	w.reopen()
	old := w.dated(0, 200)
	w.append("gone.log", old)
	w.append("app.log", strings.ReplaceAll(old, " of ", " of another "))
	w.now = w.now.Add(2 * time.Hour)
	w.turn()
	w.must(os.Remove(w.path("gone.log")))
	w.now = w.now.Add(20 * time.Hour)
	young := w.dated(500, 60)
	w.append("app.log", young)
	w.turn()
	w.holds(old + strings.ReplaceAll(old, " of ", " of another ") + young)
	w.now = w.now.Add(10 * time.Hour)
	w.turn()
	w.holds(strings.ReplaceAll(old, " of ", " of another ") + young)
	for _, b := range w.s.Blocks() {
		if b.Service == "gone" || b.MaxTime < w.now.Add(-24*time.Hour).UnixNano() {
			t.Errorf("%v of %s is too old", b.ID, b.Service)
		}
	}
	w.now = w.now.Add(72 * time.Hour)
	w.turn()
	w.reopen()
	w.turn()
	if n := len(w.s.Blocks()); n != 0 {
		t.Errorf("%d blocks that are all too old", n)
	}
	w.holds(strings.ReplaceAll(old, " of ", " of another ") + young)
	files, err := os.ReadDir(w.store)
	w.must(err)
	if len(files) != 1 { // the lock
		t.Errorf("left over: %v", files)
	}
}

// A log whose first blocks are gone begins where the others do, and keeps its numbers.
func TestStartOfALogThatLostBlocks(t *testing.T) {
	w := newWorld(t, 50)
	text := w.dated(0, 200)
	w.append("app.log", text)
	w.now = w.now.Add(2 * time.Hour)
	w.turn()
	w.must(os.Remove(w.path("app.log")))
	w.s.drop(w.s.logs[w.s.Blocks()[0].Runs[0].Log].parts[0].block.ID)
	lines := strings.SplitAfter(text, "\n")
	w.holds(strings.Join(lines[50:], ""))
	v := w.s.View()
	defer v.Close()
	l := v.Logs()[0]
	bytes, before := v.Text(l, nil, 0).Start()
	if bytes != int64(len(strings.Join(lines[:50], ""))) || before != 50 {
		t.Errorf("it begins at byte %d, line %d", bytes, before)
	}
}

// A View keeps what is dropped while it is open.
func TestDropUnderAView(t *testing.T) {
	w := newWorld(t, 50)
	text := w.dated(0, 100)
	w.append("app.log", text)
	w.turn()
	w.must(os.Remove(w.path("app.log")))
	v := w.s.View()
	l := v.Logs()[0]
	for _, b := range w.s.Blocks() {
		w.s.drop(b.ID)
	}
	w.holds("")
	if got := string(w.read(v, l, nil, 0)); got != text {
		t.Errorf("%d bytes of %d are read while a view has them", len(got), len(text))
	}
	v.Close()
	if files, _ := os.ReadDir(w.store); len(files) != 1 {
		t.Errorf("left over: %v", files)
	}
}

// By size: the oldest blocks make room; where none may go, nothing is sealed, that is said, and no line is
// lost.
func TestRetentionBySize(t *testing.T) {
	w := newWorld(t, 50)
	var written string
	for i := range 10 {
		text := w.dated(i*100, 100)
		w.append("app.log", text)
		written += text
		w.now = w.now.Add(2 * time.Hour)
	}
	w.turn()
	w.must(os.Rename(w.path("app.log"), w.path("app.log.1")))
	all := len(w.s.Blocks())
	var size int64
	for _, b := range w.s.Blocks() {
		size += w.s.size(b)
	}
	w.o.Most = size / 2
	w.reopen()
	w.turn()
	w.holds(written)
	if n := len(w.s.Blocks()); n >= all || n < all/3 {
		t.Errorf("%d blocks of %d in half of the room", n, all)
	}
	w.o.Most = 10
	w.reopen()
	text := w.dated(5000, 100)
	w.append("app.log", text)
	if _, err := w.z.Turn(context.Background()); err == nil || !strings.Contains(w.s.Refused(), "none of them may go") {
		t.Errorf("%v; refused: %q", err, w.s.Refused())
	}
	w.holds(written + text)
}

// A disk that is full: nothing is sealed, that is said once, no line is lost, and nothing is left over; when
// there is room again, it goes on.
func TestFullDisk(t *testing.T) {
	defer noFaults()
	w := newWorld(t, 100)
	text := w.dated(0, 250)
	w.append("app.log", text)
	step = func(name string) error {
		if name == "frame written" {
			return syscall.ENOSPC
		}
		return nil
	}
	for range 3 {
		if _, err := w.z.Turn(context.Background()); !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	if !strings.Contains(w.s.Refused(), "no space left") || strings.Count(w.said.String(), "nothing is sealed") != 1 {
		t.Errorf("refused: %q; said: %s", w.s.Refused(), &w.said)
	}
	if files, _ := os.ReadDir(w.store); len(files) != 1 {
		t.Errorf("left over: %v", files)
	}
	w.holds(text)
	noFaults()
	w.turn()
	w.holds(text)
	if n := len(w.s.Blocks()); n != 2 || w.s.Refused() != "" {
		t.Errorf("%d blocks when there is room again; %q", n, w.s.Refused())
	}
}

// idleWorld is a service of which one file has been idle for as many hours, while another one was written to.
func idleWorld(t *testing.T, hours int) (w *world, idle, busy string) {
	w = newWorld(t, 40)
	idle = strings.ReplaceAll(w.dated(0, 30), " of ", " of the idle ")
	w.append("app.idle.log", idle)
	for i := range hours {
		text := w.dated(100*i, 50)
		w.append("app.log", text)
		busy += text
		w.now = w.now.Add(time.Hour)
		if i == 3 {
			w.turn()
		}
	}
	return w, idle, busy
}

// A file that is idle does not keep its service's blocks beyond their age; nothing of it is found twice or
// sealed again, and it goes on being sealed when it goes on.
func TestIdleLogKeepsNoOldBlocks(t *testing.T) {
	w, idle, busy := idleWorld(t, 60)
	w.o.Age = 24 * time.Hour
	w.reopen()
	young := func(after string) {
		t.Helper()
		w.turn()
		w.holds(idle + busy)
		for _, b := range w.s.Blocks() {
			if b.MaxTime < w.now.Add(-27*time.Hour).UnixNano() {
				t.Errorf("%s: a block is %v old", after, w.now.Sub(time.Unix(0, b.MaxTime)))
			}
		}
	}
	young("dropped")
	if len(w.s.Blocks()) == 0 {
		t.Error("no block is left")
	}
	w.reopen()
	young("restarted")
	more := strings.ReplaceAll(w.dated(7000, 90), " of ", " of the idle ")
	w.append("app.idle.log", more)
	idle += more
	w.now = w.now.Add(3 * time.Hour)
	young("gone on")
	w.must(os.Remove(w.path("app.idle.log")))
	idle = more
	w.holds(idle + busy)
}

// A tail whose log has lost its last block goes on where it was, in the same process.
func TestIdleLogGoesOn(t *testing.T) {
	w, idle, busy := idleWorld(t, 10)
	w.o.Age = 24 * time.Hour
	w.reopen()
	w.turn()
	w.now = w.now.Add(48 * time.Hour)
	w.turn()
	if n := len(w.s.Blocks()); n != 0 {
		t.Fatalf("%d blocks that are all too old", n)
	}
	w.holds(idle + busy)
	more := strings.ReplaceAll(w.dated(7000, 90), " of ", " of the idle ")
	w.append("app.idle.log", more)
	w.now = w.now.Add(3 * time.Hour)
	w.turn()
	w.holds(idle + more + busy)
	w.must(os.Rename(w.path("app.idle.log"), w.path("app.idle.log.1")))
	w.zip("app.idle.log.1")
	w.holds(idle + more + busy)
	w.must(os.Remove(w.path("app.idle.log.1.gz")))
	w.holds(more + busy)
}

// Nor does it end all sealing when the blocks take what they may.
func TestIdleLogLeavesRoom(t *testing.T) {
	w, idle, busy := idleWorld(t, 40)
	w.o.Most = 24 << 10
	w.reopen()
	w.turn()
	w.holds(idle + busy)
	newest := int64(0)
	for _, b := range w.s.Blocks() {
		newest = max(newest, b.Window)
	}
	if want := w.now.Add(-2 * time.Hour).UnixNano(); newest < want || w.s.Refused() != "" {
		t.Errorf("the newest block is of %v, it is %v; refused: %q", time.Unix(0, newest).UTC(), w.now, w.s.Refused())
	}
}

// A log that was cut, or whose inode another file has, keeps no block: no file goes on with it.
func TestOtherLogWithTheInode(t *testing.T) {
	w := newWorld(t, 50)
	w.o.Age = 24 * time.Hour
	w.reopen()
	w.append("app.log", w.dated(0, 200))
	w.now = w.now.Add(2 * time.Hour)
	w.turn()
	w.must(os.Truncate(w.path("app.log"), 0))
	w.now = w.now.Add(25 * time.Hour)
	text := w.dated(1000, 10)
	w.append("app.log", text)
	w.turn()
	if n := len(w.s.Blocks()); n != 0 {
		t.Errorf("%d blocks of a log that nothing goes on with", n)
	}
	w.holds(text)
}

// While there is no room for a block, its lines are not read over and over; when there is, they are sealed.
func TestNoRoomReadsNothing(t *testing.T) {
	quickly(t)
	w := newWorld(t, 20)
	text := w.dated(0, 100)
	w.append("app.log", text)
	w.now = w.now.Add(3 * time.Hour)
	room, opened := int64(0), 0
	open := w.o.Open
	w.o.Open = func(ctx context.Context, c Candidate) (Opened, error) {
		opened++
		return open(ctx, c)
	}
	w.o.Room = func(more int64) error {
		if more > room {
			return errors.New("no room")
		}
		return nil
	}
	w.reopen()
	for i := range 4 {
		if _, err := w.z.Turn(context.Background()); err == nil {
			t.Fatal("it is sealed")
		}
		if i == 1 {
			opened = 0
		}
	}
	if opened > 0 {
		t.Errorf("opened %d times more for what has no room", opened)
	}
	room = 1 << 20
	w.turn()
	w.must(os.Remove(w.path("app.log")))
	w.holds(text)
}
