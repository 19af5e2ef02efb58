package responder

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
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

// allBlocks are the ids of web1's blocks.
func (h *holders) allBlocks() (ids []schemas.BlockID) {
	for _, b := range h.r.sealing.store.Blocks() {
		ids = append(ids, schemas.BlockID(b.ID))
	}
	return ids
}

// sealedHolders are two nodes that hold all of one log's blocks beside web1, whose log is there if live.
func sealedHolders(t *testing.T, text string, live bool) *holders {
	t.Helper()
	n := sealedFleet(t, 64, map[string]string{"a.log": text})
	n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	h := newHolders(n, 2)
	for _, f := range h.others {
		for _, b := range h.r.sealing.store.Blocks() {
			h.copyTo(f, b.ID)
		}
	}
	if !live {
		remove(t, filepath.Join(n.dir, "a.log"))
	}
	return h
}

// linesBut is how many lines there are beside those of some blocks.
func (h *holders) linesBut(ids ...schemas.BlockID) (lines int64) {
	for _, b := range h.r.sealing.store.Blocks() {
		if !slices.Contains(ids, schemas.BlockID(b.ID)) {
			lines += b.Lines
		}
	}
	return lines
}

// A node that takes over from another one at any line gives the rest, each line as it stands in the log: whoever it
// is, and whatever it has of the log.
func TestSkipMarks(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 21))
	text := drawLog(rng, 110)
	h := sealedHolders(t, text, true)
	q := query("marks", "")
	q.Columns = schemas.ColumnNumber | schemas.ColumnOffset | schemas.ColumnTime
	whole, _ := h.chunks(h.plain.fleet, q, nil)
	want := linesOf(t, whole, false)
	if len(want) != 110 {
		t.Fatalf("%d lines", len(want))
	}
	log := schemas.BlockID(h.r.sealing.store.Blocks()[0].Runs[0].Log)
	ids := h.allBlocks()
	takers := []struct {
		f *fleet
		p schemas.Plan
	}{
		{h.others[0], schemas.Plan{Only: true, Read: []schemas.PlanRead{{Home: "web1", Blocks: ids}}}},
		{h.fleet, schemas.Plan{}},
		{h.fleet, schemas.Plan{Only: true, Read: []schemas.PlanRead{{Home: "web1", Blocks: ids}}}},
		{h.fleet, schemas.Plan{}}, // when the log is gone
	}
	for i, taker := range takers {
		if i == 3 {
			remove(t, filepath.Join(h.dir, "a.log"))
		}
		for k := range want {
			if testing.Short() && k%8 != i {
				continue
			}
			taker.p.Skip = []schemas.LogMark{{Log: log, From: want[k].offset}}
			q.Since = 0
			rest := want[k:]
			if k%3 == 0 && want[k].time != schemas.NoTime { // lines without times have those of lines that are left out
				q.Since = want[k].time
				rest = slices.DeleteFunc(slices.Clone(rest), func(g given) bool { return g.time < q.Since })
			}
			chunks, end := h.chunks(taker.f, q, &taker.p)
			if got := linesOf(t, chunks, true); !slices.Equal(got, rest) || end.Status != schemas.StatusComplete {
				t.Fatalf("taker %d from line %d: %d lines, want %d: %s; %+v", i, k, len(got), len(rest), firstOther(got, rest), end)
			}
		}
	}
}

// unreadOf are the blocks that chunks say are not read, by their home.
func unreadOf(chunks []schemas.Chunk) map[string][]schemas.BlockID {
	out := map[string][]schemas.BlockID{}
	for _, c := range chunks {
		if c.Kind == schemas.ChunkUnread {
			out[c.Origin.Node] = append(out[c.Origin.Node], schemas.BlockIDs(c.Text)...)
		}
	}
	return out
}

