package indexer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/trawl-logs/trawl/responder/block"
)

// crashAt names the variable by which a test tells its child at which step to end, and crashDir where the logs are.
const crashAt, crashDir = "INDEXER_TEST_CRASH_AT", "INDEXER_TEST_CRASH_DIR"

func TestMain(m *testing.M) {
	at, err := strconv.Atoi(os.Getenv(crashAt))
	if err != nil {
		os.Exit(m.Run())
	}
	steps := 0
	s, err := indexAll(os.Getenv(crashDir), func() {
		if steps++; steps == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s.Close()
}

// stored is an Archive of a file that is not compressed, with a point at the end of each Read.
type stored struct {
	r      io.Reader
	step   func()
	at     int64
	points []block.Point
}

func (s *stored) Read(p []byte) (int, error) {
	s.step()
	n, err := s.r.Read(p)
	if s.at += int64(n); n > 0 {
		s.points = append(s.points, block.Point{Out: s.at, Bit: 8 * s.at, Window: p[:min(n, 100)]})
	}
	return n, err
}

func (s *stored) Points() []block.Point {
	s.step()
	p := s.points
	s.points = nil
	return p
}

func (s *stored) Close() { s.step() }

// logsIn are the files of a directory, of which those named *.packed are archives.
func logsIn(dir string) (logs []Log, err error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.*"))
	for _, path := range paths {
		f, e := os.Open(path)
		if e != nil {
			return nil, e
		}
		defer f.Close()
		state, id, e := StateOf(f)
		err = errors.Join(err, e)
		logs = append(logs, Log{ID: id, Path: path, Size: state.Size, Packed: strings.HasSuffix(path, ".packed")})
	}
	return logs, err
}

// indexAll makes the indexes of the logs in dir as a node does, or goes on with them, and calls step between.
func indexAll(dir string, step func()) (*Store, error) {
	logs, err := logsIn(dir)
	if err != nil {
		return nil, err
	}
	s, err := OpenStore(filepath.Join(dir, "index"), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	b := NewBuilder(s, Options{Share: 1, Most: 1 << 30, Shape: fewLines,
		Logs: func() []Log { step(); return logs },
		Busy: func() bool { step(); return false },
		Open: func(_ context.Context, l Log) (o Opened, err error) {
			step()
			if o.File, err = os.Open(l.Path); err == nil && l.Packed {
				o.Archive, o.Size, o.Head, o.Rules = &stored{r: io.NewSectionReader(o.File, 0, l.Size), step: step}, l.Size, []byte("head"), 1
			}
			return o, err
		}})
	for range 20 {
		if !b.look(context.Background()) {
			return s, nil
		}
	}
	s.Close()
	return nil, errors.New("not settled after 20 looks")
}

// A node that is killed anywhere while it indexes a log and an archive leaves of each an index that is right, or none,
// or of an archive one that says that it is not complete; and the next start makes what is missing.
func TestKilledWhileIndexing(t *testing.T) {
	var text strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&text, "request %x was served by shop-%d\n", i*7919*7919, i%7)
	}
	complete, killed := 0, 0
	stride := 1
	if testing.Short() { // under the race detector, with which a process takes long to start
		stride = 9
	}
	for at := 1; ; at += stride {
		dir := t.TempDir()
		for _, name := range []string{"a.log", "b.packed"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", crashAt, at), crashDir+"="+dir)
		out, err := cmd.CombinedOutput()
		if err == nil {
			break // there are no more steps
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("step %d: the child ended by itself: %v\n%s", at, err, out)
		}
		killed++
		s, err := OpenStore(filepath.Join(dir, "index"), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		complete += indexesOf(t, s, dir, text.String())
		s.Close()
		if s, err = indexAll(dir, func() {}); err != nil {
			t.Fatalf("step %d: %v", at, err)
		}
		if n := indexesOf(t, s, dir, text.String()); n != 2 {
			t.Errorf("step %d: %d complete indexes after all", at, n)
		}
		s.Close()
	}
	if killed*stride < 15 || complete == 0 || complete == 2*killed {
		t.Errorf("killed %d times, when %d indexes were complete", killed, complete)
	}
}

// indexesOf verifies the indexes that a search would use, and counts those that have all of their log.
func indexesOf(t *testing.T, s *Store, dir, text string) (complete int) {
	t.Helper()
	logs, err := logsIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range logs {
		u := s.Use(l.ID)
		if u == nil {
			continue
		}
		defer u.Done()
		if u.File().Packed != l.Packed {
			t.Errorf("%s: packed %v", l.Path, u.File().Packed)
		}
		if l.Packed && u.Content() == nil {
			continue
		}
		err := u.Verify(t.Context(), strings.NewReader(text), func(b block.Block, wrong error) bool {
			if wrong != nil {
				t.Errorf("%s: block at %d: %v", l.Path, b.From, wrong)
			}
			return true
		})
		if err != nil {
			t.Error(err)
		}
		end, _ := u.End()
		if l.Packed {
			if end != int64(len(text)) || u.Content().Size != end {
				t.Errorf("%s: complete at %d of %d", l.Path, end, len(text))
			}
			if p, err := u.PointBefore(end - 1); err != nil || p.Out == 0 || !strings.Contains(text, string(p.Window)) {
				t.Errorf("%s: point %+v, %v", l.Path, p, err)
			}
		}
		if int64(len(text))-end < 64*50 { // but for what stands behind the last block
			complete++
		}
	}
	return complete
}
