// Package onbus is the bus as a requester's Transport, Roster and BlockList: what a program needs to ask a fleet,
// beside package requester.
//
//	conn, err := bus.Connect(bus.Options{Name: "my service"}.FromEnvironment(os.Getenv))
//	…
//	transport, err := onbus.New(conn, requester.DefaultWindow, func(err error) { log.Print(err) })
//	…
//	ask := requester.New(transport, transport, requester.WithBlockList(transport))
package onbus

import (
	"context"
	"errors"
	"fmt"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/schemas"
)

// Transport is one client on the bus. It serves many queries at once; Close ends it, not the connection.
type Transport struct {
	*bus.Scatter
	conn   *bus.Conn
	failed func(error)
}

var (
	_ requester.Transport  = (*Transport)(nil)
	_ requester.Rememberer = (*Transport)(nil)
	_ requester.BlockList  = (*Transport)(nil)
)

// New subscribes on conn. Window is the most raw bytes that the requester grants at a time. Failed hears
// what no answer can tell: a permission that is missing; it may be called at once from several goroutines.
func New(conn *bus.Conn, window int64, failed func(error)) (*Transport, error) {
	scatter, err := bus.NewScatter(conn, window)
	if err != nil {
		return nil, err
	}
	return &Transport{scatter, conn, failed}, nil
}

// Open begins the session of one query.
func (t *Transport) Open(_ context.Context, id string, recv func(requester.Incoming)) (requester.Session, error) {
	opened, err := t.Scatter.Open(id, func(e bus.Event) {
		if in := t.incoming(e); in != nil {
			recv(in)
		}
	})
	if err != nil {
		return nil, err
	}
	return session{opened}, nil
}

// incoming translates an event; nil means that it is not for the requester.
func (t *Transport) incoming(e bus.Event) requester.Incoming {
	switch e.Kind {
	case bus.EventFrame:
		return requester.FrameMsg{Node: e.Node, Msg: e.Data}
	case bus.EventNoResponders:
		return requester.NoResponders{Node: e.Node}
	case bus.EventPong:
		return requester.Pong{Node: e.Node, Record: *e.Record}
	case bus.EventBeacon:
		return requester.Beacon{Record: *e.Record}
	case bus.EventProbed:
		return requester.Probed{}
	case bus.EventDisconnected:
		return requester.Disconnected{}
	case bus.EventReconnected:
		return requester.Reconnected{}
	case bus.EventFailed:
		// Messages that were dropped are gaps, which the requester finds and asks for again.
		if e.Err != bus.ErrSlow {
			t.failed(e.Err)
		}
	}
	return nil
}

// Known reads the roster.
func (t *Transport) Known(ctx context.Context) ([]schemas.Node, requester.RosterKind, error) {
	roster, err := t.conn.Roster(ctx)
	return roster.Records(), requester.RosterKind(roster.Kind), err
}

// Blocks reads the block list. That there is none is no error: its revision is 0 then.
func (t *Transport) Blocks(ctx context.Context, f schemas.BlockFilter, take func(*schemas.BlockRecord, uint64)) (uint64, error) {
	listed, err := t.conn.Blocks(ctx, f, take)
	if errors.Is(err, bus.ErrNoBlockList) {
		return 0, nil
	}
	return listed, err
}

// Remembered gives the roster as it was read a moment ago.
func (t *Transport) Remembered() (nodes []schemas.Node, kind requester.RosterKind, holds requester.Holds, ok bool) {
	r, ok := t.conn.Remembered()
	return r.Nodes, requester.RosterRegistered, r.Holds, ok
}

// session is one query's side of the bus.
type session struct{ *bus.Session }

// Send publishes what the requester has to say.
func (s session) Send(out requester.Outgoing) error {
	switch out := out.(type) {
	case requester.Ask:
		switch {
		case out.To.Node != "":
			return s.AskNode(out.To.Node, out.Query)
		case out.To.Group != "":
			return s.AskGroup(out.To.Group, out.Query)
		}
		return s.AskAll(out.Query)
	case requester.Grant:
		return s.Control(out.Node, &out.Control)
	case requester.Quit:
		return s.Cancel(&out.Cancel)
	case requester.Ping:
		return s.Ping(out.Node)
	case requester.Probe:
		s.Probe()
		return nil
	case requester.Listen:
		return s.HearBeacons()
	}
	return fmt.Errorf("the bus cannot send %T", out)
}

// Close ends the session.
func (s session) Close() error {
	s.Session.Close()
	return nil
}
