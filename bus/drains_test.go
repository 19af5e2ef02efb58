package bus_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

// A node drains until that is undone; nobody takes what says so for a block.
func TestNodesThatDrain(t *testing.T) {
	conn := bustest.StartInProcess(t).Connect("admin")
	draining := func() []string {
		t.Helper()
		nodes, err := conn.Draining(t.Context())
		must(t, err)
		for _, node := range []string{"web1", "web2"} {
			if is, err := conn.Drains(t.Context(), node); err != nil || is != slices.Contains(nodes, node) {
				t.Errorf("%s drains: %v, %v; of all: %v", node, is, err, nodes)
			}
		}
		return nodes
	}
	if nodes := draining(); len(nodes) != 0 {
		t.Errorf("without a block list drain %v", nodes)
	}
	if err := conn.Drain(t.Context(), "web1", true); !errors.Is(err, bus.ErrNoBlockList) {
		t.Errorf("drained without a block list: %v", err)
	}
	put(t, conn, block(1, "api", "web1", midday, midday), 0)
	for range 2 {
		for _, node := range []string{"web2", "web1", "web1"} {
			must(t, conn.Drain(t.Context(), node, true))
		}
		if nodes := draining(); !slices.Equal(nodes, []string{"web1", "web2"}) {
			t.Errorf("web1 and web2 drain: %v", nodes)
		}
		if ids, _ := listed(t, conn, schemas.BlockFilter{}); len(ids) != 1 {
			t.Errorf("the list has %v", ids)
		}
		must(t, conn.Drain(t.Context(), "web1", false))
		must(t, conn.Drain(t.Context(), "web1", false))
		if nodes := draining(); !slices.Equal(nodes, []string{"web2"}) {
			t.Errorf("web2 drains: %v", nodes)
		}
	}
	if err := conn.Drain(t.Context(), "no token", true); err == nil {
		t.Error("a node that cannot be drains")
	}
}

// A node that is forgotten while it drains does not drain when one of its name joins.
func TestForgottenNodesDrainNoMore(t *testing.T) {
	b := bustest.Start(t)
	_, kv := stranger(t, b)
	r := record("web1")
	_, err := kv.Put(t.Context(), "web1", schemas.AppendNode(nil, &r))
	must(t, err)
	conn := b.Connect("admin")
	put(t, conn, block(1, "api", "web1", midday, midday), 0)
	must(t, conn.Drain(t.Context(), "web1", true))
	if removed, err := conn.Forget(t.Context(), "web1"); err != nil || len(removed) != 1 {
		t.Fatalf("removed %q, %v", removed, err)
	}
	if is, err := conn.Drains(t.Context(), "web1"); err != nil || is {
		t.Errorf("it drains: %v, %v", is, err)
	}
}
