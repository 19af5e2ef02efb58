package main

import (
	"testing"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// What was left out is told once, at most once a second, whatever messages come twice or not at all.
func TestWatchTellsWhatWasLeftOut(t *testing.T) {
	at := time.Unix(1e9, 0)
	var c liveCounts
	for i, test := range []struct {
		run, seq                        uint64
		after                           time.Duration
		matched, sampled, limited, lost int64
		want                            string
	}{
		{run: 1, seq: 5, matched: 100, sampled: 50, limited: 20, lost: 1}, // was left out before we came
		{run: 1, seq: 6, after: 2 * time.Second, matched: 110, sampled: 51, limited: 20, lost: 1, want: "1 line left out by sampling"},
		{run: 1, seq: 7, matched: 120, sampled: 51, limited: 22, lost: 1},                         // within the second
		{run: 1, seq: 6, after: 2 * time.Second, matched: 110, sampled: 51, limited: 20, lost: 1}, // came again
		{run: 1, seq: 10, after: 2 * time.Second, matched: 130, sampled: 51, limited: 23, lost: 4, want: "3 lines left out by the rate limit, 3 lines lost while the bus was away, 2 messages did not arrive"},
		{run: 2, seq: 1, after: 2 * time.Second, matched: 5, limited: 5, want: "5 lines left out by the rate limit"}, // the node has restarted
		{run: 2, seq: 2, after: 2 * time.Second, matched: 6, limited: 5},
	} {
		at = at.Add(test.after)
		l := schemas.Live{Run: test.run, Seq: test.seq, Matched: test.matched, Sampled: test.sampled, Limited: test.limited, Lost: test.lost}
		if got := c.take(&l, at); got != test.want {
			t.Errorf("message %d tells %q, want %q", i, got, test.want)
		}
	}
	if got := c.tell(); got != "" {
		t.Errorf("at the end it tells %q", got)
	}
}
