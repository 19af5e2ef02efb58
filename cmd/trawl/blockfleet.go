package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/placement"
	"github.com/trawl-logs/trawl/relations"
	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/requester/onbus"
	"github.com/trawl-logs/trawl/responder"
	"github.com/trawl-logs/trawl/schemas"
)

// blockFleet is the other nodes to a node's sealed blocks: the block list and the roster on the bus, and copies by
// queries, which the node asks as any requester does.
type blockFleet struct {
	conn *bus.Conn
	node string
	log  *slog.Logger

	first sync.Once // the first connection has been waited for

	mu        sync.Mutex
	transport *onbus.Transport // nil before the first copy
}

// await returns when there has been a connection, or ctx has ended: a node starts before it has one.
func (f *blockFleet) await(ctx context.Context) {
	f.first.Do(func() {
		up := make(chan struct{}, 1)
		stop := f.conn.OnConnected(func() {
			select {
			case up <- struct{}{}:
			default:
			}
		})
		defer stop()
		select {
		case <-up:
		case <-ctx.Done():
		}
	})
}

// copyWindow is how much of a block is on the way at a time.
const copyWindow = 2 << 20

// Blocks is responder.Fleet's.
func (f *blockFleet) Blocks(ctx context.Context, filter schemas.BlockFilter, take func(*schemas.BlockRecord, uint64)) (uint64, error) {
	f.await(ctx)
	listed, err := f.conn.Blocks(ctx, filter, take)
	return listed, noList(err)
}

// noList says in the responder's words that there is no list.
func noList(err error) error {
	switch {
	case errors.Is(err, bus.ErrNoListKeeper):
		return responder.ErrNoListNow
	case errors.Is(err, bus.ErrNoBlockList):
		return responder.ErrNoList
	}
	return err
}

// Listed is responder.Fleet's.
func (f *blockFleet) Listed(ctx context.Context) (revision uint64, now int64, err error) {
	f.await(ctx)
	revision, at, err := f.conn.BlocksAt(ctx)
	return revision, at.UnixNano(), noList(err)
}

// Put is responder.Fleet's.
func (f *blockFleet) Put(ctx context.Context, b *schemas.BlockRecord, revision uint64) (uint64, error) {
	next, err := f.conn.PutBlock(ctx, b, revision)
	if errors.Is(err, bus.ErrConflict) {
		err = responder.ErrConflict
	}
	return next, err
}

// Remove is responder.Fleet's.
func (f *blockFleet) Remove(ctx context.Context, b *schemas.BlockRecord, revision uint64) error {
	err := f.conn.RemoveBlock(ctx, b, revision)
	if errors.Is(err, bus.ErrConflict) {
		err = responder.ErrConflict
	}
	return err
}

// Nodes is responder.Fleet's. Nodes that are down are known by a registered roster alone; which ones drain, by the bus
// before their records say it.
func (f *blockFleet) Nodes(ctx context.Context) ([]schemas.Node, error) {
	f.await(ctx)
	roster, err := f.conn.Roster(ctx)
	if err != nil {
		return nil, err
	}
	if roster.Kind != bus.Registered {
		return nil, errors.New("no roster is registered on this bus")
	}
	draining, err := f.conn.Draining(ctx)
	nodes := roster.Records()
	for i := range nodes {
		if n := &nodes[i]; n.Store != nil && slices.Contains(draining, n.Name) {
			store := *n.Store // the roster's own is not to be changed
			store.Draining = true
			n.Store = &store
		}
	}
	return nodes, err
}

// Up is responder.Fleet's.
func (f *blockFleet) Up(ctx context.Context, nodes []string) (map[string]bool, error) {
	r := bus.Roster{Nodes: make([]bus.Known, len(nodes))}
	for i, name := range nodes {
		r.Nodes[i].Name = name
	}
	if err := f.conn.Presence(ctx, &r); err != nil {
		return nil, err
	}
	up := map[string]bool{}
	for i := range r.Nodes {
		up[nodes[i]] = r.Nodes[i].Live
	}
	return up, nil
}

// Draining is responder.Fleet's.
func (f *blockFleet) Draining(ctx context.Context) (bool, error) {
	f.await(ctx)
	return f.conn.Drains(ctx, f.node)
}

// Copy is responder.Fleet's.
func (f *blockFleet) Copy(ctx context.Context, from, home string, id schemas.BlockID, at int64, w io.Writer) error {
	transport, err := f.asking()
	if err != nil {
		return err
	}
	q := requester.NewQuery()
	q.Mode, q.Last, q.Select.Nodes = schemas.ModeBlock, at, []string{from}
	q.Plan = &schemas.Plan{Only: true, Read: []schemas.PlanRead{{Home: home, Blocks: []schemas.BlockID{id}}}}
	answer, err := requester.New(transport, requester.GivenRoster{from}, requester.WithWindow(copyWindow)).Query(ctx, q)
	if err != nil {
		return err
	}
	defer answer.Close()
	for _, chunks := range answer.Chunks() {
		for i := range chunks {
			c := &chunks[i]
			if c.Kind != schemas.ChunkBytes || c.Count != at {
				return fmt.Errorf("it sent what is not byte %d of the block", at)
			}
			if _, err := w.Write(c.Text); err != nil {
				return err
			}
			at += int64(len(c.Text))
		}
	}
	for _, n := range answer.Receipt().Nodes {
		if n.Status != schemas.StatusComplete {
			return fmt.Errorf("%v: %s", n.Status, n.Reason)
		}
	}
	return nil
}

// asking returns what queries go through, and makes it the first time.
func (f *blockFleet) asking() (*onbus.Transport, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if f.transport == nil {
		f.transport, err = onbus.New(f.conn, copyWindow, func(err error) { f.log.Warn("copies of sealed blocks", "err", err) })
	}
	return f.transport, err
}

// close ends all copies.
func (f *blockFleet) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.transport != nil {
		f.transport.Close()
	}
}

// fileRelations are relations as a file says where they are known. What was known last holds while they cannot be read.
type fileRelations struct {
	name, kept string
	log        *slog.Logger

	read  time.Time
	fresh time.Duration
	graph *relations.Graph
}

// now returns nil while nothing is known.
func (r *fileRelations) now(ctx context.Context) placement.Relations {
	if r.graph == nil || time.Since(r.read) >= r.fresh {
		r.read, r.fresh = time.Now(), relations.DefaultRefresh
		config, err := readRelations(r.name)
		if err == nil {
			r.fresh = time.Duration(config.Refresh)
			var c *relations.Collected
			if c, err = config.Collect(ctx, r.kept, time.Now(), false); c != nil && c.Graph != nil {
				r.graph = c.Graph
			}
		}
		if err != nil && ctx.Err() == nil {
			r.log.Warn("relations between services", "err", err)
		}
	}
	if r.graph == nil {
		return nil
	}
	return r.graph
}

// joinBlocks has the sealed blocks of a node be the fleet's, where its configuration wants that. close is for the end.
func joinBlocks(r *responder.Responder, config *responder.Config, conn *bus.Conn, log *slog.Logger) (closed func()) {
	f := &blockFleet{conn: conn, node: config.Node, log: log}
	var known responder.Relations
	if name := config.Sealed.Relations; name != "" {
		known = (&fileRelations{name: name, kept: filepath.Join(config.State, "relations"), log: log}).now
	}
	r.JoinFleet(f, known)
	return f.close
}
