// Package growth measures how the cost of a query grows: with the number of nodes, which are simulated
// on one bus in a process of its own, beside bare NATS that does the same; and with the size of a
// node's logs. Run does it and gives a Report.
package growth

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/bench/procs"
	"github.com/trawl-logs/trawl/bench/profile"
)

// Options say what Run does.
type Options struct {
	Trawl    string // the binary, which has the commands bench-fleet and bench-ask
	MaxNodes int    // of 1, 10, 100, 1000, 10000 those up to here
	MaxSize  int64  // of 10 MB, 100 MB, 1 GB, 4 GB those up to here
	Trials   int    // at most
	Verify   bool   // hold the answers to the sizes' queries against the truth; those of the fleets are always counted
	Logs     string // where the logs are kept, and taken from the next time; empty: in the temporary directory, until the end
	Say      func(text string)
	Progress func(done, all int64) // bytes of a log that is being made; none: nil
}

var (
	fleets  = []int{1, 10, 100, 1000, 10_000}
	answers = []answer{{name: empty}, {name: empty + ", new connection", fresh: true}, {name: "10 lines each", lines: 10}, {name: "1 MB each", lines: 10_000}}
)

// answer is what every node of a fleet is asked for.
type answer struct {
	name  string
	lines int  // of 100 bytes
	fresh bool // each query is the first of its connection, which reads the roster before, as every trawl grep does
}

const empty = "empty"

// trialBytes bounds how much one point of the measurement moves; it is measured once at least.
const trialBytes = 10e9

// Run measures. When ctx ends so do the processes, and Run returns its cause. Before all else it looks
// whether there is room for the logs; a disk that has none is a procs.SpaceError.
func Run(ctx context.Context, o Options) (*Report, error) {
	g := &run{ctx: ctx, o: o}
	r := &Report{Type: "scale", Began: time.Now().UTC().Truncate(time.Second), Machine: profile.ThisMachine(), Trials: o.Trials}
	err := g.room()
	if err != nil {
		return nil, err
	}
	if r.Transport, err = g.transport(); err != nil {
		return nil, g.cause(fmt.Errorf("transport: %w", err))
	}
	for _, n := range fleets {
		if n > o.MaxNodes {
			break
		}
		points, err := g.fleet(n)
		if err != nil {
			return nil, g.cause(fmt.Errorf("fleet of %d: %w", n, err))
		}
		r.Nodes = append(r.Nodes, points...)
	}
	for _, size := range upTo(o.MaxSize) {
		point, err := g.size(size)
		if err != nil {
			return nil, g.cause(fmt.Errorf("%s a node: %w", profile.Size(size), err))
		}
		r.Sizes = append(r.Sizes, *point)
	}
	return r, nil
}

// run is a Run that goes on.
type run struct {
	ctx context.Context
	o   Options
}

// cause is why it ended: err, unless it was asked to.
func (g *run) cause(err error) error {
	if g.ctx.Err() != nil {
		return context.Cause(g.ctx)
	}
	return err
}

func (g *run) say(format string, args ...any) {
	if g.o.Say != nil {
		g.o.Say(fmt.Sprintf(format, args...))
	}
}

// Asked is what trawl bench-ask says of one order: a query through trawl's requester, or its like in
// bare NATS, which knows nothing but the time.
type Asked struct {
	Seconds float64 `json:"seconds"`
	Nodes   int     `json:"nodes"`
	Lines   int64   `json:"lines"`
	Bytes   int64   `json:"bytes"`  // of text
	Moved   int64   `json:"moved"`  // bytes of frames
	Frames  int64   `json:"frames"` // messages that came
	Sent    int64   `json:"sent"`   // messages that the requester sent

	Complete bool   `json:"complete"` // every node answered in full
	Why      string `json:"why"`      // it is not: of the first node that did not, what became of it
	Error    string `json:"error"`    // there was no answer; the rest but Seconds means nothing
}

