package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/trawl-logs/trawl/placement"
)

// The size of what is simulated.
const (
	services  = 20
	windows   = 100 // of time
	traces    = 2000
	blockSize = 4 << 20 // bytes
	seeds     = 3
)

// world is a system of services, their blocks, and the nodes.
type world struct {
	callees, callers map[string][]string
	names            []string
	blocks           map[string][]placement.Block // of a service, by window
	all              []placement.Block
	nodes            []placement.Node // the last one joins
	home             map[string]int   // node that a service's logs are written on
}

// Callees returns the services that one calls.
func (w *world) Callees(service string) []string { return w.callees[service] }

// Callers returns the services that call one.
func (w *world) Callers(service string) []string { return w.callers[service] }

// newWorld draws services of which each calls 1 to 3 later ones, with 1 to 4 blocks a window, on n nodes
// (and one more) whose disks differ by up to 3 times in size and rate.
func newWorld(r *rand.Rand, n int) *world {
	w := &world{callees: map[string][]string{}, callers: map[string][]string{}, blocks: map[string][]placement.Block{}, home: map[string]int{}}
	for i := range services {
		w.names = append(w.names, fmt.Sprintf("service%d", i))
	}
	for i, s := range w.names[:services-1] {
		seen := map[int]bool{}
		for range 1 + r.IntN(3) {
			if at := i + 1 + r.IntN(min(services-i-1, 6)); !seen[at] {
				seen[at] = true
				w.callees[s] = append(w.callees[s], w.names[at])
				w.callers[w.names[at]] = append(w.callers[w.names[at]], s)
			}
		}
	}
	for _, s := range w.names {
		w.home[s] = r.IntN(n)
		many := 1 + r.IntN(4)
		for window := range int64(windows) {
			for number := range many {
				b := placement.Block{Service: s, Window: window, Number: number}
				w.blocks[s] = append(w.blocks[s], b)
				w.all = append(w.all, b)
			}
		}
	}
	for i := range n + 1 {
		w.nodes = append(w.nodes, placement.Node{
			Name: fmt.Sprintf("node%d", i), Group: fmt.Sprintf("zone%d", i%3),
			Capacity: int64(1+r.IntN(3)) << 40, DiskRate: float64(1+r.IntN(3)) * 100e6,
		})
	}
	return w
}

// trace draws a request from the first service on: each call is made with a probability of 0.8. In each
// service it is in one block, that of the same number in all, as far as the service has so many.
func (w *world) trace(r *rand.Rand) []placement.Block {
	window, at := int64(r.IntN(windows)), r.IntN(4)
	seen, waiting := map[string]bool{}, []string{w.names[0]}
	var blocks []placement.Block
	for len(waiting) > 0 {
		s := waiting[0]
		waiting = waiting[1:]
		if seen[s] {
			continue
		}
		seen[s] = true
		many := len(w.blocks[s]) / windows
		blocks = append(blocks, placement.Block{Service: s, Window: window, Number: at % many})
		for _, callee := range w.callees[s] {
			if r.Float64() < 0.8 {
				waiting = append(waiting, callee)
			}
		}
	}
	return blocks
}

// rule is a way to place blocks: the name of the node, of those given.
type rule struct {
	name  string
	place func(w *world, b placement.Block, nodes []placement.Node) string
}

// alone is a Relations without any.
type alone struct{}

func (alone) Callees(string) []string { return nil }
func (alone) Callers(string) []string { return nil }

