package bus_test

import (
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

// The largest query that may be reaches a node through a server as it is without a configuration, and one that takes less
// is told of before anything is sent.
func TestLargestQuery(t *testing.T) {
	for config, most := range map[string]int{"": schemas.MaxQuery, "max_payload: 100KB": 100<<10 - 1<<10} {
		var options []bustest.Option
		if config != "" {
			options = append(options, bustest.Config(config))
		}
		b := bustest.Start(t, options...)
		n := serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
		a := ask(t, b.Connect("alice"), "q1")
		if got := a.scatter.MaxQuery(); got != most {
			t.Errorf("%q: a query may have %d bytes, want %d", config, got, most)
		}
		q := a.query
		q.Trace = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
		q.Plan = &schemas.Plan{Leave: make([]schemas.BlockID, (most-300)/16)}
		q.Select.Paths = []string{"x"}
		q.Server = strings.Repeat("x", schemas.MaxToken) // the session fills it in
		length := most - len(schemas.AppendQuery(nil, q)) + 1
		q.Select.Paths[0] = strings.Repeat("x", length)
		q.Select.Paths[0] = q.Select.Paths[0][:length-(len(schemas.AppendQuery(nil, q))-most)]
		if size := len(schemas.AppendQuery(nil, q)); size != most {
			t.Fatalf("%q: the query has %d bytes, not %d", config, size, most)
		}
		must(t, a.session.AskNode("n1", q))
		bustest.Eventually(t, "the query", n.has(func(n *node) bool { return contains(n.queries, "alice/q1") }))
		q.Select.Paths[0] += strings.Repeat("x", 100)
		if err := a.session.AskNode("n1", q); err == nil || !strings.Contains(err.Error(), "bytes") {
			t.Errorf("%q: a larger one: %v", config, err)
		}
	}
}
