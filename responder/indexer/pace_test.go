package indexer

import (
	"context"
	"testing"
	"time"
)

// A search that begins while the builder rests finds the processor free for as long as one that ran before.
func TestPaceWhenASearchBegins(t *testing.T) {
	for _, begins := range []bool{false, true} {
		busy, rested := false, time.Duration(0)
		p := pace{share: 0.1, busy: func() bool { return busy }, sleep: func(_ context.Context, d time.Duration) error {
			rested += d
			busy = begins
			return nil
		}}
		for range 2 { // the first is too short to rest after
			if err := p.worked(t.Context(), 500*time.Microsecond); err != nil {
				t.Fatal(err)
			}
		}
		want := 9 * time.Millisecond
		if begins {
			want = 399 * time.Millisecond
		}
		if off := (rested - want).Abs(); off > time.Millisecond {
			t.Errorf("a search begins %v: rested %v, want %v", begins, rested, want)
		}
	}
}
