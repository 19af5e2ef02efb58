package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/responder"
	"github.com/trawl-logs/trawl/schemas"
)

// busNode is a responder on the bus.
type busNode struct {
	conn      *bus.Conn
	service   *bus.Service
	responder *responder.Responder
	text      *coordinator
	standing  *responder.Standing
	spans     *spans
	unjoined  func() // ends copies of sealed blocks
	unlisted  func() // ends the answers to who looks around
	cancel    context.CancelFunc
	running   sync.WaitGroup
}

// joinNode starts a responder and joins it to the bus: what the one hears is the other's to handle,
// and what that finds is published. It returns when the node has scanned its files, and is
// subscribed if the bus can be reached. The node stays until Leave or Close.
func joinNode(ctx context.Context, config *responder.Config, o bus.Options, log *slog.Logger) (*busNode, error) {
	conn, err := bus.Connect(o)
	if err != nil {
		return nil, err
	}
	n := &busNode{conn: conn}
	served := make(chan struct{}) // closed when n.service is set: queries may come before
	publish := func(k responder.Key, frame []byte) error {
		<-served
		return n.service.Publish(bus.Key(k), frame)
	}
	changed := func() { <-served; n.service.Changed() }
	n.responder, err = responder.New(config, version(), log, responder.PublishFunc(publish), changed)
	if err == nil {
		_, _, err = n.responder.Scan(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	n.spans = spansOfEnvironment(func(text string) { log.Warn(text) })
	n.responder.OnAnswer(func(a *responder.Answer) { n.spans.answer(config.Node, a) })
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	r := n.responder
	n.unjoined = joinBlocks(r, config, conn, log) // before the first record of the node, which says that it takes plans
	n.service, err = bus.Serve(own, conn, r.Node, bus.Handlers{
		Query:     r.HandleQuery,
		Control:   func(k bus.Key, c *schemas.Control) { r.HandleControl(responder.Key(k), c) },
		Cancel:    func(k bus.Key, c *schemas.Cancel) { r.HandleCancel(responder.Key(k), c) },
		Gone:      func(k bus.Key) { r.HandleGone(responder.Key(k)) },
		Reconnect: r.HandleReconnect,
		Duplicate: r.HandleDuplicate,
		Checkup:   func(q *schemas.CheckupRequest) *schemas.Checkup { return checkup(own, r, q) },
	})
	if err != nil {
		cancel()
		n.unjoined()
		conn.Close()
		n.spans.close()
		return nil, err
	}
	close(served)
	n.running.Go(func() { r.Run(own) })
	n.standing = r.NewStanding(func(ctx context.Context, name string, durable bool, id string, msg []byte) error {
		return conn.PublishLive(ctx, config.Node, name, durable, id, msg)
	})
	n.running.Go(func() { n.watch(own, log) })
	n.text = newCoordinator(config, conn, o, n.spans, log)
	n.unlisted, err = conn.Announce(bus.Announcement{
		Node:    r.Node,
		Queries: func() bus.Served { return bus.Served(r.Totals()) },
		Text:    func() (bus.Served, bool) { return bus.Served(n.text.Totals()), n.text.Listening() },
	})
	if err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// watch keeps the standing queries those of the bus until ctx ends.
func (n *busNode) watch(ctx context.Context, log *slog.Logger) {
	err := n.conn.FollowStanding(ctx, func(all []bus.Kept) {
		records := make([]responder.StandingRecord, len(all))
		for i, k := range all {
			records[i] = responder.StandingRecord(k)
		}
		n.standing.Set(records)
	})
	if err != nil {
		log.Error("standing queries are not followed", "err", err)
	}
}

// checkup answers a request for a checkup.
func checkup(ctx context.Context, r *responder.Responder, q *schemas.CheckupRequest) *schemas.Checkup {
	if q.Blocks != schemas.BlocksNone {
		verify := q.Blocks == schemas.BlocksVerify
		return &schemas.Checkup{Index: r.IndexCheckup(ctx, verify), Sealed: r.SealedCheckup(ctx, verify)}
	}
	return r.Checkup(ctx)
}

// Leave takes the node off the bus when the queries that run have been told so.
func (n *busNode) Leave() {
	n.unlisted()
	n.text.Close()
	n.cancel()
	n.standing.Close()
	n.running.Wait()
	n.unjoined()
	n.service.Close()
	n.conn.Close()
	n.spans.close()
}

// Close takes the node off the bus at once, as a crash would.
func (n *busNode) Close() {
	n.conn.Close()
	n.cancel()
	n.standing.Close()
	n.text.Close()
	n.service.Close()
	n.running.Wait()
	n.unjoined()
	n.spans.close()
}
