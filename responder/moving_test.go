package responder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/mover"
	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/schemas"
)

// blockLists is a block list and a roster without a bus.
type blockLists struct {
	t        *testing.T
	list     map[schemas.BlockID]*schemas.BlockRecord
	revision map[schemas.BlockID]uint64
	last     uint64
	nodes    map[string]*Responder
	down     map[string]bool
	drains   map[string]bool
	breaks   int64 // bytes after which copies break off; 0: they do not
	copies   map[string]*sentCopy
	behind   time.Duration // the bus's clock
}

// sentCopy is what a node was sent of a block: from which bytes on, how many in all, and how many it has.
type sentCopy struct {
	at            []int64
	bytes, stored int64
}

// member is the Fleet of one node.
type member struct {
	*blockLists
	name string
}

func (m *member) Blocks(_ context.Context, f schemas.BlockFilter, take func(*schemas.BlockRecord, uint64)) (uint64, error) {
	if m.list == nil {
		return 0, ErrNoList
	}
	for id, b := range m.list {
		if c := *b; f.Admits(b) {
			take(&c, m.revision[id])
		}
	}
	return m.last, nil
}

func (m *member) Listed(context.Context) (uint64, int64, error) {
	if m.list == nil {
		return 0, 0, ErrNoList
	}
	return m.last, time.Now().Add(m.behind).UnixNano(), nil
}

func (m *member) Put(_ context.Context, b *schemas.BlockRecord, revision uint64) (uint64, error) {
	if m.revision[b.ID] != revision {
		return 0, ErrConflict
	}
	c, err := schemas.DecodeBlockRecord(schemas.AppendBlockRecord(nil, b))
	if err != nil {
		m.t.Errorf("what is written of a block: %v", err)
		return 0, err
	}
	if m.list == nil {
		m.list = map[schemas.BlockID]*schemas.BlockRecord{}
	}
	m.last++
	m.list[b.ID], m.revision[b.ID] = c, m.last
	return m.last, nil
}

func (m *member) Remove(_ context.Context, b *schemas.BlockRecord, revision uint64) error {
	if m.revision[b.ID] != revision {
		return ErrConflict
	}
	delete(m.list, b.ID)
	delete(m.revision, b.ID)
	return nil
}

func (m *member) Nodes(context.Context) (nodes []schemas.Node, err error) {
	for name := range m.nodes {
		nodes = append(nodes, schemas.Node{Name: name, Store: &schemas.NodeStore{Capacity: 1 << 30, Draining: m.drains[name]}})
	}
	return nodes, nil
}

func (m *member) Up(_ context.Context, nodes []string) (map[string]bool, error) {
	up := map[string]bool{}
	for _, name := range nodes {
		up[name] = m.nodes[name] != nil && !m.down[name]
	}
	return up, nil
}

func (m *member) Draining(context.Context) (bool, error) { return m.drains[m.name], nil }

func (m *member) Copy(_ context.Context, from, home string, id schemas.BlockID, at int64, w io.Writer) error {
	q := query("copy")
	q.Mode, q.Plan = schemas.ModeBlock, &schemas.Plan{Only: true, Read: []schemas.PlanRead{{Home: home, Blocks: []schemas.BlockID{id}}}}
	f, b, err := m.nodes[from].blockFile(q)
	if err != nil {
		return err
	}
	defer f.Close()
	n := b.Stored - at
	if m.breaks > 0 {
		n = min(n, m.breaks)
	}
	_, err = io.Copy(w, io.NewSectionReader(f, at, n))
	key := m.name + " " + id.String()
	if m.copies[key] == nil {
		m.copies[key] = &sentCopy{stored: b.Stored}
	}
	m.copies[key].at = append(m.copies[key].at, at)
	m.copies[key].bytes += n
	if err == nil && at+n < b.Stored {
		err = errors.New("the copy broke off")
	}
	return err
}

// moved are nodes that move their blocks when turns is called.
type moved struct {
	*holders
	*blockLists
	all  []*moving
	text string // of one log
}

func newMoved(t *testing.T, replicas int) *moved {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	text := drawLog(rng, 700)
	n := sealedFleet(t, 64, map[string]string{"a.log": text, "b.log": drawLog(rng, 300)})
	n.seal(n.now.Add(100 * time.Hour))
	m := &moved{text: text, holders: newHolders(n, 3), blockLists: &blockLists{t: t, revision: map[schemas.BlockID]uint64{}, nodes: map[string]*Responder{}, down: map[string]bool{}, copies: map[string]*sentCopy{}}}
	for _, f := range append([]*fleet{n.fleet}, m.others...) {
		f.r.config.Sealed.Replicas = replicas
		name := f.r.config.Node
		m.nodes[name] = f.r
		f.r.JoinFleet(&member{m.blockLists, name}, nil)
		f.r.moving.grace = 0
		m.all = append(m.all, f.r.moving)
	}
	return m
}

