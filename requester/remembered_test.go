package requester_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/schemas"
)

// memory is a roster that remembers some nodes, and knows others when it is asked.
type memory struct {
	requester.GivenRoster // what Known returns
	remembered            []string
	holds                 bool
	err                   error
	asked                 int // how often Known was
}

func (m *memory) Known(ctx context.Context) ([]schemas.Node, requester.RosterKind, error) {
	m.asked++
	return m.GivenRoster.Known(ctx)
}

func (m *memory) Remembered() ([]schemas.Node, requester.RosterKind, requester.Holds, bool) {
	nodes, _, _ := requester.GivenRoster(m.remembered).Known(context.Background()) // never fails
	return nodes, requester.RosterRegistered, func(context.Context) (bool, error) { return m.holds, m.err }, len(nodes) > 0
}

// A query goes by what the roster remembers if that holds; else it begins anew, and counts no node that it asked before.
func TestRememberedRoster(t *testing.T) {
	for _, c := range []struct {
		about  string
		roster memory
		nodes  string // that the receipt has
		asked  int
		quits  int
	}{
		{"it holds", memory{remembered: []string{"node1", "node2"}, holds: true}, "node1 node2", 0, 0},
		{"there is one more", memory{remembered: []string{"node1"}}, "node1 node2", 1, 1},
		{"there is one less", memory{remembered: []string{"node1", "node2", "node3"}}, "node1 node2", 1, 1},
		{"nothing is remembered", memory{holds: true}, "node1 node2", 1, 0},
		{"none that the query is for is remembered", memory{remembered: []string{"web1"}, holds: true}, "node1 node2", 1, 0},
	} {
		f, known := bigFleet(2, 10)
		c.roster.GivenRoster = known
		q := requester.NewQuery("line")
		q.Select.Nodes = []string{"node*"}
		a := query(t, requester.New(f, &c.roster), q)
		first := a.Query().ID
		for range a.Chunks() {
			// Its lines are in the receipt.
		}
		var nodes []string
		r := a.Receipt()
		for _, n := range r.Nodes {
			if n.Unexpected {
				t.Errorf("%s: %s was not expected", c.about, n.Node)
			}
			nodes = append(nodes, n.Node)
		}
		if got := strings.Join(nodes, " "); got != c.nodes || !r.Complete || r.Lines != 20 || c.roster.asked != c.asked || f.quits != c.quits {
			t.Errorf("%s: the roster was read %d times, %d queries cancelled; %s", c.about, c.roster.asked, f.quits, r.Text())
		}
		if c.quits > 0 && first == f.cancelled {
			t.Errorf("%s: the query has the id of the one that was cancelled", c.about)
		}
	}
}

// Where nobody says that it holds, the query fails as if the roster could not be read, and the nodes hear of it.
func TestRememberedRosterThatCannotBeHeld(t *testing.T) {
	f, known := bigFleet(2, 10)
	silent := errors.New("JetStream does not answer")
	m := &memory{GivenRoster: known, remembered: known, err: silent}
	if _, err := requester.New(f, m).Query(t.Context(), requester.NewQuery("line")); !errors.Is(err, silent) || f.quits != 1 || m.asked != 0 {
		t.Errorf("%v; %d queries cancelled, the roster was read %d times", err, f.quits, m.asked)
	}
}
