package main

import (
	"slices"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/responder/outbox"
	"github.com/trawl-logs/trawl/schemas"
)

// A query that comes again behind its own answer gets the same End, and no second answer under another run,
// which is what two nodes of one name look like: seen with 1,000 nodes on a busy machine.
func TestSimulatedNodeAnswersOnce(t *testing.T) {
	var frames [][]byte
	n := &simulatedNode{ready: make(chan struct{}), ledger: outbox.NewLedger(), answers: map[bus.Key]*simulatedAnswer{},
		publish: func(_ bus.Key, frame []byte) error { frames = append(frames, slices.Clone(frame)); return nil }}
	close(n.ready)
	q := &schemas.Query{ID: "q", Client: "c", Patterns: []string{"lines 10"}, Credit: 1 << 20, Timeout: time.Minute}
	k := bus.Key{User: "u", Client: q.Client, ID: q.ID}
	runs := func() (runs []uint64, last *schemas.Frame) {
		t.Helper()
		for _, b := range frames {
			f, err := schemas.DecodeFrame(b)
			if err != nil {
				t.Fatal(err)
			}
			runs, last = append(runs, f.Run), f
		}
		return slices.Compact(runs), last
	}
	n.query(k.User, q)
	first, end := runs()
	if len(first) != 1 || end == nil || end.Seq == 0 {
		t.Fatalf("runs %v, last %+v", first, end)
	}
	n.control(k, &schemas.Control{Run: end.Run, Ack: end.Seq})
	if len(n.answers) != 0 {
		t.Fatal("acknowledged, and not over")
	}
	sent := len(frames)
	n.query(k.User, q)
	again, _ := runs()
	if len(frames) != sent+1 || !slices.Equal(again, first) {
		t.Errorf("%d frames more, runs %v after %v", len(frames)-sent, again, first)
	}
	n.forget(bus.Key{User: "u", Client: "c", ID: "later"}) // its cancel came first
	sent = len(frames)
	n.query(k.User, &schemas.Query{ID: "later", Client: "c", Patterns: q.Patterns, Credit: 1 << 20})
	if len(frames) != sent {
		t.Error("a cancelled query was answered")
	}
}