// turns has each node do what it has to, some times, and returns what they reported last.
func (m *moved) turns(times int) (last []mover.Report) {
	m.holders.t.Helper()
	for range times {
		last = nil
		for _, x := range m.all {
			report, err := x.turn(context.Background())
			if err != nil {
				m.holders.t.Fatal(err)
			}
			x.tell(report, nil)
			last = append(last, report)
		}
	}
	return last
}

// owners are those of each block, by their number; it fails if one has not what it owns, or has what it does not.
func (m *moved) owners() map[seal.ID][]int {
	m.holders.t.Helper()
	owners := map[seal.ID][]int{}
	for id, b := range m.list {
		for i, x := range m.all {
			s := x.disk.store("web1")
			if s == nil {
				continue
			}
			block, err := s.Block(seal.ID(id))
			has, owns := err == nil && !block.Away, slices.Contains(b.Owners, x.r.config.Node)
			if has != owns || i == 0 && err != nil {
				m.holders.t.Fatalf("%v, owned by %v: %s has it: %v, %v", id, b.Owners, x.r.config.Node, has, err)
			}
			if owns {
				owners[seal.ID(id)] = append(owners[seal.ID(id)], i)
			}
		}
	}
	return owners
}

// The blocks of a node come to lie on two nodes each, whatever breaks off; where it has none left, a stub says where they belong. All of
// them together answer as the log does.
func TestBlocksMove(t *testing.T) {
	m := newMoved(t, 2)
	m.breaks = 1000
	m.turns(2)
	if len(m.copies) == 0 {
		t.Fatal("nothing was copied")
	}
	m.breaks = 0
	m.turns(6)
	broken := 0
	for _, c := range m.copies { // what came before a copy broke off is not sent again
		if broken += len(c.at) - 1; c.bytes != c.stored || !slices.IsSorted(c.at) {
			t.Errorf("%d bytes of a block of %d were sent, from %v on", c.bytes, c.stored, c.at)
		}
	}
	if broken == 0 {
		t.Error("no copy broke off")
	}
	blocks := m.r.sealing.store.Blocks()
	if len(m.list) != len(blocks) || len(blocks) < 10 {
		t.Fatalf("%d blocks are listed, of %d", len(m.list), len(blocks))
	}
	away := 0
	for _, b := range blocks {
		if len(m.list[schemas.BlockID(b.ID)].Owners) != 2 {
			t.Errorf("%v is owned by %v", b.ID, m.list[schemas.BlockID(b.ID)].Owners)
		}
		if b.Away {
			away++
		}
	}
	if away == 0 || away == len(blocks) {
		t.Errorf("%d of %d blocks are away", away, len(blocks))
	}
	owners := m.owners()
	rng := rand.New(rand.NewPCG(2, 2))
	for i := range 5 {
		m.sameByPlan(drawPlanned(rng, m.text, fmt.Sprint("moved", i)), m.plans(rng, owners))
	}
	for _, x := range m.all {
		parts, err := filepath.Glob(filepath.Join(x.r.config.State, "sealed-of/*/*.part"))
		if err != nil || len(parts) > 0 {
			t.Errorf("left: %v, %v", parts, err)
		}
	}
}

// A list that is lost is made again by those who hold the blocks, as it was: also of a home that is gone.
func TestLostListIsMadeAgain(t *testing.T) {
	m := newMoved(t, 2)
	m.turns(6)
	before := m.list
	m.blockLists.list, m.revision = nil, map[schemas.BlockID]uint64{}
	m.all = m.all[1:]
	m.down["web1"] = true
	m.turns(4)
	if len(m.list) == 0 {
		t.Fatal("nothing is listed")
	}
	for id, b := range m.list {
		was := *before[id]
		now := *b
		was.Owners, now.Owners = nil, nil
		if a, b := fmt.Sprint(was), fmt.Sprint(now); a != b || len(was.Labels) == 0 {
			t.Errorf("was %s, is %s", a, b)
		}
	}
	for id, b := range before {
		if !slices.Equal(b.Owners, []string{"web1"}) && m.list[id] == nil {
			t.Errorf("%v is not listed, owned by %v", id, b.Owners)
		}
	}
}

