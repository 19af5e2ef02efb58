package feed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Journal is a part of systemd's journal.
type Journal struct {
	Units     []string       // names or globs, as journalctl's --unit; none: all entries
	Priority  string         // as journalctl's --priority: warning, or emerg..err; empty: all
	Directory string         // of the journal's files; empty: the machine's
	Zone      *time.Location // of the times in the lines; nil: the node's
}

// Priorities are the names of the levels, from the most severe.
var Priorities = []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

// ErrEntry says that an entry is left out, since it is longer than what is kept of a line.
var ErrEntry = errors.New("journal entry too long")

// Check says what is wrong with the names of units, the priority or the directory.
func (j *Journal) Check() error {
	for _, u := range j.Units {
		if u == "" || len(u) > 255 || strings.HasPrefix(u, "-") || strings.ContainsFunc(u, func(r rune) bool { return r <= ' ' || r == '/' || r == 0x7f }) {
			return fmt.Errorf("unit %q: 1 to 255 characters without blanks and slashes, and no - in front", u)
		}
	}
	if j.Priority != "" {
		low, high, _ := strings.Cut(j.Priority, "..")
		if !isPriority(low) || strings.Contains(j.Priority, "..") && !isPriority(high) {
			return fmt.Errorf("priority %q is none of %s or a range FROM..TO of them", j.Priority, strings.Join(Priorities, ", "))
		}
	}
	if j.Directory != "" && !strings.HasPrefix(j.Directory, "/") {
		return fmt.Errorf("directory %q of a journal: it is not absolute", j.Directory)
	}
	return nil
}

func isPriority(name string) bool {
	for i, p := range Priorities {
		if name == p || name == fmt.Sprint(i) {
			return true
		}
	}
	return false
}

// arguments are those of journalctl. Times are rounded so that nothing is missed.
func (j *Journal) arguments(since, until int64) []string {
	args := []string{"--output=json", "--all", "--no-pager",
		"--output-fields=MESSAGE,_HOSTNAME,SYSLOG_IDENTIFIER,_COMM,_PID,SYSLOG_PID"}
	if j.Directory != "" {
		args = append(args, "--directory="+j.Directory)
	}
	for _, u := range j.Units {
		args = append(args, "--unit="+u)
	}
	if j.Priority != "" {
		args = append(args, "--priority="+j.Priority)
	}
	const micro = int64(time.Microsecond)
	if since > 0 {
		args = append(args, "--since="+instant(since/micro))
	}
	if until > 0 {
		args = append(args, "--until="+instant((until+micro-1)/micro))
	}
	return args
}

// Newest returns the time of the newest entry, NoTime if there is none.
func (j *Journal) Newest(ctx context.Context) (ns int64, err error) {
	lines, closer, err := j.open(ctx, append(j.arguments(0, 0), "--lines=20")) // some have no message
	if err != nil {
		return NoTime, err
	}
	defer closer.Close()
	n, err := io.Copy(io.Discard, lines) // to the end, where journalctl's complaint would be
	if n == 0 || err != nil {
		return NoTime, err
	}
	ns, _, _, _ = lines.Line(n - 1)
	return ns, nil
}

// instant is a time as journalctl takes it.
func instant(us int64) string { return fmt.Sprintf("@%d.%06d", us/1_000_000, us%1_000_000) }

// Open starts journalctl on the entries of the times in [since, until), Unix nanoseconds, 0 for open,
// and gives their lines, each as `journalctl -o short-iso-precise` has it:
//
//	2026-03-04T05:06:07.123456+01:00 web1 nginx[42]: message
//
// Lines after a message's first are indented like its text and have its time. What is not UTF-8, and a
// NUL, is written \xff. What journalctl complains of, and its failure, is an error of the last Read.
// The end of ctx, and Close, which must be called, kill it.
func (j *Journal) Open(ctx context.Context, since, until int64) (*Lines, io.Closer, error) {
	return j.open(ctx, j.arguments(since, until))
}

func (j *Journal) open(ctx context.Context, args []string) (*Lines, io.Closer, error) {
	e, c, err := j.entries(ctx, args)
	if err != nil {
		return nil, nil, err
	}
	return e.Lines, c, nil
}

// entries starts journalctl.
func (j *Journal) entries(ctx context.Context, args []string) (*entries, *child, error) {
	c := &child{cmd: exec.CommandContext(ctx, "journalctl", args...), ctx: ctx}
	c.cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=")
	c.cmd.Stderr = &c.said
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.Cancel = c.kill
	c.cmd.WaitDelay = time.Second
	out, in, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	c.cmd.Stdout, c.out = in, out
	err = c.cmd.Start()
	in.Close()
	if err != nil {
		out.Close()
		if errors.Is(err, exec.ErrNotFound) {
			err = errors.New("journalctl is not installed")
		}
		return nil, nil, fmt.Errorf("journal: %w", err)
	}
	zone := j.Zone
	if zone == nil {
		zone = time.Local
	}
	e := &entries{Lines: &Lines{}, splitter: splitter{r: c}, zone: zone, last: NoTime}
	e.Lines.fill = e.fillFrom
	return e, c, nil
}

// noSuchUnit is what journalctl says of globs that no unit's name matches.
const noSuchUnit = "Failed to add filter for units: No data available"

// child is journalctl.
type child struct {
	cmd  *exec.Cmd
	ctx  context.Context
	out  *os.File
	said firstLine

	once   sync.Once
	reaped atomic.Bool
	ended  error
}

// Read reads what journalctl prints; at its end, whether it went well.
func (c *child) Read(p []byte) (int, error) {
	n, err := c.out.Read(p)
	if err == nil || n > 0 {
		return n, nil
	}
	switch c.wait(); {
	case c.ctx.Err() != nil:
		return 0, context.Cause(c.ctx)
	case c.said.empty() && c.ended == nil && errors.Is(err, io.EOF):
		return 0, io.EOF
	case c.said.is(noSuchUnit):
		return 0, io.EOF // no entry is of such a unit
	case !c.said.empty():
		return 0, fmt.Errorf("journalctl: %s", c.said.String())
	case c.ended != nil:
		return 0, fmt.Errorf("journalctl: %w", c.ended)
	}
	return 0, fmt.Errorf("journalctl: %w", err)
}

// kill kills journalctl and what it may have started.
func (c *child) kill() error {
	if c.reaped.Load() {
		return os.ErrProcessDone // another process may have its number
	}
	return syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
}

func (c *child) wait() {
	c.once.Do(func() {
		c.ended = c.cmd.Wait()
		c.reaped.Store(true)
	})
}

// Close ends journalctl, if it still runs.
func (c *child) Close() error {
	_ = c.kill() // it may be over
	err := c.out.Close()
	c.wait()
	return err
}

// firstLine keeps the first line that is written to it, up to a length.
type firstLine struct {
	mu   sync.Mutex
	text []byte
}

// Write keeps some of p.
func (f *firstLine) Write(p []byte) (int, error) {
	const most = 300
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text = append(f.text, p[:min(len(p), max(0, most-len(f.text)))]...)
	return len(p), nil
}

func (f *firstLine) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	line, _, _ := bytes.Cut(bytes.TrimSpace(f.text), []byte{'\n'})
	return strings.ToValidUTF8(string(line), "?")
}

func (f *firstLine) empty() bool { return f.String() == "" }

func (f *firstLine) is(text string) bool { return f.String() == text }
