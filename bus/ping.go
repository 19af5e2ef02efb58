package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/schemas"
)

// Timing of a ping round. A node answers in under a millisecond unless it is busy or far away.
const (
	discoverMin   = 50 * time.Millisecond  // a round lasts at least so long: who is not remembered may answer
	discoverQuiet = 30 * time.Millisecond  // and ends after such a silence, if every remembered node answered
	discoverPeer  = 250 * time.Millisecond // a remembered node that is silent so long is not waited for
	discoverMax   = 2 * time.Second
	peerSources   = 3           // nodes that are asked what they remember
	presenceMax   = time.Second // a node that is silent so long counts as down
)

// pong is what a ping brought: a record, or the word that nobody is subscribed (then record is nil).
type pong struct {
	node   string // anyNode after a ping to all
	record *schemas.Node
}

// pings is one round of pings, from a client token of its own.
type pings struct {
	conn *Conn
	key  Key
	sub  *nats.Subscription
	in   chan pong // pongs that have arrived; closed never
	stop chan struct{}
}

// pingRounds numbers the rounds of this process: a pong that comes late belongs to none.
var pingRounds atomic.Int64

func (c *Conn) newPings() (*pings, error) {
	p := &pings{conn: c, in: make(chan pong), stop: make(chan struct{})}
	p.key = Key{c.user, fmt.Sprintf("%s-%d", c.client, pingRounds.Add(1)), pingQuery}
	var err error
	if p.sub, err = c.nc.Subscribe(c.subjects.result(p.key, "*"), p.onMessage); err != nil {
		return nil, err
	}
	return p, p.sub.SetPendingLimits(-1, 64<<20)
}

func (p *pings) close() {
	close(p.stop)
	_ = p.sub.Unsubscribe() // the round is over, or the connection closed
}

// ping asks node, or all nodes when it is anyNode.
func (p *pings) ping(node, payload string) error {
	subject := p.conn.subjects.ping(node)
	if node == anyNode {
		subject = p.conn.subjects.pingAll()
	}
	return p.conn.nc.PublishRequest(subject, p.conn.subjects.result(p.key, node), []byte(payload))
}

// onMessage hands one pong on; what is not one is dropped. The node is that of the subject.
func (p *pings) onMessage(m *nats.Msg) {
	_, node, ok := p.conn.subjects.parseResult(m.Subject)
	if !ok {
		return
	}
	got := pong{node: node}
	if !noResponders(m) {
		record, err := schemas.DecodeNode(m.Data)
		if err != nil || record.Name != node {
			return
		}
		got.record = record
	}
	select {
	case p.in <- got:
	case <-p.stop:
	}
}

// Presence pings the nodes of a roster, and marks as Live those that answer within a second, with
// the record that they sent.
func (c *Conn) Presence(ctx context.Context, r *Roster) error {
	p, err := c.newPings()
	if err != nil {
		return fmt.Errorf("presence: %w", err)
	}
	defer p.close()
	waiting := make(map[string]*Known, len(r.Nodes))
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if err := p.ping(n.Name, ""); err != nil {
			return fmt.Errorf("presence of %s: %w", n.Name, err)
		}
		n.Live = false
		waiting[n.Name] = n
	}
	timeout := time.NewTimer(presenceMax)
	defer timeout.Stop()
	for len(waiting) > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("presence: %w", ctx.Err())
		case <-timeout.C:
			return nil
		case got := <-p.in:
			n, ok := waiting[got.node]
			if !ok {
				continue
			}
			if got.record != nil {
				n.Node, n.Live = *got.record, true
			}
			delete(waiting, got.node)
		}
	}
	return nil
}

// discovery is what a ping round has brought so far; time is an argument.
type discovery struct {
	start, last time.Time // of the round, and when the last new node answered
	answered    int
	asked       int // nodes asked for what they remember
	found       map[string]*Known
	silent      int // remembered nodes that have not answered
}

// wait returns how long the round still waits for the next answer; zero or less ends it.
func (d *discovery) wait(now time.Time) time.Duration {
	elapsed, quiet := now.Sub(d.start), now.Sub(d.last)
	left := max(discoverMin-elapsed, discoverQuiet-quiet)
	if d.silent > 0 || d.answered == 0 {
		left = max(left, discoverPeer-quiet)
	}
	return min(left, discoverMax-elapsed)
}

// take adds what one node answered, and tells whether it should be asked what it remembers.
func (d *discovery) take(now time.Time, record *schemas.Node) (ask bool) {
	peers := record.Peers
	record.Peers = nil
	n := d.find(record.Name)
	if !n.Live {
		d.answered++
		d.silent--
		d.last = now
		ask = d.asked < peerSources
		if ask {
			d.asked++
		}
	}
	n.Node, n.Seen, n.Live = *record, now, true
	for _, peer := range peers {
		d.find(peer)
	}
	return ask
}

// find returns the entry of a node, a silent one if it is new.
func (d *discovery) find(name string) *Known {
	n, ok := d.found[name]
	if !ok {
		n = &Known{Node: schemas.Node{Name: name}}
		d.found[name] = n
		d.silent++
	}
	return n
}

// discover pings all nodes, asks some of those that answer what they remember, and waits for those too.
func (c *Conn) discover(ctx context.Context) ([]Known, error) {
	p, err := c.newPings()
	if err != nil {
		return nil, err
	}
	defer p.close()
	if err := p.ping(anyNode, ""); err != nil {
		return nil, err
	}
	now := time.Now()
	d := &discovery{start: now, last: now, found: map[string]*Known{}}
	for {
		left := d.wait(time.Now())
		if left <= 0 {
			break
		}
		got, err := p.next(ctx, left)
		if errors.Is(err, errQuiet) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if got.record == nil {
			if got.node == anyNode {
				return nil, nil // the server says at once that there is no node
			}
			continue // it left between two pings
		}
		if d.take(time.Now(), got.record) {
			if err := p.ping(got.node, pingPeers); err != nil {
				return nil, err
			}
		}
	}
	nodes := make([]Known, 0, len(d.found))
	for _, name := range slices.Sorted(maps.Keys(d.found)) {
		nodes = append(nodes, *d.found[name])
	}
	return nodes, nil
}

// errQuiet says that no pong came in time.
var errQuiet = errors.New("no pong came in time")

// next waits for one more pong.
func (p *pings) next(ctx context.Context, wait time.Duration) (pong, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return pong{}, ctx.Err()
	case <-timer.C:
		return pong{}, errQuiet
	case got := <-p.in:
		return got, nil
	}
}
