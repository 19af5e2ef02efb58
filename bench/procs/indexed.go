package procs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"time"
)

// indexLook is the time between two questions whether the logs are indexed.
const indexLook = 200 * time.Millisecond

// Indexed waits until every responder has indexed what it is going to, small logs not at all, and says
// whether that was within the limit. When ctx ends it returns its cause.
func (f *Fleet) Indexed(ctx context.Context, limit time.Duration) (bool, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		settled, err := f.settled(ctx)
		if err != nil || settled {
			return settled, err
		}
		select {
		case <-time.After(indexLook):
		case <-timer.C:
			return false, nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// settled asks all nodes.
func (f *Fleet) settled(ctx context.Context) (bool, error) {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, f.trawl, "blocks", "--server", f.URL, "--output", "json")
	cmd.Stderr = &said
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if err != nil {
		return false, fmt.Errorf("trawl blocks: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	return settled(out, len(f.procs)-1)
}

// settled reads what trawl blocks says of so many nodes. A node that has just started says that it has
// no index, and is not through.
func settled(out []byte, nodes int) (bool, error) {
	n := 0
	for line := range bytes.Lines(out) {
		var node struct {
			Index *struct {
				Off     string
				Settled bool
			}
		}
		if err := json.Unmarshal(line, &node); err != nil {
			return false, fmt.Errorf("trawl blocks: %w", err)
		}
		if i := node.Index; i != nil && i.Off == "" && i.Settled {
			n++
		}
	}
	return n == nodes, nil
}
