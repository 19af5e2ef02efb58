package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const grepHelp = `Search the logs of the fleet where they lie, or local files with --local, as
grep does. PATTERNS are RE2 expressions, one a line, unless -E, -G or -F say
otherwise. A PATH-GLOB narrows which of the registered files are searched on
each node. With --local the operands are files; without any it is stdin.
`

const grepExamples = `  trawl grep 'timed? out'                    all nodes, all registered files
  trawl grep -i -C2 --service api --since 15m 'deadline exceeded'
  trawl grep -c ERROR '/var/log/nginx/*'     how many, file by file
  trawl grep --local -n -e WARN -e ERROR app.log
  trawl grep --order time --since 10m req-4711   one story over all nodes
  zcat old.log.gz | trawl grep --local -F 10.0.0.1
`

const grepExits = `exit status:
  0 matched, and every known node answered in full; or -q or --limit is
    satisfied
  1 no match, and every known node answered in full
  2 usage, pattern or connection error; no node or no file is selected; with
    --local, a file could not be read
  3 matched, but not every node answered in full    4 no match, and the same
  130 interrupted    141 stdout was closed
`

// newGrepCommand returns trawl grep. It parses its flags itself: those of grep cannot be told to
// cobra (-NUM, -e=x, names cut short).
func newGrepCommand() *cobra.Command {
	var connect connectFlags
	cmd := &cobra.Command{
		Use:                "grep [flags] PATTERNS [PATH-GLOB...]",
		Short:              "Search the logs of the fleet, or local files",
		DisableFlagParsing: true,
		ValidArgsFunction:  completeGrep,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := parseGrep(args, cmd.Flags())
			switch {
			case err != nil:
				return err
			case o.help:
				_, err = fmt.Fprint(cmd.OutOrStdout(), grepUsage())
				return err
			case o.version:
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "trawl "+version())
				return err
			case o.local:
				return grepLocal(cmd.Context(), o, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return grepFleet(cmd, &connect, o)
		},
	}
	cmd.Flags().SortFlags = false
	connect.register(cmd.Flags())
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), grepUsage()) })
	return cmd
}

func grepUsage() string {
	var b strings.Builder
	b.WriteString(grepHelp)
	b.WriteString("\nusage: trawl grep [flags] PATTERNS [PATH-GLOB...]\n       trawl grep --local [flags] PATTERNS [FILE...]\n")
	b.WriteString("\ngrep's own flags:\n" + grepFlagHelp(false))
	b.WriteString("\nflags of the fleet:\n" + grepFlagHelp(true))
	var connection connectFlags // of cmd's own, but for the --help that cobra adds, with grep's -h
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.SortFlags = false
	connection.register(flags)
	b.WriteString("\nflags of the connection:\n" + flags.FlagUsagesWrapped(75))
	b.WriteString("\n" + grepExits + "\nexamples:\n" + grepExamples)
	return b.String()
}

// completeGrep completes flags, and the values of those that take one of some words.
func completeGrep(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if !strings.HasPrefix(word, "-") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	if name, value, ok := strings.Cut(word, "="); ok {
		for i := range grepFlags {
			if "--"+grepFlags[i].long == name {
				return withPrefix(name+"=", value, grepFlags[i].values), cobra.ShellCompDirectiveNoFileComp
			}
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
	var words []cobra.Completion
	for i := range grepFlags {
		f := &grepFlags[i]
		if f.help == "" || f.long == "" || !strings.HasPrefix("--"+f.long, word) {
			continue
		}
		words = append(words, cobra.CompletionWithDesc("--"+f.long, f.help))
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

func withPrefix(before, value string, words []string) (found []cobra.Completion) {
	for _, w := range words {
		if strings.HasPrefix(w, value) {
			found = append(found, before+w)
		}
	}
	return found
}
