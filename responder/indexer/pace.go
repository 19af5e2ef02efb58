package indexer

import (
	"context"
	"time"
)

const (
	// restAtLeast is the shortest pause while no search runs, which leaves 5 ms of work before it at a share of a
	// tenth. Each costs some 0.2 ms of processor time, to wake two threads and fill the caches anew: with pauses of
	// 5 ms, a quarter of all that an index took.
	restAtLeast = 50 * time.Millisecond
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

// worked notes that a piece of work used the processor for so long, and rests as is due. A search that begins while
// it works meets what is left of that piece; one that begins while it rests finds it resting for as long as if it
// had run during the last piece. An error is ctx's.
func (p *pace) worked(ctx context.Context, used time.Duration) error {
	busy := p.busy()
	more := time.Duration(float64(used) / p.share * (whileBusy - 1))
	if p.owed += time.Duration(float64(used) * (1/p.share - 1)); busy {
		p.owed += more
	}
	if p.owed < restAtLeast {
		return ctx.Err()
	}
	rest := p.owed
	p.owed = 0
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