// What a node should read and cannot it names, before anything else; and without a plan that is an error.
func TestUnreadIsNamed(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 22))
	h := sealedHolders(t, drawLog(rng, 300), false)
	ids, q := h.allBlocks(), query("unread", "id=")
	store := h.r.sealing.store
	h.must(store.Shed(seal.ID(ids[1])))
	at, err := h.others[0].r.foreign.make("web1")
	h.must(err)
	h.must(at.Shed(seal.ID(ids[2])))
	damaged := filepath.Join(at.Dir(), seal.ID(ids[3]).String()+".sealed")
	writeAt(t, damaged, "damaged by somebody", 200)
	absent := schemas.BlockID{7}
	all := schemas.Plan{Read: []schemas.PlanRead{{Home: "web1", Blocks: append(slices.Clone(ids), absent)}, {Home: "web9", Blocks: []schemas.BlockID{absent}}}}

	chunks, end := h.chunks(h.fleet, q, &schemas.Plan{})
	if got := unreadOf(chunks); len(got) != 1 || !slices.Equal(got["web1"], ids[1:2]) || end.Status != schemas.StatusComplete || end.Lines != h.linesBut(ids[1]) || chunks[0].Kind != schemas.ChunkUnread {
		t.Errorf("home: %v; %+v", got, end)
	}
	if chunks, end = h.chunks(h.fleet, q, nil); end.Status != schemas.StatusPartial || end.Lines != h.linesBut(ids[1]) || !strings.Contains(fmt.Sprint(end.Errors), "at other nodes") || len(unreadOf(chunks)) > 0 {
		t.Errorf("home without a plan: %+v", end)
	}
	q.Until = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	if chunks, end = h.chunks(h.fleet, q, nil); end.Status != schemas.StatusComplete || len(chunks) > 0 {
		t.Errorf("of another time: %+v", end)
	}
	q.Until = 0
	_, end = h.chunks(h.others[0], q, &all)
	if end.Status != schemas.StatusPartial {
		t.Errorf("a block that was damaged is met: %+v", end)
	}
	chunks, end = h.chunks(h.others[0], q, &all)
	if got := unreadOf(chunks); !slices.Equal(got["web1"], []schemas.BlockID{ids[2], ids[3], absent}) || !slices.Equal(got["web9"], []schemas.BlockID{absent}) || end.Status != schemas.StatusComplete || end.Lines != h.linesBut(ids[2], ids[3]) {
		t.Errorf("from then on it is named: %v; %+v", got, end)
	}
	if c := h.others[0].r.SealedCheckup(context.Background(), true); len(c.Blocks) != len(ids)-1 || c.Blocks[0].Home != "web1" || !c.Settled {
		t.Errorf("%+v", c)
	} else if n := slices.IndexFunc(c.Blocks, func(b schemas.SealedBlock) bool { return b.Err != "" }); n < 0 || c.Blocks[n].ID != ids[3].String() {
		t.Errorf("%+v", c)
	}
	for _, b := range h.r.SealedCheckup(context.Background(), true).Blocks {
		if b.Away != (b.ID == ids[1].String()) || b.Home != "" || b.Err != "" {
			t.Errorf("%+v", b)
		}
	}
	h.copyTo(h.others[0], seal.ID(ids[3]))
	if chunks, end = h.chunks(h.others[0], q, &all); end.Lines != h.linesBut(ids[2]) || len(unreadOf(chunks)["web1"]) != 2 {
		t.Errorf("after it was copied anew: %+v", end)
	}
	all.Only, all.Read = true, all.Read[:1]
	if chunks, end = h.chunks(h.fleet, q, &all); end.Lines != h.linesBut(ids[1]) || !slices.Equal(unreadOf(chunks)["web1"], []schemas.BlockID{ids[1], absent}) {
		t.Errorf("home, only what is named: %+v", end)
	}
	explained := *q
	explained.Explain = true
	for _, f := range []*fleet{h.fleet, h.others[0]} {
		if chunks, end := h.chunks(f, &explained, &all); end.Lines != 0 || end.BytesRead == 0 || end.Status != schemas.StatusComplete || len(unreadOf(chunks)) != 1 {
			t.Errorf("explained: %+v", end)
		}
	}
	write(t, filepath.Join(h.dir, "a.log"), "id=new\n")
	if _, _, err := h.r.Scan(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, end = h.chunks(h.fleet, q, &all); end.Lines != h.linesBut(ids[1]) {
		t.Errorf("home, only what is named, with a log: %+v", end)
	}
}

