package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/relations"
	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/requester/onbus"
	"github.com/trawl-logs/trawl/requester/printer"
	"github.com/trawl-logs/trawl/schemas"
	"github.com/trawl-logs/trawl/trail"
)

const traceHelp = `Print all lines that hold ID, which may be any string, of all services in the
order of their times: one story, indented by the calls that lead to a service.

The logs of the entries, --entry or whom nobody calls, are searched over the
whole range. Along the relations of services (see trawl relations) it goes on:
if A calls B, B's logs are searched between A's first line and A's last, --slack
longer for what B does later, and on both sides as much longer as clocks may
differ, --skew. The clocks of the nodes are compared first.

Where that does not do, more is searched, and it is said: services that the
relations do not know, lines that come before what calls them, logs without
times, no relations at all. --exhaustive searches everything, without the index.

The receipt says what was read, and what asking all services at once would have
read.

Exit status, as trawl grep's: 0 lines were found, and every node answered in
full; 1 there are none; 2 it could not look; 3 and 4 as 0 and 1, but not every
node answered in full.`

// traceFlags are those of trawl trace.
type traceFlags struct {
	connect            connectFlags
	relations          relationsFlags
	entries            []string
	since, until, zone string
	skew, slack        time.Duration
	timeout            time.Duration
	output             string
	exhaustive         bool
	receipt, okPartial bool
}

func newTraceCommand() *cobra.Command {
	var f traceFlags
	cmd := &cobra.Command{
		Use:   "trace [flags] ID",
		Short: "Follow one request through the logs of all services",
		Long:  traceHelp,
		Example: `  trawl trace --since 1h req-38101a0b-2096-447d-96ea-a692162415ae
  trawl trace --relations shop.yaml --entry gateway 4bf92f3577b34da6
  trawl trace --exhaustive --output json 4bf92f3577b34da6 | jq .text`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&f.entries, "entry", nil, "`SERVICE` where the request entered; repeatable (default whom nobody calls)")
	flags.StringVar(&f.since, "since", "", "only lines from `TIME` on, as of trawl grep")
	flags.StringVar(&f.until, "until", "", "only lines before `TIME`")
	flags.StringVar(&f.zone, "tz", "", "`ZONE` of --since and --until (default local)")
	flags.DurationVar(&f.skew, "skew", 2*time.Second, "`DUR` that clocks may differ; more if the nodes' do")
	flags.DurationVar(&f.slack, "slack", time.Minute, "`DUR` that a service may log after who calls it")
	flags.BoolVar(&f.exhaustive, "exhaustive", false, "search all services, over the whole range, without an index")
	f.relations.register(flags)
	flags.StringVar(&f.output, "output", "text", "`FORM`: text or json, one object a line")
	flags.BoolVar(&f.receipt, "receipt", false, "print the receipt on stderr even if all is well")
	flags.BoolVar(&f.okPartial, "ok-partial", false, "exit 0 or 1 even if not every node answered in full")
	flags.DurationVar(&f.timeout, "timeout", requester.DefaultTimeout, "`DUR` after which a query ends on every node")
	f.connect.register(flags)
	return cmd
}

func (f *traceFlags) check(id string) error {
	switch {
	case id == "":
		return errors.New("an empty ID is in every line")
	case strings.ContainsAny(id, "\n\x00"):
		return errors.New("no line holds an ID of several lines")
	case f.output != "text" && f.output != "json":
		return fmt.Errorf("--output %s is neither text nor json", f.output)
	case f.skew < 0 || f.slack < 0:
		return errors.New("--skew and --slack are not negative")
	case f.timeout <= 0:
		return errors.New("--timeout is more than 0")
	}
	return nil
}

// window is the range that --since and --until name.
func (f *traceFlags) window(now time.Time, errout io.Writer) (trail.Window, error) {
	o := newGrepOptions()
	o.since, o.until = f.since, f.until
	if f.zone != "" {
		var err error
		if o.zone, err = time.LoadLocation(f.zone); err != nil {
			return trail.Window{}, fmt.Errorf("flag --tz: %w", err)
		}
	}
	since, until, err := o.timeRange(now, errout)
	w := trail.Whole
	if since != 0 {
		w.From = since
	}
	if until != 0 {
		w.To = until
	}
	return w, err
}

func (f *traceFlags) run(cmd *cobra.Command, id string) error {
	if err := f.check(id); err != nil {
		return err
	}
	collectLess(200)
	line := newProgressLine(cmd.ErrOrStderr(), true)
	t := &tracer{f: f, id: id, line: line, errout: line.before(cmd.ErrOrStderr()), out: cmd.OutOrStdout(), began: time.Now()}
	t.shown = f.receipt || f.output == "json" || isTerminal(cmd.ErrOrStderr())
	var err error
	if t.window, err = f.window(t.began, t.errout); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	defer watchClosed(t.out, func() { cancel(syscall.EPIPE) })()
	conn, err := f.connect.connect(ctx, "trawl trace")
	if err != nil {
		return err
	}
	defer conn.Close()
	transport, err := onbus.New(conn, requester.DefaultWindow, func(err error) { fmt.Fprintf(t.errout, "trawl: %v\n", err) })
	if err != nil {
		return err
	}
	defer transport.Close()
	t.conn = conn
	if err := t.prepare(ctx, transport); err != nil {
		return err
	}
	err = t.follow(ctx)
	line.clear()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	return t.tell()
}

