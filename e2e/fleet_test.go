// Package e2e holds the tests on real processes: a bus, responders and queries, each a process of
// its own, as a user would start them. The binary is built once. Every process is ended by its id.
package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var long = flag.Bool("long", false, "run the long forms: more data, a reader that stops for 60 s")

// program is trawl, built from this tree.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "trawl-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "trawl")
	// The version would hold the commit, and the README, whose session is replayed, holds none.
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "../cmd/trawl")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// lookAtSources reads every folder of the module. The test cache knows a test's imports and what it
// reads by itself, not what the go command that it starts does: without this a change of the program
// would leave an old result standing. Only what is read while tests run counts, not in TestMain.
var lookAtSources = sync.OnceValue(func() error {
	return filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && path != ".." && strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		return err
	})
})

// environment keeps what the developer has configured out of the tests.
func environment(home string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_CONFIG_HOME=" + home, "LC_ALL=C.UTF-8", "TZ=UTC", "USER=tester"}
}

// process is a bus or a responder.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	log  *syncBuffer // its stderr
	done chan struct{}
}

// start runs trawl with args until the test ends.
func start(t *testing.T, home, name string, stdout io.Writer, args ...string) *process {
	t.Helper()
	return startIn(t, home, name, stdout, nil, args...)
}

// startIn runs trawl with more in its environment.
func startIn(t *testing.T, home, name string, stdout io.Writer, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: exec.Command(program, args...), log: &syncBuffer{}, done: make(chan struct{})}
	p.cmd.Env, p.cmd.Dir = append(environment(home), env...), home
	p.cmd.Stdout, p.cmd.Stderr = stdout, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGCONT)
		p.end(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, tail(p.log.String(), 500))
		}
	})
	return p
}

// signal sends s, unless the process has ended.
func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = p.cmd.Process.Signal(s)
	}
}

// end sends s and waits for the process to be gone.
func (p *process) end(s syscall.Signal) {
	p.signal(s)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.t.Errorf("%s does not end on signal %s", p.name, s)
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// fleet is a bus and its responders.
type fleet struct {
	t     *testing.T
	home  string
	url   string
	bus   *process
	nodes map[string]*process
	env   []string // of responders, beyond environment
}

// newFleet starts a bus; responders are added with node.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	if err := lookAtSources(); err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, home: t.TempDir(), nodes: map[string]*process{}}
	f.startBus("127.0.0.1:0")
	return f
}

// startBus starts the bus, or starts it again on the address it had; args are the rest of its command line.
func (f *fleet) startBus(listen string, args ...string) {
	f.t.Helper()
	out := &syncBuffer{}
	f.bus = start(f.t, f.home, "bus", out, append([]string{"bus", "--listen", listen, "--store", filepath.Join(f.home, "bus")}, args...)...)
	f.await("the bus prints its URL", 20*time.Second, func() bool {
		for line := range strings.Lines(out.String()) {
			if i := strings.Index(line, "nats://"); i >= 0 && strings.HasSuffix(line, "\n") {
				f.url = strings.Fields(line[i:])[0]
				return true
			}
		}
		if !f.bus.running() {
			f.t.Fatalf("the bus ended:\n%s", f.bus.log)
		}
		return false
	})
}

// node starts a responder of that name; args are the rest of its command line.
func (f *fleet) node(name string, args ...string) *process {
	f.t.Helper()
	p := startIn(f.t, f.home, name, io.Discard, f.env, append([]string{"responder", "--server", f.url, "--node", name}, args...)...)
	f.nodes[name] = p
	return p
}

// up waits until the roster lists exactly n nodes as up.
func (f *fleet) up(n int) {
	f.t.Helper()
	var last result
	f.await(fmt.Sprintf("%d nodes are up", n), 30*time.Second, func() bool {
		last = f.run("nodes", "--server", f.url)
		up := 0
		for i, line := range strings.Split(strings.TrimSpace(last.stdout), "\n") {
			if fields := strings.Fields(line); i > 0 && len(fields) > 1 && fields[1] == "up" {
				up++
			}
		}
		return up == n
	})
}

// await polls until ok, or fails the test.
func (f *fleet) await(what string, within time.Duration, ok func() bool) {
	f.t.Helper()
	await(f.t, what, within, ok)
}

func await(t *testing.T, what string, within time.Duration, ok func() bool) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not within %s: %s", within, what)
		case <-tick.C:
		}
	}
}

// result is what a command said.
type result struct {
	stdout, stderr string
	code           int
	elapsed        time.Duration
}

