package bus_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

// What was read a moment ago is remembered; whatever is written into the bucket since, a record of a node that
// was known included, says that it does not hold.
func TestRememberedRoster(t *testing.T) {
	bustest.NoLeaks(t)
	b := bustest.Start(t)
	conn := b.Connect("alice")
	if r, ok := conn.Remembered(); ok {
		t.Errorf("remembers %+v", r)
	}
	remembered := func(want string) bus.Remembered {
		t.Helper()
		if got := names(roster(t, conn)); got != want {
			t.Errorf("roster of %s, want %s", got, want)
		}
		r, ok := conn.Remembered()
		var got bus.Roster
		for _, n := range r.Nodes {
			got.Nodes = append(got.Nodes, bus.Known{Node: n})
		}
		if !ok || names(got) != want {
			t.Errorf("remembers %s (%t), want %s", names(got), ok, want)
		}
		return r
	}
	holds := func(r bus.Remembered, want bool) {
		t.Helper()
		if got, err := r.Holds(t.Context()); err != nil || got != want {
			t.Errorf("holds: %t, %v; want %t", got, err, want)
		}
	}
	n1 := serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	bustest.Eventually(t, "n1 is registered", n1.service.Registered)
	r := remembered("n1")
	holds(r, true)
	leaving := record("n2")
	leaving.Ephemeral = true
	n2 := serve(t, b.Connect("root", bustest.AsResponder), leaving)
	bustest.Eventually(t, "n2 is registered", n2.service.Registered)
	holds(r, false)
	r = remembered("n1 n2")
	holds(r, true)
	nc, err := nats.Connect(b.URL())
	must(t, err)
	t.Cleanup(nc.Close)
	again := record("n1")
	again.Groups = []string{"another"}
	_, err = nc.RequestWithContext(t.Context(), "$KV."+bus.RosterBucket+".n1", schemas.AppendNode(nil, &again))
	must(t, err)
	holds(r, false)
	remembered("n1 n2")

	conn.Ahead(3 * time.Second)
	if _, ok := conn.Remembered(); ok {
		t.Error("remembers for 3 s")
	}
	conn.Ahead(0)
	r = remembered("n1 n2")
	n2.close() // and leaves the roster, as it is ephemeral
	holds(r, false)
	remembered("n1")
	_, err = conn.Forget(t.Context(), "n1")
	must(t, err)
	if _, ok := conn.Remembered(); ok {
		t.Error("remembers what it was told to forget")
	}
}

// Without a bucket there is nothing that could hold.
func TestDiscoveredRosterIsNotRemembered(t *testing.T) {
	b := bustest.Start(t, bustest.NoJetStream)
	serve(t, b.Connect("root", bustest.AsResponder), record("n1"))
	conn := b.Connect("alice")
	if r := roster(t, conn); r.Kind != bus.Discovered {
		t.Fatalf("%s roster", r.Kind)
	}
	if r, ok := conn.Remembered(); ok {
		t.Errorf("remembers %+v", r)
	}
}
