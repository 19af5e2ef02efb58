package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	protocol "github.com/trawl-logs/trawl"
	"github.com/trawl-logs/trawl/schemas"
)

// authNames are for whom permissions are wanted.
type authNames struct{ users, nodes []string }

func newConfigAuthCommand() *cobra.Command {
	var names authNames
	cmd := &cobra.Command{
		Use:   "auth",
		Short: "Print permissions for a shared bus, as nats-server reads them",
		Long: `Print what each role may do on a bus that is shared, as a configuration of
nats-server: people who ask, nodes (whose responders run with --user NODE), a
coordinator, which answers questions in text, and an administrator. It is what
PROTOCOL.md has, with other names. The passwords are all "change me".`,
		Example: `  trawl config auth --user ann --user bob --node web1 --node db1 >auth.conf
  trawl bus -c auth.conf                    or nats-server -js -c auth.conf`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return names.write(cmd.OutOrStdout()) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&names.users, "user", []string{"ann"}, "`NAME` of a person; repeatable")
	flags.StringArrayVar(&names.nodes, "node", []string{"web1"}, "`NAME` of a node; repeatable")
	return cmd
}

// The roles of PROTOCOL.md that are of one name, and that name.
var (
	requesterRole = regexp.MustCompile(`(?ms)^  requester = \{\n.*?^  \}\n`)
	nodeRole      = regexp.MustCompile(`(?ms)^  node = \{\n.*?^  \}\n`)
	requesterUser = regexp.MustCompile(`(?m)^    \{user: ann, .*\n`)
	nodeUser      = regexp.MustCompile(`(?m)^    \{user: web1, .*\n`)
)

// write prints the permissions of PROTOCOL.md with other names.
func (n authNames) write(out io.Writer) error {
	seen := map[string]bool{"text": true, "admin": true} // users of PROTOCOL.md beside them
	for _, name := range slices.Concat(n.users, n.nodes) {
		if err := schemas.CheckToken("name", name); err != nil {
			return err
		}
		if seen[name] {
			return fmt.Errorf("name %s is another user's: each has permissions of its own", name)
		}
		seen[name] = true
	}
	_, rest, _ := strings.Cut(protocol.Protocol, "```conf\n")
	text, _, ok := strings.Cut(rest, "```")
	if !ok {
		return errors.New("PROTOCOL.md has no permissions")
	}
	for _, part := range []struct {
		form  *regexp.Regexp
		name  string // in PROTOCOL.md
		role  string
		names []string
	}{
		{requesterRole, "ann", "requester", n.users},
		{requesterUser, "ann", "requester", n.users},
		{nodeRole, "web1", "node", n.nodes},
		{nodeUser, "web1", "node", n.nodes},
	} {
		text = part.form.ReplaceAllStringFunc(text, func(form string) string {
			return forEach(form, part.name, part.role, part.names)
		})
	}
	if first := n.nodes[0]; first != "web1" { // the coordinator is this node's
		text = strings.ReplaceAll(text, ".node.web1.text", ".node."+first+".text")
	}
	_, err := fmt.Fprint(out, text)
	return err
}

// forEach writes a form, which is of a role and a name, for each of names. The second role on has a number.
func forEach(form, name, role string, names []string) string {
	word := regexp.MustCompile(`\b` + name + `\b`)
	var all strings.Builder
	for i, other := range names {
		text := word.ReplaceAllLiteralString(form, other)
		if other != name { // it may look like a number
			text = strings.Replace(text, "{user: "+other+",", `{user: "`+other+`",`, 1)
		}
		if i > 0 {
			number := strconv.Itoa(i + 1)
			text = strings.Replace(text, "  "+role+" = {", "  "+role+number+" = {", 1)
			text = strings.Replace(text, "$"+role+"}", "$"+role+number+"}", 1)
		}
		all.WriteString(text)
	}
	return all.String()
}
