package blockplan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/schemas"
)

// id makes an id of a small number.
func id(n int) (id schemas.BlockID) {
	id[0], id[1] = byte(n>>8), byte(n)
	return id
}

// node is a node with a store, whose services are sealed up to those times.
func node(name string, sealed ...schemas.SealedService) schemas.Node {
	n := schemas.Node{Name: name, Instance: "i", Store: &schemas.NodeStore{Services: sealed}}
	for _, s := range sealed {
		n.Services = append(n.Services, s.Service)
	}
	return n
}

// listedAt is a node that goes by that revision of the list.
func listedAt(revision uint64, n schemas.Node) schemas.Node {
	n.Store.Listed = revision
	return n
}

func block(n int, home, service string, from, to int64, owners ...string) *schemas.BlockRecord {
	return &schemas.BlockRecord{ID: id(n), Home: home, Service: service, Timed: true, MinTime: from, MaxTime: to, Stored: 100, Owners: owners}
}

// words says what a plan comes to: of each node "-name" if it is not asked, else what it reads, what it leaves, and
// whether something of it is nowhere else.
func words(p *Plan) string {
	var all []string
	for _, a := range p.Asks {
		w := a.Node
		switch {
		case a.Pruned:
			w = "-" + w
		case a.Plan == nil:
			w += "?"
		case a.Plan.Only:
			w += "!"
		}
		if a.Plan != nil {
			for _, r := range a.Plan.Read {
				w += fmt.Sprintf("+%s%d", r.Home, len(r.Blocks))
			}
			for _, l := range a.Plan.Leave {
				w += fmt.Sprintf("-%d", l[1])
			}
		}
		if a.Tail.Any {
			w += fmt.Sprintf("~%d", a.Tail.Since)
		}
		all = append(all, w)
	}
	for _, b := range p.Lost {
		all = append(all, fmt.Sprintf("lost%d", b.ID[1]))
	}
	return strings.Join(all, " ")
}

