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

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/schemas"
)

const nodesHelp = `List the nodes that are known, one a row.

A node is up when it is subscribed and has scanned its log files once; SINCE is
then the time of its start. For a node that is down it is when its record was
last written, which a node does at least every ten minutes.

STORE, where a node keeps sealed blocks for the fleet, is the room that it
offers, how fast its disk is read, and whether it gives its blocks away.

A node stays known until it is forgotten: a query names every known node that
did not answer. Where the bus has no JetStream, known are the nodes that answer
now and those whom they remember.`

func newNodesCommand() *cobra.Command {
	var connect connectFlags
	var output string
	cmd := &cobra.Command{
		Use:   "nodes",
		Short: "List the nodes that are known, and whether they are up",
		Long:  nodesHelp,
		Example: `  trawl nodes
  trawl nodes --output json | jq -r 'select(.state == "down").node'
  trawl nodes drain web3 && trawl nodes forget web3`,
		Args: suggestCommand,
		RunE: func(cmd *cobra.Command, args []string) error { return listNodes(cmd, &connect, output) },
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&output, "output", "text", "`FORM`: text or json, one object a line")
	connect.register(cmd.Flags())
	cmd.AddCommand(newForgetCommand(), newDrainCommand())
	return cmd
}

func newForgetCommand() *cobra.Command {
	var connect connectFlags
	cmd := &cobra.Command{
		Use:   "forget NODE…",
		Short: "Remove nodes from the roster, by name or glob",
		Long: `Remove nodes from the roster: queries no longer wait for them. It prints the
names that it removed, one a line. A node that is up comes back within ten
minutes.`,
		Example: `  trawl nodes forget web3
  trawl nodes forget 'batch-*' old1`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("forget wants the name of a node, or a glob")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return forgetNodes(cmd, &connect, args) },
	}
	cmd.Flags().SortFlags = false
	connect.register(cmd.Flags())
	return cmd
}

func forgetNodes(cmd *cobra.Command, connect *connectFlags, globs []string) error {
	conn, err := connect.connect(cmd.Context(), "trawl nodes forget")
	if err != nil {
		return err
	}
	defer conn.Close()
	removed, err := conn.Forget(cmd.Context(), globs...)
	for _, name := range removed {
		if _, werr := fmt.Fprintln(cmd.OutOrStdout(), name); werr != nil {
			return werr
		}
	}
	if err == nil && len(removed) == 0 {
		err = fmt.Errorf("no known node matches %s; `trawl nodes` lists them", strings.Join(globs, ", "))
	}
	return err
}

func listNodes(cmd *cobra.Command, connect *connectFlags, output string) error {
	if output != "text" && output != "json" {
		return fmt.Errorf("--output %s is neither text nor json", output)
	}
	conn, err := connect.connect(cmd.Context(), "trawl nodes")
	if err != nil {
		return err
	}
	defer conn.Close()
	roster, err := conn.Roster(cmd.Context())
	if err != nil {
		return err
	}
	if err := conn.Presence(cmd.Context(), &roster); err != nil {
		return err
	}
	if len(roster.Nodes) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "trawl: no node is known at "+conn.URL()+"; `trawl responder` starts one")
	}
	if output == "json" {
		return nodesJSON(cmd.OutOrStdout(), roster)
	}
	return nodesText(cmd.OutOrStdout(), roster)
}

// isUp tells whether a node is subscribed, flushed, and has scanned its catalogue.
func isUp(n *bus.Known) bool { return n.Live && n.Ready }

// sinceWhen returns the start of a node that answers, else when it was last heard of; zero: not known.
func sinceWhen(n *bus.Known) time.Time {
	if n.Live && n.Started > 0 {
		return time.Unix(0, n.Started)
	}
	return n.Seen
}

