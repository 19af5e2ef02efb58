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

// crashAt names the variable by which a test tells its child at which step to end, and crashDir where.
const crashAt, crashDir = "BLOCK_TEST_CRASH_AT", "BLOCK_TEST_CRASH_DIR"

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
	for at := 1; ; at++ {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", crashAt, at), crashDir+"="+dir)
		out, err := cmd.CombinedOutput()
		if err == nil {
			if at < 18 {
				t.Fatalf("the child ended after %d steps", at-1)
			}
			break // there are no more steps
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("step %d: the child ended by itself: %v\n%s", at, err, out)
		}
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
