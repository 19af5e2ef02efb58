package mover

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/trawl-logs/trawl/placement"
	"github.com/trawl-logs/trawl/schemas"
)

// Holding is what a node has of a block.
type Holding uint8

const (
	Nothing Holding = iota
	Stub            // at its home: the block is away, and what it was of its logs is known
	Damaged         // the block itself, of which something cannot be read; as long as nobody else has it, it is better than nothing
	Whole           // the block itself, verified
)

// View is the fleet as a node sees it.
type View struct {
	Self      string
	Nodes     []placement.Node // that may own blocks; not those that drain
	Roster    map[string]bool  // nodes that have not been forgotten, Self among them
	Movers    map[string]bool  // those of the roster that have a part in the blocks, Self among them
	Up        map[string]bool  // nodes that answer, of Movers and of the owners; Self among them
	Gone      map[string]bool  // names that are in no roster, and do not answer
	Replicas  int              // at least 1
	Relations placement.Relations
	Now       int64            // Unix nanoseconds
	Age       int64            // nanoseconds after which a block is retired; 0: never
	Cutoffs   map[string]int64 // of nodes that have too many blocks: none of theirs that are older may stay
}

// Kind is what a node has to do about a block.
type Kind uint8

const (
	Keep   Kind = iota // nothing
	List               // write the record of a block that it holds and that is not listed
	Copy               // copy the block, then Enter
	Enter              // enter itself as an owner: it holds the block
	Leave              // leave the owners: others have the block
	Forget             // take those off the owners that are gone for good
	Retire             // have nobody search the block any more
	Drop               // drop what it holds, when no plan may speak of it any more
	Remove             // remove the record of a block that nobody has any more
)

// Action is one thing to do about a block.
type Action struct {
	Kind   Kind
	Record *schemas.BlockRecord // the record that is to be written, or that of the block
	From   []string             // Copy: owners that are up
}

// keptRecord is for how long the record of a retired block stays when nobody has the block any more: a node that is away
// for less does not list its copy again. It stays as long as its home, unless that is gone, has anything of the block.
const keptRecord = 7 * 24 * 3600 * int64(1e9)

// Decide tells what a node has to do about a block that is listed, from the record and what it holds of the block.
func (v *View) Decide(b *schemas.BlockRecord, held Holding) Action {
	if b.State == schemas.BlockRetired {
		return v.decideRetired(b, held)
	}
	return v.decideKept(b, held, v.want(b, v.Nodes))
}

// decideKept is Decide of a block that is searched, and that the rule wants at some nodes.
func (v *View) decideKept(b *schemas.BlockRecord, held Holding, want []string) Action {
	owner := slices.Contains(b.Owners, v.Self)
	wanted := slices.Contains(want, v.Self)
	standIn := !wanted && v.standIn(b)
	leads := v.leader(b) == v.Self
	switch {
	case leads && v.old(b):
		next := *b
		next.State, next.Since = schemas.BlockRetired, v.Now
		return Action{Kind: Retire, Record: &next}
	case owner && held != Whole && (len(b.Owners) > 1 || held == Damaged):
		// It was, and has lost it. Of what is damaged everywhere there is no owner: so whoever has a good copy still does not drop that.
		return v.owned(Leave, b, without(b.Owners, v.Self))
	case !owner && held == Whole && (wanted || standIn || v.known(b.Owners) < v.need()):
		return v.owned(Enter, b, inOrder(want, b.Owners, v.Self))
	case !owner && held != Whole && (wanted || standIn):
		if from := v.answering(b.Owners); len(from) > 0 {
			return Action{Kind: Copy, Record: b, From: from}
		}
	case leads && v.known(b.Owners) > 0 && slices.ContainsFunc(b.Owners, v.gone): // of a block that is lost it stays known who had it
		return v.owned(Forget, b, slices.DeleteFunc(slices.Clone(b.Owners), v.gone))
	case owner && !wanted && len(want) > 0 && v.have(b, want):
		return v.owned(Leave, b, without(b.Owners, v.Self))
	case !owner && held >= Damaged && len(v.answering(b.Owners)) >= v.need():
		return Action{Kind: Drop, Record: b}
	}
	return Action{Record: b}
}

// decideRetired is Decide of a block that nobody searches any more. At its home it goes as its logs allow, which
// its home knows; and the record goes behind that, since by the record requesters know that a stub there lacks nothing.
func (v *View) decideRetired(b *schemas.BlockRecord, held Holding) Action {
	switch owner := slices.Contains(b.Owners, v.Self); {
	case held >= Damaged && b.Home != v.Self:
		return Action{Kind: Drop, Record: b}
	case held != Whole && owner:
		return v.owned(Leave, b, without(b.Owners, v.Self))
	case v.leader(b) == v.Self && slices.ContainsFunc(b.Owners, v.gone):
		return v.owned(Forget, b, slices.DeleteFunc(slices.Clone(b.Owners), v.gone))
	case v.remover(b) == v.Self && held == Nothing && len(b.Owners) == 0 && b.Since < v.Now-keptRecord:
		return Action{Kind: Remove, Record: b}
	}
	return Action{Record: b}
}

