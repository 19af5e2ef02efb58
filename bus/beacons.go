package bus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/schemas"
)

// HearBeacons reports the beacons of all nodes as EventBeacon until the session is closed. A server that
// does not permit it says so in an EventFailed.
func (s *Session) HearBeacons() error {
	sub, err := s.conn.nc.Subscribe(s.conn.subjects.beacon("*"), func(m *nats.Msg) {
		node, ok := s.conn.subjects.parseBeacon(m.Subject)
		if !ok {
			return
		}
		if record, err := schemas.DecodeNode(m.Data); err == nil && record.Name == node {
			s.event(Event{Kind: EventBeacon, Node: node, Record: record})
		}
	})
	if err != nil {
		return fmt.Errorf("subscribe for beacons: %w", err)
	}
	context.AfterFunc(s.ctx, func() {
		if err := sub.Unsubscribe(); err != nil && !isClosed(err) {
			s.conn.log.Debug("unsubscribe", "err", err)
		}
	})
	return nil
}
