package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trawl-logs/trawl/schemas"
)

// RosterKind tells how a roster came about; it is the receipt's word.
type RosterKind string

const (
	// Registered nodes wrote themselves into the roster bucket; those that are down are known too.
	Registered RosterKind = "registered"
	// Discovered nodes answered a ping, or are remembered by one that did.
	Discovered RosterKind = "discovered"
)

// Known is one node of a roster.
type Known struct {
	schemas.Node           // as it last was; only the name is sure to be set
	Seen         time.Time // when the record was written; zero if that is not known
	Live         bool      // it answered a ping just now
}

// Roster is the nodes that are known, whether or not they are up, in the order of their names.
type Roster struct {
	Kind  RosterKind
	Nodes []Known
}

// Records returns the nodes' records.
func (r Roster) Records() []schemas.Node {
	records := make([]schemas.Node, len(r.Nodes))
	for i, n := range r.Nodes {
		records[i] = n.Node
	}
	return records
}

// rosterSilence is how long JetStream may say nothing while the roster is read.
const rosterSilence = 3 * time.Second

// errNoRoster says that there is no bucket, or no JetStream.
var errNoRoster = errors.New("no roster is registered on this bus; it needs JetStream, and a node that is up")

// Roster returns the nodes that are known: those in the roster bucket, in one round trip, or where
// there is none, or none that this user may read, those that a ping round discovers. A JetStream that
// does not answer is an error: with fewer nodes known, an answer without the others would look complete.
func (c *Conn) Roster(ctx context.Context) (Roster, error) {
	began := c.now()
	nodes, seq, err := c.registered(ctx)
	switch {
	case err == nil && len(nodes) > 0:
		r := Roster{Registered, nodes}
		c.remember(r, seq, began)
		return r, nil
	case err != nil && !errors.Is(err, errNoRoster) && !errors.Is(err, nats.ErrPermissionViolation):
		return Roster{}, fmt.Errorf("roster: %w", err)
	}
	found, err := c.discover(ctx)
	if err != nil {
		return Roster{}, fmt.Errorf("roster: %w", err)
	}
	return Roster{Discovered, found}, nil
}

// errSilent says that JetStream knows the bucket, but does not answer.
var errSilent = fmt.Errorf("JetStream does not answer within %v", rosterSilence)

// registered reads the bucket with one multi-subject direct get, which is one round trip; a server
// that does not know it, or finds too many records for it, is asked through a watcher. Seq is that of the newest
// message there was.
func (c *Conn) registered(ctx context.Context) (nodes []Known, seq uint64, err error) {
	ctx, stop := c.untilRefused(ctx)
	defer stop(nil)
	silence := time.AfterFunc(rosterSilence, func() { stop(errSilent) })
	defer silence.Stop()
	err = c.readBucket(ctx, RosterBucket, func(m *nats.Msg) {
		silence.Reset(rosterSilence)
		own, _ := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64) // 0: the roster will not be taken for unchanged
		seq = max(seq, own)
		seen, _ := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp")) // zero: not known
		if n, ok := knownNode(kvKey(m), m.Data, seen); ok {
			nodes = append(nodes, n)
		}
	})
	if errors.Is(err, errInPieces) {
		nodes, seq = nil, 0
		err = c.watchBucket(ctx, RosterBucket, func(entry jetstream.KeyValueEntry) {
			silence.Reset(rosterSilence)
			seq = max(seq, entry.Revision())
			if n, ok := knownNode(entry.Key(), entry.Value(), entry.Created()); ok {
				nodes = append(nodes, n)
			}
		})
	}
	if errors.Is(err, errAbsent) {
		return nil, 0, errNoRoster
	}
	sortKnown(nodes)
	return nodes, seq, err
}

// knownNode makes a roster entry of a key and its value. A record that does not decode still says that
// there is such a node: leaving it out would make an answer without it look complete.
func knownNode(name string, value []byte, seen time.Time) (Known, bool) {
	if schemas.CheckToken("node", name) != nil {
		return Known{}, false
	}
	k := Known{Node: schemas.Node{Name: name}, Seen: seen}
	if record, err := schemas.DecodeNode(value); err == nil && record.Name == name {
		k.Node = *record
	}
	return k, true
}

func sortKnown(nodes []Known) {
	slices.SortFunc(nodes, func(a, b Known) int { return cmp.Compare(a.Name, b.Name) })
}

// untilRefused returns a context that ends when the server refuses a request about the roster: it says
// so apart from the request, which would wait in vain. Stop ends it, for the reason given if it has
// not ended before.
func (c *Conn) untilRefused(ctx context.Context) (refusable context.Context, stop func(reason error)) {
	return c.untilRefusedAbout(ctx, RosterBucket)
}

// untilRefusedAbout is untilRefused for what any of the names stands in.
func (c *Conn) untilRefusedAbout(ctx context.Context, names ...string) (refusable context.Context, stop func(reason error)) {
	ctx, cancel := context.WithCancelCause(ctx)
	unlisten := c.listen(listener{failed: func(_ string, err error) {
		about := func(name string) bool { return strings.Contains(err.Error(), name) }
		if errors.Is(err, nats.ErrPermissionViolation) && slices.ContainsFunc(names, about) {
			cancel(err)
		}
	}})
	return ctx, func(reason error) { unlisten(); cancel(reason) }
}

// causeOf returns why ctx ended, if that is why err came.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
