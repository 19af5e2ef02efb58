package responder

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/schemas"
)

// givenFleet is a Fleet of a list that nobody writes, and of nodes that hold what they hold.
type givenFleet struct {
	Fleet
	h    *holders
	list []schemas.BlockRecord
	down bool
	err  error // of Blocks
}

func (g *givenFleet) Blocks(_ context.Context, f schemas.BlockFilter, take func(*schemas.BlockRecord, uint64)) (uint64, error) {
	if g.err != nil {
		return 0, g.err
	}
	for _, b := range g.list {
		b.Owners = slices.Clone(b.Owners)
		if f.Admits(&b) {
			take(&b, 1)
		}
	}
	return 1, nil
}

func (g *givenFleet) Nodes(context.Context) ([]schemas.Node, error) {
	return []schemas.Node{{Name: "web1"}, {Name: "web2"}}, nil
}

func (g *givenFleet) Draining(context.Context) (bool, error) { return false, nil }

func (g *givenFleet) Up(context.Context, []string) (map[string]bool, error) {
	return map[string]bool{"web2": !g.down}, nil
}

func (g *givenFleet) Copy(_ context.Context, _, home string, id schemas.BlockID, at int64, w io.Writer) error {
	f, b, err := g.h.others[0].r.foreign.of(home).File(seal.ID(id))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, io.NewSectionReader(f, at, b.Stored-at))
	return err
}

// A node that has lost its state directory, and not its logs, seals nothing until it has what it sealed again: then
// its logs go on where they were sealed up to, and no line is found twice.
func TestLostBlocksAreRestored(t *testing.T) {
	text := drawLog(rand.New(rand.NewPCG(8, 26)), 400)
	n := sealedFleet(t, 64, map[string]string{"a.log": text})
	n.seal(time.Date(2026, 3, 1, 0, 5, 0, 0, time.UTC))
	h := newHolders(n, 1)
	g := &givenFleet{h: h, down: true}
	blocks := h.r.sealing.store.Blocks()
	for i, b := range blocks {
		h.copyTo(h.others[0], b.ID)
		g.list = append(g.list, schemas.BlockRecord{ID: schemas.BlockID(b.ID), Home: "web1", Service: b.Service, Stored: b.Stored, Checksum: b.Checksum, Owners: [][]string{{"web1", "web2"}, {"web2"}}[i%2]})
	}
	g.list = append(g.list, schemas.BlockRecord{ID: schemas.BlockID{1}, Home: "web1", Owners: []string{"web9"}}, schemas.BlockRecord{ID: schemas.BlockID{2}, Home: "web1", Owners: []string{"web1"}},
		schemas.BlockRecord{ID: schemas.BlockID{3}, Home: "web1", Owners: []string{"web2"}, State: schemas.BlockRetired}) // nobody has these
	n.stop()
	n.stop = func() {}
	h.must(os.RemoveAll(n.state))

	f, _ := newFleet(t, func(c *Config) {
		c.State, c.Sealed.CPU, c.Sealed.Lines, c.Index.Level = n.state, 100, 64, indexOff
		c.Sealed.Replicas, c.Sources = 1, n.sources
	}, nil)
	f.r.compile = compile
	if _, _, err := f.r.Scan(context.Background()); err != nil {
		t.Fatal(err)
	}
	f.r.sealing.now = func() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) }
	f.r.JoinFleet(g, nil)
	stop := f.r.startSealing(context.Background())
	defer f.stop()
	defer stop()
	n.indexed = &indexed{fleet: f}
	plan := &schemas.Plan{}
	for _, b := range blocks {
		plan.Leave = append(plan.Leave, schemas.BlockID(b.ID))
	}
	q := query("lost", "id=")
	q.Columns = schemas.ColumnOffset | schemas.ColumnNumber
	if _, end := h.chunks(f, q, plan); end.Status != schemas.StatusPartial || !strings.Contains(f.r.SealedCheckup(t.Context(), false).Refused, "may have lost") {
		t.Errorf("before it knows: %+v", end)
	}
	if _, end := h.chunks(f, q, nil); end.Status != schemas.StatusPartial || !strings.Contains(fmt.Sprint(end.Errors), "may have lost") {
		t.Errorf("without a plan, before it knows: %+v", end)
	}
	if why := f.r.storeTrouble(); !strings.Contains(why, "may have lost") {
		t.Errorf("%q", why)
	}
	if err := f.r.moving.restore(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be had") {
		t.Fatalf("who has them is down: %v", err)
	}
	g.err = ErrNoListNow // a bus that is not all up again
	said := ""
	if f.r.moving.tryRestore(t.Context(), &said) || said == "" {
		t.Fatalf("nobody knows of a list: %q", said)
	}
	if turns, _ := f.r.sealing.looks(); turns > 0 {
		t.Error("it seals")
	}
	g.down, g.err, said = false, nil, ""
	if !f.r.moving.tryRestore(t.Context(), &said) || said != "" {
		t.Fatal(said)
	}
	n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	lines := int64(0)
	for _, b := range f.r.sealing.store.Blocks() {
		lines += b.Lines
	}
	if lines != 400 {
		t.Errorf("%d lines are in blocks", lines)
	}
	want, _ := h.chunks(h.plain.fleet, q, nil)
	here, end := h.chunks(f, q, plan)
	there, _ := h.chunks(h.others[0], q, &schemas.Plan{Read: []schemas.PlanRead{{Home: "web1", Blocks: plan.Leave}}})
	if got, want := linesOf(t, append(here, there...), false), linesOf(t, want, false); end.Status != schemas.StatusComplete || !slices.Equal(got, want) {
		t.Errorf("%d lines, want %d: %s; %+v", len(got), len(want), firstOther(got, want), end)
	}
	remove(t, filepath.Join(n.dir, "a.log"))
}
