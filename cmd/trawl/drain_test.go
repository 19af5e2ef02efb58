package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

// It waits until the last block has left the node, tells each change once, and does not read a long list all the time.
func TestDrainWaits(t *testing.T) {
	block := func(owners ...string) *schemas.BlockRecord { return &schemas.BlockRecord{Stored: 10, Owners: owners} }
	retired := block("web3")
	retired.State = schemas.BlockRetired
	looks := [][]*schemas.BlockRecord{
		{block("web3"), block("web3", "web1"), block("web1"), retired},
		{block("web3"), block("web3", "web1"), block("web1"), retired},
		{block("web1", "web3")},
		{block("web1"), retired},
	}
	var told []drainStep
	pauses := 0
	w := &drainWait{
		node: "web3",
		list: blocksFunc(func(_ context.Context, _ schemas.BlockFilter, take func(*schemas.BlockRecord, uint64)) (uint64, error) {
			for _, b := range looks[0] {
				take(b, 1)
			}
			looks = looks[1:]
			return 1, nil
		}),
		pause: func(_ context.Context, d time.Duration) error {
			if pauses++; d < drainPause {
				t.Errorf("looks again after %v", d)
			}
			return nil
		},
		tell: func(s drainStep) error { told = append(told, s); return nil },
	}
	if err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []drainStep{{"web3", true, false, 2, 20, 1}, {"web3", true, false, 1, 10, 0}, {"web3", true, true, 0, 0, 0}}
	if !slices.Equal(told, want) || pauses != 3 {
		t.Errorf("told %+v, with %d pauses", told, pauses)
	}
	looks = [][]*schemas.BlockRecord{{block("web3")}}
	enough := errors.New("enough")
	w.pause = func(context.Context, time.Duration) error { return enough }
	if err := w.run(t.Context()); !errors.Is(err, enough) {
		t.Errorf("interrupted: %v", err)
	}
}

// Said of a node, it drains, until that is undone.
func TestDrainCommand(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	url, stop := startBus(t, "--listen", "127.0.0.1:0", "--store", t.TempDir())
	defer stop()
	t.Setenv("NATS_URL", url)
	conn, err := bus.Connect(bus.Options{Server: url, User: "root", Responder: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	record := schemas.Node{Name: "web3", Instance: "i", Ready: true, Store: &schemas.NodeStore{Capacity: 2e12, ReadRate: 210e6, Draining: true,
		Services: []schemas.SealedService{{Service: "api", Until: 1767225600e9}}}}
	service, err := bus.Serve(t.Context(), conn, func() schemas.Node { return record }, bus.Handlers{})
	if err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "web3 is registered", service.Registered)
	if status, _, errout := trawl(t, "nodes", "drain", "web3"); status != 2 || !strings.Contains(errout, "no block list") {
		t.Errorf("without a list: status %d, %q", status, errout)
	}
	one := &schemas.BlockRecord{ID: schemas.BlockID{1}, Home: "web3", Service: "api", Owners: []string{"web1"}}
	if _, err := conn.PutBlock(t.Context(), one, 0); err != nil {
		t.Fatal(err)
	}
	if status, _, errout := trawl(t, "nodes", "drain", "web4"); status != 2 || !strings.Contains(errout, "no node web4") {
		t.Errorf("unknown: status %d, %q", status, errout)
	}
	status, out, errout := trawl(t, "nodes", "drain", "web3", "--output", "json")
	var s drainStep
	if err := json.Unmarshal([]byte(out), &s); err != nil || status != 0 || s != (drainStep{Node: "web3", Draining: true, Done: true}) {
		t.Errorf("status %d, %q, %q", status, out, errout)
	}
	if is, err := conn.Drains(t.Context(), "web3"); err != nil || !is {
		t.Errorf("web3 drains: %v, %v", is, err)
	}
	if status, out, _ := trawl(t, "nodes", "drain", "--undo", "web3"); status != 0 || out != "web3 drains no more\n" {
		t.Errorf("undo: status %d, %q", status, out)
	}
	if is, err := conn.Drains(t.Context(), "web3"); err != nil || is {
		t.Errorf("web3 drains: %v, %v", is, err)
	}

	if _, out, _ := trawl(t, "nodes"); !strings.Contains(out, "STORE") || !strings.Contains(out, "2TB,210MB/s,draining") {
		t.Errorf("nodes:\n%s", out)
	}
	_, out, _ = trawl(t, "nodes", "--output", "json")
	if want := `"store":{"capacity":2000000000000,"read_rate":210000000,"draining":true,"sealed_until":{"api":"2026-01-01T00:00:00.000000000Z"}}`; !strings.Contains(out, want) {
		t.Errorf("nodes in JSON: %s", out)
	}
}

// blocksFunc is a block list that is but a reading of it.
type blocksFunc func(context.Context, schemas.BlockFilter, func(*schemas.BlockRecord, uint64)) (uint64, error)

func (f blocksFunc) Blocks(ctx context.Context, filter schemas.BlockFilter, take func(*schemas.BlockRecord, uint64)) (uint64, error) {
	return f(ctx, filter, take)
}
