package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/responder"
	"github.com/trawl-logs/trawl/sample"
)

const demoHelp = `See trawl at work: a bus and four responders in this process, on logs generated
for the occasion, a tour of queries, and what happens when a node dies. It needs
no set-up, listens on loopback only, and leaves nothing behind.`

// demoStep is one query of the tour.
type demoStep struct {
	says string
	args []string
}

var demoTour = []demoStep{
	{"A token that all nodes have, the first two lines of each file:", []string{"-m2", "EVERYWHERE"}},
	{"A token that one node has, counted on all:", []string{"-c", "UNIQUE"}},
	{"How often do requests fail? -c counts, file by file:", []string{"-c", "-E", "status=5[0-9]{2}"}},
	{"What surrounds a rare line? With line numbers and context:", []string{"-n", "-C1", "-m1", "--node", "node2", "RARE"}},
	{"A word that nobody has. Everyone answered in full: absence is proven (1).", []string{"absent-from-all-logs"}},
}

var demoFailure = []demoStep{
	{"What matched is printed, node3 is named, and the exit status is not 0 but 3:", []string{"-c", "RARE"}},
	{"Nothing matched, but node3 could not be asked: nothing is proven (4).", []string{"absent-from-all-logs"}},
}

func newDemoCommand() *cobra.Command {
	var keep bool
	size := byteSize(2_000_000)
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "A bus, four nodes and a tour of queries, in one process",
		Long:  demoHelp,
		Example: `  trawl demo
  trawl demo --keep        leave it up, to be queried from another terminal
  trawl demo --size 60MB   with larger logs`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			d := &demo{cmd: cmd, out: cmd.OutOrStdout(), size: int64(size), keep: keep}
			return d.run()
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave bus and nodes up until Ctrl-C")
	cmd.Flags().Var(&size, "size", "of each node's log")
	return cmd
}

// demo is one tour.
type demo struct {
	cmd  *cobra.Command
	out  io.Writer
	size int64
	keep bool
	dir  string
	url  string
	err  error // the first write that failed
}

func (d *demo) say(format string, args ...any) {
	if _, err := fmt.Fprintf(d.out, format+"\n", args...); d.err == nil {
		d.err = err
	}
}

func (d *demo) run() error {
	dir, err := os.MkdirTemp("", "trawl-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d.dir = dir
	o := sample.Options{Nodes: 4, Size: d.size, Seed: 1, Rates: sample.DefaultRates}
	truth, err := sample.Write(d.cmd.Context(), filepath.Join(dir, "logs"), o, false, nil)
	if err != nil {
		return err
	}
	server, err := bus.StartServer(bus.ServerOptions{Listen: "127.0.0.1:0", Store: filepath.Join(dir, "bus")})
	if err != nil {
		return err
	}
	defer server.Stop()
	d.url = server.URL()
	nodes := map[string]func(){}
	for _, node := range truth.Nodes {
		stop, err := d.startNode(server, node.Node, filepath.Join(dir, "logs", node.File))
		if err != nil {
			return err
		}
		defer stop()
		nodes[node.Node] = stop
	}
	d.say("A bus and 4 nodes are up, in one process; each node has a log of %s.\n"+
		"Paths and long lines are shortened here.", formatBytes(d.size))
	for _, step := range demoTour {
		d.step(step)
	}
	if d.keep {
		return d.wait()
	}
	d.say("\nNow node3 dies.")
	nodes["node3"]()
	for _, step := range demoFailure {
		d.step(step)
	}
	d.say("\nThat was all. Next: trawl demo --keep, trawl --help")
	if d.cmd.Context().Err() != nil {
		return context.Cause(d.cmd.Context())
	}
	return d.err
}

// step runs one query as the command line would, and shows what it prints.
func (d *demo) step(step demoStep) {
	if d.err != nil || d.cmd.Context().Err() != nil {
		return
	}
	d.say("\n%s\n$ trawl grep %s", step.says, shellWords(step.args))
	var out, errout bytes.Buffer
	began := time.Now()
	args := append([]string{"grep", "--server", d.url, "--no-progress"}, step.args...)
	status := run(context.WithValue(d.cmd.Context(), flagsAlone{}, true), args, strings.NewReader(""), &out, &errout)
	took := time.Since(began)
	for _, text := range []string{out.String(), errout.String()} {
		for line := range strings.Lines(text) {
			line = strings.ReplaceAll(strings.TrimSuffix(line, "\n"), d.dir+string(filepath.Separator), "")
			d.say("%s", fitted(line))
		}
	}
	d.say("(exit status %d, %.1f ms)", status, float64(took.Microseconds())/1000)
}

// wait leaves all up until the user has had enough.
func (d *demo) wait() error {
	d.say("\nBus and nodes stay up. From another terminal:\n\n  export NATS_URL=%s\n  trawl nodes\n  trawl grep -c RARE\n\nCtrl-C ends them.", d.url)
	<-d.cmd.Context().Done()
	return d.err
}

// startNode starts a responder in this process. What it returns takes the node off the bus at
// once, as a crash would.
func (d *demo) startNode(server *bus.Server, name, logs string) (stop func(), err error) {
	config := responder.DefaultConfig()
	config.Node = name
	if err := errors.Join(config.AddLogs(logs), config.Finish()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(d.cmd.Context())
	node, err := joinNode(ctx, config, bus.Options{InProcess: server, Name: "node " + name, Responder: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		cancel()
		return nil, err
	}
	stop = func() { cancel(); node.Close() }
	if err := node.service.Await(ctx); err != nil { // in the roster: the tour's first query asks all four
		stop()
		return nil, err
	}
	return stop, nil
}

// fitted leaves out the middle of a line that is longer than 80 columns.
func fitted(line string) string {
	const width, end = 80, 24
	runes := []rune(line)
	if len(runes) <= width {
		return line
	}
	return string(runes[:width-end-1]) + "…" + string(runes[len(runes)-end:])
}

// shellWords writes args as one would type them.
func shellWords(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if strings.ContainsAny(arg, " []{}*?'\"$\\|&;<>()") {
			words[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
