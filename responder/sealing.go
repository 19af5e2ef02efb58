package responder

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/indexer"
	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/responder/source"
)

// storeSealed is the Store of a source whose lines are sealed.
const storeSealed = "sealed"

// SealedConfig says how the lines of the sources with store: sealed are kept: see docs/store.md.
type SealedConfig struct {
	Window Duration `yaml:"window"` // of time, that lines are clustered by
	Lines  int      `yaml:"lines"`  // of a block
	Age    Duration `yaml:"age"`    // after which blocks are dropped; 0: never
	Size   Size     `yaml:"size"`   // of all blocks together; the oldest go
	CPU    Percent  `yaml:"cpu"`    // of one core, to seal

	Replicas  int  `yaml:"replicas"`  // nodes that have each block; 0: blocks stay where they are sealed, and are not listed
	Bandwidth Size `yaml:"bandwidth"` // bytes a second, to copy blocks of other nodes

	Relations string `yaml:"relations"` // a file that says which services call which, as trawl relations reads it; empty: unknown
}

func (c *SealedConfig) check() error {
	window := time.Duration(c.Window)
	switch {
	case window < time.Minute || window > 31*24*time.Hour:
		return fmt.Errorf("sealed.window: %v is not within 1m and 31d", window)
	case c.Lines < 64 || c.Lines > 1<<20:
		return fmt.Errorf("sealed.lines: %d is not within 64 and %d", c.Lines, 1<<20)
	case c.Age != 0 && c.Age < c.Window:
		return fmt.Errorf("sealed.age: %v is shorter than a window of %v", time.Duration(c.Age), window)
	case c.Size < 1<<20:
		return fmt.Errorf("sealed.size: %d bytes are less than 1MiB", c.Size)
	case c.CPU < 1 || c.CPU > 100:
		return fmt.Errorf("sealed.cpu: %v%% is not within 1%% and 100%%", float64(c.CPU))
	case c.Replicas < 0 || c.Replicas > 16:
		return fmt.Errorf("sealed.replicas: %d is not within 0 and 16", c.Replicas)
	case c.Bandwidth < 64<<10:
		return fmt.Errorf("sealed.bandwidth: %d bytes a second are less than 64KiB", c.Bandwidth)
	}
	return nil
}

// checkStore says what is wrong with how a source is stored.
func (s *SourceConfig) checkStore(state string) error {
	switch {
	case s.Store == "":
		return nil
	case s.Store != storeSealed:
		return fmt.Errorf("store %q is not %s", s.Store, storeSealed)
	case s.Kind == kindJournal || s.Format != "":
		return fmt.Errorf("store: %s is of plain logs, not of kind: %s nor of wrapped ones", storeSealed, kindJournal)
	case state == "":
		return fmt.Errorf("store: %s wants a state directory (state: DIR, or --state DIR)", storeSealed)
	}
	return nil
}

// sealing is the sealed blocks of a node, and what makes them.
type sealing struct {
	dir    string
	log    *slog.Logger
	store  *seal.Store // nil before open
	sealer *seal.Sealer
	worked func(context.Context) error // of the goroutine that seals
	wake   chan struct{}
	now    func() time.Time
	sure   chan struct{} // closed when nothing has to be known before lines are sealed

	opening func(*source.Entry) error   // before a file is opened to be matched; nil but in tests
	entries map[source.ID]*source.Entry // as of the sealer's last look; it alone uses them

	mu      sync.Mutex
	turns   int  // that are over
	settled bool // the last of them left nothing to do
}

// newSealing returns nil if no source wants its lines sealed. Nothing is opened yet.
func newSealing(c *Config, log *slog.Logger) *sealing {
	for i := range c.Sources {
		if c.Sources[i].Store == storeSealed {
			return &sealing{dir: filepath.Join(c.State, "sealed"), log: log, wake: make(chan struct{}, 1), now: time.Now, sure: make(chan struct{})}
		}
	}
	return nil
}

// open opens the blocks, once. From then on no other process can have them. x may be nil.
func (x *sealing) open() (err error) {
	if x != nil && x.store == nil {
		x.store, err = seal.Open(x.dir, x.log)
	}
	return err
}

