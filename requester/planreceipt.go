package requester

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// StoreReceipt says how a query went by the fleet's block list.
type StoreReceipt struct {
	Revision uint64 `json:"revision"` // of the list that it was planned from; 0: none
	Blocks   int    `json:"blocks"`   // sealed blocks in question
	Missing  int    `json:"missing"`  // of them, that nobody could read
	Error    string `json:"error"`    // why there was no list: every node was asked for what it has itself
}

// whole says whether all that an account was to read of sealed blocks has come, of it or of others.
func (n *node) whole() bool {
	s := n.share
	if s == nil {
		return n.status == schemas.StatusComplete
	}
	if len(s.lost) > 0 || s.alien > 0 || s.torn || n.flawed() || !n.read() && !s.given && len(s.ask.Blocks) > 0 {
		return false
	}
	return !slices.ContainsFunc(s.heirs, func(h *node) bool { return !h.whole() })
}

// flawed says whether an account has read blocks that it took over, and not in full: its errors are of them alone.
func (n *node) flawed() bool {
	return n.part > 0 && n.settled && !n.share.given && n.read() && n.status != schemas.StatusComplete
}

// flaws says who has taken over blocks of an account and not read them in full, and why.
func (n *node) flaws() (words []string) {
	for _, h := range n.share.heirs {
		if h.flawed() {
			words = append(words, h.name+" read what it took over with errors: "+h.reason)
		}
		words = append(words, h.flaws()...)
	}
	return words
}

// missing counts the sealed blocks of an account that nobody has read.
func (n *node) missing() int {
	count := len(n.share.lost) + n.share.alien
	if !n.read() && !n.share.given && n.status != schemas.StatusPruned && n.status != schemas.StatusStopped {
		count += len(n.share.ask.Blocks)
	}
	for _, h := range n.share.heirs {
		count += h.missing()
	}
	return count
}

// why is why blocks of an account, or of one that inherited from it, could not be read, if not for want of an owner.
func (n *node) why() string {
	why := n.share.why
	for _, h := range n.share.heirs {
		why = cmp.Or(why, h.why())
	}
	return why
}

// torn says whether a line was released in part of an account, or of one that inherited from it.
func (n *node) torn() bool {
	return n.share.torn || slices.ContainsFunc(n.share.heirs, (*node).torn)
}

// gone says whether a node has failed as a whole, not only with a file.
func (n *node) gone() bool {
	return n.settled && !n.read() && n.status != schemas.StatusPruned && n.status != schemas.StatusStopped
}

// covered says whether a node is gone without harm: others have read all of it that is in question.
func (n *node) covered() bool {
	return n.gone() && n.status != schemas.StatusError && !n.share.unsaid && n.share.ask.Plan != nil && !n.share.ask.Tail.Any && n.whole()
}

// sealed completes what an account says of a planned query with what became of its blocks.
func (n *node) sealed(r *NodeReceipt) {
	s := n.share
	if !s.given && (n.status != schemas.StatusStopped || n.end != nil || n.chunks > 0) {
		r.SealedBlocks = len(s.ask.Blocks) - len(s.unread)
	}
	if r.Sealed = n.covered(); r.Sealed {
		r.Reason = "sealed, and read elsewhere; " + r.Reason
		return
	}
	var words []string
	if tail := &s.ask.Tail; n.gone() && tail.Any && s.ask.Plan != nil {
		switch {
		case len(tail.Unsealed) > 0:
			words = append(words, "missing is what it has not sealed, all of "+strings.Join(tail.Unsealed[:min(3, len(tail.Unsealed))], ", "))
		case tail.Since > 0:
			r.UnsealedSince = time.Unix(0, tail.Since).UTC().Format(time.RFC3339Nano)
			words = append(words, "unsealed tail since "+time.Unix(0, tail.Since).UTC().Format(time.RFC3339))
		default:
			words = append(words, "missing is what it has not sealed")
		}
	}
	if lost := n.missing(); lost > 0 && n.settled {
		word := count(int64(lost), "sealed block") + " could not be read"
		if why := n.why(); why != "" {
			word += ": " + why
		}
		words = append(words, word)
	}
	if n.torn() {
		words = append(words, "the rest of a line is missing")
	}
	if s.unsaid {
		words = append(words, "counted elsewhere, and not handed out")
	}
	words = append(words, n.flaws()...)
	if len(words) == 0 {
		return
	}
	if r.Status == schemas.StatusComplete {
		r.Status = schemas.StatusPartial
	}
	r.Reason = strings.TrimSuffix(strings.Join(words, "; ")+"; "+r.Reason, "; ")
}