// prepare reads the roster and the relations, compares the clocks, and makes the planner.
func (t *tracer) prepare(ctx context.Context, transport *onbus.Transport) error {
	nodes, kind, err := transport.Known(ctx)
	if err != nil {
		return fmt.Errorf("read the roster: %w", err)
	}
	if len(nodes) == 0 {
		return fmt.Errorf("%w; `trawl nodes` lists the known ones", requester.ErrNoNodes)
	}
	t.ask = requester.New(transport, fixedRoster{nodes, kind}, requester.WithOKPartial(), requester.WithBlockList(transport))
	clocks := make(chan clocks, 1)
	go func() { clocks <- t.compareClocks(ctx, nodes) }()
	o := trail.Options{Range: t.window, Slack: t.f.slack, Entries: t.f.entries}
	collected, err := t.f.relations.collect(ctx, t.errout)
	switch {
	case errors.Is(err, errNoRelations):
		t.note("%v", err)
	case err != nil:
		<-clocks
		return err
	default:
		o.Graph = collected.Graph
		t.notes = append(t.notes, relationsTrouble(collected)...)
	}
	o.Services, o.Unknown = servicesOf(nodes)
	if t.f.exhaustive {
		o.Unknown = "--exhaustive"
	}
	c := <-clocks
	o.Skew = t.f.skew
	if c.apart > o.Skew {
		o.Skew = c.apart
		t.note("the clocks of %s and %s are %v apart: windows are as much longer", c.behind, c.ahead, c.apart.Round(time.Millisecond))
	}
	if len(c.silent) > 0 {
		t.note("the clock of %s could not be asked", strings.Join(c.silent[:min(8, len(c.silent))], ", "))
	}
	if err := checkEntries(t.f.entries, o.Services, o.Graph); err != nil {
		return err
	}
	t.plan = trail.New(o)
	return nil
}

// checkEntries refuses a service that nobody knows: a slip of the finger.
func checkEntries(entries, services []string, graph *relations.Graph) error {
	for _, s := range entries {
		if !slices.Contains(services, s) && (graph == nil || !graph.Knows(s)) {
			return fmt.Errorf("flag --entry: no node has logs of %q, and the relations do not know it%s", s, didYouMean(s, slices.Clone(services)))
		}
	}
	return nil
}

// fixedRoster is the roster as it was when the trace began: all its queries expect the same nodes.
type fixedRoster struct {
	nodes []schemas.Node
	kind  requester.RosterKind
}

// Known returns the nodes.
func (r fixedRoster) Known(context.Context) ([]schemas.Node, requester.RosterKind, error) {
	return r.nodes, r.kind, nil
}

// servicesOf lists the services of the nodes; unknown says why these may not be all.
func servicesOf(nodes []schemas.Node) (services []string, unknown string) {
	for i := range nodes {
		n := &nodes[i]
		switch {
		case n.Instance == "":
			unknown = n.Name + " is known by its name alone"
		case len(n.Services) >= schemas.MaxServices:
			unknown = n.Name + " has more services than it tells"
		}
		services = append(services, n.Services...)
	}
	slices.Sort(services)
	return slices.Compact(services), unknown
}

// literalGlob is the glob that matches a service's name and nothing else.
func literalGlob(name string) string {
	var b strings.Builder
	for _, r := range name {
		if strings.ContainsRune(`*?[]{}\`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// clocks says how far the nodes' clocks are apart, at most.
type clocks struct {
	apart         time.Duration
	behind, ahead string // the two nodes
	silent        []string
}

// compareClocks asks every node for its time, at once.
func (t *tracer) compareClocks(ctx context.Context, nodes []schemas.Node) clocks {
	type reading struct {
		low, high time.Duration // of what it is ahead of this machine
		err       error
	}
	readings := make([]reading, len(nodes))
	inTurn(len(nodes), doctorAtOnce, func(i int) {
		c, err := ask(ctx, t.conn, nodes[i].Name, &schemas.CheckupRequest{}, clockWait)
		if readings[i].err = err; err == nil {
			ahead, within := c.Skew()
			readings[i].low, readings[i].high = ahead-within, ahead+within
		}
	})
	var c clocks
	low, high := -1, -1
	for i, r := range readings {
		if r.err != nil {
			c.silent = append(c.silent, nodes[i].Name)
			continue
		}
		if low < 0 || r.low < readings[low].low {
			low = i
		}
		if high < 0 || r.high > readings[high].high {
			high = i
		}
	}
	if low >= 0 && low != high {
		c.apart, c.behind, c.ahead = readings[high].high-readings[low].low, nodes[low].Name, nodes[high].Name
	}
	return c
}

// shownText is text for a terminal: escaped there, as it is in a pipe.
func (t *tracer) shownText(text []byte) []byte {
	if isTerminal(t.out) {
		return printer.AppendEscaped(nil, text)
	}
	return text
}
