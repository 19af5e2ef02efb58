package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/schemas"
)

const drainHelp = `Have a node give its sealed blocks away: to the other nodes that placement
chooses, and no more come to it. It waits until no block of the list names the
node as an owner, and tells how many do. Then the node may go: trawl nodes
forget strikes it off.

Ctrl-C ends the waiting, not the draining; --undo ends that. What the node has
not sealed stays with it, and it goes on sealing.`

// drainPause is the least time between two looks at the block list.
const drainPause = 2 * time.Second

type drainFlags struct {
	connect connectFlags
	undo    bool
	output  string
}

func newDrainCommand() *cobra.Command {
	var f drainFlags
	cmd := &cobra.Command{
		Use:   "drain NODE",
		Short: "Have a node give its sealed blocks away, and wait until it has",
		Long:  drainHelp,
		Example: `  trawl nodes drain web3 && trawl nodes forget web3
  trawl nodes drain web3 --undo
  trawl nodes drain web3 --output json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("drain wants the name of one node")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.undo, "undo", false, "have it drain no more")
	flags.StringVar(&f.output, "output", "text", "`FORM`: text or json, one object a look")
	f.connect.register(flags)
	return cmd
}

func (f *drainFlags) run(cmd *cobra.Command, node string) error {
	if f.output != "text" && f.output != "json" {
		return fmt.Errorf("--output %s is neither text nor json", f.output)
	}
	ctx := cmd.Context()
	conn, err := f.connect.connect(ctx, "trawl nodes drain")
	if err != nil {
		return err
	}
	defer conn.Close()
	if !f.undo {
		roster, err := conn.Roster(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(roster.Nodes, func(n bus.Known) bool { return n.Name == node }) {
			return fmt.Errorf("no node %s is known; `trawl nodes` lists the known ones", node)
		}
	}
	if err := conn.Drain(ctx, node, !f.undo); err != nil {
		return err
	}
	w := &drainWait{node: node, list: conn, pause: pauseFor}
	if f.output == "json" {
		w.tell = func(s drainStep) error { return json.NewEncoder(cmd.OutOrStdout()).Encode(s) }
	} else {
		w.tell = func(s drainStep) error { return s.say(cmd.OutOrStdout()) }
	}
	if f.undo {
		return w.tell(drainStep{Node: node})
	}
	err = w.run(ctx)
	if ctx.Err() != nil {
		say(cmd.ErrOrStderr(), node+" goes on draining; `trawl nodes drain "+node+" --undo` ends that")
	}
	return err
}

// drainStep is how far a node is: a line of --output json.
type drainStep struct {
	Node     string `json:"node"`
	Draining bool   `json:"draining"`
	Done     bool   `json:"done"`
	Blocks   int64  `json:"blocks"` // that name it as an owner
	Stored   int64  `json:"stored"` // bytes of their files
	Alone    int64  `json:"alone"`  // blocks that it alone has
}

// say tells it in words.
func (s drainStep) say(out io.Writer) error {
	text := fmt.Sprintf("%s has %s still, %s, of which nobody else has %d", s.Node, plural(s.Blocks, "block"), formatBytes(s.Stored), s.Alone)
	switch {
	case !s.Draining:
		text = s.Node + " drains no more"
	case s.Done:
		text = s.Node + " has no block that is listed as its"
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

// drainWait waits until a node has no block any more.
type drainWait struct {
	node  string
	list  requester.BlockList
	pause func(context.Context, time.Duration) error
	tell  func(drainStep) error // whenever something has changed
}

// run returns nil when it has none, else why it does not wait any more. The list is read again after the fivefold of
// the time that reading it takes.
func (w *drainWait) run(ctx context.Context) error {
	var told drainStep
	for {
		begin := time.Now()
		s := drainStep{Node: w.node, Draining: true}
		_, err := w.list.Blocks(ctx, schemas.BlockFilter{}, func(b *schemas.BlockRecord, _ uint64) {
			if b.State != schemas.BlockKept || !slices.Contains(b.Owners, w.node) {
				return
			}
			s.Blocks++
			s.Stored += b.Stored
			if len(b.Owners) == 1 {
				s.Alone++
			}
		})
		if err != nil {
			return err
		}
		s.Done = s.Blocks == 0
		if s != told {
			if err := w.tell(s); err != nil {
				return err
			}
			told = s
		}
		if s.Done {
			return nil
		}
		if err := w.pause(ctx, max(drainPause, 5*time.Since(begin))); err != nil {
			return err
		}
	}
}

// pauseFor waits so long; an error is ctx's.
func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
