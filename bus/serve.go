package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/schemas"
)

// Limits of what waits for a responder's handlers. Beyond them the newest messages are dropped, and
// the requester repeats what it gets no answer to.
const (
	pendingMessages = 16 << 10
	pendingBytes    = 16 << 20
)

// Handlers are what a responder does with what comes in. They are called from several goroutines at
// once, those of one kind in the order of arrival, and must return soon: a query is taken, not
// answered, within the call. All must be set.
type Handlers struct {
	Query     func(user string, q *schemas.Query) // user is that of the subject; q is valid
	Control   func(k Key, c *schemas.Control)
	Cancel    func(k Key, c *schemas.Cancel)
	Gone      func(k Key) // a frame found nobody who listens
	Reconnect func()      // the connection was lost and is back: what was sent may be lost
	// Checkup looks at what the node can read, or at its index; called one after the other, and may take long.
	Checkup   func(*schemas.CheckupRequest) *schemas.Checkup
	Duplicate func(host string) // another process serves under this node's name, on host; empty: no more
}

// Service is a node on the bus.
type Service struct {
	conn     *Conn
	subjects Subjects
	name     string
	node     func() schemas.Node
	handlers Handlers
	registry *registry
	subs     []*nats.Subscription
	unlisten func()
	stop     context.CancelFunc
	done     sync.WaitGroup
	refusals refusals
	checking chan struct{} // holds a token for the checkup that runs, and for one that waits
	checked  sync.Mutex
}

