package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/requester/printer"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/schemas"
)

const watchRunHelp = `Print what nodes publish for a standing query, as it comes, until interrupted:
each line behind the names of its node and file. What was left out is told on
stderr, by node and reason.

Of a durable one, all that its stream holds comes first. With --consumer it goes
on where the last one with that name has got to: a line comes again only if that
one ended before it could say that it had printed it.`

// watchRun prints a standing query.
type watchRun struct {
	output   string
	limit    int64
	options  bus.LiveOptions
	standing *schemas.Standing
	print    *printer.Printer
	errout   io.Writer
	printed  int64
	counts   map[string]*liveCounts
}

func newWatchRunCommand() *cobra.Command {
	var connect connectFlags
	var w watchRun
	cmd := &cobra.Command{
		Use:   "run NAME",
		Short: "Print what a standing query finds",
		Long:  watchRunHelp,
		Example: `  trawl watch run errors
  trawl watch run errors --limit 1 && echo "something went wrong"
  trawl watch run logins --consumer siem --output json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("watch run wants the name of a standing query; `trawl watch ls` lists them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return w.run(cmd, &connect, args[0]) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&w.output, "output", "text", "`FORM`: text or json, one object a line")
	flags.Int64Var(&w.limit, "limit", 0, "stop after `N` lines")
	flags.BoolVar(&w.options.New, "new", false, "of a durable one, only what comes")
	flags.StringVar(&w.options.Consumer, "consumer", "", "`NAME` under which JetStream keeps what was printed of a durable one")
	connect.register(flags)
	return cmd
}

// errEnough ends a run whose limit is reached.
var errEnough = errors.New("the limit is reached")

func (w *watchRun) run(cmd *cobra.Command, connect *connectFlags, name string) error {
	if w.output != "text" && w.output != "json" {
		return fmt.Errorf("--output %s is neither text nor json", w.output)
	}
	if w.options.Consumer != "" {
		if err := schemas.CheckToken("flag --consumer", w.options.Consumer); err != nil {
			return err
		}
	}
	out := cmd.OutOrStdout()
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	defer watchClosed(out, func() { cancel(syscall.EPIPE) })()
	conn, err := connect.connect(ctx, "trawl watch run")
	if err != nil {
		return err
	}
	defer conn.Close()
	kept, err := conn.Standing(ctx)
	if err != nil {
		return err
	}
	if w.standing, err = keptWatch(kept, name); err != nil {
		return err
	}
	if w.options.Durable = w.standing.Durable; !w.options.Durable && (w.options.New || w.options.Consumer != "") {
		return errors.New("--new and --consumer are for standing queries that are durable")
	}
	o := optionsOf(&w.standing.Query)
	o.output = w.output
	newMatcher := func() scan.Matcher { return nil }
	if o.colored(out) {
		if newMatcher, _, err = compileLocal(o, w.standing.Query.Patterns); err != nil {
			return err
		}
	}
	po := (&localSearch{o: o, errout: cmd.ErrOrStderr()}).printerOptions(out, newMatcher)
	po.Node, po.File = true, true
	w.print, w.errout, w.counts = printer.New(out, po), cmd.ErrOrStderr(), map[string]*liveCounts{}
	ready := func() {
		if w.output == "text" {
			fmt.Fprintln(w.errout, "trawl: watching "+name)
		}
	}
	err = conn.Live(ctx, name, w.options, ready, w.take)
	w.tellAll()
	if e := w.print.Abandon(); e != nil {
		return e
	}
	if e := w.print.Flush(); e != nil {
		return e
	}
	switch {
	case errors.Is(err, errEnough):
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// take prints one message.
func (w *watchRun) take(m bus.LiveMessage) error {
	l, err := schemas.DecodeLive(m.Data)
	if err == nil {
		err = w.check(l)
	}
	if err != nil {
		fmt.Fprintln(w.errout, shown(fmt.Sprintf("trawl: %s: a message that is none: %v", m.Node, err)))
		return m.Acknowledge()
	}
	for i := range l.Data.Chunks {
		if err := w.chunk(m.Node, &l.Data.Chunks[i]); err != nil {
			return err
		}
		if w.limit > 0 && w.printed >= w.limit {
			break
		}
	}
	if err := w.print.Flush(); err != nil {
		return err
	}
	if err := m.Acknowledge(); err != nil {
		return err
	}
	if w.counts[m.Node] == nil {
		w.counts[m.Node] = &liveCounts{}
	}
	if text := w.counts[m.Node].take(l, time.Now()); text != "" {
		fmt.Fprintln(w.errout, shown("trawl: "+m.Node+": "+text))
	}
	if w.limit > 0 && w.printed >= w.limit {
		return errEnough
	}
	return nil
}

// check says what in a message is not as the standing query wants it.
func (w *watchRun) check(l *schemas.Live) error {
	if l.Name != w.standing.Name {
		return fmt.Errorf("it is of %q", l.Name)
	}
	for i := range l.Data.Chunks {
		if _, err := l.Data.Chunks[i].Check(w.standing.Query.Columns, w.standing.Query.Terminator()); err != nil {
			return err
		}
	}
	return nil
}

// chunk prints the lines of a chunk, as many as the limit leaves. A line whose rest another node's lines
// cut off, or whose beginning was missed, is not put together.
func (w *watchRun) chunk(node string, c *schemas.Chunk) error {
	if c.Kind == schemas.ChunkCut {
		fmt.Fprintln(w.errout, shown("trawl: "+node+": "+c.File+" was cut, and goes on from its start"))
		return nil
	}
	if c.Kind != schemas.ChunkLines {
		return nil
	}
	openNode, openFile, open := w.print.Unfinished()
	goesOn := open && c.Continues && openNode == node && openFile == c.File
	if open && !goesOn {
		if err := w.print.Abandon(); err != nil {
			return err
		}
	}
	if c.Continues && !goesOn {
		_, tail := c.Cut(0, w.standing.Query.Terminator())
		if c = &tail; len(c.Text) == 0 {
			return nil
		}
	}
	n := c.Selected(w.standing.Query.Terminator())
	if w.limit > 0 && n > w.limit-w.printed {
		n = w.limit - w.printed
		head, _ := c.Cut(int(n), w.standing.Query.Terminator())
		c = &head
	}
	w.printed += n
	return w.print.Print(node, c)
}

// tellAll tells what was left out and not told yet.
func (w *watchRun) tellAll() {
	for node, c := range w.counts {
		if text := c.tell(); text != "" {
			fmt.Fprintln(w.errout, shown("trawl: "+node+": "+text))
		}
	}
}

// toldEvery is how often at most what a node leaves out is told.
const toldEvery = time.Second

// liveCounts are what a node left out, as its messages say.
type liveCounts struct {
	run, seq                 uint64
	sampled, limited, lost   int64 // of the run, as the newest message says
	toSample, toLimit, toLet int64 // of that, told already, or before the first message
	missed, missedTold       uint64
	told                     time.Time
}

// take notes a message, and returns what is to be told.
func (c *liveCounts) take(l *schemas.Live, now time.Time) string {
	switch {
	case c.run != l.Run:
		pending := c.tell()
		first := c.run == 0
		*c = liveCounts{run: l.Run, told: c.told, missed: c.missed, missedTold: c.missedTold}
		if first && l.Seq > 1 { // what was left out before we came
			c.toSample, c.toLimit, c.toLet = l.Sampled, l.Limited, l.Lost
		}
		c.seq = l.Seq
		c.sampled, c.limited, c.lost = l.Sampled, l.Limited, l.Lost
		if pending != "" {
			return pending
		}
	case l.Seq <= c.seq:
		return "" // it came again
	default:
		c.missed += l.Seq - c.seq - 1
		c.seq, c.sampled, c.limited, c.lost = l.Seq, l.Sampled, l.Limited, l.Lost
	}
	if now.Sub(c.told) < toldEvery {
		return ""
	}
	text := c.tell()
	if text != "" {
		c.told = now
	}
	return text
}

// tell returns what was left out and not told yet; empty if that is nothing.
func (c *liveCounts) tell() string {
	var parts []string
	for _, p := range []struct {
		n    int64
		text string
	}{
		{c.limited - c.toLimit, "left out by the rate limit"},
		{c.sampled - c.toSample, "left out by sampling"},
		{c.lost - c.toLet, "lost while the bus was away"},
	} {
		if p.n > 0 {
			parts = append(parts, plural(p.n, "line")+" "+p.text)
		}
	}
	if n := c.missed - c.missedTold; n > 0 {
		parts = append(parts, plural(int64(n), "message")+" did not arrive")
	}
	c.toLimit, c.toSample, c.toLet, c.missedTold = c.limited, c.sampled, c.lost, c.missed
	return strings.Join(parts, ", ")
}
