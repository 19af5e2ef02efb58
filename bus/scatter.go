package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/trawl-logs/trawl/schemas"
)

// pendingSlack is what may wait beyond the credit window: Hello, Progress and End of a large fleet
// take no credit.
const pendingSlack = 16 << 20

// EventKind tells what happened to a requester's query.
type EventKind uint8

const (
	EventFrame        EventKind = iota // Node sent a frame of the query's answer: Data
	EventNoResponders                  // nobody is subscribed for Node (empty: for any of those asked)
	EventPong                          // Node answered a ping with Record
	EventBeacon                        // Node said that it is there, or, not ready, that it leaves: Record, without lists
	EventProbed                        // the server answered a Probe
	EventDisconnected                  // the connection is lost: silence means nothing now
	EventReconnected                   // and is back: what was on the way is lost
	EventFailed                        // Err: messages were dropped (ErrSlow), or a permission is missing
)

// Event is one thing that a Session heard. Node is the one that alone may publish where it came from,
// whatever the message says.
type Event struct {
	Kind   EventKind
	Node   string
	Data   []byte // an encoded frame, not checked yet; it belongs to the receiver
	Record *schemas.Node
	Err    error
}

// ErrSlow is the error of an EventFailed when messages came faster than they were taken, and the
// newest were dropped.
var ErrSlow = errors.New("messages were dropped, too many were waiting")

// Scatter is a requester's side of the bus. It hears everything that is sent to one random client of
// the connection's user, through one subscription that lives as long as it does: across a
// supercluster a fresh one would miss the first answers.
type Scatter struct {
	conn     *Conn
	client   string
	sub      *nats.Subscription
	unlisten func()

	mu       sync.Mutex
	sessions map[string]*Session // by query id
}

// NewScatter subscribes for a new client. Frames that a Session has not taken yet wait, up to window
// and some MiB in bytes, beyond which the newest are dropped (ErrSlow). Window is the most raw Data
// bytes that the requester grants at a time.
func NewScatter(conn *Conn, window int64) (*Scatter, error) {
	s := &Scatter{conn: conn, client: nuid.Next(), sessions: map[string]*Session{}}
	var err error
	if s.sub, err = conn.nc.Subscribe(conn.subjects.results(conn.user, s.client), s.onMessage); err != nil {
		return nil, fmt.Errorf("subscribe for results: %w", err)
	}
	// -1: any number of messages, their bytes are what counts.
	if err := s.sub.SetPendingLimits(-1, int(window+window/8+pendingSlack)); err != nil {
		return nil, fmt.Errorf("subscribe for results: %w", err)
	}
	s.unlisten = conn.listen(listener{
		disconnected: func() { s.toAll(Event{Kind: EventDisconnected}) },
		reconnected:  func() { s.toAll(Event{Kind: EventReconnected}) },
		failed:       s.onFailed,
	})
	return s, nil
}

// User returns the token of the connection's user.
func (s *Scatter) User() string { return s.conn.user }

// Client returns the token that queries sent through s must carry as Query.Client.
func (s *Scatter) Client() string { return s.client }

// MaxQuery is the most bytes of an encoded query that the server takes with its headers.
func (s *Scatter) MaxQuery() int {
	if payload := s.conn.MaxPayload(); payload > 0 {
		return min(schemas.MaxQuery, int(payload)-headRoom)
	}
	return schemas.MaxQuery
}

// headRoom is for the headers of a query, which count as payload.
const headRoom = 1 << 10

// Close ends all deliveries.
func (s *Scatter) Close() {
	s.unlisten()
	if err := s.sub.Unsubscribe(); err != nil && !isClosed(err) {
		s.conn.log.Debug("unsubscribe", "err", err)
	}
}

// Open begins the session of one query. Recv is called for one event after another, never from two
// goroutines at once; while it runs, everything else for this client waits.
func (s *Scatter) Open(query string, recv func(Event)) (*Session, error) {
	if err := schemas.CheckToken("query id", query); err != nil {
		return nil, err
	}
	if query == pingQuery {
		return nil, fmt.Errorf("query id %q is reserved", query)
	}
	session := &Session{scatter: s, conn: s.conn, key: Key{s.conn.user, s.client, query}, recv: recv}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[query] != nil {
		return nil, fmt.Errorf("query id %q is in use", query)
	}
	session.ctx, session.cancel = context.WithCancel(context.Background())
	s.sessions[query] = session
	return session, nil
}

// toAll hands an event to every session.
func (s *Scatter) toAll(e Event) {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.sessions))
	s.mu.Unlock()
	for _, session := range all {
		session.event(e)
	}
}

// onMessage tells frames, pongs and the server's "nobody is subscribed" apart. What is none of them
// is dropped.
func (s *Scatter) onMessage(m *nats.Msg) {
	k, node, ok := s.conn.subjects.parseResult(m.Subject)
	if !ok {
		return
	}
	e := Event{Kind: EventFrame, Node: node, Data: m.Data}
	switch {
	case noResponders(m):
		e = Event{Kind: EventNoResponders, Node: node}
		if node == anyNode {
			e.Node = ""
		}
	case node == anyNode:
		return
	case k.ID == pingQuery:
		record, err := schemas.DecodeNode(m.Data)
		if err != nil || record.Name != node {
			s.conn.log.Debug("refused a pong", "node", node, "err", err)
			return
		}
		e = Event{Kind: EventPong, Node: node, Record: record}
	}
	if k.ID == pingQuery {
		s.toAll(e) // what is true of the node is so for every query
		return
	}
	s.mu.Lock()
	session := s.sessions[k.ID]
	s.mu.Unlock()
	if session != nil {
		session.event(e)
	}
}

func (s *Scatter) onFailed(subject string, err error) {
	switch {
	case errors.Is(err, nats.ErrSlowConsumer):
		if subject != s.sub.Subject {
			return // another's
		}
		err = ErrSlow
	case !errors.Is(err, nats.ErrPermissionViolation):
		return // nothing that a requester could act on; the connection logs it
	}
	s.toAll(Event{Kind: EventFailed, Err: err})
}
