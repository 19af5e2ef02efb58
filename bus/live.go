package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trawl-logs/trawl/schemas"
)

// LiveOptions say which messages of a standing query are wanted. The zero value: those that are published
// from now on.
type LiveOptions struct {
	Durable  bool   // from its stream: all that it holds, and what comes
	New      bool   // with Durable: only what comes
	Consumer string // with Durable: where the JetStream consumer of that name has got to, which is made if need be
}

// LiveMessage is a message that a node published for a standing query.
type LiveMessage struct {
	Node string // who published it, as its subject says
	Data []byte // an encoded schemas.Live
	ack  func() error
}

// Acknowledge says that the message need not come again; only one that a named consumer gives would.
func (m *LiveMessage) Acknowledge() error {
	if m.ack == nil {
		return nil
	}
	if err := m.ack(); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return nil
}

// Live calls recv with the messages of a standing query, one after the other, until it returns an error,
// which Live returns, or ctx ends. Ready is called when no message is missed any more.
func (c *Conn) Live(ctx context.Context, name string, o LiveOptions, ready func(), recv func(LiveMessage) error) error {
	if err := schemas.CheckToken("name", name); err != nil {
		return err
	}
	ctx, stop := c.untilRefusedAbout(ctx, LiveStream(name), c.subjects.live(name, "*"))
	defer stop(nil)
	messages := make(chan LiveMessage, 256)
	var end func()
	var err error
	if o.Durable {
		end, err = c.consumeLive(ctx, name, o, messages)
	} else {
		end, err = c.subscribeLive(ctx, name, messages)
	}
	if err != nil {
		return fmt.Errorf("standing query %s: %w", name, noJetStream(causeOf(ctx, err)))
	}
	defer end()
	ready()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case m := <-messages:
			if err := recv(m); err != nil {
				return err
			}
		}
	}
}

func (c *Conn) subscribeLive(ctx context.Context, name string, to chan<- LiveMessage) (end func(), err error) {
	sub, err := c.nc.Subscribe(c.subjects.live(name, "*"), func(m *nats.Msg) {
		if _, node, ok := c.subjects.parseLive(m.Subject); ok {
			select {
			case to <- LiveMessage{Node: node, Data: m.Data}:
			case <-ctx.Done():
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if err := c.nc.FlushTimeout(connectTimeout); err != nil {
		return nil, err
	}
	return func() { _ = sub.Unsubscribe() }, nil // closed by then, or it does not matter
}

func (c *Conn) consumeLive(ctx context.Context, name string, o LiveOptions, to chan<- LiveMessage) (end func(), err error) {
	js, err := c.jetStream()
	if err != nil {
		return nil, err
	}
	from := jetstream.DeliverAllPolicy
	if o.New {
		from = jetstream.DeliverNewPolicy
	}
	var consumer jetstream.Consumer
	if o.Consumer == "" {
		consumer, err = js.OrderedConsumer(ctx, LiveStream(name), jetstream.OrderedConsumerConfig{DeliverPolicy: from})
	} else {
		consumer, err = js.Consumer(ctx, LiveStream(name), o.Consumer)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			consumer, err = js.CreateConsumer(ctx, LiveStream(name), jetstream.ConsumerConfig{Durable: o.Consumer, AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: from})
		}
	}
	if err != nil {
		return nil, err
	}
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		_, node, ok := c.subjects.parseLive(m.Subject())
		if !ok {
			return
		}
		live := LiveMessage{Node: node, Data: m.Data()}
		if o.Consumer != "" {
			live.ack = m.Ack
		}
		select {
		case to <- live:
		case <-ctx.Done():
		}
	}, jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { c.log.Debug("standing query", "watch", name, "err", err) }))
	if err != nil {
		return nil, err
	}
	return consuming.Stop, nil
}
