package requester

import (
	"fmt"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// node is the account of one node's answer.
type node struct {
	name       string
	part       int // 0: the query as it was put; others: it took blocks over
	rank       int // its index in Gather.order
	unexpected bool
	settled    bool
	status     schemas.Status
	reason     string
	bad        error // the last message that could not be decoded

	// The run whose frames are taken.
	run       uint64
	next      uint64 // the seq that is taken next
	seen      uint64 // highest seq heard of
	hello     *schemas.Hello
	end       *schemas.End
	progress  schemas.Progress
	offset    int64 // raw bytes taken
	chunks    int64
	textIn    int64
	linesIn   int64
	binary    bool // some chunk says only that a binary file matches
	openIn    bool // the last line taken goes on
	begun     line // that one, of a node that is followed
	service   string
	file      string // of the last chunk taken
	origin    *schemas.Origin
	old       []oldRun
	reasked   bool // asked again since the first frame came
	duplicate bool

	// What was released of it.
	queue    []Release
	timed    timed
	skip     int // entries in Gather.ready that stand for frames already gone
	released bool
	openOut  bool // the last line released goes on
	cut      bool // the limit fell into its answer
	lines    int64
	text     int64
	leaves   int    // how often it went away
	away     string // why it is away, as was told; empty: it is not
	skipped  int64  // lines that the node left out for want of credit

	// Credit: granted and consumed are absolute, in raw bytes.
	initial  int64 // granted with the query
	granted  int64
	consumed int64
	told     int64 // the most that was granted before a verdict, which the node may still use

	// Controls and repetition.
	unsaid    int64 // raw bytes taken since the last control
	controlAt time.Time
	resendAt  time.Time
	resends   int // without anything taken since
	strayAt   time.Time
	strayRun  uint64

	// Signs of life.
	lastSign  time.Time // anything; later where silence is excused
	lastFrame time.Time // a frame; likewise
	heardAt   time.Time // anything, as it was
	judgedAt  time.Time // when it was given up
	asks      int       // directed ones
	askedAt   time.Time
	finalAt   time.Time // asked after the wait for Hello; silence from here on is a verdict
	pingedAt  time.Time
	born      time.Duration // into the query, when it was asked first

	share *share // of sealed blocks; nil: the query is not planned
}

// oldRun is a run that another has replaced. If it goes on, two nodes share a name.
type oldRun struct {
	run, seen uint64
	read      int64
	host      string
	at        time.Time // when it was replaced
}

// alive reports that a frame shows that a replaced run goes on: it says something new, or comes too
// late to have been on the way.
func (o *oldRun) alive(f *schemas.Frame, now time.Time) bool {
	return f.Seq > o.seen || f.Progress != nil && f.Progress.BytesRead > o.read || now.Sub(o.at) >= trial/2
}

// adopt takes a node's first frame of a run.
func (g *Gather) adopt(n *node, f *schemas.Frame, now time.Time) {
	n.run, n.next, n.seen, n.controlAt = f.Run, 1, 0, now
	g.credit.running++
	g.current(n, f, now)
}

// current takes a frame of the run that is being taken.
func (g *Gather) current(n *node, f *schemas.Frame, now time.Time) {
	n.lastSign, n.lastFrame, n.heardAt = now, now, now
	n.seen = max(n.seen, f.Seq)
	if p := f.Progress; p != nil {
		if p.BytesRead >= n.progress.BytesRead {
			n.progress = *p
		}
		g.promise(n, f)
		switch {
		case f.Seq >= n.next:
			g.gap(n, now)
		case p.Waiting && n.granted-p.Sent >= quantum && now.Sub(n.controlAt) >= renew:
			g.control(n, now) // the last grant may be lost
		}
		return
	}
	switch {
	case f.Seq < n.next:
		if now.Sub(n.controlAt) >= repeatAck { // it has not heard of the acknowledgement
			g.control(n, now)
		}
	case f.Seq > n.next:
		g.gap(n, now)
	default:
		g.accept(n, f, now)
	}
}

// onTrial reports that a run which has replaced another may yet turn out to be a second node's: the
// other would be heard of again within a second or so.
func (n *node) onTrial(now time.Time) bool {
	return len(n.old) > 0 && now.Sub(n.old[len(n.old)-1].at) < trial
}

// accept takes the next frame of a run.
func (g *Gather) accept(n *node, f *schemas.Frame, now time.Time) {
	n.next++
	n.resends = 0
	if n.resendAt = now.Add(resendWait); n.next > n.seen {
		n.resendAt = time.Time{} // all that was heard of is here
	}
	if f.Hello != nil {
		n.hello = f.Hello
	}
	if f.Data != nil {
		if err := g.take(n, f.Data); err != nil {
			g.settle(n, schemas.StatusError, "sent what it may not: "+err.Error())
			g.stray(n, f, now)
			return
		}
		if n.unsaid += f.Data.Raw; n.unsaid >= ackEvery {
			g.control(n, now)
		}
	}
	if f.End != nil {
		n.end = f.End
		g.acknowledgeEnd(n, now)
		if !n.onTrial(now) {
			g.takeEnd(n, f.End)
		}
	}
	if g.q.Mode == schemas.ModeQuiet && (n.linesIn > 0 || n.end != nil && n.end.Lines > 0) {
		n.lines = 1
		g.matched, g.enough = true, true
		g.finish(schemas.StatusStopped, "a match was found")
	}
}

// take checks a Data against the account and queues it.
func (g *Gather) take(n *node, d *schemas.Data) error {
	switch {
	case d.Offset != n.offset:
		return fmt.Errorf("data at offset %d, %d bytes came before", d.Offset, n.offset)
	case n.offset+d.Raw > n.granted:
		return fmt.Errorf("data up to %d, credit is for %d", n.offset+d.Raw, n.granted)
	}
	r := Release{Node: n.name, Chunks: d.Chunks, raw: d.Raw, from: n, run: n.run}
	for i := range d.Chunks {
		c := &d.Chunks[i]
		selected, err := c.Check(g.q.Columns, g.terminator)
		switch {
		case err != nil:
			return err
		case c.Continues && n.begun.broken && i == 0:
			n.begun.resume(c)
		case c.Continues != n.openIn:
			return fmt.Errorf("a chunk that continues a line %t, after one that goes on %t", c.Continues, n.openIn)
		case c.Continues && (c.File != n.file || c.Service != n.service):
			return fmt.Errorf("a line that goes on in another file")
		}
		n.openIn, n.begun.broken = c.More, false
		if g.following() {
			n.begun.note(c)
		}
		n.file, n.service, n.origin = c.File, c.Service, c.Origin
		n.binary = n.binary || c.Kind == schemas.ChunkBinary
		n.textIn += int64(len(c.Text))
		r.lines += selected
	}
	lines := r.lines
	if n.share != nil {
		g.sift(n, &r)
	}
	if g.inTime() {
		if err := g.takeInTime(n, &r); err != nil {
			return err
		}
	}
	n.offset += d.Raw
	n.chunks += int64(len(d.Chunks))
	n.linesIn += lines
	g.enqueue(n, r)
	return nil
}

// takeEnd reconciles what End counts with what came.
func (g *Gather) takeEnd(n *node, e *schemas.End) {
	// A selected line may show nothing: an empty match with -o, or any with -L.
	g.matched = g.matched || e.Selected > 0 || e.Selected < 0 && e.Lines > 0
	for _, c := range []struct {
		what      string
		said, got int64
	}{
		{"chunks", e.Chunks, n.chunks}, {"raw bytes", e.RawBytes, n.offset}, {"text bytes", e.TextBytes, n.textIn}, {"lines", e.Lines, n.linesIn},
	} {
		if c.what == "lines" && (e.Status != schemas.StatusComplete || n.binary || g.q.Mode == schemas.ModeQuiet || g.q.Explain) {
			continue // then nothing was to come, or not all of it
		}
		if c.said != c.got {
			g.settle(n, schemas.StatusPartial, fmt.Sprintf("counts %d %s, %d came", c.said, c.what, c.got))
			return
		}
	}
	switch {
	case e.Status != schemas.StatusComplete:
		g.settle(n, e.Status, endReason(e))
	case n.openIn:
		g.settle(n, schemas.StatusPartial, "ended in the middle of a line")
	default:
		g.settle(n, schemas.StatusComplete, "")
	}
}

func endReason(e *schemas.End) string {
	switch {
	case e.Reason != "":
		return e.Reason
	case len(e.Errors) > 0:
		return fmt.Sprintf("%s: %s", e.Errors[0].File, e.Errors[0].Err)
	}
	return "no reason given"
}

// otherRun takes a frame of another run than the one being taken: a restart, or a second node of
// the same name. A node restarted in mid-answer knows of the query only if it was asked again; a
// second answer without that comes from a second node.
func (g *Gather) otherRun(n *node, f *schemas.Frame, now time.Time) {
	old := n.oldRun(f.Run)
	if g.following() {
		g.followRun(n, f, old, now)
		return
	}
	switch {
	case old != nil && !old.alive(f, now):
	case old != nil, !n.reasked, n.end != nil:
		g.twoNodes(n, f, old, now)
	case n.settled:
		g.stray(n, f, now)
	case n.released || len(n.old) == maxRestarts:
		g.settle(n, schemas.StatusPartial, "restarted in the middle of its answer")
		g.stray(n, f, now)
	default:
		n.old = append(n.old, oldRun{n.run, n.seen, n.progress.BytesRead, n.host(), now})
		g.restart(n)
		g.adopt(n, f, now)
	}
}

// maxRestarts is how many new runs of one node an answer bears.
const maxRestarts = 4

func (n *node) oldRun(run uint64) *oldRun {
	for i := range n.old {
		if n.old[i].run == run {
			return &n.old[i]
		}
	}
	return nil
}

func (n *node) host() string {
	if n.hello != nil {
		return n.hello.Host
	}
	return ""
}

// restart forgets a run of which nothing has been released.
func (g *Gather) restart(n *node) {
	low := n.timed.low // by it others were released
	g.discard(n)
	n.share.again()
	g.credit.held += n.initial - (n.granted - n.consumed)
	g.credit.running--
	*n = node{
		name: n.name, part: n.part, rank: n.rank, unexpected: n.unexpected, bad: n.bad, old: n.old, reasked: n.reasked, skip: n.skip,
		timed:   timed{low, low, n.timed.at},
		heardAt: n.heardAt, initial: n.initial, granted: n.initial, controlAt: n.controlAt, asks: n.asks, askedAt: n.askedAt,
		born: n.born, share: n.share,
	}
	g.place(n)
}

// twoNodes gives the verdict on a name that two nodes bear, of which the other sent f; it tells both
// to stop.
func (g *Gather) twoNodes(n *node, f *schemas.Frame, old *oldRun, now time.Time) {
	g.stray(n, f, now)
	if n.duplicate {
		return
	}
	n.duplicate = true
	other := ""
	switch {
	case f.Hello != nil:
		other = f.Hello.Host
	case old != nil:
		other = old.host
	}
	reason := fmt.Sprintf("duplicate node name: runs on %s and on %s", hostName(n.host()), hostName(other))
	if n.settled {
		n.status, n.reason = schemas.StatusError, reason
		g.discard(n)
		g.closeLine(n)
		return
	}
	g.settle(n, schemas.StatusError, reason)
	g.send(Grant{n.name, schemas.Control{Run: n.run, Ack: n.next - 1, Limit: n.granted, Stop: true}, n.part})
}

func hostName(host string) string {
	if host == "" {
		return "another host"
	}
	return host
}

// stray tells a run that nothing of it is wanted any more.
func (g *Gather) stray(n *node, f *schemas.Frame, now time.Time) {
	if f.End == nil && now.Sub(n.strayAt) < strayEvery && n.strayRun == f.Run {
		return
	}
	n.strayAt, n.strayRun = now, f.Run
	c := schemas.Control{Run: f.Run, Stop: true}
	if f.End != nil {
		c.Ack = f.Seq
	}
	g.send(Grant{n.name, c, n.part})
}

// late takes a frame of a node whose verdict is given.
func (g *Gather) late(n *node, f *schemas.Frame, now time.Time) {
	silent := n.status == schemas.StatusDown || n.status == schemas.StatusUnreachable
	passed := g.q.Order == schemas.OrderNode && n.rank < g.head || g.begun || n.share != nil && n.share.given
	if g.following() && g.back(n, f, now) {
		return
	}
	switch {
	case n.run == 0 && silent && !passed:
		g.revive(n)
		g.adopt(n, f, now)
	case n.run == 0, n.end == nil && f.Run == n.run:
		g.stray(n, f, now)
	case f.Run != n.run:
		g.otherRun(n, f, now)
	case now.Sub(n.controlAt) >= repeatAck: // its End comes again: the acknowledgement was lost
		g.control(n, now)
	}
}

// revive takes back a verdict: the node was only slow.
func (g *Gather) revive(n *node) {
	n.settled, n.status, n.reason, n.judgedAt = false, 0, "", time.Time{}
	n.initial, n.granted = g.q.Credit, g.q.Credit
	g.credit.held += n.granted
	g.unsettled++
	if g.plan != nil {
		delete(g.plan.failed, n.name)
	}
	g.head = min(g.head, n.rank)
	g.addLive(n)
	g.place(n)
}