// startSealing seals from now on. stop ends that, and lets go of the blocks.
func (r *Responder) startSealing(ctx context.Context) (stop func()) {
	x := r.sealing
	if x == nil {
		return func() {}
	}
	c := &r.config.Sealed
	o := seal.Options{
		Window: time.Duration(c.Window), Lines: c.Lines, Age: time.Duration(c.Age), Most: int64(c.Size), Now: x.now,
		Files: func() []seal.Candidate { return x.candidates(r) },
		Open:  func(ctx context.Context, c seal.Candidate) (seal.Opened, error) { return x.openLog(ctx, r, c) },

		Family: source.Family, Worked: func(ctx context.Context) error { return x.worked(ctx) },
	}
	r.moving.hooks(&o)
	x.sealer = seal.NewSealer(x.store, o)
	if r.moving == nil || !x.unsure() {
		x.restored()
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		if x.await(ctx); ctx.Err() == nil {
			x.run(ctx, r)
		}
	})
	return func() {
		cancel()
		running.Wait()
		x.store.Close()
	}
}

// run seals until ctx ends. It takes over the goroutine's thread.
func (x *sealing) run(ctx context.Context, r *Responder) {
	x.worked = indexer.Background(float64(r.config.Sealed.CPU)/100, func() bool { return len(r.workers) < cap(r.workers) })
	for ctx.Err() == nil {
		more, err := x.turn(ctx, r)
		if ctx.Err() != nil {
			return
		}
		x.mu.Lock()
		x.turns++
		x.settled = !more && err == nil
		x.mu.Unlock()
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-x.wake:
		}
	}
}

// turn is one turn of the sealer; a panic is an error, after which it looks again when it is woken.
func (x *sealing) turn(ctx context.Context, r *Responder) (more bool, err error) {
	err = guarded(r.log, "the sealer", func() (err error) {
		more, err = x.sealer.Turn(ctx)
		return err
	})
	return more, err
}

// poke has the sealer look again.
func (x *sealing) poke() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// looks returns how often the logs were looked at, and whether the last time left nothing to be sealed.
func (x *sealing) looks() (n int, settled bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.turns, x.settled
}

// sealed says whether the lines of a file are to be sealed.
func (r *Responder) sealed(e *source.Entry) bool {
	return r.sealing != nil && r.config.Sources[e.Source()].Store == storeSealed
}

// candidates are the registered files that may be sealed.
func (x *sealing) candidates(r *Responder) []seal.Candidate {
	snap := r.catalog.Newest()
	if snap == nil {
		return nil
	}
	files := []seal.Candidate{}
	x.entries = map[source.ID]*source.Entry{}
	for _, e := range snap.Files {
		if r.sealed(e) && e.Size > 0 {
			x.entries[e.ID] = e
			files = append(files, seal.Candidate{Path: e.Path, Service: e.Service, Family: source.Family(e.Path), Dev: e.ID.Dev, Ino: e.ID.Ino, Size: e.Size, ModTime: e.ModTime})
		}
	}
	return files
}

// openLog opens a file that is to be sealed.
func (x *sealing) openLog(ctx context.Context, r *Responder, c seal.Candidate) (o seal.Opened, err error) {
	e := x.entries[source.ID{Dev: c.Dev, Ino: c.Ino}]
	f, kind, err := r.openKind(ctx, e)
	if err != nil {
		return o, err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // opened for reading: nothing is lost
		}
	}()
	if kind != archive.Plain {
		return o, seal.ErrNotSealed
	}
	o.File = seal.File{Path: c.Path, At: f, Size: f.Size(), ModTime: c.ModTime}
	if o.Identity, err = seal.IdentityOf(f.Raw()); err != nil {
		return o, err
	}
	o.Close = func() { _ = f.Close() }
	o.Zone, o.Layout = r.config.Sources[e.Source()].timeRules()
	o.Clock, o.Form, err = r.blockClock(f, f.Size(), e)
	return o, err
}
