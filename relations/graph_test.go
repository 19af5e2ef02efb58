package relations

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// graph reads "a>b b>c d".
func graph(text string) *Graph {
	var calls []Call
	var services []string
	for word := range strings.FieldsSeq(text) {
		if caller, callee, ok := strings.Cut(word, ">"); ok {
			calls = append(calls, Call{Caller: caller, Callee: callee})
		} else {
			services = append(services, word)
		}
	}
	return NewGraph(calls, services...)
}

func TestRoots(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		"a":                            "a",
		"a>b b>c":                      "a",
		"a>c b>c d":                    "a b d",
		"a>b b>a":                      "a b", // a circle that nobody calls
		"a>b b>a x>a":                  "x",   // a circle that somebody calls
		"a>b b>a b>c c>d d>c":          "a b", // the second circle is called by the first
		"a>b b>c c>a d>e e>d":          "a b c d e",
		"a>a":                          "a", // calls of itself do not count
		"r>a a>b b>a c>d d>c d>b z>z2": "c d r z",
	} {
		if got := strings.Join(graph(text).Roots(), " "); got != want {
			t.Errorf("%q: roots %q, want %q", text, got, want)
		}
	}
}

// From the roots everything is reached, and nobody outside its circle calls a root.
func TestRootsReachAll(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := 1 + r.IntN(12)
		var calls []Call
		var names []string
		for i := range n {
			names = append(names, strconv.Itoa(i))
		}
		for range r.IntN(2 * n) {
			calls = append(calls, Call{Caller: names[r.IntN(n)], Callee: names[r.IntN(n)]})
		}
		g := NewGraph(calls, names...)
		roots := g.Roots()
		if got := g.Reachable(roots...); !slices.Equal(got, g.Services()) {
			t.Fatalf("seed %d: from %v only %v of %v are reached", seed, roots, got, g.Services())
		}
		for _, root := range roots {
			for _, caller := range names {
				if slices.Contains(g.Reachable(caller), root) && !slices.Contains(g.Reachable(root), caller) {
					t.Fatalf("seed %d: root %s is called from outside its circle, by way of %s", seed, root, caller)
				}
			}
		}
	}
}

func TestGraph(t *testing.T) {
	g := NewGraph([]Call{{"b", "c", 1}, {"a", "b", 2}, {"a", "b", 7}, {"a", "c", 0}, {"c", "c", 9}}, "z")
	if got := g.Calls(); !slices.Equal(got, []Call{{"a", "b", 7}, {"a", "c", 0}, {"b", "c", 1}}) {
		t.Error(got)
	}
	if got := g.Services(); !slices.Equal(got, []string{"a", "b", "c", "z"}) {
		t.Error(got)
	}
	if !slices.Equal(g.Callees("a"), []string{"b", "c"}) || !slices.Equal(g.Callers("c"), []string{"a", "b"}) || g.Callees("z") != nil {
		t.Error(g.Callees("a"), g.Callers("c"), g.Callees("z"))
	}
	if !g.Knows("z") || g.Knows("y") || !g.Related("b", "a") || !g.Related("a", "b") || g.Related("a", "z") {
		t.Error("knows or related")
	}
}

func TestDOT(t *testing.T) {
	var b strings.Builder
	if err := NewGraph([]Call{{`a"x`, `b\`, 12.6}, {"b", "c", 0}}).WriteDOT(&b); err != nil {
		t.Fatal(err)
	}
	want := "digraph relations {\n  rankdir=LR;\n  node [shape=box];\n" +
		"  \"a\\\"x\";\n  \"b\";\n  \"b\\\\\";\n  \"c\";\n" +
		"  \"a\\\"x\" -> \"b\\\\\" [label=\"13\"];\n  \"b\" -> \"c\";\n}\n"
	if b.String() != want {
		t.Errorf("got %s\nwant %s", b.String(), want)
	}
}
