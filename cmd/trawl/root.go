package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const rootHelp = `Ask every machine's logs at once, over NATS, and know exactly who answered.

A query goes to the responder on every machine, which greps its own log files
and sends the lines back. The receipt says who answered in full, who in part
and who not at all, and the exit status tells "no match" (1) from "not
everyone answered" (3, 4).

Where the bus is, and the login, come from flags, the environment (TRAWL_…,
NATS_URL), ~/.config/trawl/trawl.yaml, or the context that is selected in the
nats command, in this order.`

const rootExamples = `  trawl demo                                 see it work, without any set-up
  trawl bus                                  a NATS server for trying it out
  trawl responder --node web1 --logs '/var/log/**/*.log'
  trawl grep -i 'timed? out'                 ask every node
  trawl tail --service api ERROR             follow the logs as they are written
  trawl grep --local -c ERROR *.log          the same engine on local files`

// subcommands are what trawl can do, in the order of the help. Every file of this package adds one.
func subcommands() []subcommand {
	return []subcommand{
		{"grep", newGrepCommand},
		{"tail", newTailCommand},
		{"trace", newTraceCommand},
		{"watch", newWatchCommand},
		{"nodes", newNodesCommand},
		{"doctor", newDoctorCommand},
		{"blocks", newBlocksCommand},
		{"relations", newRelationsCommand},
		{"decode", newDecodeCommand},
		{"responder", newResponderCommand},
		{"bus", newBusCommand},
		{"demo", newDemoCommand},
		{"gen", newGenCommand},
		{"bench", newBenchCommand},
		{"bench-fleet", newBenchFleetCommand},
		{"bench-ask", newBenchAskCommand},
		{"config", newConfigCommand},
		{"completion", newCompletionCommand},
		{"version", newVersionCommand},
	}
}

// subcommand is one of them, by its name, which is known before it is made.
type subcommand struct {
	name string
	make func() *cobra.Command
}

// newRootCommand returns the command tree as far as the command line needs it: the command that it begins
// with, or all of them if it begins with none. To make them all takes a twentieth of the time in which trawl
// starts, which every query would pay.
func newRootCommand(args []string) *cobra.Command {
	cobra.EnableCommandSorting = false
	root := &cobra.Command{
		Use:           "trawl COMMAND [flags]",
		Short:         "Ask every machine's logs at once, over NATS, and know exactly who answered",
		Long:          rootHelp,
		Example:       rootExamples,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          suggestCommand,
		RunE:          func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("trawl {{.Version}}\n")
	root.SetUsageTemplate(usageTemplate)
	root.SetHelpTemplate(helpTemplate)
	root.SetFlagErrorFunc(suggestFlag)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetArgs(args)
	all := subcommands()
	named := func(c subcommand) bool { return len(args) > 0 && c.name == args[0] }
	if i := slices.IndexFunc(all, named); i >= 0 && args[0] != "completion" {
		root.AddCommand(all[i].make())
		return root
	}
	root.Version = version()
	for _, c := range all {
		root.AddCommand(c.make())
	}
	return root
}

// The help of a command: what it does, its synopsis, its flags, and examples last, where the eye
// rests. pflag exceeds the width it is told by up to 5 columns rather than leave a short word
// alone: 75 keeps to 80.
const helpTemplate = `{{with or .Long .Short}}{{. | trimTrailingWhitespaces}}

{{end}}{{.UsageString}}`

const usageTemplate = `usage: {{.UseLine}}
{{- if .HasAvailableSubCommands}}

commands:
{{- range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}
{{- if .HasAvailableLocalFlags}}

flags:
{{(.LocalFlags.FlagUsagesWrapped 75) | trimTrailingWhitespaces}}{{end}}
{{- if .HasExample}}

examples:
{{.Example}}{{end}}
`

// suggestCommand refuses a mistyped subcommand with the nearest one.
func suggestCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	return fmt.Errorf("unknown command %q%s", args[0], didYouMean(args[0], names))
}

// suggestFlag adds the nearest flag to the error for a mistyped one.
func suggestFlag(cmd *cobra.Command, err error) error {
	name, ok := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !ok {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	hint := didYouMean(name, names)
	if hint == "" {
		hint = fmt.Sprintf("; see %s --help", cmd.CommandPath())
	}
	return fmt.Errorf("unknown flag --%s%s", name, strings.Replace(hint, `mean "`, `mean "--`, 1))
}

// didYouMean returns `; did you mean "x"?` for the nearest of names, or nothing when none is near.
func didYouMean(word string, names []string) string {
	best, bestDistance := "", max(2, len(word)/3)+1
	slices.Sort(names)
	for _, name := range names {
		d := editDistance(word, name)
		if strings.HasPrefix(name, word) && len(word) >= 2 {
			d = min(d, 1)
		}
		if d < bestDistance {
			best, bestDistance = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// editDistance counts the insertions, deletions, changes and swaps of neighbours that turn a into
// b (restricted Damerau–Levenshtein), in bytes: command names are ASCII.
func editDistance(a, b string) int {
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			change := prev[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			cur[j] = min(change, prev[j]+1, cur[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
