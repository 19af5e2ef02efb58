package rotation

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logs is a directory of log files and the Keeper of a node that has registered it.
type logs struct {
	t      *testing.T
	dir    string
	keeper *Keeper
}

func newLogs(t *testing.T) *logs {
	dir := t.TempDir()
	c, err := source.NewCatalog(source.Options{Sources: []source.Source{{Globs: []string{dir + "/*"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return &logs{t, dir, New(c, archive.Limits{})}
}

func (l *logs) write(name, text string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *logs) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *logs) path(name string) string { return filepath.Join(l.dir, name) }

func (l *logs) open() *Set {
	l.t.Helper()
	filter, err := source.Selection{}.Compile()
	l.must(err)
	s, err := l.keeper.Open(context.Background(), filter, func(*source.Entry) bool { return false })
	l.must(err)
	l.t.Cleanup(s.Close)
	return s
}

func (s *Set) names() string {
	var names []string
	for _, f := range s.Files {
		names = append(names, filepath.Base(f.Entry.Path))
	}
	return strings.Join(names, " ")
}

func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// lines are numbered lines [from, to).
func lines(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

func read(f *File, off, n int64) (string, error) {
	b := make([]byte, n)
	k, err := f.ReadAt(b, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return string(b[:k]), err
}

// An open Set is not touched by renaming and deleting.
func TestRenamedAndDeleted(t *testing.T) {
	l := newLogs(t)
	l.write("app.log", "new\n")
	l.write("app.log.1", "old\n")
	s := l.open()
	l.must(os.Remove(l.path("app.log.1")))
	l.must(os.Rename(l.path("app.log"), l.path("app.log.1")))
	l.write("app.log", "newest\n")
	for i, want := range []string{"new\n", "old\n"} {
		l.must(s.Files[i].Open())
		if got, err := read(s.Files[i], 0, 100); got != want || err != nil {
			t.Errorf("%s: %q, %v", s.Files[i].Entry.Path, got, err)
		}
	}
}

// Archives in the making, and copies in the making, are not searched beside what they are made of;
// other files are, however much they are alike.
func TestTwins(t *testing.T) {
	text := lines(0, 20_000)
	gz := packed(text)
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"an archive that is complete", map[string]string{"app.log.1": text, "app.log.1.gz": gz}, "app.log.1"},
		{"an archive in the making", map[string]string{"app.log.1": text, "app.log.1.gz": gz[:len(gz)/2]}, "app.log.1"},
		{"an archive that was just created", map[string]string{"app.log.1": text, "app.log.1.gz": ""}, "app.log.1"},
		{"an archive's first bytes", map[string]string{"app.log.1": text, "app.log.1.gz": gz[:12]}, "app.log.1"},
		{"an archive of something else", map[string]string{"app.log.1": text, "app.log.1.gz": packed(lines(1, 20_000))}, "app.log.1 app.log.1.gz"},
		{"an archive that ends otherwise", map[string]string{"app.log.1": text, "app.log.1.gz": packed(lines(0, 19_999) + "x")}, "app.log.1 app.log.1.gz"},
		{"an archive of another name", map[string]string{"app.log.1": text, "app.log.2.gz": gz}, "app.log.1 app.log.2.gz"},
		{"a damaged archive alone", map[string]string{"app.log.1.gz": gz[:len(gz)/2]}, "app.log.1.gz"},
		{"equal files", map[string]string{"app.log": text, "app.log.1": text}, "app.log app.log.1"},
		{"equal files of two services", map[string]string{"a.log": text, "b.log": text}, "a.log b.log"},
	} {
		l := newLogs(t)
		for name, text := range c.files {
			l.write(name, text)
		}
		if got := l.open().names(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// A copy that grows beside its original is one in the making, and one whose original is cut was.
func TestCopiesInTheMaking(t *testing.T) {
	text := lines(0, 20_000)
	for name, step := range map[string]func(l *logs){
		"the copy grows": func(l *logs) { l.write("app.log.1", text[:len(text)/2+50]) },
		"the original is cut": func(l *logs) {
			l.write("app.log.1", text)
			l.must(os.Truncate(l.path("app.log"), 0))
		},
		"the copy is packed, and the original cut": func(l *logs) {
			l.must(os.Remove(l.path("app.log.1")))
			l.write("app.log.1.gz", packed(text+"more\n"))
			l.must(os.Truncate(l.path("app.log"), 0))
		},
	} {
		l := newLogs(t)
		l.write("app.log", text)
		if !strings.Contains(name, "packed") {
			l.write("app.log.1", text[:len(text)/2])
		} else {
			l.write("app.log.1", "")
		}
		filter, err := source.Selection{}.Compile()
		l.must(err)
		s := &Set{keeper: l.keeper, ctx: context.Background(), held: map[source.ID]*File{}}
		defer s.Close()
		snap, err := l.keeper.catalog.Again(s.ctx)
		l.must(err)
		now := func(*source.Entry) bool { return false }
		entries, _ := l.keeper.catalog.Select(snap, filter)
		s.hold(entries, now)
		step(l)
		snap, err = l.keeper.catalog.Again(s.ctx)
		l.must(err)
		entries, _ = l.keeper.catalog.Select(snap, filter)
		s.hold(entries, now)
		s.dropTwins()
		for _, f := range s.held {
			if f.Size() > 0 && f.dropped != (filepath.Base(f.Entry.Path) != "app.log") {
				t.Errorf("%s: %s dropped: %v", name, f.Entry.Path, f.dropped)
			}
		}
	}
}

// A file that is cut while it is read goes on in its copy, plain or packed, also if it was filled again;
// without a copy, that is an error.
func TestCut(t *testing.T) {
	text := lines(0, 20_000)
	half := int64(len(text) / 2)
	for _, c := range []struct {
		name, file, copy, again string
		ok                      bool
	}{
		{"copied", "app.log.1", text + "more\n", "", true},
		{"copied, filled again", "app.log-20260301", text, lines(100_000, 130_000), true},
		{"copied and packed", "app.log.1.gz", packed(text + "more\n"), "new\n", true},
		{"not copied", "", "", "", false},
		{"not copied, filled again", "", "", lines(100_000, 130_000), false},
		{"another file", "app.log.1", lines(1, 30_000), "", false},
	} {
		l := newLogs(t)
		l.write("app.log", text)
		s := l.open()
		f := s.Files[0]
		if got, err := read(f, 0, half); err != nil || got != text[:half] {
			t.Fatal(len(got), err)
		}
		if c.file != "" {
			l.write(c.file, c.copy)
		}
		l.must(os.Truncate(l.path("app.log"), 0))
		file, err := os.OpenFile(l.path("app.log"), os.O_WRONLY|os.O_APPEND, 0)
		l.must(err)
		_, err = file.WriteString(c.again)
		l.must(errors.Join(err, file.Close()))
		got, err := read(f, half, int64(len(text)))
		if c.ok && (err != nil || got != text[half:]) {
			t.Errorf("%s: %d bytes, want %d; %v", c.name, len(got), int64(len(text))-half, err)
		}
		if !c.ok && (!errors.Is(err, source.ErrShrunk) || got != "") {
			t.Errorf("%s: %d bytes, %v", c.name, len(got), err)
		}
	}
}

// What was written between the copy and the cut is lost, and said to be; what was copied is read.
func TestCutAfterMoreWasWritten(t *testing.T) {
	text := lines(0, 20_000)
	for _, copied := range []string{text[:len(text)-100], text[:1000]} { // also one that is shorter than a fingerprint
		for name, made := range map[string]string{"app.log.1": copied, "app.log.1.gz": packed(copied)} {
			l := newLogs(t)
			l.write("app.log", text)
			f := l.open().Files[0]
			l.write(name, made)
			l.write("app.log.2", lines(1, 50)) // no copy, however short
			l.must(os.Truncate(l.path("app.log"), 0))
			if got, err := read(f, 100, int64(len(text))); !errors.Is(err, source.ErrShrunk) || got != copied[100:] {
				t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(copied)-100, err)
			}
		}
	}
}

// Files beyond those that may be open are opened when they are read.
func TestFewFiles(t *testing.T) {
	l := newLogs(t)
	l.keeper.free.Store(1)
	l.write("a.log", "a\n")
	l.write("b.log", "b\n")
	s := l.open()
	if l.keeper.free.Load() != 0 {
		t.Error("more files may be open")
	}
	for i, want := range []string{"a\n", "b\n"} {
		l.must(s.Files[i].Open())
		if got, err := read(s.Files[i], 0, 2); got != want || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	s.Close()
	if l.keeper.free.Load() != 1 {
		t.Errorf("%d files may be open after all were closed", l.keeper.free.Load())
	}
}

// A file that was closed can be opened again, under whatever name, until its Set is closed: a search in
// time order reads many files twice.
func TestOpenedAgain(t *testing.T) {
	l := newLogs(t)
	l.write("app.log", "text\n")
	s := l.open()
	f := s.Files[0]
	l.must(f.Open())
	l.must(f.Close())
	l.must(os.Rename(l.path("app.log"), l.path("app.log.1")))
	l.must(f.Open())
	if got, err := read(f, 0, 100); got != "text\n" || err != nil {
		t.Errorf("opened again: %q, %v", got, err)
	}
	s.Close()
	if err := f.Open(); err == nil {
		t.Error("opened, though its set is closed")
	}
}
