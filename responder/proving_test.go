package responder

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A query with a range has the files read through for their times that it had to read, and the next one
// reads little of them, whatever their order.
func TestTimesAreReadThroughBehindAQuery(t *testing.T) {
	var log strings.Builder
	start := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	for i := range 30_000 {
		at := start.Add(time.Duration(i) * time.Second)
		if i/500 == 7 { // sent late
			at = at.Add(2 * time.Hour)
		}
		fmt.Fprintf(&log, "%s request %d was served by the second of four backends\n", at.Format(time.RFC3339), i)
	}
	f, _ := newFleet(t, nil, map[string]string{"a.log": log.String()})
	synctest.Test(t, func(t *testing.T) {
		f.t, f.r.proving = t, newProving(f.r) // its channel is of the bubble
		ask := func(id string) (read, assumed int64) {
			q := query(id, "request")
			q.Since, q.Until = start.Add(3*time.Hour).UnixNano(), start.Add(3*time.Hour+10*time.Minute).UnixNano()
			end := f.await(f.ask(q), time.Minute)
			if end.Lines != 1000 { // 400 of them late
				t.Fatalf("%d lines: %+v", end.Lines, end)
			}
			return end.BytesRead, end.AssumedSorted
		}
		size := int64(log.Len())
		if read, assumed := ask("first"); read < size || assumed != 0 {
			t.Errorf("the first query read %d of %d bytes, and assumed the order of %d files", read, size, assumed)
		}
		stop := f.r.proving.start(t.Context())
		synctest.Wait() // until it has nothing to do
		if read, assumed := ask("second"); read > size/4 || assumed != 0 {
			t.Errorf("the second query read %d of %d bytes, and assumed the order of %d files", read, size, assumed)
		}
		stop()
		f.stop()
	})
}
