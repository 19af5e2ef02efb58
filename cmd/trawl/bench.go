package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trawl-logs/trawl/bench/chart"
	"github.com/trawl-logs/trawl/bench/growth"
	"github.com/trawl-logs/trawl/bench/procs"
	"github.com/trawl-logs/trawl/bench/profile"
	"github.com/trawl-logs/trawl/sample"
)

const benchHelp = `Measure queries: each token of the generated logs (EVERYWHERE, UNIQUE, EVEN,
HEAVY, RARE, and ABSENT, which no log holds) --trials times after a warm-up. Bus
and responders are started as processes of their own, and every query is one
more, on none of the nodes. --server measures a fleet that serves the logs of an
earlier trawl gen, which --logs names.

First the nodes index their logs. It prints a table and what it says, and writes
bench.md, bench.json, bench.svg and bench.png to DIR. Logs, processes and what
else it needs are gone afterwards, also after Ctrl-C.

--scale measures how the cost grows instead: with the number of nodes, simulated
on one bus in a process, beside a bare NATS scatter-gather that does the same;
and with the size of a node's logs. It writes scale.md, scale.json, and plots of
time, memory and messages. 10,000 nodes take some minutes and 1 GB of memory;
the logs are in TMPDIR, one after the other, the largest with its index, unless
--logs keeps them.

Exit status 1 says that an answer was wrong (--verify), or with --scale that a
query was not answered in full or its requester had 256 MiB of memory. Goals
that the figures miss are named on stderr, and are no failure: they depend on
the machine.`

// benchOptions are the flags of trawl bench.
type benchOptions struct {
	server, logs, out string
	nodes, trials     int
	size              byteSize
	seed              uint64
	idle              time.Duration
	verify, scale     bool
	maxNodes          int
	maxSize           byteSize
}

func newBenchCommand() *cobra.Command {
	o := benchOptions{size: 60_000_000, maxSize: 1_000_000_000}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure queries on generated logs: table, JSON and plots",
		Long:  benchHelp,
		Example: `  trawl bench                                     4 nodes × 60 MB, 10 trials
  trawl bench --size 2MB --trials 3 --verify --out bench
  trawl bench --server nats://bus:4222 --logs logs    a fleet that is there
  trawl bench --scale --verify --max-nodes 10000 --max-size 4GB
  trawl bench --scale --max-nodes 0 --logs logs    sizes alone`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd.Flags()); err != nil {
				return err
			}
			trawl, err := os.Executable()
			if err != nil {
				return fmt.Errorf("own executable: %w", err)
			}
			b := &bench{benchOptions: o, ctx: cmd.Context(), stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(),
				line: newProgressLine(cmd.ErrOrStderr(), true), trawl: trawl}
			measure := b.profile
			if o.scale {
				measure = b.grow
			}
			if o.server == "" {
				end, err := ownFleetAlone()
				if err != nil {
					return err
				}
				defer end()
			}
			return b.writing(measure)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.IntVar(&o.nodes, "nodes", 4, "how many nodes")
	flags.Var(&o.size, "size", "of each node's log")
	flags.Uint64Var(&o.seed, "seed", 1, "of the generated logs")
	flags.IntVar(&o.trials, "trials", 10, "timed queries a token")
	flags.BoolVar(&o.verify, "verify", false, "hold every answer against truth.json")
	flags.StringVar(&o.out, "out", "trawl-bench", "the `DIR` to write to")
	flags.StringVar(&o.logs, "logs", "", "take the logs of an earlier trawl gen, in `DIR`; with --scale, keep logs there and take them from there the next time")
	flags.StringVar(&o.server, "server", "", "`URL` of a bus with a fleet that serves --logs")
	flags.DurationVar(&o.idle, "idle", 5*time.Second, "how long to watch the idle responders")
	flags.BoolVar(&o.scale, "scale", false, "measure growth with nodes and with sizes")
	flags.IntVar(&o.maxNodes, "max-nodes", 1000, "with --scale: most nodes, of 1, 10 … 10000; 0: none")
	flags.Var(&o.maxSize, "max-size", "with --scale: largest log, of 10 MB, 100 MB, 1 GB, 4 GB; 0: none")
	return cmd
}

// check refuses what cannot be, and flags that would do nothing.
func (o *benchOptions) check(flags *pflag.FlagSet) error {
	var without []string
	reason := "has no meaning with --scale"
	switch {
	case o.scale:
		without = []string{"nodes", "size", "seed", "idle", "server"}
	case o.server != "" && o.logs == "":
		return errors.New("bench --server wants --logs DIR")
	default:
		without, reason = []string{"max-nodes", "max-size"}, "is for --scale"
	}
	for _, name := range without {
		if flags.Changed(name) {
			return fmt.Errorf("flag --%s %s", name, reason)
		}
	}
	for _, name := range []string{"nodes", "size", "seed"} {
		if o.logs != "" && flags.Changed(name) {
			return fmt.Errorf("flag --%s has no meaning with --logs", name)
		}
	}
	switch {
	case o.trials < 1:
		return fmt.Errorf("number of trials %d is below 1", o.trials)
	case o.maxNodes < 0:
		return fmt.Errorf("--max-nodes %d is below 0", o.maxNodes)
	case o.idle < 0:
		return fmt.Errorf("--idle %v is below 0", o.idle)
	case o.server != "" && flags.Changed("idle"):
		return errors.New("flag --idle has no meaning with --server: nothing is known of that fleet's processes")
	}
	return nil
}

