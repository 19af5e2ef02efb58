package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trawl-logs/trawl/schemas"
)

// StandingBucket is the JetStream KV bucket that holds the standing queries, under their names.
const StandingBucket = "trawl_watches"

// LiveStream returns the name of the JetStream stream of a durable standing query.
func LiveStream(name string) string { return "trawl_live_" + name }

const (
	standingEvery  = 30 * time.Second       // a node reads the standing queries again at least so often
	standingAgain  = 2 * time.Second        // and so long after it heard of a change
	standingSpread = 200 * time.Millisecond // over which a fleet reads them after a change
	liveDuplicates = 2 * time.Minute        // within which a message that is sent twice is stored once
	livePause      = 5 * time.Second        // at most, before a message that was not stored is sent again
)

// Kept is a standing query as the bucket holds it.
type Kept struct {
	Name     string
	Revision uint64
	Value    []byte // an encoded schemas.Standing, unless somebody else wrote it
}

// LiveLimits bound what the stream of a durable standing query keeps; the oldest goes first.
type LiveLimits struct {
	Age   time.Duration
	Bytes int64
}

var (
	// ErrNoJetStream says that standing queries cannot be kept.
	ErrNoJetStream = errors.New("standing queries are kept in JetStream, which this bus does not have")
	// ErrNoStanding says that there is none of that name.
	ErrNoStanding = errors.New("no such standing query")
	// ErrStandingExists says that there is one already.
	ErrStandingExists = errors.New("there is a standing query of that name")
)

func (s Subjects) live(name, node string) string { return s.prefix + "live." + name + "." + node }

// parseLive returns the standing query and the node of a live subject.
func (s Subjects) parseLive(subject string) (name, node string, ok bool) {
	t, ok := s.cut(subject, "live.", 2)
	if !ok {
		return "", "", false
	}
	return t[0], t[1], true
}

// noJetStream says in our words that there is none.
func noJetStream(err error) error {
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return ErrNoJetStream
	}
	return err
}

// AddStanding keeps a standing query, and makes the stream of a durable one. ErrStandingExists: there is
// one of its name. ErrNoJetStream: the bus cannot keep any.
func (c *Conn) AddStanding(ctx context.Context, s *schemas.Standing, l LiveLimits) (err error) {
	ctx, stop := c.untilRefusedAbout(ctx, StandingBucket, LiveStream(s.Name))
	defer stop(nil)
	defer func() {
		if err != nil {
			err = fmt.Errorf("standing query %s: %w", s.Name, noJetStream(causeOf(ctx, err)))
		}
	}()
	if err := s.Validate(); err != nil {
		return err
	}
	js, err := c.jetStream()
	if err != nil {
		return err
	}
	bucket, err := standingBucket(ctx, js)
	if err != nil {
		return err
	}
	if _, err := bucket.Get(ctx, s.Name); err == nil {
		return ErrStandingExists
	}
	if s.Durable {
		if _, err := js.CreateStream(ctx, jetstream.StreamConfig{
			Name: LiveStream(s.Name), Description: "trawl: what the standing query " + s.Name + " found",
			Subjects: []string{c.subjects.live(s.Name, "*")}, Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld,
			MaxAge: l.Age, MaxBytes: l.Bytes, Duplicates: min(liveDuplicates, l.Age),
		}); err != nil {
			return fmt.Errorf("stream %s: %w", LiveStream(s.Name), err)
		}
	}
	_, err = bucket.Create(ctx, s.Name, schemas.AppendStanding(nil, s))
	if errors.Is(err, jetstream.ErrKeyExists) {
		err = ErrStandingExists
	}
	return err
}

// standingBucket returns the bucket, which it makes if there is none.
func standingBucket(ctx context.Context, js jetstream.JetStream) (jetstream.KeyValue, error) {
	bucket, err := js.KeyValue(ctx, StandingBucket)
	if !errors.Is(err, jetstream.ErrBucketNotFound) {
		return bucket, err
	}
	return js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: StandingBucket, Description: "trawl: standing queries", MaxValueSize: schemas.MaxStanding,
	})
}

// RemoveStanding removes a standing query, and the stream of a durable one with what it holds.
func (c *Conn) RemoveStanding(ctx context.Context, name string) (err error) {
	ctx, stop := c.untilRefusedAbout(ctx, StandingBucket, LiveStream(name))
	defer stop(nil)
	defer func() {
		if err != nil {
			err = fmt.Errorf("standing query %s: %w", name, noJetStream(causeOf(ctx, err)))
		}
	}()
	if err := schemas.CheckToken("name", name); err != nil {
		return err
	}
	js, err := c.jetStream()
	if err != nil {
		return err
	}
	bucket, err := js.KeyValue(ctx, StandingBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return ErrNoStanding
	}
	if err != nil {
		return err
	}
	if _, err := bucket.Get(ctx, name); errors.Is(err, jetstream.ErrKeyNotFound) {
		return ErrNoStanding
	} else if err != nil {
		return err
	}
	if err := bucket.Purge(ctx, name); err != nil {
		return err
	}
	if err := js.DeleteStream(ctx, LiveStream(name)); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream %s: %w", LiveStream(name), err)
	}
	return nil
}

