package e2e

import (
	"bufio"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/sample"
)

const patience = 2 * time.Minute

// Killed before the query: the node is down, all others' lines are there, the exit status says so.
func TestKilledBefore(t *testing.T) {
	f, truth := sampleFleet(t, 4, 200_000)
	f.nodes["node3"].end(syscall.SIGKILL)
	for token, code := range map[string]int{"EVERYWHERE": 3, "ABSENT": 4} {
		r := f.grep("--output", "json", token)
		got, receipt := r.linesOf(t), r.receipt(t)
		if r.code != code || receipt.Complete || receipt.status("node3") != "down" {
			t.Errorf("%s: exit %d, receipt %+v, want exit %d and node3 down", token, r.code, receipt, code)
		}
		for _, node := range truth.Nodes {
			if node.Node != "node3" && (got[node.Node] != int(node.Tokens[token]) || receipt.status(node.Node) != "complete") {
				t.Errorf("%s: %s: %d lines, %s, want %d", token, node.Node, got[node.Node], receipt.status(node.Node), node.Tokens[token])
			}
		}
		if ok := f.grep("--ok-partial", "-q", token); ok.code != code-3 {
			t.Errorf("%s: --ok-partial exits %d, want %d", token, ok.code, code-3)
		}
	}
	if r := f.run("nodes", "--server", f.url); !strings.Contains(rowOf(r.stdout, "node3"), "down") {
		t.Errorf("trawl nodes:\n%s", r.stdout)
	}
	// Forgotten, it is missed no more.
	if r := f.run("nodes", "forget", "--server", f.url, "node3"); r.code != 0 {
		t.Errorf("forget: exit %d: %s", r.code, r.stderr)
	}
	if r := f.grep("-q", "EVERYWHERE"); r.code != 0 {
		t.Errorf("after forget: exit %d: %s", r.code, r.stderr)
	}
}

func rowOf(table, node string) string {
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, node+" ") {
			return line
		}
	}
	return ""
}

// bigFleet has answers far larger than the window, so that a query is still under way when the
// reader has taken its first lines.
func bigFleet(t *testing.T) (*fleet, *sample.Truth) {
	size := int64(20_000_000)
	return sampleFleet(t, 4, size)
}

// stalled starts a query for everything into a pipe and reads one line; the rest waits for read.
func (f *fleet) stalled(args ...string) (*query, *bufio.Reader) {
	f.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = r.Close() })
	q := f.beginInto(w, append([]string{"grep", "--server", f.url}, args...)...)
	reader := bufio.NewReaderSize(r, 4096)
	first, err := reader.ReadString('\n')
	if err != nil {
		f.t.Fatalf("no first line: %v; stderr: %s", err, q.errout)
	}
	q.out.Write([]byte(first))
	return q, reader
}

// finish reads the rest and returns the whole result.
func (q *query) finish(rest *bufio.Reader) result {
	q.t.Helper()
	if _, err := io.Copy(q.out, rest); err != nil {
		q.t.Fatal(err)
	}
	return q.wait(patience)
}

// check holds an answer to the truth: a node that the receipt calls complete has all its lines, and
// no node has one too many.
func check(t *testing.T, r result, truth *sample.Truth, token string) (receipt, map[string]string) {
	t.Helper()
	got, receipt, status := r.linesOf(t), r.receipt(t), map[string]string{}
	complete := true
	for _, node := range truth.Nodes {
		status[node.Node] = receipt.status(node.Node)
		n, want := got[node.Node], int(node.Tokens[token])
		if n > want || status[node.Node] == "complete" && n != want {
			t.Errorf("%s is %q with %d of %d lines", node.Node, status[node.Node], n, want)
		}
		complete = complete && status[node.Node] == "complete"
	}
	if receipt.Complete != complete {
		t.Errorf("receipt says complete %v, its nodes %v", receipt.Complete, status)
	}
	if want := map[bool]int{true: 0, false: 3}[complete]; r.code != want {
		t.Errorf("exit status %d, want %d with %v", r.code, want, status)
	}
	return receipt, status
}

// Killed in the middle of a large answer: named partial within 2 s, and no other node's line lost.
func TestKilledInTheMiddle(t *testing.T) {
	f, truth := bigFleet(t)
	q, rest := f.stalled("--output", "json", "EVERYWHERE")
	f.waiting()
	f.nodes["node3"].end(syscall.SIGKILL)
	r := q.finish(rest)
	_, status := check(t, r, truth, "EVERYWHERE")
	if s := status["node3"]; s != "partial" {
		t.Errorf("node3 is %q, want partial", s)
	}
	for _, node := range []string{"node1", "node2", "node4"} {
		if status[node] != "complete" {
			t.Errorf("%s is %q, want complete", node, status[node])
		}
	}
}

