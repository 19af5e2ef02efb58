package bus

import (
	"context"
	"errors"
	"fmt"
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
	// recordLimit bounds the writing of a record, which nobody waits for: a bus that writes its files to disk has been seen to answer nothing
	// for two seconds.
	recordLimit = 20 * time.Second
	// listSilence is how long JetStream may say nothing while a query's part of the list is read; then the query does without.
	listSilence = 5 * time.Second
	// wholeSilence is how long JetStream may say nothing while all of the list is read: to refuse a million keys takes it a second, if it
	// has nothing else to do.
	wholeSilence = 15 * time.Second
)

var (
	// ErrNoBlockList says that the bus has no block list: no block was ever listed, or it is ErrNoListKeeper.
	ErrNoBlockList = errors.New("no block list on this bus")
	// ErrNoListKeeper is an ErrNoBlockList of a bus without JetStream, or with one that is not up: there may have been a list.
	ErrNoListKeeper = fmt.Errorf("%w: it has no JetStream, or that is not up", ErrNoBlockList)
	// ErrConflict says that a record of the block list is not at that revision any more: read it again, and decide again.
	ErrConflict = errors.New("somebody else changed it")
)

// Blocks calls take with each record of the block list that the filter admits, in no order, and with its revision. It returns
// a revision of the whole list: all that was written up to it is in what take got. A record that cannot be read is an error, since
// without it an answer would look complete. ErrNoBlockList: there is no list. An error may come after some calls of take.
func (c *Conn) Blocks(ctx context.Context, f schemas.BlockFilter, take func(*schemas.BlockRecord, uint64)) (listed uint64, err error) {
	ctx, stop := c.untilRefusedAbout(ctx, BlockBucket)
	defer stop(nil)
	r := &blockReading{conn: c, filter: &f, take: take, patience: listSilence}
	if len(f.Services) == 0 && f.Since == 0 && f.Until == 0 {
		r.patience = wholeSilence
	}
	r.silence = time.AfterFunc(r.patience, func() { stop(fmt.Errorf("JetStream does not answer within %v", r.patience)) })
	defer r.silence.Stop()
	if listed, err = r.read(ctx, blockPatterns(f)); err != nil {
		return 0, fmt.Errorf("block list: %w", err)
	}
	return listed, nil
}

// blockReading is one reading of the block list.
type blockReading struct {
	conn     *Conn
	filter   *schemas.BlockFilter
	take     func(*schemas.BlockRecord, uint64)
	patience time.Duration // with a JetStream that says nothing
	silence  *time.Timer   // ends the reading then
}

// read reads the keys of the patterns by multi-subject direct gets: one round trip, unless there are more keys than an answer
// may have. Then the patterns are taken apart until there are not. That costs the server less, by far, than a consumer with several
// filters (up to a millisecond a record), or than asking for messages in the order in which they were written (each such request looks
// at all keys there are; both with nats-server 2.15).
func (r *blockReading) read(ctx context.Context, patterns []string) (listed uint64, err error) {
	listed, err = r.direct(ctx, patterns)
	if errors.Is(err, errInPieces) {
		if listed, err = r.direct(ctx, nil); err == nil {
			listed, err = r.pieces(ctx, piece{patterns, true}, listed)
		}
	}
	return listed, err
}

// listKey is a key that is always there: a server that has none of the keys that it is asked for does not say up to which
// revision that is true, and may be behind the others.
const listKey = "_list"

// unknownRevision is the revision of what a server says that does not have listKey: nobody's records can be of an earlier one.
const unknownRevision = 1

// direct reads the keys of the patterns in one round trip, and up to which revision that is all there is.
func (r *blockReading) direct(ctx context.Context, patterns []string) (upTo uint64, err error) {
	subjects := make([]string, 0, len(patterns)+1)
	for _, p := range patterns {
		subjects = append(subjects, r.conn.blockSubject(p))
	}
	subjects = append(subjects, r.conn.blockSubject(listKey))
	r.silence.Reset(r.patience)
	type listed struct {
		record   *schemas.BlockRecord
		revision uint64
	}
	var got []listed
	var met map[schemas.BlockID]struct{} // of several answers; in one each key stands once
	add := func(m *nats.Msg, subject string, seq uint64) error {
		b, err := r.record(m, subject)
		if b == nil || err != nil {
			return err
		}
		if met != nil {
			if _, again := met[b.ID]; again {
				return nil
			}
			met[b.ID] = struct{}{}
		}
		got = append(got, listed{b, seq})
		return nil
	}
	upTo, err = r.conn.lastMessages(ctx, subjects, func() { got = nil }, add)
	if err == nil && upTo > 0 && !isolates(r.conn.serverVersion()) {
		met = make(map[schemas.BlockID]struct{}, len(got))
		for _, l := range got {
			met[l.record.ID] = struct{}{}
		}
		// What was written anew while the server looked is behind upTo, and not in its answer.
		err = r.behind(ctx, directRequest{Next: r.conn.blockSubject(">"), Batch: directMost, Seq: upTo + 1}, add)
	}
	if err != nil {
		return 0, err
	}
	for _, l := range got {
		r.take(l.record, l.revision)
	}
	return max(upTo, unknownRevision), nil
}

// isolates says whether servers of a version let nobody write while they answer a direct get.
func isolates(version string) bool {
	var major, minor int
	_, err := fmt.Sscanf(strings.TrimPrefix(version, "v"), "%d.%d", &major, &minor)
	return err == nil && (major > 2 || major == 2 && minor >= 15)
}

// serverVersion is that of the server that the connection is to; others may answer, of another version while the bus is upgraded.
func (c *Conn) serverVersion() string {
	if c.older != "" {
		return c.older
	}
	return c.nc.ConnectedServerVersion()
}

