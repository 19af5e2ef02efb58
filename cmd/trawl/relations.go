package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trawl-logs/trawl/relations"
)

const relationsHelp = `Show which services call which: the graph that trawl trace follows. It is put
together from what the configuration says: calls that stand in it, the metrics
of Istio and of OpenTelemetry's service graph in Prometheus, and Jaeger's
dependencies. The configuration is a YAML file with the key relations:

  relations:
    calls: {gateway: [checkout, search], checkout: [payments]}
    services: [cron]                  # call nobody, and nobody calls them
    prometheus: [{url: "http://prometheus:9090", window: 1h}]
    jaeger: [{url: "http://jaeger:16686", lookback: 1d}]
    aliases: {payments-v2: payments}  # the name there: the name in the logs
    refresh: 5m                       # so long an answer counts as fresh

--relations names the file, or TRAWL_RELATIONS, else it is trawl/trawl.yaml in
the user's configuration directory. A source that fails counts with what it knew
last, which is kept in the user's cache directory; its age is told.

Exit status: 0 all sources answered, 2 no graph, 3 some source did not answer.`

// exitStaleRelations is the status where some source did not answer, or not in full.
const exitStaleRelations = 3

// relationsFlags say where relations are configured.
type relationsFlags struct {
	file    string
	refresh bool
}

func (f *relationsFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.file, "relations", "", "`FILE` that says which services call which, or who knows (TRAWL_RELATIONS)")
	flags.BoolVar(&f.refresh, "refresh", false, "ask all sources of relations, however fresh their answers are")
}

// errNoRelations says that nothing names a configuration.
var errNoRelations = errors.New("no relations are configured: name a file with --relations; see trawl relations --help")

// config reads what the flag names, or the environment, or else the user's file.
func (f *relationsFlags) config() (*relations.Config, error) {
	name := f.file
	if name == "" {
		name = os.Getenv("TRAWL_RELATIONS")
	}
	if name != "" {
		return readRelations(name)
	}
	file, err := ownUserFile()
	switch {
	case err != nil:
		return nil, err
	case file.Relations == nil:
		return nil, errNoRelations
	}
	return file.Relations, nil
}

// readRelations reads the relations of a file that is there for them.
func readRelations(name string) (*relations.Config, error) {
	file, err := readUserFile(name)
	switch {
	case err != nil:
		return nil, err
	case file.Relations == nil:
		return nil, fmt.Errorf("config %s: it has no relations", name)
	}
	return file.Relations, nil
}

// collect reads the configuration and collects the graph. What went wrong with keeping it is said on errout.
func (f *relationsFlags) collect(ctx context.Context, errout io.Writer) (*relations.Collected, error) {
	config, err := f.config()
	if err != nil {
		return nil, err
	}
	keep := "" // without a home nothing is kept
	if dir, err := os.UserCacheDir(); err == nil {
		keep = filepath.Join(dir, "trawl", "relations")
	}
	collected, err := config.Collect(ctx, keep, time.Now(), f.refresh)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		fmt.Fprintln(errout, shown("trawl: "+err.Error()))
	}
	return collected, nil
}

func newRelationsCommand() *cobra.Command {
	var f relationsFlags
	var output string
	cmd := &cobra.Command{
		Use:   "relations",
		Short: "Show which services call which",
		Long:  relationsHelp,
		Example: `  trawl relations --relations shop.yaml
  trawl relations --output dot | dot -Tsvg >shop.svg
  trawl relations --refresh --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			print, ok := map[string]func(io.Writer, *relations.Collected) error{
				"text": relationsText, "json": relationsJSON,
				"dot": func(w io.Writer, c *relations.Collected) error { return c.Graph.WriteDOT(w) },
			}[output]
			if !ok {
				return fmt.Errorf("--output %s is none of text, json, dot", output)
			}
			collected, err := f.collect(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := print(cmd.OutOrStdout(), collected); err != nil {
				return err
			}
			for _, trouble := range relationsTrouble(collected) {
				fmt.Fprintln(cmd.ErrOrStderr(), "trawl: "+trouble)
			}
			switch {
			case len(collected.Graph.Services()) == 0:
				return errors.New("no service is known")
			case len(collected.Trouble()) > 0:
				return &exitError{code: exitStaleRelations}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.register(flags)
	flags.StringVar(&output, "output", "text", "`FORM`: text, json or dot")
	return cmd
}

// relationsTrouble says, a line a source, what did not answer and what is made of it.
func relationsTrouble(c *relations.Collected) (lines []string) {
	for _, r := range c.Trouble() {
		line := r.Source + ": " + r.Error
		switch r.State {
		case relations.Stale:
			line += "; what it knew " + ageText(r.Age) + " ago is used"
		case relations.Part:
			line += "; what it knew up to " + ageText(r.Age) + " ago is used as well"
		case relations.Absent:
			line += "; nothing is known of it"
		}
		lines = append(lines, shown(line))
	}
	return lines
}

// ageText is an age to two units.
func ageText(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}

// relationsText prints a row a call, services without any, and a row a source.
func relationsText(w io.Writer, c *relations.Collected) error {
	err := blockTable(w, "CALLER\tCALLEE\tCALLS", func(w io.Writer) {
		for _, call := range c.Graph.Calls() {
			count := "-"
			if call.Count > 0 {
				count = fmt.Sprintf("%.0f", call.Count)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", call.Caller, call.Callee, count)
		}
		for _, s := range c.Graph.Services() {
			if len(c.Graph.Callees(s))+len(c.Graph.Callers(s)) == 0 {
				fmt.Fprintf(w, "%s\t-\t-\n", s)
			}
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nentries: %s\n\n", strings.Join(c.Graph.Roots(), " "))
	return blockTable(w, "SOURCE\tSTATE\tAGE\tCALLS", func(w io.Writer) {
		for _, r := range c.Reports {
			age := ageText(r.Age)
			if r.State == relations.Absent || r.Source == "configuration" {
				age = "-"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", shown(r.Source), r.State, age, r.Calls)
		}
	})
}

// relationsJSON prints one object; fields may be added, none renamed.
func relationsJSON(w io.Writer, c *relations.Collected) error {
	type source struct {
		Source string  `json:"source"`
		State  string  `json:"state"`
		Error  string  `json:"error,omitempty"`
		Age    float64 `json:"age_s"`
		Calls  int     `json:"calls"`
		Left   int     `json:"left_out"`
	}
	object := struct {
		Services []string         `json:"services"`
		Entries  []string         `json:"entries"`
		Calls    []relations.Call `json:"calls"`
		Sources  []source         `json:"sources"`
	}{append([]string{}, c.Graph.Services()...), append([]string{}, c.Graph.Roots()...), append([]relations.Call{}, c.Graph.Calls()...), []source{}}
	for _, r := range c.Reports {
		object.Sources = append(object.Sources, source{r.Source, string(r.State), r.Error, r.Age.Seconds(), r.Calls, r.Left})
	}
	return encodeLine(w, object)
}
