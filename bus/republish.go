package bus

import (
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/schemas"
)

// CheckReplyTo says whether results may be sent on to subject: one without wildcards, and neither the
// server's nor one of the protocol, where what is sent on would look like an answer.
func (c *Conn) CheckReplyTo(subject string) error {
	for token := range strings.SplitSeq(subject, ".") {
		if token == "" || strings.ContainsAny(token, "*> \t\r\n") {
			return fmt.Errorf("reply subject %q: an empty token, a wildcard or a blank is in it", subject)
		}
	}
	if strings.HasPrefix(subject, "$") || strings.HasPrefix(subject+".", c.subjects.prefix) {
		return fmt.Errorf("reply subject %q: it is not for results", subject)
	}
	return nil
}

// Republish publishes a part of a query's results on subject, under this connection's own permissions;
// the headers Trawl-Query and Trawl-Node, if node is not empty, say of what. A refusal of the server comes
// apart, as an EventFailed of the sessions.
func (c *Conn) Republish(subject, query, node string, data []byte) error {
	if int64(len(data)) > c.MaxPayload() || len(data) > schemas.MaxFrame {
		return fmt.Errorf("send results to %s: %d bytes are more than a message may have", subject, len(data))
	}
	m := nats.NewMsg(subject)
	m.Data = data
	m.Header.Set("Trawl-Query", query)
	if node != "" {
		m.Header.Set("Trawl-Node", node)
	}
	if err := c.nc.PublishMsg(m); err != nil {
		return fmt.Errorf("send results to %s: %w", subject, err)
	}
	return nil
}
