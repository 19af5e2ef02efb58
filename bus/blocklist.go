package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trawl-logs/trawl/schemas"
)

// BlockBucket is the JetStream KV bucket that holds the fleet's block list: a record for each sealed block.
const BlockBucket = "trawl_blocks"

const (
	blockStream   = "KV_" + BlockBucket
	blockReplicas = 3 // of the bucket, where the bus is a cluster of as many
)

var (
	// ErrNoBlockList says that the bus has no block list: no block was ever listed, or it has no JetStream.
	ErrNoBlockList = errors.New("no block list on this bus")
	// ErrConflict says that a record of the block list is not at that revision any more: read it again, and decide again.
	ErrConflict = errors.New("somebody else changed it")
)

// wrongRevision is JetStream's code of an error: a subject's last message is not the one that was expected.
const wrongRevision = 10071

// Blocks calls take with each record of the block list that the filter admits, in no order, and with its revision. It returns
// a revision of the whole list: all that was written up to it is in what take got. A record that cannot be read is an error, since
// without it an answer would look complete. ErrNoBlockList: there is no list. An error may come after some calls of take.
func (c *Conn) Blocks(ctx context.Context, f schemas.BlockFilter, take func(*schemas.BlockRecord, uint64)) (listed uint64, err error) {
	ctx, stop := c.untilRefusedAbout(ctx, BlockBucket)
	defer stop(nil)
	silence := time.AfterFunc(rosterSilence, func() { stop(errSilent) })
	defer silence.Stop()
	r := &blockReading{conn: c, filter: &f, take: take, silence: silence}
	if listed, err = r.read(ctx, blockPatterns(f)); err != nil {
		return 0, fmt.Errorf("block list: %w", err)
	}
	return listed, nil
}

// blockReading is one reading of the block list.
type blockReading struct {
	conn    *Conn
	filter  *schemas.BlockFilter
	take    func(*schemas.BlockRecord, uint64)
	silence *time.Timer // ends the reading
}

// read reads the keys of the patterns by a multi-subject direct get, which is one round trip; where they are too many, by a
// consumer.
func (r *blockReading) read(ctx context.Context, patterns []string) (listed uint64, err error) {
	subjects := make([]string, len(patterns))
	for i, p := range patterns {
		subjects[i] = r.conn.blockSubject(p)
	}
	listed, err = r.conn.multiLast(ctx, blockStream, subjects, r.heard)
	if err == nil && listed == 0 { // nothing is there, and nothing says of what revision that is true
		var before uint64
		if before, err = r.revision(ctx); err == nil {
			listed, err = r.conn.multiLast(ctx, blockStream, subjects, r.heard)
			listed = max(listed, before)
		}
	}
	switch {
	case errors.Is(err, errInPieces):
		return r.consume(ctx, subjects)
	case errors.Is(err, errAbsent):
		return 0, ErrNoBlockList
	}
	return listed, err
}

// heard takes a message of a record.
func (r *blockReading) heard(m *nats.Msg, subject string, revision uint64) error {
	r.silence.Reset(rosterSilence)
	if m.Header.Get("KV-Operation") != "" || m.Header.Get("Nats-Marker-Reason") != "" {
		return nil // it was removed
	}
	b, err := schemas.DecodeBlockRecord(m.Data)
	if err == nil && subject != r.conn.blockSubject(blockKey(b)) {
		err = errors.New("it is another block's")
	}
	if err != nil {
		return fmt.Errorf("record %s: %w", subject, err)
	}
	if r.filter.Admits(b) {
		r.take(b, revision)
	}
	return nil
}

// revision asks for the revision of the list alone.
func (r *blockReading) revision(ctx context.Context) (uint64, error) {
	js, err := r.conn.jetStream()
	if err != nil {
		return 0, err
	}
	s, err := js.Stream(ctx, blockStream)
	if err != nil {
		return 0, noBlockList(causeOf(ctx, err))
	}
	return s.CachedInfo().State.LastSeq, nil
}

// noBlockList says in our words that there is none.
func noBlockList(err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, nats.ErrStreamNotFound) || errors.Is(noJetStream(err), ErrNoJetStream) {
		return ErrNoBlockList
	}
	return err
}

