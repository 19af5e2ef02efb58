package bus

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/schemas"
)

// Session is one query's side of a Scatter: it sends what the requester has to say about the query.
// An error of a method says that the message did not leave.
type Session struct {
	scatter *Scatter
	conn    *Conn
	key     Key

	ctx    context.Context // ends with the session
	cancel context.CancelFunc
	probes atomic.Int32 // that the server has not answered yet

	mu     sync.Mutex // held while recv runs
	recv   func(Event)
	closed bool
}

const (
	probesMost = 8                // more are not sent before the server has answered
	probeLimit = 30 * time.Second // then an answer proves nothing any more
)

func (s *Session) event(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.recv(e)
	}
}

// Close ends the session, and sends nothing. Recv is not called after it returns, so it must not be
// called from within recv.
func (s *Session) Close() {
	s.scatter.mu.Lock()
	delete(s.scatter.sessions, s.key.ID)
	s.scatter.mu.Unlock()
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// AskAll publishes q to every node.
func (s *Session) AskAll(q *schemas.Query) error {
	return s.ask(s.conn.subjects.queryAll(s.key.User), anyNode, q)
}

// AskGroup publishes q to the nodes of a group.
func (s *Session) AskGroup(group string, q *schemas.Query) error {
	if err := schemas.CheckToken("group", group); err != nil {
		return err
	}
	return s.ask(s.conn.subjects.queryGroup(s.key.User, group), anyNode, q)
}

// AskNode publishes q to one node.
func (s *Session) AskNode(node string, q *schemas.Query) error {
	if err := schemas.CheckToken("node", node); err != nil {
		return err
	}
	return s.ask(s.conn.subjects.queryNode(s.key.User, node), node, q)
}

// ask publishes q. If nobody is subscribed the server says so on the reply subject, which is that of
// the node's own frames, so that it needs no subscription and no permission of its own.
func (s *Session) ask(subject, node string, q *schemas.Query) error {
	if q.Client != s.key.Client || q.ID != s.key.ID {
		return fmt.Errorf("query %s of client %s: this session is of query %s, client %s", q.ID, q.Client, s.key.ID, s.key.Client)
	}
	own := *q
	own.Server = s.conn.localServer()
	m := schemas.AppendQuery(nil, &own)
	if most := s.scatter.MaxQuery(); len(m) > most {
		return fmt.Errorf("query has %d bytes, the most is %d", len(m), most)
	}
	msg := &nats.Msg{Subject: subject, Reply: s.conn.subjects.result(s.key, node), Data: m}
	if q.Trace != "" {
		msg.Header = nats.Header{traceHeader: {q.Trace}}
	}
	return s.send(msg)
}

// Control publishes c to node.
func (s *Session) Control(node string, c *schemas.Control) error {
	if err := schemas.CheckToken("node", node); err != nil {
		return err
	}
	return s.publish(s.conn.subjects.control(node, s.key), "", schemas.AppendControl(nil, c))
}

// Cancel ends the query on every node.
func (s *Session) Cancel(c *schemas.Cancel) error {
	return s.publish(s.conn.subjects.cancel(s.key), "", schemas.AppendCancel(nil, c))
}

// Ping asks node for its record: EventPong, EventNoResponders, or silence follows.
func (s *Session) Ping(node string) error {
	if err := schemas.CheckToken("node", node); err != nil {
		return err
	}
	reply := s.conn.subjects.result(Key{s.key.User, s.key.Client, pingQuery}, node)
	return s.publish(s.conn.subjects.ping(node), reply, nil)
}

// Probe asks the server for a sign of life; EventProbed follows when it has come, and nothing if the
// connection is lost first. What the server had for the client before has then been read. It does
// not wait, and does nothing while several are not answered.
func (s *Session) Probe() {
	if s.probes.Add(1) > probesMost {
		s.probes.Add(-1)
		return
	}
	go func() {
		defer s.probes.Add(-1)
		ctx, cancel := context.WithTimeout(s.ctx, probeLimit)
		defer cancel()
		if s.conn.nc.FlushWithContext(ctx) == nil {
			s.event(Event{Kind: EventProbed})
		}
	}()
}

func (s *Session) publish(subject, reply string, data []byte) error {
	return s.send(&nats.Msg{Subject: subject, Reply: reply, Data: data})
}

func (s *Session) send(m *nats.Msg) error {
	if err := s.conn.nc.PublishMsg(m); err != nil {
		return fmt.Errorf("publish to %s: %w", m.Subject, err)
	}
	return nil
}