// directTries is how often something is asked that was answered in part, or by nobody, and directPause what is between.
const (
	directTries = 3
	directPause = 100 * time.Millisecond
)

// lastMessages calls take with the last message of each of the subjects. An answer that breaks off, or that nobody gives although there is
// a list, is asked for again, after a call of anew. ErrNoBlockList: there is none.
func (c *Conn) lastMessages(ctx context.Context, subjects []string, anew func(), take func(m *nats.Msg, subject string, seq uint64) error) (upTo uint64, err error) {
	for try := 1; ; try++ {
		anew()
		var left uint64
		upTo, left, err = c.directGet(ctx, blockStream, (&directRequest{Last: subjects}).encode(), take)
		if err == nil && left > 0 {
			err = fmt.Errorf("JetStream left out %d records", left)
		}
		if errors.Is(err, errAbsent) {
			if _, _, known := c.blocksAt(ctx); known != nil { // the API knows whether there is one
				return 0, known
			}
			err = errors.New("JetStream has the block list, and does not give it yet")
		} else if !errors.Is(err, errBrokenOff) {
			return upTo, err
		}
		if try == directTries {
			return 0, err
		}
		if err := rest(ctx); err != nil {
			return 0, err
		}
	}
}

// rest waits before something is asked again.
func rest(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(directPause):
		return nil
	}
}

// piece is patterns whose keys are asked for in one request, or that are known to have too many of them for one.
type piece struct {
	patterns []string
	full     bool
}

// pieces reads the keys of the patterns in as many round trips as it takes. Several servers may answer, of which some know less: listed,
// which one of them said before, becomes the lowest revision that one of them says.
func (r *blockReading) pieces(ctx context.Context, all piece, listed uint64) (uint64, error) {
	for todo := []piece{all}; len(todo) > 0; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !p.full {
			upTo, err := r.direct(ctx, p.patterns)
			if err == nil {
				listed = min(listed, upTo)
				continue
			}
			if !errors.Is(err, errInPieces) {
				return 0, err
			}
		}
		if len(p.patterns) > 1 {
			half := len(p.patterns) / 2
			todo = append(todo, piece{patterns: p.patterns[half:]}, piece{patterns: p.patterns[:half]})
			continue
		}
		switch narrower, days := narrower(p.patterns[0]); {
		case narrower == nil:
			if err := r.scan(ctx, p.patterns[0]); err != nil {
				return 0, err
			}
		case days: // most of a list is in one of them, that would be refused again and again
			for _, pattern := range narrower {
				todo = append(todo, piece{patterns: []string{pattern}})
			}
		default:
			todo = append(todo, piece{narrower, true})
		}
	}
	return listed, nil
}

// record is the record in a message; nil if it is none, or one that is not wanted.
func (r *blockReading) record(m *nats.Msg, subject string) (*schemas.BlockRecord, error) {
	r.silence.Reset(r.patience)
	if strings.Count(subject, ".") != 1+keyTokens {
		return nil, nil // what is said of nodes
	}
	if isMarker(m) {
		return nil, nil
	}
	b, err := schemas.DecodeBlockRecord(m.Data)
	if err == nil && subject != r.conn.blockSubject(blockKey(b)) {
		err = errors.New("it is another block's")
	}
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", subject, err)
	}
	if !r.filter.Admits(b) {
		return nil, nil
	}
	return b, nil
}

// isMarker says whether a message marks a key as removed.
func isMarker(m *nats.Msg) bool {
	return m.Header.Get("KV-Operation") != "" || m.Header.Get("Nats-Marker-Reason") != ""
}

// noBlockList says in our words that there is none.
func noBlockList(err error) error {
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, nats.ErrStreamNotFound):
		return ErrNoBlockList
	case errors.Is(noJetStream(err), ErrNoJetStream):
		return ErrNoListKeeper
	}
	return err
}

// scan reads the keys of a pattern in the order in which they were written, some at a time, until there is nothing behind the last. A
// record that is written anew meanwhile is met where it is then, at the latest, and so may be met twice. A consumer would
// not do: under such changes it says too early that nothing is left (nats-server 2.15).
func (r *blockReading) scan(ctx context.Context, pattern string) error {
	met := map[schemas.BlockID]struct{}{}
	return r.behind(ctx, directRequest{Next: r.conn.blockSubject(pattern), Batch: directMost, Seq: 1}, func(m *nats.Msg, subject string, seq uint64) error {
		b, err := r.record(m, subject)
		if b == nil || err != nil {
			return err
		}
		if _, again := met[b.ID]; !again {
			met[b.ID] = struct{}{}
			r.take(b, seq)
		}
		return nil
	})
}

// behind calls take with the messages from request.Seq on, some at a time, until there is nothing behind the last. That there is none is
// no answer that breaks off, unless the server has said that there are more, or the scan is of all.
func (r *blockReading) behind(ctx context.Context, request directRequest, take func(m *nats.Msg, subject string, seq uint64) error) error {
	some, tries := request.Seq == 1, 0
	for {
		_, left, err := r.conn.directGet(ctx, blockStream, request.encode(), func(m *nats.Msg, subject string, seq uint64) error {
			request.Seq, some, tries = seq+1, true, 0
			return take(m, subject, seq)
		})
		if errors.Is(err, errBrokenOff) {
			if !some {
				return nil
			}
			if tries++; tries < directTries {
				if err := rest(ctx); err != nil {
					return err
				}
				continue
			}
		}
		if err != nil || left == 0 {
			return err
		}
	}
}

// blockSubject is where a key of the bucket is written and read.
func (c *Conn) blockSubject(key string) string { return "$KV." + BlockBucket + "." + key }
