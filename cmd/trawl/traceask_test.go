package main

import (
	"fmt"
	"testing"

	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/schemas"
)

// A node's row of a trace is its worst answer that counts: what is missing, then a failure without harm, then that
// it was asked at all.
func TestTraceMergesAnswers(t *testing.T) {
	complete := requester.NodeReceipt{Node: "a", Status: schemas.StatusComplete}
	pruned := requester.NodeReceipt{Node: "a", Status: schemas.StatusPruned, Reason: "sealed"}
	sealed := requester.NodeReceipt{Node: "a", Status: schemas.StatusDown, Reason: "sealed, and read elsewhere", Sealed: true}
	tail := requester.NodeReceipt{Node: "a", Status: schemas.StatusDown, Reason: "unsealed tail", UnsealedSince: "2026-01-01T00:00:00Z"}
	for _, c := range []struct {
		answers []requester.NodeReceipt
		void    int // so many of the first do not count
		want    string
	}{
		{answers: []requester.NodeReceipt{pruned, pruned}, want: "pruned false  true"},
		{answers: []requester.NodeReceipt{pruned, complete}, want: "complete false  true"},
		{answers: []requester.NodeReceipt{complete, pruned}, want: "complete false  true"},
		{answers: []requester.NodeReceipt{complete, sealed, complete}, want: "down true  true"},
		{answers: []requester.NodeReceipt{tail, sealed}, want: "down false 2026-01-01T00:00:00Z false"},
		{answers: []requester.NodeReceipt{sealed, tail}, want: "down false 2026-01-01T00:00:00Z false"},
		{answers: []requester.NodeReceipt{tail, sealed}, void: 1, want: "down true  true"},
		{answers: []requester.NodeReceipt{tail}, void: 1, want: "complete false  true"},
	} {
		tr := &tracer{}
		for i, n := range c.answers {
			r := &requester.Receipt{Nodes: []requester.NodeReceipt{n}, Store: &requester.StoreReceipt{Revision: uint64(i + 1), Blocks: 2}}
			tr.receipts = append(tr.receipts, traceReceipt{r, i < c.void})
		}
		r := tr.account()
		n := r.Nodes[0]
		if got := fmt.Sprint(n.Status, " ", n.Sealed, " ", n.UnsealedSince, " ", r.Complete); got != c.want || r.Store.Blocks != 2*len(c.answers) || r.Store.Revision != uint64(len(c.answers)) {
			t.Errorf("%v: %s, %+v, want %s", c.answers, got, r.Store, c.want)
		}
	}
}
