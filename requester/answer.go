package requester

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// Answer is what a fleet says to one query. Read it by Hits or by Chunks, once and from one
// goroutine; then Receipt tells whether it is all there is.
type Answer struct {
	r        *Requester
	q        *schemas.Query
	sessions []Session // by part; of run alone, once that runs

	mu     sync.Mutex // guards gather, and is never held while anything is sent or printed
	gather *Gather

	arriving sync.Mutex // guards inbox: what comes in does not wait for what came before
	inbox    []arrival

	wake  chan struct{} // there is something for run to do
	news  chan struct{} // there may be something to release
	ended chan struct{} // run is over
}

// tickEvery is how often the clock of a query is looked at.
const tickEvery = 50 * time.Millisecond

// arrival is what the transport reports of a part of the query.
type arrival struct {
	part int
	in   Incoming
}

// open makes ready to receive what comes of the next part.
func (a *Answer) open(ctx context.Context, part int) error {
	session, err := a.r.transport.Open(ctx, PartID(a.q.ID, part), func(in Incoming) {
		a.arriving.Lock()
		a.inbox = append(a.inbox, arrival{part, in})
		a.arriving.Unlock()
		kick(a.wake)
	})
	if err == nil {
		a.sessions = append(a.sessions, session)
	}
	return err
}

func (a *Answer) closeSessions() {
	for _, s := range a.sessions {
		_ = s.Close()
	}
}

func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run feeds the Gather until the answer is through. It keeps the nodes' leases alive while the
// consumer blocks.
func (a *Answer) run(ctx context.Context) {
	defer close(a.ended)
	defer a.closeSessions()
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	var reported time.Time
	var came []arrival
	for {
		tick := false
		select {
		case <-ctx.Done():
		case <-a.wake:
		case <-ticker.C:
			tick = true
		}
		a.arriving.Lock()
		came, a.inbox = a.inbox, came[:0]
		a.arriving.Unlock()
		now := a.r.now()
		a.mu.Lock()
		a.deliver(came, now)
		if tick {
			a.gather.Tick(now)
		}
		if ctx.Err() != nil && !a.gather.Done() {
			a.gather.Cancel("interrupted")
		}
		out, done, more := a.gather.Take(), a.gather.Done(), a.gather.waiting()
		a.mu.Unlock()
		if done || more {
			kick(a.news)
		}
		_ = a.send(out) // what does not leave is repeated, or the silence that follows is a verdict
		if a.r.progress != nil && (done || now.Sub(reported) >= 2*tickEvery) {
			reported = now
			a.r.progress(a.Progress())
		}
		if done {
			return
		}
	}
}

// deliver hands the Gather what has come in, and lets go of it.
func (a *Answer) deliver(came []arrival, now time.Time) {
	for i := range came {
		part, in := came[i].part, came[i].in
		came[i].in = nil
		switch in := in.(type) {
		case FrameMsg:
			a.gather.Frame(Account(part, in.Node), in.Msg, now)
			continue
		case NoResponders:
			a.gather.NoResponders(Account(part, in.Node), now)
			continue
		case Pong:
			a.gather.Pong(Account(part, in.Node), now)
			continue
		}
		if part > 0 {
			continue // the same is told of the query itself
		}
		switch in := in.(type) {
		case Beacon:
			a.gather.Beacon(&in.Record, now)
		case Probed:
			a.gather.Probed(now)
		case Disconnected:
			a.gather.Disconnected(now)
		case Reconnected:
			a.gather.Reconnected(now)
		}
	}
}

// send sends, and returns the first error.
func (a *Answer) send(out []Outgoing) error {
	var first error
	for _, o := range out {
		if err := a.sendOne(o); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (a *Answer) sendOne(o Outgoing) error {
	part := 0
	switch o := o.(type) {
	case Ask:
		part = o.Part
	case Grant:
		part = o.Part
	case Ping:
		part = o.Part
	case Quit:
		for _, s := range a.sessions[1:] {
			_ = s.Send(o) // as far as it goes: leases end the rest
		}
	}
	for len(a.sessions) <= part {
		if err := a.open(context.Background(), len(a.sessions)); err != nil {
			return fmt.Errorf("open a session for a part of the query: %w", err)
		}
	}
	return a.sessions[part].Send(o)
}

// Chunks yields the answer as it was sent, in the query's order: a node and a run of chunks of what it wrote.
// They may be kept, not changed. The next step says that the consumer is through with them: a
// consumer that takes its time slows the nodes down, and nothing piles up. To leave the loop early
// ends the query on every node.
func (a *Answer) Chunks() iter.Seq2[string, []schemas.Chunk] {
	return func(yield func(string, []schemas.Chunk) bool) {
		for r := range a.releases() {
			if r.Change != nil {
				continue
			}
			for chunks := r.Chunks; len(chunks) > 0; {
				node, n := writer(r.Node, &chunks[0]), 1
				for n < len(chunks) && writer(r.Node, &chunks[n]) == node {
					n++
				}
				if !yield(node, chunks[:n:n]) {
					return
				}
				chunks = chunks[n:]
			}
		}
	}
}

// writer is the node that wrote a chunk's lines, which another may have read.
func writer(reader string, c *schemas.Chunk) string {
	if c.Origin != nil {
		return c.Origin.Node
	}
	return reader
}

// releases yields what is released, and closes the answer at the end.
func (a *Answer) releases() iter.Seq[Release] {
	return func(yield func(Release) bool) {
		defer a.Close()
		for {
			a.mu.Lock()
			r, ok := a.gather.Next()
			done := !ok && a.gather.Done()
			more := len(a.gather.out) > 0
			a.mu.Unlock()
			if more {
				kick(a.wake)
			}
			switch {
			case done:
				return
			case !ok:
				<-a.news
				continue
			case !yield(r):
				return
			}
			a.mu.Lock()
			a.gather.Consumed(r, a.r.now())
			more = len(a.gather.out) > 0
			a.mu.Unlock()
			if more {
				kick(a.wake)
			}
		}
	}
}

// Ready says whether there is more to release at once, in time order, where a release may be a single
// line: a consumer may wait with what is dear, such as a write.
func (a *Answer) Ready() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.gather.inTime() && !a.gather.over && a.gather.nextInTime() != nil
}

// Close ends the query on every node, if it is not through, and waits until that has been sent.
func (a *Answer) Close() {
	a.mu.Lock()
	a.gather.Stop("the requester has enough")
	a.mu.Unlock()
	kick(a.wake)
	<-a.ended
}

// Receipt names what each known node answered. It is final once Hits or Chunks has ended.
func (a *Answer) Receipt() *Receipt {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.gather.Receipt(a.r.now())
}

// Progress says how far the query is.
func (a *Answer) Progress() Progress {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.gather.Progress(a.r.now())
}

// Query is the query as it was sent.
func (a *Answer) Query() *schemas.Query { return a.q }
