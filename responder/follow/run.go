package follow

import (
	"context"
	"slices"
	"time"
)

// Times of a Run.
const (
	// pace is the least time between two rounds: a busy writer is read some dozen times a second.
	pace = 20 * time.Millisecond
	// lookPace is the least time between two looks at the names, and lookCost the most of the time
	// that they may take, as its inverse.
	lookPace = 50 * time.Millisecond
	lookCost = 20
	// allEvery is how often all files are read even if nothing is heard of them, for each 1,000 of
	// them, and blindEvery how often if nothing can be heard.
	allEvery   = time.Second
	blindEvery = 100 * time.Millisecond
)

// Run gives Pieces as the files grow, until ctx ends or emit returns an error, which it returns. Start
// was called before.
func (f *Follower) Run(ctx context.Context, w *Watcher, emit func(*Piece) error) error {
	watch := w.Watch()
	defer watch.Close()
	watch.Dirs(slices.Collect(f.snap.Dirs()))
	timer := time.NewTimer(0) // what came since Start
	defer timer.Stop()
	var looked, polled, last time.Time // the last look, full round, and round
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-watch.C:
		case <-timer.C:
		}
		if wait := pace - time.Since(last); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-timer.C:
			}
		}
		now := time.Now()
		news := watch.Take()
		every := f.every(watch.Blind())
		all := news.All || now.Sub(polled) >= every
		if wait := max(lookPace, lookCost*f.snap.Cost); now.Sub(looked) >= wait {
			if news.Names || all && f.o.Catalog.Changed(f.snap) {
				if err := f.Look(ctx); err != nil {
					return err
				}
				watch.Dirs(slices.Collect(f.snap.Dirs()))
				looked, all = now, true // what had been heard of may have other names now
			}
		} else if news.Names {
			watch.Again()
			every = min(every, wait)
		}
		touched := news.Touched
		if all {
			touched = nil
		}
		if all || len(touched) > 0 {
			last = now
			if err := f.Poll(ctx, touched, now, emit); err != nil {
				return err
			}
		}
		if all {
			polled = now
		}
		timer.Reset(every)
	}
}

// every is how often all files are read.
func (f *Follower) every(blind bool) time.Duration {
	thousands := time.Duration(1 + len(f.logs)/1000)
	if blind {
		return blindEvery * thousands
	}
	return allEvery * thousands
}
