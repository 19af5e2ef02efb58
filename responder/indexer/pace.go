package indexer

import (
	"context"
	"time"
)

const (
	// restAtLeast is the shortest pause: shorter ones would be mostly the timer's.
	restAtLeast = 5 * time.Millisecond
	// whileBusy is by how much the share is smaller while searches run.
	whileBusy = 40
)

// pace keeps work to a share of one core.
type pace struct {
	share float64     // in (0, 1]
	busy  func() bool // a search runs
	sleep func(context.Context, time.Duration) error
	owed  time.Duration
	used  time.Duration // since the last rest
}

// worked notes that the processor was used for so long, and rests as is due. Where a search begins meanwhile, the
// rest is as long as if it had run before: it finds the processor free. An error is ctx's.
func (p *pace) worked(ctx context.Context, used time.Duration) error {
	share, busy := p.share, p.busy()
	if busy {
		share /= whileBusy
	}
	p.used += used
	p.owed += time.Duration(float64(used) * (1/share - 1))
	if p.owed < restAtLeast {
		return ctx.Err()
	}
	rest, more := p.owed, time.Duration(float64(p.used)/p.share*(whileBusy-1))
	p.owed, p.used = 0, 0
	if err := p.sleep(ctx, rest); err != nil || busy || !p.busy() {
		return err
	}
	return p.sleep(ctx, more)
}

// sleep waits, or returns the error of ctx when it ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