var rules = []rule{
	{"random (hash modulo nodes)", func(w *world, b placement.Block, nodes []placement.Node) string {
		h := uint64(b.Window)*1_000_003 + uint64(b.Number)*7919
		for i := range len(b.Service) {
			h = (h ^ uint64(b.Service[i])) * 1099511628211
		}
		return nodes[(h>>17)%uint64(len(nodes))].Name
	}},
	{"by node (where it was written)", func(w *world, b placement.Block, nodes []placement.Node) string {
		home := fmt.Sprintf("node%d", w.home[b.Service])
		for i := range nodes {
			if nodes[i].Name == home {
				return home
			}
		}
		return nodes[0].Name // it left: all of it to one other
	}},
	{"by time (a window's blocks on one node)", func(w *world, b placement.Block, nodes []placement.Node) string {
		return placement.Owners(placement.Block{Window: b.Window}, nodes, alone{}, 1)[0]
	}},
	{"hash alone (rendezvous by weight)", func(w *world, b placement.Block, nodes []placement.Node) string {
		return placement.Owners(b, nodes, alone{}, 1)[0]
	}},
	{"trawl (hash and relations)", func(w *world, b placement.Block, nodes []placement.Node) string {
		return placement.Owners(b, nodes, w, 1)[0]
	}},
}

// figures are what is told of a rule.
type figures struct {
	balance         float64 // the fullest node's share of its capacity, to the mean of all
	joins, leaves   float64 // share of the blocks that move
	disks, together float64 // nodes that a trace reads from; share of its calls whose two blocks lie on one
	slowest         float64 // seconds that its slowest node reads
}

func (f *figures) add(o figures) {
	f.balance += o.balance / seeds
	f.joins += o.joins / seeds
	f.leaves += o.leaves / seeds
	f.disks += o.disks / seeds
	f.together += o.together / seeds
	f.slowest += o.slowest / seeds
}

// measure places all blocks and follows the traces.
func measure(w *world, p rule, seed uint64) (f figures) {
	n := len(w.nodes) - 1
	here := w.nodes[:n]
	on, count := map[placement.Block]string{}, map[string]float64{}
	joined, left, moved := 0, 0, 0
	for _, b := range w.all {
		on[b] = p.place(w, b, here)
		count[on[b]]++
		if p.place(w, b, w.nodes) != on[b] {
			joined++
		}
		if p.place(w, b, here[1:]) != on[b] {
			left++
		}
		moved++
	}
	f.joins, f.leaves = float64(joined)/float64(moved), float64(left)/float64(moved)
	rates, capacity := map[string]float64{}, 0.0
	for i := range here {
		rates[here[i].Name] = here[i].DiskRate
		capacity += float64(here[i].Capacity)
	}
	for i := range here {
		full := count[here[i].Name] / float64(here[i].Capacity)
		f.balance = max(f.balance, full/(float64(len(w.all))/capacity))
	}
	r := rand.New(rand.NewPCG(seed, 99))
	calls, together := 0, 0
	for range traces {
		busy, blocks := map[string]float64{}, w.trace(r)
		at := map[string]string{}
		for _, b := range blocks {
			at[b.Service] = on[b]
			busy[on[b]] += blockSize / rates[on[b]]
		}
		for caller, node := range at {
			for _, callee := range w.callees[caller] {
				if other, ok := at[callee]; ok {
					calls++
					if other == node {
						together++
					}
				}
			}
		}
		slowest := 0.0
		for _, seconds := range busy {
			slowest = max(slowest, seconds)
		}
		f.disks += float64(len(busy)) / traces
		f.slowest += slowest / traces
	}
	f.together = float64(together) / float64(calls)
	return f
}

// table is the figures of all rules, for fleets of several sizes, as Markdown.
func table() string {
	var b strings.Builder
	b.WriteString("| nodes | rule | fullest | moved on join | on leave | disks a trace | calls on one node | slowest node |\n|---|---|---|---|---|---|---|---|\n")
	for _, n := range []int{5, 10, 20} {
		for _, p := range rules {
			var f figures
			for seed := range uint64(seeds) {
				f.add(measure(newWorld(rand.New(rand.NewPCG(seed, uint64(n))), n), p, seed))
			}
			fmt.Fprintf(&b, "| %d | %s | %.2f | %.1f %% | %.1f %% | %.2f | %.1f %% | %.0f ms |\n",
				n, p.name, f.balance, 100*f.joins, 100*f.leaves, f.disks, 100*f.together, 1000*f.slowest)
		}
	}
	return b.String()
}
