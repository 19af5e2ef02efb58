package responder

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/schemas"
)

// TestEveryEndComesOnce goes through what can end a search.
func TestEveryEndComesOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*schemas.Query)
		search searchFunc
		act    func(*fleet, Key)
		status schemas.Status
		reason string
		within time.Duration
	}{
		"stop":     {act: func(f *fleet, k Key) { f.r.HandleControl(k, &schemas.Control{Stop: true}) }, status: schemas.StatusStopped, reason: "the requester has enough", within: 100 * time.Millisecond},
		"deadline": {change: func(q *schemas.Query) { q.Timeout = 10 * time.Second }, status: schemas.StatusPartial, reason: "time limit", within: 10 * time.Second},
		"run time": {change: func(q *schemas.Query) { q.Timeout = 20 * time.Hour }, act: keepAlive, status: schemas.StatusPartial, reason: "time limit", within: 2 * time.Hour},
		"lease":    {status: schemas.StatusPartial, reason: "the requester is gone", within: 31 * time.Second},
		"gone":     {act: nobodyListens, status: schemas.StatusPartial, reason: "the requester is gone", within: 6 * time.Second},
		"shutdown": {act: func(f *fleet, _ Key) { go f.stop() }, status: schemas.StatusError, reason: "responder stopping", within: 100 * time.Millisecond},
		"panic": {search: func(context.Context, []scan.Input, func() scan.Matcher, scan.Options, func(*scan.Batch) error) (scan.Stats, error) {
			panic("a bug")
		}, status: schemas.StatusError, reason: "internal error", within: 100 * time.Millisecond},
		"result bytes": {change: func(q *schemas.Query) { q.MaxBytes = 100_000 }, search: scan.Run, status: schemas.StatusPartial, reason: "more than 100000 bytes", within: time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, _ := newFleet(t, nil, map[string]string{"a.log": strings.Repeat("a line\n", 1<<16)})
			f.r.search = blocked
			if tt.search != nil {
				f.r.search = tt.search
			}
			q := query("q", "a")
			if tt.change != nil {
				tt.change(q)
			}
			k := f.ask(q)
			if tt.search == nil {
				time.Sleep(100 * time.Millisecond)
			}
			if tt.act != nil {
				tt.act(f, k)
			}
			e := f.await(k, tt.within)
			if e.Status != tt.status || !strings.HasPrefix(e.Reason, tt.reason) {
				t.Errorf("%s: end %+v", name, e)
			}
			time.Sleep(2 * time.Minute)
			f.end(k) // fails if there is another one
			f.stop()
			if n := len(f.r.sessions); n != 0 {
				t.Errorf("%s: %d sessions are left", name, n)
			}
			if len(f.r.workers) != cap(f.r.workers) {
				t.Errorf("%s: %d of %d workers came back", name, len(f.r.workers), cap(f.r.workers))
			}
			if name == "panic" && (!strings.Contains(f.log.String(), "a bug") || !strings.Contains(f.log.String(), "ends_test.go")) {
				t.Errorf("the log does not tell of the panic: %s", f.log)
			}
		})
	}
}

func keepAlive(f *fleet, k Key) {
	go func() {
		for f.end(k) == nil {
			time.Sleep(10 * time.Second)
			f.grant(k, 0, 0)
		}
	}()
}

// nobodyListens answers with the server's word for as long as frames come.
func nobodyListens(f *fleet, k Key) {
	f.setGreedy(false)
	go func() {
		for f.end(k) == nil {
			f.r.HandleGone(k)
			time.Sleep(500 * time.Millisecond)
		}
	}()
}
