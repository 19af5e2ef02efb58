package responder

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// A checkup, which is what trawl doctor --local makes of a responder, neither wants the sealed blocks for
// itself nor changes them: the node that has them may be running.
func TestCheckupLeavesSealedBlocksAlone(t *testing.T) {
	n := sealedFleet(t, 64, map[string]string{"a.log": drawLog(rand.New(rand.NewPCG(8, 9)), 200)})
	n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	half := filepath.Join(n.state, "sealed", "half.sealed.tmp")
	write(t, half, "half a block")
	look := func(state string) *schemas.Checkup {
		t.Helper()
		c := *n.r.config
		c.State = state
		r, err := New(&c, "test", slog.New(slog.DiscardHandler), PublishFunc(func(Key, []byte) error { return nil }), func() {})
		if err != nil {
			t.Fatal(err)
		}
		return r.Checkup(context.Background())
	}
	if c := look(n.state); len(c.Sources) != 1 || c.Sources[0].Files != 1 || len(c.Problems) != 0 {
		t.Errorf("beside the node: %+v", c)
	}
	if _, err := os.Stat(half); err != nil {
		t.Errorf("the checkup took away what the node was making: %v", err)
	}
	state := t.TempDir()
	look(state)
	if left, _ := os.ReadDir(state); len(left) != 0 {
		t.Errorf("the checkup left %v", left)
	}
}

// A node that has not opened its sealed blocks yet does not answer as if there were none.
func TestNoAnswerBeforeSealedBlocksAreOpen(t *testing.T) {
	n := sealedFleet(t, 64, map[string]string{"a.log": drawLog(rand.New(rand.NewPCG(8, 10)), 200)})
	n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	f, _ := newFleet(t, func(c *Config) { c.State, c.Sources = t.TempDir(), n.r.config.Sources }, nil)
	defer f.r.stop()
	early := &indexed{fleet: f}
	if _, end := early.found(query("early", "id=")); end.Status != schemas.StatusError || !strings.Contains(end.Reason, "not open") {
		t.Errorf("before: %+v", end)
	}
	if _, _, err := f.r.Scan(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer f.r.sealing.store.Close()
	if _, end := early.found(query("late", "id=")); end.Status != schemas.StatusComplete || end.Lines != 200 {
		t.Errorf("afterwards: %+v", end)
	}
}
