package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/schemas"
)

const blocksHelp = `List the blocks of the nodes' indexes, a row a file, or with --each a row a
block. A block is a run of lines, the same number for all of a node; a query
leaves out those whose times, or whose content, cannot match. Nodes index files
in the background where their configuration names a state directory.

With --verify every node reads all that is indexed and makes every block anew:
one that is not what its file holds is dropped with its index, and named.

With --sealed, a row a sealed block: lines of sources with store: sealed, which
are found when their files are gone. HOME is the node that sealed it; away says
that the node has given its lines to others.

With --list, the fleet's list of sealed blocks, which says what nodes have them:
a row a service, with how many blocks so many nodes have (2×950 1×50), and how
many no node has that is up; with --each a row a block. --node admits the blocks
that any such node has, --under N those that fewer nodes have.

With --sizing, a row a node: the formula of the blocks' size with its figures.

With --prove each pattern is asked twice, with the index and without, and what
comes is compared byte for byte. A log that grows meanwhile may make a
difference: then it is asked again, up to 5 times.

Exit status: 0 all is well, 1 a block was wrong, or is at no node that is up, or
an answer differed, 2 it could not look, 3 not every node answered.`

// Exit statuses of blocks.
const (
	exitWrongBlock = 1
	exitSilentNode = 3
)

type blocksFlags struct {
	connect                      connectFlags
	nodes                        []string
	each, verify, sizing, sealed bool
	prove, fixed, anyCase        bool
	listFlags
	output  string
	timeout time.Duration
}

func newBlocksCommand() *cobra.Command {
	var f blocksFlags
	cmd := &cobra.Command{
		Use:   "blocks [PATTERN…]",
		Short: "List blocks of the index or the fleet, verify them, prove answers",
		Long:  blocksHelp,
		Example: `  trawl blocks
  trawl blocks --each --node web1 --output json
  trawl blocks --verify
  trawl blocks --sealed --verify
  trawl blocks --list --under 2 --each
  trawl blocks --list --service api --since 1h --output json
  trawl blocks --sizing
  trawl blocks --prove 'timeout|refused' 4f9a1c77`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&f.nodes, "node", nil, "`GLOB` of the nodes to ask; repeatable")
	flags.BoolVar(&f.each, "each", false, "a row a block")
	flags.BoolVar(&f.verify, "verify", false, "make every block anew, and compare")
	flags.BoolVar(&f.sealed, "sealed", false, "the sealed blocks, a row a block")
	flags.BoolVar(&f.list, "list", false, "the fleet's list of sealed blocks, a row a service")
	flags.StringArrayVar(&f.services, "service", nil, "with --list: `GLOB` of services; repeatable")
	flags.StringVar(&f.since, "since", "", "with --list: blocks with lines of `TIME` or later, as trawl grep takes it")
	flags.StringVar(&f.until, "until", "", "with --list: blocks with lines before `TIME`")
	flags.IntVar(&f.under, "under", 0, "with --list: blocks that fewer than `N` nodes have")
	flags.BoolVar(&f.sizing, "sizing", false, "how the size of the blocks comes about")
	flags.BoolVar(&f.prove, "prove", false, "ask each PATTERN with the index and without")
	flags.BoolVarP(&f.fixed, "fixed-strings", "F", false, "with --prove: patterns are strings")
	flags.BoolVarP(&f.anyCase, "ignore-case", "i", false, "with --prove: letters match in either case")
	flags.StringVar(&f.output, "output", "text", "`FORM`: text or json, one object a line")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "`DUR` to wait for the nodes")
	f.connect.register(flags)
	return cmd
}

func (f *blocksFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.checkList(cmd); err != nil {
		return err
	}
	switch {
	case f.output != "text" && f.output != "json":
		return fmt.Errorf("--output %s is neither text nor json", f.output)
	case f.prove && len(args) == 0:
		return errors.New("--prove wants patterns")
	case !f.prove && len(args) > 0:
		return errors.New("patterns are for --prove")
	case f.prove:
		return f.proveAll(cmd, args)
	case f.list:
		return f.listBlocks(cmd)
	}
	answers, err := f.ask(cmd.Context())
	if err != nil {
		return err
	}
	print := f.files
	switch {
	case f.output == "json":
		print = f.json
	case f.sealed:
		print = f.sealedBlocks
	case f.sizing:
		print = f.sizings
	case f.each:
		print = f.blocks
	}
	if err := print(cmd.OutOrStdout(), answers); err != nil {
		return err
	}
	return f.verdict(cmd.ErrOrStderr(), answers)
}

// nodeBlocks is what a node says of its index.
type nodeBlocks struct {
	Node  string
	Error string // why Index is nil
	Index *schemas.IndexCheckup

	Sealed *schemas.SealedCheckup // nil: no source has any
}

