package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/needs"
)

// logWriter numbers its lines. done is how many are complete.
type logWriter struct {
	path   string
	reopen bool // when the name leads to another file
	done   atomic.Int64
	stop   chan struct{}
	err    chan error
}

func (w *logWriter) run() {
	w.err <- func() error {
		var f *os.File
		for n := int64(0); ; n++ {
			select {
			case <-w.stop:
				return f.Close()
			default:
			}
			if now, err := os.Stat(w.path); f == nil || w.reopen && err == nil && !sameFile(f, now) {
				if f != nil {
					f.Close()
				}
				if f, err = os.OpenFile(w.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
					return err
				}
			}
			var block []byte
			for range 20 {
				block = fmt.Appendf(block, "line %d %s\n", n, strings.Repeat("x", int(n%97)))
				n++
			}
			n--
			if _, err := f.Write(block); err != nil {
				return err
			}
			w.done.Store(n)
			time.Sleep(50 * time.Microsecond) // the pace of the writer
		}
	}()
}

func sameFile(f *os.File, now os.FileInfo) bool {
	info, err := f.Stat()
	return err == nil && os.SameFile(info, now)
}

// numbersOf returns the numbers of the lines of a text, and how often each came. So many may be cut: the
// last one of the log, which is being written, and of each copy that was made meanwhile.
func numbersOf(t *testing.T, text string, mayBeCut int) map[int64]int {
	t.Helper()
	numbers, cut := map[int64]int{}, 0
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, "line ")
		number, tail, _ := strings.Cut(rest, " ")
		n, err := strconv.ParseInt(number, 10, 64)
		if whole := strings.Repeat("x", int(n%97)) + "\n"; !ok || err != nil || tail != whole {
			if cut++; cut > mayBeCut || !strings.HasPrefix("line ", line[:min(5, len(line)-1)]) {
				t.Fatalf("not a line as it was written: %.120q", line)
			}
			continue
		}
		numbers[n]++
	}
	return numbers
}

// The real logrotate turns a log as fast as it can, under a writer that numbers its lines, while queries
// run: each has every line that was complete when it was asked and that rotation kept, once, or names
// what was cut. The long form turns it some hundred times in each mode.
func TestLogrotate(t *testing.T) {
	turns := 12
	if *long {
		turns = 300
	}
	f := newFleet(t)
	modes := map[string]string{
		"create":        "create",
		"copytruncate":  "copytruncate",
		"delaycompress": "create\ncompress\ndelaycompress",
		"compress":      "create\ncompress",
		"copycompress":  "copytruncate\ncompress",
	}
	for mode := range modes {
		dir := filepath.Join(f.home, mode)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		f.node(mode, "--logs", dir+"/*")
	}
	f.up(len(modes))
	for mode, options := range modes {
		t.Run(mode, func(t *testing.T) {
			f := *f
			f.t = t
			turnLog(t, &f, mode, options, turns)
		})
	}
}

func turnLog(t *testing.T, f *fleet, mode, options string, turns int) {
	needs.Tool(t, "logrotate", "logrotate")
	dir := filepath.Join(f.home, mode)
	config, state := filepath.Join(f.home, mode+".conf"), filepath.Join(f.home, mode+".state")
	text := fmt.Sprintf("%s/app.log {\nrotate 1000\n%s\n}\n", dir, options)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &logWriter{path: dir + "/app.log", reopen: !strings.Contains(options, "copytruncate"), stop: make(chan struct{}), err: make(chan error, 1)}
	go w.run()
	f.await("lines", 10*time.Second, func() bool { return w.done.Load() > 1000 })

	turned := make(chan error, 1)
	var turn atomic.Int64
	go func() {
		for range turns {
			if out, err := exec.Command("logrotate", "--force", "--state", state, config).CombinedOutput(); err != nil {
				turned <- fmt.Errorf("logrotate: %w: %s", err, out)
				return
			}
			turn.Add(1)
		}
		turned <- nil
	}()
	type asked struct {
		before int64
		result
	}
	var queries []asked
	for turn.Load() < int64(turns) && len(turned) == 0 {
		before := w.done.Load()
		queries = append(queries, asked{before, f.grep("-h", "--node", mode, "^line")})
	}
	if err := <-turned; err != nil {
		t.Fatal(err)
	}
	close(w.stop)
	if err := <-w.err; err != nil {
		t.Fatal(err)
	}
	last := f.grep("-h", "--node", mode, "^line")
	mayBeCut := 1
	if !w.reopen {
		mayBeCut += turns
	}
	kept := numbersOf(t, last.stdout, mayBeCut)
	if last.code != 0 {
		t.Errorf("at rest: exit status %d, %s", last.code, last.stderr)
	}
	if lost := w.done.Load() + 1 - int64(len(kept)); lost != 0 && w.reopen && mode != "compress" { // gzip does not wait for the writer
		t.Errorf("at rest %d of %d lines are missing", lost, w.done.Load()+1)
	}
	cut := 0
	for i, q := range append(queries, asked{w.done.Load(), last}) {
		numbers, missing := numbersOf(t, q.stdout, mayBeCut), 0
		for n, times := range numbers {
			if times > 1 {
				t.Fatalf("query %d has line %d %d times: %s", i, n, times, q.stderr)
			}
		}
		for n := range kept {
			if n <= q.before && numbers[n] == 0 {
				missing++
			}
		}
		named := q.code == 3 && strings.Contains(q.stderr, "shrank")
		if named {
			cut++
		}
		if q.code != 0 && !named || missing > 0 || named && w.reopen {
			t.Errorf("query %d of %d lines misses %d of %d: exit status %d, %s", i, len(numbers), missing, q.before, q.code, q.stderr)
		}
	}
	t.Logf("%s: %d lines, %d turns, %d queries, %d of them named what was cut", mode, w.done.Load()+1, turns, len(queries), cut)
}