// The node whose lines are being printed dies: the verdict comes within 2 s. The receipt tells when
// the node was last heard and when it was given up, so that neither the printing of what had come
// nor the start and end of processes is in the figure. Between kill and verdict lie: what the bus
// still had of the node (milliseconds), up to half a second that it had been silent before, the 1.9 s
// of silence that the requester wants to see proven, and up to two of its ticks.
func TestKilledWhilePrinting(t *testing.T) {
	f, truth := sampleFleet(t, 1, 60_000_000)
	q, rest := f.stalled("--output", "json", "-v", "ABSENT")
	late := watchLateness(t)
	f.nodes["node1"].end(syscall.SIGKILL)
	killed := time.Now()
	r := q.finish(rest)
	ended := time.Now()
	receipt, slack := r.receipt(t), late()
	if n := r.linesOf(t)["node1"]; receipt.status("node1") != "partial" || r.code != 3 || n >= int(truth.Total.Lines) {
		t.Fatalf("%d of %d lines, exit %d, receipt %+v", n, truth.Total.Lines, r.code, receipt)
	}
	node := receipt.Nodes[0]
	silent := time.Duration(node.GivenUpMS-node.HeardMS) * time.Millisecond
	// The receipt is made when the query ends, and so ties the query's clock to the test's.
	verdict := ended.Add(-time.Duration(receipt.ElapsedMS-node.GivenUpMS) * time.Millisecond).Sub(killed)
	t.Logf("named %v after the kill, %v after it was last heard; the machine was up to %v late",
		verdict.Round(time.Millisecond), silent, slack.Round(time.Millisecond))
	if silent < 1900*time.Millisecond {
		t.Errorf("given up after %v of silence, which proves nothing", silent)
	}
	// What the machine was late at once may come in the requester, in the bus, and in the end of the
	// query's process, each; and the requester excuses what it does not see proven.
	if most := 2*time.Second + 4*slack + 100*time.Millisecond; verdict > most || silent > most {
		t.Errorf("named %v after the kill, %v after the last sign; the most is %v", verdict, silent, most)
	}
}

// watchLateness measures how late this machine runs what is due; the func it returns ends that, and
// gives the most.
func watchLateness(t *testing.T) func() time.Duration {
	t.Helper()
	const step = 5 * time.Millisecond
	stop, most := make(chan struct{}), make(chan time.Duration, 1)
	go func() {
		tick := time.NewTicker(step)
		defer tick.Stop()
		var late time.Duration
		for last := time.Now(); ; {
			select {
			case <-stop:
				most <- late
				return
			case <-tick.C:
			}
			now := time.Now()
			late, last = max(late, now.Sub(last)-step), now
		}
	}()
	return func() time.Duration { close(stop); return <-most }
}

// Stopped, not dead: still subscribed, but silent. The query ends all the same.
func TestStoppedNode(t *testing.T) {
	f, truth := sampleFleet(t, 3, 200_000)
	f.nodes["node2"].signal(syscall.SIGSTOP)
	r := f.grep("--output", "json", "EVERYWHERE")
	_, status := check(t, r, truth, "EVERYWHERE")
	if status["node2"] != "unreachable" || status["node1"] != "complete" || status["node3"] != "complete" {
		t.Errorf("status %v", status)
	}
	if r.elapsed > 15*time.Second {
		t.Errorf("took %s", r.elapsed)
	}
	f.nodes["node2"].signal(syscall.SIGCONT)
	f.await("the node answers again", 20*time.Second, func() bool { return f.grep("-q", "ABSENT").code == 1 })
}

// Stopped in the middle of its answer.
func TestStoppedInTheMiddle(t *testing.T) {
	f, truth := bigFleet(t)
	q, rest := f.stalled("--output", "json", "EVERYWHERE")
	f.waiting()
	f.nodes["node4"].signal(syscall.SIGSTOP)
	r := q.finish(rest)
	_, status := check(t, r, truth, "EVERYWHERE")
	if s := status["node4"]; s != "partial" && s != "unreachable" {
		t.Errorf("node4 is %q", s)
	}
}

