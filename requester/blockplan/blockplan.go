package blockplan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trawl-logs/trawl/schemas"
)

// Question is what a Plan is made from.
type Question struct {
	Select       *schemas.Select
	Since, Until int64                  // as the query's
	Nodes        []schemas.Node         // the roster: all nodes, whether the selection admits them or not
	Blocks       []*schemas.BlockRecord // of the list; others than those in question do no harm
	Revision     uint64                 // of the list; 0: it could not be read, and Blocks is empty
	Room         int                    // bytes that a plan may add to the query; 0: schemas.MaxQuery
}

// Plan says whom a query is put to, and what each reads.
type Plan struct {
	Revision uint64
	Asks     []Ask                    // each node once, in the order of their names as bytes
	Lost     []*schemas.BlockRecord   // in question, and no node that is known has them
	Total    int                      // blocks in question
	Retired  map[schemas.BlockID]bool // of the list: a home that has but a stub of one lacks nothing

	nodes map[string]*schemas.Node
	room  int
}

// Ask is one node's part.
type Ask struct {
	Node     string
	Admitted bool                   // by the selection: its own logs are in question. Else it only reads blocks
	Pruned   bool                   // it is not asked: it can hold no answer
	Plan     *schemas.Plan          // nil: the node takes none
	Blocks   []*schemas.BlockRecord // that it reads of those in question, also its own
	Tail     Tail
}

// Tail is what of a node's own logs is in question and in no listed block, so that nobody else has it.
type Tail struct {
	Any      bool     // there may be something
	Since    int64    // from then on, Unix nanoseconds; 0: unknown, or there is something of every time
	Unsealed []string // services in question of which not all logs are sealed
}

// Make plans a query. The error says which node would have to be told of more blocks than a query can name, and what to do.
func Make(q *Question) (*Plan, error) {
	p := &Plan{Revision: q.Revision, nodes: make(map[string]*schemas.Node, len(q.Nodes)), room: cmp.Or(q.Room, schemas.MaxQuery)}
	for i := range q.Nodes {
		p.nodes[q.Nodes[i].Name] = &q.Nodes[i]
	}
	blocks := p.inQuestion(q)
	p.Total = len(blocks)
	readers := p.assign(blocks, nil)
	asks := map[string]*Ask{}
	for name, n := range p.nodes {
		if q.admits(n) {
			asks[name] = &Ask{Node: name, Admitted: true, Tail: tailOf(n, q)}
		}
	}
	for i, b := range blocks {
		switch name := readers[i]; {
		case name == "":
			p.Lost = append(p.Lost, b)
		case asks[name] == nil:
			asks[name] = &Ask{Node: name, Blocks: []*schemas.BlockRecord{b}}
		default:
			asks[name].Blocks = append(asks[name].Blocks, b)
		}
	}
	leave := map[string][]schemas.BlockID{}
	for i, b := range blocks {
		if readers[i] != b.Home {
			leave[b.Home] = append(leave[b.Home], b.ID)
		}
	}
	for name, a := range asks {
		if err := p.fill(a, leave[name]); err != nil {
			return nil, err
		}
		p.Asks = append(p.Asks, *a)
	}
	slices.SortFunc(p.Asks, func(a, b Ask) int { return strings.Compare(a.Node, b.Node) })
	return p, nil
}

// fill makes the plan that travels. The blocks that a node sealed itself are named too, those that it reads and those
// that others read: else one that has lost a block without a trace would not say so.
func (p *Plan) fill(a *Ask, leave []schemas.BlockID) error {
	n := p.nodes[a.Node]
	if !takesPlans(n) {
		return nil
	}
	a.Pruned = a.Admitted && len(a.Blocks) == 0 && !a.Tail.Any
	a.Plan = &schemas.Plan{Revision: p.Revision, Only: !a.Admitted}
	if a.Admitted {
		a.Plan.Leave = leave
	}
	a.Plan.Read = reads(a.Blocks)
	return p.checkSize(a)
}

