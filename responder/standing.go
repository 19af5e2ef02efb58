package responder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/responder/follow"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/schemas"
)

const (
	// liveTick is how often counts are told that came without lines, and places kept.
	liveTick = time.Second
	// standingRetry is how long a standing query that failed waits until it is tried again.
	standingRetry = 10 * time.Second
)

// LiveFunc publishes a message of a standing query. If it is durable, LiveFunc returns when the message
// is stored, however long that takes, or ctx ends; id tells a message that is sent twice.
type LiveFunc func(ctx context.Context, name string, durable bool, id string, msg []byte) error

// StandingRecord is a standing query as it is kept.
type StandingRecord struct {
	Name     string
	Revision uint64 // another one has another
	Value    []byte // an encoded schemas.Standing
}

// Standing runs the standing queries of a node. Its methods are safe for concurrent use.
type Standing struct {
	r       *Responder
	publish LiveFunc

	mu      sync.Mutex
	closed  bool
	running map[string]*standing // by name; also those that were refused
}

// standing is one that runs, or was refused.
type standing struct {
	*schemas.Standing
	revision uint64
	stop     context.CancelFunc
	done     chan struct{}
}

// NewStanding returns what runs standing queries on the responder's files; there are none yet.
func (r *Responder) NewStanding(publish LiveFunc) *Standing {
	return &Standing{r: r, publish: publish, running: map[string]*standing{}}
}

// Set makes the standing queries those that are kept: what is new is taken up, what has gone or changed
// is ended. One that cannot be taken up is logged once.
func (s *Standing) Set(records []StandingRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	wanted := make(map[string]uint64, len(records))
	for _, k := range records {
		wanted[k.Name] = k.Revision
	}
	for name, q := range s.running {
		if revision, ok := wanted[name]; !ok || revision != q.revision {
			q.end()
			delete(s.running, name)
		}
	}
	for _, k := range records {
		if s.running[k.Name] == nil {
			s.running[k.Name] = s.take(k)
		}
	}
}

// take begins to run a standing query. mu is held.
func (s *Standing) take(k StandingRecord) *standing {
	ctx, cancel := context.WithCancel(context.Background())
	q := &standing{revision: k.Revision, stop: cancel, done: make(chan struct{})}
	log := s.r.log.With("watch", k.Name)
	var program program
	var err error
	q.Standing, err = schemas.DecodeStanding(k.Value)
	switch {
	case err != nil:
	case q.Name != k.Name:
		err = fmt.Errorf("it says that its name is %q", q.Name)
	case !q.Query.Select.AdmitsNode(s.r.config.Node, s.r.config.Groups):
		close(q.done)
		return q
	case s.live() >= s.r.config.Limits.MaxWatches:
		err = fmt.Errorf("%d run already, the node's limit (limits.max_watches)", s.live())
	default:
		program, err = s.r.compile(&q.Query, int(s.r.config.Limits.Program))
	}
	if err != nil {
		log.Error("standing query not taken up", "err", err)
		q.Standing = nil
		close(q.done)
		return q
	}
	go func() {
		defer close(q.done)
		for ctx.Err() == nil {
			err := s.runOne(ctx, q.Standing, program, log)
			if ctx.Err() != nil {
				break
			}
			log.Error("standing query failed; it is tried again", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(standingRetry):
			}
		}
		log.Info("standing query ended")
	}()
	return q
}

// live counts those that run. mu is held.
func (s *Standing) live() (n int) {
	for _, q := range s.running {
		select {
		case <-q.done:
		default:
			n++
		}
	}
	return n
}

// end ends it, and returns when it publishes no more.
func (q *standing) end() {
	q.stop()
	<-q.done
}

// Close ends all.
func (s *Standing) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, q := range s.running {
		q.stop()
	}
	for _, q := range s.running {
		<-q.done
	}
}

// liveRun is a standing query while it is run.
type liveRun struct {
	*schemas.Standing
	ctx     context.Context
	publish LiveFunc
	run     uint64
	log     *slog.Logger

	mu     sync.Mutex
	pack   packer
	thin   thinning
	seq    uint64
	lost   int64
	told   int64 // of the lines that matched
	failed bool  // the last message was not published
}