// consume reads keys through an ordered consumer, which is some round trips more and has no limit. It ends when nothing was
// left behind a message: to stop after as many as there were at first would lose a record that was written anew
// meanwhile, and so is behind ones that are new.
func (r *blockReading) consume(ctx context.Context, subjects []string) (listed uint64, err error) {
	if listed, err = r.revision(ctx); err != nil {
		return 0, err
	}
	js, err := r.conn.nc.JetStream(nats.APIPrefix(strings.TrimSuffix(r.conn.apiBase, ".")))
	if err != nil {
		return 0, err
	}
	sub, err := js.SubscribeSync("", nats.BindStream(blockStream), nats.OrderedConsumer(), nats.DeliverLastPerSubject(),
		nats.ConsumerFilterSubjects(subjects...), nats.Context(ctx))
	if err != nil {
		return 0, noBlockList(causeOf(ctx, err))
	}
	defer func() { _ = sub.Unsubscribe() }() // it ends by itself too
	left, err := sub.InitialConsumerPending()
	for err == nil && left > 0 {
		var m *nats.Msg
		if m, err = sub.NextMsgWithContext(ctx); err != nil {
			break
		}
		var at *nats.MsgMetadata
		if at, err = m.Metadata(); err == nil {
			left = at.NumPending
			err = r.heard(m, m.Subject, at.Sequence.Stream)
		}
	}
	return listed, causeOf(ctx, err)
}

// multiLast calls take with the last message of each subject of a stream that a pattern matches, in one round trip, and
// returns the last sequence that the stream had then, 0 if the server did not say: no subject matched. errAbsent: there is no such stream;
// errInPieces: they are too many, and take was not called.
func (c *Conn) multiLast(ctx context.Context, stream string, patterns []string, take func(m *nats.Msg, subject string, seq uint64) error) (uint64, error) {
	request, err := json.Marshal(map[string]any{"multi_last": patterns, "max_bytes": math.MaxInt32})
	if err != nil {
		return 0, err
	}
	inbox := c.nc.NewInbox()
	sub, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		return 0, err
	}
	defer func() { _ = sub.Unsubscribe() }() // the answer is complete, or the connection closed
	if err := c.nc.PublishRequest(c.apiBase+"DIRECT.GET."+stream, inbox, request); err != nil {
		return 0, err
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if errors.Is(err, nats.ErrNoResponders) {
			return 0, errAbsent
		}
		if err != nil {
			return 0, causeOf(ctx, err)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
			seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
			if err == nil {
				err = take(m, m.Header.Get("Nats-Subject"), seq)
			}
			if err != nil {
				return 0, err
			}
		case "204":
			if left := m.Header.Get("Nats-Num-Pending"); left != "0" {
				return 0, fmt.Errorf("JetStream left out %s messages", left)
			}
			seq, _ := strconv.ParseUint(m.Header.Get("Nats-UpTo-Sequence"), 10, 64) // servers before 2.11 do not say
			return seq, nil
		case "404":
			return 0, nil
		case "413":
			return 0, errInPieces
		default:
			return 0, fmt.Errorf("JetStream says %s %s", status, m.Header.Get("Description"))
		}
	}
}

// blockSubject is where a key of the bucket is written and read.
func (c *Conn) blockSubject(key string) string { return "$KV." + BlockBucket + "." + key }

// PutBlock writes a record if the list's is still at that revision (0: it is not in the list), and returns the new revision.
// It makes the list where there is none. ErrConflict: it is at another revision. After any other error the record may have been
// written or not.
func (c *Conn) PutBlock(ctx context.Context, b *schemas.BlockRecord, revision uint64) (uint64, error) {
	if err := b.Validate(); err != nil {
		return 0, fmt.Errorf("block %s: %w", b.ID, err)
	}
	key := blockKey(b)
	revision, err := c.putKey(ctx, key, schemas.AppendBlockRecord(nil, b), revision)
	if err != nil {
		return 0, fmt.Errorf("block %s: %w", b.ID, err)
	}
	return revision, nil
}