// ownFleetAlone has no process that is started from now on be told by the environment, or by the user's file, where a bus is: the
// fleet that is measured has one of its own. End comes when they are through.
func ownFleetAlone() (end func(), err error) {
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "TRAWL_") || strings.HasPrefix(name, "NATS_") {
			if err := os.Unsetenv(name); err != nil {
				return nil, err
			}
		}
	}
	none, err := os.MkdirTemp("", "trawl-bench-") // in which there is no file of the user's, nor a context of the nats command
	if err != nil {
		return nil, err
	}
	return func() { os.Remove(none) }, os.Setenv("XDG_CONFIG_HOME", none)
}

// bench is one run.
type bench struct {
	benchOptions
	ctx            context.Context
	stdout, stderr io.Writer
	line           *progressLine
	trawl          string
}

// say reports progress on stderr, a line a step.
func (b *bench) say(text string) {
	b.line.clear()
	fmt.Fprintln(b.stderr, "trawl: "+text)
}

// progress draws how much of a log is made, on a terminal.
func (b *bench) progress(done, all int64) {
	b.line.update(func() string { return fmt.Sprintf("%s of %s", formatBytes(done), formatBytes(all)) })
}

// writing measures, once the directory to write to is there: minutes later is late to say that it cannot be.
func (b *bench) writing(measure func() error) error {
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return err
	}
	defer os.Remove(b.out) // does nothing where anything is in it
	err := measure()
	b.line.clear()
	if e, ok := errors.AsType[*procs.SpaceError](err); ok {
		return fmt.Errorf("%w; make the logs smaller, or let TMPDIR or --logs name a directory on another disk", e)
	}
	return err
}

// profile measures tokens × trials.
func (b *bench) profile() error {
	if b.logs == "" {
		dir, err := os.MkdirTemp("", "trawl-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		b.logs = filepath.Join(dir, "logs")
		if err := b.generate(); err != nil {
			return err
		}
	}
	r, err := profile.Run(b.ctx, profile.Options{
		Trawl: b.trawl, Dir: b.logs, Server: b.server, Trials: b.trials, Idle: b.idle, Verify: b.verify, Say: b.say,
	})
	if _, wrong := errors.AsType[*profile.WrongError](err); wrong {
		return &exitError{code: exitNoMatch, err: err}
	}
	if err != nil {
		return err
	}
	r.Version = version()
	return b.write("bench", r, map[string]chart.Figure{"": r.Figure()})
}

// generate makes the logs, if there is room for them and their indexes.
func (b *bench) generate() error {
	o := sample.Options{Nodes: b.nodes, Size: int64(b.size), Seed: b.seed, Rates: sample.DefaultRates}
	if err := o.Validate(); err != nil {
		return err
	}
	all := o.Size * int64(o.Nodes)
	const withIndex = 1.08 // growth has the same
	if err := procs.Space(os.TempDir(), int64(min(withIndex*float64(o.Size)*float64(o.Nodes), math.MaxInt64/2))); err != nil {
		return err
	}
	b.say(fmt.Sprintf("generating %s of %s", plural(int64(b.nodes), "log"), formatBytes(o.Size)))
	_, err := sample.Write(b.ctx, b.logs, o, false, func(written int64) { b.progress(written, all) })
	return err
}

// grow measures how the cost grows.
func (b *bench) grow() error {
	r, err := growth.Run(b.ctx, growth.Options{
		Trawl: b.trawl, MaxNodes: b.maxNodes, MaxSize: int64(b.maxSize), Trials: b.trials, Logs: b.logs, Verify: b.verify,
		Say: b.say, Progress: b.progress,
	})
	if _, wrong := errors.AsType[*profile.WrongError](err); wrong {
		return &exitError{code: exitNoMatch, err: err}
	}
	if err != nil {
		return err
	}
	r.Version = version()
	figures := map[string]chart.Figure{}
	for name, figure := range r.Figures() {
		figures[name] = figure
	}
	if err := b.write("scale", r, figures); err != nil || !b.verify {
		return err
	}
	if err := r.Check(); err != nil {
		return &exitError{code: exitNoMatch, err: err}
	}
	return nil
}

// report is what was measured.
type report interface {
	Text() string
	Missed() []string
}

// write writes what was measured to the directory, prints the text, and names the goals that are missed: no failure,
// since they depend on the machine.
func (b *bench) write(name string, r report, figures map[string]chart.Figure) error {
	encoded, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	files := map[string]func(io.Writer) error{
		".json": func(w io.Writer) error { _, err := w.Write(append(encoded, '\n')); return err },
		".md":   func(w io.Writer) error { _, err := io.WriteString(w, r.Text()); return err },
	}
	for suffix, figure := range figures {
		files[suffix+".svg"] = func(w io.Writer) error { return chart.SVG(w, figure) }
		files[suffix+".png"] = func(w io.Writer) error { return chart.PNG(w, figure) }
	}
	for suffix, write := range files {
		if err := saveFile(filepath.Join(b.out, name+suffix), write); err != nil {
			return err
		}
	}
	b.say(fmt.Sprintf("%s and plots are in %s", name+".json", b.out))
	for _, missed := range r.Missed() {
		b.say("goal missed: " + missed)
	}
	_, err = io.WriteString(b.stdout, r.Text())
	return err
}

func saveFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
