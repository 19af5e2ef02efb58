package archive

import (
	"slices"
	"sync"
)

// Gate bounds the memory that the decoders of one search have together. The archives of a search are
// opened in the order in which their results are wanted, and each waits before it allocates its
// decoder until there is room. The one that was opened first of those that are not closed never
// waits, however much it needs: the others may be waiting for its results to be taken.
type Gate struct {
	limit int64

	mu      sync.Mutex
	used    int64
	tickets []*ticket // of open archives, in order
	changed chan struct{}
}

// ticket is an archive's place in a Gate.
type ticket struct {
	gate *Gate
	used int64
}

// NewGate returns a gate for so many bytes.
func NewGate(limit int64) *Gate { return &Gate{limit: limit, changed: make(chan struct{})} }

func (g *Gate) ticket() *ticket {
	t := &ticket{gate: g}
	if g != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.tickets = append(g.tickets, t)
	}
	return t
}

// enter waits for n bytes; an error is that of quit, closed.
func (t *ticket) enter(n int64, quit <-chan struct{}) error {
	g := t.gate
	if g == nil {
		return nil
	}
	for {
		g.mu.Lock()
		if len(g.tickets) > 0 && g.tickets[0] == t || g.used+n <= g.limit {
			t.used += n
			g.used += n
			g.mu.Unlock()
			return nil
		}
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-quit:
			return errClosed
		}
	}
}

// release gives up n bytes of what it holds, and not the place.
func (t *ticket) release(n int64) {
	g := t.gate
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	n = min(n, t.used)
	t.used -= n
	g.used -= n
	close(g.changed)
	g.changed = make(chan struct{})
}

// leave gives up the place and what it holds.
func (t *ticket) leave() {
	g := t.gate
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.tickets, t)
	if i < 0 {
		return
	}
	g.tickets = slices.Delete(g.tickets, i, i+1)
	g.used -= t.used
	t.used = 0
	close(g.changed)
	g.changed = make(chan struct{})
}
