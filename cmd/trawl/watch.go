package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/responder"
	"github.com/trawl-logs/trawl/schemas"
)

const watchHelp = `Standing queries: patterns that every node looks for in what is written to its
logs, for as long as they are kept. Nodes that start later take them up too.
What matches is published on the bus, on <prefix>.live.NAME.NODE, for other
services and for trawl watch run. They are kept in JetStream.`

const watchExamples = `  trawl watch add errors --service api 'ERROR|FATAL'
  trawl watch run errors
  trawl watch ls
  trawl watch rm errors`

func newWatchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "watch",
		Short:   "Standing queries: matches are published as they are written",
		Long:    watchHelp,
		Example: watchExamples,
		Args:    suggestCommand,
		RunE:    func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWatchAddCommand(), newWatchRunCommand(), newWatchListCommand(), newWatchRemoveCommand())
	return cmd
}

const watchAddHelp = `Add a standing query: every node publishes the lines that match PATTERNS as they
are written, from now on. NAME comes first.

A node publishes --rate lines a second on average, and after a pause as many
more at once; what is beyond, and what --sample leaves out, is counted in its
messages. Without --durable what is published while nobody listens, or while the
bus is away, is gone; the latter is counted.

With --durable the lines go into a JetStream stream, which keeps them for --keep
and --keep-bytes. A node goes on only when what it found is stored, and one with
a state directory goes on there after a restart: each line that it publishes is
in the stream at least once, unless rotation deleted or compressed its file
before it was read.
`

const watchAddExamples = `  trawl watch add errors 'ERROR|FATAL'
  trawl watch add slow --service api --rate 10 'took [0-9]{5,} ms'
  trawl watch add logins --durable --keep 30d -F 'session opened'
  trawl watch add requests --sample 1/100 . '/var/log/nginx/*'
`

// watchFlags are those of trawl watch add beside trawl grep's.
type watchFlags struct {
	rate, sample, keep, keepBytes string
	durable                       bool
}

func (f *watchFlags) register(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.StringVar(&f.rate, "rate", "", "`N` lines a second of each node at most; 0: no limit (default 100; with --durable 0)")
	flags.StringVar(&f.sample, "sample", "1/1", "`1/N`: publish one of N lines")
	flags.BoolVar(&f.durable, "durable", false, "publish into a JetStream stream, each line at least once")
	flags.StringVar(&f.keep, "keep", "7d", "`AGE` up to which the stream keeps lines")
	flags.StringVar(&f.keepBytes, "keep-bytes", "1GiB", "`SIZE` of the stream at most; the oldest lines go")
}

// watchWithout are the flags of trawl grep that trawl watch add does not have.
var watchWithout = map[string]bool{
	"after-context": true, "before-context": true, "context": true, "group-separator": true, "no-group-separator": true,
	"since": true, "tz": true, "limit": true, "timeout": true, "output": true, "receipt": true, "ok-partial": true,
	"color": true, "colour": true, "null": true, "with-filename": true, "no-filename": true, "no-messages": true,
	"directories": true, "devices": true, "version": true, "reply-to": true, "reply-to-format": true,
}

func newWatchAddCommand() *cobra.Command {
	var connect connectFlags
	var f watchFlags
	cmd := &cobra.Command{
		Use:                "add NAME [flags] PATTERNS [PATH-GLOB...]",
		Short:              "Add a standing query",
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && (args[0] == "--help" || args[0] == "-h") {
				return cmd.Help()
			}
			if len(args) == 0 || strings.HasPrefix(args[0], "-") {
				return errors.New("watch add wants a name first: trawl watch add NAME [flags] PATTERNS")
			}
			o, err := parseGrep(args[1:], cmd.Flags())
			switch {
			case err != nil:
				return errors.New(strings.Replace(err.Error(), "trawl grep --help", "trawl watch add --help", 1))
			case o.help:
				return cmd.Help()
			}
			return addWatch(cmd, &connect, args[0], o, &f)
		},
	}
	f.register(cmd.Flags())
	connect.register(cmd.Flags())
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), watchAddUsage()) })
	return cmd
}

func watchAddUsage() string {
	var b strings.Builder
	b.WriteString(watchAddHelp + "\nusage: trawl watch add NAME [flags] PATTERNS [PATH-GLOB...]\n\nflags:\n")
	var f watchFlags
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.register(own)
	b.WriteString(own.FlagUsagesWrapped(75))
	b.WriteString("\nflags of what is looked for:\n" + flagHelp(func(f *grepFlag) bool {
		return !tailWithout[f.long] && !watchWithout[f.long] && f.short != 'I'
	}))
	var connection connectFlags
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.SortFlags = false
	connection.register(flags)
	b.WriteString("\nflags of the connection:\n" + flags.FlagUsagesWrapped(75) + "\nexamples:\n" + watchAddExamples)
	return b.String()
}

