package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trawl-logs/trawl/schemas"
)

// RosterBucket is the JetStream KV bucket that holds one record a node, under the node's name.
const RosterBucket = "trawl_nodes"

const (
	beaconEvery   = 10 * time.Second       // at least, between two beacons of a node
	beaconPerPeer = 100 * time.Millisecond // more for each peer: whatever the fleet, a node hears ≤10 beacons a second
	putEvery      = 2 * time.Second        // at least, between two changes of a roster record
	refreshEvery  = 10 * time.Minute       // a record that has not changed is written again
	retryEvery    = 30 * time.Second       // where there is no JetStream
	requestLimit  = 2 * time.Second        // for one request to JetStream
	peerLife      = 24 * time.Hour         // after its last beacon a peer is forgotten
	markerLife    = time.Hour              // a deleted record's marker goes after that
)

// pingPeers is the payload of a ping that asks for remembered peers too.
const pingPeers = "peers"

// registry keeps a node known: it writes the roster record, sends beacons, and, where there is no
// JetStream, remembers those of others. Nothing of it is fatal; it tries again, quietly.
type registry struct {
	conn      *Conn
	name      string
	instance  string
	node      func() schemas.Node
	duplicate func(host string) // called with mu held
	wakeup    chan struct{}     // holds one: the record has changed, or the bus is back
	hurry     chan struct{}     // holds one: there is a twin

	mu        sync.Mutex
	inRoster  bool
	known     map[string]time.Time // peers, by when their last beacon came
	peerSub   *nats.Subscription   // to all beacons; nil with JetStream
	twins     map[string]time.Time // instances of the same name, by when their last beacon came
	lastReply time.Time            // of a beacon that answered one
}

func newRegistry(conn *Conn, record schemas.Node, node func() schemas.Node, duplicate func(string)) *registry {
	return &registry{
		conn: conn, name: record.Name, instance: record.Instance, node: node, duplicate: duplicate,
		wakeup: make(chan struct{}, 1), hurry: make(chan struct{}, 1), known: map[string]time.Time{}, twins: map[string]time.Time{},
	}
}

// wake has the record written and a beacon sent soon.
func (r *registry) wake() {
	select {
	case r.wakeup <- struct{}{}:
	default: // one is enough
	}
}

func (r *registry) registered() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inRoster
}

// peers returns the nodes whose beacons came during the last day, sorted.
func (r *registry) peers() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.known))
}

// run writes and beacons until ctx ends.
func (r *registry) run(ctx context.Context) {
	beacon, put := time.NewTimer(0), time.NewTimer(0)
	defer beacon.Stop()
	defer put.Stop()
	var lastPut time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wakeup:
			put.Reset(max(0, putEvery-time.Since(lastPut)))
			r.sendBeacon(false)
		case <-r.hurry:
			beacon.Reset(r.nextBeacon(time.Now()))
		case <-put.C:
			lastPut = time.Now()
			if err := r.put(ctx); err != nil {
				r.conn.log.Debug("roster record not written", "err", err)
				put.Reset(retryEvery)
			} else {
				put.Reset(refreshEvery)
			}
		case <-beacon.C:
			r.sendBeacon(false)
			r.checkTwins(time.Now())
			beacon.Reset(r.nextBeacon(time.Now()))
		}
	}
}

// nextBeacon returns how long to wait, some chance in it, so that a fleet that started together does
// not beacon together; it also forgets peers of long ago. A node that has twins does not wait long.
func (r *registry) nextBeacon(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.known, func(_ string, at time.Time) bool { return now.Sub(at) > peerLife })
	if n := len(r.twins); n > 0 {
		return twinWait(n)
	}
	d := max(beaconEvery, time.Duration(len(r.known))*beaconPerPeer)
	return d*3/4 + rand.N(d/2)
}

// sendBeacon says that the node is there, or that it leaves: a record without its lists.
func (r *registry) sendBeacon(leaving bool) {
	n := r.node()
	b := schemas.Node{Name: n.Name, Instance: n.Instance, Host: n.Host, Version: n.Version, Started: n.Started,
		Ready: n.Ready && !leaving, Ephemeral: n.Ephemeral}
	if err := r.conn.nc.Publish(r.conn.subjects.beacon(r.name), schemas.AppendNode(nil, &b)); err != nil {
		r.conn.log.Debug("beacon", "err", err)
	}
}

// onBeacon hears this node's own beacons, and all where there is no JetStream. The node is that of the
// subject.
func (r *registry) onBeacon(m *nats.Msg) {
	node, ok := r.conn.subjects.parseBeacon(m.Subject)
	if !ok {
		return
	}
	b, err := schemas.DecodeNode(m.Data)
	if err != nil || b.Name != node {
		return
	}
	if node == r.name {
		if m.Sub.Subject == m.Subject { // not once more through the wildcard
			r.hearOwn(b, time.Now())
		}
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case b.Ephemeral && !b.Ready:
		delete(r.known, node)
	case len(r.known) < schemas.MaxPeers:
		r.known[node] = time.Now()
	}
}

