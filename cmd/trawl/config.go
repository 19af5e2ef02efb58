package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/responder"
)

const configHelp = `Look at what is configured: of trawl responder on this machine, in
` + responder.DefaultConfigFile + ` and conf.d/*.yaml beside it; and of all other commands,
in ~/.config/trawl/trawl.yaml. The environment goes before either.
docs/configuration.md has all keys.`

// exitWrongConfig is the status of config check where something is wrong.
const exitWrongConfig = 1

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config COMMAND",
		Short: "Check and show the configuration, print permissions for the bus",
		Long:  configHelp,
		Example: `  trawl config check
  trawl config show | grep limits
  trawl config auth --user ann --node web1 >auth.conf`,
		Args: suggestCommand,
		RunE: func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigCheckCommand(), newConfigShowCommand(), newConfigAuthCommand())
	return cmd
}

func newConfigCheckCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say what is wrong in the files and the environment",
		Long: `Read the files and the environment as trawl responder and the other commands do,
and say what is wrong, a line a file. Nothing is connected to: that is what
trawl doctor does.

Exit status: 0 all is well, 1 something is wrong, 2 it could not look.`,
		Example: "  trawl config check\n  trawl config check --config ./trawl.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c := &configCheck{out: cmd.OutOrStdout()}
			if err := c.node(name); err != nil {
				return err
			}
			c.person()
			if !c.said {
				c.line("nothing is configured: there is neither " + responder.DefaultConfigFile + " nor " + userFileName())
			}
			switch {
			case c.err != nil:
				return c.err
			case c.wrong:
				return &exitError{code: exitWrongConfig}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "config", "", "`FILE` of trawl responder (default "+responder.DefaultConfigFile+", if there is one)")
	return cmd
}

// configCheck says what is wrong, and remembers that something is.
type configCheck struct {
	out   io.Writer
	said  bool // anything
	wrong bool
	err   error // of out
}

// say says what became of looking at something.
func (c *configCheck) say(what string, err error) {
	text := "ok"
	if err != nil {
		c.wrong = true
		text = strings.TrimPrefix(strings.TrimPrefix(err.Error(), "config "+what+": "), "config: ")
	}
	c.line(what + ": " + text)
}

func (c *configCheck) line(text string) {
	c.said = true
	if _, err := fmt.Fprintln(c.out, shown(text)); c.err == nil {
		c.err = err
	}
}

// node looks at what trawl responder would read.
func (c *configCheck) node(name string) error {
	files, err := responder.Files(name)
	if err != nil {
		return err
	}
	config := responder.DefaultConfig()
	for _, f := range files {
		c.say(f, config.Merge(f))
	}
	if err := config.Environ(os.LookupEnv); err != nil {
		c.say("environment", err)
	}
	if c.wrong || len(files) == 0 {
		return nil
	}
	switch err := config.Finish(); {
	case errors.Is(err, responder.ErrNoLogs):
		c.line("trawl responder: ok, if --logs names logs: there are no sources")
	default:
		c.say("trawl responder", err)
	}
	c.files("connection", config.Connection)
	c.files("coordinator.connection", config.Coordinator.Connection)
	if name := config.Sealed.Relations; name != "" {
		_, err := readRelations(name)
		c.say(name, err)
	}
	return nil
}

// person looks at what all other commands read.
func (c *configCheck) person() {
	if name := userFileName(); name != "" && exists(name) {
		file, err := readUserFile(name)
		c.say(name, err)
		if err == nil {
			c.files("connection", file.Connection.Connection)
		}
	}
	if name := os.Getenv("TRAWL_RELATIONS"); name != "" {
		_, err := readRelations(name)
		c.say(name, err)
	}
}

// files looks whether the files of a connection can be read.
func (c *configCheck) files(key string, connection responder.Connection) {
	for _, s := range settingsOf(&connection) {
		if s.value == "" || s.key == "server" || s.key == "nats_context" {
			continue
		}
		f, err := os.Open(s.value)
		if err != nil {
			c.say(key+"."+s.key, err)
			continue
		}
		f.Close()
	}
}

// exists tells whether something has that name, and whatever keeps us from knowing counts as yes.
func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil || !errors.Is(err, os.ErrNotExist)
}

func newConfigShowCommand() *cobra.Command {
	var name, output string
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show what holds, and where it comes from",
		Long: `Show what holds for trawl responder on this machine and for the other commands,
as far as no flag says otherwise, and where each value comes from: a file, a
variable of the environment, or the default. What is not said is left out;
passwords are not shown.`,
		Example: "  trawl config show\n  trawl config show --output json | jq -r 'select(.from != \"default\").key'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("--output %s is neither text nor json", output)
			}
			node, nodeErr := nodeOrigins(name) // a file that is not this user's to read leaves the other
			person, personErr := personOrigins()
			return errors.Join(showConfig(cmd.OutOrStdout(), output, node, person), nodeErr, personErr)
		},
	}
	cmd.Flags().StringVar(&name, "config", "", "`FILE` of trawl responder (default "+responder.DefaultConfigFile+", if there is one)")
	cmd.Flags().StringVar(&output, "output", "text", "`FORM`: text or json, one object a line")
	return cmd
}

// configLine is a line of config show --output json; fields may be added, none renamed.
type configLine struct {
	Of    string `json:"of"` // responder, or commands: all others
	Key   string `json:"key"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// showConfig prints what holds; nil: it is not known.
func showConfig(out io.Writer, output string, node, person *origins) error {
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for i, o := range []*origins{node, person} {
		of, head := "responder", "trawl responder"
		if i > 0 {
			of, head = "commands", "\nthe other commands"
		}
		if o == nil {
			continue
		}
		if output == "text" {
			fmt.Fprintf(table, "%s\nKEY\tVALUE\tFROM\n", head)
		}
		for _, s := range o.settings {
			if s.value == "" {
				continue
			}
			value, from := withoutPassword(s.value), o.from[s.key]
			if output == "json" {
				if err := encodeLine(out, configLine{of, s.key, value, from}); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(table, "%s\t%s\t%s\n", s.key, shown(value), shown(from))
		}
	}
	return table.Flush()
}