// A node that has no room refuses blocks, says so, and nothing is lost; when it has room, they come.
func TestMoveToFullNode(t *testing.T) {
	m := newMoved(t, 4)
	full := m.all[3]
	full.disk.most = 1 << 10
	reports := m.turns(3)
	if !reports[3].NoRoom || !strings.Contains(full.refused(), "no room") || reports[0].Few == 0 {
		t.Errorf("a full node: %+v, %q", reports[3], full.refused())
	}
	if c := m.others[2].r.Checkup(context.Background()); !strings.Contains(c.Store, "no room") {
		t.Errorf("its checkup: %q", c.Store)
	}
	for id, b := range m.list {
		if len(b.Owners) != 3 || slices.Contains(b.Owners, "web4") {
			t.Errorf("%v is owned by %v", id, b.Owners)
		}
	}
	full.disk.most = 1 << 30
	if reports = m.turns(2); reports[3].NoRoom || full.refused() != "" || reports[0].Few > 0 {
		t.Errorf("with room: %+v, %q", reports[3], full.refused())
	}
	m.owners()
}

// What nobody is to search any more goes: from other nodes at once, at home when its logs can do without it.
func TestRetiredBlocksGo(t *testing.T) {
	m := newMoved(t, 2)
	m.turns(6)
	m.stop() // the sealer, which knew no fleet
	remove(t, m.dir+"/a.log")
	remove(t, m.dir+"/b.log")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m.r.sealing.store = nil
	if _, _, err := m.r.Scan(ctx); err != nil {
		t.Fatal(err)
	}
	m.stop = m.r.startSealing(ctx)
	for _, x := range m.all {
		x.r.config.Sealed.Age = Duration(time.Hour)
	}
	m.turns(3)
	for _, f := range m.others {
		if s := f.r.foreign.of("web1"); s != nil && len(s.Blocks()) > 0 {
			t.Errorf("%s has %d blocks", f.r.config.Node, len(s.Blocks()))
		}
		if names, err := os.ReadDir(filepath.Join(f.r.config.State, "sealed-of/web1")); err != nil || slices.ContainsFunc(names, func(e os.DirEntry) bool { return strings.HasSuffix(e.Name(), sidecarSuffix) }) {
			t.Errorf("%s has %v, %v", f.r.config.Node, names, err)
		}
	}
	for deadline := time.Now().Add(time.Minute); len(m.r.sealing.store.Blocks()) > 0; time.Sleep(time.Millisecond) {
		m.r.sealing.poke()
		if time.Now().After(deadline) {
			t.Fatalf("%d blocks are at home", len(m.r.sealing.store.Blocks()))
		}
	}
	m.turns(2)
	for b := range maps.Values(m.list) {
		if b.State != schemas.BlockRetired || len(b.Owners) > 0 {
			t.Errorf("%v: %v, owned by %v", b.ID, b.State, b.Owners)
		}
	}
}

// Where the bus's clock says another time by far, nothing is retired for its age, and that is said.
func TestClocksThatDiffer(t *testing.T) {
	m := newMoved(t, 2)
	m.turns(6)
	for _, x := range m.all {
		x.r.config.Sealed.Age = Duration(time.Hour)
	}
	m.behind = -3 * time.Hour
	m.turns(2)
	for b := range maps.Values(m.list) {
		if b.State == schemas.BlockRetired {
			t.Fatalf("%v was retired", b.ID)
		}
	}
	if c := m.r.Checkup(context.Background()); !strings.Contains(c.Store, "clock here is 3h0m0s ahead of the bus's") {
		t.Errorf("the checkup: %q", c.Store)
	}
	m.behind = 0
	m.turns(1)
	if why := m.all[0].refused(); why != "" || m.list == nil {
		t.Errorf("with the same time: %q", why)
	}
	for b := range maps.Values(m.list) {
		if b.State != schemas.BlockRetired {
			t.Errorf("%v was not retired, owned by %v", b.ID, b.Owners)
		}
	}
}

