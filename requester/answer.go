package requester

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// Answer is what a fleet says to one query. Read it by Hits or by Chunks, once and from one
// goroutine; then Receipt tells whether it is all there is.
type Answer struct {
	r       *Requester
	q       *schemas.Query
	session Session

	mu     sync.Mutex // guards gather and inbox, and is never held while anything is sent or printed
	gather *Gather
	inbox  []Incoming

	wake  chan struct{} // there is something for run to do
	news  chan struct{} // there may be something to release
	ended chan struct{} // run is over
}

// tickEvery is how often the clock of a query is looked at.
const tickEvery = 50 * time.Millisecond

// receive takes what the transport reports.
func (a *Answer) receive(in Incoming) {
	a.mu.Lock()
	a.inbox = append(a.inbox, in)
	a.mu.Unlock()
	kick(a.wake)
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
	defer func() { _ = a.session.Close() }()
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	var reported time.Time
	for {
		tick := false
		select {
		case <-ctx.Done():
		case <-a.wake:
		case <-ticker.C:
			tick = true
		}
		now := a.r.now()
		a.mu.Lock()
		a.deliver(now)
		if tick {
			a.gather.Tick(now)
		}
		if ctx.Err() != nil && !a.gather.Done() {
			a.gather.Cancel("interrupted")
		}
		out, done := a.gather.Take(), a.gather.Done()
		a.mu.Unlock()
		kick(a.news)
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

// deliver hands the Gather what has come in.
func (a *Answer) deliver(now time.Time) {
	for i, in := range a.inbox {
		switch in := in.(type) {
		case FrameMsg:
			a.gather.Frame(in.Node, in.Msg, now)
		case NoResponders:
			a.gather.NoResponders(in.Node, now)
		case Beacon:
			a.gather.Beacon(&in.Record, now)
		case Pong:
			a.gather.Pong(in.Node, now)
		case Probed:
			a.gather.Probed(now)
		case Disconnected:
			a.gather.Disconnected(now)
		case Reconnected:
			a.gather.Reconnected(now)
		}
		a.inbox[i] = nil
	}
	a.inbox = a.inbox[:0]
}

// send sends, and returns the first error.
func (a *Answer) send(out []Outgoing) error {
	var first error
	for _, o := range out {
		if err := a.session.Send(o); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Chunks yields the answer as it was sent, in the query's order: a node and a run of its chunks.
// They may be kept, not changed. The next step says that the consumer is through with them: a
// consumer that takes its time slows the nodes down, and nothing piles up. To leave the loop early
// ends the query on every node.
func (a *Answer) Chunks() iter.Seq2[string, []schemas.Chunk] {
	return func(yield func(string, []schemas.Chunk) bool) {
		for r := range a.releases() {
			if r.Change == nil && !yield(r.Node, r.Chunks) {
				return
			}
		}
	}
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
