package bus

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/schemas"
)

// textQueue is the queue group of coordinators: one of them takes each question.
const textQueue = "trawl-text"

// textStatus is the header of the message that ends an answer. The message is otherwise empty, which
// is how the nats command knows the end; without a header it would end a streamed answer across
// accounts for the server, too.
const textStatus = "Trawl-Status"

// traceHeader carries the W3C trace context, in lower case: NATS headers are case-sensitive.
const traceHeader = "traceparent"

// TextRequest is a question in text, by somebody who speaks NATS but not the protocol.
type TextRequest struct {
	User  string // token of the subject; empty: the subject names none
	Node  string // the only node that is meant; empty: the fleet
	Body  []byte
	Trace string // trace context, as in schemas.Query

	reply string
}

// ServeText subscribes a coordinator for questions in text, to the fleet, of which each goes to one of
// all coordinators, and to its own node. Handle must return soon: a question is taken, not answered,
// within the call. Questions whose answer would go anywhere but to an inbox are dropped: a reply
// subject is covered by no permission of the asker, so it must not choose where a coordinator
// publishes. The func it returns ends the subscriptions.
func (c *Conn) ServeText(node string, handle func(*TextRequest)) (stop func(), err error) {
	var subs []*nats.Subscription
	stop = func() {
		for _, sub := range subs {
			_ = sub.Unsubscribe() // the connection may be closed
		}
	}
	on := func(m *nats.Msg) {
		r, ok := c.subjects.parseText(m.Subject, node)
		if !ok || !isInbox(m.Reply) {
			c.log.Debug("dropped a question without an inbox to answer to", "subject", m.Subject, "reply", m.Reply)
			return
		}
		r.Body, r.Trace, r.reply = m.Data, traceOf(m), m.Reply
		handle(&r)
	}
	for _, subject := range []string{c.subjects.text(), c.subjects.textUser("*")} {
		sub, err := c.nc.QueueSubscribe(subject, textQueue, on)
		if err != nil {
			stop()
			return nil, fmt.Errorf("subscribe %s: %w", subject, err)
		}
		subs = append(subs, sub)
	}
	sub, err := c.nc.Subscribe(c.subjects.textNode(node), on)
	if err != nil {
		stop()
		return nil, fmt.Errorf("subscribe %s: %w", c.subjects.textNode(node), err)
	}
	subs = append(subs, sub)
	for _, sub := range subs {
		if err := sub.SetPendingLimits(1024, 1<<20); err != nil {
			stop()
			return nil, fmt.Errorf("subscribe %s: %w", sub.Subject, err)
		}
	}
	if c.nc.IsConnected() {
		_ = c.nc.FlushTimeout(connectTimeout) // where it fails, they go with the next reconnect
	}
	return stop, nil
}

// AuthRequired tells whether the server wants to know who connects, as far as it has said so yet.
func (c *Conn) AuthRequired() bool { return c.nc.AuthRequired() }

// OnConnected calls up when the connection stands: at once if it does, and whenever it comes back. It
// runs on a goroutine of the connection. The func that it returns ends that.
func (c *Conn) OnConnected(up func()) (stop func()) {
	stop = c.listen(listener{connected: up, reconnected: up})
	if c.nc.IsConnected() {
		up()
	}
	return stop
}

// TextReply is where one question is answered.
type TextReply struct {
	conn  *Conn
	to    string
	probe string // the server says there that nobody listens any more
	sub   *nats.Subscription
}

// OpenTextReply makes ready to answer r over this connection. Gone is called, on a goroutine of the
// connection, when the server says that nobody listens for the answer.
func (c *Conn) OpenTextReply(r *TextRequest, gone func()) (*TextReply, error) {
	if !isInbox(r.reply) {
		return nil, fmt.Errorf("reply subject %q is no inbox", r.reply)
	}
	t := &TextReply{conn: c, to: r.reply, probe: c.nc.NewInbox()}
	var err error
	t.sub, err = c.nc.Subscribe(t.probe, func(m *nats.Msg) {
		if noResponders(m) {
			gone()
		}
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe %s: %w", t.probe, err)
	}
	return t, nil
}

// Send publishes a part of the answer, which must not be empty: that would end it for the asker.
func (t *TextReply) Send(data []byte) error {
	if len(data) == 0 {
		return errors.New("a part of an answer is empty")
	}
	return t.publish(&nats.Msg{Subject: t.to, Reply: t.probe, Data: data})
}

// End publishes the one empty message that ends the answer, with status, an exit status of trawl grep,
// in its header. Nothing may be sent after it.
func (t *TextReply) End(status int) error {
	m := nats.NewMsg(t.to)
	m.Header.Set(textStatus, strconv.Itoa(status))
	return t.publish(m)
}

func (t *TextReply) publish(m *nats.Msg) error {
	if err := t.conn.nc.PublishMsg(m); err != nil {
		return fmt.Errorf("answer to %s: %w", t.to, err)
	}
	return nil
}

// Close ends the watch for an asker that is gone.
func (t *TextReply) Close() { _ = t.sub.Unsubscribe() } // the connection may be closed

// isInbox tells whether a reply subject is an inbox: of a client, or one that the server has put in its
// place where a question comes from another account.
func isInbox(reply string) bool {
	if strings.ContainsAny(reply, "*> \t\r\n") || strings.Contains(reply, "..") || strings.HasSuffix(reply, ".") {
		return false
	}
	return strings.HasPrefix(reply, "_INBOX.") || strings.HasPrefix(reply, "_R_.")
}

// traceOf returns the trace context of a message, or nothing if it is not well formed.
func traceOf(m *nats.Msg) string {
	if trace := m.Header.Get(traceHeader); trace != "" && schemas.CheckTrace(trace) == nil {
		return trace
	}
	return ""
}

func (s Subjects) text() string                { return s.prefix + "text" }
func (s Subjects) textUser(user string) string { return s.prefix + "text." + user }
func (s Subjects) textNode(node string) string { return s.prefix + "node." + node + ".text" }

// parseText returns who asks, and whether node alone is meant.
func (s Subjects) parseText(subject, node string) (TextRequest, bool) {
	switch subject {
	case s.text():
		return TextRequest{}, true
	case s.textNode(node):
		return TextRequest{Node: node}, true
	}
	t, ok := s.cut(subject, "text.", 1)
	if !ok {
		return TextRequest{}, false
	}
	return TextRequest{User: t[0]}, true
}
