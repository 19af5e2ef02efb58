package responder

import (
	"context"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/schemas"
)

// panickingFleet panics once it is asked, and says so before.
type panickingFleet struct {
	Fleet
	asked func()
}

func (f *panickingFleet) Draining(context.Context) (bool, error) {
	f.asked()
	panic("a bug in the fleet")
}

func (f *panickingFleet) Blocks(context.Context, schemas.BlockFilter, func(*schemas.BlockRecord, uint64)) (uint64, error) {
	f.asked()
	panic("a bug in the list")
}

// A panic in what a node does by itself about sealed blocks is logged, and does not end its process.
func TestPanicsInTheBackground(t *testing.T) {
	n := sealedFleet(t, 64, map[string]string{"a.log": ""})
	for what, f := range map[string]func(*moving, context.Context){
		"a bug in the fleet": func(m *moving, ctx context.Context) { n.r.keepOffering(ctx, m.fleet) },
		"a bug in the list": func(m *moving, ctx context.Context) {
			before := ""
			if m.tryRestore(ctx, &before) || before != errInternal.Error() {
				t.Errorf("restored after a panic, %q", before)
			}
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		fleet := &panickingFleet{asked: func() {}}
		if what == "a bug in the fleet" {
			fleet.asked = cancel // it looks once
		}
		m := &moving{r: n.r, fleet: n.r.Offer(fleet)}
		m.disk = newMovingDisk(n.r, m.fleet)
		f(m, ctx)
		cancel()
		if said := n.said.String(); !strings.Contains(said, what) || !strings.Contains(said, "guard_test.go") {
			t.Errorf("the log does not tell of it: %s", said)
		}
	}
}
