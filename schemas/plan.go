package schemas

import "encoding/hex"

// BlockID names a sealed block, or a log that sealed blocks are of; both are random.
type BlockID [16]byte

// String is 32 hexadecimal digits.
func (id BlockID) String() string { return hex.EncodeToString(id[:]) }

// Plan says which sealed blocks one node reads in a query, so that of a block that several nodes have each
// line is given once. A node that is asked without one reads what it has of its own logs, and calls what it
// has not an error.
//
// Of its own logs a node that has a plan reads everything, its live files and those of its sealed blocks
// that are in range, but for the blocks in Leave: so what was sealed after the list was read is not missed. Of
// other nodes' logs it reads the blocks in Read. Blocks that it should read and does not have come back as
// ChunkUnread, also those of its own in Read that it knows nothing of; those in Leave that it knows nothing of
// are errors of its End, since it may have their lines elsewhere.
type Plan struct {
	Revision uint64     // of the block list that this was made from; 0: the list could not be read
	Only     bool       // nothing of the node's own logs is read, but for blocks of its own in Read
	Read     []PlanRead // what is read of others, and at least of its own, in this order, at most one of each Home
	Leave    []BlockID  // of the node's own blocks: another node reads them in this query
	Skip     []LogMark  // what has come from another node already, which has failed since
}

// PlanRead is blocks that one node sealed.
type PlanRead struct {
	Home   string
	Blocks []BlockID
}

// LogMark says that of a log no more is wanted of what lies before From, bytes.
type LogMark struct {
	Log  BlockID
	From int64
}

// Origin says where lines were written that a node has of another one, or of a log of its own by a plan: the
// node that sealed them, and the log they are of, which may have several names over time.
type Origin struct {
	Node string
	Log  BlockID
}

const (
	maxPlanBlocks = 1 << 16 // of one Plan; MaxPlanned is lower
	idBytes       = len(BlockID{})
	planFields    = 5
	originBound   = MaxToken + 24 // bytes of an encoded Origin, at most
)

func (w *writer) plan(p *Plan) {
	w.array(planFields)
	w.uint(p.Revision)
	w.bool(p.Only)
	w.array(len(p.Read))
	for i := range p.Read {
		w.array(2)
		w.string(p.Read[i].Home)
		w.ids(p.Read[i].Blocks)
	}
	w.ids(p.Leave)
	w.array(len(p.Skip))
	for _, m := range p.Skip {
		w.array(2)
		w.bytes(m.Log[:])
		w.int(m.From)
	}
}

// ids writes all of them as one bin.
func (w *writer) ids(ids []BlockID) {
	_ = w.enc.EncodeBytesLen(len(ids) * idBytes)
	for i := range ids {
		_, _ = w.buf.Write(ids[i][:])
	}
}

func (r *reader) plan() *Plan {
	if r.null() || r.err != nil {
		return nil
	}
	p := &Plan{}
	extra := r.record("query.plan", planFields)
	p.Revision = r.uint("query.plan.revision")
	p.Only = r.bool("query.plan.only")
	for range r.array("query.plan.read", MaxPeers) {
		extra := r.record("query.plan.read", 2)
		p.Read = append(p.Read, PlanRead{r.string("query.plan.read", MaxToken), r.ids("query.plan.read")})
		r.skip("query.plan.read", extra)
		if r.err != nil {
			return nil
		}
	}
	p.Leave = r.ids("query.plan.leave")
	for range r.array("query.plan.skip", maxPlanBlocks) {
		extra := r.record("query.plan.skip", 2)
		p.Skip = append(p.Skip, LogMark{r.id("query.plan.skip"), r.count("query.plan.skip")})
		r.skip("query.plan.skip", extra)
		if r.err != nil {
			return nil
		}
	}
	r.skip("query.plan", extra)
	return p
}

func (r *reader) ids(field string) []BlockID {
	b := r.bytes(field, maxPlanBlocks*idBytes)
	if len(b)%idBytes != 0 {
		r.fail(field, "%d bytes are no ids of %d bytes", len(b), idBytes)
	}
	if r.err != nil || len(b) == 0 {
		return nil
	}
	return BlockIDs(b)
}

// BlockIDs are the ids that a ChunkUnread has for a text.
func BlockIDs(text []byte) []BlockID {
	ids := make([]BlockID, len(text)/idBytes)
	for i := range ids {
		ids[i] = BlockID(text[i*idBytes:])
	}
	return ids
}

func (r *reader) id(field string) (id BlockID) {
	b := r.bytes(field, idBytes)
	if len(b) != idBytes {
		r.fail(field, "has %d bytes, not %d", len(b), idBytes)
		return id
	}
	return BlockID(b)
}

func (q *Query) validatePlan() error {
	switch p := q.Plan; {
	case q.Mode == ModeBlock && (p == nil || len(p.Read) != 1 || len(p.Read[0].Blocks) != 1):
		return fieldErrorf("query.plan", "names not the one block that a query of mode %d is of", ModeBlock)
	case p == nil:
		return nil
	case q.Mode == ModeFollow:
		return fieldErrorf("query.plan", "does not go with following")
	}
	for i := range q.Plan.Read {
		if err := CheckToken("query.plan.read", q.Plan.Read[i].Home); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) origin(o *Origin) {
	w.array(2)
	w.string(o.Node)
	w.bytes(o.Log[:])
}

func (r *reader) origin() *Origin {
	if r.null() || r.err != nil {
		return nil
	}
	o := &Origin{}
	extra := r.record("chunk.origin", 2)
	o.Node = r.string("chunk.origin", MaxToken)
	o.Log = r.id("chunk.origin")
	r.skip("chunk.origin", extra)
	if r.err == nil {
		if err := CheckToken("chunk.origin", o.Node); err != nil {
			r.err = err
		}
	}
	return o
}
