package schemas

import "math"

// BlockState says what becomes of a block.
type BlockState uint8

const (
	BlockKept    BlockState = iota // it is searched
	BlockRetired                   // it is too old, or there was no room: it is not searched, and its owners drop it
)

// BlockRecord is a sealed block in the fleet's block list: what a search goes by, and who has it. Times are
// Unix nanoseconds.
type BlockRecord struct {
	ID               BlockID
	Home             string  // the node that sealed it
	Service          string  // of the logs
	Labels           []Label // of the logs' source
	Window, Span     int64   // when its window of time begins, and how long that is
	Number           int64   // among the blocks of Home, Service and Window, from 0, as placement counts them
	Timed            bool    // every line has a time, all within MinTime and MaxTime
	MinTime, MaxTime int64
	Lines, Bytes     int64 // of the lines
	Stored           int64 // bytes of the block's file
	Checksum         uint64
	Owners           []string // nodes that have it, whole and verified; the first one is asked first
	State            BlockState
	Since            int64 // when State was entered; of a block that is kept, when it was sealed
}

// Overlaps says whether a block may have lines of the time range of a query: since inclusive, until exclusive, 0 open.
func (b *BlockRecord) Overlaps(since, until int64) bool {
	return !b.Timed || (since == 0 || b.MaxTime >= since) && (until == 0 || b.MinTime < until)
}

// A block record on the wire:
//
//	[ version, id, home, service, [[k, v]…], window, span, number, timed, min_time, max_time,
//	  lines, bytes, stored, checksum, [owner…], state, since ]
const (
	recordFields = 17
	// MaxRecord is the most bytes of an encoded BlockRecord.
	MaxRecord = 64 << 10
	maxOwners = 64
)

// AppendBlockRecord appends the encoded record to dst. It does not validate.
func AppendBlockRecord(dst []byte, b *BlockRecord) []byte {
	w := appending(dst)
	w.open(recordFields)
	w.bytes(b.ID[:])
	w.string(b.Home)
	w.string(b.Service)
	w.labels(b.Labels)
	w.int(b.Window)
	w.int(b.Span)
	w.int(b.Number)
	w.bool(b.Timed)
	w.int(b.MinTime)
	w.int(b.MaxTime)
	w.int(b.Lines)
	w.int(b.Bytes)
	w.int(b.Stored)
	w.uint(b.Checksum)
	w.strings(b.Owners)
	w.uint(uint64(b.State))
	w.int(b.Since)
	return w.done()
}

// DecodeBlockRecord decodes and validates a record. It keeps nothing of msg.
func DecodeBlockRecord(msg []byte) (*BlockRecord, error) {
	if len(msg) > MaxRecord {
		return nil, fieldErrorf("block", "has %d bytes, more than %d", len(msg), MaxRecord)
	}
	r := &reader{msg: msg}
	b := &BlockRecord{}
	extra := r.open("block", recordFields)
	b.ID = r.id("block.id")
	b.Home = r.string("block.home", MaxToken)
	b.Service = r.string("block.service", MaxName)
	b.Labels = r.labels("block.labels")
	b.Window, b.Span = r.int("block.window"), r.count("block.span")
	b.Number = r.count("block.number")
	b.Timed = r.bool("block.timed")
	b.MinTime, b.MaxTime = r.int("block.min_time"), r.int("block.max_time")
	b.Lines, b.Bytes, b.Stored = r.count("block.lines"), r.count("block.bytes"), r.count("block.stored")
	b.Checksum = r.uint("block.checksum")
	b.Owners = r.strings("block.owners", maxOwners, MaxToken)
	b.State = BlockState(r.enum("block.state"))
	b.Since = r.int("block.since")
	if err := r.close("block", extra); err != nil {
		return nil, err
	}
	return b, b.Validate()
}

// Validate says what is wrong with a record; the error is a *FieldError.
func (b *BlockRecord) Validate() error {
	switch {
	case b.State > BlockRetired:
		return fieldErrorf("block.state", "%d is not known", b.State)
	case len(b.Service) > MaxName:
		return fieldErrorf("block.service", "has %d bytes, more than %d", len(b.Service), MaxName)
	case len(b.Owners) > maxOwners:
		return fieldErrorf("block.owners", "has %d names, more than %d", len(b.Owners), maxOwners)
	case b.MaxTime < b.MinTime:
		return fieldErrorf("block.max_time", "is before block.min_time")
	}
	if err := CheckToken("block.home", b.Home); err != nil {
		return err
	}
	for _, o := range b.Owners {
		if err := CheckToken("block.owners", o); err != nil {
			return err
		}
	}
	return validateLabels("block.labels", b.Labels)
}

// NodeStore is what a node record says of sealed blocks: that the node takes plans, and what it offers to
// the fleet.
type NodeStore struct {
	Capacity int64           // bytes for blocks; 0: the node has no part in the fleet's
	ReadRate int64           // bytes a second of its disk; 0: unknown
	Draining bool            // it gives its blocks away, and gets none
	Services []SealedService // all of whose sources have their lines sealed, and listed
	// Listed is a revision of the block list at which all that Services goes by was listed: of a list of an earlier one,
	// stale or made anew, they say nothing. NeverListed: of no list.
	Listed uint64
}

// NeverListed is the Listed of a store that does not say it, as an older trawl's does not.
const NeverListed = math.MaxUint64

// SealedService says up to when a node's lines of a service are in blocks that are listed: every line of an
// earlier time is, Unix nanoseconds. What is written late to a log, behind lines of a later time, may not be.
type SealedService struct {
	Service string
	Until   int64
}

const storeFields = 5 // older ones end before listed

func (w *writer) store(s *NodeStore) {
	w.array(storeFields)
	w.int(s.Capacity)
	w.int(s.ReadRate)
	w.bool(s.Draining)
	w.array(len(s.Services))
	for _, v := range s.Services {
		w.array(2)
		w.string(v.Service)
		w.int(v.Until)
	}
	w.uint(s.Listed)
}

func (r *reader) store() *NodeStore {
	if r.null() || r.err != nil {
		return nil
	}
	s := &NodeStore{Listed: NeverListed}
	extra := r.record("node.store", storeFields-1)
	s.Capacity, s.ReadRate = r.count("node.store.capacity"), r.count("node.store.read_rate")
	s.Draining = r.bool("node.store.draining")
	for range r.array("node.store.services", MaxServices) {
		extra := r.record("node.store.services", 2)
		s.Services = append(s.Services, SealedService{r.string("node.store.services", MaxName), r.int("node.store.services")})
		r.skip("node.store.services", extra)
		if r.err != nil {
			return nil
		}
	}
	if extra > 0 {
		s.Listed = r.uint("node.store.listed")
		extra--
	}
	r.skip("node.store", extra)
	return s
}