// A writer lets through as many bytes a second as it is told, and no more than are to come.
func TestPacedWriter(t *testing.T) {
	var slept time.Duration
	var got bytes.Buffer
	w := &pacedWriter{ctx: t.Context(), w: &got, left: 1000, rate: 100, sleep: func(_ context.Context, d time.Duration) error { slept += d; return nil }}
	for range 10 {
		if _, err := w.Write(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if slept != 10*time.Second || got.Len() != 1000 {
		t.Errorf("%d bytes in %v", got.Len(), slept)
	}
	if _, err := w.Write([]byte{1}); !errors.Is(err, seal.ErrDamaged) {
		t.Errorf("one byte more: %v", err)
	}
}

// spoil damages a node's copy of a block, and has it found out. It returns the file.
func (m *moved) spoil(x *moving, id schemas.BlockID) (name string) {
	m.holders.t.Helper()
	s := x.disk.store("web1")
	name = filepath.Join(s.Dir(), id.String()+".sealed")
	text, err := os.ReadFile(name)
	m.must(err)
	text[len(text)/3] ^= 0x20
	m.must(os.WriteFile(name, text, 0o600))
	b, err := s.Block(seal.ID(id))
	m.must(err)
	if err := s.Verify(b); !errors.Is(err, seal.ErrDamaged) {
		m.holders.t.Fatalf("%s with another byte: %v", name, err)
	}
	return name
}

// What is damaged is replaced by a copy of another owner, at home and elsewhere; what no good copy is known of is kept as it is, and a good
// copy that was to be dropped stays.
func TestDamagedBlocksAreReplaced(t *testing.T) {
	m := newMoved(t, 2)
	m.turns(6)
	owners := m.owners()
	home, elsewhere := 0, 0
	for id, of := range owners {
		if i := slices.Index(of, 0); i >= 0 && home < 3 {
			m.spoil(m.all[0], schemas.BlockID(id))
			home++
		} else if i < 0 && elsewhere < 3 {
			m.spoil(m.all[of[elsewhere%2]], schemas.BlockID(id))
			elsewhere++
		}
	}
	if home == 0 || elsewhere == 0 {
		t.Fatalf("%d blocks at home, %d elsewhere", home, elsewhere)
	}
	m.turns(3)
	if again := m.owners(); fmt.Sprint(again) != fmt.Sprint(owners) {
		t.Errorf("owners %v, not %v", again, owners)
	}
	for id, of := range owners {
		for _, i := range of {
			s := m.all[i].disk.store("web1")
			if b, err := s.Block(seal.ID(id)); err != nil || s.Spoiled(seal.ID(id)) != nil || s.Verify(b) != nil {
				t.Errorf("%v at node %d: %v, %v, %v", id, i, err, s.Spoiled(seal.ID(id)), s.Verify(b))
			}
		}
	}
	rng := rand.New(rand.NewPCG(3, 3))
	for i := range 3 {
		m.sameByPlan(drawPlanned(rng, m.text, fmt.Sprint("mended", i)), m.plans(rng, owners))
	}
}

// Where all copies are damaged, none is dropped, and none is a node's that owns the block; a good one that turns up is copied.
func TestDamagedEverywhere(t *testing.T) {
	m := newMoved(t, 2)
	m.turns(6)
	var id schemas.BlockID
	var of []int
	for of == nil || slices.Contains(of, 0) {
		for k, v := range m.owners() {
			id, of = schemas.BlockID(k), v
		}
	}
	first, second := m.all[of[0]], m.all[of[1]]
	name := m.spoil(first, id)
	good, err := os.ReadFile(m.spoil(second, id))
	m.must(err)
	m.turns(3)
	if left := m.list[id].Owners; len(left) > 0 {
		t.Errorf("owned by %v", left)
	}
	for _, x := range []*moving{first, second} {
		if b, err := x.disk.store("web1").Block(seal.ID(id)); err != nil || b.Away {
			t.Errorf("%s dropped it: %v", x.r.config.Node, err)
		}
	}
	good[len(good)/3] ^= 0x20
	m.must(os.WriteFile(name, good, 0o600))
	first.r.foreign.close() // a restart
	m.must(first.r.foreign.open())
	m.turns(3)
	if got := m.owners()[seal.ID(id)]; fmt.Sprint(got) != fmt.Sprint(of) {
		t.Errorf("owned by %v, not %v", got, of)
	}
}

// A node that forgot, when it ended, that its copy is damaged finds out before others rely on it.
func TestDamageIsFoundBeforeOthersDrop(t *testing.T) {
	m := newMoved(t, 2)
	m.turns(6)
	for id, of := range m.owners() {
		if slices.Contains(of, 0) {
			continue
		}
		x := m.all[of[0]]
		m.spoil(x, schemas.BlockID(id))
		b := m.list[schemas.BlockID(id)]
		b.Owners = slices.DeleteFunc(b.Owners, func(o string) bool { return o == x.r.config.Node }) // it left
		m.last++
		m.revision[b.ID] = m.last
		x.r.foreign.close()
		m.must(x.r.foreign.open())
		report, err := x.turn(t.Context())
		if err != nil || report.Trouble == nil || slices.Contains(m.list[schemas.BlockID(id)].Owners, x.r.config.Node) {
			t.Fatalf("entered with a damaged block: %+v, %v, owned by %v", report, err, m.list[schemas.BlockID(id)].Owners)
		}
		m.turns(2)
		m.owners()
		return
	}
	t.Fatal("all blocks are at home")
}
