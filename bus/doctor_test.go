package bus_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

// With the documented permissions a node can be asked for a checkup, by the user whose subject it is.
func TestCheckup(t *testing.T) {
	b := documented(t)
	ann := b.Connect("ann", as("ann"))
	serve(t, b.Connect("web1", bustest.AsResponder, as("web1")), record("web1"))
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	for _, sources := range []bool{false, true} {
		c, err := ann.Checkup(ctx, "web1", &schemas.CheckupRequest{Sources: sources})
		must(t, err)
		if c.Name != "web1" || (c.User == "test") != sources {
			t.Errorf("%+v", c.Checkup)
		}
		if ahead, within := c.Skew(); ahead.Abs() > within || within > time.Minute {
			t.Errorf("on one clock the skew is %v ± %v", ahead, within)
		}
	}
	if _, err := ann.Checkup(ctx, "web2", &schemas.CheckupRequest{}); !errors.Is(err, bus.ErrNoCheckup) {
		t.Error(err)
	}
	h, err := ann.Health(ctx)
	must(t, err)
	if len(h.Refused) > 0 || h.RoundTrip <= 0 || !strings.HasPrefix(h.URL, "nats://") || h.Server == "" {
		t.Errorf("%+v", h)
	}
	// One that says it is ann, and is web1: what it may not do is found (a node may ping others), and it gets no checkup.
	h, err = b.Connect("ann", as("web1")).Health(ctx)
	must(t, err)
	var refused []string
	for _, r := range h.Refused {
		refused = append(refused, r.What)
	}
	if got := strings.Join(refused, ", "); got != "hear answers, ask all nodes, ask one node, control an answer, end a query, ask a node for a checkup" {
		t.Errorf("refused: %s", got)
	}
}

func TestSkew(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	c := bus.Checkup{
		Checkup: &schemas.Checkup{Received: at.Add(5*time.Second + 3*time.Millisecond).UnixNano(), Sent: at.Add(6*time.Second + 3*time.Millisecond).UnixNano()},
		Asked:   at, Came: at.Add(time.Second + 4*time.Millisecond),
	}
	if ahead, within := c.Skew(); ahead != 5*time.Second+time.Millisecond || within != 2*time.Millisecond {
		t.Errorf("%v ± %v", ahead, within)
	}
}
