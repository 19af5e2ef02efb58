package responder

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trawl-logs/trawl/responder/outbox"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/schemas"
)

const (
	// defaultTimeout holds for a query that names none.
	defaultTimeout = 5 * time.Minute
	// flushAfter is how long results wait for more to go with them.
	flushAfter = 75 * time.Millisecond
	// lastWords is how long a stopping responder waits for its Ends to be acknowledged.
	lastWords = 500 * time.Millisecond
)

// session answers one query. Two goroutines serve it: one searches (search), the other (tend) does
// what time asks for, and publishes. They and the Handle methods meet in mu.
type session struct {
	r       *Responder
	key     Key
	q       *schemas.Query
	refusal error
	log     *slog.Logger
	started time.Time
	ctx     context.Context
	cancel  context.CancelCauseFunc
	read    atomic.Int64
	poke    chan struct{} // tend has something to do
	room    chan struct{} // there may be room
	working bool          // holds a worker; search alone uses it

	unpacked int64 // bytes of archives that were decompressed; search alone uses it

	mu       sync.Mutex
	box      *outbox.Outbox
	pack     packer
	flushAt  time.Time       // when what is kept goes; zero: nothing is
	lines    int64           // selected, in what was sent
	raw      int64           // bound of the size of what was sent
	mark     int64           // no line of an earlier time will be emitted; schemas.NoTime: unknown
	gone     time.Time       // when nobody listened first, since the last sign of life
	dead     bool            // nobody has listened for goneAfter
	lost     bool            // the answer ended because the requester could not be heard
	skipping bool            // the line that goes on was left out
	skipped  int64           // lines that were left out since a frame last said so
	begun    bool            // a line that was written goes on in the next chunk
	news     []schemas.Chunk // of files, which wait for the end of that line
}

func newSession(r *Responder, k Key, q *schemas.Query, refusal error) *session {
	s := &session{
		r: r, key: k, q: q, refusal: refusal, log: r.log.With(describe(k, q)...), started: time.Now(),
		poke: make(chan struct{}, 1), room: make(chan struct{}, 1), pack: packer{terminator: q.Terminator(), whole: q.Plan != nil && q.Order != schemas.OrderTime}, mark: schemas.NoTime,
	}
	timeout := q.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	if q.Mode != schemas.ModeFollow { // which waits more than it runs, and ends with its requester
		timeout = min(timeout, time.Duration(r.config.Limits.RunTime))
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.box = outbox.New(outbox.Options{
		Run: nonce(), Terminator: q.Terminator(), Credit: q.Credit, Compress: q.Compress, Timeout: timeout,
		Jitter: q.Jitter, Reuse: true,
	}, s.started)
	return s
}

func nonce() uint64 {
	for {
		if n := rand.Uint64(); n != 0 {
			return n
		}
	}
}

func (s *session) start() {
	s.log.Debug("query starts", "select", fmt.Sprintf("%+v", s.q.Select))
	go s.tend()
	go s.run()
}

// run searches and ends the answer, whatever happens.
func (s *session) run() {
	end := s.answer()
	s.locked(func(now time.Time) {
		s.pack.kept, s.flushAt = nil, time.Time{} // of a search that was cut short
		end.Lines, end.Elapsed = end.Lines+s.lines, now.Sub(s.started)
		s.box.End(end, now)
		if status, reason, over := s.box.Over(); over && end.Status != schemas.StatusError {
			end.Status, end.Reason = status, reason
		}
	})
	s.release()
	s.cancel(errOver)
	s.account(end)
}

// answer gives the End; a panic in the search becomes one.
func (s *session) answer() (end *schemas.End) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic in a search", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			end = &schemas.End{Status: schemas.StatusError, Reason: "internal error: the search panicked"}
		}
	}()
	if s.refusal != nil {
		return s.failed(s.refusal)
	}
	select {
	case <-s.r.workers:
		s.working = true
	default:
		return s.failed(&verdict{schemas.StatusError, busy(s.r.config.Limits.MaxQueries, "running")})
	}
	if s.q.Mode == schemas.ModeBlock {
		return s.sendBlock()
	}
	p, err := s.r.plan(s.ctx, s.q)
	if err != nil {
		return s.failed(err)
	}
	defer p.close()
	if err := s.jitter(); err != nil {
		return s.failed(err)
	}
	s.locked(func(now time.Time) { s.box.Hello(s.r.hello(len(p.files), p.bytes), now) })
	if s.q.Mode == schemas.ModeFollow {
		return s.follow(p)
	}
	return p.run(s)
}