// standing turns the flags into a standing query.
func (f *watchFlags) standing(name string, o *grepOptions, stdin io.Reader, now time.Time) (*schemas.Standing, bus.LiveLimits, error) {
	s := &schemas.Standing{Name: name, Created: now.UnixNano(), Durable: f.durable}
	var l bus.LiveLimits
	switch {
	case o.since != "":
		return nil, l, errors.New("flag --since: a standing query begins when it is added")
	case o.limit != 0:
		return nil, l, errors.New("flag --limit: a standing query has no end; trawl watch run has that flag")
	}
	if o.contextGiven() {
		return nil, l, errors.New("-A, -B and -C are not served by a standing query; trawl tail has them")
	}
	if err := o.toTail(pflag.NewFlagSet("", pflag.ContinueOnError), ""); err != nil {
		return nil, l, errors.New(strings.ReplaceAll(err.Error(), "trawl tail", "a standing query"))
	}
	o.output, o.timeout = "text", maxTail
	q, err := o.query(stdin, now, io.Discard)
	if err != nil {
		return nil, l, err
	}
	if _, _, err := compileLocal(o, q.Patterns); err != nil {
		return nil, l, err
	}
	q.ID, q.Client, q.Trace = name, name, ""
	s.Query = *q
	if s.Rate = 100; f.durable {
		s.Rate = 0
	}
	if f.rate != "" {
		if s.Rate, err = strconv.ParseInt(f.rate, 10, 64); err != nil || s.Rate < 0 {
			return nil, l, fmt.Errorf("flag --rate: %q is not a number of lines a second", f.rate)
		}
	}
	if s.Sample, err = strconv.ParseInt(strings.TrimPrefix(f.sample, "1/"), 10, 64); err != nil || s.Sample < 1 || !strings.HasPrefix(f.sample, "1/") {
		return nil, l, fmt.Errorf("flag --sample: %q is none like 1/100", f.sample)
	}
	var age responder.Duration
	var size responder.Size
	if err := age.Set(f.keep); err != nil || age <= 0 {
		return nil, l, fmt.Errorf("flag --keep: %q is no age like 12h or 7d", f.keep)
	}
	if err := size.Set(f.keepBytes); err != nil || size <= 0 {
		return nil, l, fmt.Errorf("flag --keep-bytes: %q is no size like 1GiB", f.keepBytes)
	}
	return s, bus.LiveLimits{Age: time.Duration(age), Bytes: int64(size)}, nil
}

func addWatch(cmd *cobra.Command, connect *connectFlags, name string, o *grepOptions, f *watchFlags) error {
	if err := schemas.CheckToken("name", name); err != nil {
		return err
	}
	s, limits, err := f.standing(name, o, cmd.InOrStdin(), time.Now())
	if err != nil {
		return err
	}
	conn, err := connect.connect(cmd.Context(), "trawl watch add")
	if err != nil {
		return err
	}
	defer conn.Close()
	s.User = conn.User()
	if err = conn.AddStanding(cmd.Context(), s, limits); errors.Is(err, bus.ErrStandingExists) {
		err = fmt.Errorf("%w; `trawl watch rm %s` removes it", err, name)
	}
	return err
}