// Serve subscribes the node and keeps its record until Close is called or ctx ends. The node func
// gives the node's current record; its name, instance and groups must stay the same. While the bus is
// not reachable everything waits for it.
func Serve(ctx context.Context, conn *Conn, node func() schemas.Node, h Handlers) (*Service, error) {
	record := node()
	if err := record.Validate(); err != nil {
		return nil, err
	}
	if record.Name == anyNode {
		return nil, fmt.Errorf("node name %q is reserved", record.Name)
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Service{conn: conn, subjects: conn.subjects, name: record.Name, node: node, handlers: h, stop: cancel, checking: make(chan struct{}, 2)}
	s.registry = newRegistry(conn, record, node, h.Duplicate)
	if err := s.subscribe(record.Groups); err != nil {
		s.unsubscribe()
		cancel()
		return nil, fmt.Errorf("node %s: %w", s.name, err)
	}
	s.unlisten = conn.listen(listener{
		connected:   s.registry.wake,
		reconnected: func() { s.flush(); s.registry.wake(); h.Reconnect() },
	})
	s.flush()
	s.done.Go(func() { s.registry.run(ctx) })
	return s, nil
}

// subscribe subscribes pings last: whoever answers them hears queries.
func (s *Service) subscribe(groups []string) error {
	type subscription struct {
		subject string
		handle  nats.MsgHandler
	}
	sub, name := s.subjects, s.name
	all := []subscription{
		{sub.gone(name, Key{"*", "*", "*"}), s.onGone},
		{sub.cancel(Key{"*", "*", "*"}), s.onCancel},
		{sub.control(name, Key{"*", "*", "*"}), s.onControl},
		{sub.beacon(name), s.registry.onBeacon},
		{sub.queryAll("*"), s.onQuery},
		{sub.queryNode("*", name), s.onQuery},
		{sub.doctor(name, "*"), s.onCheckup},
	}
	for _, g := range groups {
		all = append(all, subscription{sub.queryGroup("*", g), s.onQuery})
	}
	all = append(all, subscription{sub.pingAll(), s.onPing}, subscription{sub.ping(name), s.onPing})
	for _, a := range all {
		subscribed, err := s.conn.nc.Subscribe(a.subject, a.handle)
		if err != nil {
			return fmt.Errorf("subscribe %s: %w", a.subject, err)
		}
		s.subs = append(s.subs, subscribed)
		if err := subscribed.SetPendingLimits(pendingMessages, pendingBytes); err != nil {
			return fmt.Errorf("subscribe %s: %w", a.subject, err)
		}
	}
	return nil
}

// flush returns when the server knows the subscriptions: nats.go reports a reconnect before that, and
// a query of another connection could overtake them. Where it fails, they go with the next reconnect.
func (s *Service) flush() {
	if s.conn.nc.IsConnected() {
		_ = s.conn.nc.FlushTimeout(connectTimeout)
	}
}

// Publish sends one frame of the answer to query k. It returns once the frame is with the connection,
// which may block while the socket is full; frame may then be used again. While disconnected it
// fails at once, keeping nothing.
func (s *Service) Publish(k Key, frame []byte) error {
	err := s.conn.nc.PublishRequest(s.subjects.result(k, s.name), s.subjects.gone(s.name, k), frame)
	if err != nil {
		return fmt.Errorf("frame of query %s: %w", k, err)
	}
	return nil
}

// Changed says that the node's record is another one now. The roster follows within seconds.
func (s *Service) Changed() { s.registry.wake() }

// Registered tells whether the node stands in the roster, as far as it knows.
func (s *Service) Registered() bool { return s.registry.registered() }

// Close takes the node off the bus; an ephemeral node leaves the roster too. It returns when the last
// message is out and no handler will be called any more.
func (s *Service) Close() {
	s.unlisten()
	s.unsubscribe()
	s.stop()
	s.done.Wait()
	s.registry.leave()
	if s.conn.nc.IsConnected() {
		_ = s.conn.nc.FlushTimeout(time.Second) // leaving anyway
	}
}

// unsubscribe waits for handlers that are running.
func (s *Service) unsubscribe() {
	var ended sync.WaitGroup
	for _, sub := range s.subs {
		ended.Add(1)
		done := sync.OnceFunc(ended.Done)
		sub.SetClosedHandler(func(string) { done() })
		if err := sub.Unsubscribe(); err != nil {
			done() // the connection is closed, and with it the subscription
		}
	}
	ended.Wait()
	s.subs = nil
}

func (s *Service) onQuery(m *nats.Msg) {
	user, ok := s.subjects.parseQuery(m.Subject, s.name)
	if !ok {
		return
	}
	q, err := schemas.DecodeQuery(m.Data)
	if err != nil {
		s.refused(m, err)
		return
	}
	if q.Server != "" && q.Server == s.conn.localServer() {
		q.Compress = false // between two processes of one machine it takes longer than it saves
	}
	q.Trace = traceOf(m)
	s.handlers.Query(user, q)
}

func (s *Service) onControl(m *nats.Msg) {
	k, ok := s.subjects.parseControl(m.Subject, s.name)
	if !ok {
		return
	}
	c, err := schemas.DecodeControl(m.Data)
	if err != nil {
		s.refused(m, err)
		return
	}
	s.handlers.Control(k, c)
}

func (s *Service) onCancel(m *nats.Msg) {
	k, ok := s.subjects.parseCancel(m.Subject)
	if !ok {
		return
	}
	c, err := schemas.DecodeCancel(m.Data)
	if err != nil {
		s.refused(m, err)
		return
	}
	s.handlers.Cancel(k, c)
}

func (s *Service) onGone(m *nats.Msg) {
	if k, ok := s.subjects.parseGone(m.Subject, s.name); ok && noResponders(m) {
		s.handlers.Gone(k)
	}
}

// onPing answers with the node's record; with the peers it remembers only when it is asked for them,
// because every node answers a ping to all.
func (s *Service) onPing(m *nats.Msg) {
	to, ok := s.subjects.pongSubject(m.Reply, s.name)
	if !ok {
		return
	}
	record := s.node()
	record.Peers = nil
	if string(m.Data) == pingPeers {
		record.Peers = s.registry.peers()
	}
	if err := s.conn.nc.Publish(to, schemas.AppendNode(nil, &record)); err != nil {
		s.conn.log.Debug("pong", "err", err)
	}
}

// refused notes a message that does not decode. Its sender gets no answer: what it asked, and for
// which query, is not known.
func (s *Service) refused(m *nats.Msg, err error) {
	if hidden, ok := s.refusals.admit(time.Now()); ok {
		s.conn.log.Warn("refused a message", "subject", m.Subject, "bytes", len(m.Data), "err", err, "not_logged_before", hidden)
	}
}

// noResponders tells the server's word that nobody is subscribed from a message of a client.
func noResponders(m *nats.Msg) bool {
	return len(m.Data) == 0 && m.Header.Get("Status") == "503"
}

// isClosed tells errors that a closed connection causes from others.
func isClosed(err error) bool { return errors.Is(err, nats.ErrConnectionClosed) }