// busy is the reason of a node that has enough to do.
func busy(queries int, doing string) string {
	if queries == 1 {
		return "busy: 1 query is " + doing
	}
	return fmt.Sprintf("busy: %d queries are %s", queries, doing)
}

// failed is the End of an answer that has no results.
func (s *session) failed(err error) *schemas.End {
	s.locked(func(now time.Time) { s.box.Hello(s.r.hello(0, 0), now) })
	e := &schemas.End{}
	e.Status, e.Reason = s.ending(err)
	return e
}

// ending says how an answer ends for an error.
func (s *session) ending(err error) (schemas.Status, string) {
	if v := asVerdict(err); v != nil {
		return v.status, v.reason
	}
	if cause := context.Cause(s.ctx); cause != nil {
		if v := asVerdict(cause); v != nil {
			return v.status, v.reason
		}
		return schemas.StatusStopped, "" // the outbox knows better
	}
	return schemas.StatusError, err.Error()
}

// jitter waits, so that the Hellos of a large fleet do not come all at once.
func (s *session) jitter() error {
	if s.q.Jitter <= 0 {
		return nil
	}
	left := rand.N(s.q.Jitter) - time.Since(s.started)
	if left <= 0 {
		return nil
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
}

// locked runs f with the session's lock, and has what comes of it published.
func (s *session) locked(f func(now time.Time)) {
	s.mu.Lock()
	f(time.Now())
	room := s.box.Room() > 0
	s.mu.Unlock()
	if room {
		s.signalRoom() // at once: the search need not wait for tend's turn
	}
	s.wake()
}

// signalRoom makes a search that waits for room look again.
func (s *session) signalRoom() {
	select {
	case s.room <- struct{}{}:
	default:
	}
}

// wake makes tend look at the session.
func (s *session) wake() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// tend publishes and does what is due until the answer is over.
func (s *session) tend() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var stop time.Time
	for {
		s.mu.Lock()
		now := time.Now()
		s.box.Progress(s.read.Load(), s.watermark())
		if !s.flushAt.IsZero() && !now.Before(s.flushAt) {
			s.flush(now)
		}
		next := s.box.Tick(now)
		s.publish()
		if !s.flushAt.IsZero() && s.flushAt.After(now) && s.flushAt.Before(next) {
			next = s.flushAt
		}
		state, end := s.box.State(), s.box.EndFrame()
		_, _, over := s.box.Over()
		room, dead := s.box.Room() > 0, s.dead
		s.mu.Unlock()
		if over {
			s.cancel(errOver)
		}
		if state == outbox.Done || state == outbox.Ending && (dead || s.leaving(&stop, now)) {
			s.r.over(s, end)
			return
		}
		if room {
			s.signalRoom()
		}
		if !stop.IsZero() && stop.Before(next) {
			next = stop
		}
		timer.Reset(time.Until(next))
		select {
		case <-timer.C:
		case <-s.poke:
		}
	}
}

// leaving tells whether the responder stops and has waited long enough for its End to be heard.
func (s *session) leaving(stop *time.Time, now time.Time) bool {
	s.r.mu.Lock()
	stopping := s.r.stopping
	s.r.mu.Unlock()
	if stopping && stop.IsZero() {
		*stop = now.Add(lastWords)
	}
	return !stop.IsZero() && !now.Before(*stop)
}

// publish sends what the outbox gives. mu is held, which keeps the frames in order.
func (s *session) publish() {
	for _, frame := range s.box.Take() {
		s.r.send(s.key, frame)
	}
}

func (s *session) control(c *schemas.Control) {
	s.locked(func(now time.Time) {
		s.gone = time.Time{}
		s.box.Control(c, now)
	})
}

// nobody gives the query up if for goneAfter nobody has listened; the Progress frames, and the
// repetitions of End, are the probe.
func (s *session) nobody() {
	s.locked(func(now time.Time) {
		switch {
		case s.gone.IsZero():
			s.gone = now
		case now.Sub(s.gone) >= goneAfter:
			s.dead = true
			s.box.Cancel(schemas.StatusPartial, "the requester is gone", now)
		}
	})
}

