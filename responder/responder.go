package responder

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trawl-logs/trawl/responder/block"
	"github.com/trawl-logs/trawl/responder/clock"
	"github.com/trawl-logs/trawl/responder/follow"
	"github.com/trawl-logs/trawl/responder/outbox"
	"github.com/trawl-logs/trawl/responder/rotation"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/responder/timeorder"
	"github.com/trawl-logs/trawl/schemas"
)

// Key names a query as its subject does: user, client, id.
type Key = outbox.Key

// Publisher sends an encoded frame of the answer to a query. It may block while the connection does;
// a frame that is lost is sent again when the requester asks for it. It is valid until Publish returns.
type Publisher interface {
	Publish(k Key, frame []byte) error
}

// PublishFunc is a func as a Publisher.
type PublishFunc func(k Key, frame []byte) error

// Publish calls f.
func (f PublishFunc) Publish(k Key, frame []byte) error { return f(k, frame) }

// goneAfter is how long nobody may have listened before a query is given up: a requester that
// reconnects is not gone.
const goneAfter = 5 * time.Second

// Responder answers the queries that reach a node. Its methods are safe for concurrent use.
type Responder struct {
	config   *Config
	version  string
	instance string
	host     string
	started  time.Time
	log      *slog.Logger
	publish  Publisher
	catalog  *source.Catalog
	keeper   *rotation.Keeper
	clocks   *clock.Cache
	feeds    *feeds
	times    []clock.File // what the configuration says of each source's times
	compile  compileFunc
	search   searchFunc
	sorting  *timeorder.Budget // of all queries in time order
	proving  *proving
	watcher  *follow.Watcher
	workers  chan struct{} // holds a token for each worker that is free
	totals   totals
	answered func(*Answer) // nil: nobody wants to know
	index    atomic.Pointer[index]
	sealing  *sealing // nil: no source wants it
	foreign  *foreignStores
	moving   *moving                  // nil: blocks stay where they are sealed
	offering atomic.Pointer[offering] // nil: the node has no part in the fleet's sealed blocks, but takes plans
	blocks   block.Options            // what blocks are made, whatever the disk; zero but in tests
	points   int64                    // how far apart the points of archives are; 0 but in tests

	mu        sync.Mutex
	ledger    *outbox.Ledger
	sessions  map[Key]*session
	stopping  bool
	duplicate string // host of another process with the node's name; empty: none
	running   sync.WaitGroup
	warned    map[string]bool // refused matches that have been logged
	changed   func()
	idle      *time.Timer // frees memory when no query has run for a while; nil before the first
}

// New returns the responder of a node. The config has passed Finish. Nothing is read nor opened yet: Scan
// comes first, and only Checkup may come before it. changed is called when the node's record has become another one.
func New(c *Config, version string, log *slog.Logger, publish Publisher, changed func()) (*Responder, error) {
	var sources []source.Source
	var times []clock.File
	for _, s := range c.Sources {
		zone, err := s.zone()
		if err != nil {
			return nil, err
		}
		times = append(times, clock.File{Zone: zone, Form: s.TimeFormat})
		sources = append(sources, source.Source{Service: s.Service, Globs: s.Logs, Exclude: s.Exclude, Labels: s.Labels})
	}
	feeds := newFeeds(c, sources)
	catalog, err := source.NewCatalog(source.Options{Sources: sources, Roots: c.Roots, Labels: c.Labels, MaxFiles: c.Limits.Files})
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	r := &Responder{
		config: c, version: version, instance: rand.Text(), host: host, started: time.Now(), log: log, publish: publish,
		catalog: catalog, keeper: rotation.New(catalog, archiveLimits(&c.Limits)), feeds: feeds, clocks: clock.NewCache(), sealing: newSealing(c, log), foreign: newForeignStores(c.State, log), times: times, compile: compile, search: scan.Run, sorting: timeorder.NewBudget(int64(c.Limits.SortBytes)), watcher: follow.NewWatcher(), workers: make(chan struct{}, c.Limits.MaxQueries),
		ledger: outbox.NewLedger(), sessions: map[Key]*session{}, warned: map[string]bool{}, changed: changed,
	}
	for range c.Limits.MaxQueries {
		r.workers <- struct{}{}
	}
	r.proving = newProving(r)
	return r, nil
}

// Scan reads the globs, and logs what they name and must not be opened. It returns how many files
// there are and their bytes. The first one opens the sealed blocks: it is over before queries are handled.
func (r *Responder) Scan(ctx context.Context) (files int, bytes int64, err error) {
	if err := errors.Join(r.sealing.open(), r.foreign.open()); err != nil {
		return 0, 0, err
	}
	before := r.catalog.Newest()
	snap, err := r.catalog.Refresh(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("catalogue: %w", err)
	}
	for _, p := range slices.Concat(snap.Refused, snap.Failed) {
		r.mu.Lock()
		known := r.warned[p.Path]
		r.warned[p.Path] = true
		r.mu.Unlock()
		if !known {
			r.log.Warn("not searched", "path", p.Path, "reason", p.Err)
		}
	}
	if before != nil && (len(before.Files) != len(snap.Files) || !slices.Equal(r.services(before), r.services(snap))) {
		r.changed()
	}
	if x := r.index.Load(); x != nil {
		x.builder.Wake()
	}
	if r.sealing != nil {
		r.sealing.poke()
	}
	return len(snap.Files) + len(r.feeds.journals), snap.Bytes, nil
}

