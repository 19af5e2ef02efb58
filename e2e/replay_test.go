package e2e

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what the commands of a replayed page print into it")

// What differs from run to run stands in a page as it was once.
var (
	timeOfDay = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`)
	elapsed   = regexp.MustCompile(` *\b\d+(\.\d+)?( ?)(µs|ms|s)\b`)
	version   = regexp.MustCompile(` *\bdevel\S*`)
	instance  = regexp.MustCompile(`\b[A-Z0-9]{26}\b`)
	run       = regexp.MustCompile(`"run":"\d+"`)
)

func settled(text string) string {
	text = timeOfDay.ReplaceAllString(text, "TIME")
	text = elapsed.ReplaceAllString(text, " ELAPSED")
	text = instance.ReplaceAllString(text, "INSTANCE")
	text = run.ReplaceAllString(text, `"run":"RUN"`)
	return version.ReplaceAllString(text, " VERSION")
}

// replay is a page whose console blocks are sessions that really happen: each line that begins with "$ "
// is a command, in one shell for the page, and must print what stands below it.
type replay struct {
	t       *testing.T
	page    string // its path
	name    string // what -run is to be told
	dir     string // where the shell is; what is printed has paths below it
	env     []string
	mayFail bool
	hides   func(line string) bool               // lines that are chance
	settled func(command, printed string) string // what of the rest counts; nil: settled
	begun   func(command string)                 // waits for what a command has begun
	looks   func(command string) bool            // it looks at what others do, and is run until it is as it stands
	shell   *exec.Cmd
	in      io.Writer
	out     *bufio.Reader
}

// fence opens a session.
const fence = "```console\n"

// run replays all sessions of the page.
func (r *replay) run() {
	r.t.Helper()
	data, err := os.ReadFile(r.page)
	if err != nil {
		r.t.Fatal(err)
	}
	r.start()
	var page strings.Builder
	rest, sessions := string(data), 0
	for {
		before, after, ok := strings.Cut(rest, fence)
		page.WriteString(before)
		if !ok {
			break
		}
		session, behind, closed := strings.Cut(after, "```\n")
		if !closed {
			r.t.Fatalf("%s: a console block has no end", r.page)
		}
		page.WriteString(fence + r.session(session) + "```\n")
		rest = behind
		sessions++
	}
	if sessions == 0 {
		r.t.Fatalf("%s has no console block", r.page)
	}
	if *update {
		if err := os.WriteFile(r.page, []byte(page.String()), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

// session replays one, and returns what it was this time.
func (r *replay) session(text string) string {
	r.t.Helper()
	var now strings.Builder
	for part := range strings.SplitSeq("\n"+text, "\n$ ") {
		line, want, _ := strings.Cut(part, "\n")
		if line == "" {
			continue // before the first command
		}
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		got := r.command(line, want)
		now.WriteString("$ " + line + "\n" + got)
		if counts := r.settledBy(); !*update && counts(line, got) != counts(line, want) {
			r.t.Errorf("%s tells another story of %s; go test ./e2e -run %s -update writes this one\n%s", r.page, line, r.name, firstDifference(counts(line, got), counts(line, want)))
		}
	}
	return now.String()
}

func (r *replay) settledBy() func(command, printed string) string {
	if r.settled != nil {
		return r.settled
	}
	return func(_, printed string) string { return settled(printed) }
}

// command runs one, again and again if it looks at what others do, and returns what it printed last.
func (r *replay) command(line, want string) string {
	r.t.Helper()
	got := r.once(line)
	if r.begun != nil {
		r.begun(line)
	}
	if r.looks == nil || !r.looks(line) {
		return got
	}
	counts, same := r.settledBy(), 0
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if !*update && counts(line, got) == counts(line, want) || *update && same == 5 {
			return got
		}
		<-time.After(50 * time.Millisecond)
		again := r.once(line)
		if same++; again == "" || counts(line, again) != counts(line, got) {
			same = 0
		}
		got = again
	}
	return got
}

// start starts the shell.
func (r *replay) start() {
	r.t.Helper()
	r.shell = exec.Command("sh")
	r.shell.Env, r.shell.Dir = r.env, r.dir
	r.shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it leaves behind ends with it
	in, err := r.shell.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		r.t.Fatal(err)
	}
	r.in, r.out = in, bufio.NewReader(read)
	r.shell.Stdout, r.shell.Stderr = write, write
	if err := r.shell.Start(); err != nil {
		r.t.Fatal(err)
	}
	_ = write.Close()
	r.t.Cleanup(func() {
		_ = syscall.Kill(-r.shell.Process.Pid, syscall.SIGKILL)
		_ = r.shell.Wait()
		_ = read.Close()
	})
}

// once runs a command in the shell.
func (r *replay) once(line string) string {
	r.t.Helper()
	const end = '\036'
	if _, err := fmt.Fprintf(r.in, "{ %s\n} </dev/null\nprintf '%%b%%s%%b' '\\036' $? '\\036'\n", line); err != nil {
		r.t.Fatal(err)
	}
	printed, err := r.out.ReadString(end)
	status := ""
	if err == nil {
		status, err = r.out.ReadString(end)
	}
	if err != nil {
		r.t.Fatalf("%s: the shell has ended: %v", line, err)
	}
	if code, err := strconv.Atoi(strings.TrimSuffix(status, string(end))); err != nil || code != 0 && !r.mayFail && !(r.looks != nil && r.looks(line)) {
		r.t.Errorf("%s: exit status %s: %s", line, status, printed)
	}
	var kept strings.Builder
	for line := range strings.Lines(strings.TrimSuffix(printed, string(end))) {
		if r.hides == nil || !r.hides(line) {
			kept.WriteString(strings.ReplaceAll(line, r.dir+"/", ""))
		}
	}
	if text := kept.String(); text != "" && !strings.HasSuffix(text, "\n") {
		return text + "\n"
	}
	return kept.String()
}
