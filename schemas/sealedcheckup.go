package schemas

// MaxSealed is how many sealed blocks a SealedCheckup lists, the newest; a node tells the number of the others.
const MaxSealed = 2000

// SealedCheckup is the sealed blocks of a node.
type SealedCheckup struct {
	Refused string // why nothing is sealed at the moment; empty: it is
	Settled bool   // nothing was left to be sealed when the node last looked
	Further int64  // blocks beyond those listed
	Blocks  []SealedBlock
}

// SealedBlock is one sealed block, as the node that lists it has it.
type SealedBlock struct {
	ID          string // 32 hexadecimal digits
	Service     string
	First, Last int64 // times, Unix nanoseconds; NoTime: not known
	Lines       int64
	Bytes       int64 // of the lines
	Stored      int64 // of the file
	Logs        int64 // whose lines it has
	Checksum    uint64
	Err         string // what is wrong with it
	Home        string // the node that sealed it; empty: the one that lists it
	Away        bool   // the node has but a stub: the lines are at other nodes
}

// The sealed blocks of a checkup on the wire, nil if they were not asked for or there cannot be any:
//
//	[ refused, settled, further, [block…] ]
//
// with block
//
//	[ id, service, first, last, lines, bytes, stored, logs, checksum, error, home, away ]
//
// of which the last two may be missing.
const (
	sealedCheckupFields = 4
	sealedBlockFields   = 10
	maxSealedID         = 64
)

func (w *writer) sealedCheckup(x *SealedCheckup) {
	if x == nil {
		w.null()
		return
	}
	w.array(sealedCheckupFields)
	w.string(cut(x.Refused, maxCheckupText))
	w.bool(x.Settled)
	blocks := x.Blocks[:min(len(x.Blocks), MaxSealed)]
	w.int(x.Further + int64(len(x.Blocks)-len(blocks)))
	w.array(len(blocks))
	for i := range blocks {
		b := &blocks[i]
		moved := b.Home != "" || b.Away
		if moved {
			w.array(sealedBlockFields + 2)
		} else {
			w.array(sealedBlockFields)
		}
		w.string(cut(b.ID, maxSealedID))
		w.string(cut(b.Service, maxCheckupSmall))
		for _, n := range []int64{b.First, b.Last, b.Lines, b.Bytes, b.Stored, b.Logs} {
			w.int(n)
		}
		w.uint(b.Checksum)
		w.string(cut(b.Err, maxCheckupText))
		if moved {
			w.string(cut(b.Home, MaxToken))
			w.bool(b.Away)
		}
	}
}

func (r *reader) sealedCheckup() *SealedCheckup {
	const field = "checkup.sealed"
	if r.null() || r.err != nil {
		return nil
	}
	extra := r.record(field, sealedCheckupFields)
	x := &SealedCheckup{Refused: r.string(field, maxCheckupText), Settled: r.bool(field), Further: r.count(field)}
	for range r.array(field, MaxSealed) {
		more := r.record(field, sealedBlockFields)
		x.Blocks = append(x.Blocks, SealedBlock{
			ID: r.string(field, maxSealedID), Service: r.string(field, maxCheckupSmall), First: r.int(field), Last: r.int(field),
			Lines: r.count(field), Bytes: r.count(field), Stored: r.count(field), Logs: r.count(field),
			Checksum: r.uint(field), Err: r.string(field, maxCheckupText),
		})
		if b := &x.Blocks[len(x.Blocks)-1]; more >= 2 {
			b.Home, b.Away = r.string(field, MaxToken), r.bool(field)
			more -= 2
		}
		r.skip(field, more)
	}
	r.skip(field, extra)
	return x
}
