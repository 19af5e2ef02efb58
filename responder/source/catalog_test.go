package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tree makes files (name → content) beneath a fresh real directory. A content of "-> x" makes a link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		put(t, filepath.Join(dir, name), strings.ReplaceAll(content, "$DIR", dir))
	}
	return dir
}

func put(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if target, ok := strings.CutPrefix(content, "-> "); ok {
		err = os.Symlink(target, name)
	} else {
		err = os.WriteFile(name, []byte(content), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func catalog(t *testing.T, o Options) *Catalog {
	t.Helper()
	c, err := NewCatalog(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func refresh(t *testing.T, c *Catalog) *Snapshot {
	t.Helper()
	s, err := c.Refresh(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// listing is a snapshot in one string: names below dir with their services.
func listing(s *Snapshot, dir string) string {
	var out []string
	for _, e := range s.Files {
		out = append(out, strings.TrimPrefix(e.Path, dir+"/")+"="+e.Service)
	}
	return strings.Join(out, " ")
}

func refused(s *Snapshot, dir string) string {
	var out []string
	for _, p := range s.Refused {
		out = append(out, strings.TrimPrefix(p.Path, dir+"/")+": "+p.Err.Error())
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

func TestGlobsExpand(t *testing.T) {
	dir := tree(t, map[string]string{
		"a.log": "1", "b.txt": "", "app.log.10": "", "app.log.9": "", "nginx/access.log": "", "nginx/deep/er/x.log": "",
		".hidden.log": "", "we ird\n.log": "", "dir.log/in.log": "", "k8s/pod_1/web/0.log": "",
	})
	for _, tt := range []struct{ glob, want string }{
		{"*.log", ".hidden.log=.hidden a.log=a we ird\n.log=we ird\n"},
		{"**/*.log", ".hidden.log=.hidden a.log=a dir.log/in.log=in k8s/pod_1/web/0.log=web nginx/access.log=nginx nginx/deep/er/x.log=x we ird\n.log=we ird\n"},
		{"app.log*", "app.log.9=app app.log.10=app"},
		{"nginx/**", "nginx/access.log=access nginx/deep/er/x.log=x"},
		{"nginx/", "nginx/access.log=access nginx/deep/er/x.log=x"},
		{"n*/d*/*/x.log", "nginx/deep/er/x.log=x"},
		{"{a,b}.{log,txt}", "a.log=a b.txt=b"},
		{"{nginx/deep/er,dir.log}/*.log", "dir.log/in.log=in nginx/deep/er/x.log=x"},
		{"[ab].???", "a.log=a b.txt=b"},
		{"a.log", "a.log=a"},
		{"none/*.log", ""},
		{"*/*/x.log", ""},
	} {
		s := refresh(t, catalog(t, Options{Sources: []Source{{Globs: []string{dir + "/" + tt.glob}}}}))
		if got := listing(s, dir); got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.glob, got, tt.want)
		}
		if len(s.Failed) != 0 {
			t.Errorf("%s: failed %v", tt.glob, s.Failed)
		}
	}
}

func TestFirstSourceWinsAndExcludes(t *testing.T) {
	dir := tree(t, map[string]string{"nginx/a.log": "", "b.log": "", "private/c.log": "", "z.log": "-> b.log", "0.log": "-> b.log"})
	if err := os.Link(dir+"/b.log", dir+"/hard.log"); err != nil {
		t.Fatal(err)
	}
	c := catalog(t, Options{Labels: map[string]string{"env": "prod", "tier": "x"}, Sources: []Source{
		{Service: "web", Globs: []string{dir + "/nginx/*.log"}, Labels: map[string]string{"tier": "front"}},
		{Service: "rest", Globs: []string{dir + "/**/*.log", dir + "/*.log"}, Exclude: []string{dir + "/private/**"}},
	}})
	s := refresh(t, c)
	if got, want := listing(s, dir), "b.log=rest nginx/a.log=web"; got != want {
		t.Errorf("got %q, want %q: one inode once, without a link if there is such a name", got, want)
	}
	if got := fmt.Sprint(s.Files[1].Labels, s.Files[0].Labels); got != "map[env:prod tier:front] map[env:prod tier:x]" {
		t.Errorf("labels: %s", got)
	}
}

func TestLinks(t *testing.T) {
	outside := tree(t, map[string]string{"secret.log": "s", "d/s.log": "s"})
	dir := tree(t, map[string]string{
		"real/x.log": "x", "in.log": "-> real/x.log", "abs.log": "-> $DIR/real/x.log", "up.log": "-> ../" + filepath.Base(outside) + "/secret.log",
		"out.log": "-> " + outside + "/secret.log", "outdir": "-> " + outside + "/d", "zero.log": "-> /dev/zero",
		"broken.log": "-> nowhere", "loop": "-> .", "self.log": "-> self.log", "a/l": "-> ../b", "b/l": "-> ../a", "b/y.log": "y", "zdir": "-> real",
	})
	if err := unix.Mkfifo(dir+"/fifo.log", 0o644); err != nil {
		t.Fatal(err)
	}
	put(t, dir+"/fl.log", "-> fifo.log")
	o := Options{Sources: []Source{{Globs: []string{dir + "/**/*.log"}}}}
	s := refresh(t, catalog(t, o))
	if got, want := listing(s, dir), "b/y.log=y real/x.log=x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got := refused(s, dir)
	for _, want := range []string{"fifo.log: not a regular file", "fl.log: not a regular file", "out.log: it lies outside", "zero.log: it lies outside", "broken.log: broken link", "self.log: "} {
		if !strings.Contains(got, want) {
			t.Errorf("refused %q lacks %q", got, want)
		}
	}
	o.Roots = []string{outside, "/dev"}
	s = refresh(t, catalog(t, o))
	if got, want := listing(s, dir), "b/y.log=y out.log=out outdir/s.log=s real/x.log=x"; got != want {
		t.Errorf("with a further root: got %q, want %q", got, want)
	}
	if got := refused(s, dir); !strings.Contains(got, "zero.log: not a regular file") {
		t.Errorf("a device in an allowed root: %q", got)
	}
}

func TestAppearAndVanish(t *testing.T) {
	dir := tree(t, map[string]string{"a.log": "one\n"})
	c := catalog(t, Options{Sources: []Source{{Globs: []string{dir + "/**/*.log", dir + "/late/*.log"}}}})
	if c.Newest() != nil {
		t.Error("a snapshot before the first scan")
	}
	refresh(t, c)
	for i := range 20 {
		name := fmt.Sprintf("late/%d.log", i)
		put(t, filepath.Join(dir, name), "x")
		if got := listing(refresh(t, c), dir); !strings.Contains(got, name) {
			t.Fatalf("%s is not found by the next query: %q", name, got)
		}
	}
	if err := os.RemoveAll(dir + "/late"); err != nil {
		t.Fatal(err)
	}
	s := refresh(t, c)
	if got := listing(s, dir); got != "a.log=a" {
		t.Errorf("after removal: %q", got)
	}
	if s != c.Newest() || s.Bytes != 4 {
		t.Errorf("newest %v, bytes %d", c.Newest(), s.Bytes)
	}
}

func TestRefreshIsShared(t *testing.T) {
	dir := tree(t, map[string]string{"a.log": ""})
	c := catalog(t, Options{Sources: []Source{{Globs: []string{dir + "/*.log"}}}})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { refresh(t, c) })
	}
	wg.Wait()
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("enough"))
	// A cancelled caller gets its cause or a snapshot that was ready, and never hangs.
	if s, err := c.Refresh(ctx); s == nil && err.Error() != "enough" {
		t.Errorf("cancelled: %v", err)
	}
}

func TestTooMany(t *testing.T) {
	dir := tree(t, map[string]string{"1.log": "", "2.log": "", "3.log": ""})
	c := catalog(t, Options{MaxFiles: 2, Sources: []Source{{Globs: []string{dir + "/*.log"}}}})
	if _, err := c.Refresh(context.Background()); !errors.Is(err, ErrTooMany) || !strings.Contains(err.Error(), "more than 2 files") {
		t.Errorf("got %v", err)
	}
	for i := range 50 {
		put(t, fmt.Sprintf("%s/sub/%d.txt", dir, i), "")
	}
	c = catalog(t, Options{MaxFiles: 2, Sources: []Source{{Globs: []string{dir + "/sub/*.log"}}}})
	if _, err := c.Refresh(context.Background()); !errors.Is(err, ErrTooMany) {
		t.Errorf("a walk over many entries: %v", err)
	}
}

func TestBadSources(t *testing.T) {
	for _, glob := range []string{"", "rel/*.log", "/a/../b", "/a/[", "/{a", "/x\x00", "/" + strings.Repeat("{a,b}", 12), "/" + strings.Repeat("x", 5000)} {
		if _, err := NewCatalog(Options{Sources: []Source{{Globs: []string{glob}}}}); !errors.Is(err, ErrBadGlob) {
			t.Errorf("%.40q: %v", glob, err)
		}
	}
	if _, err := NewCatalog(Options{Roots: []string{"var"}}); err == nil {
		t.Error("a relative root is taken")
	}
	dir := tree(t, map[string]string{"logs/a.log": ""})
	s := refresh(t, catalog(t, Options{Sources: []Source{{Globs: []string{dir + "/logs"}}}}))
	if got := refused(s, dir); !strings.Contains(got, "it is a directory") {
		t.Errorf("a plain directory: %q", got)
	}
}

// asNobody runs f on a thread of its own without root's right to read everything.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread dies with its file system identity
		if os.Getuid() == 0 {
			if err := unix.Setfsuid(65534); err != nil {
				t.Error(err)
				return
			}
		}
		f()
	}()
	<-done
}

func TestUnreadable(t *testing.T) {
	dir := tree(t, map[string]string{"open/a.log": "", "private/b.log": "", "mine.log": "x"})
	// The way from / to the test's directory has to be open to anyone.
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"private": 0, "mine.log": 0} {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(dir+"/private", 0o755) })
	c := catalog(t, Options{Sources: []Source{{Service: "s", Globs: []string{dir + "/**/*.log"}}}})
	asNobody(t, func() {
		s, err := c.scan()
		if err != nil {
			t.Error(err)
			return
		}
		if got := listing(s, dir); got != "mine.log=s open/a.log=s" {
			t.Errorf("got %q", got)
		}
		if len(s.Failed) != 1 || s.Failed[0].Path != dir+"/private" || !errors.Is(s.Failed[0].Err, os.ErrPermission) {
			t.Errorf("failed: %v", s.Failed)
		}
		if _, err := open(s.Files[0]); !errors.Is(err, os.ErrPermission) {
			t.Errorf("opened an unreadable file: %v", err)
		}
		for _, tt := range []struct {
			sel  Selection
			want int
		}{
			{Selection{}, 1},
			{Selection{Paths: []string{dir + "/private/*.log"}}, 1},
			{Selection{Paths: []string{"*.log"}}, 1},
			{Selection{Paths: []string{dir + "/open/*.log"}}, 0},
			{Selection{Services: []string{"other"}}, 0},
			{Selection{Labels: []Label{{"env", "prod"}}}, 0},
		} {
			f, err := tt.sel.Compile()
			if err != nil {
				t.Error(err)
				return
			}
			if _, problems := c.Select(s, f); len(problems) != tt.want {
				t.Errorf("%+v: problems %v, want %d", tt.sel, problems, tt.want)
			}
		}
	})
}
