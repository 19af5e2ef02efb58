package responder

import (
	"sync"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// Totals is what has been answered since the start.
type Totals struct {
	Queries   int64         // that ended
	Lines     int64         // selected
	Bytes     int64         // of results, as text
	BytesRead int64         // searched
	Errors    int64         // queries that did not end complete or stopped
	LastError string        // the newest of these; empty: there was none
	Time      time.Duration // from taking a query to its end, the sum
}

// totals adds up; it may be used by several goroutines.
type totals struct {
	mu sync.Mutex
	t  Totals
}

func (t *totals) add(e *schemas.End) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.t.Queries++
	t.t.Lines += e.Lines
	t.t.Bytes += e.TextBytes
	t.t.BytesRead += e.BytesRead
	t.t.Time += e.Elapsed
	if e.Status != schemas.StatusComplete && e.Status != schemas.StatusStopped {
		t.t.Errors++
		t.t.LastError = e.Status.String() + ": " + e.Reason
	}
}

// Totals returns what the node has answered since it started.
func (r *Responder) Totals() Totals {
	r.totals.mu.Lock()
	defer r.totals.mu.Unlock()
	return r.totals.t
}

// Answer is one that a node has given, refusals included.
type Answer struct {
	Key   Key
	Query *schemas.Query
	Began time.Time
	End   *schemas.End // with what was said last
}

// OnAnswer has told called with every Answer, when the node is through with the query; it must return
// soon. It is set before the first query comes.
func (r *Responder) OnAnswer(told func(*Answer)) { r.answered = told }
