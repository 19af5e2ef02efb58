package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/schemas"
)

// drainKey is the key, in the bucket of the block list, that is there while a node drains.
func drainKey(node string) string { return "_drain." + node }

// Drain says of a node that it gives its sealed blocks away, and gets none, or that it does not any more. ErrNoBlockList:
// there are none to be given away.
func (c *Conn) Drain(ctx context.Context, node string, drains bool) error {
	if err := c.drain(ctx, node, drains); err != nil {
		return fmt.Errorf("drain %s: %w", node, err)
	}
	return nil
}

func (c *Conn) drain(ctx context.Context, node string, drains bool) error {
	if err := schemas.CheckToken("node", node); err != nil {
		return err
	}
	last, is, err := c.drainMark(ctx, drainKey(node))
	switch {
	case err != nil || is == drains:
		return err
	case !drains:
		return c.removeKey(ctx, drainKey(node), last)
	}
	_, err = c.storeAt(ctx, nats.NewMsg(c.blockSubject(drainKey(node))), last)
	return noBlockList(err)
}

// drainMark is the last revision of a key, 0 if it never was there, and whether it is there.
func (c *Conn) drainMark(ctx context.Context, key string) (last uint64, is bool, err error) {
	err = c.blockKeys(ctx, key, func(m *nats.Msg, seq uint64) { last, is = seq, !isMarker(m) })
	return last, is, err
}

// blockKeys calls take with the last message of each key of the bucket that a pattern matches, of few.
func (c *Conn) blockKeys(ctx context.Context, pattern string, take func(m *nats.Msg, seq uint64)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, recordLimit, fmt.Errorf("JetStream does not answer within %v", recordLimit))
	defer cancel()
	ctx, stop := c.untilRefusedAbout(ctx, BlockBucket)
	defer stop(nil)
	type key struct {
		m   *nats.Msg
		seq uint64
	}
	var keys []key
	_, err := c.lastMessages(ctx, []string{c.blockSubject(pattern)}, func() { keys = nil }, func(m *nats.Msg, _ string, seq uint64) error {
		keys = append(keys, key{m, seq})
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		take(k.m, k.seq)
	}
	return nil
}

// Draining returns the nodes that drain, sorted; none where there is no block list.
func (c *Conn) Draining(ctx context.Context) ([]string, error) {
	var nodes []string
	err := c.blockKeys(ctx, drainKey("*"), func(m *nats.Msg, _ uint64) {
		subject := m.Header.Get("Nats-Subject")
		if node := subject[strings.LastIndexByte(subject, '.')+1:]; !isMarker(m) {
			nodes = append(nodes, node)
		}
	})
	if err != nil && !errors.Is(err, ErrNoBlockList) {
		return nil, fmt.Errorf("nodes that drain: %w", err)
	}
	slices.Sort(nodes)
	return nodes, nil
}

// Drains says whether a node drains.
func (c *Conn) Drains(ctx context.Context, node string) (bool, error) {
	_, is, err := c.drainMark(ctx, drainKey(node))
	if err != nil && !errors.Is(err, ErrNoBlockList) {
		return false, fmt.Errorf("whether %s drains: %w", node, err)
	}
	return is, nil
}
