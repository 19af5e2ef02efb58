package responder

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/trawl-logs/trawl/responder/mover"
	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/schemas"
)

// crashKinds are where a mover ends, between and within what it does to the list and to the real blocks. The steps within
// seal.Store have a test there: TestCrashesOfMoves.
var crashKinds = []string{"list read", "before a record", "after a record", "copying", "verifying", "copied", "before a drop", "after a drop"}

// crashes ends a mover at a drawn point of a kind.
type crashes struct {
	at   string
	left int // so many of these go well
}

type crashed struct{}

func (c *crashes) point(kind string) {
	if kind != c.at {
		return
	}
	if c.left--; c.left < 0 {
		panic(crashed{})
	}
}

// crashingFleet is a member that may end at each call.
type crashingFleet struct {
	*member
	c *crashes
}

func (f *crashingFleet) Blocks(ctx context.Context, b schemas.BlockFilter, take func(*schemas.BlockRecord, uint64)) (uint64, error) {
	listed, err := f.member.Blocks(ctx, b, take)
	f.c.point("list read")
	return listed, err
}

func (f *crashingFleet) Put(ctx context.Context, b *schemas.BlockRecord, revision uint64) (uint64, error) {
	f.c.point("before a record")
	next, err := f.member.Put(ctx, b, revision)
	f.c.point("after a record")
	return next, err
}

func (f *crashingFleet) Copy(ctx context.Context, from, home string, id schemas.BlockID, at int64, w io.Writer) error {
	return f.member.Copy(ctx, from, home, id, at, &halves{w, f.c})
}

// halves writes in two steps.
type halves struct {
	io.Writer
	c *crashes
}

func (h *halves) Write(p []byte) (int, error) {
	n, err := h.Writer.Write(p[:len(p)/2])
	if err != nil {
		return n, err
	}
	h.c.point("copying")
	k, err := h.Writer.Write(p[len(p)/2:])
	return n + k, err
}

// crashingDisk is a node's disk, where a mover may end between two calls.
type crashingDisk struct {
	*movingDisk
	c *crashes
}

func (d *crashingDisk) Fetch(ctx context.Context, b *schemas.BlockRecord, from string) error {
	err := d.movingDisk.Fetch(ctx, b, from)
	d.c.point("copied")
	return err
}

func (d *crashingDisk) Drop(home string, id schemas.BlockID) error {
	d.c.point("before a drop")
	err := d.movingDisk.Drop(home, id)
	d.c.point("after a drop")
	return err
}

// restart is a process that ended where it was, and another one that goes on.
func (m *moved) restart(x *moving, c *crashes) {
	m.holders.t.Helper()
	r := x.r
	if r.sealing != nil {
		r.sealing.store.Close()
		r.sealing.store = nil
		m.must(r.sealing.open())
	}
	r.foreign.close()
	m.must(r.foreign.open())
	f := &crashingFleet{&member{m.blockLists, r.config.Node}, c}
	x.fleet, x.disk = f, newMovingDisk(r, f)
	x.disk.worked = func(ctx context.Context) error {
		c.point("verifying")
		return ctx.Err()
	}
	x.mover = mover.New(r.config.Node, f, &crashingDisk{x.disk, c})
}

// turnUntil is a Turn that may end in a crash.
func (m *moved) turnUntil(x *moving) (hit bool) {
	defer func() {
		if p := recover(); p != nil {
			if p != (crashed{}) {
				panic(p)
			}
			hit = true
		}
	}()
	_, err := x.mover.Turn(context.Background(), mover.Settings{Replicas: 2, Now: 1, Fetch: 1 << 30})
	m.must(err)
	return false
}

// byList is who may read which block by the list of this moment; the home reads what is not in it.
func (m *moved) byList() map[seal.ID][]int {
	owners := map[seal.ID][]int{}
	for id, b := range m.list {
		for i, x := range m.all {
			if slices.Contains(b.Owners, x.r.config.Node) {
				owners[seal.ID(id)] = append(owners[seal.ID(id)], i)
			}
		}
	}
	return owners
}

// Wherever a mover ends between the list and the real blocks, and goes on, at each moment the nodes that the list names give each line
// once; and when nothing breaks any more, all comes to rest.
func TestCrashesOfTheMover(t *testing.T) {
	m := newMoved(t, 2)
	m.stop() // the sealer: nothing is left to be sealed
	m.r.mu.Lock()
	m.r.stopping = false
	m.r.mu.Unlock()
	rng := rand.New(rand.NewPCG(7, 7))
	m.drains = map[string]bool{}
	c := &crashes{}
	for _, x := range m.all {
		m.restart(x, c)
	}
	times := 2
	if testing.Short() { // under the race detector
		times = 1
	}
	hits := map[string]int{}
	for _, kind := range crashKinds {
		for round := 0; hits[kind] < times; round++ {
			if round == 200 {
				t.Fatalf("nothing ended at %q: %v", kind, hits)
			}
			if round%4 == 0 { // so that there is something to move
				m.drains = map[string]bool{m.all[rng.IntN(len(m.all))].r.config.Node: true}
			}
			x := m.all[rng.IntN(len(m.all))]
			c.at, c.left = kind, rng.IntN(4)
			hit := m.turnUntil(x)
			c.at = ""
			if !hit {
				continue
			}
			hits[kind]++
			m.restart(x, c)
			m.sameByPlan(drawPlanned(rng, m.text, fmt.Sprint("ended", round)), m.plans(rng, m.byList()))
		}
	}
	clear(m.drains)
	for range 10 {
		for _, x := range m.all {
			m.turnUntil(x)
		}
	}
	for id, of := range m.owners() {
		if len(of) != 2 {
			t.Errorf("%v is owned by %v", id, of)
		}
	}
	if len(m.list) != len(m.r.sealing.store.Blocks()) {
		t.Errorf("%d blocks are listed, of %d; ended at %v", len(m.list), len(m.r.sealing.store.Blocks()), hits)
	}
}
