// Package relations knows which services call which: the graph along which a request's lines are followed
// and blocks are placed.
//
// A Config names where that is known: calls that stand in the configuration, Prometheus with the metrics of
// Istio or of OpenTelemetry's service graph, Jaeger. Its Collect asks all of them, keeps what each
// answered on disk, and merges the answers into one Graph. A source that fails, or that answers in part,
// counts with what it knew last; its Report says so, and how old that is.
package relations

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Call says that one service calls another, and how often, as far as the source counts: in Prometheus
// over the configured window, in Jaeger over its lookback. 0: not counted.
type Call struct {
	Caller string  `json:"caller"`
	Callee string  `json:"callee"`
	Count  float64 `json:"count"`
}

// Graph is a set of services and the calls between them. It is never changed.
type Graph struct {
	services []string // sorted
	calls    []Call   // by caller and callee
	callees  map[string][]string
	callers  map[string][]string
}

// NewGraph makes a graph of calls and of services that need not be in any. Calls of the same pair become one
// with the highest count, since two sources count the same calls; what a service calls of itself is left out.
func NewGraph(calls []Call, services ...string) *Graph {
	type pair struct{ caller, callee string }
	counts, known := map[pair]float64{}, map[string]bool{}
	for _, s := range services {
		known[s] = true
	}
	for _, c := range calls {
		known[c.Caller], known[c.Callee] = true, true
		if c.Caller != c.Callee {
			p := pair{c.Caller, c.Callee}
			counts[p] = max(counts[p], c.Count)
		}
	}
	g := &Graph{services: slices.Sorted(maps.Keys(known)), callees: map[string][]string{}, callers: map[string][]string{}}
	for p, n := range counts {
		g.calls = append(g.calls, Call{p.caller, p.callee, n})
	}
	slices.SortFunc(g.calls, func(a, b Call) int {
		return cmp.Or(strings.Compare(a.Caller, b.Caller), strings.Compare(a.Callee, b.Callee))
	})
	for _, c := range g.calls {
		g.callees[c.Caller] = append(g.callees[c.Caller], c.Callee)
		g.callers[c.Callee] = append(g.callers[c.Callee], c.Caller)
	}
	return g
}

// Services returns the names of all services, sorted.
func (g *Graph) Services() []string { return g.services }

// Calls returns all calls, sorted by caller and callee.
func (g *Graph) Calls() []Call { return g.calls }

// Callees returns the services that a service calls, sorted.
func (g *Graph) Callees(service string) []string { return g.callees[service] }

// Callers returns the services that call a service, sorted.
func (g *Graph) Callers(service string) []string { return g.callers[service] }

// Knows tells whether a service is in the graph.
func (g *Graph) Knows(service string) bool {
	_, found := slices.BinarySearch(g.services, service)
	return found
}

// Related tells whether one of two services calls the other.
func (g *Graph) Related(a, b string) bool {
	return slices.Contains(g.callees[a], b) || slices.Contains(g.callees[b], a)
}

// Roots returns the services where requests can enter, sorted: those that nobody calls, and of services that
// call each other in a circle, which nobody outside calls, all. From the roots every service can be reached.
func (g *Graph) Roots() []string {
	reached := map[string]bool{}
	var roots []string
	for _, s := range g.services {
		if len(g.callers[s]) == 0 {
			roots = append(roots, s)
			g.reach(s, g.callees, reached)
		}
	}
	for _, s := range g.services {
		if reached[s] {
			continue
		}
		// Who reaches s is in its circle, or s is not in one that nobody outside calls.
		above, below := map[string]bool{}, map[string]bool{}
		g.reach(s, g.callers, above)
		g.reach(s, g.callees, below)
		circle := true
		for a := range above {
			circle = circle && below[a]
		}
		if circle {
			roots = append(roots, s)
		}
	}
	slices.Sort(roots)
	return roots
}

// Reachable returns the given services and all that can be reached from them, sorted.
func (g *Graph) Reachable(from ...string) []string {
	reached := map[string]bool{}
	for _, s := range from {
		g.reach(s, g.callees, reached)
	}
	return slices.Sorted(maps.Keys(reached))
}

// reach adds from and what the arrows lead to.
func (g *Graph) reach(from string, arrows map[string][]string, reached map[string]bool) {
	waiting := []string{from}
	for len(waiting) > 0 {
		s := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		if reached[s] {
			continue
		}
		reached[s] = true
		waiting = append(waiting, arrows[s]...)
	}
}

// WriteDOT writes the graph in the language of Graphviz's dot; calls that were counted have their count
// beside the arrow.
func (g *Graph) WriteDOT(w io.Writer) error {
	var b strings.Builder
	b.WriteString("digraph relations {\n  rankdir=LR;\n  node [shape=box];\n")
	for _, s := range g.services {
		fmt.Fprintf(&b, "  %s;\n", quoteDOT(s))
	}
	for _, c := range g.calls {
		fmt.Fprintf(&b, "  %s -> %s", quoteDOT(c.Caller), quoteDOT(c.Callee))
		if c.Count > 0 {
			fmt.Fprintf(&b, " [label=\"%.0f\"]", c.Count)
		}
		b.WriteString(";\n")
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// quoteDOT quotes a name: in quotes only the quote itself and the backslash mean anything.
func quoteDOT(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}
