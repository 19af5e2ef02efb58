package placement

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// calls is a Relations for tests: caller → callees.
type calls map[string][]string

func (c calls) Callees(service string) []string { return c[service] }
func (c calls) Callers(service string) (callers []string) {
	for caller, callees := range c {
		if slices.Contains(callees, service) {
			callers = append(callers, caller)
		}
	}
	return callers
}

// system draws a graph of n services in which a service calls only later ones.
func system(r *rand.Rand, n int) (calls, []string) {
	c, names := calls{}, []string{}
	for i := range n {
		names = append(names, fmt.Sprintf("s%d", i))
	}
	for i := range n - 1 {
		for range 1 + r.IntN(3) {
			callee := names[i+1+r.IntN(n-i-1)]
			if !slices.Contains(c[names[i]], callee) {
				c[names[i]] = append(c[names[i]], callee)
			}
		}
	}
	return c, names
}

func fleet(r *rand.Rand, n, groups int) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i].Name = fmt.Sprintf("node%d", i)
		if groups > 0 {
			nodes[i].Group = fmt.Sprintf("zone%d", i%groups)
		}
		if r != nil {
			nodes[i].Capacity, nodes[i].DiskRate = int64(1+r.IntN(4))<<40, float64(1+r.IntN(5))*100e6
		}
	}
	return nodes
}

// blocks are so many windows of the services, with 1 to 3 blocks each.
func blocks(services []string, windows int64) (all []Block) {
	for w := range windows {
		for i, s := range services {
			for n := range 1 + (i+int(w))%3 {
				all = append(all, Block{s, w, n})
			}
		}
	}
	return all
}

// Owners are as many as asked for, each once, in as many groups as can be, whatever the order of the nodes.
func TestOwners(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		graph, services := system(r, 2+r.IntN(20))
		nodes := fleet(r, 1+r.IntN(12), r.IntN(4))
		replicas := 1 + r.IntN(4)
		groups := map[string]bool{}
		byName := map[string]Node{}
		for _, n := range nodes {
			groups[n.Group] = true
			byName[n.Name] = n
		}
		different := len(groups)
		if groups[""] {
			different = len(nodes)
		}
		for _, b := range blocks(services, 3) {
			owners := Owners(b, nodes, graph, replicas)
			if len(owners) != min(replicas, len(nodes)) {
				t.Fatalf("seed %d: %d owners of %d nodes, want %d", seed, len(owners), len(nodes), replicas)
			}
			once, in := map[string]bool{}, map[string]bool{}
			for _, o := range owners {
				n, ok := byName[o]
				if !ok {
					t.Fatalf("seed %d: %q is no node", seed, o)
				}
				once[o] = true
				if in[n.Group] = true; n.Group == "" {
					in[o] = true
				}
			}
			delete(in, "")
			if len(once) != len(owners) || len(in) != min(len(owners), different) {
				t.Fatalf("seed %d: owners %v are in %d groups of %d", seed, owners, len(in), different)
			}
			shuffled := slices.Clone(nodes)
			r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			if again := Owners(b, shuffled, graph, replicas); !slices.Equal(again, owners) {
				t.Fatalf("seed %d: %v, and in another order of the nodes %v", seed, owners, again)
			}
		}
	}
	if got := Owners(Block{}, nil, nil, 2); got != nil {
		t.Errorf("owners without nodes: %v", got)
	}
	if got := Owners(Block{}, fleet(nil, 2, 0), nil, 0); got != nil {
		t.Errorf("no replicas: %v", got)
	}
}

// Related services of one window and number are on different nodes, where a service has fewer related ones
// than there are nodes.
func TestRelatedApart(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 3))
		graph, services := system(r, 2+r.IntN(20))
		degree := 0
		for _, s := range services {
			degree = max(degree, len(related(s, graph)))
		}
		nodes := fleet(r, degree+1, 0)
		for w := range int64(4) {
			for caller, callees := range graph {
				for _, callee := range callees {
					a, b := Owners(Block{caller, w, 0}, nodes, graph, 1)[0], Owners(Block{callee, w, 0}, nodes, graph, 1)[0]
					if a == b {
						t.Fatalf("seed %d: %s and %s are both on %s", seed, caller, callee, a)
					}
				}
			}
		}
	}
}

