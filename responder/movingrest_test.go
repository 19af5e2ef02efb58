package responder

import (
	"errors"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/mover"
)

// However many nodes read however long a list, together they read at most 20,000 records a second of it.
func TestNodesShareTheBlockList(t *testing.T) {
	const rescan = 15 * time.Second
	for _, test := range []struct {
		report mover.Report
		err    error
		want   time.Duration
	}{
		{mover.Report{Nodes: 3, Blocks: 1000}, nil, rescan},
		{mover.Report{Nodes: 3, Blocks: 1000, More: true}, nil, 200 * time.Millisecond},
		{mover.Report{Nodes: 3, Blocks: 1000, More: true}, errors.New("down"), rescan},
		{mover.Report{Nodes: 3, Blocks: 1_000_000}, nil, 200 * time.Second},
		{mover.Report{Nodes: 50, Blocks: 1_000_000, More: true}, nil, 2500 * time.Second},
	} {
		if got := movingRest(&test.report, test.err, rescan); got != test.want {
			t.Errorf("%+v, %v: %v, not %v", test.report, test.err, got, test.want)
		}
	}
}
