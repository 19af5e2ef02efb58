package responder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// listFleet is a Fleet that has but a block list.
type listFleet struct {
	Fleet
	records  map[schemas.BlockID]*schemas.BlockRecord
	draining bool
	down     bool
	absent   bool
	revision uint64 // of the list, less one
}

var errDown = errors.New("down")

func (f *listFleet) Draining(context.Context) (bool, error) {
	if f.down {
		return false, errDown
	}
	return f.draining, nil
}

func (f *listFleet) Put(_ context.Context, b *schemas.BlockRecord, _ uint64) (uint64, error) {
	if f.down {
		return 0, errDown
	}
	f.records[b.ID] = b
	return 1, nil
}

func (f *listFleet) Blocks(_ context.Context, filter schemas.BlockFilter, take func(*schemas.BlockRecord, uint64)) (uint64, error) {
	if f.absent {
		return 0, ErrNoList
	}
	for _, b := range f.records {
		if filter.Admits(b) {
			take(b, 1)
		}
	}
	if f.down {
		return 0, errDown
	}
	return f.revision + 1, nil
}

// offered is what the record of a node says, at that time.
func (n *sealedNode) offered(f Fleet, now time.Time) *schemas.NodeStore {
	n.t.Helper()
	if _, _, err := n.r.Scan(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	n.r.lookAtOffer(n.t.Context(), f, now)
	return n.r.Node().Store
}

// list has all blocks of the node listed.
func (n *sealedNode) list(f Fleet) {
	n.t.Helper()
	for _, b := range n.r.sealing.store.Blocks() {
		r := &schemas.BlockRecord{ID: schemas.BlockID(b.ID), Home: n.r.config.Node, Service: b.Service}
		if _, err := f.Put(n.t.Context(), r, 0); err != nil {
			n.t.Fatal(err)
		}
	}
}

// hourly is a log that has so many lines each hour, from the first on.
func hourly(from, to, lines int) string {
	var b strings.Builder
	for h := from; h < to; h++ {
		for i := range lines {
			fmt.Fprintf(&b, "2026-02-28T%02d:%02d:00Z line %d of hour %d, long enough that it counts\n", h, i, i, h)
		}
	}
	return b.String()
}

// A service is sealed up to where all its logs are, and all their blocks are listed; not one line later.
func TestServicesAreSealedUntil(t *testing.T) {
	n := sealedFleet(t, 64, map[string]string{"a.log": hourly(1, 4, 30), "b.log": hourly(1, 3, 40)})
	at := func(hour, minute int) time.Time { return time.Date(2026, 2, 28, hour, minute, 0, 0, time.UTC) }
	fleet := &listFleet{records: map[schemas.BlockID]*schemas.BlockRecord{}}
	if node := n.r.Node(); node.Store == nil || node.Stores() || node.Store.Listed != schemas.NeverListed {
		t.Errorf("a node that has no part in it offers %+v", node.Store)
	}
	f := n.r.Offer(fleet)
	if s := n.r.Node().Store; s.Capacity != int64(n.r.config.Sealed.Size) || s.Listed != schemas.NeverListed {
		t.Errorf("before the first look it offers %+v", s)
	}
	expect := func(what string, now time.Time, want ...any) {
		t.Helper()
		got := n.offered(f, now).Services
		if len(want) == 0 && len(got) == 0 {
			return
		}
		if len(want) == 0 || len(got) != 1 || got[0].Service != "app" || got[0].Until != want[0].(time.Time).UnixNano() {
			t.Errorf("%s: %+v, not %v", what, got, want)
		}
	}
	expect("before anything is sealed", at(4, 0), at(1, 0))
	if s := n.r.Node().Store; s.Listed != 0 {
		t.Errorf("it goes by revision %d of a list that it goes by nothing of", s.Listed)
	}
	n.seal(at(4, 2)) // all windows are over
	expect("sealed, not listed", at(4, 5), at(1, 0))
	n.list(f)
	expect("listed", at(4, 5), at(4, 4))
	if s := n.r.Node().Store; s.Listed != 1 {
		t.Errorf("it goes by revision %d of the list", s.Listed)
	}
	n.r.lookAtOffer(t.Context(), f, time.Now().Add(time.Hour))
	if s, taken := n.r.Node().Store, n.r.catalog.Newest().Taken; s.Services[0].Until != taken.Add(-writtenLate).UnixNano() {
		t.Errorf("sealed up to %v by files that were looked for at %v", time.Unix(0, s.Services[0].Until), taken)
	}

	appendTo(t, filepath.Join(n.dir, "a.log"), hourly(5, 6, 3))
	expect("more was written", at(5, 5), at(3, 28))
	n.seal(at(6, 2))
	expect("which is sealed, not listed", at(6, 5), at(5, 0))
	fleet.down = true
	if _, err := f.Blocks(t.Context(), schemas.BlockFilter{}, func(*schemas.BlockRecord, uint64) {}); err == nil {
		t.Fatal("the list is there")
	}
	expect("nor is the list to be reached", at(6, 5), at(5, 0))
	fleet.down = false
	n.list(f)
	expect("listed too", at(6, 5), at(6, 4))
	expect("a minute on", at(6, 6), at(6, 4)) // that alone is worth no new record
	expect("an hour on", at(7, 5), at(7, 4))

	var one *schemas.BlockRecord
	for _, b := range n.r.sealing.store.Blocks() {
		if b.MinTime == at(2, 0).UnixNano() {
			one = fleet.records[schemas.BlockID(b.ID)]
		}
	}
	delete(fleet.records, one.ID)
	if _, err := f.Blocks(t.Context(), schemas.BlockFilter{}, func(*schemas.BlockRecord, uint64) {}); err != nil {
		t.Fatal(err)
	}
	expect("a block that the list lost", at(7, 5), at(2, 0))
	n.list(f)
	expect("which has it again", at(7, 5), at(7, 4))
	fleet.absent = true
	if _, err := f.Blocks(t.Context(), schemas.BlockFilter{}, func(*schemas.BlockRecord, uint64) {}); !errors.Is(err, ErrNoList) {
		t.Fatal(err)
	}
	expect("no list any more", at(7, 5), at(1, 0))
	if s := n.r.Node().Store; s.Listed != 0 {
		t.Errorf("it goes by revision %d of a list that is gone", s.Listed)
	}
	fleet.absent, fleet.revision = false, 9
	n.list(f)
	if _, err := f.Blocks(t.Context(), schemas.BlockFilter{}, func(*schemas.BlockRecord, uint64) {}); err != nil {
		t.Fatal(err)
	}
	expect("a list again", at(7, 5), at(7, 4))
	if s := n.r.Node().Store; s.Listed != 10 {
		t.Errorf("it goes by revision %d of the list that was read at 10", s.Listed)
	}
	fleet.revision = 0
	if _, err := f.Blocks(t.Context(), schemas.BlockFilter{}, func(*schemas.BlockRecord, uint64) {}); err != nil {
		t.Fatal(err)
	}
	expect("a list made anew", at(7, 5), at(7, 4))
	if s := n.r.Node().Store; s.Listed != 1 {
		t.Errorf("it goes by revision %d of a list that was made anew", s.Listed)
	}

	if err := os.Remove(filepath.Join(n.dir, "b.log")); err != nil {
		t.Fatal(err)
	}
	expect("a log that is gone", at(8, 5), at(8, 4))
	if err := os.WriteFile(filepath.Join(n.dir, "c.log"), []byte(hourly(0, 1, 2)), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("a log of which nothing is sealed", at(8, 5), at(0, 0))
	if err := os.WriteFile(filepath.Join(n.dir, "c.log"), []byte("no time\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("a log without times", at(8, 5))
}

// What was too old to be sealed is in no block, while the file has it still: the service is sealed up to no later time
// than the first of the file.
func TestSealedUntilWithoutTheStart(t *testing.T) {
	n := sealedFleet(t, 64, map[string]string{"a.log": ""})
	n.stop()
	now := time.Date(2026, 2, 28, 4, 5, 0, 0, time.UTC)
	n.age, n.now = Duration(2*time.Hour), now
	text := hourly(1, 4, 30)
	appendTo(t, filepath.Join(n.dir, "a.log"), text)
	n.start(t, 64)
	f := n.r.Offer(&listFleet{records: map[schemas.BlockID]*schemas.BlockRecord{}})
	n.seal(now)
	n.list(f)
	view := n.r.sealing.store.View()
	defer view.Close()
	if l := view.Logs(); len(l) != 1 || l[0].Bytes() != int64(len(hourly(2, 4, 30))) {
		t.Fatalf("%d logs; not all of it but the first hour is sealed", len(l))
	}
	first := time.Date(2026, 2, 28, 1, 0, 0, 0, time.UTC)
	for _, packing := range []bool{false, true} {
		if packing { // more than the blocks have
			write(t, filepath.Join(n.dir, "a.log.1.gz"), packed(t, text, "gzip"))
			remove(t, filepath.Join(n.dir, "a.log"))
		}
		if got := n.offered(f, now).Services; len(got) != 1 || got[0].Until != first.UnixNano() {
			t.Errorf("packed %v: %+v", packing, got)
		}
	}
}

// A file that is gone since files were looked for may have been packed into one that is not known yet: nothing is said
// of its service before the next look.
func TestSealedUntilWhilePacked(t *testing.T) {
	n := sealedFleet(t, 64, map[string]string{"a.log": hourly(1, 4, 30)})
	f := n.r.Offer(&listFleet{records: map[schemas.BlockID]*schemas.BlockRecord{}})
	now := time.Date(2026, 2, 28, 4, 5, 0, 0, time.UTC)
	n.seal(now)
	n.list(f)
	text := hourly(1, 4, 30) + hourly(4, 5, 1)
	log := filepath.Join(n.dir, "a.log")
	appendTo(t, log, hourly(4, 5, 1))
	if _, _, err := n.r.Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, log+".1.gz", packed(t, text, "gzip"))
	remove(t, log)
	n.r.lookAtOffer(t.Context(), f, now)
	if got := n.r.Node().Store.Services; len(got) > 0 {
		t.Errorf("while it is not known: %+v", got)
	}
	if got := n.offered(f, now).Services; len(got) != 1 || got[0].Until != time.Date(2026, 2, 28, 3, 28, 0, 0, time.UTC).UnixNano() {
		t.Errorf("at the next look: %+v", got)
	}
}

// The record says how much room there is, and whether the node drains, as far as that is known.
func TestWhatANodeOffers(t *testing.T) {
	n := sealedFleet(t, 64, map[string]string{"a.log": hourly(1, 2, 3)})
	n.r.config.Sealed.Size = 5 << 30
	fleet := &listFleet{records: map[schemas.BlockID]*schemas.BlockRecord{}}
	f := n.r.Offer(fleet)
	for i, step := range []struct{ draining, down, want bool }{{false, true, false}, {true, false, true}, {true, true, true}, {false, false, false}} {
		fleet.draining, fleet.down = step.draining, step.down
		if s := n.offered(f, time.Now()); s.Capacity != 5<<30 || s.Draining != step.want {
			t.Errorf("step %d: %+v", i, s)
		}
	}
	n.r.keepRate(123e6)
	f = n.r.Offer(fleet) // as after a restart
	if s := n.r.Node().Store; s.ReadRate != 123e6 || s.Capacity != 5<<30 {
		t.Errorf("at once after a restart: %+v", s)
	}
	if s := n.offered(f, time.Now()); s.ReadRate != 123e6 {
		t.Errorf("before its disk is measured anew: %+v", s)
	}
	plain := n.plain.r
	plain.lookAtOffer(t.Context(), plain.Offer(fleet), time.Now())
	if s := plain.Node().Store; s == nil || slices.ContainsFunc(s.Services, func(s schemas.SealedService) bool { return s.Service == "app" }) {
		t.Errorf("a node that seals nothing says %+v", s)
	}
}
