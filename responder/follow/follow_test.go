package follow

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/source"
)

// bench is a directory of logs and one who follows them.
type bench struct {
	t    *testing.T
	dir  string
	f    *Follower
	got  []string // lines, and "cut" for a cut, each with its file's base name in front
	past map[string]int64
	now  time.Time
}

func newBench(t *testing.T, glob string, o Options) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), past: map[string]int64{}, now: time.Unix(1e9, 0)}
	catalog, err := source.NewCatalog(source.Options{Sources: []source.Source{{Globs: []string{b.dir + "/" + glob}}}})
	if err != nil {
		t.Fatal(err)
	}
	filter, err := source.Selection{}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	o.Catalog, o.Filter = catalog, filter
	if o.Terminator == 0 {
		o.Terminator = '\n'
	}
	b.f = New(o)
	t.Cleanup(b.f.Close)
	return b
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) append(name, text string) {
	b.t.Helper()
	f, err := os.OpenFile(b.path(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	b.must(err)
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) start() {
	b.t.Helper()
	past, err := b.f.Start(b.t.Context())
	b.must(err)
	for _, p := range past {
		b.past[filepath.Base(p.Entry.Path)] = p.Size
	}
}

func (b *bench) look() { b.t.Helper(); b.must(b.f.Look(b.t.Context())) }

func (b *bench) poll(names ...string) {
	b.t.Helper()
	var touched map[string]bool
	for _, n := range names {
		if touched == nil {
			touched = map[string]bool{}
		}
		touched[b.path(n)] = true
	}
	b.must(b.f.Poll(b.t.Context(), touched, b.now, b.take))
}

func (b *bench) take(p *Piece) error {
	name := filepath.Base(p.Entry.Path)
	if p.Cut {
		b.got = append(b.got, name+" cut")
		return nil
	}
	if !bytes.HasSuffix(p.Text, []byte{b.f.o.Terminator}) {
		b.t.Errorf("a piece does not end a line: %q", p.Text)
	}
	for i, line := range bytes.Split(bytes.TrimSuffix(p.Text, []byte{b.f.o.Terminator}), []byte{b.f.o.Terminator}) {
		text := name + " " + string(line)
		if b.f.o.Numbers {
			text = fmt.Sprintf("%s:%d:%d %s", name, p.Line+int64(i), p.Offset, line)
		}
		b.got = append(b.got, text)
	}
	return nil
}

// gave compares what was given since the last call.
func (b *bench) gave(want ...string) {
	b.t.Helper()
	if !slices.Equal(b.got, want) {
		b.t.Errorf("gave %q, want %q", b.got, want)
	}
	b.got = nil
}

func TestAppended(t *testing.T) {
	b := newBench(t, "*.log", Options{Numbers: true})
	b.append("a.log", "one\ntwo\nthr")
	b.append("b.log", "")
	b.start()
	if b.past["a.log"] != 8 || b.past["b.log"] != 0 {
		t.Errorf("begins at %v", b.past)
	}
	b.poll()
	b.gave()
	b.append("a.log", "ee\n")
	b.append("b.log", "x")
	b.poll()
	b.gave("a.log:3:8 three")
	b.append("b.log", "y\nz")
	b.append("a.log", "four\nfive\nsix")
	b.poll("b.log")
	b.gave("b.log:1:0 xy")
	b.poll("a.log")
	b.gave("a.log:4:14 four", "a.log:5:14 five")
}

func TestRenamedAndCreated(t *testing.T) {
	b := newBench(t, "app.log*", Options{})
	b.append("app.log", "old\n")
	b.start()
	b.append("app.log", "1\n2\npart")
	b.must(os.Rename(b.path("app.log"), b.path("app.log.1")))
	b.append("app.log.1", "ial\n3\n") // the writer has not heard of it yet
	b.append("app.log", "4\n")
	b.look()
	b.poll("app.log")
	b.gave("app.log 1", "app.log 2", "app.log partial", "app.log 3", "app.log 4")
	b.append("app.log.1", "late\n")
	b.poll()
	b.gave("app.log late")

	b.must(os.Remove(b.path("app.log")))
	b.append("app.log", "5\n")
	b.look()
	b.poll()
	b.gave("app.log 5")
}

// What was written in the middle of a line when its file was deleted is given when nobody will end it.
// The older of two files that a look finds is renamed before the look opens it.
func TestRenamedUnderALook(t *testing.T) {
	b := newBench(t, "app.log*", Options{})
	b.append("app.log", "")
	b.start()
	b.must(os.Rename(b.path("app.log"), b.path("app.log.1")))
	b.append("app.log.1", "1\n")
	b.append("app.log", "2\n")
	b.must(os.Rename(b.path("app.log.1"), b.path("app.log.2")))
	b.must(os.Rename(b.path("app.log"), b.path("app.log.1")))
	b.append("app.log", "3\n")
	opened := 0
	b.f.opening = func(e *source.Entry) {
		if opened++; opened > 1 {
			return
		}
		if name := filepath.Base(e.Path); name != "app.log.1" {
			t.Errorf("%s is opened first", name)
		}
		b.must(os.Rename(b.path("app.log.2"), b.path("app.log.3")))
		b.must(os.Rename(b.path("app.log.1"), b.path("app.log.2")))
	}
	b.look()
	b.poll()
	b.gave("app.log 1", "app.log.2 2", "app.log 3")

	// One that is deleted holds nothing up.
	b.must(os.Rename(b.path("app.log"), b.path("app.log.1")))
	b.append("app.log", "4\n")
	b.f.opening = func(e *source.Entry) { _ = os.Remove(e.Real()) }
	b.look()
	b.poll()
	b.gave()
}

func TestDeletedWithoutNewline(t *testing.T) {
	b := newBench(t, "app.log", Options{})
	b.append("app.log", "")
	b.start()
	b.append("app.log", "1\nno end")
	b.must(os.Remove(b.path("app.log")))
	b.look()
	b.poll()
	b.gave("app.log 1")
	b.now = b.now.Add(retireAfter)
	b.poll()
	b.gave("app.log no end")
	if len(b.f.logs) != 0 || b.f.open != 0 {
		t.Errorf("%d files are followed, %d open", len(b.f.logs), b.f.open)
	}
}

// A log that has been quiet for long is read on as any other when its name has gone.
func TestDeletedAfterALongTime(t *testing.T) {
	b := newBench(t, "app.log", Options{})
	b.append("app.log", "")
	w, err := os.OpenFile(b.path("app.log"), os.O_WRONLY|os.O_APPEND, 0)
	b.must(err)
	defer w.Close()
	b.start()
	b.poll()
	b.now = b.now.Add(10 * retireAfter)
	b.must(os.Remove(b.path("app.log")))
	b.look()
	b.poll()
	_, err = w.WriteString("late\n")
	b.must(err)
	b.poll()
	b.gave("app.log late")
}

// Each of several cuts that no round saw is told, and what was written between them comes in order.
func TestCutTwice(t *testing.T) {
	b := newBench(t, "app.log*", Options{Numbers: true})
	b.append("app.log", "")
	b.start()
	b.append("app.log", "1\n2\n")
	b.poll()
	b.append("app.log", "3\n")
	b.copyTruncate("app.log", "app.log.1")
	b.append("app.log", "4\n5\n")
	b.must(os.Rename(b.path("app.log.1"), b.path("app.log.2")))
	b.copyTruncate("app.log", "app.log.1")
	b.append("app.log", "6\n")
	b.poll()
	b.gave("app.log:1:0 1", "app.log:2:0 2", "app.log:3:4 3", "app.log cut", "app.log:1:0 4", "app.log:2:0 5", "app.log cut", "app.log:1:0 6")
	b.append("app.log.1", "late\n") // nobody does
	b.poll()
	b.gave("app.log.1:3:4 late")
}

// Of copies that were written at the same time their names tell which is older.
func TestOlder(t *testing.T) {
	for _, names := range [][]string{
		{"/v/app.log.10", "/v/app.log.2", "/v/app.log.1", "/v/app.log"},
		{"/v/app.log-20260101", "/v/app.log-20260102", "/v/app.log-20260210"},
		{"/v/app-20260101.log", "/v/app-20260102.log"},
	} {
		for i := range names[1:] {
			a, b := &source.Entry{Path: names[i]}, &source.Entry{Path: names[i+1]}
			if Older(a, b) >= 0 || Older(b, a) <= 0 {
				t.Errorf("%s does not count as older than %s", a.Path, b.Path)
			}
		}
	}
	if a, b := (&source.Entry{Path: "/v/app.log.1", ModTime: time.Unix(1, 0)}), (&source.Entry{Path: "/v/app.log.2", ModTime: time.Unix(2, 0)}); Older(a, b) >= 0 {
		t.Error("a file that was written earlier does not count as older")
	}
}

// What is called like a copy of a log and is none is followed as any other.
func TestCalledLikeACopy(t *testing.T) {
	b := newBench(t, "worker*", Options{})
	b.append("worker.log", "old\n")
	b.start()
	b.append("worker.log.1", "1\n")
	b.look()
	b.poll()
	b.gave("worker.log.1 1")
	b.append("worker.log", "new\n")
	b.append("worker.log.1", "2\n")
	b.poll()
	b.gave("worker.log new", "worker.log.1 2")
}

// A copy in the making when following begins has nothing that is new.
func TestCopyInTheMakingAtTheStart(t *testing.T) {
	b := newBench(t, "app.log*", Options{})
	b.append("app.log", "1\n2\n3\n")
	b.append("app.log.1", "1\n")
	b.start()
	b.append("app.log", "4\n")
	b.append("app.log.1", "2\n3\n4\n")
	b.must(os.Truncate(b.path("app.log"), 0))
	b.append("app.log", "5\n")
	b.look()
	b.poll()
	b.gave("app.log 4", "app.log cut", "app.log 5")
}

func (b *bench) copyTruncate(name, to string) {
	b.t.Helper()
	text, err := os.ReadFile(b.path(name))
	b.must(err)
	b.must(os.WriteFile(b.path(to), text, 0o600))
	b.must(os.Truncate(b.path(name), 0))
}

func TestCopiedAndCut(t *testing.T) {
	b := newBench(t, "app.log*", Options{})
	b.append("app.log", "old\n")
	b.start()
	b.append("app.log", "1\n2\n")
	b.poll()
	b.append("app.log", "3\n")
	b.copyTruncate("app.log", "app.log.1")
	b.append("app.log", "4\n")
	b.poll("app.log")
	b.gave("app.log 1", "app.log 2", "app.log 3", "app.log cut", "app.log 4")

	// It grew beyond its old size before anybody looked.
	b.append("app.log", "5\n")
	b.must(os.Rename(b.path("app.log.1"), b.path("app.log.2")))
	b.copyTruncate("app.log", "app.log.1")
	b.append("app.log", "6 is a longer line\n")
	b.look()
	b.poll()
	b.gave("app.log 5", "app.log cut", "app.log 6 is a longer line")

	// The copy was found, empty, before it was written.
	b.must(os.Rename(b.path("app.log.1"), b.path("app.log.3")))
	b.append("app.log", "7\n")
	b.append("app.log.1", "")
	b.look()
	b.poll()
	b.gave("app.log 7")
	b.append("app.log", "8\n")
	b.copyTruncate("app.log", "app.log.1")
	b.append("app.log", "9\n")
	b.poll()
	b.gave("app.log 8", "app.log cut", "app.log 9")

	// Nothing was copied.
	b.append("app.log", "lost\n")
	b.must(os.Truncate(b.path("app.log"), 0))
	b.poll()
	b.gave("app.log cut")
	b.append("app.log", "10\n")
	b.poll()
	b.gave("app.log 10")
}

// Wherever rounds fall between the steps of copytruncate, each line comes once and in order, and each cut
// is told, of a log of which nothing was read as well.
func TestCopiedAndCutByTurns(t *testing.T) {
	const written, shifted, created, copied, turns = 1, 2, 4, 8, 5
	for rounds := range 32 { // a bit for each step that a round follows; 16: the cut
		t.Run(fmt.Sprintf("%05b", rounds), func(t *testing.T) {
			b := newBench(t, "app.log*", Options{})
			b.append("app.log", "")
			b.start()
			var want []string
			after := func(step int) {
				if rounds&step != 0 {
					b.look()
					b.poll()
				}
			}
			for turn := range turns {
				var text strings.Builder
				for i := range 50 {
					want = append(want, fmt.Sprintf("line %d", 50*turn+i))
					text.WriteString(want[len(want)-1] + "\n")
				}
				b.append("app.log", text.String())
				after(written)
				for i := turn; i > 0; i-- {
					b.must(os.Rename(b.path(fmt.Sprint("app.log.", i)), b.path(fmt.Sprint("app.log.", i+1))))
					after(shifted)
				}
				b.append("app.log.1", "")
				after(created)
				b.append("app.log.1", text.String())
				after(copied)
				b.must(os.Truncate(b.path("app.log"), 0))
				after(16)
				b.look()
				b.poll()
			}
			b.append("app.log", "last\n")
			b.poll("app.log")
			var lines []string
			cuts := 0
			for _, g := range b.got {
				line, ok := strings.CutPrefix(g, "app.log ")
				switch {
				case !ok:
					t.Errorf("gave %q", g)
				case line == "cut":
					cuts++
				default:
					lines = append(lines, line)
				}
			}
			if !slices.Equal(lines, append(want, "last")) || cuts != turns {
				t.Errorf("gave %q", b.got)
			}
		})
	}
}

// The copy is known before anything of the original was read, which is cut before it is.
func TestCutBeforeItIsRead(t *testing.T) {
	b := newBench(t, "app.log*", Options{})
	b.append("app.log", "")
	b.start()
	b.append("app.log", "1\n2\n")
	b.append("app.log.1", "1\n2\n")
	b.look()
	b.must(os.Truncate(b.path("app.log"), 0))
	b.append("app.log", "3\n4\n5\n")
	b.poll()
	b.gave("app.log 1", "app.log 2", "app.log cut", "app.log 3", "app.log 4", "app.log 5")
}

// A log that was cut unseen and begins again with what it began with has not what its copy has, which comes first.
func TestCutUnreadAndBeginsAlike(t *testing.T) {
	b := newBench(t, "app.log*", Options{})
	head := strings.Repeat("x", headBytes)
	b.append("app.log", "")
	b.start()
	b.append("app.log", head+"\n1\n")
	b.copyTruncate("app.log", "app.log.1")
	b.append("app.log", head+"\n2\n")
	b.look()
	b.poll()
	b.gave("app.log "+head, "app.log 1", "app.log cut", "app.log "+head, "app.log 2")
}

// A writer that does not append leaves a hole where the file was cut.
func TestCutUnderAWriterThatDoesNotAppend(t *testing.T) {
	b := newBench(t, "app.log", Options{})
	w, err := os.Create(b.path("app.log"))
	b.must(err)
	defer w.Close()
	_, err = w.WriteString(strings.Repeat("line\n", 4000))
	b.must(err)
	b.start()
	b.must(os.Truncate(b.path("app.log"), 0))
	_, err = w.WriteString("after\n")
	b.must(err)
	b.poll()
	b.gave("app.log cut", "app.log after")
}

// An archive is not followed, nor is what takes its inode later left out.
func TestArchives(t *testing.T) {
	b := newBench(t, "app*", Options{})
	b.append("app.log", "old\n")
	b.append("app.log.2.gz", "\x1f\x8b\x08\x00 and so on\n")
	b.start()
	b.append("app.log.1.gz", "\x1f\x8b\x08\x00 and so on\n")
	b.look()
	b.append("app.log.1.gz", "more\n")
	b.poll()
	b.gave()
	b.must(os.WriteFile(b.path("app.log.1.gz"), []byte("text\n"), 0o600)) // the same inode
	b.must(os.Rename(b.path("app.log.1.gz"), b.path("app-new.log")))
	b.look()
	b.poll()
	b.gave("app-new.log text")
}

func TestLongLine(t *testing.T) {
	b := newBench(t, "*.log", Options{MaxLine: 1000})
	b.append("a.log", "")
	b.start()
	b.append("a.log", strings.Repeat("x", 800))
	b.poll()
	b.append("a.log", strings.Repeat("x", 800))
	b.poll()
	b.gave("a.log " + strings.Repeat("x", 1600))
	b.append("a.log", "rest\nnext\n")
	b.poll()
	b.gave("a.log rest", "a.log next")
}

func TestNULTerminator(t *testing.T) {
	b := newBench(t, "*.log", Options{})
	b.f.o.Terminator = 0
	b.append("a.log", "a\x00b")
	b.start()
	b.append("a.log", "\nc\x00")
	b.poll()
	b.gave("a.log b\nc")
}

// An error of emit ends the round.
func TestEmitFails(t *testing.T) {
	b := newBench(t, "*.log", Options{})
	b.append("a.log", "")
	b.start()
	b.append("a.log", "1\n")
	stop := errors.New("stop")
	if err := b.f.Poll(t.Context(), nil, b.now, func(*Piece) error { return stop }); err != stop {
		t.Errorf("error %v", err)
	}
}

// Files beyond those that may be open are opened when they are read.
func TestManyFiles(t *testing.T) {
	b := newBench(t, "**/*.log", Options{})
	b.append("a.log", "")
	b.start()
	b.must(os.Mkdir(b.path("deep"), 0o700))
	b.append("deep/b.log", "1\n")
	b.look()
	b.poll()
	b.gave("b.log 1")
	for _, l := range b.f.logs {
		b.f.release(l)
	}
	b.append("deep/b.log", "2\n")
	b.must(os.Rename(b.path("deep/b.log"), b.path("deep/c.log")))
	b.poll()
	b.gave("b.log 2")
}
