package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/requester/printer"
	"github.com/trawl-logs/trawl/schemas"
)

const tailHelp = `Print the lines of the fleet's logs that match PATTERNS as they are written,
over log rotation, until interrupted. Nodes that start later are followed too;
one that leaves, or comes back, is named on stderr. A reader that cannot keep up
slows no node down: what is left out is told there, by node and count.
`

const tailExamples = `  trawl tail ERROR                           what goes wrong, as it does
  trawl tail --lines 10 --service api 'status=5..'
  trawl tail --since 5m -i timeout '/var/log/nginx/*'
  trawl tail --node 'web*' --output json . | jq .text
`

const tailExits = `exit status:
  130 interrupted, which is how it ends    141 stdout was closed
  0 --limit was reached, or --timeout with a match    1 --timeout without one
  2 usage, pattern or connection error    3, 4 as 0 and 1, but a node was away
`

// tailWithout are the flags of trawl grep that trawl tail does not have.
var tailWithout = map[string]bool{
	"count": true, "files-with-matches": true, "files-without-match": true, "quiet": true, "silent": true, "max-count": true,
	"local": true, "label": true, "until": true, "order": true, "explain": true, "exhaustive": true, "timing": true,
	"no-progress": true, "line-buffered": true, "binary-files": true, "text": true, "initial-tab": true, "threads": true,
	"directories": true, "devices": true,
}

// tailSays are the helps of flags that mean something else for trawl tail.
var tailSays = map[string]string{
	"context": "both; -NUM is the same. Of containers, journald and archives, what --lines gives has none",
	"since":   "first all lines from TIME on: 15m, 2d, today, 14:30, 2026-11-22 14:30, RFC 3339, @epoch",
	"tz":      "time zone of --since (default: local)",
	"timeout": "end after DUR (default, and at most: 7d)",
	"receipt": "print the receipt on stderr even if nobody was away",
	"output":  "text (default) or json, where what becomes of nodes stands between the lines",
}

// tailFlags prints the flags of trawl grep that trawl tail has, of the fleet or the others.
func tailFlags(fleet bool) string {
	var b strings.Builder
	for _, f := range grepFlags {
		if f.help == "" || f.fleet != fleet || tailWithout[f.long] || f.short == 'I' {
			continue
		}
		if help := tailSays[f.long]; help != "" {
			f.help = help
		}
		b.WriteString(grepFlagRow(&f))
	}
	return b.String()
}

// newTailCommand returns trawl tail, whose flags are those of trawl grep and --lines.
func newTailCommand() *cobra.Command {
	var connect connectFlags
	var lines string
	cmd := &cobra.Command{
		Use:                "tail [flags] PATTERNS [PATH-GLOB...]",
		Short:              "Follow the logs of the fleet as they are written",
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := parseGrep(args, cmd.Flags())
			switch {
			case err != nil:
				return errors.New(strings.Replace(err.Error(), "trawl grep --help", "trawl tail --help", 1))
			case o.help:
				_, err = fmt.Fprint(cmd.OutOrStdout(), tailUsage())
				return err
			}
			if err := o.toTail(cmd.Flags(), lines); err != nil {
				return err
			}
			return tailFleet(cmd, &connect, o)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&lines, "lines", "", "`N` of the last matching lines of each file first (default 0; with --since: all of them)")
	connect.register(cmd.Flags())
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), tailUsage()) })
	return cmd
}

// toTail makes the options those of trawl tail, and refuses what it cannot serve.
func (o *grepOptions) toTail(flags *pflag.FlagSet, lines string) error {
	switch {
	case o.local:
		return errors.New("flag --local: trawl tail follows the fleet; tail -F follows a file")
	case o.count, o.list != schemas.ModeLines, o.quiet, o.maxCount >= 0:
		return errors.New("-c, -l, -L, -q and -m have no meaning for what has no end; --limit stops after so many lines")
	case o.contextGiven() && o.onlyMatching:
		return errors.New("-o goes with neither -A, -B nor -C: of the lines around matches, trawl tail has none to show")
	case o.until != "":
		return errors.New("flag --until: trawl tail has no end; --timeout gives it one")
	case o.order == schemas.OrderTime:
		return errors.New("flag --order: trawl tail prints lines as they arrive")
	case o.explain, o.timing:
		return errors.New("--explain and --timing are trawl grep's")
	}
	o.follow, o.order, o.noProgress = true, schemas.OrderArrival, true
	if !flags.Changed("timeout") && o.timeout == newGrepOptions().timeout {
		o.timeout = maxTail
	}
	if o.since != "" {
		o.last = -1
	}
	if lines != "" {
		n, err := count(lines)
		if err != nil || n < 0 {
			return fmt.Errorf("flag --lines: %q is not a number of lines", lines)
		}
		o.last = n
	}
	return nil
}

// maxTail is how long a query may run: then trawl tail ends.
const maxTail = 7 * 24 * time.Hour