// Run re-reads the globs and keeps the index until ctx ends; then it ends all queries and returns when
// they are over.
func (r *Responder) Run(ctx context.Context) {
	defer r.startIndex(ctx)()
	defer r.foreign.close()
	defer r.startSealing(ctx)()
	defer r.startMoving(ctx)()
	defer r.proving.start(ctx)()
	tick := time.NewTicker(time.Duration(r.config.Rescan))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			r.stop()
			return
		case <-tick.C:
			if _, _, err := r.Scan(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("catalogue", "err", err)
			}
		}
	}
}

// stop ends every query with an End that says so.
func (r *Responder) stop() {
	r.mu.Lock()
	r.stopping = true
	if r.idle != nil {
		r.idle.Stop()
	}
	sessions := slices.Collect(maps.Values(r.sessions))
	r.mu.Unlock()
	for _, s := range sessions {
		s.cancel(errStopping)
		s.wake()
	}
	r.running.Wait()
}

// Node is the node's record as of the last scan.
func (r *Responder) Node() schemas.Node {
	n := schemas.Node{
		Name: r.config.Node, Instance: r.instance, Host: r.host, Version: r.version, Groups: r.config.Groups,
		Labels: r.labels(), Started: r.started.UnixNano(), Ephemeral: r.config.Ephemeral, Store: r.offering.Load().get(),
	}
	if snap := r.catalog.Newest(); snap != nil {
		n.Services, n.Files, n.Bytes, n.Ready = r.services(snap), int64(len(snap.Files)+len(r.feeds.journals)), snap.Bytes, true
	}
	return n
}

// labels are those of the node and of its sources, each pair once, sorted.
func (r *Responder) labels() []schemas.Label {
	pairs := map[schemas.Label]bool{}
	add := func(labels map[string]string) {
		for k, v := range labels {
			pairs[schemas.Label{K: k, V: v}] = true
		}
	}
	add(r.config.Labels)
	for _, s := range r.config.Sources {
		add(s.Labels)
	}
	sorted := slices.SortedFunc(maps.Keys(pairs), func(a, b schemas.Label) int {
		return source.CompareNatural(a.K+"="+a.V, b.K+"="+b.V)
	})
	return sorted[:min(len(sorted), schemas.MaxGlobs)]
}

func (r *Responder) services(snap *source.Snapshot) []string {
	names := map[string]bool{}
	for _, e := range r.feeds.journals {
		names[e.Service] = true
	}
	for _, f := range snap.Files {
		names[f.Service] = true
	}
	r.sealedServices(names)
	sorted := slices.SortedFunc(maps.Keys(names), source.CompareNatural)
	return sorted[:min(len(sorted), schemas.MaxServices)]
}

// HandleQuery takes a query that user sent. One that runs already or is over is answered with what
// was said last; one that is for other nodes is not answered.
func (r *Responder) HandleQuery(user string, q *schemas.Query) {
	if q.Plan == nil && !q.Select.AdmitsNode(r.config.Node, r.config.Groups) { // who made a plan has looked at that
		return
	}
	k, now := Key{User: user, Client: q.Client, ID: q.ID}, time.Now()
	r.mu.Lock()
	known, end := r.ledger.Start(k, now)
	s := r.sessions[k]
	var refusal error
	if known == outbox.Fresh {
		if refusal = r.refusal(q); refusal == nil || !r.full(q) {
			s = newSession(r, k, q, refusal)
			r.sessions[k] = s
			r.running.Add(1)
		} else {
			// Not even a session for the refusal: it is said once, and again if the query comes again.
			r.ledger.Refuse(k)
		}
	}
	r.mu.Unlock()
	switch {
	case known == outbox.Fresh && s == nil:
		r.refuse(k, q, refusal, now)
	case known == outbox.Fresh:
		s.start()
	case s != nil:
		s.locked(func(now time.Time) { s.gone = time.Time{}; s.box.Asked(now) })
	case end != nil:
		r.send(k, end)
	}
}

// most is how many sessions there may be, searching, parked, or waiting for their End to be
// acknowledged.
func (r *Responder) most() int { return r.config.Limits.MaxQueries + r.config.Limits.MaxParked }

// full says whether there are as many sessions of a query's sort as there may be: those that follow
// count by themselves. r.mu is held.
func (r *Responder) full(q *schemas.Query) bool {
	follow := 0
	for _, s := range r.sessions {
		if s.q.Mode == schemas.ModeFollow {
			follow++
		}
	}
	if q.Mode == schemas.ModeFollow {
		return follow >= r.config.Limits.MaxFollows
	}
	return len(r.sessions)-follow >= r.most()
}