func TestMake(t *testing.T) {
	sealed := func(service string, until int64) schemas.SealedService {
		return schemas.SealedService{Service: service, Until: until}
	}
	fleet := []schemas.Node{node("a", sealed("api", 100)), node("b", sealed("db", 50)), node("c")}
	for name, c := range map[string]struct {
		nodes        []schemas.Node
		blocks       []*schemas.BlockRecord
		sel          schemas.Select
		since, until int64
		unlisted     bool
		want         string
	}{
		"nothing is sealed":        {nodes: fleet, want: "a~100 b~50 c~0"},
		"sealed before the end":    {nodes: fleet, until: 60, want: "-a b~50 -c"},
		"at the end":               {nodes: fleet, until: 50, want: "-a -b -c"},
		"the list is not there":    {nodes: fleet, until: 50, unlisted: true, want: "a~0 b~0 c~0"},
		"another owner reads":      {nodes: fleet, until: 50, blocks: []*schemas.BlockRecord{block(1, "a", "api", 1, 9, "b", "c")}, want: "-a-1 b+a1 -c"},
		"who sealed it reads":      {nodes: fleet, until: 50, blocks: []*schemas.BlockRecord{block(1, "a", "api", 1, 9, "a", "c")}, want: "a+a1 -b -c"},
		"only the tail is at home": {nodes: fleet, blocks: []*schemas.BlockRecord{block(1, "a", "api", 1, 9, "b", "c")}, want: "a-1~100 b+a1~50 c~0"},
		"out of range": {nodes: fleet, since: 10, until: 50, blocks: []*schemas.BlockRecord{
			block(1, "a", "api", 1, 9, "b"), block(2, "a", "api", 50, 60, "b"), block(3, "a", "api", 49, 60, "b"), block(4, "a", "api", 1, 10, "b"),
		}, want: "-a-3-4 b+a2 -c"},
		"of other services": {nodes: fleet, until: 50, sel: schemas.Select{Services: []string{"a*"}}, blocks: []*schemas.BlockRecord{
			block(1, "a", "api", 1, 9, "c"), block(2, "b", "db", 1, 9, "c"),
		}, want: "-a-1 -b c+a1"},
		"who is not selected reads": {nodes: fleet, until: 50, sel: schemas.Select{Nodes: []string{"a"}}, blocks: []*schemas.BlockRecord{
			block(1, "a", "api", 1, 9, "c"), block(2, "b", "db", 1, 9, "a"),
		}, want: "-a-1 c!+a1"},
		"of one that is forgotten":            {nodes: fleet, until: 50, blocks: []*schemas.BlockRecord{block(1, "x", "api", 1, 9, "y", "c")}, want: "-a -b c+x1"},
		"and nobody has it":                   {nodes: fleet, until: 50, blocks: []*schemas.BlockRecord{block(1, "x", "api", 1, 9, "y")}, want: "-a -b -c lost1"},
		"no owner is known but who sealed it": {nodes: fleet, until: 50, blocks: []*schemas.BlockRecord{block(1, "a", "api", 1, 9, "y")}, want: "a+a1 -b -c"},
		"retired":                             {nodes: fleet, until: 50, blocks: []*schemas.BlockRecord{{ID: id(1), Home: "a", Service: "api", Owners: []string{"b"}, State: schemas.BlockRetired}}, want: "-a -b -c"},
		"without times":                       {nodes: fleet, until: 50, blocks: []*schemas.BlockRecord{{ID: id(1), Home: "a", Service: "api", MinTime: 80, MaxTime: 90, Owners: []string{"b"}}}, want: "-a-1 b+a1 -c"},
		"without a store":                     {nodes: append(slices.Clone(fleet), schemas.Node{Name: "d", Instance: "i"}), until: 50, blocks: []*schemas.BlockRecord{block(1, "a", "api", 1, 9, "d", "b")}, want: "-a-1 b+a1 -c d?~0"},
		"by name alone":                       {nodes: []schemas.Node{{Name: "d"}}, sel: schemas.Select{Groups: []string{"g"}}, until: 50, want: "d~0"},
		"by name alone, and it is gone":       {nodes: []schemas.Node{{Name: "d"}, node("a")}, until: 50, blocks: []*schemas.BlockRecord{block(1, "d", "api", 1, 9, "d", "a")}, want: "a+d1 d-1~0"},
		"one that takes no plans any more":    {nodes: []schemas.Node{{Name: "d", Instance: "i"}, node("a")}, until: 50, blocks: []*schemas.BlockRecord{block(1, "d", "api", 1, 9, "d", "a")}, want: "-a d?~0"},
		"not all services are sealed": {nodes: []schemas.Node{{Name: "a", Instance: "i", Services: []string{"api", "raw"}, Store: &schemas.NodeStore{Services: []schemas.SealedService{sealed("api", 100)}}}},
			until: 50, want: "a~0"},
		"but those in question": {nodes: []schemas.Node{{Name: "a", Instance: "i", Services: []string{"api", "raw"}, Store: &schemas.NodeStore{Services: []schemas.SealedService{sealed("api", 100)}}}},
			sel: schemas.Select{Services: []string{"api"}}, until: 50, want: "-a"},
		"a stale list":      {nodes: []schemas.Node{listedAt(8, node("a", sealed("api", 100)))}, until: 50, want: "a~0"},
		"a list new enough": {nodes: []schemas.Node{listedAt(7, node("a", sealed("api", 100)))}, until: 50, want: "-a"},
		"no list would do":  {nodes: []schemas.Node{listedAt(schemas.NeverListed, node("a", sealed("api", 100)))}, until: 50, want: "a~0"},
		"labels of the block and of its node": {nodes: []schemas.Node{{Name: "a", Instance: "i", Labels: []schemas.Label{{K: "zone", V: "z1"}}, Store: &schemas.NodeStore{}}, node("b")},
			sel: schemas.Select{Labels: []schemas.Label{{K: "zone", V: "z*"}, {K: "env", V: "dev"}, {K: "env", V: "prod"}}}, until: 50,
			blocks: []*schemas.BlockRecord{
				{ID: id(1), Home: "a", Owners: []string{"b"}, Labels: []schemas.Label{{K: "env", V: "prod"}}},
				{ID: id(2), Home: "a", Owners: []string{"b"}, Labels: []schemas.Label{{K: "env", V: "test"}}},
			}, want: "-a-1 b+a1"},
		"the load is shared": {nodes: fleet, until: 50, blocks: []*schemas.BlockRecord{
			block(1, "a", "api", 1, 9, "b", "c"), block(2, "a", "api", 1, 9, "b", "c"), block(3, "a", "api", 1, 9, "b", "c"), block(4, "a", "api", 1, 9, "b", "c"),
		}, want: "-a-1-2-3-4 b+a2 c+a2"},
	} {
		t.Run(name, func(t *testing.T) {
			q := &Question{Select: &c.sel, Since: c.since, Until: c.until, Nodes: c.nodes, Blocks: c.blocks, Revision: 7}
			if c.unlisted {
				q.Revision = 0
			}
			p, err := Make(q)
			if err != nil {
				t.Fatal(err)
			}
			if got := words(p); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTooManyBlocksForOneNode(t *testing.T) {
	q := &Question{Select: &schemas.Select{}, Nodes: []schemas.Node{node("a"), node("b")}, Revision: 1}
	for i := range schemas.MaxPlanned {
		q.Blocks = append(q.Blocks, block(i, "a", "api", 1, 2, "b"))
	}
	if _, err := Make(q); err != nil {
		t.Fatal(err)
	}
	q.Blocks = append(q.Blocks, block(schemas.MaxPlanned, "a", "api", 1, 2, "b"))
	if _, err := Make(q); err == nil || !strings.Contains(err.Error(), "--since") {
		t.Errorf("%v", err)
	}
	for _, b := range q.Blocks {
		b.Owners = []string{"a"}
	}
	if _, err := Make(q); err == nil || !strings.Contains(err.Error(), "node a") {
		t.Errorf("of its own: %v", err)
	}
}

// What a plan adds to a query is held to the room that is there, with all marks; what it is taken for is no less than it is.
func TestPlanHasRoom(t *testing.T) {
	q := &Question{Select: &schemas.Select{}, Nodes: []schemas.Node{node("a"), node("b"), node("c")}, Revision: 1 << 60}
	for i := range 300 {
		q.Blocks = append(q.Blocks, block(i, strings.Repeat("h", 1+i%64), "api", 1, 2, "b", "c"))
	}
	marks := make([]schemas.LogMark, 300)
	for i := range marks {
		marks[i] = schemas.LogMark{Log: id(i), From: 1 << 62}
	}
	bare := schemas.Query{Patterns: []string{"x"}}
	size := func(p *schemas.Plan) int {
		planned := bare
		planned.Plan = p
		return len(schemas.AppendQuery(nil, &planned)) - len(schemas.AppendQuery(nil, &bare))
	}
	p, err := Make(q)
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for _, a := range p.Asks {
		most = max(most, size(a.Plan))
	}
	q.Room = most - 1
	if _, err := Make(q); err == nil {
		t.Errorf("a plan of %d bytes has room in %d", most, q.Room)
	}
	q.Room = most * 10 / 9
	if p, err = Make(q); err != nil {
		t.Fatalf("a plan of %d bytes has no room in %d", most, q.Room)
	}
	asks, lost, err := p.TakeOver(q.Blocks, marks, nil)
	if len(asks) > 0 || len(lost) != len(q.Blocks) || err == nil || !strings.Contains(err.Error(), "300 logs") {
		t.Errorf("%d asks, %d blocks lost, %v", len(asks), len(lost), err)
	}
	p.room += len(marks) * 28
	if asks, lost, err = p.TakeOver(q.Blocks, marks, nil); len(lost) > 0 || err != nil {
		t.Errorf("%d blocks lost, %v", len(lost), err)
	}
	for _, a := range asks {
		if got := size(a.Plan); got > p.room {
			t.Errorf("a plan of %d bytes, there is room for %d", got, p.room)
		}
	}
}

// Every block in question is read by one node that has it, and left by the one that sealed it if that is another;
// after whatever failures TakeOver finds every owner that is left.
func TestEveryBlockIsReadOnce(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		q := &Question{Select: &schemas.Select{}, Revision: 1}
		var names []string
		for i := range 2 + rng.IntN(6) {
			names = append(names, fmt.Sprintf("n%d", i))
			q.Nodes = append(q.Nodes, node(names[i], schemas.SealedService{Service: "s", Until: rng.Int64N(100)}))
		}
		q.Until = rng.Int64N(120)
		for i := range rng.IntN(200) {
			b := block(i, names[rng.IntN(len(names))], "s", 0, 0)
			b.MinTime = rng.Int64N(100)
			b.MaxTime, b.Stored = b.MinTime+rng.Int64N(10), 1+rng.Int64N(1000)
			for _, o := range rng.Perm(len(names))[:1+rng.IntN(2)] {
				b.Owners = append(b.Owners, names[o])
			}
			q.Blocks = append(q.Blocks, b)
		}
		p, err := Make(q)
		if err != nil {
			t.Fatal(err)
		}
		checkReaders(t, seed, q, p)
		dead := names[rng.IntN(len(names))]
		at := slices.IndexFunc(p.Asks, func(a Ask) bool { return a.Node == dead })
		asks, lost, _ := p.TakeOver(p.Asks[at].Blocks, nil, func(node string, _ *schemas.BlockRecord) bool { return node == dead })
		found := map[schemas.BlockID]bool{}
		for _, a := range asks {
			for _, b := range a.Blocks {
				if found[b.ID] || a.Node == dead || !slices.Contains(b.Owners, a.Node) && b.Home != a.Node {
					t.Errorf("seed %d: block %s is taken over by %s", seed, b.ID, a.Node)
				}
				if !slices.Contains(b.Owners, a.Node) && slices.ContainsFunc(b.Owners, func(o string) bool { return o != dead }) {
					t.Errorf("seed %d: block %s of %v is taken over by its home", seed, b.ID, b.Owners)
				}
				found[b.ID] = true
			}
		}
		for _, b := range lost {
			if b.Home != dead || slices.ContainsFunc(b.Owners, func(o string) bool { return o != dead }) {
				t.Errorf("seed %d: block %s of %v is lost with %s", seed, b.ID, b.Owners, dead)
			}
			found[b.ID] = true
		}
		if len(found) != len(p.Asks[at].Blocks) {
			t.Errorf("seed %d: %d of %d blocks are taken over or lost", seed, len(found), len(p.Asks[at].Blocks))
		}
	}
}

func checkReaders(t *testing.T, seed uint64, q *Question, p *Plan) {
	t.Helper()
	reader := map[schemas.BlockID]string{}
	for _, a := range p.Asks {
		for _, b := range a.Blocks {
			if reader[b.ID] != "" {
				t.Errorf("seed %d: block %s is read by %s and %s", seed, b.ID, reader[b.ID], a.Node)
			}
			reader[b.ID] = a.Node
		}
		if a.Pruned && (len(a.Blocks) > 0 || a.Tail.Any) {
			t.Errorf("seed %d: %s is pruned", seed, a.Node)
		}
	}
	for _, b := range q.Blocks {
		who := reader[b.ID]
		if (who != "") != b.Overlaps(q.Since, q.Until) {
			t.Errorf("seed %d: block %s of %d to %d is read by %q", seed, b.ID, b.MinTime, b.MaxTime, who)
		}
		for _, a := range p.Asks {
			var listed []schemas.BlockID
			for _, r := range a.Plan.Read {
				if r.Home == b.Home {
					listed = r.Blocks
				}
			}
			if slices.Contains(listed, b.ID) != (who == a.Node) {
				t.Errorf("seed %d: the plan of %s for block %s, which %s reads", seed, a.Node, b.ID, who)
			}
			if slices.Contains(a.Plan.Leave, b.ID) != (a.Node == b.Home && who != "" && who != b.Home) {
				t.Errorf("seed %d: what %s leaves, of block %s, which %s reads", seed, a.Node, b.ID, who)
			}
		}
	}
}

func TestFilter(t *testing.T) {
	for services, want := range map[string]string{"": "[]", "api": "[api]", "api db": "[api db]", `a\*b`: "[a*b]", "api d*": "[]", "{a,b}": "[]", `a\`: "[]"} {
		f := Filter(&schemas.Select{Services: strings.Fields(services)}, 1, 2)
		if got := fmt.Sprint(f.Services); got != want || f.Since != 1 || f.Until != 2 {
			t.Errorf("%s: %s %d %d", services, got, f.Since, f.Until)
		}
	}
	for nodes, want := range map[string]string{"": "[]", "web1": "[web1]", "web1 web2": "[web1 web2]", "web1 web*": "[]", `web\1`: "[]", "web[1]": "[]", "{a,b}": "[]", "a.b": "[]"} {
		f := Filter(&schemas.Select{Nodes: strings.Fields(nodes), Groups: []string{"g"}}, 1, 2)
		if got := fmt.Sprint(f.Homes); got != want {
			t.Errorf("nodes %s: %s, want %s", nodes, got, want)
		}
	}
}