// Standing returns the standing queries that are kept, in the order of their names. On a bus where none
// was ever added there are none; ErrNoJetStream tells a bus that cannot keep any.
func (c *Conn) Standing(ctx context.Context) ([]Kept, error) {
	ctx, stop := c.untilRefusedAbout(ctx, StandingBucket)
	defer stop(nil)
	all, err := c.standing(ctx)
	if errors.Is(err, errAbsent) {
		// Is there no bucket, or no JetStream?
		js, jerr := c.jetStream()
		if jerr == nil {
			_, jerr = js.KeyValue(ctx, StandingBucket)
		}
		if err = nil; jerr != nil && !errors.Is(jerr, jetstream.ErrBucketNotFound) {
			err = noJetStream(causeOf(ctx, jerr))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("standing queries: %w", err)
	}
	return all, nil
}

// standing reads the bucket in one round trip, or from a server that does not know how, in some more.
func (c *Conn) standing(ctx context.Context) ([]Kept, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, rosterSilence, errSilent)
	defer cancel()
	var all []Kept
	err := c.readBucket(ctx, StandingBucket, func(m *nats.Msg) {
		var revision uint64
		_, err := fmt.Sscan(m.Header.Get("Nats-Sequence"), &revision)
		if name := kvKey(m); err == nil && schemas.CheckToken("name", name) == nil {
			all = append(all, Kept{name, revision, m.Data})
		}
	})
	if errors.Is(err, errInPieces) {
		all = nil
		err = c.watchBucket(ctx, StandingBucket, func(entry jetstream.KeyValueEntry) {
			if schemas.CheckToken("name", entry.Key()) == nil {
				all = append(all, Kept{entry.Key(), entry.Revision(), entry.Value()})
			}
		})
	}
	slices.SortFunc(all, func(a, b Kept) int { return cmp.Compare(a.Name, b.Name) })
	return all, err
}

// FollowStanding calls take with the standing queries: at once, after each change, when the bus is back,
// and now and then, until ctx ends. While they cannot be read it calls nothing.
func (c *Conn) FollowStanding(ctx context.Context, take func([]Kept)) error {
	changed := make(chan struct{}, 1)
	wake := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	sub, err := c.nc.Subscribe("$KV."+StandingBucket+".*", func(*nats.Msg) { wake() })
	if err != nil {
		return fmt.Errorf("standing queries: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // closed by then, or it does not matter
	defer c.listen(listener{connected: wake, reconnected: wake})()
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := standingEvery
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			// What was heard may not be stored yet.
			timer.Reset(standingSpread/4 + rand.N(standingSpread))
			next = standingAgain
			continue
		case <-timer.C:
		}
		if all, err := c.refusableStanding(ctx); err == nil {
			take(all)
		} else if !errors.Is(err, errAbsent) && ctx.Err() == nil {
			c.log.Debug("standing queries", "err", err)
		}
		timer.Reset(next)
		next = standingEvery
	}
}

func (c *Conn) refusableStanding(ctx context.Context) ([]Kept, error) {
	if !c.nc.IsConnected() {
		return nil, nats.ErrDisconnected
	}
	ctx, stop := c.untilRefusedAbout(ctx, StandingBucket)
	defer stop(nil)
	return c.standing(ctx)
}

// PublishLive publishes what node found for a standing query. One that is not durable goes to those who
// listen, and is an error while the bus is away. One that is durable is sent until it is stored, or ctx
// ends; of messages with the same id the stream takes one within two minutes.
func (c *Conn) PublishLive(ctx context.Context, node, name string, durable bool, id string, msg []byte) error {
	subject := c.subjects.live(name, node)
	if !durable {
		if err := c.nc.Publish(subject, msg); err != nil {
			return fmt.Errorf("standing query %s: %w", name, err)
		}
		return nil
	}
	m := nats.NewMsg(subject)
	m.Data = msg
	m.Header.Set(jetstream.MsgIDHeader, node+"-"+id)
	m.Header.Set(jetstream.ExpectedStreamHeader, LiveStream(name))
	told := false
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, livePause) {
		err := c.stored(ctx, m)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !told && c.nc.IsConnected() {
			c.log.Warn("what a standing query found is not stored; it is sent again", "watch", name, "err", err)
			told = true
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// stored publishes into JetStream and waits for the acknowledgement.
func (c *Conn) stored(ctx context.Context, m *nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	reply, err := c.nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return err
	}
	var ack struct {
		Stream string `json:"stream"`
		Error  *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	switch err := json.Unmarshal(reply.Data, &ack); {
	case err != nil:
		return fmt.Errorf("answer of JetStream: %w", err)
	case ack.Error != nil:
		return errors.New(ack.Error.Description)
	case ack.Stream == "":
		return errors.New("it was not JetStream that answered")
	}
	return nil
}
