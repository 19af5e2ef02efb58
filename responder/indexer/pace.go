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
}

// worked notes that the processor was used for so long, and rests as is due. An error is ctx's.
func (p *pace) worked(ctx context.Context, used time.Duration) error {
	share := p.share
	if p.busy() {
		share /= whileBusy
	}
	p.owed += time.Duration(float64(used) * (1/share - 1))
	if p.owed < restAtLeast {
		return ctx.Err()
	}
	rest := p.owed
	p.owed = 0
	return p.sleep(ctx, rest)
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