// ask asks every node that is up.
func (f *blocksFlags) ask(ctx context.Context) ([]nodeBlocks, error) {
	conn, err := f.connect.connect(ctx, "trawl blocks")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	roster, err := conn.Roster(ctx)
	if err == nil {
		err = conn.Presence(ctx, &roster)
	}
	if err != nil {
		return nil, err
	}
	filter := schemas.Select{Nodes: f.nodes}
	known := slices.DeleteFunc(roster.Nodes, func(n bus.Known) bool { return !filter.AdmitsNode(n.Name, nil) })
	if len(known) == 0 {
		return nil, errors.New("no node is known of that name; `trawl nodes` lists the known ones")
	}
	request := &schemas.CheckupRequest{Blocks: schemas.BlocksList}
	if f.verify {
		request.Blocks = schemas.BlocksVerify
	}
	answers := make([]nodeBlocks, len(known))
	turn := make(chan struct{}, doctorAtOnce)
	var asked sync.WaitGroup
	for i := range known {
		asked.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			answers[i] = f.askOne(ctx, conn, &known[i], request)
		})
	}
	asked.Wait()
	return answers, ctx.Err()
}

func (f *blocksFlags) askOne(ctx context.Context, conn *bus.Conn, n *bus.Known, request *schemas.CheckupRequest) nodeBlocks {
	if !n.Live {
		return nodeBlocks{Node: n.Name, Error: "down"}
	}
	c, err := ask(ctx, conn, n.Name, request, f.timeout)
	switch {
	case err != nil:
		return nodeBlocks{Node: n.Name, Error: err.Error()}
	case c.Index == nil:
		return nodeBlocks{Node: n.Name, Error: "its trawl is too old to have an index"}
	}
	return nodeBlocks{Node: n.Name, Index: c.Index, Sealed: c.Sealed}
}

// verdict is the exit status, and says on w what is wrong.
func (f *blocksFlags) verdict(w io.Writer, answers []nodeBlocks) error {
	code := 0
	for _, a := range answers {
		if a.Index == nil {
			fmt.Fprintf(w, "trawl: %s: %s\n", a.Node, shown(a.Error))
			code = max(code, exitSilentNode)
			continue
		}
		if sealedVerdict(w, &a) && code == 0 {
			code = exitWrongBlock
		}
		for _, x := range a.Index.Files {
			if x.Err != "" {
				fmt.Fprintf(w, "trawl: %s:%s: %s\n", a.Node, shown(x.Path), shown(x.Err))
				if code == 0 {
					code = exitWrongBlock
				}
			}
		}
	}
	if code != 0 {
		return &exitError{code: code}
	}
	return nil
}

// blockTable writes rows below each other.
func blockTable(w io.Writer, head string, rows func(w io.Writer)) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, head)
	rows(t)
	return t.Flush()
}

func (f *blocksFlags) sizings(w io.Writer, answers []nodeBlocks) error {
	return blockTable(w, "NODE\tDISK MEASURED\tFORMULA: READ RATE × TARGET TIME ÷ MEAN LINE LENGTH", func(w io.Writer) {
		for _, a := range answers {
			rate, formula := "-", a.Error
			if x := a.Index; x != nil {
				if formula = x.Sizing; x.Off != "" {
					formula = x.Off
				}
				if x.ReadRate > 0 {
					rate = fmt.Sprintf("%.0f MB/s", x.ReadRate/1e6)
				}
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", a.Node, rate, shown(formula))
		}
	})
}

func (f *blocksFlags) files(w io.Writer, answers []nodeBlocks) error {
	return blockTable(w, "NODE\tSERVICE\tFROM\tTO\tBLOCKS\tINDEXED\tOF\tINDEX\tFILE", func(w io.Writer) {
		for _, a := range answers {
			if a.Index == nil || a.Index.Off != "" {
				why := a.Error
				if a.Index != nil {
					why = a.Index.Off
				}
				fmt.Fprintf(w, "%s\t-\t-\t-\t-\t-\t-\t-\t%s\n", a.Node, shown(why))
				continue
			}
			for _, x := range a.Index.Files {
				first, last, bytes := spanOf(x.Listed)
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", a.Node, shown(x.Service), blockTime(first), blockTime(last), x.Blocks,
					formatBytes(bytes), formatBytes(x.Size), formatBytes(x.IndexBytes), shown(x.Path))
			}
			if n := a.Index.Further; n > 0 {
				fmt.Fprintf(w, "%s\t-\t-\t-\t-\t-\t-\t-\t%s\n", a.Node, "and "+plural(n, "file")+" more")
			}
		}
	})
}

func (f *blocksFlags) blocks(w io.Writer, answers []nodeBlocks) error {
	return blockTable(w, "NODE\tSERVICE\tFROM\tTO\tLINES\tOFFSET\tBYTES\tFILE", func(w io.Writer) {
		for _, a := range answers {
			if a.Index == nil {
				continue
			}
			for _, x := range a.Index.Files {
				for _, b := range x.Listed {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", a.Node, shown(x.Service), blockTime(b.First), blockTime(b.Last), b.Lines, b.From, b.Bytes, shown(x.Path))
				}
			}
		}
	})
}

// spanOf is from when to when the blocks of a file are, and their bytes.
func spanOf(blocks []schemas.ListedBlock) (first, last, bytes int64) {
	first, last = schemas.NoTime, schemas.NoTime
	for _, b := range blocks {
		bytes = b.From + b.Bytes
		if b.First == schemas.NoTime {
			continue
		}
		if first == schemas.NoTime || b.First < first {
			first = b.First
		}
		last = max(last, b.Last)
	}
	return first, last, bytes
}

// blockTime is a time as the listing shows it.
func blockTime(ns int64) string {
	if ns == schemas.NoTime {
		return "-"
	}
	return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05Z")
}
