package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/schemas"
)

// doctorQuery stands in place of a query id in the subjects that checkups come back on.
const doctorQuery = "doctor"

// checkups numbers the requests of this process: an answer that comes late belongs to none.
var checkups atomic.Int64

// ErrNoCheckup says that nobody answers for a node: it is down, or older than checkups.
var ErrNoCheckup = errors.New("nobody answers for it: it is down, or its trawl is too old for a checkup")

// Checkup is a node's answer with when it was asked for and came, by the clock of this machine.
type Checkup struct {
	*schemas.Checkup
	Asked, Came time.Time
}

// Skew returns by how much the node's clock is ahead of this machine's, and how far that may be off:
// half of the time that the messages were under way.
func (c *Checkup) Skew() (ahead, within time.Duration) {
	out := time.Unix(0, c.Received).Sub(c.Asked.Round(0))
	back := time.Unix(0, c.Sent).Sub(c.Came.Round(0))
	way := c.Came.Sub(c.Asked) - time.Duration(c.Sent-c.Received)
	return (out + back) / 2, max(way/2, 0)
}

// Checkup asks a node how it does, and waits for the answer until ctx ends.
func (c *Conn) Checkup(ctx context.Context, node string, q *schemas.CheckupRequest) (*Checkup, error) {
	if err := schemas.CheckToken("node", node); err != nil {
		return nil, err
	}
	key := Key{c.user, fmt.Sprintf("%s-d%d", c.client, checkups.Add(1)), doctorQuery}
	sub, err := c.nc.SubscribeSync(c.subjects.result(key, "*"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }() // the answer has come, or the connection is closed
	asked := time.Now()
	err = c.nc.PublishRequest(c.subjects.doctor(node, c.user), c.subjects.result(key, node), schemas.AppendCheckupRequest(nil, q))
	if err != nil {
		return nil, err
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		came := time.Now()
		switch {
		case errors.Is(err, nats.ErrNoResponders):
			return nil, ErrNoCheckup
		case err != nil:
			return nil, err
		}
		answer, err := schemas.DecodeCheckup(m.Data)
		if err != nil || answer.Name != node {
			continue // not of a node of this version
		}
		return &Checkup{answer, asked, came}, nil
	}
}

// onCheckup answers a checkup; what takes long, beside the handlers and one after the other.
func (s *Service) onCheckup(m *nats.Msg) {
	received := time.Now()
	user, ok := s.subjects.parseDoctor(m.Subject, s.name)
	to, replies := s.subjects.checkupSubject(m.Reply, user, s.name)
	if !ok || !replies {
		return
	}
	q, err := schemas.DecodeCheckupRequest(m.Data)
	if err != nil {
		s.refused(m, err)
		return
	}
	answer := func(c *schemas.Checkup) {
		c.Name, c.Received, c.Sent = s.name, received.UnixNano(), time.Now().UnixNano()
		if err := s.conn.nc.Publish(to, schemas.AppendCheckup(nil, c)); err != nil {
			s.conn.log.Debug("checkup", "err", err)
		}
	}
	if !q.Sources && q.Blocks == schemas.BlocksNone {
		answer(&schemas.Checkup{})
		return
	}
	select {
	case s.checking <- struct{}{}:
	default:
		return // one waits already: who gets no answer may ask again
	}
	s.done.Go(func() {
		defer func() { <-s.checking }()
		s.checked.Lock()
		defer s.checked.Unlock()
		answer(s.handlers.Checkup(q))
	})
}

// Health is what a connection says of itself and of its server.
type Health struct {
	URL       string
	Server    string // version of nats-server
	RoundTrip time.Duration
	Refused   []Refusal // what this user may not do, of what a requester does
}

// Refusal is something that the server does not permit.
type Refusal struct {
	What    string // for people
	Subject string
}

// Health asks the server, and tries what a requester does on subjects that nobody listens to.
func (c *Conn) Health(ctx context.Context) (*Health, error) {
	h := &Health{URL: c.URL(), Server: c.nc.ConnectedServerVersion()}
	for range 3 {
		d, err := c.nc.RTT()
		if err != nil {
			return nil, fmt.Errorf("round trip: %w", err)
		}
		if h.RoundTrip == 0 || d < h.RoundTrip {
			h.RoundTrip = d
		}
	}
	key := Key{c.user, c.client, doctorQuery}
	sub, quit := c.subjects, schemas.AppendCancel(nil, &schemas.Cancel{Reason: doctorQuery}) // of no query
	for _, try := range []struct {
		what, subject string
		subscribe     bool
	}{
		{"hear answers", sub.result(key, "*"), true},
		{"ask all nodes", sub.queryGroup(c.user, anyNode), false},
		{"ask one node", sub.queryNode(c.user, anyNode), false},
		{"control an answer", sub.control(anyNode, key), false},
		{"end a query", sub.cancel(key), false},
		{"ping a node", sub.ping(anyNode), false},
		{"ask a node for a checkup", sub.doctor(anyNode, c.user), false},
	} {
		refused, err := c.refuses(ctx, try.subject, try.subscribe, quit)
		if err != nil {
			return nil, err
		}
		if refused {
			h.Refused = append(h.Refused, Refusal{try.what, try.subject})
		}
	}
	return h, nil
}

// refuses tries a subject. The server says no apart from the request, but before it answers the flush.
func (c *Conn) refuses(ctx context.Context, subject string, subscribe bool, payload []byte) (bool, error) {
	if subscribe {
		sub, err := c.nc.SubscribeSync(subject)
		if err != nil {
			return false, err
		}
		defer func() { _ = sub.Unsubscribe() }() // it was only tried
	} else if err := c.nc.Publish(subject, payload); err != nil {
		return false, err
	}
	wait, stop := context.WithTimeout(ctx, requestLimit)
	defer stop()
	if err := c.nc.FlushWithContext(wait); err != nil {
		return false, fmt.Errorf("flush: %w", err)
	}
	err := c.nc.LastError()
	return errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(err.Error(), `"`+subject+`"`), nil
}
