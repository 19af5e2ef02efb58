package indexer

import (
	"context"
	"testing"
	"time"
)

// paced is a pace of a tenth that does not wait, and how long it rested. A search runs from its first rest on,
// where begins is set.
func paced(begins bool) (p *pace, busy *bool, rests *[]time.Duration) {
	busy, rests = new(bool), new([]time.Duration)
	return &pace{share: 0.1, busy: func() bool { return *busy }, sleep: func(_ context.Context, d time.Duration) error {
		*rests = append(*rests, d)
		*busy = *busy || begins
		return nil
	}}, busy, rests
}

func near(d, want time.Duration) bool { return (d - want).Abs() < time.Millisecond }

const piece = 500 * time.Microsecond

// Without searches it works for some pieces and rests once: each rest costs as much as a piece.
func TestPaceRestsSeldom(t *testing.T) {
	p, _, rests := paced(false)
	sum := time.Duration(0)
	for range 240 {
		if err := p.worked(t.Context(), piece); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range *rests {
		sum += d
	}
	if len(*rests) != 20 || !near(sum, 240*9*piece) {
		t.Errorf("rested %v in %d rests, want %v in 20", sum, len(*rests), 240*9*piece)
	}
}

// A search meets one piece at most of what is being done, and then none for as long as its share says.
func TestPaceUnderASearch(t *testing.T) {
	p, busy, rests := paced(false)
	for range 3 { // less than what is rested after
		if err := p.worked(t.Context(), piece); err != nil {
			t.Fatal(err)
		}
	}
	*busy = true
	for range 3 {
		if err := p.worked(t.Context(), piece); err != nil {
			t.Fatal(err)
		}
	}
	if len(*rests) != 3 || !near((*rests)[0], 3*9*piece+399*piece) || !near((*rests)[2], 399*piece) {
		t.Errorf("rested %v", *rests)
	}
}

// A search that begins while the builder rests finds the processor free for as long as one that ran before.
func TestPaceWhenASearchBegins(t *testing.T) {
	p, _, rests := paced(true)
	for len(*rests) == 0 {
		if err := p.worked(t.Context(), piece); err != nil {
			t.Fatal(err)
		}
	}
	if len(*rests) != 2 || !near((*rests)[1], 390*piece) {
		t.Errorf("rested %v", *rests)
	}
}
