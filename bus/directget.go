package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/schemas"
)

var (
	// errAbsent says that there is no such bucket, or no JetStream.
	errAbsent = errors.New("no such bucket, or no JetStream")
	// errInPieces says that the server cannot give a bucket in one answer: it is too old, or the bucket too large.
	errInPieces = errors.New("the bucket comes in pieces only")
	// errBrokenOff says that an answer ended before all was said.
	errBrokenOff = errors.New("JetStream broke off its answer")
	errRefused   = errors.New("JetStream says")
)

// directMost is how many messages a server gives in one answer, at most; the end of it is one more.
const directMost = 1024

// directRequest asks for messages of a stream: for the last one of each subject that a pattern matches, or for so many from
// a sequence on, of those that a pattern matches.
type directRequest struct {
	Last  []string `json:"multi_last,omitempty"`
	Next  string   `json:"next_by_subj,omitempty"`
	Seq   uint64   `json:"seq,omitempty"`
	Batch int      `json:"batch,omitempty"`
	Bytes int      `json:"max_bytes,omitempty"`
}

func (r *directRequest) encode() []byte {
	r.Bytes = directMost * schemas.MaxRecord
	msg, _ := json.Marshal(r) // of strings and numbers: it does not fail
	return msg
}

// directGet calls take with the messages that were asked for, in one round trip, and returns the last sequence that the
// stream had then, 0 if the server did not say (it does not if there are none), and how many messages were left. errAbsent: nobody
// answers; errInPieces: they are too many, and take was not called; errBrokenOff: there is none from that sequence on, or, of last ones, one cannot be
// loaded; errRefused: the server does not know such a request, or does not want it.
func (c *Conn) directGet(ctx context.Context, stream string, request []byte, take func(m *nats.Msg, subject string, seq uint64) error) (upTo, left uint64, err error) {
	// A channel of the size that an answer can have: nats.go's own are of half a megabyte.
	inbox, in := c.nc.NewInbox(), make(chan *nats.Msg, directMost+1)
	sub, err := c.nc.ChanSubscribe(inbox, in)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = sub.Unsubscribe() }() // the answer is complete, or the connection closed
	if err := c.nc.PublishRequest(c.apiBase+"DIRECT.GET."+stream, inbox, request); err != nil {
		return 0, 0, err
	}
	for {
		var m *nats.Msg
		select {
		case m = <-in:
		case <-ctx.Done():
			return 0, 0, context.Cause(ctx)
		}
		if noResponders(m) {
			return 0, 0, errAbsent
		}
		number := func(header string) uint64 {
			n, _ := strconv.ParseUint(m.Header.Get(header), 10, 64) // what an older server does not say is 0
			return n
		}
		switch status := m.Header.Get("Status"); status {
		case "":
			if err := take(m, m.Header.Get("Nats-Subject"), number("Nats-Sequence")); err != nil {
				return 0, 0, err
			}
		case "204":
			return number("Nats-UpTo-Sequence"), number("Nats-Num-Pending"), nil
		case "404": // a record that cannot be loaded ends an answer too
			if m.Header.Get("Description") != "No Results" {
				return 0, 0, errBrokenOff
			}
			return 0, 0, nil
		case "413":
			return 0, 0, errInPieces
		default:
			return 0, 0, fmt.Errorf("%w: %s %s", errRefused, status, m.Header.Get("Description"))
		}
	}
}