// With fewer nodes than related services they are shared evenly: a hub of 9 services on 4 nodes.
func TestRelatedShare(t *testing.T) {
	graph := calls{}
	for i := range 9 {
		graph["hub"] = append(graph["hub"], fmt.Sprintf("s%d", i))
	}
	nodes := fleet(nil, 4, 0)
	for w := range int64(200) {
		p := newPlacer(nodes, Block{Window: w}, graph)
		hub, beside := p.first("hub"), 0
		early := 0
		for _, s := range graph["hub"] {
			if p.before(s, "hub") {
				early++
			}
			if p.first(s) == hub {
				beside++
			}
		}
		// Those whose turn is later stay away; of the earlier ones the hub joins the node with the fewest.
		if beside > early/4 {
			t.Fatalf("window %d: %d services beside the hub, of which %d came before it", w, beside, early)
		}
	}
}

// Each node's share is its weight's.
func TestBalance(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	graph, services := system(r, 20)
	nodes := fleet(r, 10, 0)
	nodes[0].Capacity, nodes[0].DiskRate = 0, math.Inf(1) // counts as usual
	total, count := 0.0, map[string]float64{}
	for i := range nodes {
		total += nodes[i].weight()
	}
	all := blocks(services, 250)
	for _, b := range all {
		count[Owners(b, nodes, graph, 1)[0]]++
	}
	for i := range nodes {
		share, want := count[nodes[i].Name]/float64(len(all)), nodes[i].weight()/total
		// What gives way goes to nodes of less weight a little more often than their share.
		if math.Abs(share-want) > 0.15*want {
			t.Errorf("%s owns %.4f of the blocks, its weight is %.4f", nodes[i].Name, share, want)
		}
	}
}

// When a node leaves, its blocks move, and few others; when it comes again, all is as before.
func TestMovement(t *testing.T) {
	for n, most := range map[int]float64{5: 0.6, 10: 0.25, 20: 0.12} { // of those that gave way, to the node's own
		graph, services := system(rand.New(rand.NewPCG(8, 8)), 20)
		nodes := fleet(nil, n, 0)
		all := blocks(services, 60)
		own, other := 0, 0
		for _, b := range all {
			before := Owners(b, nodes, graph, 1)[0]
			after := Owners(b, nodes[1:], graph, 1)[0]
			switch {
			case before == nodes[0].Name:
				own++
			case before != after:
				other++
			}
		}
		t.Logf("%d nodes: %d of %d blocks were the node's, %d others moved", n, own, len(all), other)
		if float64(other) > most*float64(own) {
			t.Errorf("%d nodes: %d blocks moved that were not the node's, %d were", n, other, own)
		}
		// Without relations none moves that was not its own.
		for _, b := range all {
			before, after := Owners(b, nodes, nil, 3), Owners(b, nodes[1:], nil, 3)
			kept := slices.DeleteFunc(slices.Clone(before), func(o string) bool { return o == nodes[0].Name })
			if !slices.Equal(after[:len(kept)], kept) {
				t.Fatalf("owners %v became %v", before, after)
			}
		}
	}
}

// Where blocks lie is kept by what they were placed with: a change of the hash would move every block.
func TestOwnersStay(t *testing.T) {
	graph := calls{"gateway": {"cart", "search"}, "cart": {"stock"}}
	nodes := fleet(rand.New(rand.NewPCG(1, 1)), 6, 3)
	var got []string
	for _, s := range []string{"gateway", "cart", "search", "stock", "alone"} {
		got = append(got, s+"="+strings.Join(Owners(Block{s, 1_000_000, 2}, nodes, graph, 2), ","))
	}
	if want := "gateway=node1,node3 cart=node3,node4 search=node2,node1 stock=node5,node3 alone=node3,node5"; strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}
