package requester

import (
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// TestTimeOrder runs seeds of time order over a network that loses frames, so that a watermark comes
// before the lines that it stands behind.
func TestTimeOrder(t *testing.T) {
	for seed := range uint64(40) {
		p := newPlan(seed)
		p.order, p.columns, p.mild, p.faults = schemas.OrderTime, schemas.ColumnTime, true, nil
		if seed%3 == 0 {
			p.columns |= schemas.ColumnGroup
		}
		p.nodes, p.size, p.batch, p.limit, p.rate = 3, 60_000, 1000, 0, 0
		p.loss, p.double, p.delay, p.block = 0.03, 0.05, 60*time.Millisecond, 0
		w := newWorld(p)
		w.run()
		if wrong := w.judge(); len(wrong) > 0 {
			t.Errorf("seed %d: %s", seed, strings.Join(wrong, "\n"))
		}
	}
}

// TestTimeOrderCredit holds a fleet whose window is small to coming through: whatever the others have
// queued, the node that all wait for can send.
func TestTimeOrderCredit(t *testing.T) {
	w := newWorld(plan{seed: 1, nodes: 700, size: 20_000, batch: 2000, order: schemas.OrderTime, columns: schemas.ColumnTime,
		window: 2 << 20, roster: RosterRegistered, delay: time.Millisecond, mild: true})
	w.run()
	for _, wrong := range w.judge() {
		t.Error(wrong)
	}
}
