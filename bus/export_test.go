package bus

import "time"

// Ahead has the connection's clock run so much ahead.
func (c *Conn) Ahead(by time.Duration) { c.now = func() time.Time { return time.Now().Add(by) } }

// Older has the connection take the servers for ones of that version.
func (c *Conn) Older(version string) { c.older = version }