// failedError is a query that had no answer; the next one may.
type failedError string

func (e failedError) Error() string { return string(e) }

// fleet measures all answers of n nodes.
func (g *run) fleet(n int) ([]NodePoint, error) {
	g.say("fleet of %d: starting", n)
	fleet, err := procs.StartDaemon(g.o.Trawl, "bench-fleet", "--nodes", fmt.Sprint(n))
	if err != nil {
		return nil, err
	}
	defer fleet.Stop()
	asker, err := g.asker(fleet.Line)
	if err != nil {
		return nil, err
	}
	defer asker.stop()
	var points []NodePoint
	for _, a := range answers {
		g.say("fleet of %d: %s", n, a.name)
		p, err := g.point(asker, fleet.Line, n, a)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		points = append(points, *p)
	}
	return points, nil
}

// warmUp asks until the whole fleet answers: 10,000 nodes that have just started have much to say to
// each other.
func (g *run) warmUp(asker *asker, n, lines int) (*Asked, error) {
	var asked *Asked
	var err error
	for deadline := time.Now().Add(2 * time.Minute); ; {
		asked, err = asker.order("query %d", lines)
		_, failed := errors.AsType[failedError](err)
		if err != nil && !failed || err == nil && asked.Nodes == n && asked.Complete || time.Now().After(deadline) {
			break
		}
	}
	switch {
	case err == nil && asked.Nodes != n:
		err = fmt.Errorf("%d nodes are in the roster", asked.Nodes)
	case err == nil && asked.Frames < int64(n):
		err = fmt.Errorf("%d messages came", asked.Frames)
	}
	return asked, err
}

// point measures one answer of n nodes: a query, and its like in bare NATS, by turns; then trawl grep
// as a process, whose connection is always new.
func (g *run) point(asker *asker, url string, n int, a answer) (*NodePoint, error) {
	first, err := g.warmUp(asker, n, a.lines)
	if err != nil {
		return nil, err
	}
	p := &NodePoint{Nodes: n, Answer: a.name, Lines: a.lines, Fresh: a.fresh}
	order := "query %d"
	if a.fresh {
		order = "first %d"
	}
	// What takes no credit can be gathered by bare NATS in as many messages of the same size.
	perNode := int(first.Frames) / n
	alike := a.lines <= 10
	for range g.trials(first.Bytes) {
		q, err := asker.order(order, a.lines)
		if failed, ok := errors.AsType[failedError](err); ok {
			p.count(false, failed.Error())
			continue
		}
		if err != nil {
			return nil, err
		}
		p.count(q.Complete, q.Why)
		p.Seconds = append(p.Seconds, q.Seconds)
		p.frames, p.sent = append(p.frames, float64(q.Frames)), append(p.sent, float64(q.Sent))
		if alike {
			bare, err := asker.order("gather %d %d %d", n, perNode, q.Moved/int64(n*perNode))
			if err != nil {
				return nil, err
			}
			p.Bare = append(p.Bare, bare.Seconds)
		}
	}
	if len(p.Seconds) == 0 {
		return nil, fmt.Errorf("no query had an answer: %s", p.Why)
	}
	processes := min(3, g.trials(first.Bytes))
	if a.fresh {
		processes = 0 // they are those of the other empty answer
	}
	for range processes {
		if err := g.grep(url, p, n, a.lines); err != nil {
			return nil, err
		}
	}
	p.sum()
	return p, nil
}

func (g *run) trials(size int64) int {
	return max(1, min(g.o.Trials, int(trialBytes/float64(max(1, size)))))
}

