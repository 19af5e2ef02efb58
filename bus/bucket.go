package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	// errAbsent says that there is no such bucket, or no JetStream.
	errAbsent = errors.New("no such bucket, or no JetStream")
	// errInPieces says that the server cannot give a bucket in one answer: it is too old, or the bucket too large.
	errInPieces = errors.New("the bucket comes in pieces only")
)

// bucketMost is how many messages a server gives in one answer, at most; the end of it is one more.
const bucketMost = 1024

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
	// A channel of the size that an answer can have: nats.go's own are of half a megabyte.
	inbox, in := c.nc.NewInbox(), make(chan *nats.Msg, bucketMost+1)
	sub, err := c.nc.ChanSubscribe(inbox, in)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }() // the answer is complete, or the connection closed
	request := `{"multi_last":["$KV.` + bucket + `.*"]}`
	if err := c.nc.PublishRequest(c.apiBase+"DIRECT.GET.KV_"+bucket, inbox, []byte(request)); err != nil {
		return err
	}
	for {
		var m *nats.Msg
		select {
		case m = <-in:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		switch status := m.Header.Get("Status"); {
		case noResponders(m):
			return errAbsent
		case status == "204" && m.Header.Get("Nats-Num-Pending") == "0", status == "404" && m.Header.Get("Description") == "No Results":
			return nil
		case status != "":
			return errInPieces
		}
		take(m)
	}
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
