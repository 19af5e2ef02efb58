package responder

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/schemas"
)

// A node that knows nothing of a block that it sealed says so, if a plan has it read the block, so that others read
// it; and of one that others read, since it may have its lines elsewhere.
func TestUnknownBlocksOfItsOwn(t *testing.T) {
	h := sealedHolders(t, drawLog(rand.New(rand.NewPCG(8, 31)), 300), false)
	ids, q := h.allBlocks(), query("unknown", "id=")
	rest := h.linesBut(ids[1], ids[2], ids[3])
	h.stop()
	for _, id := range ids[1:3] {
		remove(t, filepath.Join(h.state, "sealed", id.String()+".sealed"))
	}
	h.start(t, 64)
	h.must(h.r.sealing.store.Shed(seal.ID(ids[3])))
	own := func(ids ...schemas.BlockID) []schemas.PlanRead {
		return []schemas.PlanRead{{Home: "web1", Blocks: ids}}
	}
	unread := func(p *schemas.Plan, want ...schemas.BlockID) *schemas.End {
		t.Helper()
		chunks, end := h.chunks(h.fleet, q, p)
		got := unreadOf(chunks)["web1"]
		slices.SortFunc(got, func(a, b schemas.BlockID) int { return slices.Index(ids, a) - slices.Index(ids, b) })
		if !slices.Equal(got, want) || end.Lines != rest {
			t.Errorf("unread: %v, want %v; %+v", got, want, end)
		}
		return end
	}
	if end := unread(&schemas.Plan{Read: own(ids...)}, ids[1:4]...); end.Status != schemas.StatusComplete {
		t.Errorf("to be read: %+v", end)
	}
	end := unread(&schemas.Plan{Read: own(append(slices.Clone(ids[:1]), ids[4:]...)...), Leave: ids[1:4]})
	if said := fmt.Sprint(end.Errors); end.Status != schemas.StatusPartial || end.ErrorCount != 2 || !strings.Contains(said, ids[1].String()) || !strings.Contains(said, "come twice") {
		t.Errorf("to be left: %+v", end)
	}
	if end := unread(&schemas.Plan{Read: own(ids[0]), Leave: ids[3:4]}); end.Status != schemas.StatusComplete {
		t.Errorf("known: %+v", end)
	}

	write(t, filepath.Join(h.dir, "b.log"), "nothing\n")
	if _, _, err := h.r.Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	if end := unread(&schemas.Plan{Read: own(ids[1])}, ids[1], ids[3]); end.Status != schemas.StatusPartial || !strings.Contains(fmt.Sprint(end.Errors), ids[1].String()) {
		t.Errorf("with files that may have its lines: %+v", end)
	}
	h.r.sealing.sure = make(chan struct{})
	mark, err := h.r.sealedNow(q)
	close(h.r.sealing.sure)
	if err != nil || mark.unsure == nil {
		t.Errorf("unsure before the mark: %v, %v", mark.unsure, err)
	}
}
