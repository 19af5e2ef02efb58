package responder

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/schemas"
)

// A node that has blocks of others finds the form of their times once, and not for every query: from then on it reads
// of a range no more than what the blocks leave, whatever part of them it is asked for.
func TestFormsOfSealedTimesAreFoundOnce(t *testing.T) {
	text := drawLog(rand.New(rand.NewPCG(8, 40)), 1500)
	n := sealedFleet(t, 64, map[string]string{"a.log": text})
	n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	remove(t, filepath.Join(n.dir, "a.log"))
	h := newHolders(n, 1)
	plan := func(some func(i int) bool) *schemas.Plan {
		p := &schemas.Plan{Revision: 7, Read: []schemas.PlanRead{{Home: "web1"}}}
		for i, b := range h.r.sealing.store.Blocks() {
			if some(i) {
				p.Read[0].Blocks = append(p.Read[0].Blocks, schemas.BlockID(b.ID))
			}
		}
		return p
	}
	for _, b := range h.r.sealing.store.Blocks() {
		h.copyTo(h.others[0], b.ID)
	}
	since := time.Date(2026, 3, 1, 0, 10, 0, 0, time.UTC).UnixNano()
	until := since + int64(5*time.Minute)
	ask := func(id string, p *schemas.Plan) *schemas.End {
		q := query(id, "kafka")
		q.Since, q.Until, q.Columns = since, until, schemas.ColumnTime
		_, end := h.chunks(h.others[0], q, p)
		if end.Status != schemas.StatusComplete || end.Blocks.SkippedTime == 0 {
			t.Fatalf("%s: %+v", id, end)
		}
		return end
	}
	all := func(int) bool { return true }
	first := ask("first", plan(all))
	again := ask("again", plan(all))
	if again.BytesRead >= first.BytesRead || again.Selected != first.Selected || first.Selected == 0 {
		t.Errorf("the second time %d bytes are read for %d lines, the first time %d for %d", again.BytesRead, again.Selected, first.BytesRead, first.Selected)
	}
	p, most := plan(func(i int) bool { return i%2 == 0 }), int64(0)
	for _, id := range p.Read[0].Blocks {
		b, err := h.r.sealing.store.Block(seal.ID(id))
		if err != nil {
			t.Fatal(err)
		}
		if b.MaxTime >= since && b.MinTime < until {
			most += b.Bytes
		}
	}
	if half := ask("half", p); half.BytesRead > most {
		t.Errorf("%d bytes are read of blocks that have %d in the range", half.BytesRead, most)
	}
}

// The index of a sealed block speaks of all of its lines: of a block that does not hold what is looked for nothing is
// read, not even its end.
func TestSealedBlocksAreIndexedToTheirEnd(t *testing.T) {
	n := sealedFleet(t, 100, map[string]string{"a.log": drawLog(rand.New(rand.NewPCG(8, 41)), 1900)}) // 100 are not so many strips of lines each
	n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	remove(t, filepath.Join(n.dir, "a.log"))
	var all schemas.Blocks
	for i, word := range []string{"no-such-word", "elsewhere", "xyzzyxyzzy", "0123456789abcdefgh", "ZZZZZZZZ"} {
		q := query(fmt.Sprint("absent", i), word)
		q.Syntax = schemas.SyntaxFixed
		_, end := n.found(q)
		if end.Status != schemas.StatusComplete || end.Selected != 0 || end.Blocks.Considered < 15 {
			t.Fatalf("%s: %+v", word, end)
		}
		all.Add(end.Blocks)
	}
	if 4*all.Read > all.Considered { // by chance some are
		t.Errorf("%+v", all)
	}
}
