package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// kvKey returns the key of a message of a bucket, or "" if it marks a key as removed.
func kvKey(m *nats.Msg) string {
	if m.Header.Get("KV-Operation") != "" {
		return ""
	}
	subject := m.Header.Get("Nats-Subject")
	return subject[strings.LastIndexByte(subject, '.')+1:]
}

// readBucket calls take with the last message of each key of a bucket, in one round trip: a multi-subject direct
// get. It returns errAbsent, or errInPieces after some of them: then begin again with watchBucket.
func (c *Conn) readBucket(ctx context.Context, bucket string, take func(*nats.Msg)) error {
	request := `{"multi_last":["$KV.` + bucket + `.*"]}`
	_, left, err := c.directGet(ctx, "KV_"+bucket, []byte(request), func(m *nats.Msg, _ string, _ uint64) error {
		take(m)
		return nil
	})
	if left > 0 || errors.Is(err, errBrokenOff) || errors.Is(err, errRefused) {
		return errInPieces
	}
	return err
}

// watchBucket calls take with each entry of a bucket, through a watcher, which is some more round trips.
func (c *Conn) watchBucket(ctx context.Context, bucket string, take func(jetstream.KeyValueEntry)) error {
	js, err := c.jetStream()
	if err != nil {
		return err
	}
	kv, err := js.KeyValue(ctx, bucket)
	switch {
	case errors.Is(err, jetstream.ErrBucketNotFound), errors.Is(err, jetstream.ErrJetStreamNotEnabled),
		errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return errAbsent
	case err != nil:
		return causeOf(ctx, err)
	}
	w, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return causeOf(ctx, err)
	}
	defer func() { _ = w.Stop() }() // only read from
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case entry, ok := <-w.Updates():
			if !ok {
				return fmt.Errorf("the watcher of bucket %s ended early", bucket)
			}
			if entry == nil { // that was the last one
				return nil
			}
			take(entry)
		}
	}
}