// owned is an action that gives a block other owners.
func (v *View) owned(k Kind, b *schemas.BlockRecord, owners []string) Action {
	next := *b
	next.Owners = owners
	return Action{Kind: k, Record: &next}
}

// want are the owners that the rule names, of some nodes.
func (v *View) want(b *schemas.BlockRecord, nodes []placement.Node) []string {
	window := b.Window
	if b.Span > 0 {
		window = b.Window / b.Span
	}
	return placement.Owners(placement.Block{Service: b.Service, Window: window, Number: int(b.Number)}, nodes, v.Relations, v.Replicas)
}

// need is how many owners a block is to have.
func (v *View) need() int { return max(1, min(v.Replicas, len(v.Nodes))) }

// known is how many of some owners have not been forgotten.
func (v *View) known(owners []string) (n int) {
	for _, o := range owners {
		if v.Roster[o] || v.Up[o] {
			n++
		}
	}
	return n
}

// answering are those of some owners that are up, but for this node.
func (v *View) answering(owners []string) (up []string) {
	for _, o := range owners {
		if o != v.Self && v.Up[o] {
			up = append(up, o)
		}
	}
	return up
}

// standIn says whether this node is to have a block for the time that one that should is down, and never had it.
func (v *View) standIn(b *schemas.BlockRecord) bool {
	if v.known(without(b.Owners, v.Self)) >= v.need() {
		return false
	}
	up := slices.DeleteFunc(slices.Clone(v.Nodes), func(n placement.Node) bool { return !v.Up[n.Name] })
	return slices.Contains(v.want(b, up), v.Self)
}

// have says whether all of some nodes are owners and up.
func (v *View) have(b *schemas.BlockRecord, nodes []string) bool {
	return !slices.ContainsFunc(nodes, func(n string) bool { return !v.Up[n] || !slices.Contains(b.Owners, n) })
}

func (v *View) gone(node string) bool { return v.Gone[node] }

// leader is the first of a block's owners that is up and has a Mover, or where there is none, the first of all such nodes.
func (v *View) leader(b *schemas.BlockRecord) string {
	for _, o := range b.Owners {
		if v.Up[o] && v.Movers[o] {
			return o
		}
	}
	first := v.Self
	for name := range v.Movers {
		if v.Up[name] {
			first = min(first, name)
		}
	}
	return first
}

// remover is who removes the record of a block that nobody has: its home, which must have nothing of it either, or where that has no
// Mover, the block's leader.
func (v *View) remover(b *schemas.BlockRecord) string {
	if v.Movers[b.Home] {
		return b.Home
	}
	return v.leader(b)
}

// newest is when the last line of a block was written, as far as that is known, and a window later: by
// then its log does not need it any more to know where it goes on.
func newest(b *schemas.BlockRecord) int64 {
	at := b.Window + b.Span
	if b.Timed {
		at = max(at, b.MaxTime)
	}
	return at + b.Span
}

// old says whether a block is to be retired.
func (v *View) old(b *schemas.BlockRecord) bool {
	at := newest(b)
	if v.Age > 0 && at < v.Now-v.Age {
		return true
	}
	return slices.ContainsFunc(b.Owners, func(o string) bool { return at < v.Cutoffs[o] })
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}

// inOrder are the owners and one more: first those whom the rule names, in its order.
func inOrder(want, owners []string, more string) []string {
	all := append(slices.Clone(owners), more)
	rank := func(name string) int {
		if i := slices.Index(want, name); i >= 0 {
			return i
		}
		return len(want)
	}
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return all
}

// nodesOf are the nodes of a roster that may own blocks. What a disk reads a second is measured ever anew, and is taken to the
// next power of two: else blocks would move for nothing.
func nodesOf(roster []schemas.Node) (nodes []placement.Node) {
	for i := range roster {
		n := &roster[i]
		if !n.Stores() || n.Store.Draining {
			continue
		}
		p := placement.Node{Name: n.Name, Capacity: n.Store.Capacity, DiskRate: power(n.Store.ReadRate)}
		if len(n.Groups) > 0 {
			p.Group = n.Groups[0]
		}
		nodes = append(nodes, p)
	}
	return nodes
}

// power is the power of two that is the nearest by ratio; 0 of what is not positive.
func power(n int64) float64 {
	if n <= 0 {
		return 0
	}
	p := math.Ldexp(1, bits.Len64(uint64(n))-1)
	if float64(n) > p*math.Sqrt2 {
		p *= 2
	}
	return p
}
