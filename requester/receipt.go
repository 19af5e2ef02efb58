package requester

import (
	"slices"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// Receipt names what each known node answered, and why it is not complete.
type Receipt struct {
	Type            string         `json:"type"`      // "receipt"
	Complete        bool           `json:"complete"`  // every node answered in full, or needed not, and the block list, if there is one, was read
	Satisfied       bool           `json:"satisfied"` // --limit or -q ended the query
	Matched         bool           `json:"matched"`
	Query           string         `json:"query"` // its id
	Roster          RosterKind     `json:"roster"`
	ElapsedMS       int64          `json:"elapsed_ms"`
	Lines           int64          `json:"lines"` // selected lines that were released
	Bytes           int64          `json:"bytes"` // of text that was released
	BytesRead       int64          `json:"bytes_read"`
	BytesConsidered int64          `json:"bytes_considered"`
	Files           int64          `json:"files"`
	AssumedSorted   int64          `json:"assumed_sorted"` // files that were taken for sorted from samples: a line out of its place may be missing
	Blocks          schemas.Blocks `json:"blocks"`
	Store           *StoreReceipt  `json:"store,omitempty"` // nil: no node has a part in the fleet's sealed blocks
	Nodes           []NodeReceipt  `json:"nodes"`

	following bool // the query had no end of its own
}

// NodeReceipt is what one node answered.
type NodeReceipt struct {
	Node            string              `json:"node"`
	Status          schemas.Status      `json:"status"`
	Reason          string              `json:"reason"`
	Lines           int64               `json:"lines"`
	Bytes           int64               `json:"bytes"`
	BytesRead       int64               `json:"bytes_read"`
	BytesConsidered int64               `json:"bytes_considered"`
	Files           int64               `json:"files"`
	AssumedSorted   int64               `json:"assumed_sorted"` // of them, taken for sorted from samples
	Blocks          schemas.Blocks      `json:"blocks"`
	ElapsedMS       int64               `json:"elapsed_ms"`  // of its work, as its End says
	HeardMS         int64               `json:"heard_ms"`    // into the query, when it was last heard; 0: never
	GivenUpMS       int64               `json:"given_up_ms"` // into the query, when it was given up; 0: it was not
	Errors          []schemas.FileError `json:"errors"`      // the first of them
	ErrorCount      int64               `json:"error_count"` // all of them
	Unexpected      bool                `json:"unexpected"`  // not on the roster
	Skipped         int64               `json:"skipped"`     // lines that it left out while it was followed, since the requester was slow
	Left            int                 `json:"left"`        // how often it went away while it was followed

	SealedBlocks  int    `json:"sealed_blocks,omitempty"`  // of the block list, that it read, whoever wrote them
	Sealed        bool   `json:"sealed,omitempty"`         // it failed, and nothing is missing: other nodes have read all of it that is in question
	UnsealedSince string `json:"unsealed_since,omitempty"` // it failed, and what it wrote from then on is missing: RFC 3339; empty: not known, or nothing
}

// Receipt gives the account as it stands.
func (g *Gather) Receipt(now time.Time) *Receipt {
	r := &Receipt{
		Type: "receipt", Complete: true, Satisfied: g.enough, Matched: g.matched, Query: g.q.ID, Roster: g.kind,
		ElapsedMS: now.Sub(g.clock.start).Milliseconds(), Nodes: make([]NodeReceipt, 0, len(g.order)),
		following: g.following(), Store: g.storeReceipt(),
	}
	if r.Store != nil && r.Store.Error != "" { // a block may have come twice, or from nobody
		r.Complete = false
	}
	for _, n := range g.order {
		if nr := n.receipt(g.clock.start); n.part == 0 {
			r.Nodes = append(r.Nodes, nr)
			r.Complete = r.Complete && (nr.Whole() || g.following() && n.stayed())
		}
	}
	g.addParts(r)
	for i := range r.Nodes {
		nr := &r.Nodes[i]
		r.Lines += nr.Lines
		r.Bytes += nr.Bytes
		r.BytesRead += nr.BytesRead
		r.BytesConsidered += nr.BytesConsidered
		r.Files += nr.Files
		r.AssumedSorted += nr.AssumedSorted
		r.Blocks.Add(nr.Blocks)
	}
	return r
}

func (n *node) receipt(start time.Time) NodeReceipt {
	r := NodeReceipt{
		Node: n.name, Status: n.status, Reason: n.reason, Lines: n.lines, Bytes: n.text, BytesRead: n.progress.BytesRead,
		Errors: []schemas.FileError{}, Unexpected: n.unexpected, Skipped: n.skipped, Left: n.leaves,
	}
	if !n.settled {
		r.Status, r.Reason = schemas.StatusPartial, "not through"
	}
	if !n.heardAt.IsZero() {
		r.HeardMS = n.heardAt.Sub(start).Milliseconds()
	}
	if !n.judgedAt.IsZero() {
		r.GivenUpMS = n.judgedAt.Sub(start).Milliseconds()
	}
	if n.hello != nil {
		r.Files, r.BytesConsidered = n.hello.Files, n.hello.Bytes
	}
	if e := n.end; e != nil {
		r.BytesRead, r.BytesConsidered, r.Files, r.Blocks = e.BytesRead, e.BytesConsidered, e.Files, e.Blocks
		r.ElapsedMS, r.AssumedSorted = e.Elapsed.Milliseconds(), e.AssumedSorted
		r.Errors = append(r.Errors, e.Errors...)
		r.ErrorCount = e.ErrorCount
	}
	if n.share != nil {
		n.sealed(&r)
	}
	return r
}

// Whole says whether nothing is missing of what the node was asked for: it is complete, it was not to be asked, or it
// failed and other nodes have all of it.
func (r *NodeReceipt) Whole() bool {
	return r.Status == schemas.StatusComplete || r.Status == schemas.StatusPruned || r.Sealed
}

// Progress says how far the query is.
func (g *Gather) Progress(now time.Time) Progress {
	p := Progress{Lines: g.lines, Elapsed: now.Sub(g.clock.start)}
	for _, n := range g.order {
		if n.part == 0 {
			p.Nodes++
			if n.settled {
				p.Through++
			}
		}
		if n.hello != nil {
			p.BytesConsidered += n.hello.Bytes
		}
		if n.end != nil {
			p.BytesRead += n.end.BytesRead
		} else {
			p.BytesRead += n.progress.BytesRead
		}
	}
	return p
}

// Exit codes of trawl grep.
const (
	ExitMatch        = 0 // matched, and everyone answered in full; or the limit, or -q, was satisfied
	ExitNone         = 1 // no match, and everyone answered in full
	ExitTrouble      = 2 // no node or no file was searched: that proves nothing
	ExitMatchPartial = 3 // matched, but not everyone answered in full
	ExitNonePartial  = 4 // no match, and not everyone answered in full
)

// Exit is the exit code that the receipt means; okPartial maps 3 to 0 and 4 to 1.
func (r *Receipt) Exit(okPartial bool) int {
	complete := r.Complete || okPartial
	switch {
	case r.Satisfied && r.Matched:
		return ExitMatch
	case len(r.Nodes) == 0, r.Complete && r.Files == 0 && !r.elsewhere():
		return ExitTrouble
	case r.Matched && complete:
		return ExitMatch
	case r.Matched:
		return ExitMatchPartial
	case complete:
		return ExitNone
	}
	return ExitNonePartial
}

// elsewhere says whether some node was not asked, or not missed, since all that it has in range is sealed: that no
// file was searched then proves something.
func (r *Receipt) elsewhere() bool {
	return slices.ContainsFunc(r.Nodes, func(n NodeReceipt) bool { return n.Sealed || n.Status == schemas.StatusPruned })
}

// Trouble reports that some node did not answer as it should, neither in full, nor stopped because
// the requester had enough, or that the block list could not be read. Then the receipt is shown even if nobody asked for it.
func (r *Receipt) Trouble() bool {
	for i := range r.Nodes {
		if n := &r.Nodes[i]; !n.Whole() && n.Status != schemas.StatusStopped {
			return true
		}
	}
	return len(r.Nodes) == 0 || r.Store != nil && r.Store.Error != ""
}

// IncompleteError is the error of an answer that is not everybody's: a caller that does not look at
// the receipt must not take it for all there is.
type IncompleteError struct{ Receipt *Receipt }

// Error names how many nodes did not answer in full, and the first of them.
func (e *IncompleteError) Error() string {
	first, n := "", 0
	for i := range e.Receipt.Nodes {
		nr := &e.Receipt.Nodes[i]
		if !nr.Whole() {
			if n++; n == 1 {
				first = nr.Node + " " + nr.Status.String()
				if nr.Reason != "" {
					first += ": " + nr.Reason
				}
			}
		}
	}
	switch {
	case len(e.Receipt.Nodes) == 0:
		return "no node answered, and none is known"
	case n == 0 && e.Receipt.Store != nil && e.Receipt.Store.Error != "":
		return "the answer is not complete: block list: " + e.Receipt.Store.Error
	case n == 1:
		return "the answer is not complete: " + first
	}
	return "the answer of " + number(int64(n)) + " nodes is not complete, the first: " + first
}