// run runs trawl to its end, at most two minutes.
func (f *fleet) run(args ...string) result {
	f.t.Helper()
	q := f.begin(args...)
	return q.wait(2 * time.Minute)
}

// runIn runs trawl with more in its environment.
func (f *fleet) runIn(env []string, args ...string) result {
	f.t.Helper()
	q := &query{t: f.t, out: &syncBuffer{}, env: env}
	f.launch(q, q.out, args)
	return q.wait(2 * time.Minute)
}

// context writes a context of the nats command.
func (f *fleet) context(name, text string) {
	f.t.Helper()
	dir := filepath.Join(f.home, "nats", "context")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// grep asks the fleet.
func (f *fleet) grep(args ...string) result {
	f.t.Helper()
	return f.run(append([]string{"grep", "--server", f.url}, args...)...)
}

// query is a command under way.
type query struct {
	t       *testing.T
	env     []string // beyond environment
	cmd     *exec.Cmd
	out     *syncBuffer
	errout  *syncBuffer
	started time.Time
	ended   chan error
}

// begin starts a command and lets it run.
func (f *fleet) begin(args ...string) *query {
	f.t.Helper()
	q := &query{t: f.t, out: &syncBuffer{}}
	f.launch(q, q.out, args)
	return q
}

// beginInto starts a command whose stdout is a file, such as a pipe's end, which is then closed here.
func (f *fleet) beginInto(stdout *os.File, args ...string) *query {
	f.t.Helper()
	q := &query{t: f.t, out: &syncBuffer{}}
	f.launch(q, stdout, args)
	_ = stdout.Close()
	return q
}

func (f *fleet) launch(q *query, stdout io.Writer, args []string) {
	f.t.Helper()
	q.cmd = exec.Command(program, args...)
	q.cmd.Env, q.cmd.Dir = append(environment(f.home), q.env...), f.home
	q.errout, q.ended, q.started = &syncBuffer{}, make(chan error, 1), time.Now()
	q.cmd.Stdout, q.cmd.Stderr = stdout, q.errout
	if err := q.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() { q.ended <- q.cmd.Wait() }()
	f.t.Cleanup(func() { _ = q.cmd.Process.Kill() })
}

// wait returns the result, or fails the test when there is none within the time.
func (q *query) wait(within time.Duration) result {
	q.t.Helper()
	select {
	case err := <-q.ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			q.t.Fatal(err)
		}
		return result{q.out.String(), q.errout.String(), q.cmd.ProcessState.ExitCode(), time.Since(q.started)}
	case <-time.After(within):
		_ = q.cmd.Process.Kill()
		q.t.Fatalf("%v has not ended within %s; stderr:\n%s", q.cmd.Args, within, q.errout)
		return result{}
	}
}

// receipt is what --output json prints last.
type receipt struct {
	Type      string
	Complete  bool
	Roster    string
	Lines     int64
	ElapsedMS int64 `json:"elapsed_ms"`

	BytesRead       int64 `json:"bytes_read"`
	BytesConsidered int64 `json:"bytes_considered"`
	AssumedSorted   int64 `json:"assumed_sorted"`

	Nodes []struct {
		Node, Status, Reason string
		Lines                int64
		HeardMS              int64 `json:"heard_ms"`
		GivenUpMS            int64 `json:"given_up_ms"`
		Errors               []json.RawMessage
	}
}

// receipt parses the last line of JSON output.
func (r result) receipt(t *testing.T) receipt {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	var parsed receipt
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &parsed); err != nil || parsed.Type != "receipt" {
		t.Fatalf("the last line is no receipt: %v: %.300q\nstderr: %s", err, lines[len(lines)-1], r.stderr)
	}
	return parsed
}

// status returns what a receipt says of a node, "" if it does not name it.
func (r receipt) status(node string) string {
	for _, n := range r.Nodes {
		if n.Node == node {
			return n.Status
		}
	}
	return ""
}

// linesOf counts the match lines of JSON output by node.
func (r result) linesOf(t *testing.T) map[string]int {
	t.Helper()
	counts := map[string]int{}
	scanner := bufio.NewScanner(strings.NewReader(r.stdout))
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		var line struct{ Type, Node string }
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatalf("%v: %.200q", err, scanner.Text())
		}
		if line.Type == "match" {
			counts[line.Node]++
		}
	}
	return counts
}

// syncBuffer is a buffer that one goroutine fills while another looks.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *syncBuffer) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Len()
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}
