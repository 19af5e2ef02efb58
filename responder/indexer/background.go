package indexer

import "context"

// Background turns the calling goroutine into one that works as a Builder does: on a thread of its own at low
// priority, within a share of one core, and a fortieth of that while busy. It is to call worked after each
// short piece of its work, which rests as is due; an error is ctx's.
func Background(share float64, busy func() bool) (worked func(ctx context.Context) error) {
	yield()
	p, last := pace{share: share, busy: busy, sleep: sleep}, used()
	return func(ctx context.Context) error {
		now := used()
		err := p.worked(ctx, now-last)
		last = used()
		return err
	}
}
