package mover

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/placement"
	"github.com/trawl-logs/trawl/schemas"
)

const day = 24 * hour

// fleetOf is a View of node a: names in upper case are up, those with a minus are not in the roster, those
// with a plus have no Mover.
func fleetOf(replicas int, names ...string) *View {
	v := &View{Self: "a", Replicas: replicas, Roster: map[string]bool{}, Up: map[string]bool{}, Movers: map[string]bool{}, Gone: map[string]bool{}, Now: 1000 * day}
	for _, n := range names {
		name := strings.ToLower(strings.Trim(n, "-+"))
		v.Up[name] = strings.ToUpper(n) == n
		if strings.HasPrefix(n, "-") {
			v.Gone[name] = !v.Up[name]
			continue
		}
		v.Roster[name] = true
		v.Movers[name] = !strings.HasPrefix(n, "+")
		v.Nodes = append(v.Nodes, placement.Node{Name: name})
	}
	return v
}

// blockWanted is a block that the rule wants at nodes in this order.
func blockWanted(t *testing.T, v *View, want string) *schemas.BlockRecord {
	t.Helper()
	for i := range int64(10_000) {
		b := &schemas.BlockRecord{Home: "h", Service: "s", Window: 999 * day, Span: hour, Number: i}
		if strings.Join(v.want(b, v.Nodes), "") == want {
			return b
		}
	}
	t.Fatalf("no block is wanted at %s", want)
	return nil
}

// Each row is what node a does about a block that the rule wants at some nodes, that others own.
func TestDecide(t *testing.T) {
	const kept, retired = schemas.BlockKept, schemas.BlockRetired
	for _, c := range []struct {
		what   string
		nodes  string
		want   string
		owners string
		state  schemas.BlockState
		held   Holding
		doing  Kind
		after  string // owners
	}{
		{"it should have a copy", "A B C", "ab", "c", kept, Nothing, Copy, ""},
		{"it should have a copy, and nobody who has one is up", "A B c", "ab", "c", kept, Nothing, Keep, ""},
		{"it copied the block", "A B C", "ab", "c", kept, Whole, Enter, "ac"},
		{"it copied the block as the second one", "A B C", "ab", "cb", kept, Whole, Enter, "abc"},
		{"all is as it should be", "A B C", "ab", "ab", kept, Whole, Keep, ""},
		{"others have the block", "A B C", "bc", "abc", kept, Whole, Leave, "bc"},
		{"others have the block, and one of them is down", "A B c", "bc", "abc", kept, Whole, Keep, ""},
		{"one other has the block", "A B C", "bc", "ab", kept, Whole, Keep, ""},
		{"it left", "A B C", "bc", "bc", kept, Whole, Drop, ""},
		{"it left, and one owner is down", "A B c", "bc", "bc", kept, Whole, Keep, ""},
		{"it left, and one owner is gone", "A B C -d", "bc", "bd", kept, Whole, Enter, "bda"},
		{"it has lost the block", "A B C", "ab", "ab", kept, Nothing, Leave, "b"},
		{"it has lost the block, which nobody else has", "A B C", "ab", "a", kept, Nothing, Keep, ""},
		{"its copy is damaged", "A B C", "ab", "ab", kept, Damaged, Leave, "b"},
		{"its copy is damaged, and nobody else has one, as far as is known", "A B C", "ab", "a", kept, Damaged, Leave, ""},
		{"what it has is damaged, and another one has the block", "A B C", "ab", "b", kept, Damaged, Copy, ""},
		{"what it has is damaged, and nobody has the block", "A B C", "ab", "", kept, Damaged, Keep, ""},
		{"what it has is damaged, and those who should have the block have it", "A B C", "bc", "bc", kept, Damaged, Drop, ""},
		{"what it has is damaged, and one that should have the block has it not yet", "A B C", "bc", "b", kept, Damaged, Keep, ""},
		{"those who had the block lost it, and it has not dropped it yet", "A B C", "bc", "", kept, Whole, Enter, "a"},
		{"nobody searches what is damaged", "A B C", "ab", "ab", retired, Damaged, Drop, ""},
		{"its own block is away, and it should have it", "A B C", "ab", "bc", kept, Stub, Copy, ""},
		{"an owner is gone", "A B -c", "ab", "cab", kept, Whole, Forget, "ab"},
		{"an owner is not in the roster, and answers", "A B -C", "ab", "cab", kept, Whole, Keep, ""},
		{"an owner is gone, and another one leads", "A B -c", "ab", "bac", kept, Whole, Keep, ""},
		{"an owner is gone, and the first one has no Mover", "A +B -c", "ab", "bac", kept, Whole, Forget, "ba"},
		{"all owners are gone", "A -c", "a", "c", kept, Nothing, Keep, ""},
		{"b is down and never had it", "A b C", "cb", "c", kept, Nothing, Copy, ""},
		{"b is down and has it", "A b C", "cb", "cb", kept, Nothing, Keep, ""},
		{"it stands in for b, which is down", "A b C", "cb", "ca", kept, Whole, Keep, ""},
		{"nobody searches the block", "A B C", "ab", "ab", retired, Whole, Drop, ""},
		{"nobody searches the block, which it dropped", "A B C", "ab", "ab", retired, Nothing, Leave, "b"},
		{"nobody searches the block, which the last one dropped", "A B C", "ab", "a", retired, Nothing, Leave, ""},
		{"nobody searches the block, and nobody has it", "A B C", "ab", "", retired, Nothing, Remove, ""},
		{"nobody searches the block, and nobody has it, and another one leads", "C -B", "c", "", retired, Nothing, Keep, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			v := fleetOf(2, strings.Fields(c.nodes)...)
			b := blockWanted(t, v, c.want)
			b.Owners, b.State = strings.Split(c.owners, ""), c.state
			if c.owners == "" {
				b.Owners = nil
			}
			if c.nodes == "C -B" {
				v.Self, v.Up["b"] = "d", true
			}
			a := v.Decide(b, c.held)
			if after := strings.Join(a.Record.Owners, ""); a.Kind != c.doing || slices.Contains([]Kind{Enter, Leave, Forget}, c.doing) && after != c.after {
				t.Errorf("does %v, owners %s; want %v, %s", a.Kind, after, c.doing, c.after)
			}
		})
	}
}