// grep runs trawl grep as a user would.
func (g *run) grep(url string, p *NodePoint, n, lines int) error {
	cmd := exec.CommandContext(g.ctx, g.o.Trawl, "grep", "--server", url, "--no-progress", "--timing", "-h", fmt.Sprintf("lines %d", lines))
	counted := &lineCounter{}
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = counted, &said
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began).Seconds()
	status := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status, err = exit.ExitCode(), nil
	}
	if err == nil && status == 2 {
		first, _, _ := strings.Cut(said.String(), "\n")
		p.count(false, first)
		return nil
	}
	complete := status <= 1
	_, why, _ := strings.Cut(said.String(), "\n") // below the receipt's first line
	why, _, _ = strings.Cut(why, "\n")
	if want := 1 - min(lines, 1); err == nil && (status > 4 || complete && (status != want || counted.n != int64(n)*int64(lines))) {
		err = fmt.Errorf("%d lines, exit status %d, want %d lines, %d", counted.n, status, n*lines, want)
	}
	if err != nil {
		return fmt.Errorf("trawl grep: %w", err)
	}
	p.count(complete, strings.TrimSpace(why))
	p.process = append(p.process, took)
	if _, memory, ok := strings.Cut(said.String(), "trawl: memory: "); ok {
		var peak int64
		_, _ = fmt.Sscanf(memory, "%d bytes at most", &peak)
		p.Peak = max(p.Peak, peak)
	}
	return nil
}

// transport measures how fast answers flow from four nodes, beside a bare stream of messages of the
// same size under the same window.
func (g *run) transport() (*Transport, error) {
	const nodes, lines = 4, 640_000
	g.say("fleet of %d: transport", nodes)
	fleet, err := procs.StartDaemon(g.o.Trawl, "bench-fleet", "--nodes", fmt.Sprint(nodes))
	if err != nil {
		return nil, err
	}
	defer fleet.Stop()
	asker, err := g.asker(fleet.Line)
	if err != nil {
		return nil, err
	}
	defer asker.stop()
	first, err := g.warmUp(asker, nodes, lines)
	if err != nil {
		return nil, err
	}
	t := &Transport{Nodes: nodes, Message: first.Moved / first.Frames, Bytes: first.Bytes}
	for range g.o.Trials {
		q, err := asker.order("query %d", lines)
		if err != nil {
			return nil, err
		}
		messages := int(q.Moved/t.Message) / nodes
		bare, err := asker.order("stream %d %d %d", nodes, messages, t.Message)
		if err != nil {
			return nil, err
		}
		t.Rate = append(t.Rate, float64(q.Moved)/q.Seconds)
		t.BareRate = append(t.BareRate, float64(t.Message)*float64(messages*nodes)/bare.Seconds)
	}
	return t, nil
}

// lineCounter counts the lines written to it.
type lineCounter struct{ n int64 }

// Write counts, and never fails.
func (c *lineCounter) Write(b []byte) (int, error) {
	c.n += int64(bytes.Count(b, []byte("\n")))
	return len(b), nil
}

// asker is trawl bench-ask as a process.
type asker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func (g *run) asker(url string) (*asker, error) {
	a := &asker{cmd: exec.CommandContext(g.ctx, g.o.Trawl, "bench-ask", "--server", url)}
	a.cmd.Stderr = os.Stderr
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	a.out = bufio.NewScanner(out)
	if a.in, err = a.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return a, a.cmd.Start()
}

// order gives it one, and waits until it is done.
func (a *asker) order(format string, args ...any) (*Asked, error) {
	if _, err := fmt.Fprintf(a.in, format+"\n", args...); err != nil {
		return nil, fmt.Errorf("trawl bench-ask: %w", err)
	}
	if !a.out.Scan() {
		return nil, errors.New("trawl bench-ask has ended")
	}
	asked := &Asked{}
	if err := json.Unmarshal(a.out.Bytes(), asked); err != nil {
		return nil, fmt.Errorf("trawl bench-ask: %w", err)
	}
	if asked.Error != "" {
		return nil, failedError(asked.Error)
	}
	return asked, nil
}

func (a *asker) stop() {
	_ = a.in.Close() // the end of its orders
	_ = a.cmd.Wait()
}