func nodesText(w io.Writer, r bus.Roster) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := []string{"NODE", "STATE", "SINCE", "GROUPS", "SERVICES", "FILES", "BYTES", "VERSION"}
	stores := slices.ContainsFunc(r.Nodes, func(n bus.Known) bool { return n.Stores() })
	if stores {
		head = append(head, "STORE")
	}
	fmt.Fprintln(table, strings.Join(head, "\t"))
	for i := range r.Nodes {
		n := &r.Nodes[i]
		state, since, files, size := "down", "-", "-", "-"
		if isUp(n) {
			state = "up"
		}
		if t := sinceWhen(n); !t.IsZero() {
			since = t.Format(time.RFC3339)
		}
		if n.Instance != "" { // known by more than its name
			files, size = strconv.FormatInt(n.Files, 10), strconv.FormatInt(n.Bytes, 10)
		}
		row := []string{n.Name, state, since, list(n.Groups), list(n.Services), files, size, cell(n.Version)}
		if stores {
			row = append(row, storeCell(&n.Node))
		}
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}

// storeCell is what a node offers to the fleet's sealed blocks, as one word.
func storeCell(n *schemas.Node) string {
	if !n.Stores() {
		return "-"
	}
	s := n.Store
	words := []string{formatBytes(s.Capacity)}
	if s.ReadRate > 0 {
		words = append(words, formatBytes(s.ReadRate)+"/s")
	}
	if s.Draining {
		words = append(words, "draining")
	}
	return strings.Join(words, ",")
}

// listWidth is about how much of a row a list of names may take; the JSON form gives all of them.
const listWidth = 40

// list joins names for a cell. Of a list that is too long for a row, it tells how many are left out: a
// service is named after each file where nothing else names it, and a node may have thousands.
func list(names []string) string {
	width := 0
	for i, name := range names {
		if width += len(name) + 1; i > 0 && width > listWidth {
			return cell(strings.Join(names[:i], ",")) + fmt.Sprintf(",+%d", len(names)-i)
		}
	}
	return cell(strings.Join(names, ","))
}

// cell makes one printable word of what a node says of itself.
func cell(s string) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f || !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s
}

// nodeLine is one line of `trawl nodes --output json`; fields may be added, none renamed.
type nodeLine struct {
	Node     string            `json:"node"`
	State    string            `json:"state"`
	Since    *time.Time        `json:"since"`
	Roster   string            `json:"roster"`
	Host     string            `json:"host"`
	Groups   []string          `json:"groups"`
	Labels   map[string]string `json:"labels"`
	Services []string          `json:"services"`
	Files    int64             `json:"files"`
	Bytes    int64             `json:"bytes"`
	Version  string            `json:"version"`
	Store    *storeLine        `json:"store"` // null: it has no part in the fleet's sealed blocks
}

type storeLine struct {
	Capacity    int64              `json:"capacity"`  // bytes
	ReadRate    int64              `json:"read_rate"` // bytes a second; 0: not known
	Draining    bool               `json:"draining"`
	SealedUntil map[string]*string `json:"sealed_until"` // by service: each line of an earlier time is in a listed block
}

func storeLineOf(n *schemas.Node) *storeLine {
	if !n.Stores() {
		return nil
	}
	s := n.Store
	line := &storeLine{s.Capacity, s.ReadRate, s.Draining, make(map[string]*string, len(s.Services))}
	for _, v := range s.Services {
		line.SealedUntil[v.Service] = stamp(v.Until)
	}
	return line
}

func nodesJSON(w io.Writer, r bus.Roster) error {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	for i := range r.Nodes {
		n := &r.Nodes[i]
		line := nodeLine{
			Node: n.Name, State: "down", Roster: string(r.Kind), Host: n.Host, Groups: notNil(n.Groups),
			Labels: labels(n.Labels), Services: notNil(n.Services), Files: n.Files, Bytes: n.Bytes, Version: n.Version,
			Store: storeLineOf(&n.Node),
		}
		if isUp(n) {
			line.State = "up"
		}
		if t := sinceWhen(n).UTC(); !t.IsZero() {
			line.Since = &t
		}
		if err := lines.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func labels(all []schemas.Label) map[string]string {
	m := make(map[string]string, len(all))
	for _, l := range all {
		m[l.K] = l.V
	}
	return m
}