// checkSize holds a plan to what a query may name, and has room for.
func (p *Plan) checkSize(a *Ask) error {
	blocks, marks, size := len(a.Plan.Leave), len(a.Plan.Skip), planBytes
	for i := range a.Plan.Read {
		blocks += len(a.Plan.Read[i].Blocks)
		size += len(a.Plan.Read[i].Home) + readBytes
	}
	if size += blocks*len(schemas.BlockID{}) + marks*markBytes; blocks+marks <= schemas.MaxPlanned && size <= p.room {
		return nil
	}
	of := fmt.Sprintf("%d sealed blocks", blocks)
	if blocks == 1 {
		of = "a sealed block"
	}
	if marks > 0 {
		of += fmt.Sprintf(" and %d logs of which some has come", marks)
	}
	return fmt.Errorf("%s for node %s: more than a query can name (%d in %d bytes, it is %d): narrow it with --since, --until or --service",
		of, a.Node, schemas.MaxPlanned, p.room, size)
}

// Bytes of an encoded plan, at most, beside ids and names: of its head, of a home, of a mark.
const (
	planBytes = 40
	readBytes = 8
	markBytes = 28
)

// reads lists blocks by the nodes that sealed them, in the order of their names.
func reads(blocks []*schemas.BlockRecord) []schemas.PlanRead {
	byHome := map[string][]schemas.BlockID{}
	for _, b := range blocks {
		byHome[b.Home] = append(byHome[b.Home], b.ID)
	}
	var list []schemas.PlanRead
	for home, ids := range byHome {
		list = append(list, schemas.PlanRead{Home: home, Blocks: ids})
	}
	slices.SortFunc(list, func(a, b schemas.PlanRead) int { return strings.Compare(a.Home, b.Home) })
	return list
}

// TakeOver plans blocks anew whose readers have failed: each is asked of an owner that bars does not refuse for it,
// beyond the marks, which say what of their logs has come. Lost are those that nobody is left for, and those that a
// query cannot name with all the marks: then the error says so.
func (p *Plan) TakeOver(blocks []*schemas.BlockRecord, marks []schemas.LogMark, bars func(node string, b *schemas.BlockRecord) bool) (asks []Ask, lost []*schemas.BlockRecord, err error) {
	readers := p.assign(blocks, bars)
	byReader := map[string]*Ask{}
	for i, b := range blocks {
		name := readers[i]
		if name == "" {
			lost = append(lost, b)
			continue
		}
		a := byReader[name]
		if a == nil {
			a = &Ask{Node: name}
			byReader[name] = a
		}
		a.Blocks = append(a.Blocks, b)
	}
	for _, a := range byReader {
		a.Plan = &schemas.Plan{Revision: p.Revision, Only: true, Skip: marks, Read: reads(a.Blocks)}
		if tooLarge := p.checkSize(a); tooLarge != nil {
			lost, err = append(lost, a.Blocks...), tooLarge
			continue
		}
		asks = append(asks, *a)
	}
	slices.SortFunc(asks, func(a, b Ask) int { return strings.Compare(a.Node, b.Node) })
	return asks, lost, err
}

// assign chooses a reader for each block: its first owner, but where that has to read much more than its share,
// another that has to read less. The node that sealed a block stands behind its owners, for what it may still have.
// Empty: nobody is known to have it.
func (p *Plan) assign(blocks []*schemas.BlockRecord, bars func(node string, b *schemas.BlockRecord) bool) []string {
	readers := make([]string, len(blocks))
	load, sharing := map[string]int64{}, map[string]bool{}
	var total int64
	may := func(name string, b *schemas.BlockRecord) bool {
		n := p.nodes[name]
		return n != nil && n.Store != nil && (bars == nil || !bars(name, b))
	}
	for i, b := range blocks {
		for _, name := range append(b.Owners[:len(b.Owners):len(b.Owners)], b.Home) {
			if may(name, b) {
				readers[i] = name
				break
			}
		}
		if readers[i] == "" {
			continue
		}
		total += b.Stored
		load[readers[i]] += b.Stored
		for _, o := range b.Owners {
			sharing[o] = sharing[o] || may(o, b)
		}
	}
	maps.DeleteFunc(sharing, func(_ string, may bool) bool { return !may })
	fair := total / int64(max(1, len(sharing)))
	for i, b := range blocks {
		if readers[i] == "" || load[readers[i]] <= fair+fair/8 {
			continue
		}
		best := readers[i]
		for _, o := range b.Owners {
			if may(o, b) && load[o]+b.Stored < load[readers[i]] && (best == readers[i] || load[o] < load[best]) {
				best = o
			}
		}
		load[readers[i]] -= b.Stored
		load[best] += b.Stored
		readers[i] = best
	}
	return readers
}
