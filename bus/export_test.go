package bus

import "time"

// Ahead has the connection's clock run so much ahead.
func (c *Conn) Ahead(by time.Duration) { c.now = func() time.Time { return time.Now().Add(by) } }

// Older has the connection take the servers for ones of that version.
func (c *Conn) Older(version string) { c.older = version }

// Received counts the messages that have come.
func (c *Conn) Received() uint64 { return c.nc.Stats().InMsgs }
