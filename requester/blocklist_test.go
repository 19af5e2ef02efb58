package requester_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/schemas"
)

// storeRoster is nodes that are sealed up to 100, and have a list of their blocks.
type storeRoster struct {
	names  []string
	blocks []*schemas.BlockRecord
	err    error
	filter schemas.BlockFilter // of the last reading
	read   int
	bare   string // nodes that have no part in the store
}

func (s *storeRoster) Known(context.Context) (nodes []schemas.Node, kind requester.RosterKind, err error) {
	for _, name := range s.names {
		n := schemas.Node{Name: name, Instance: "i", Services: []string{"s"}, Store: &schemas.NodeStore{Capacity: 1, Services: []schemas.SealedService{{Service: "s", Until: 100}}}}
		if strings.Contains(s.bare, name) {
			n.Store = &schemas.NodeStore{Listed: schemas.NeverListed}
		}
		nodes = append(nodes, n)
	}
	return nodes, requester.RosterRegistered, nil
}

func (s *storeRoster) Blocks(_ context.Context, f schemas.BlockFilter, take func(*schemas.BlockRecord, uint64)) (uint64, error) {
	s.read, s.filter = s.read+1, f
	for _, b := range s.blocks {
		take(b, 3)
	}
	if len(s.blocks) == 0 {
		return 0, s.err
	}
	return 7, s.err
}

// A query is planned from the list where nodes have a part in it: the lines bear the name of who wrote them, though
// the first owner is down. Where there is no list, every node is asked, and it is said; where nobody has a part in
// it, it is not read.
func TestBlockList(t *testing.T) {
	block := &schemas.BlockRecord{ID: schemas.BlockID{1}, Home: "a", Service: "s", Timed: true, MinTime: 1, MaxTime: 9, Stored: 1, Owners: []string{"b", "c"}}
	for name, c := range map[string]struct {
		roster   storeRoster
		hits     string
		statuses string
		trouble  string
		reads    int
	}{
		"planned":                          {storeRoster{blocks: []*schemas.BlockRecord{block}}, "a:line 1 a:line 2", "a:pruned b:down! c:complete", "", 1},
		"unreachable":                      {storeRoster{blocks: []*schemas.BlockRecord{block}, err: errors.New("block list: no answer")}, "c:line 1 c:line 2", "a:complete b:down c:complete", "no answer", 1},
		"lost":                             {storeRoster{}, "c:line 1 c:line 2", "a:complete b:down c:complete", "nodes say that they have listed blocks", 1},
		"no store":                         {storeRoster{bare: "abc"}, "c:line 1 c:line 2", "a:complete b:down c:complete", "", 0},
		"a home that has no part any more": {storeRoster{bare: "a", blocks: []*schemas.BlockRecord{block}}, "a:line 1 a:line 2", "a:complete b:down! c:complete", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fleet{logs: map[string]string{"a": "", "c": "line 1\nline 2\n"}}
			c.roster.names = []string{"a", "b", "c"}
			q := requester.NewQuery("line")
			q.Until, q.Select.Nodes, q.Select.Services = 50, []string{"a", "b", "c"}, []string{"s"}
			a := query(t, requester.New(f, &c.roster, requester.WithBlockList(&c.roster), requester.WithOKPartial()), q)
			var hits, statuses []string
			for h, err := range a.Hits() {
				if err != nil {
					t.Fatal(err)
				}
				if h.Offset != -1 {
					t.Errorf("offset %d, which nobody asked for", h.Offset)
				}
				hits = append(hits, h.Node+":"+string(h.Text))
			}
			r := a.Receipt()
			trouble := ""
			if r.Store != nil {
				trouble = r.Store.Error
			}
			for _, n := range r.Nodes {
				sealed := ""
				if n.Sealed {
					sealed = "!"
				}
				statuses = append(statuses, fmt.Sprintf("%s:%s%s", n.Node, n.Status, sealed))
			}
			if got := strings.Join(hits, " "); got != c.hits {
				t.Errorf("hits %s, want %s", got, c.hits)
			}
			if got := strings.Join(statuses, " "); got != c.statuses {
				t.Errorf("nodes %s, want %s", got, c.statuses)
			}
			if !strings.Contains(trouble, c.trouble) || trouble != "" && c.trouble == "" || c.roster.read != c.reads {
				t.Errorf("trouble %q, the list was read %d times", trouble, c.roster.read)
			}
			if c.reads > 0 && (len(c.roster.filter.Services) != 1 || c.roster.filter.Until != 50) {
				t.Errorf("filter %+v", c.roster.filter)
			}
			if trouble != "" && !strings.Contains(r.Text(), "  block list: "+trouble) || strings.Contains(r.Text(), "block list: block list") {
				t.Errorf("it is not said:\n%s", r.Text())
			}
		})
	}
}

// An answer without the list is not complete, though every node answered in full: a block may be read twice, or not.
func TestAnswerWithoutBlockList(t *testing.T) {
	for name, roster := range map[string]storeRoster{"no answer": {err: errors.New("no answer")}, "nodes say": {}} {
		for pattern, exits := range map[string][2]int{"line": {requester.ExitMatchPartial, requester.ExitMatch}, "absent": {requester.ExitNonePartial, requester.ExitNone}} {
			roster.names = []string{"a", "c"}
			f := &fleet{logs: map[string]string{"a": "line 1\n", "c": "line 2\n"}}
			if pattern == "absent" {
				f.logs["a"], f.logs["c"] = "", ""
			}
			a := query(t, requester.New(f, &roster, requester.WithBlockList(&roster)), requester.NewQuery(pattern))
			var last error
			for _, err := range a.Hits() {
				last = err
			}
			r := a.Receipt()
			if r.Complete || !r.Trouble() || r.Exit(false) != exits[0] || r.Exit(true) != exits[1] {
				t.Errorf("%s, %s: complete %t, trouble %t, exit %d or %d", name, pattern, r.Complete, r.Trouble(), r.Exit(false), r.Exit(true))
			}
			var incomplete *requester.IncompleteError
			if !errors.As(last, &incomplete) || !strings.Contains(last.Error(), "block list") || !strings.Contains(last.Error(), name) {
				t.Errorf("%s, %s: %v", name, pattern, last)
			}
			for _, n := range r.Nodes {
				if n.Status != schemas.StatusComplete {
					t.Errorf("%s, %s: %+v", name, pattern, n)
				}
			}
		}
	}
}

// A query that the bus would not carry with its plan is refused before anything is sent.
func TestPlanThatIsTooLong(t *testing.T) {
	roster := storeRoster{names: []string{"a", "b"}}
	for i := range 16_000 {
		b := &schemas.BlockRecord{Home: "a", Service: "s", Timed: true, MinTime: 1, MaxTime: 9, Stored: 1, Owners: []string{"b"}}
		b.ID[0], b.ID[1] = byte(i), byte(i>>8)
		roster.blocks = append(roster.blocks, b)
	}
	f := &fleet{logs: map[string]string{"a": "", "b": ""}}
	for _, c := range []struct {
		length, most int
		refused      bool
	}{{100_000, 0, false}, {schemas.MaxBare - 400, 0, false}, {100_000, 400_000, false}, {180_000, 400_000, true}} {
		length, refused := c.length, c.refused
		f.most = c.most
		q := requester.NewQuery(strings.Repeat("x", length))
		a, err := requester.New(f, &roster, requester.WithBlockList(&roster)).Query(t.Context(), q)
		if err == nil {
			a.Close()
		}
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "--since") {
			t.Errorf("a pattern of %d bytes: %v", length, err)
		}
	}
}