// An archive that holds more of a log than its blocks do gives what no other node reads of it.
func TestPlannedArchive(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 23))
	text := drawLog(rng, 400)
	n := sealedFleet(t, 64, map[string]string{"a.log": text})
	n.seal(time.Date(2026, 3, 1, 0, 5, 0, 0, time.UTC)) // whole blocks of what is no window's end yet
	h := newHolders(n, 2)
	ids := h.allBlocks()
	if len(ids) == 0 || len(ids)*64 >= 400 {
		t.Fatalf("%d blocks", len(ids))
	}
	q := query("archive", "[02468]$")
	q.Columns = schemas.ColumnNumber | schemas.ColumnOffset
	want, _ := h.chunks(h.plain.fleet, q, nil)
	owners := h.spread(rng)
	write(t, filepath.Join(h.dir, "a.log.1.gz"), packed(t, text, "gzip"))
	remove(t, filepath.Join(h.dir, "a.log"))
	renamed := func(chunks []schemas.Chunk) []given {
		lines := linesOf(t, chunks, false)
		for i := range lines {
			lines[i].file = "a"
		}
		slices.SortFunc(lines, func(a, b given) int { return int(a.offset - b.offset) })
		return lines
	}
	for range 6 {
		var got []schemas.Chunk
		for i, p := range h.plans(rng, owners) {
			f := h.fleet
			if i > 0 {
				f = h.others[i-1]
			}
			chunks, end := h.chunks(f, q, p)
			if end.Status != schemas.StatusComplete || len(unreadOf(chunks)) > 0 {
				t.Fatalf("node %d: %+v", i, end)
			}
			got = append(got, chunks...)
		}
		if g, w := renamed(got), renamed(want); !slices.Equal(g, w) {
			t.Fatalf("%d lines, want %d: %s", len(g), len(w), firstOther(g, w))
		}
	}
	if chunks, end := h.chunks(h.fleet, q, nil); end.Status != schemas.StatusComplete || !slices.Equal(renamed(chunks), renamed(want)) {
		t.Errorf("without a plan, its archive has what is away: %+v", end)
	}
}

// A file that a query does not select gives nothing to a plan either, though blocks that the plan leaves have lines
// of it: the list of blocks knows of no paths.
func TestPlannedPaths(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 29))
	n := sealedFleet(t, 64, map[string]string{"a.log": drawLog(rng, 200), "b.log": drawLog(rng, 400)})
	n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	h := newHolders(n, 1)
	appendTo(t, filepath.Join(n.dir, "a.log"), "id=new of a\n")
	appendTo(t, filepath.Join(n.dir, "b.log"), "id=new of b\n")
	q := query("paths", "id=")
	q.Select.Paths = []string{filepath.Join(n.dir, "a.log")}
	plan := &schemas.Plan{Leave: h.allBlocks()}
	for _, explain := range []bool{false, true} {
		q.Explain = explain
		chunks, end := h.chunks(h.fleet, q, plan)
		if end.Status != schemas.StatusComplete || end.ErrorCount != 0 || end.BytesConsidered != int64(len("id=new of a\n")) || end.Files != 1 {
			t.Errorf("%+v", end)
		}
		if got := linesOf(t, chunks, false); !explain && (len(got) != 1 || got[0].text != "id=new of a\n") {
			t.Errorf("%+v", got)
		}
	}
}