// putKey writes a key of the bucket if it is at a revision, 0 if it is not there.
func (c *Conn) putKey(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	m := nats.NewMsg(c.blockSubject(key))
	m.Data = value
	seq, err := c.storeAt(ctx, m, revision)
	if errors.Is(err, nats.ErrNoResponders) {
		if err = c.createBlockList(ctx); err == nil {
			seq, err = c.storeAt(ctx, m, revision)
		}
	}
	if revision == 0 && errors.Is(err, ErrConflict) { // a marker may be there, of its removal
		if removed, ok := c.removedAt(ctx, key); ok {
			seq, err = c.storeAt(ctx, m, removed)
		}
	}
	return seq, err
}

// RemoveBlock removes a record from the list if it is still at that revision; ErrConflict if not.
func (c *Conn) RemoveBlock(ctx context.Context, b *schemas.BlockRecord, revision uint64) error {
	if err := c.removeKey(ctx, blockKey(b), revision); err != nil {
		return fmt.Errorf("block %s: %w", b.ID, err)
	}
	return nil
}

// removeKey leaves a marker instead of a key, as removeOwn does.
func (c *Conn) removeKey(ctx context.Context, key string, revision uint64) error {
	m := nats.NewMsg(c.blockSubject(key))
	m.Header.Set("KV-Operation", "PURGE")
	m.Header.Set("Nats-Rollup", "sub")
	m.Header.Set("Nats-TTL", markerLife.String())
	_, err := c.storeAt(ctx, m, revision)
	if err == nil || errors.Is(err, ErrConflict) || errors.Is(err, nats.ErrNoResponders) {
		return noBlockList(err)
	}
	m.Header.Del("Nats-TTL")
	_, err = c.storeAt(ctx, m, revision)
	return noBlockList(err)
}

// removedAt returns the revision of the marker of a key that was removed.
func (c *Conn) removedAt(ctx context.Context, key string) (revision uint64, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	_, err := c.multiLast(ctx, blockStream, []string{c.blockSubject(key)}, func(m *nats.Msg, _ string, seq uint64) error {
		revision, ok = seq, m.Header.Get("KV-Operation") != "" || m.Header.Get("Nats-Marker-Reason") != ""
		return nil
	})
	return revision, ok && err == nil
}

// storeAt publishes into JetStream if the subject's last message is that of a sequence, 0 if it has none, waits until it is
// stored, and returns its sequence. ErrNoResponders: there is no such bucket, or no JetStream.
func (c *Conn) storeAt(ctx context.Context, m *nats.Msg, last uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	ctx, stop := c.untilRefusedAbout(ctx, BlockBucket)
	defer stop(nil)
	if c.apiBase != "$JS.API." && !strings.HasPrefix(m.Subject, c.apiBase) {
		m.Subject = c.apiBase + m.Subject // as nats.go's KV does in another domain
	}
	m.Header.Set("Nats-Expected-Last-Subject-Sequence", strconv.FormatUint(last, 10))
	reply, err := c.nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return 0, causeOf(ctx, err)
	}
	var ack struct {
		Error *struct {
			Code        int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
		Seq uint64 `json:"seq"`
	}
	switch err := json.Unmarshal(reply.Data, &ack); {
	case err != nil:
		return 0, fmt.Errorf("answer of JetStream: %w", err)
	case ack.Error != nil && ack.Error.Code == wrongRevision:
		return 0, ErrConflict
	case ack.Error != nil:
		return 0, errors.New(ack.Error.Description)
	}
	return ack.Seq, nil
}

// createBlockList makes the bucket, in three copies where the bus has servers for that.
func (c *Conn) createBlockList(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*requestLimit)
	defer cancel()
	js, err := c.jetStream()
	if err != nil {
		return err
	}
	config := jetstream.KeyValueConfig{
		Bucket: BlockBucket, Description: "trawl: the sealed blocks, and which nodes have them",
		MaxValueSize: schemas.MaxRecord, LimitMarkerTTL: markerLife, Replicas: blockReplicas,
	}
	_, err = js.CreateKeyValue(ctx, config)
	if errors.Is(err, jetstream.ErrLimitMarkerTTLNotSupported) {
		config.LimitMarkerTTL = 0 // a server before 2.11: markers stay
		_, err = js.CreateKeyValue(ctx, config)
	}
	if err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
		config.Replicas = 1
		_, err = js.CreateKeyValue(ctx, config)
	}
	if err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
		return noBlockList(err)
	}
	return nil
}