func tailUsage() string {
	var b strings.Builder
	b.WriteString(tailHelp)
	b.WriteString("\nusage: trawl tail [flags] PATTERNS [PATH-GLOB...]\n\nflags:\n")
	b.WriteString("      --lines=N              print the last N matching lines of each file first,\n" +
		"                             of archives where those are fewer in all;\n" +
		"                             default: 0, or with --since all from TIME on\n")
	b.WriteString(tailFlags(false))
	b.WriteString("\nflags of the fleet:\n" + tailFlags(true))
	var connection connectFlags
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.SortFlags = false
	connection.register(flags)
	b.WriteString("\nflags of the connection:\n" + flags.FlagUsagesWrapped(75))
	b.WriteString("\n" + tailExits + "\nexamples:\n" + tailExamples)
	return b.String()
}

// tailWindow bounds what waits for a slow reader of stdout, in bytes: beyond it, nodes leave lines out.
const tailWindow = 4 << 20

// tailFleet follows the fleet: flags → query → bus → gather → printer.
func tailFleet(cmd *cobra.Command, connect *connectFlags, o *grepOptions) error {
	s := &fleetSearch{o: o, line: newProgressLine(cmd.ErrOrStderr(), false)}
	s.errout, s.onTTY = s.line.before(cmd.ErrOrStderr()), isTerminal(cmd.ErrOrStderr())
	out := cmd.OutOrStdout()
	var err error
	if s.query, err = o.query(cmd.InOrStdin(), time.Now(), s.errout); err != nil {
		return err
	}
	s.query.Last = o.last
	newMatcher, _, err := compileLocal(o, s.query.Patterns)
	if err != nil {
		return err
	}
	s.print = printer.New(out, s.printerOptions(out, newMatcher))

	spans := spansOfEnvironment(func(text string) { fmt.Fprintln(s.errout, "trawl: "+text) })
	defer spans.close() // when everything else is over
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	defer watchClosed(out, func() { cancel(syscall.EPIPE) })()
	transport, leave, err := s.reach(ctx, connect, "trawl tail", tailWindow)
	if err != nil {
		return err
	}
	defer leave()
	ask := requester.New(transport, givenRoster{transport, o.nodes}, requester.WithWindow(tailWindow))
	answer, err := s.ask(ctx, ask, spans)
	if err != nil {
		return err
	}
	err = s.printTail(answer.Released())
	answer.Close()
	receipt := answer.Receipt()
	s.asked(receipt, err)
	if err == nil && s.reply != nil {
		err = s.reply.end(receipt)
	}
	return s.end(ctx, receipt, err)
}

// printTail prints lines as they come, and what becomes of the nodes where it happens.
func (s *fleetSearch) printTail(releases iter.Seq[requester.Release]) error {
	before := "" // of which node and file lines were printed last
	for r := range releases {
		if r.Change != nil {
			before = ""
			s.tell(r.Change)
		}
		if s.reply != nil {
			if err := s.reply.send(r.Node, r.Chunks); err != nil {
				return err
			}
		}
		for i := range r.Chunks {
			if change := requester.ChangeOf(r.Node, &r.Chunks[i]); change != nil {
				s.tell(change)
				before = ""
				continue
			}
			if of := r.Node + "\x00" + r.Chunks[i].File; of != before && s.o.contextGiven() && !r.Chunks[i].Continues {
				apart(&r.Chunks[i])
				before = of
			}
			if err := s.print.Print(r.Node, &r.Chunks[i]); err != nil {
				return err
			}
		}
		if err := s.print.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// apart begins a group before the lines of a chunk: others stand between them and those of its file that
// were printed before.
func apart(c *schemas.Chunk) {
	if c.Kind == schemas.ChunkLines && (len(c.Groups) == 0 || c.Groups[0] != 0) {
		c.Groups = append([]int64{0}, c.Groups...)
	}
}

// tell says what became of a node: on stderr, or as JSON among the lines.
func (s *fleetSearch) tell(c *requester.Change) {
	if s.o.output == "json" {
		if text, err := json.Marshal(c); err == nil {
			_ = s.print.WriteLine(text) // the error comes again with Flush
		}
		return
	}
	_ = s.print.Flush() // the error comes again
	var text string
	switch c.Kind {
	case requester.Joined:
		text = "joined"
	case requester.Left:
		text = "left, " + c.Status.String() + ": " + c.Reason
	case requester.Back:
		text = "is back"
		if c.Reason != "" {
			text += "; " + c.Reason
		}
	case requester.Skipped:
		text = "skipped " + plural(c.Count, "line") + ": the output is read too slowly"
	case requester.Failed:
		text = c.File + ": " + c.Reason
	case requester.Cut:
		text = c.File + " was cut, and goes on from its start"
	}
	fmt.Fprintln(s.errout, shown("trawl: "+c.Node+": "+text))
}