// A part of an archive begins with lines that have no time of their own: they have that of the entry that another node
// reads. What of it is of other times is not unpacked.
func TestPlannedArchiveTimes(t *testing.T) {
	text := ""
	begin := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range 400 {
		if i%8 == 0 && i > 0 {
			text += fmt.Sprintf("\tid=%d of the entry above\n", i)
		} else {
			text += begin.Add(time.Duration(i)*time.Second).Format(time.RFC3339) + fmt.Sprintf(" id=%d\n", i)
		}
	}
	n := sealedFleet(t, 64, map[string]string{"a.log": text})
	n.seal(begin.Add(7 * time.Minute))
	h := newHolders(n, 0)
	blocks := h.r.sealing.store.Blocks()
	if len(blocks) != 6 {
		t.Fatalf("%d blocks", len(blocks))
	}
	slices.SortFunc(blocks, func(a, b *seal.Block) int { return cmp.Compare(a.MinTime, b.MinTime) })
	first, third := []schemas.BlockID{schemas.BlockID(blocks[0].ID)}, []schemas.BlockID{schemas.BlockID(blocks[2].ID)}
	q := query("archive", "id=")
	q.Columns = schemas.ColumnNumber | schemas.ColumnOffset | schemas.ColumnTime
	whole, _ := h.chunks(h.plain.fleet, q, nil)
	want := linesOf(t, whole, false)
	log := schemas.BlockID(blocks[0].Runs[0].Log)
	write(t, filepath.Join(h.dir, "a.log.1.gz"), packed(t, text, "gzip"))
	remove(t, filepath.Join(h.dir, "a.log"))
	for i := range want {
		want[i].file = filepath.Join(h.dir, "a.log.1.gz")
	}
	for _, c := range []struct {
		plan     schemas.Plan
		since    int    // the line of that index
		until    int    // likewise; 400: open
		left, to int64  // numbers of the lines that are left out, to exclusive
		unread   [2]int // likewise indexes of lines
	}{
		{schemas.Plan{Leave: first}, 64, 400, 1, 65, [2]int{0, 64}},
		{schemas.Plan{Leave: third}, 192, 400, 1, 193, [2]int{0, 192}},
		{schemas.Plan{Leave: third}, 10, 90, 129, 193, [2]int{128, 192}}, // what is not sealed may be of any time
		{schemas.Plan{Leave: third}, 100, 250, 129, 193, [2]int{128, 192}},
		{schemas.Plan{Skip: []schemas.LogMark{{Log: log, From: want[72].offset}}}, 72, 400, 1, 73, [2]int{0, 72}},
		{schemas.Plan{Skip: []schemas.LogMark{{Log: log, From: want[392].offset}}}, 392, 400, 1, 393, [2]int{0, 392}},
	} {
		q.Since, q.Until = want[c.since].time, 0
		if c.until < 400 {
			q.Until = want[c.until].time
		}
		lines := slices.DeleteFunc(slices.Clone(want), func(g given) bool {
			return g.number >= c.left && g.number < c.to || g.time < q.Since || q.Until != 0 && g.time >= q.Until
		})
		chunks, end := h.chunks(h.fleet, q, &c.plan)
		if got := linesOf(t, chunks, false); !slices.Equal(got, lines) || end.Status != schemas.StatusComplete {
			t.Errorf("%+v: %d lines, want %d: %s; %+v", c.plan, len(got), len(lines), firstOther(got, lines), end)
		}
		if most := int64(len(text)) - (want[c.unread[1]].offset - want[c.unread[0]].offset); end.BytesRead > most || end.BytesConsidered < end.BytesRead {
			t.Errorf("%+v: at most %d bytes are to be read: %+v", c.plan, most, end)
		}
	}
}

// The file of a block is sent as it is, from any byte, through a window that is small.
func TestBlockIsSent(t *testing.T) {
	h := sealedHolders(t, drawLog(rand.New(rand.NewPCG(8, 24)), 300), true)
	id := h.allBlocks()[0]
	in, b, err := h.r.sealing.store.File(seal.ID(id))
	h.must(err)
	defer in.Close()
	want, err := os.ReadFile(in.Name())
	h.must(err)
	for _, f := range []*fleet{h.fleet, h.others[0]} {
		for _, from := range []int64{0, 1, b.Stored - 1, b.Stored} {
			q := query("block")
			q.Mode, q.Last, q.Credit = schemas.ModeBlock, from, 600
			chunks, end := h.chunks(f, q, &schemas.Plan{Read: []schemas.PlanRead{{Home: "web1", Blocks: []schemas.BlockID{id}}}})
			at := from
			var got []byte
			for _, c := range chunks {
				if c.Kind != schemas.ChunkBytes || c.Count != at || c.Origin.Node != "web1" {
					t.Fatalf("%+v", c)
				}
				got, at = append(got, c.Text...), at+int64(len(c.Text))
			}
			if end.Status != schemas.StatusComplete || end.Lines != 0 || !bytes.Equal(got, want[from:]) {
				t.Errorf("from %d: %d bytes; %+v", from, len(got), end)
			}
		}
	}
	for home, id := range map[string]schemas.BlockID{"web1": {9}, "web9": id} {
		q := query("block")
		q.Mode = schemas.ModeBlock
		if _, end := h.chunks(h.fleet, q, &schemas.Plan{Read: []schemas.PlanRead{{Home: home, Blocks: []schemas.BlockID{id}}}}); end.Status != schemas.StatusError || !strings.Contains(end.Reason, "is not here") {
			t.Errorf("%+v", end)
		}
	}
	if err := h.r.sealing.store.Shed(seal.ID(id)); err != nil {
		t.Fatal(err)
	}
	q := query("block")
	q.Mode = schemas.ModeBlock
	if _, end := h.chunks(h.fleet, q, &schemas.Plan{Read: []schemas.PlanRead{{Home: "web1", Blocks: []schemas.BlockID{id}}}}); end.Status != schemas.StatusError || !strings.Contains(end.Reason, "at other nodes") {
		t.Errorf("%+v", end)
	}
}

