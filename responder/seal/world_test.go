package seal

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// world is a directory of logs and a Store of their lines.
type world struct {
	t     testing.TB
	logs  string
	store string
	now   time.Time
	o     Options
	said  bytes.Buffer
	s     *Store
	z     *Sealer
	young string // a file that was written to just now
	other *Store // of another node, that has copies of blocks; nil: there is none
}

// quickly makes nothing durable while the test runs.
func quickly(t testing.TB) {
	before := fsync
	fsync = func(*os.File) error { return nil }
	t.Cleanup(func() { fsync = before })
}

func newWorld(t testing.TB, lines int) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, logs: filepath.Join(dir, "logs"), store: filepath.Join(dir, "store"), now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	w.must(os.Mkdir(w.logs, 0o700))
	w.o = Options{Window: time.Hour, Lines: lines, Now: func() time.Time { return w.now }, Files: w.candidates, Open: w.open, Family: family,
		Worked: func(ctx context.Context) error { return ctx.Err() }}
	w.reopen()
	t.Cleanup(func() { w.s.Close() })
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// reopen is what a process does that starts anew.
func (w *world) reopen() {
	w.t.Helper()
	if w.s != nil {
		w.s.Close()
	}
	log := slog.New(slog.NewTextHandler(&w.said, nil))
	s, err := Open(w.store, log)
	w.must(err)
	w.s, w.z = s, NewSealer(s, w.o)
	if w.other != nil {
		w.other.Close()
		w.other, err = OpenForeign(w.other.dir, log)
		w.must(err)
	}
}

var rotated = regexp.MustCompile(`(\.\d+)?(\.gz)?$`)

func family(path string) string { return rotated.ReplaceAllString(filepath.Base(path), "") }

func (w *world) candidates() []Candidate {
	entries, err := os.ReadDir(w.logs)
	w.must(err)
	files := []Candidate{}
	for _, e := range entries {
		name := filepath.Join(w.logs, e.Name())
		info, err := os.Stat(name)
		if err != nil {
			continue
		}
		id := identityOf(name)
		service, _, _ := strings.Cut(e.Name(), ".")
		modTime := w.now.Add(-time.Hour)
		if name == w.young {
			modTime = w.now
		}
		files = append(files, Candidate{Path: name, Service: service, Family: family(name), Dev: id.Dev, Ino: id.Ino, Size: info.Size(), ModTime: modTime})
	}
	return files
}

func identityOf(name string) (i Identity) {
	if f, err := os.Open(name); err == nil {
		i, _ = IdentityOf(f)
		f.Close()
	}
	return i
}

func (w *world) open(_ context.Context, c Candidate) (o Opened, err error) {
	if strings.HasSuffix(c.Path, ".gz") {
		return o, ErrNotSealed
	}
	f, err := os.Open(c.Path)
	if err != nil {
		return o, err
	}
	info, err := f.Stat()
	w.must(err)
	o = Opened{File: File{Identity: identityOf(c.Path), Path: c.Path, At: f, Size: info.Size(), ModTime: c.ModTime}, Clock: clock, Form: 7, Close: func() { f.Close() }}
	if c.Service == "timeless" {
		o.Clock, o.Form = nil, 0
	}
	return o, nil
}

// clock reads the seconds that a line begins with.
func clock(line []byte) (int64, bool) {
	text, _, _ := bytes.Cut(line, []byte(" "))
	s, err := strconv.ParseInt(string(text), 10, 64)
	return s * 1e9, err == nil && len(text) > 0
}

func (w *world) path(name string) string { return filepath.Join(w.logs, name) }

