// Package placement says which nodes own a block of logs: Owners, from the block, the nodes and the relations
// of the services alone. Whoever asks gets the same answer, and nobody keeps a table.
//
// The rule is rendezvous hashing by weight: each node draws a number for the block, and the lowest draws own
// it. A node's weight is its Capacity and its disk's rate. Two things are added.
//
//   - Replicas lie in different groups, as long as there are any.
//   - The first owner, whom a search asks, is not the first owner of a block of a related service of the same
//     window and number, as long as there are nodes: the hops of one trace are read by different disks. Of
//     two related services the one whose turn is later gives way. Turns are drawn anew for each window and
//     number, so that no service always gives way, and chains of those who do are short.
//
// What moves when a node joins or leaves is its share, and the little that gave way to it.
package placement

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Node is one that may own blocks.
type Node struct {
	Name     string
	Group    string  // of nodes that fail together; empty: one of its own
	Capacity int64   // bytes for blocks; 0: unknown
	DiskRate float64 // bytes a second, read; 0: unknown
}

// Block names a block: the Number-th of a service's blocks within a window of time.
type Block struct {
	Service string
	Window  int64 // the window's number
	Number  int   // from 0
}

// Relations tell who calls whom: *relations.Graph does.
type Relations interface {
	Callees(service string) []string
	Callers(service string) []string
}

// What an unknown capacity, or an unknown rate, counts as.
const (
	usualCapacity = 1 << 40
	usualRate     = 200e6
)

// weight is the node's share of the blocks, in relation to the others'. Of two nodes with disks of one rate
// that with the larger gets more, of two of one size that with the faster; as the geometric mean it does
// not depend on what is usual in the fleet, so that a node that joins changes no other two's relation.
func (n *Node) weight() float64 {
	capacity, rate := float64(n.Capacity), n.DiskRate
	if capacity <= 0 {
		capacity = usualCapacity
	}
	if !(rate > 0) || math.IsInf(rate, 0) {
		rate = usualRate
	}
	return math.Sqrt(capacity * rate)
}

// Owners returns the names of the nodes that own a block, the one whom a search asks first: as many as
// replicas says, or all nodes where there are fewer. Nodes may be in any order, their names are unique;
// relations may be nil.
func Owners(b Block, nodes []Node, relations Relations, replicas int) []string {
	if len(nodes) == 0 || replicas < 1 {
		return nil
	}
	p := newPlacer(nodes, b, relations)
	order := p.ranking(b.Service)
	first := p.first(b.Service)
	names, groups := []string{first}, map[string]bool{p.group(first): true}
	taken := map[string]bool{first: true}
	for _, fresh := range []bool{true, false} { // first those of groups that have none yet
		for _, i := range order {
			n := &nodes[i]
			if len(names) < replicas && !taken[n.Name] && (!fresh || !groups[p.group(n.Name)]) {
				names = append(names, n.Name)
				taken[n.Name], groups[p.group(n.Name)] = true, true
			}
		}
	}
	return names
}

// placer places the blocks of one window and number.
type placer struct {
	nodes     []Node
	groups    map[string]string // of nodes; one without has its own name, which no group can have
	block     Block
	relations Relations
	firsts    map[string]string
}

func newPlacer(nodes []Node, b Block, relations Relations) *placer {
	p := &placer{nodes: nodes, groups: map[string]string{}, block: b, relations: relations, firsts: map[string]string{}}
	for i := range nodes {
		p.groups[nodes[i].Name] = "group " + nodes[i].Group
		if nodes[i].Group == "" {
			p.groups[nodes[i].Name] = "node " + nodes[i].Name
		}
	}
	return p
}

func (p *placer) group(node string) string { return p.groups[node] }

// first is the first owner of a service's block. It asks for those of the related services whose turn is
// earlier, and so on: turns only ever go down, so this ends.
func (p *placer) first(service string) string {
	if name, ok := p.firsts[service]; ok {
		return name
	}
	neighbours := map[string]int{} // how many related blocks are on a node
	if p.relations != nil {
		for _, other := range related(service, p.relations) {
			if p.before(other, service) {
				neighbours[p.first(other)]++
			}
		}
	}
	best := -1
	for _, i := range p.ranking(service) {
		if best < 0 || neighbours[p.nodes[i].Name] < neighbours[p.nodes[best].Name] {
			best = i
		}
	}
	p.firsts[service] = p.nodes[best].Name
	return p.firsts[service]
}

// related are the services that a service calls or is called by, each once.
func related(service string, relations Relations) []string {
	all := slices.Concat(relations.Callees(service), relations.Callers(service))
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(all, func(s string) bool { return s == service })
}

// before tells whether a's turn is before b's.
func (p *placer) before(a, b string) bool {
	x, y := p.turn(a), p.turn(b)
	return x < y || x == y && a < b
}

func (p *placer) turn(service string) uint64 {
	return p.hash("turn", service, "")
}

// ranking is the order of the nodes for a service's block, by index: the order of what they draw.
func (p *placer) ranking(service string) []int {
	draws := make([]float64, len(p.nodes))
	order := make([]int, len(p.nodes))
	for i := range p.nodes {
		n := &p.nodes[i]
		// An exponential draw of that rate is the lowest with the probability of the node's share.
		uniform := (float64(p.hash("node", service, n.Name)>>11) + 0.5) / (1 << 53)
		draws[i], order[i] = -math.Log(uniform)/n.weight(), i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(draws[a], draws[b]), strings.Compare(p.nodes[a].Name, p.nodes[b].Name))
	})
	return order
}

// hash is FNV-1a over the parts, each with its end, and then mixed well: what differs in the last byte alone
// must differ in all bits. It is part of where blocks lie, and must never change.
func (p *placer) hash(purpose, service, node string) uint64 {
	h := uint64(14695981039346656037)
	add := func(c byte) { h = (h ^ uint64(c)) * 1099511628211 }
	for _, part := range [...]string{purpose, service, node} {
		for i := range len(part) {
			add(part[i])
		}
		add(0xff) // in no UTF-8
	}
	for _, n := range [...]uint64{uint64(p.block.Window), uint64(p.block.Number)} {
		for range 8 {
			add(byte(n))
			n >>= 8
		}
	}
	h ^= h >> 32 // shifts and multiplications in turn: each bit reaches all
	h *= 0xd6e8feb86659fd93
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}