// Lines of another node are read in the zone that they were written in, and by the names that they had.
func TestForeignLines(t *testing.T) {
	text := ""
	for i := range 300 {
		text += fmt.Sprintf("2026-03-01 %02d:%02d:00 id=%d\n", 5+i/60, i%60, i)
	}
	n := sealedFleet(t, 64, map[string]string{"a.log": "", "b/c.log": ""})
	n.stop()
	n.sources[0].Timezone = "Asia/Tokyo"
	n.start(t, 64)
	h := newHolders(n, 1)
	appendTo(t, filepath.Join(n.dir, "a.log"), text)
	appendTo(t, filepath.Join(n.dir, "b/c.log"), strings.ReplaceAll(text, "id=", "other id="))
	if _, _, err := h.r.Scan(context.Background()); err != nil {
		t.Fatal(err)
	}
	n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	for _, b := range h.r.sealing.store.Blocks() {
		h.copyTo(h.others[0], b.ID)
	}
	plan := &schemas.Plan{Read: []schemas.PlanRead{{Home: "web1", Blocks: h.allBlocks()}}}
	q := query("zone", "id=")
	q.Columns = schemas.ColumnTime
	q.Since = time.Date(2026, 2, 28, 21, 0, 0, 0, time.UTC).UnixNano() // six o'clock in Tokyo
	q.Until = q.Since + int64(time.Hour)
	chunks, end := h.chunks(h.others[0], q, plan)
	if end.Lines != 120 || end.Status != schemas.StatusComplete || linesOf(t, chunks, false)[0].time != q.Since {
		t.Errorf("%+v", end)
	}
	q.Since, q.Until = 0, 0
	for _, c := range []struct {
		change func(s *schemas.Select)
		want   int64
	}{
		{func(s *schemas.Select) { s.Services = []string{"other"} }, 0},
		{func(s *schemas.Select) { s.Services = []string{"a*"} }, 600},
		{func(s *schemas.Select) { s.Paths = []string{n.dir + "/b"} }, 300},
		{func(s *schemas.Select) { s.Labels = []schemas.Label{{K: "env", V: "test"}} }, 600},
		{func(s *schemas.Select) { s.Nodes = []string{"web1"} }, 600},
	} {
		q.Select = schemas.Select{}
		c.change(&q.Select)
		if _, end := h.chunks(h.others[0], q, plan); end.Lines != c.want {
			t.Errorf("%+v: %d lines, want %d", q.Select, end.Lines, c.want)
		}
	}
	home, err := h.others[0].r.foreign.make("no/home")
	if fe := (*schemas.FieldError)(nil); home != nil || !errors.As(err, &fe) {
		t.Errorf("%v", err)
	}
}

// Times without a year are of the same year in every part of a log.
func TestPlannedTimesWithoutYear(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 27))
	begin := time.Now().AddDate(0, -4, 0).Truncate(time.Hour) // in the node's zone
	text := ""
	for i := range 400 {
		text += begin.Add(time.Duration(i)*time.Minute).Format(time.Stamp) + fmt.Sprintf(" host app[7]: id=%d\n", i)
	}
	h := sealedHolders(t, text, true)
	owners := map[seal.ID][]int{}
	for _, b := range h.r.sealing.store.Blocks() {
		owners[b.ID] = []int{0, 1, 2}
	}
	if len(owners) < 5 {
		t.Fatalf("%d blocks", len(owners))
	}
	for i := range 6 {
		q := query(fmt.Sprint("year", i), "id=")
		q.Columns = schemas.ColumnOffset | schemas.ColumnTime
		q.Since = begin.Add(time.Duration(rng.IntN(300)) * time.Minute).UnixNano()
		q.Until = q.Since + int64(time.Hour)
		want, end := h.chunks(h.plain.fleet, q, nil)
		if end.Lines == 0 || end.Lines == 400 {
			t.Fatalf("%+v", end)
		}
		h.sameAs(want, q, h.plans(rng, owners))
	}
}
