package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trawl-logs/trawl/schemas"
)

// JetStream's codes of errors: a subject's last message is not the one that was expected; of a replicated bucket, which
// it is may be known only when others have agreed. A server is of no cluster; of one that has not as many servers up.
const (
	wrongRevision          = 10071
	wrongRevisionAmongMany = 10164
	notClustered           = 10074
	tooFewServers          = 10005
)

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
	c.markList(ctx)
	seq, err := c.storeAt(ctx, m, revision)
	if errors.Is(err, nats.ErrNoResponders) {
		if err = c.createBlockList(ctx); err == nil {
			c.marked.Store(false)
			c.markList(ctx)
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

// markList writes the key that is always there, once for a connection. Without it readers know of no revision, and leave out
// nobody: that it cannot be written is no reason not to list a block.
func (c *Conn) markList(ctx context.Context) {
	if c.marked.Load() {
		return
	}
	_, err := c.storeAt(ctx, nats.NewMsg(c.blockSubject(listKey)), 0)
	c.marked.Store(!errors.Is(err, nats.ErrNoResponders))
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
	ctx, cancel := context.WithTimeout(ctx, recordLimit)
	defer cancel()
	_, err := c.lastMessages(ctx, []string{c.blockSubject(key)}, func() { revision, ok = 0, false }, func(m *nats.Msg, _ string, seq uint64) error {
		revision, ok = seq, isMarker(m)
		return nil
	})
	return revision, ok && err == nil
}

// storeAt publishes into JetStream if the subject's last message is that of a sequence, 0 if it has none, waits until it is
// stored, and returns its sequence. ErrNoResponders: there is no such bucket, or no JetStream.
func (c *Conn) storeAt(ctx context.Context, m *nats.Msg, last uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, recordLimit)
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
	case ack.Error != nil && (ack.Error.Code == wrongRevision || ack.Error.Code == wrongRevisionAmongMany):
		return 0, ErrConflict
	case ack.Error != nil:
		return 0, errors.New(ack.Error.Description)
	}
	return ack.Seq, nil
}

// createBlockList makes the bucket, in three copies where the bus has servers for that.
func (c *Conn) createBlockList(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, recordLimit)
	defer cancel()
	ctx, stop := c.untilRefusedAbout(ctx, BlockBucket) // who may not make it need not wait until nothing comes
	defer stop(nil)
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
	if lacksServers(err) {
		config.Replicas = 1
		_, err = js.CreateKeyValue(ctx, config)
	}
	if err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
		return noBlockList(causeOf(ctx, err))
	}
	return nil
}

// lacksServers says whether JetStream refuses several copies because there are not so many servers for them now. Where it
// refuses for another reason, one copy would not help, or would be one for good though there could be three.
func lacksServers(err error) bool {
	var refused *jetstream.APIError
	return errors.As(err, &refused) && (refused.ErrorCode == notClustered || refused.ErrorCode == tooFewServers)
}