// refusal says why a query is not even planned. r.mu is held.
func (r *Responder) refusal(q *schemas.Query) error {
	switch l := &r.config.Limits; {
	case r.stopping:
		return errStopping
	case r.duplicate != "":
		return &verdict{schemas.StatusError, fmt.Sprintf("duplicate node name (also on host %s)", r.duplicate)}
	case q.Mode == schemas.ModeFollow && r.full(q):
		return &verdict{schemas.StatusError, busy(l.MaxFollows, "following")}
	case r.full(q):
		return &verdict{schemas.StatusError, busy(len(r.sessions), "running or waiting for their requesters")}
	case len(q.Patterns) > l.Patterns:
		return &verdict{schemas.StatusError, fmt.Sprintf("%d patterns, more than the node's limit of %d", len(q.Patterns), l.Patterns)}
	case len(schemas.AppendQuery(nil, q)) > int(l.QueryBytes):
		return &verdict{schemas.StatusError, fmt.Sprintf("the query is larger than the node's limit of %d bytes", l.QueryBytes)}
	}
	return nil
}

// refuse answers without a session.
func (r *Responder) refuse(k Key, q *schemas.Query, refusal error, now time.Time) {
	box, end := outbox.New(outbox.Options{Run: nonce()}, now), &schemas.End{Status: schemas.StatusError, Reason: refusal.Error()}
	box.Hello(r.hello(0, 0), now)
	box.End(end, now)
	for _, frame := range box.Take() {
		r.send(k, frame)
	}
	r.log.Warn("query refused", append(describe(k, q), "reason", refusal)...)
	if r.answered != nil {
		r.answered(&Answer{k, q, now, end})
	}
}

func (r *Responder) hello(files int, bytes int64) *schemas.Hello {
	return &schemas.Hello{Instance: r.instance, Host: r.host, Version: r.version, Files: int64(files), Bytes: bytes}
}

func (r *Responder) send(k Key, frame []byte) {
	if err := r.publish.Publish(k, frame); err != nil {
		r.log.Debug("frame not sent; it is repeated", "user", k.User, "client", k.Client, "query", k.ID, "err", err)
	}
}

// HandleControl takes what a requester says about its answer.
func (r *Responder) HandleControl(k Key, c *schemas.Control) {
	if s, end := r.find(k); s != nil {
		s.control(c)
	} else if end != nil && c.Resend != 0 {
		r.send(k, end)
	}
}

// find returns the session of a query, or its End if it is over.
func (r *Responder) find(k Key) (s *session, end []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s = r.sessions[k]; s == nil {
		end = r.ledger.End(k, time.Now())
	}
	return s, end
}

// HandleCancel ends a query. If it has not come yet, it will not start.
func (r *Responder) HandleCancel(k Key, c *schemas.Cancel) {
	r.mu.Lock()
	r.ledger.Cancel(k, time.Now())
	s := r.sessions[k]
	r.mu.Unlock()
	if s == nil {
		return
	}
	reason := "cancelled"
	if c.Reason != "" {
		reason += ": " + c.Reason
	}
	s.cancel(&verdict{schemas.StatusStopped, reason})
	s.locked(func(now time.Time) { s.box.Cancelled(reason, now) })
}

// HandleGone takes the server's word that nobody listened to a frame.
func (r *Responder) HandleGone(k Key) {
	if s, _ := r.find(k); s != nil {
		s.nobody()
	}
}

// HandleReconnect repeats what may have been lost with the connection.
func (r *Responder) HandleReconnect() {
	r.mu.Lock()
	sessions := slices.Collect(maps.Values(r.sessions))
	r.mu.Unlock()
	for _, s := range sessions {
		s.locked(func(now time.Time) { s.box.Reconnected(now) })
	}
}

// HandleDuplicate takes the news that another process serves under the node's name on host; an
// empty host, that it does no more. Meanwhile every query is answered with an error.
func (r *Responder) HandleDuplicate(host string) {
	r.mu.Lock()
	before := r.duplicate
	r.duplicate = host
	r.mu.Unlock()
	switch {
	case host == before:
	case host != "":
		r.log.Error("another responder has this node's name; queries are refused until one of them stops", "node", r.config.Node, "host", host)
	default:
		r.log.Info("the node's name is its own again", "node", r.config.Node)
	}
}

// over forgets a session whose answer is over.
func (r *Responder) over(s *session, end []byte) {
	r.mu.Lock()
	if s.q.Mode == schemas.ModeFollow && s.lost {
		r.ledger.Refuse(s.key) // the requester may come back, and asks again
	} else {
		r.ledger.Finish(s.key, end, time.Now())
	}
	delete(r.sessions, s.key)
	r.rest()
	r.mu.Unlock()
	r.running.Done()
}

// verdict is an error that says how an answer ends.
type verdict struct {
	status schemas.Status
	reason string
}

func (v *verdict) Error() string { return v.reason }

var errStopping = &verdict{schemas.StatusError, "responder stopping"}

// errOver ends a search whose Outbox knows why.
var errOver = errors.New("the answer is over")