// A block is retired a window after its age, by its leader, and where a node that has it has no room.
func TestRetire(t *testing.T) {
	v := fleetOf(1, "A", "B")
	b := blockWanted(t, v, "a")
	b.Owners, b.Timed, b.MinTime, b.MaxTime = []string{"a"}, true, b.Window, b.Window+hour-1
	v.Now = b.Window + 10*day
	for _, c := range []struct {
		age, cutoff int64
		doing       Kind
	}{
		{0, 0, Keep},
		{10 * day, 0, Keep},
		{10*day - 2*hour, 0, Keep}, // all its lines are older, and the window after
		{10*day - 2*hour - 1, 0, Retire},
		{0, b.Window + 2*hour, Keep},
		{0, b.Window + 2*hour + 1, Retire},
	} {
		v.Age, v.Cutoffs = c.age, map[string]int64{"a": c.cutoff}
		a := v.Decide(b, Whole)
		if a.Kind != c.doing || a.Kind == Retire && (a.Record.State != schemas.BlockRetired || a.Record.Since != v.Now) {
			t.Errorf("age %v, cutoff %v: %v", c.age, c.cutoff, a)
		}
	}
	if b.Owners = []string{"b", "a"}; v.Decide(b, Whole).Kind == Retire {
		t.Error("retired by one that does not lead")
	}
	if v.Up["b"] = false; v.Decide(b, Whole).Kind != Retire {
		t.Error("not retired by the first that is up")
	}
}

func TestCutoffs(t *testing.T) {
	u := usage{}
	for i := range int64(10) {
		u.add("a", &schemas.BlockRecord{Window: i * hour, Span: hour, Stored: 80}) // 100 with its index, old in hour i+2
	}
	for capacity, want := range map[int64]int64{0: 0, 2000: 0, 1120: 0, 1000: 4 * hour, 500: 8 * hour, 100: 12 * hour} {
		if got := u.cutoffs([]placement.Node{{Name: "a", Capacity: capacity}, {Name: "b", Capacity: 10}}); got["a"] != want || got["b"] != 0 {
			t.Errorf("of %d bytes: %v, not %d", capacity, got, want/hour)
		}
	}
}

// A node that takes copies as long as it may comes to have so many blocks that the oldest are retired.
func TestFullOfCopies(t *testing.T) {
	const most = 1000
	u, used := usage{}, int64(0)
	for i := int64(0); Fits(used, 8, most); i++ {
		used += Taken(8)
		u.add("a", &schemas.BlockRecord{Window: i * hour, Span: hour, Stored: 8})
	}
	if u.cutoffs([]placement.Node{{Name: "a", Capacity: most}})["a"] == 0 {
		t.Errorf("nothing is to go, with %d of %d bytes", used, most)
	}
}

// What is measured anew does not move blocks.
func TestPower(t *testing.T) {
	for n, want := range map[int64]float64{0: 0, -1: 0, 1: 1, 190e6: 1 << 28, 250e6: 1 << 28, 350e6: 1 << 28, 380e6: 1 << 29} {
		if got := power(n); got != want {
			t.Error(fmt.Sprint(n, " is taken for ", got, ", not ", want))
		}
	}
}

// BenchmarkDecide is what each block of the list costs a node of ten, in every look.
func BenchmarkDecide(b *testing.B) {
	v := fleetOf(2, "A", "B", "C", "D", "E", "F", "G", "H", "I", "J")
	block := &schemas.BlockRecord{Home: "b", Service: "s", Window: 999 * day, Span: hour, Owners: []string{"c", "d"}}
	msg := schemas.AppendBlockRecord(nil, block)
	for b.Loop() {
		block, err := schemas.DecodeBlockRecord(msg)
		if err != nil {
			b.Fatal(err)
		}
		v.Decide(block, Nothing)
	}
}

// The record of a retired block stays while its home has anything of it, a stub or the block: else the home would list
// it again, or say of its stub that it lacks a block that nobody has.
func TestRecordStaysForItsHome(t *testing.T) {
	for _, c := range []struct {
		home  string
		nodes string
		held  Holding
		doing Kind
	}{
		{"a", "A B", Nothing, Remove},
		{"a", "A B", Stub, Keep},
		{"a", "A B", Whole, Keep},
		{"b", "A B", Nothing, Keep}, // which b does
		{"b", "A b", Nothing, Keep},
		{"b", "A -b", Nothing, Remove},
		{"b", "A +b", Nothing, Remove},
	} {
		v := fleetOf(2, strings.Fields(c.nodes)...)
		b := &schemas.BlockRecord{Home: c.home, Service: "s", State: schemas.BlockRetired, Since: v.Now - keptRecord - 1}
		if a := v.Decide(b, c.held); a.Kind != c.doing {
			t.Errorf("a holds %v of a block of %s, nodes %s: it does %v, want %v", c.held, c.home, c.nodes, a.Kind, c.doing)
		}
	}
}
