package responder

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/placement"
	"github.com/trawl-logs/trawl/responder/indexer"
	"github.com/trawl-logs/trawl/responder/mover"
	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/schemas"
)

// Relations tell which services call which at the moment; nil: nobody knows.
type Relations func(context.Context) placement.Relations

const (
	movingPause = 200 * time.Microsecond // for each block of the list, before the next look: some ten times what it takes to read it and decide (BenchmarkDecide)
	// movingShare is, for each block and each node, what the pause is at least, so that all nodes together keep less than one core of the bus
	// busy: to read a record costs it some 25 µs (docs/store.md).
	movingShare = 50 * time.Microsecond
	movingPing  = 100 * time.Millisecond // for each node: every one is pinged in every look
	movingCopy  = 10 * time.Second       // of copying between two looks
	movingLate  = time.Minute            // that a query's end, or its plan's revision, may be off
)

// moving is a node's part in the sealed blocks of its fleet.
type moving struct {
	r         *Responder
	fleet     Fleet
	relations Relations
	disk      *movingDisk
	mover     *mover.Mover
	grace     time.Duration // that a query may take

	mu     sync.Mutex
	told   string // of what is in the way
	report mover.Report
}

// JoinFleet has the node's sealed blocks listed, and moved to where they should be, while Run runs: where
// sealed.replicas says so, and there is a state directory. It comes before Run.
func (r *Responder) JoinFleet(f Fleet, relations Relations) {
	if r.config.Sealed.Replicas == 0 || r.foreign == nil {
		return
	}
	m := &moving{r: r, fleet: r.Offer(f), relations: relations, grace: time.Duration(r.config.Limits.RunTime) + movingLate}
	m.disk = newMovingDisk(r, m.fleet)
	m.mover = mover.New(r.config.Node, m.fleet, m.disk)
	r.moving = m
}

// startMoving moves blocks from now on; stop ends that.
func (r *Responder) startMoving(ctx context.Context) (stop func()) {
	m := r.moving
	if m == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { r.keepOffering(ctx, m.fleet) })
	running.Go(func() { m.run(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// run moves blocks until ctx ends. It takes over the goroutine's thread.
func (m *moving) run(ctx context.Context) {
	r := m.r
	m.disk.worked = indexer.Background(float64(r.config.Sealed.CPU)/100, func() bool { return len(r.workers) < cap(r.workers) })
	restored, before := false, ""
	for ctx.Err() == nil {
		if !restored {
			restored = m.tryRestore(ctx, &before)
		}
		report, err := m.turn(ctx)
		if ctx.Err() != nil {
			return
		}
		m.tell(report, err)
		select {
		case <-ctx.Done():
		case <-time.After(movingRest(&report, err, time.Duration(r.config.Rescan))):
		}
	}
}

// movingRest is how long to wait after a Turn: the longer the list and the more read it, and not for less than rescan if there is nothing
// to do at once.
func movingRest(report *mover.Report, err error, rescan time.Duration) time.Duration {
	rest := max(movingPause, movingShare*time.Duration(report.Nodes)) * time.Duration(report.Blocks)
	if !report.More || err != nil {
		rest = max(rest, rescan, movingPing*time.Duration(report.Nodes))
	}
	return rest
}

// turn is one Turn of the mover; a panic is an error, after which it goes on with the next one.
func (m *moving) turn(ctx context.Context) (report mover.Report, err error) {
	err = guarded(m.r.log, "the mover", func() (err error) {
		report, err = m.move(ctx)
		return err
	})
	return report, err
}

func (m *moving) move(ctx context.Context) (mover.Report, error) {
	c := &m.r.config.Sealed
	s := mover.Settings{Replicas: c.Replicas, Age: int64(c.Age), Grace: int64(m.grace), Now: time.Now().UnixNano(), Fetch: int64(c.Bandwidth) * int64(movingCopy/time.Second)}
	if m.relations != nil {
		s.Relations = m.relations(ctx)
	}
	report, err := m.mover.Turn(ctx, s)
	if err == nil && report.Foreign == 0 {
		m.disk.abandon()
	}
	return report, err
}

// tell logs what was done, and what is in the way: once, until that is something else.
func (m *moving) tell(report mover.Report, err error) {
	log := m.r.log
	for _, d := range []struct {
		kind mover.Kind
		what string
	}{{mover.List, "listed"}, {mover.Copy, "copied from other nodes"}, {mover.Leave, "left to other nodes"}, {mover.Drop, "dropped here, other nodes have them"},
		{mover.Forget, "taken off nodes that are gone"}, {mover.Retire, "retired: too old, or no room"}} {
		if n := report.Done[d.kind]; n > 0 {
			log.Info("sealed blocks "+d.what, "blocks", n)
		}
	}
	var trouble string
	switch {
	case err != nil:
		trouble = err.Error()
	case report.NoRoom:
		trouble = "no room for blocks of other nodes: they stay where they are"
	case report.Clock != 0 && m.r.config.Sealed.Age > 0:
		trouble = fmt.Sprintf("none is retired for its age: the clock here is %v %s the bus's", time.Duration(max(report.Clock, -report.Clock)).Round(time.Minute), aheadOrBehind(report.Clock))
	case report.Trouble != nil:
		trouble = report.Trouble.Error()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.report = report
	switch {
	case trouble == m.told:
	case trouble != "":
		log.Warn("sealed blocks are not moved", "err", trouble)
	default:
		log.Info("sealed blocks are moved")
	}
	m.told = trouble
}

func aheadOrBehind(off int64) string {
	if off > 0 {
		return "ahead of"
	}
	return "behind"
}

// refused says what is in the way of moving blocks; empty: nothing is. m may be nil.
func (m *moving) refused() string {
	if m == nil {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.told
}

// storeTrouble says why lines are not sealed, or blocks not moved; empty: they are.
func (r *Responder) storeTrouble() string {
	if x := r.sealing; x != nil && x.store != nil {
		if why := x.store.Refused(); why != "" {
			return "nothing is sealed: " + why
		}
		if err := x.lacking(); err != nil && r.moving != nil {
			return "nothing is sealed: " + err.Error()
		}
	}
	return r.moving.refused()
}

// hooks has the sealer drop blocks only when the fleet has retired them, and make no block that has no room. m may be nil.
func (m *moving) hooks(o *seal.Options) {
	if m != nil {
		o.Most, o.Retired, o.Room = 0, m.disk.isRetired, m.disk.room
	}
}

// labelsOf are the labels of the sources that a block's logs belong to, each pair once, sorted.
func (r *Responder) labelsOf(b *seal.Block) []schemas.Label {
	pairs := map[schemas.Label]bool{}
	for i := range b.Runs {
		if e := r.catalog.Absent(b.Runs[i].Path, b.Service, 0, time.Time{}); e != nil {
			for k, v := range e.Labels {
				pairs[schemas.Label{K: k, V: v}] = true
			}
		}
	}
	labels := slices.SortedFunc(maps.Keys(pairs), func(a, b schemas.Label) int { return cmp.Or(cmp.Compare(a.K, b.K), cmp.Compare(a.V, b.V)) })
	return labels[:min(len(labels), schemas.MaxGlobs)]
}
