package responder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/responder/clock"
	"github.com/trawl-logs/trawl/responder/source"
)

const (
	// provingMost is how many files wait to be proven at most.
	provingMost = 16 << 10
	// provingBusy is by how much slower they are while queries run.
	provingBusy = 10
	// provingRest is the shortest pause; shorter ones would be mostly the timer's.
	provingRest = 5 * time.Millisecond
)

// proving reads files through for their times, behind the queries that would have read less if those had
// been known: of them, the next query reads only what can be in its range, and assumes nothing. It
// uses as much of one core as the index may.
type proving struct {
	r     *Responder
	wake  chan struct{}
	mu    sync.Mutex
	files map[source.ID]*source.Entry
	work  time.Duration // since the last pause
	last  time.Time
}

func newProving(r *Responder) *proving {
	return &proving{r: r, wake: make(chan struct{}, 1), files: map[source.ID]*source.Entry{}}
}

// add has a file proven.
func (p *proving) add(e *source.Entry) {
	p.mu.Lock()
	if len(p.files) < provingMost {
		p.files[e.ID] = e
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// start proves what is added until ctx ends; stop waits for that.
func (p *proving) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { p.run(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

func (p *proving) run(ctx context.Context) {
	for ctx.Err() == nil {
		if e := p.next(); e != nil {
			if err := p.prove(ctx, e); err != nil && ctx.Err() == nil {
				p.r.log.Debug("times not read through", "path", e.Path, "err", err)
			}
			continue
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
		}
	}
}

// next takes the smallest file that waits, nil if none does.
func (p *proving) next() *source.Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.files) == 0 {
		return nil
	}
	e := slices.MinFunc(slices.Collect(maps.Values(p.files)), func(a, b *source.Entry) int {
		return int(min(max(a.Size-b.Size, -1), 1))
	})
	delete(p.files, e.ID)
	return e
}

// prove reads a file through. A panic is that file's error.
func (p *proving) prove(ctx context.Context, e *source.Entry) (err error) {
	defer func() {
		if v := recover(); v != nil {
			p.r.log.Error("panic while times are read", "path", e.Path, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = errors.New("internal error")
		}
	}()
	f, err := p.r.catalog.Open(ctx, e)
	if err != nil {
		return err
	}
	defer f.Close()
	about := p.r.timesOf(e)
	if clock.ID(f.ID()) != about.ID {
		return nil // the name is another file's by now; its next query adds it
	}
	p.work, p.last = 0, time.Now()
	return p.r.clocks.Prove(ctx, f.Raw(), about, func() error { return p.pause(ctx) })
}

// pause rests for as long as is due after the work since the last one.
func (p *proving) pause(ctx context.Context) error {
	p.work += time.Since(p.last)
	share := float64(p.r.config.Index.CPU) / 100
	if len(p.r.workers) < cap(p.r.workers) { // a query runs
		share /= provingBusy
	}
	if rest := time.Duration(float64(p.work) * (1/share - 1)); rest >= provingRest {
		p.work = 0
		t := time.NewTimer(rest)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.last = time.Now()
	return nil
}
