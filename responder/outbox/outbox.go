// Package outbox holds the sender's side of one answer (Outbox) and the memory of answers that are
// over (Ledger). Both are pure: they do no I/O, start no goroutine, and take the time as an argument.
//
// An Outbox numbers the frames of one run, holds back Data that there is no credit for, keeps what
// is not acknowledged for repetition, says Progress while the node works, and repeats End until it
// is acknowledged. The caller feeds it results, controls and ticks, and after each call publishes
// what Take returns, in that order. PROTOCOL.md has the rules; requester.Gather is the other side.
package outbox

import (
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// Times of the protocol.
const (
	ProgressEvery = 500 * time.Millisecond // between two Progress frames
	DefaultLease  = 30 * time.Second       // without a control, then the requester counts as gone
	helloWait     = 10 * time.Millisecond  // for an End or Data that the Hello may go with
	repeatData    = time.Second            // and twice the jitter, until the newest frame is first repeated; doubles
	repeatEnd     = 250 * time.Millisecond // the same for End
	repeatMost    = 8 * time.Second        // longest wait between repetitions
	resendGap     = 50 * time.Millisecond  // between two repetitions that controls ask for
)

// leastRoom is what a sender can always use: with less, which may not hold its next frame, it may be waiting for credit.
const leastRoom = schemas.DataTarget

// Options are what an Outbox is told of its query.
type Options struct {
	Run        uint64        // nonce, not 0
	Terminator byte          // of the query's lines
	Credit     int64         // raw bytes that may be sent before the first grant
	Compress   bool          // compress Data where it pays
	Timeout    time.Duration // relative deadline; 0: none
	Lease      time.Duration // 0: DefaultLease
	Jitter     time.Duration // of the query: the larger the fleet, the later acknowledgements come
	Reuse      bool          // what Take returned is overwritten after the next call
}

// State says how far an answer is.
type State uint8

const (
	Working State = iota // End has not been called
	Ending               // End is queued or sent, and not acknowledged
	Done                 // acknowledged, or not wanted, or nobody is left to say so
)

// sent is a numbered frame, kept until it is acknowledged.
type sent struct {
	seq              uint64
	raw, chunks, txt int64
	msg              []byte
}

// Outbox sends one answer. Its methods may not be called at the same time.
type Outbox struct {
	o               Options
	deadline, lease time.Time // zero deadline: none
	hello           *schemas.Hello
	helloAt         time.Time // when it goes at the latest; zero once it has gone
	seq             uint64    // of the newest frame, held back or sent
	offset          int64     // of the next Data, behind what is held back
	chunks, txt     int64
	limit           int64
	held            []sent // numbered, not sent for want of room
	kept            []sent // sent, not acknowledged
	keptRaw         int64
	sentSeq         uint64
	sentRaw         int64
	progress        schemas.Progress
	progressAt      time.Time
	repeatAt        time.Time
	repeatWait      time.Duration
	resentAt        time.Time
	state           State
	over            bool
	overStatus      schemas.Status
	overReason      string
	final           schemas.End // as the caller gave it
	endMsg          []byte
	gone            bool // the lease ran out
	out             [][]byte
	free            [][]byte // of acknowledged Data, with Reuse: at most a window's
}

// New starts an answer.
func New(o Options, now time.Time) *Outbox {
	if o.Lease == 0 {
		o.Lease = DefaultLease
	}
	b := &Outbox{o: o, limit: o.Credit, lease: now.Add(o.Lease)}
	if o.Timeout > 0 {
		b.deadline = now.Add(o.Timeout)
	}
	b.progress.Watermark = schemas.NoTime
	return b
}

// Hello queues the Hello. It goes by itself after 10 ms, or before the first Data; an End that
// comes before shares its frame.
func (b *Outbox) Hello(h *schemas.Hello, now time.Time) {
	if b.hello == nil {
		b.hello, b.helloAt = h, now.Add(helloWait)
	}
}

// Data queues results, as one frame or several; it keeps nothing of the chunks. What there is no
// room for is held back: a caller that sees Room return 0 stops searching until it does not. After
// End, and once the answer is over, Data does nothing.
func (b *Outbox) Data(chunks []schemas.Chunk, now time.Time) {
	if b.state != Working || b.over {
		return
	}
	if b.sentSeq == 0 {
		b.sendHello(now)
	}
	pack(chunks, b.o.Terminator, b.hold)
	b.release(now)
}

// hold numbers a Data frame.
func (b *Outbox) hold(chunks []schemas.Chunk) {
	b.seq++
	d := &schemas.Data{Offset: b.offset, Chunks: chunks, Compress: b.o.Compress}
	f := sent{seq: b.seq, chunks: int64(len(chunks))}
	for i := range chunks {
		f.txt += int64(len(chunks[i].Text))
	}
	f.msg = schemas.AppendFrame(b.buffer(), &schemas.Frame{Run: b.o.Run, Seq: b.seq, Data: d})
	f.raw = d.Raw
	b.offset += f.raw
	b.chunks += f.chunks
	b.txt += f.txt
	b.held = append(b.held, f)
}

// buffer is one to encode a Data frame into.
func (b *Outbox) buffer() []byte {
	n := len(b.free)
	if n == 0 {
		return nil
	}
	buf := b.free[n-1]
	b.free = b.free[:n-1]
	return buf[:0]
}

// release sends what was held back, as far as credit and the window reach.
func (b *Outbox) release(now time.Time) {
	n := 0
	for ; n < len(b.held); n++ {
		f := &b.held[n]
		if f.raw > 0 && (b.sentRaw+f.raw > b.limit || b.keptRaw > 0 && b.keptRaw+f.raw > schemas.MaxUnacked) {
			break
		}
		b.publish(*f, now)
	}
	b.held = append(b.held[:0], b.held[n:]...)
}

// publish sends a numbered frame for the first time and keeps it.
func (b *Outbox) publish(f sent, now time.Time) {
	b.out = append(b.out, f.msg)
	b.kept = append(b.kept, f)
	b.keptRaw += f.raw
	b.sentRaw += f.raw
	b.sentSeq = f.seq
	b.repeatWait = repeatData
	if b.endMsg != nil && f.seq == b.seq {
		b.repeatWait = repeatEnd
	}
	b.repeatWait += 2 * b.o.Jitter
	b.repeatAt = now.Add(b.repeatWait)
}

func (b *Outbox) sendHello(now time.Time) {
	b.helloAt = time.Time{}
	b.seq++
	msg := schemas.AppendFrame(nil, &schemas.Frame{Run: b.o.Run, Seq: b.seq, Hello: b.greeting()})
	b.publish(sent{seq: b.seq, msg: msg}, now)
	b.progressAt = now.Add(ProgressEvery)
}

// Room is how many raw bytes of Data would be sent at once; 0 while anything is held back, and
// when the answer is over.
func (b *Outbox) Room() int64 {
	if len(b.held) > 0 || b.over || b.state != Working {
		return 0
	}
	return max(0, min(b.limit-b.sentRaw, schemas.MaxUnacked-b.keptRaw))
}

// Unsent says whether Data is held back.
func (b *Outbox) Unsent() bool { return len(b.held) > 0 }

// Progress sets what the next Progress frames say; the outbox fills in Sent and Waiting.
func (b *Outbox) Progress(bytesRead, watermark int64) {
	b.progress.BytesRead, b.progress.Watermark = bytesRead, watermark
}

// End queues the End, and sets the counts that the outbox knows better: Chunks, RawBytes and
// TextBytes. If the answer is over (see Over), then or before the End could be sent, Data that was
// held back is dropped, and the status and reason of Over replace e's where that claims more. Only
// the first End counts.
func (b *Outbox) End(e *schemas.End, now time.Time) {
	if b.state != Working {
		return
	}
	b.state, b.final = Ending, *e
	b.queueEnd(now)
	if b.gone {
		b.state = Done
	}
}

func (b *Outbox) queueEnd(now time.Time) {
	end := b.final
	if b.over {
		b.drop()
		if end.Status == schemas.StatusComplete || end.Status == schemas.StatusStopped {
			end.Status, end.Reason = b.overStatus, b.overReason
		}
	}
	end.Chunks, end.RawBytes, end.TextBytes = b.chunks, b.offset, b.txt
	f := &schemas.Frame{Run: b.o.Run, End: &end}
	if b.sentSeq == 0 {
		f.Hello, b.helloAt = b.greeting(), time.Time{}
	}
	b.seq++
	f.Seq = b.seq
	b.endMsg = schemas.AppendFrame(nil, f)
	b.held = append(b.held, sent{seq: b.seq, msg: b.endMsg})
	b.release(now)
}

// greeting is the Hello, or an empty one for a node that ends without having said it.
func (b *Outbox) greeting() *schemas.Hello {
	if b.hello == nil {
		b.hello = &schemas.Hello{}
	}
	return b.hello
}

// drop forgets the Data that was never sent, and its numbers.
func (b *Outbox) drop() {
	for _, f := range b.held {
		b.seq--
		b.offset -= f.raw
		b.chunks -= f.chunks
		b.txt -= f.txt
	}
	b.held = nil
}

// Control takes a requester's control. Those of other runs are ignored.
func (b *Outbox) Control(c *schemas.Control, now time.Time) {
	if c.Run != 0 && c.Run != b.o.Run || c.Ack > b.sentSeq || b.gone {
		return
	}
	b.lease = now.Add(b.o.Lease)
	b.acknowledge(c.Ack)
	b.limit = max(b.limit, c.Limit)
	if c.Stop {
		b.end(schemas.StatusStopped, "the requester has enough", now)
	}
	if c.Resend > 0 && now.Sub(b.resentAt) >= resendGap {
		b.resentAt = now
		for _, f := range b.kept {
			if f.seq >= c.Resend {
				b.out = append(b.out, f.msg)
			}
		}
	}
	b.release(now)
}

func (b *Outbox) acknowledge(ack uint64) {
	n := 0
	for ; n < len(b.kept) && b.kept[n].seq <= ack; n++ {
		b.keptRaw -= b.kept[n].raw
		if b.o.Reuse && b.kept[n].raw > 0 && len(b.out) == 0 { // else it may be about to be repeated
			b.free = append(b.free, b.kept[n].msg)
		}
		b.kept[n] = sent{}
	}
	b.kept = append(b.kept[:0], b.kept[n:]...)
	if b.state == Ending && ack == b.seq {
		b.state = Done
	}
}

// end settles that the answer is over before the search is, or before all of it could be sent.
func (b *Outbox) end(status schemas.Status, reason string, now time.Time) {
	if b.over || b.state == Done || b.state == Ending && len(b.held) == 0 {
		return
	}
	b.over, b.overStatus, b.overReason = true, status, reason
	if b.state == Ending {
		b.queueEnd(now)
	}
}

// Cancelled takes the requester's cancel: it wants no more of the answer, and no End again that has been sent.
func (b *Outbox) Cancelled(reason string, now time.Time) {
	if b.endSent() {
		b.state = Done
		return
	}
	b.end(schemas.StatusStopped, reason, now)
}

// Cancel ends the answer: the node's own shutdown, or a requester that is gone, wants no more of it.
func (b *Outbox) Cancel(s schemas.Status, reason string, now time.Time) { b.end(s, reason, now) }

// Over reports that the search must end, and End be called, now: because the requester has enough
// or cancelled, is gone, or the deadline has passed. Then Data does nothing.
func (b *Outbox) Over() (s schemas.Status, reason string, over bool) {
	return b.overStatus, b.overReason, b.over
}

// Asked says that the query has come again: the requester has not heard of this answer.
func (b *Outbox) Asked(now time.Time) {
	if b.gone {
		return
	}
	b.lease = now.Add(b.o.Lease)
	b.repeat()
}

// Reconnected says that what was published last may be lost.
func (b *Outbox) Reconnected(now time.Time) {
	b.repeat()
	if b.state == Working && b.sentSeq > 0 {
		b.say(now)
	}
}

// repeat sends the newest frame once more. Those before it, the requester asks for.
func (b *Outbox) repeat() {
	if n := len(b.kept); n > 0 {
		b.out = append(b.out, b.kept[n-1].msg)
	}
}

// Tick does what is due, and returns when it wants to be called next.
func (b *Outbox) Tick(now time.Time) (next time.Time) {
	if b.state == Done {
		return time.Time{}
	}
	b.expire(now)
	if !b.helloAt.IsZero() && !now.Before(b.helloAt) {
		b.sendHello(now)
	}
	if b.sentSeq > 0 && !b.endSent() && !now.Before(b.progressAt) {
		b.say(now)
	}
	if len(b.kept) > 0 && !now.Before(b.repeatAt) {
		b.repeat()
		b.repeatWait = min(2*b.repeatWait, repeatMost)
		b.repeatAt = now.Add(b.repeatWait)
	}
	return b.next()
}

func (b *Outbox) endSent() bool { return b.state != Working && len(b.held) == 0 }

func (b *Outbox) expire(now time.Time) {
	if !now.Before(b.lease) && !b.gone {
		b.gone = true
		b.end(schemas.StatusPartial, "the requester is gone", now)
		if b.state == Ending {
			b.state = Done
		}
	}
	if !b.deadline.IsZero() && !now.Before(b.deadline) {
		b.end(schemas.StatusPartial, "time limit reached", now)
	}
}

// say sends a Progress.
func (b *Outbox) say(now time.Time) {
	b.progressAt = now.Add(ProgressEvery)
	p := b.progress
	p.Sent = b.sentRaw
	p.Waiting = len(b.held) > 0 || b.state == Working && b.Room() < leastRoom
	b.out = append(b.out, schemas.AppendFrame(nil, &schemas.Frame{Run: b.o.Run, Seq: b.sentSeq, Progress: &p}))
}

func (b *Outbox) next() time.Time {
	next := b.lease
	earlier := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	earlier(b.helloAt)
	if !b.over {
		earlier(b.deadline)
	}
	if b.sentSeq > 0 && !b.endSent() {
		earlier(b.progressAt)
	}
	if len(b.kept) > 0 {
		earlier(b.repeatAt)
	}
	return next
}

// Take returns the encoded frames to publish now, in order. The caller must not change them, and may
// keep them, unless Options.Reuse is set.
func (b *Outbox) Take() [][]byte {
	out := b.out
	b.out = nil
	return out
}

// State says how far the answer is. When it is Done, EndFrame goes into the Ledger and the Outbox
// can be dropped.
func (b *Outbox) State() State { return b.state }

// EndFrame is the encoded End; nil before End.
func (b *Outbox) EndFrame() []byte { return b.endMsg }