// addParts adds what accounts say that took blocks over. Whether all of these came, the receipt says of the nodes that
// were to read them first.
func (g *Gather) addParts(r *Receipt) {
	if g.plan == nil {
		return
	}
	for _, n := range g.order {
		if n.part == 0 {
			continue
		}
		nr := n.receipt(g.clock.start)
		if at := slices.IndexFunc(r.Nodes, func(o NodeReceipt) bool { return o.Node == n.name }); at >= 0 {
			r.Nodes[at].addPart(&nr)
		} else {
			r.Nodes = append(r.Nodes, nr)
		}
	}
}

// addPart adds what an account that took blocks over says to its node's receipt.
func (r *NodeReceipt) addPart(o *NodeReceipt) {
	if r.Status == schemas.StatusPruned {
		r.Status, r.Reason = o.Status, o.Reason
	}
	r.Lines += o.Lines
	r.Bytes += o.Bytes
	r.BytesRead += o.BytesRead
	r.BytesConsidered += o.BytesConsidered
	r.Files += o.Files
	r.AssumedSorted += o.AssumedSorted
	r.Blocks.Add(o.Blocks)
	r.SealedBlocks += o.SealedBlocks
	r.ElapsedMS += o.ElapsedMS
	r.HeardMS = max(r.HeardMS, o.HeardMS)
	r.Errors = append(r.Errors, o.Errors...)
	r.ErrorCount += o.ErrorCount
}

// storeReceipt is the part of the receipt that is about the block list.
func (g *Gather) storeReceipt() *StoreReceipt {
	if g.plan == nil {
		return nil
	}
	s := &StoreReceipt{Revision: g.plan.Revision, Blocks: g.plan.Total, Error: g.plan.trouble}
	for _, n := range g.order {
		if n.part == 0 && n.share != nil && n.settled {
			s.Missing += n.missing()
		}
	}
	return s
}

// readersMost is how many readers a receipt for people names.
const readersMost = 8

// storeText is what a receipt for people says of the store: how many blocks were in question, and who was to read
// how many; or why nothing was planned.
func (r *Receipt) storeText() string {
	s := r.Store
	switch {
	case s == nil || s.Error == "" && s.Blocks == 0:
		return ""
	case s.Error != "":
		return fmt.Sprintf("  block list: %s; each node was asked for what it has\n", visible(s.Error))
	}
	var words []string
	more := 0
	for i := range r.Nodes {
		n := &r.Nodes[i]
		switch {
		case n.SealedBlocks == 0:
		case len(words) == readersMost:
			more++
		default:
			words = append(words, fmt.Sprintf("%s %s", visible(n.Node), number(int64(n.SealedBlocks))))
		}
	}
	if more > 0 {
		words = append(words, "and "+count(int64(more), "node"))
	}
	planned := fmt.Sprintf("%s by list revision %d", count(int64(s.Blocks), "sealed block"), s.Revision)
	switch {
	case len(words) > 0:
		words[0] = planned + ": " + words[0]
	case s.Missing > 0:
		words = []string{planned + ": nobody has them"}
	default: // there was enough before anybody read one
		words = []string{planned}
	}
	var b strings.Builder
	wrap(&b, words, ", ", "  ", "    ")
	return b.String()
}