// runOne publishes what a standing query selects until ctx ends or it fails.
func (s *Standing) runOne(ctx context.Context, q *schemas.Standing, program program, log *slog.Logger) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("panic in a standing query", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errors.New("internal error")
		}
	}()
	var kept *places
	if q.Durable {
		if kept, err = loadPlaces(s.r.placesName(q.Name), q.Created); err != nil {
			log.Error("standing query begins anew", "err", err)
		}
		if kept.name == "" {
			log.Warn("the node has no state directory: after a restart a durable standing query begins anew")
		}
	}
	l := &liveRun{Standing: q, ctx: ctx, publish: s.publish, run: nonce(), log: log,
		pack: packer{terminator: q.Query.Terminator()}, thin: thinning{rate: q.Rate, sample: q.Sample}}
	t, err := s.r.newTail(ctx, &q.Query, program.newMatcher, s.r.liveOptions(&q.Query), func(file string, err error) {
		log.Warn("not followed", "path", file, "reason", err)
	}, s.r.resume(kept))
	if err != nil {
		return err
	}
	defer t.follower.Close()
	filter, err := selection(&q.Query.Select).Compile()
	if err != nil {
		return err
	}
	t.addJournals(ctx, filter)
	t.fed = l.flush
	t.emit, t.cut, t.passed = l.emit, l.emitCut, func(*follow.Piece) error { return l.flush() }
	save := func() {}
	if kept != nil {
		kept.begin(t.past)
		t.passed = func(p *follow.Piece) error {
			if err := l.flush(); err != nil {
				return err
			}
			kept.passed(p)
			return nil
		}
		save = func() {
			if err := kept.save(s.r.filesThere(), time.Now()); err != nil {
				log.Error("places of a standing query not kept", "err", err)
			}
		}
		save()
	}
	log.Info("standing query taken up", "user", q.User, "patterns", brief(fmt.Sprint(q.Query.Patterns)), "rate", q.Rate, "sample", q.Sample, "durable", q.Durable, "files", len(t.past)+len(t.journals))
	var ticking sync.WaitGroup
	ticks, over := context.WithCancel(ctx)
	ticking.Go(func() { l.tick(ticks, save) })
	defer func() { over(); ticking.Wait(); save() }()
	return t.run(ctx)
}

// placesName is the file of a standing query's places; empty without a state directory.
func (r *Responder) placesName(name string) string {
	if r.config.State == "" {
		return ""
	}
	return filepath.Join(r.config.State, "watches", name+".json")
}

// filesThere are the files of the newest catalogue.
func (r *Responder) filesThere() map[source.ID]*source.Entry {
	there := map[source.ID]*source.Entry{}
	if snap := r.catalog.Newest(); snap != nil {
		for _, e := range snap.Files {
			there[e.ID] = e
		}
	}
	return there
}

// resume is where files are followed from, by the places that were kept; nil without.
func (r *Responder) resume(kept *places) func(*source.Entry, io.ReaderAt, int64) int64 {
	if kept == nil || !kept.resumed {
		return nil
	}
	var there map[source.ID]*source.Entry
	return func(e *source.Entry, at io.ReaderAt, size int64) int64 {
		if there == nil {
			there = r.filesThere()
		}
		return kept.resume(e, at, size, there)
	}
}

// liveOptions are those of a search for a standing query.
func (r *Responder) liveOptions(q *schemas.Query) scan.Options {
	return scan.Options{
		Invert: q.Invert, OnlyMatching: q.OnlyMatching, Binary: binaries[q.Binary], Terminator: q.Terminator(),
		Numbers: q.Columns&schemas.ColumnNumber != 0, Offsets: q.Columns&schemas.ColumnOffset != 0,
		Times: q.Columns&schemas.ColumnTime != 0, MaxLine: int(r.config.Limits.LineBytes),
	}
}

// emit takes lines that were written. It blocks while a durable message is not stored.
func (l *liveRun) emit(b *scan.Batch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.pack.chunk(b)
	if !ok || c.Kind != schemas.ChunkLines {
		return nil
	}
	kept, ok := l.thin.take(&c, l.Query.Terminator(), time.Now())
	if !ok {
		return nil
	}
	l.pack.keep(&kept)
	if l.pack.keptSize >= maxFrameSize {
		return l.send()
	}
	return nil
}

// emitCut says that a file was cut.
func (l *liveRun) emitCut(e *source.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pack.keep(&schemas.Chunk{Kind: schemas.ChunkCut, Service: e.Service, File: e.Path})
	return nil
}

// flush publishes what is kept.
func (l *liveRun) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.send()
}

// tick tells counts that came without lines, and keeps the places, until ctx ends.
func (l *liveRun) tick(ctx context.Context, save func()) {
	tick := time.NewTicker(liveTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		l.mu.Lock()
		if l.thin.matched != l.told && len(l.pack.kept) == 0 {
			_ = l.message(nil) // it is told again with the next one
		}
		l.mu.Unlock()
		save()
	}
}

// send publishes what is kept, in messages. mu is held.
func (l *liveRun) send() error {
	for len(l.pack.kept) > 0 {
		chunks := l.pack.takeKept(maxFrameSize)
		if chunks == nil {
			l.pack.kept, l.pack.keptSize = nil, 0
			return errors.New("a line does not fit into a message")
		}
		if err := l.message(chunks); err != nil {
			return err
		}
	}
	return nil
}

// message publishes one message. That a message that is not durable is lost is no error: its lines are
// counted. mu is held.
func (l *liveRun) message(chunks []schemas.Chunk) error {
	msg := schemas.AppendLive(nil, &schemas.Live{
		Name: l.Name, Run: l.run, Seq: l.seq + 1, Matched: l.thin.matched, Sampled: l.thin.sampled, Limited: l.thin.limited,
		Lost: l.lost, Data: schemas.Data{Chunks: chunks, Compress: true},
	})
	err := l.publish(l.ctx, l.Name, l.Durable, fmt.Sprintf("%x-%d", l.run, l.seq+1), msg)
	if l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	if err != nil {
		if !l.failed {
			l.log.Warn("lines of a standing query not published", "err", err)
		}
		l.failed = true
		if l.Durable {
			return err
		}
		for i := range chunks {
			l.lost += chunks[i].Selected(l.Query.Terminator())
		}
		return nil
	}
	l.failed = false
	l.seq, l.told = l.seq+1, l.thin.matched
	return nil
}
