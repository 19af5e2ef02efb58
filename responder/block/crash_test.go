package block

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/trawl-logs/trawl/responder/match"
)

// crashAt names the variable by which a test tells its child at which step to end, crashDir where, and crashPacked
// that it is to index an archive.
const crashAt, crashDir, crashPacked = "BLOCK_TEST_CRASH_AT", "BLOCK_TEST_CRASH_DIR", "BLOCK_TEST_CRASH_PACKED"

func TestMain(m *testing.M) {
	if at, err := strconv.Atoi(os.Getenv(crashAt)); err == nil {
		if err := crashingChild(at, os.Getenv(crashDir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// crashLog is what the children index: three blocks of 64 lines, and a tail.
func crashLog() []byte {
	var data []byte
	for i := range 210 {
		data = fmt.Appendf(data, "2026-11-22 10:%02d:00 request %x served by shop-%d\n", i%60, i*7919*7919, i%7)
	}
	return data
}

var crashOptions = Options{Strips: 64, StripLines: 1, RowsPerKey: 1.44, Common: common}

// crashingChild makes the index in dir, or goes on with it, and ends at a step as kill -9 does.
func crashingChild(at int, dir string) error {
	steps := 0
	step = func(name string) {
		if steps++; steps == at {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	if os.Getenv(crashPacked) != "" {
		return resumePacked(dir)
	}
	return resume(dir)
}

// resume opens the index of crashLog or creates it, and builds what it lacks.
func resume(dir string) error {
	data := crashLog()
	x, err := Open(dir, 1, 2)
	if errors.Is(err, fs.ErrNotExist) {
		f := File{Dev: 1, Ino: 2}
		if err := f.Fingerprint(bytes.NewReader(data), int64(len(data))); err != nil {
			return err
		}
		x, err = Create(dir, f)
	}
	if err != nil {
		return err
	}
	defer x.Close()
	b, err := NewBuilder(crashOptions)
	if err != nil {
		return err
	}
	at := b.Start(x, State{Size: int64(len(data))}, nil)
	if err := b.Feed(data[at:]); err != nil {
		return err
	}
	return b.Finish()
}

// Whatever step a process dies at, what it leaves is right, and the next goes on from there.
func TestKilledAtEveryStep(t *testing.T) {
	data := crashLog()
	killed(t, 18, "", func(at int, dir string) {
		x, err := Open(dir, 1, 2)
		switch {
		case err == nil:
			sound(t, x, data)
			x.Close()
		case !errors.Is(err, fs.ErrNotExist):
			t.Fatalf("step %d: %v", at, err)
		}
		if _, err := List(dir); err != nil {
			t.Fatal(err)
		}
		if err := resume(dir); err != nil {
			t.Fatalf("step %d: %v", at, err)
		}
		if x, err = Open(dir, 1, 2); err != nil {
			t.Fatal(err)
		}
		if n := len(x.Blocks()); n != 3 {
			t.Errorf("step %d: %d blocks after all", at, n)
		}
		sound(t, x, data)
		x.Close()
		if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
			t.Errorf("step %d: left in the directory: %v %v", at, list, err)
		}
	})
}

// killed has a child index in a directory of its own, kills it at its first step, then one at its second, and so on
// through all, of which there are least or more, and calls left with each step and directory.
func killed(t *testing.T, least int, packed string, left func(at int, dir string)) {
	t.Helper()
	for at := 1; ; at++ {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", crashAt, at), crashDir+"="+dir, crashPacked+"="+packed)
		out, err := cmd.CombinedOutput()
		if err == nil {
			if at < least {
				t.Fatalf("the child ended after %d steps", at-1)
			}
			return // there are no more steps
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("step %d: the child ended by itself: %v\n%s", at, err, out)
		}
		left(at, dir)
	}
}

// crashArchive is what the archive of crashLog is taken to be.
var crashArchive = bytes.Repeat([]byte("not looked into "), 600)

// resumePacked makes the index of the archive of crashLog, unless there is one that is complete.
func resumePacked(dir string) error {
	x, err := Open(dir, 1, 2)
	if err == nil {
		done := x.Content() != nil
		if err := x.Close(); err != nil || done {
			return err
		}
		if err := Remove(dir, 1, 2); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, s := File{Dev: 1, Ino: 2, Packed: true}, State{Size: int64(len(crashArchive)), ModTime: 7}
	if err := f.Fingerprint(bytes.NewReader(crashArchive), s.Size); err != nil {
		return err
	}
	if x, err = Create(dir, f); err != nil {
		return err
	}
	defer x.Close()
	b, err := NewBuilder(crashOptions)
	if err != nil {
		return err
	}
	b.Start(x, s, nil)
	data := crashLog()
	for at := 0; at < len(data); at += 4000 {
		if err := b.Feed(data[at:min(at+4000, len(data))]); err != nil {
			return err
		}
		if at > 0 {
			if err := x.AddPoint(Point{Out: int64(at), Bit: int64(at) * 3, Window: data[at-500 : at]}); err != nil {
				return err
			}
		}
	}
	lines, err := b.End()
	if err != nil {
		return err
	}
	return x.Complete(Content{Size: int64(len(data)), Lines: lines, Head: data[:100]}, bytes.NewReader(crashArchive), s)
}

// The index of an archive is complete and right, or says that it is not, whatever step a process dies at; and then it
// is made anew.
func TestKilledAtEveryStepOfAnArchive(t *testing.T) {
	data := crashLog()
	whole := 0
	complete := func(at int, dir string) (ok bool) {
		x, err := Open(dir, 1, 2)
		if errors.Is(err, fs.ErrNotExist) {
			return false
		}
		if err != nil {
			t.Fatalf("step %d: %v", at, err)
		}
		defer x.Close()
		if x.Content() == nil {
			return false
		}
		sound(t, x, data)
		if v, err := x.Check(bytes.NewReader(crashArchive), State{Size: int64(len(crashArchive)), ModTime: 7}); v != Fresh || err != nil {
			t.Errorf("step %d: %v, %v", at, v, err)
		}
		if end, lines := x.End(); end != int64(len(data)) || lines < x.Content().Lines {
			t.Errorf("step %d: blocks up to %d of %d, %d lines", at, end, len(data), lines)
		}
		if err := x.Checker().Take(0, data); err != nil {
			t.Errorf("step %d: %v", at, err)
		}
		for _, off := range []int64{4000, 7999, int64(len(data)) - 1} {
			p, err := x.PointBefore(off)
			if err != nil || p.Out != off/4000*4000 || !bytes.Equal(p.Window, data[p.Out-500:p.Out]) {
				t.Errorf("step %d: the point before %d: at %d, %v", at, off, p.Out, err)
			}
		}
		return true
	}
	killed(t, 30, "yes", func(at int, dir string) {
		if complete(at, dir) {
			whole++
		}
		if err := resumePacked(dir); err != nil {
			t.Fatalf("step %d: %v", at, err)
		}
		if !complete(at, dir) {
			t.Errorf("step %d: not complete after all", at)
		}
		if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
			t.Errorf("step %d: left in the directory: %v %v", at, list, err)
		}
	})
	if whole == 0 || whole > 3 { // its last record is the last but one thing that is done
		t.Errorf("complete at %d steps", whole)
	}
}

// sound verifies every block of x, and searches through it.
func sound(t *testing.T, x *Index, data []byte) {
	t.Helper()
	err := x.Verify(context.Background(), bytes.NewReader(data), func(b Block, err error) bool {
		if err != nil {
			t.Errorf("block at %d: %v", b.From, err)
		}
		return true
	})
	if err != nil {
		t.Error(err)
	}
	for _, p := range []string{"shop-3", "10:59", "nowhere"} {
		same(t, x, data, match.Spec{Patterns: []string{p}, Terminator: '\n'})
	}
}