// emit takes a batch of results. It blocks for want of credit, without a worker meanwhile.
func (s *session) emit(b *scan.Batch) error {
	c, ok := s.pack.chunk(b)
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := size(&c)
	if s.pack.keptSize+n > maxFrameSize || n >= directSize {
		if err := s.sendKept(); err != nil {
			return err
		}
	}
	for n >= directSize {
		head, tail, ok := s.pack.cut(&c, s.frameRoom())
		if !ok {
			if err := s.await(); err != nil {
				return err
			}
			continue
		}
		selected := b.Selected
		if len(head.Text) < len(b.Text) { // a part of the batch
			selected = head.Selected(s.pack.terminator)
		}
		if err := s.data(selected, head); err != nil {
			return err
		}
		if c, n = tail, size(&tail); len(tail.Text) == 0 {
			return nil
		}
	}
	s.pack.keep(&c)
	if s.flushAt.IsZero() {
		s.flushAt = time.Now().Add(flushAfter)
		s.wake()
	}
	return nil
}

// frameRoom is how large a chunk may be that is sent now in a frame of its own.
func (s *session) frameRoom() int { return int(min(s.box.Room(), maxFrameSize)) - frameHeads }

// sendKept sends all that is kept, waiting for room.
func (s *session) sendKept() error {
	for len(s.pack.kept) > 0 {
		if chunks := s.pack.takeKept(int(s.box.Room())); chunks != nil {
			if err := s.data(s.selected(chunks), chunks...); err != nil {
				return err
			}
		} else if err := s.await(); err != nil {
			return err
		}
	}
	s.flushAt = time.Time{}
	return nil
}

// flush sends what is kept as far as there is room.
func (s *session) flush(now time.Time) {
	for len(s.pack.kept) > 0 {
		chunks := s.pack.takeKept(int(s.box.Room()))
		if chunks == nil {
			return // with the next credit; flushAt stays in the past
		}
		if s.data(s.selected(chunks), chunks...) != nil {
			return
		}
	}
	if s.skipped > 0 && !s.tellSkipped() {
		return
	}
	s.flushAt = time.Time{}
}

// selected counts the selected lines of chunks.
func (s *session) selected(chunks []schemas.Chunk) (lines int64) {
	for i := range chunks {
		lines += chunks[i].Selected(s.pack.terminator)
	}
	return lines
}

// data sends a frame for which there is room; selected is the number of its selected lines.
func (s *session) data(selected int64, chunks ...schemas.Chunk) error {
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	if _, _, over := s.box.Over(); over {
		return errOver
	}
	for i := range chunks {
		s.raw += int64(size(&chunks[i]))
	}
	if most := s.mostBytes(); most > 0 && s.raw > most {
		return &verdict{schemas.StatusPartial, fmt.Sprintf("more than %d bytes of results", most)}
	}
	s.lines += selected
	s.box.Data(chunks, time.Now())
	s.publish()
	return nil
}

// mostBytes is how large the results may become; 0: no limit.
func (s *session) mostBytes() int64 {
	own := int64(s.r.config.Limits.ResultBytes)
	if s.q.Mode == schemas.ModeFollow || s.q.Mode == schemas.ModeBlock {
		own = 0
	}
	if own == 0 || s.q.MaxBytes > 0 && s.q.MaxBytes < own {
		return s.q.MaxBytes
	}
	return own
}

// await waits until there may be more room. The lock and the worker are given up meanwhile.
func (s *session) await() error {
	s.mu.Unlock()
	defer s.mu.Lock()
	s.release()
	select {
	case <-s.room:
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
	select {
	case <-s.r.workers:
		s.working = true
		return nil
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
}

// release gives the worker back.
func (s *session) release() {
	if s.working {
		s.working = false
		s.r.workers <- struct{}{}
	}
}

// tellLacking tells the requester what is not read, before anything else: somebody else may read it meanwhile.
func (s *session) tellLacking(lacking map[string][]schemas.BlockID) error {
	const atOnce = 1 << 10
	s.mu.Lock()
	defer s.mu.Unlock()
	for home, ids := range lacking {
		for some := range slices.Chunk(ids, atOnce) {
			var text []byte
			for _, id := range some {
				text = append(text, id[:]...)
			}
			c := schemas.Chunk{Kind: schemas.ChunkUnread, Text: text, Origin: &schemas.Origin{Node: home}}
			for int(s.box.Room()) < size(&c)+frameHeads {
				if err := s.await(); err != nil {
					return err
				}
			}
			if err := s.data(0, c); err != nil {
				return err
			}
		}
	}
	return nil
}