// put writes the record, and makes the bucket if there is none.
func (r *registry) put(ctx context.Context) error {
	n := r.node()
	n.Peers = nil
	value := schemas.AppendNode(nil, &n)
	err := r.publish(ctx, value)
	if errors.Is(err, nats.ErrNoResponders) {
		if err = r.conn.createRoster(ctx); err == nil {
			err = r.publish(ctx, value)
		}
	}
	r.mu.Lock()
	r.inRoster = err == nil
	r.mu.Unlock()
	r.listenToPeers(err != nil)
	return err
}

// publish writes value as the node's record, and waits until it is stored.
func (r *registry) publish(ctx context.Context, value []byte) error {
	return r.conn.store(ctx, &nats.Msg{Subject: r.conn.rosterSubject(r.name), Data: value})
}

// listenToPeers subscribes all beacons, or no longer: with JetStream nobody needs them, and they are
// as many as the square of the fleet.
func (r *registry) listenToPeers(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if on == (r.peerSub != nil) {
		return
	}
	if !on {
		if err := r.peerSub.Unsubscribe(); err != nil && !isClosed(err) {
			r.conn.log.Debug("beacons", "err", err)
		}
		r.peerSub = nil
		clear(r.known)
		return
	}
	sub, err := r.conn.nc.Subscribe(r.conn.subjects.beacon("*"), r.onBeacon)
	if err != nil {
		r.conn.log.Debug("beacons", "err", err)
		return
	}
	r.peerSub = sub
}

// leave ends the registration; run has ended before.
func (r *registry) leave() {
	r.listenToPeers(false)
	if !r.conn.nc.IsConnected() {
		return
	}
	r.sendBeacon(true)
	if !r.node().Ephemeral || !r.registered() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestLimit)
	defer cancel()
	if err := r.conn.removeOwn(ctx, r.name); err != nil {
		r.conn.log.Warn("roster record not removed", "err", err)
	}
}

// rosterSubject is where a node's record is written and read.
func (c *Conn) rosterSubject(node string) string {
	subject := "$KV." + RosterBucket + "." + node
	if c.apiBase != "$JS.API." {
		subject = c.apiBase + subject // as nats.go's KV does in another domain
	}
	return subject
}

// store publishes into JetStream, and waits until it is stored. ErrNoResponders: there is no such
// bucket, or no JetStream.
func (c *Conn) store(ctx context.Context, m *nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	ctx, stop := c.untilRefused(ctx)
	defer stop(nil)
	reply, err := c.nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return fmt.Errorf("roster: %w", causeOf(ctx, err))
	}
	var ack struct {
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return fmt.Errorf("roster: answer of JetStream: %w", err)
	}
	if ack.Error != nil {
		return fmt.Errorf("roster: %s", ack.Error.Description)
	}
	return nil
}

// removeOwn leaves a marker instead of the record; the server drops it after markerLife, where it
// can (else the message is refused, and one without that header is sent).
func (c *Conn) removeOwn(ctx context.Context, node string) error {
	m := nats.NewMsg(c.rosterSubject(node))
	m.Header.Set("KV-Operation", "PURGE")
	m.Header.Set("Nats-Rollup", "sub")
	m.Header.Set("Nats-TTL", markerLife.String())
	err := c.store(ctx, m)
	if err == nil {
		return nil
	}
	m.Header.Del("Nats-TTL")
	return c.store(ctx, m)
}

// jetStream returns the JetStream that the connection's context names.
func (c *Conn) jetStream() (jetstream.JetStream, error) {
	return jetstream.NewWithAPIPrefix(c.nc, strings.TrimSuffix(c.apiBase, "."))
}

// createRoster makes the bucket. It has no TTL: a node that is down is still known.
func (c *Conn) createRoster(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	js, err := c.jetStream()
	if err != nil {
		return fmt.Errorf("roster: %w", err)
	}
	config := jetstream.KeyValueConfig{
		Bucket:         RosterBucket,
		Description:    "trawl: the nodes that are known, whether or not they are up",
		MaxValueSize:   schemas.MaxNode,
		LimitMarkerTTL: markerLife,
	}
	_, err = js.CreateKeyValue(ctx, config)
	if errors.Is(err, jetstream.ErrLimitMarkerTTLNotSupported) {
		config.LimitMarkerTTL = 0 // a server before 2.11: markers stay
		_, err = js.CreateKeyValue(ctx, config)
	}
	if err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
		return fmt.Errorf("roster: %w", err)
	}
	return nil
}