func newWatchRemoveCommand() *cobra.Command {
	var connect connectFlags
	cmd := &cobra.Command{
		Use:   "rm NAME…",
		Short: "Remove standing queries",
		Long: `Remove standing queries: nodes look for them no more. The stream of one that is
durable goes with what it holds.`,
		Example: "  trawl watch rm errors\n  trawl watch rm errors slow",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			conn, err := connect.connect(cmd.Context(), "trawl watch rm")
			if err != nil {
				return err
			}
			defer conn.Close()
			for _, name := range args {
				err := conn.RemoveStanding(cmd.Context(), name)
				if errors.Is(err, bus.ErrNoStanding) {
					return fmt.Errorf("%w; `trawl watch ls` lists them", err)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().SortFlags = false
	connect.register(cmd.Flags())
	return cmd
}

func newWatchListCommand() *cobra.Command {
	var connect connectFlags
	var output string
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the standing queries",
		Long: `List the standing queries, one a row. STATE says what is wrong with one that
nodes cannot take up, as another client may have written it.`,
		Example: "  trawl watch ls\n  trawl watch ls --output json | jq -r .name",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("--output %s is neither text nor json", output)
			}
			conn, err := connect.connect(cmd.Context(), "trawl watch ls")
			if err != nil {
				return err
			}
			defer conn.Close()
			kept, err := conn.Standing(cmd.Context())
			if err != nil {
				return err
			}
			var lines []watchLine
			for _, k := range kept {
				lines = append(lines, newWatchLine(k))
			}
			if output == "json" {
				out := json.NewEncoder(cmd.OutOrStdout())
				out.SetEscapeHTML(false)
				for _, l := range lines {
					if err := out.Encode(l); err != nil {
						return err
					}
				}
				return nil
			}
			return watchTable(cmd.OutOrStdout(), lines)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&output, "output", "text", "`FORM`: text or json, one object a line")
	connect.register(cmd.Flags())
	return cmd
}

// watchLine is one line of `trawl watch ls --output json`; fields may be added, none renamed.
type watchLine struct {
	Name     string    `json:"name"`
	User     string    `json:"user"`
	Created  time.Time `json:"created"`
	Rate     int64     `json:"rate"`
	Sample   int64     `json:"sample"`
	Durable  bool      `json:"durable"`
	Patterns []string  `json:"patterns"`
	Nodes    []string  `json:"nodes"`
	Groups   []string  `json:"groups"`
	Services []string  `json:"services"`
	Paths    []string  `json:"paths"`
	Error    string    `json:"error"`
}

// newWatchLine describes a standing query; Error says why no node takes it up.
func newWatchLine(k bus.Kept) watchLine {
	l := watchLine{Name: k.Name}
	s, err := schemas.DecodeStanding(k.Value)
	if err == nil {
		q := &s.Query
		l.User, l.Created, l.Rate, l.Sample, l.Durable = s.User, time.Unix(0, s.Created).UTC(), s.Rate, s.Sample, s.Durable
		l.Patterns, l.Nodes, l.Groups, l.Services, l.Paths = q.Patterns, q.Select.Nodes, q.Select.Groups, q.Select.Services, q.Select.Paths
		if s.Name != k.Name {
			err = fmt.Errorf("it says that its name is %q", s.Name)
		} else {
			_, _, err = compileLocal(optionsOf(q), q.Patterns)
		}
	}
	if err != nil {
		l.Error = err.Error()
	}
	for _, list := range []*[]string{&l.Patterns, &l.Nodes, &l.Groups, &l.Services, &l.Paths} {
		*list = notNil(*list)
	}
	return l
}

func watchTable(w io.Writer, lines []watchLine) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tUSER\tCREATED\tRATE\tSAMPLE\tDURABLE\tPATTERN\tSTATE")
	for _, l := range lines {
		row := []string{l.Name, cell(l.User), "-", "-", "-", "-", "-", "on"}
		if !l.Created.IsZero() {
			rate, durable := "no limit", "no"
			if l.Rate > 0 {
				rate = fmt.Sprintf("%d/s", l.Rate)
			}
			if l.Durable {
				durable = "yes"
			}
			row = []string{l.Name, cell(l.User), l.Created.Format(time.RFC3339), rate, fmt.Sprintf("1/%d", l.Sample), durable, shortPattern(l.Patterns), "on"}
		}
		if l.Error != "" {
			row[7] = "not taken up: " + shown(strings.ReplaceAll(l.Error, "\n", " "))
		}
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}

// shortPattern is what a row shows of the patterns.
func shortPattern(patterns []string) string {
	text := shown(strings.NewReplacer("\n", " ", "\t", " ").Replace(strings.Join(patterns, " | ")))
	if runes := []rune(text); len(runes) > listWidth {
		text = string(runes[:listWidth]) + "…"
	}
	return text
}

// optionsOf are the options of a command line that asks for q, as far as matching and printing go.
func optionsOf(q *schemas.Query) *grepOptions {
	o := newGrepOptions()
	o.syntax, o.ignoreCase, o.word, o.line, o.invert = q.Syntax, q.IgnoreCase, q.Word, q.Line, q.Invert
	o.onlyMatching, o.nullData = q.OnlyMatching, q.NullData
	o.number, o.offset = q.Columns&schemas.ColumnNumber != 0, q.Columns&schemas.ColumnOffset != 0
	return o
}

// keptWatch is the standing query of that name.
func keptWatch(all []bus.Kept, name string) (*schemas.Standing, error) {
	i := slices.IndexFunc(all, func(k bus.Kept) bool { return k.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("standing query %s: %w; `trawl watch ls` lists them", name, bus.ErrNoStanding)
	}
	s, err := schemas.DecodeStanding(all[i].Value)
	if err != nil {
		return nil, fmt.Errorf("standing query %s: %w", name, err)
	}
	return s, nil
}
