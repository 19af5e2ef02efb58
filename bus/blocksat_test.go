package bus_test

import (
	"errors"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

// The revision of the list is told without reading it, and the server's time with it.
func TestBlocksAt(t *testing.T) {
	bustest.NoLeaks(t)
	conn := bustest.StartInProcess(t).Connect("web1")
	if _, _, err := conn.BlocksAt(t.Context()); !errors.Is(err, bus.ErrNoBlockList) {
		t.Fatalf("before there is a list: %v", err)
	}
	for i := range 3 {
		at := put(t, conn, block(i, "s", "web1", midday, midday+1), 0)
		if i == 2 {
			must(t, conn.Drain(t.Context(), "web1", true)) // that is written to the same bucket
			at++
		}
		before := time.Now()
		revision, now, err := conn.BlocksAt(t.Context())
		must(t, err)
		whole, err := conn.Blocks(t.Context(), schemas.BlockFilter{}, func(*schemas.BlockRecord, uint64) {})
		must(t, err)
		if revision != at || whole != at || now.Before(before.Add(-time.Minute)) || now.After(time.Now().Add(time.Minute)) {
			t.Errorf("revision %d at %v; read, %d; written, %d", revision, now, whole, at)
		}
	}
}
