package source

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOpenReadsFrozenSize(t *testing.T) {
	dir := tree(t, map[string]string{"a.log": "0123456789"})
	c := catalog(t, Options{Sources: []Source{{Globs: []string{dir + "/*.log"}}}})
	f, err := c.Open(context.Background(), refresh(t, c).Files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := os.OpenFile(dir+"/a.log", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.WriteString("more"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 20)
	if n, err := f.ReadAt(buf, 4); n != 6 || err != io.EOF || string(buf[:n]) != "456789" {
		t.Errorf("after an append: %d %q %v", n, buf[:n], err)
	}
	if n, err := f.ReadAt(buf[:3], 7); n != 3 || err != nil {
		t.Errorf("up to the end: %d %v", n, err)
	}
	if n, err := f.ReadAt(buf, 10); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d %v", n, err)
	}
	if err := w.Truncate(5); err != nil {
		t.Fatal(err)
	}
	if n, err := f.ReadAt(buf, 0); n != 5 || !errors.Is(err, ErrShrunk) {
		t.Errorf("after a truncation: %d %v", n, err)
	}
	if n, err := f.ReadAt(buf[:2], 7); n != 0 || !errors.Is(err, ErrShrunk) {
		t.Errorf("beyond a truncation: %d %v", n, err)
	}
	if n, err := f.ReadAt(buf[:2], 1); n != 2 || err != nil {
		t.Errorf("before a truncation: %d %v", n, err)
	}
}

func TestOpenFollowsRotation(t *testing.T) {
	dir := tree(t, map[string]string{"app.log": "new", "app.log.1": "older"})
	c := catalog(t, Options{Sources: []Source{{Globs: []string{dir + "/app.log*"}}}})
	before := refresh(t, c).Files
	for _, mv := range [][2]string{{"app.log.1", "app.log.2"}, {"app.log", "app.log.1"}} {
		if err := os.Rename(dir+"/"+mv[0], dir+"/"+mv[1]); err != nil {
			t.Fatal(err)
		}
	}
	put(t, dir+"/app.log", "newest")
	for i, want := range []string{"new", "older"} {
		f, err := c.Open(context.Background(), before[i])
		if err != nil {
			t.Fatalf("%s: %v", before[i].Path, err)
		}
		got, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
		f.Close()
		if string(got) != want || err != nil {
			t.Errorf("%s: %q %v, want %q", before[i].Path, got, err, want)
		}
	}
	if err := os.Remove(dir + "/app.log.2"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Open(context.Background(), before[1]); err == nil || !strings.HasPrefix(err.Error(), "it vanished") {
		t.Errorf("a removed file: %v", err)
	}
}

// TestOpenRefuses swaps what lies at a registered name for something else after the scan.
func TestOpenRefuses(t *testing.T) {
	outside := tree(t, map[string]string{"secret.log": "s", "x.log": "s"})
	for name, swap := range map[string]func(dir string) error{
		"link":      func(dir string) error { return os.Symlink(outside+"/secret.log", dir+"/d/x.log") },
		"directory": func(dir string) error { return os.Mkdir(dir+"/d/x.log", 0o755) },
		"fifo":      func(dir string) error { return unix.Mkfifo(dir+"/d/x.log", 0o644) },
		"parent": func(dir string) error {
			if err := os.Remove(dir + "/d"); err != nil {
				return err
			}
			return os.Symlink(outside, dir+"/d")
		},
	} {
		for _, fallback := range []bool{false, true} {
			dir := tree(t, map[string]string{"d/x.log": "x"})
			c := catalog(t, Options{Sources: []Source{{Globs: []string{dir + "/*/*.log"}}}})
			e := refresh(t, c).Files[0]
			if err := errors.Join(os.Remove(dir+"/d/x.log"), swap(dir)); err != nil {
				t.Fatal(err)
			}
			noOpenat2.Store(fallback)
			f, err := c.Open(context.Background(), e)
			noOpenat2.Store(false)
			if err == nil {
				f.Close()
				t.Errorf("%s (fallback %v): opened", name, fallback)
			}
		}
	}
}

func TestOpenBeneath(t *testing.T) {
	dir := tree(t, map[string]string{"a/x.log": "x", "top": "t"})
	for name, open := range map[string]func(string, string) (*os.File, error){"openat2": openBeneath, "walk": walkBeneath} {
		for rel, ok := range map[string]bool{"x.log": true, "../top": false, "../a/x.log": false, "/etc/passwd": false, "none": false} {
			f, err := open(dir+"/a", rel)
			if (err == nil) != ok {
				t.Errorf("%s %s: %v", name, rel, err)
			}
			if err == nil {
				f.Close()
			}
		}
		if _, err := open(dir+"/none", "x"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a root that is gone: %v", name, err)
		}
	}
	if noOpenat2.Load() {
		t.Log("this kernel has no openat2: the fallback was tested twice")
	}
}
