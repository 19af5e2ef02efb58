package schemas

import "math"

// Limits of a standing query.
const (
	MaxStanding   = MaxBare + 1<<10 // bytes of an encoded Standing
	MaxLiveRate   = 1_000_000       // lines a second and node
	MaxLiveSample = 1_000_000_000
)

// Standing is a standing query: what nodes publish of the lines that are written, for as long as it is
// kept under its name. Query has ModeFollow; its name stands for the id and the client, and its timeout
// counts for nothing.
type Standing struct {
	Name    string // a token
	User    string // informational: who added it
	Created int64  // Unix nanoseconds; tells it from another one that had the name before
	Rate    int64  // lines a second that each node publishes at most; 0: no limit
	Sample  int64  // of so many lines each node publishes one; 1: all
	Durable bool   // nodes publish into a JetStream stream, and go on where they were after a restart
	Query   Query
}

// A standing query on the wire, a msgpack array:
//
//	[ version, name, user, created, rate, sample, durable, query ]
//
// with query a bin that holds the message of that name.
const standingFields = 7

// AppendStanding appends the encoded standing query to dst. It does not validate.
func AppendStanding(dst []byte, s *Standing) []byte {
	query := AppendQuery(nil, &s.Query)
	w := appending(dst)
	w.open(standingFields)
	w.string(s.Name)
	w.string(s.User)
	w.int(s.Created)
	w.int(s.Rate)
	w.int(s.Sample)
	w.bool(s.Durable)
	w.bytes(query)
	return w.done()
}

// DecodeStanding decodes and validates a standing query. It keeps nothing of msg.
func DecodeStanding(msg []byte) (*Standing, error) {
	if len(msg) > MaxStanding {
		return nil, fieldErrorf("standing", "has %d bytes, more than %d", len(msg), MaxStanding)
	}
	r := &reader{msg: msg}
	extra := r.open("standing", standingFields)
	s := &Standing{
		Name: r.text("standing.name", MaxToken), User: r.text("standing.user", MaxToken), Created: r.int("standing.created"),
		Rate: r.count("standing.rate"), Sample: r.count("standing.sample"), Durable: r.bool("standing.durable"),
	}
	query := r.bytes("standing.query", MaxBare)
	if err := r.close("standing", extra); err != nil {
		return nil, err
	}
	q, err := DecodeQuery(query)
	if err != nil {
		return nil, err
	}
	s.Query = *q
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}

// Validate says what in a standing query no node may act on; the error is a *FieldError.
func (s *Standing) Validate() error {
	if err := CheckToken("standing.name", s.Name); err != nil {
		return err
	}
	if s.User != "" {
		if err := CheckToken("standing.user", s.User); err != nil {
			return err
		}
	}
	switch {
	case s.Rate < 0 || s.Rate > MaxLiveRate:
		return fieldErrorf("standing.rate", "%d is not between 0 and %d", s.Rate, MaxLiveRate)
	case s.Sample < 1 || s.Sample > MaxLiveSample:
		return fieldErrorf("standing.sample", "%d is not between 1 and %d", s.Sample, MaxLiveSample)
	case s.Query.Mode != ModeFollow:
		return fieldErrorf("standing.query", "does not follow")
	case s.Query.Last != 0 || s.Query.Since != 0 || s.Query.Limit != 0:
		return fieldErrorf("standing.query", "has a start or an end: since, last or limit")
	case s.Query.Before != 0 || s.Query.After != 0 || s.Query.Columns&ColumnGroup != 0:
		return fieldErrorf("standing.query", "asks for context")
	}
	return s.Query.Validate()
}

// Live is what a node publishes of a standing query: lines that were written, and how many there were.
// The counts are of the run so far, this message included, so that one that is lost takes no count with
// it: Matched is the sum of Sampled, Limited, Lost and the lines that were published.
type Live struct {
	Name    string // of the standing query
	Run     uint64 // a nonce of the node's taking it up: the counts and Seq begin anew with it
	Seq     uint64 // of the messages of a run, from 1, without gaps
	Matched int64  // lines selected
	Sampled int64  // of them, left out by sampling
	Limited int64  // left out by the rate
	Lost    int64  // not published, since the bus was away; 0 if durable
	Data    Data   // its chunks; none: only the counts are new. Offset is 0
}

// A live message, a msgpack array:
//
//	[ version, name, run, seq, matched, sampled, limited, lost, data ]
//
// with data as in a frame.
const liveFields = 8

// AppendLive appends the encoded message to dst. It does not validate.
func AppendLive(dst []byte, l *Live) []byte {
	w := appending(dst)
	w.open(liveFields)
	w.string(l.Name)
	w.uint(l.Run)
	w.uint(l.Seq)
	w.int(l.Matched)
	w.int(l.Sampled)
	w.int(l.Limited)
	w.int(l.Lost)
	w.data(&l.Data)
	return w.done()
}

// DecodeLive decodes and validates a live message. Chunks share memory with msg.
func DecodeLive(msg []byte) (*Live, error) {
	if len(msg) > MaxFrame {
		return nil, fieldErrorf("live", "has %d bytes, more than %d", len(msg), MaxFrame)
	}
	r := &reader{msg: msg}
	extra := r.open("live", liveFields)
	l := &Live{
		Name: r.text("live.name", MaxToken), Run: r.uint("live.run"), Seq: r.uint("live.seq"), Matched: r.count("live.matched"),
		Sampled: r.count("live.sampled"), Limited: r.count("live.limited"), Lost: r.count("live.lost"),
	}
	d := r.data()
	if err := r.close("live", extra); err != nil {
		return nil, err
	}
	if d == nil {
		return nil, fieldErrorf("live.data", "is missing")
	}
	l.Data = *d
	if err := l.validate(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Live) validate() error {
	if err := CheckToken("live.name", l.Name); err != nil {
		return err
	}
	left := l.Matched
	for _, n := range []int64{l.Sampled, l.Limited, l.Lost} {
		if left -= n; left < 0 {
			return fieldErrorf("live.matched", "%d is less than what was left out", l.Matched)
		}
	}
	switch {
	case l.Seq == 0 || l.Seq > math.MaxInt64:
		return fieldErrorf("live.seq", "%d is none", l.Seq)
	case l.Data.Offset != 0:
		return fieldErrorf("live.data", "has an offset")
	}
	for i := range l.Data.Chunks {
		if err := l.Data.Chunks[i].validate(); err != nil {
			return err
		}
	}
	return nil
}
