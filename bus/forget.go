package bus

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/nats-io/nats.go/jetstream"
)

// Forget removes the nodes whose names match any of the globs from the registered roster, and returns
// their names. A node that is up registers again within ten minutes. No match is no error here; a
// bus without a registered roster is.
func (c *Conn) Forget(ctx context.Context, globs ...string) ([]string, error) {
	for _, g := range globs {
		if _, err := path.Match(g, ""); err != nil {
			return nil, fmt.Errorf("node glob %q: %w", g, err)
		}
	}
	defer c.memory.clear()
	nodes, _, err := c.registered(ctx)
	if err != nil {
		return nil, fmt.Errorf("forget: %w", err)
	}
	ctx, stop := c.untilRefused(ctx)
	defer stop(nil)
	js, err := c.jetStream()
	if err != nil {
		return nil, fmt.Errorf("forget: %w", err)
	}
	bucket, err := js.Stream(ctx, "KV_"+RosterBucket)
	if err != nil {
		return nil, fmt.Errorf("forget: %w", causeOf(ctx, err))
	}
	var removed []string
	var failed error
	for _, n := range nodes {
		if !matchesAny(globs, n.Name) {
			continue
		}
		// Purged, there is no trace of it; a KV delete would leave a marker for ever.
		if err := bucket.Purge(ctx, jetstream.WithPurgeSubject("$KV."+RosterBucket+"."+n.Name)); err != nil {
			failed = errors.Join(failed, fmt.Errorf("forget %s: %w", n.Name, causeOf(ctx, err)))
			continue
		}
		removed = append(removed, n.Name)
		if err := c.drain(ctx, n.Name, false); err != nil && !errors.Is(err, ErrNoBlockList) { // a node of that name that joins later does not drain
			failed = errors.Join(failed, fmt.Errorf("forget %s: %w", n.Name, err))
		}
	}
	return removed, failed
}

func matchesAny(globs []string, name string) bool {
	for _, g := range globs {
		if ok, err := path.Match(g, name); err == nil && ok {
			return true
		}
	}
	return false
}