func (w *world) append(name, text string) {
	w.t.Helper()
	f, err := os.OpenFile(w.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	w.must(err)
	_, err = f.WriteString(text)
	w.must(err)
	w.must(f.Close())
}

// dated is n lines of second after second, from w.now on, with a number of their own.
func (w *world) dated(from, n int) string {
	var b strings.Builder
	for i := from; i < from+n; i++ {
		if i%7 == 3 {
			fmt.Fprintf(&b, "\tat line %d of the entry above\n", i)
			continue
		}
		fmt.Fprintf(&b, "%d line %d of it\n", w.now.Unix()+int64(i-from), i)
	}
	return b.String()
}

// turn has the Sealer look until nothing is left.
func (w *world) turn() {
	w.t.Helper()
	for {
		more, err := w.z.Turn(context.Background())
		w.must(err)
		if !more {
			return
		}
	}
}

// found is what a search reads: by path, the text of all files and of all logs that are gone.
func (w *world) found() map[string][]string {
	w.t.Helper()
	mark := w.s.Mark()
	var files []File
	var open []Opened
	list := w.candidates()
	for _, c := range list {
		o, err := w.open(context.Background(), c)
		if errors.Is(err, ErrNotSealed) {
			o = Opened{File: File{Identity: identityOf(c.Path), Path: c.Path, Size: c.Size, ModTime: c.ModTime, Content: func() (io.ReadCloser, error) { return unzip(c.Path) }}, Close: func() {}}
		} else {
			w.must(err)
		}
		files, open = append(files, o.File), append(open, o)
	}
	v := w.s.View()
	defer v.Close()
	m := v.Match(context.Background(), files, mark, nil, family)
	out := map[string][]string{}
	add := func(path string, text []byte) {
		for line := range strings.Lines(string(text)) {
			out[path] = append(out[path], line)
		}
	}
	for i, f := range files {
		defer open[i].Close()
		switch {
		case m.Twice[i]:
		case f.Content != nil:
			r, err := f.Content()
			w.must(err)
			text, err := io.ReadAll(r)
			w.must(err)
			add(list[i].Path, text)
		case m.Of[i] != nil:
			add(list[i].Path, w.read(v, m.Of[i], f.At, f.Size))
		default:
			text, err := os.ReadFile(list[i].Path)
			w.must(err)
			add(list[i].Path, text)
		}
	}
	for _, l := range m.Gone {
		add(l.Path(), w.read(v, l, nil, 0))
	}
	return out
}

func (w *world) read(v *View, l *Log, live io.ReaderAt, size int64) []byte {
	w.t.Helper()
	if live == nil && w.other != nil {
		return w.readAnywhere(v, l)
	}
	text := v.Text(l, live, size)
	defer text.Close()
	p, err := io.ReadAll(io.NewSectionReader(text, 0, text.Size()))
	w.must(err)
	return p
}

// readAnywhere reads a log that is gone block by block: what is away, from the other node.
func (w *world) readAnywhere(v *View, l *Log) (all []byte) {
	w.t.Helper()
	others := w.other.View()
	defer others.Close()
	for _, b := range l.Blocks() {
		only := func(have *Block) bool { return have.ID == b.ID }
		from, of := v, l
		if b.Away {
			if from, of = others, others.logs[l.ID]; of == nil {
				w.t.Fatalf("block %v is nowhere", b.ID)
			}
		}
		for _, stretch := range of.Only(only) {
			text := from.Text(stretch, nil, 0)
			p, err := io.ReadAll(io.NewSectionReader(text, 0, text.Size()))
			w.must(err)
			w.must(text.Close())
			all = append(all, p...)
		}
	}
	return all
}

func unzip(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{r, f}, nil
}

func (w *world) zip(name string) {
	w.t.Helper()
	text, err := os.ReadFile(w.path(name))
	w.must(err)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err = z.Write(text)
	w.must(err)
	w.must(z.Close())
	w.must(os.WriteFile(w.path(name+".gz"), b.Bytes(), 0o600))
	w.must(os.Remove(w.path(name)))
}

// all is every line of it, sorted.
func all(found map[string][]string) []string {
	var lines []string
	for _, l := range found {
		lines = append(lines, l...)
	}
	slices.Sort(lines)
	return lines
}

// holds compares what is found with all lines that were written, each once.
func (w *world) holds(written string) {
	w.t.Helper()
	want := sortedLines(written)
	if got := all(w.found()); !slices.Equal(got, want) {
		w.t.Fatalf("%d lines are found, %d were written; %s", len(got), len(want), difference(got, want))
	}
	var stored int64
	for _, b := range w.s.Blocks() {
		if !b.Away {
			stored += b.Stored
		}
	}
	if got := w.s.Stored(); got != stored {
		w.t.Fatalf("its blocks have %d bytes, %d by its count", stored, got)
	}
}

func sortedLines(text string) []string { return slices.Sorted(strings.Lines(text)) }

func difference(got, want []string) string {
	count := map[string]int{}
	for _, l := range got {
		count[l]++
	}
	for _, l := range want {
		count[l]--
	}
	var out []string
	for l, n := range count {
		if n != 0 {
			out = append(out, fmt.Sprintf("%+d %.80q", n, l))
		}
	}
	slices.Sort(out)
	return strings.Join(out[:min(len(out), 8)], ", ")
}
