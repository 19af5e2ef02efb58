package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/responder"
	"github.com/trawl-logs/trawl/schemas"
)

const doctorHelp = `Say what works and what does not, from here to the log files of every node: the
connection, what this user may do, which nodes answer, how far their clocks are
off; and of every source which files there are, whether they can be read and as
whom, in which form their times are, from when to when, and whether in order.
What to do about it comes last.

A node looks into the 200 newest files of a source, and reads some of each. A
file is sorted if no time that was seen is more than 15 minutes behind one above
it: then --since reads a part of it.

With --local it looks at the sources that a responder would serve on this
machine, as the user that runs it, without a bus.

Exit status: 0 all is well, 1 there are problems, 2 it could not look.`

// Bounds of what doctor waits for, and of what it puts up with.
const (
	doctorTimeout = 20 * time.Second
	clockTries    = 4           // of which the one counts that was under way the shortest
	clockWait     = time.Second // for one of them
	doctorAtOnce  = 32          // nodes that are asked side by side
	clockLimit    = time.Second // a clock that is off by more is a problem
)

// exitUnwell is doctor's exit status where there are problems.
const exitUnwell = 1

type doctorFlags struct {
	connect connectFlags
	own     responderFlags
	local   bool
	nodes   []string
	output  string
	timeout time.Duration
}

func newDoctorCommand() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what works and what does not, from here to each log file",
		Long:  doctorHelp,
		Example: `  trawl doctor
  trawl doctor --node 'web*' --output json
  trawl doctor --local --config /etc/trawl/trawl.yaml
  sudo -u trawl trawl doctor --local --logs '/var/log/**/*.log'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&f.nodes, "node", nil, "`GLOB` of the nodes to look at; repeatable")
	flags.BoolVar(&f.local, "local", false, "look at this machine's sources, without a bus")
	flags.StringVar(&f.own.config, "config", "", "with --local: `FILE` of the responder's configuration (default "+responder.DefaultConfigFile+", if there is one)")
	flags.StringArrayVar(&f.own.logs, "logs", nil, "with --local: `[SERVICE=]GLOB` as of trawl responder; in place of the configuration's")
	flags.StringVar(&f.output, "output", "text", "`FORM`: text or json, one object")
	flags.DurationVar(&f.timeout, "timeout", doctorTimeout, "`DUR` to wait for the nodes")
	f.connect.register(flags)
	return cmd
}

func (f *doctorFlags) run(cmd *cobra.Command) error {
	if f.output != "text" && f.output != "json" {
		return fmt.Errorf("--output %s is neither text nor json", f.output)
	}
	if !f.local && (f.own.config != "" || len(f.own.logs) > 0) {
		return errors.New("--config and --logs are for --local")
	}
	look := f.lookAtFleet
	if f.local {
		look = f.lookHere
	}
	d, err := look(cmd.Context())
	if err != nil {
		return err
	}
	d.conclude()
	print := d.text
	if f.output == "json" {
		print = d.json
	}
	if err := print(cmd.OutOrStdout()); err != nil {
		return err
	}
	if len(d.Problems) > 0 {
		return &exitError{code: exitUnwell}
	}
	return nil
}

// lookHere looks at this machine's sources as a responder would.
func (f *doctorFlags) lookHere(ctx context.Context) (*diagnosis, error) {
	config, err := f.own.settings()
	if err != nil {
		return nil, err
	}
	nobody := responder.PublishFunc(func(responder.Key, []byte) error { return nil })
	r, err := responder.New(config, version(), slog.New(slog.DiscardHandler), nobody, func() {})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, f.timeout)
	defer stop()
	c := r.Checkup(ctx)
	return &diagnosis{Nodes: []nodeDiagnosis{{Node: c.Name, State: "here", Version: version(), checkup: c}}}, nil
}

// lookAtFleet asks the bus, and every node that is there.
func (f *doctorFlags) lookAtFleet(ctx context.Context) (*diagnosis, error) {
	conn, err := f.connect.connect(ctx, "trawl doctor")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	health, err := conn.Health(ctx)
	if err != nil {
		return nil, err
	}
	d := &diagnosis{Bus: &busDiagnosis{
		URL: health.URL, Server: health.Server, RoundTrip: milliseconds(health.RoundTrip), User: conn.User(), Refused: []refusal{},
	}}
	for _, r := range health.Refused {
		d.Bus.Refused = append(d.Bus.Refused, refusal(r))
	}
	roster, err := conn.Roster(ctx)
	if err == nil {
		err = conn.Presence(ctx, &roster)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		d.RosterError = err.Error()
		return d, nil
	}
	d.Roster = string(roster.Kind)
	filter := schemas.Select{Nodes: f.nodes}
	known := slices.DeleteFunc(roster.Nodes, func(n bus.Known) bool { return !filter.AdmitsNode(n.Name, nil) })
	d.Nodes = make([]nodeDiagnosis, len(known))
	ctx, stop := context.WithTimeout(ctx, f.timeout)
	defer stop()
	turn := make(chan struct{}, doctorAtOnce)
	var asked sync.WaitGroup
	for i := range known {
		asked.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			d.Nodes[i] = examine(ctx, conn, &known[i])
		})
	}
	asked.Wait()
	return d, nil
}

// examine asks one node for its clock, and then for what it can read.
func examine(ctx context.Context, conn *bus.Conn, n *bus.Known) nodeDiagnosis {
	d := nodeDiagnosis{Node: n.Name, State: "down", Version: n.Version}
	if t := sinceWhen(n).UTC(); !t.IsZero() {
		d.Since = &t
	}
	if !n.Live {
		return d
	}
	if d.State = "up"; !n.Ready {
		d.State = "starting"
	}
	for range clockTries {
		c, err := ask(ctx, conn, n.Name, &schemas.CheckupRequest{}, clockWait)
		if err != nil {
			d.Error = err.Error()
			continue
		}
		ahead, within := c.Skew()
		if d.Clock == nil || within < d.Clock.within {
			d.Clock = &clockDiagnosis{Ahead: milliseconds(ahead), Within: milliseconds(within), ahead: ahead, within: within}
		}
		d.Error = ""
	}
	if d.Clock == nil {
		return d
	}
	c, err := ask(ctx, conn, n.Name, &schemas.CheckupRequest{Sources: true}, doctorTimeout)
	if err != nil {
		d.Error = err.Error()
		return d
	}
	d.checkup = c.Checkup
	return d
}

// ask asks once, and says what silence means.
func ask(ctx context.Context, conn *bus.Conn, node string, q *schemas.CheckupRequest, wait time.Duration) (*bus.Checkup, error) {
	ctx, stop := context.WithTimeout(ctx, wait)
	defer stop()
	c, err := conn.Checkup(ctx, node, q)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no answer to the request for a checkup")
	}
	return c, err
}

func milliseconds(d time.Duration) float64 { return float64(d.Round(time.Microsecond)) / 1e6 }

// json prints the whole diagnosis as one object.
func (d *diagnosis) json(w io.Writer) error { return encodeLine(w, d) }
