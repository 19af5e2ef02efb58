package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/sample"
)

const genHelp = `Write sample logs whose content is known exactly: DIR/node1.log … nodeN.log, and
DIR/truth.json with the number of lines of each node that hold each token.

The tokens are words in otherwise lower-case lines:
  EVERYWHERE  on all nodes
  UNIQUE      on node 1 only
  EVEN        on nodes 2, 4, 6 …
  HEAVY       on all nodes, on node 1 far more often
  RARE        a few lines on each node
The same seed gives the same bytes.

With --traces, a made-up system of services that serve requests instead:
DIR/node1/SERVICE.log … of every node, DIR/relations.yaml with who calls whom,
and DIR/truth.json with the lines of up to --truth requests.`

func newGenCommand() *cobra.Command {
	o := sample.Options{Rates: sample.DefaultRates}
	size := byteSize(60_000_000)
	traces := sample.TraceOptions{}
	var out string
	var force, system bool
	cmd := &cobra.Command{
		Use:   "gen --out DIR",
		Short: "Write sample logs, and the truth about them",
		Long:  genHelp,
		Example: `  trawl gen --out logs
  trawl gen --nodes 4 --size 60MB --seed 1 --out logs
  trawl gen --nodes 1 --size 1GB --everywhere 0.01 --out big --force
  grep -c EVERYWHERE logs/node1.log; grep EVERYWHERE logs/truth.json
  trawl gen --traces --nodes 10 --services 20 --size 200MB --out shop
  trawl relations --relations shop/relations.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return errors.New("gen wants --out DIR")
			}
			if err := checkGenFlags(cmd, system); err != nil {
				return err
			}
			if system {
				traces.Nodes, traces.Size, traces.Seed = o.Nodes, int64(size), o.Seed
				return genTraces(cmd, out, traces, force)
			}
			o.Size = int64(size)
			return gen(cmd, out, o, force)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&out, "out", "", "the `DIR` to write to; it must be new or empty")
	flags.IntVar(&o.Nodes, "nodes", 4, "how many logs")
	flags.Var(&size, "size", "of each log; with --traces, of a node's logs on average")
	flags.Uint64Var(&o.Seed, "seed", 1, "of the random numbers")
	flags.BoolVar(&force, "force", false, "replace the logs of an earlier gen in DIR")
	flags.Float64Var(&o.Rates.Everywhere, "everywhere", o.Rates.Everywhere, "share of lines with EVERYWHERE")
	flags.Float64Var(&o.Rates.Unique, "unique", o.Rates.Unique, "share with UNIQUE on node 1")
	flags.Float64Var(&o.Rates.Even, "even", o.Rates.Even, "share with EVEN on even nodes")
	flags.Float64Var(&o.Rates.Heavy, "heavy", o.Rates.Heavy, "share with HEAVY on node 1")
	flags.Float64Var(&o.Rates.HeavyElsewhere, "heavy-elsewhere", o.Rates.HeavyElsewhere, "share with HEAVY on the other nodes")
	flags.IntVar(&o.Rates.Rare, "rare", o.Rates.Rare, "lines with RARE on each node")
	flags.BoolVar(&system, "traces", false, "write a system of services that serve requests")
	flags.IntVar(&traces.Services, "services", 20, "with --traces: how many")
	flags.DurationVar(&traces.Every, "every", 40*time.Millisecond, "with --traces: mean `DUR` between two requests")
	flags.DurationVar(&traces.Skew, "skew", 100*time.Millisecond, "with --traces: nodes' clocks are off by up to `DUR`")
	flags.IntVar(&traces.Truth, "truth", 1000, "with --traces: requests whose lines the truth holds, at most")
	return cmd
}

// checkGenFlags refuses flags that are of the other kind of logs.
func checkGenFlags(cmd *cobra.Command, system bool) error {
	others, hint := []string{"services", "every", "skew", "truth"}, "is for --traces"
	if system {
		others, hint = []string{"everywhere", "unique", "even", "heavy", "heavy-elsewhere", "rare"}, "has no meaning with --traces"
	}
	for _, name := range others {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("flag --%s %s", name, hint)
		}
	}
	return nil
}

// genTraces writes a system of services.
func genTraces(cmd *cobra.Command, dir string, o sample.TraceOptions, force bool) error {
	line := newProgressLine(cmd.ErrOrStderr(), true)
	total := int64(o.Nodes) * o.Size
	truth, err := sample.WriteTraces(cmd.Context(), dir, o, force, func(written int64) {
		line.update(func() string { return fmt.Sprintf("%s of %s", formatBytes(written), formatBytes(total)) })
	})
	line.clear()
	if err != nil {
		return genError(cmd, err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s on %s, %s, %s, %s, %s, and %s\n", dir,
		plural(int64(len(truth.Services)), "service"), plural(int64(o.Nodes), "node"), plural(truth.Made, "request"),
		plural(truth.Lines, "line"), formatBytes(truth.Bytes), sample.RelationsFile, sample.TruthFile)
	return err
}

// genError says what kept logs from being written.
func genError(cmd *cobra.Command, err error) error {
	switch {
	case errors.Is(err, sample.ErrNotEmpty):
		return fmt.Errorf("%w; --force replaces the logs in it", err)
	case errors.Is(err, context.Canceled):
		return context.Cause(cmd.Context())
	}
	return err
}

func gen(cmd *cobra.Command, dir string, o sample.Options, force bool) error {
	line := newProgressLine(cmd.ErrOrStderr(), true)
	total := int64(o.Nodes) * o.Size
	truth, err := sample.Write(cmd.Context(), dir, o, force, func(written int64) {
		line.update(func() string {
			return fmt.Sprintf("%s of %s", formatBytes(written), formatBytes(total))
		})
	})
	line.clear()
	if err != nil {
		return genError(cmd, err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %s, %s, and %s\n",
		dir, plural(int64(len(truth.Nodes)), "log"), plural(truth.Total.Lines, "line"), formatBytes(truth.Total.Bytes), sample.TruthFile)
	return err
}