// The bus restarts in the middle: the answer is complete, or the gap is named.
func TestBusRestartInTheMiddle(t *testing.T) {
	f, truth := bigFleet(t)
	q, rest := f.stalled("--output", "json", "EVERYWHERE")
	f.waiting()
	f.bus.end(syscall.SIGKILL)
	f.startBus(strings.TrimPrefix(f.url, "nats://"))
	receipt, status := check(t, q.finish(rest), truth, "EVERYWHERE")
	t.Logf("after a restart of the bus: %v", status)
	for _, node := range receipt.Nodes {
		if node.Status != "complete" {
			t.Errorf("%s is %q (%s): what a node keeps must be enough to go on", node.Node, node.Status, node.Reason)
		}
	}
	f.up(4)
	if r := f.grep("-q", "ABSENT"); r.code != 1 {
		t.Errorf("a query after the restart: exit %d: %s", r.code, r.stderr)
	}
}

// The bus stands still in the middle, for longer than a silent node is given: nobody is blamed.
func TestBusStandsStill(t *testing.T) {
	f, truth := bigFleet(t)
	q, rest := f.stalled("--output", "json", "EVERYWHERE")
	f.bus.signal(syscall.SIGSTOP)
	<-time.After(5 * time.Second) // the verdict on a silent node comes after two
	f.bus.signal(syscall.SIGCONT)
	receipt, status := check(t, q.finish(rest), truth, "EVERYWHERE")
	if !receipt.Complete {
		t.Errorf("after the bus stood still: %v: %+v", status, receipt)
	}
}

// The requester is stopped, as by Ctrl-Z, and goes on.
func TestRequesterIsStopped(t *testing.T) {
	f, truth := bigFleet(t)
	q, rest := f.stalled("--output", "json", "EVERYWHERE")
	f.waiting()
	_ = q.cmd.Process.Signal(syscall.SIGSTOP)
	<-time.After(4 * time.Second)
	_ = q.cmd.Process.Signal(syscall.SIGCONT)
	receipt, status := check(t, q.finish(rest), truth, "EVERYWHERE")
	if !receipt.Complete {
		t.Errorf("after the requester was stopped: %v: %+v", status, receipt)
	}
}

// `| head -1`: stdout closes, and the work ends on all nodes within a second.
func TestHead(t *testing.T) {
	f, _ := bigFleet(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	q := f.beginInto(w, "grep", "--server", f.url, "-v", "ABSENT")
	if _, err := bufio.NewReaderSize(r, 512).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	closed := time.Now()
	if got := q.wait(10 * time.Second); got.code != 141 {
		t.Errorf("exit status %d, want 141; stderr: %s", got.code, got.stderr)
	}
	f.idle(closed.Add(1500 * time.Millisecond)) // a second, and half a one for a busy machine
}

// waiting waits until every node has sent what there is credit for.
func (f *fleet) waiting() {
	f.t.Helper()
	f.idle(time.Now().Add(20 * time.Second))
}

// idle waits until no responder uses its processor any more, at the latest by the deadline.
func (f *fleet) idle(deadline time.Time) {
	f.t.Helper()
	before := map[string]int64{}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for quiet := 0; quiet < 3; <-tick.C {
		quiet++
		for name, p := range f.nodes {
			now := processorTicks(f.t, p.cmd.Process.Pid)
			if now-before[name] > 1 { // a hundredth of a second is housekeeping
				quiet = 0
			}
			before[name] = now
		}
		if quiet == 0 && time.Now().After(deadline) {
			f.t.Fatal("the nodes work on")
		}
	}
}

// Ctrl-C: what came is printed, the receipt names who had not finished, the nodes are told.
func TestInterrupt(t *testing.T) {
	f, truth := bigFleet(t)
	q, rest := f.stalled("EVERYWHERE")
	_ = q.cmd.Process.Signal(os.Interrupt)
	r := q.finish(rest)
	if r.code != 130 {
		t.Errorf("exit status %d, want 130; stderr: %s", r.code, r.stderr)
	}
	n := strings.Count(r.stdout, "\n")
	if n == 0 || n >= int(truth.Total.Tokens["EVERYWHERE"]) || !strings.HasSuffix(r.stdout, "\n") {
		t.Errorf("%d of %d lines were printed", n, truth.Total.Tokens["EVERYWHERE"])
	}
	if !strings.Contains(r.stderr, "node4") {
		t.Errorf("the receipt does not name node4: %s", r.stderr)
	}
	f.idle(time.Now().Add(1500 * time.Millisecond))
}
