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
	conn    *bus.Conn
	service *bus.Service
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// joinNode starts a responder and joins it to the bus: what the one hears is the other's to handle,
// and what that finds is published. It returns when the node is subscribed and has scanned its files.
func joinNode(ctx context.Context, config *responder.Config, o bus.Options, log *slog.Logger) (*busNode, error) {
	conn, err := bus.Connect(o)
	if err != nil {
		return nil, err
	}
	n := &busNode{conn: conn}
	ctx, n.cancel = context.WithCancel(ctx)
	publish := func(k responder.Key, frame []byte) error { return n.service.Publish(bus.Key(k), frame) }
	r, err := responder.New(config, version(), log, responder.PublishFunc(publish))
	if err == nil {
		_, _, err = r.Scan(ctx)
	}
	if err == nil {
		n.service, err = bus.Serve(ctx, conn, r.Node, bus.Handlers{
			Query:     r.HandleQuery,
			Control:   func(k bus.Key, c *schemas.Control) { r.HandleControl(responder.Key(k), c) },
			Cancel:    func(k bus.Key, c *schemas.Cancel) { r.HandleCancel(responder.Key(k), c) },
			Gone:      func(k bus.Key) { r.HandleGone(responder.Key(k)) },
			Reconnect: r.HandleReconnect,
			Duplicate: r.HandleDuplicate,
		})
	}
	if err != nil {
		n.cancel()
		conn.Close()
		return nil, err
	}
	r.OnChange(n.service.Changed)
	n.running.Go(func() { r.Run(ctx) })
	return n, nil
}

// Close takes the node off the bus at once, as a crash would.
func (n *busNode) Close() {
	n.conn.Close()
	n.cancel()
	n.service.Close()
	n.running.Wait()
}
