package requester

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/requester/blockplan"
	"github.com/trawl-logs/trawl/schemas"
)

// ErrNoNodes says that the roster, or the query's selection of it, holds no node: there is nobody
// to ask, and an answer would prove nothing.
var ErrNoNodes = errors.New("no node is known that the selection admits")

// DefaultTimeout is a query's time limit where it names none.
const DefaultTimeout = 5 * time.Minute

// Requester asks a fleet. It is safe for concurrent use, and serves many queries at once.
type Requester struct {
	transport Transport
	roster    Roster
	blocks    BlockList
	window    int64
	okPartial bool
	progress  func(Progress)
	now       func() time.Time
}

// Option sets how a Requester works.
type Option func(*Requester)

// WithWindow bounds what may be queued or on the way for one query, in bytes of results; the
// default is DefaultWindow.
func WithWindow(bytes int64) Option { return func(r *Requester) { r.window = bytes } }

// WithBlockList has queries planned from the fleet's block list, where the roster says that nodes have a part in
// it: of a sealed block that several nodes have each line comes once, and from another node when one has failed.
// Without, each node is asked for what it has of its own logs.
func WithBlockList(l BlockList) Option { return func(r *Requester) { r.blocks = l } }

// WithOKPartial has Hits end without an IncompleteError where not every node answered in full.
func WithOKPartial() Option { return func(r *Requester) { r.okPartial = true } }

// WithProgress has report called about every 100 ms while a query runs, from a goroutine of the
// query's own. A report that blocks stops the query.
func WithProgress(report func(Progress)) Option {
	return func(r *Requester) { r.progress = report }
}

// filledIn is how many bytes a query grows by what a Requester, and the bus, fill in, at most.
const filledIn = 192

// Progress says how far a query is.
type Progress struct {
	Nodes, Through             int   // nodes asked; nodes whose answer is in or given up
	BytesRead, BytesConsidered int64 // as the nodes said last
	Lines                      int64 // released
	Elapsed                    time.Duration
}

// New returns a Requester that reaches nodes through t, and takes those that r knows to be all.
func New(t Transport, r Roster, options ...Option) *Requester {
	q := &Requester{transport: t, roster: r, window: DefaultWindow, now: time.Now}
	for _, o := range options {
		o(q)
	}
	return q
}

// NewQuery is a query for the lines that match any of the patterns, without limits but for
// DefaultTimeout.
func NewQuery(patterns ...string) *schemas.Query {
	return &schemas.Query{Patterns: patterns, MaxCount: -1, Timeout: DefaultTimeout}
}

// Query sends q to the nodes of the roster that it selects, and returns its Answer, which must be
// read to its end or closed. It fills in, in a copy, the id, user, client, credit and jitter, and a
// timeout where there is none. When ctx ends, so does the query, on every node.
func (r *Requester) Query(ctx context.Context, q *schemas.Query) (*Answer, error) {
	own := *q
	q = &own
	q.ID, q.User, q.Client = newID(), r.transport.User(), r.transport.Client()
	if q.Timeout == 0 {
		q.Timeout = DefaultTimeout
	}
	switch {
	case q.Mode == schemas.ModeFollow:
		q.Order = schemas.OrderArrival
	case q.Order == schemas.OrderTime && q.Mode == schemas.ModeLines:
		q.Columns |= schemas.ColumnTime
	case q.Order == schemas.OrderTime:
		q.Order = schemas.OrderNode // counts and files have no time
	}
	if err := q.Validate(); err != nil {
		return nil, err
	}
	if size, most := len(schemas.AppendQuery(nil, q)), min(schemas.MaxBare, r.transport.MaxQuery())-filledIn; size > most {
		return nil, fmt.Errorf("query: has %d bytes, more than %d", size, most)
	}
	if a, err := r.askRemembered(ctx, q); a != nil || err != nil {
		return a, err
	}
	gather, err := r.gather(ctx, q)
	if err != nil {
		return nil, err
	}
	a, err := r.begin(ctx, q, gather)
	if err != nil {
		return nil, err
	}
	go a.run(ctx)
	return a, nil
}

// begin sends the query.
func (r *Requester) begin(ctx context.Context, q *schemas.Query, gather *Gather) (*Answer, error) {
	a := &Answer{r: r, q: q, gather: gather, wake: make(chan struct{}, 1), news: make(chan struct{}, 1), ended: make(chan struct{})}
	if err := a.open(ctx, 0); err != nil {
		return nil, fmt.Errorf("open a session for the query: %w", err)
	}
	a.gather.Start(r.now())
	if err := a.send(a.gather.Take()); err != nil {
		a.closeSessions()
		return nil, fmt.Errorf("send the query: %w", err)
	}
	return a, nil
}

// askRemembered asks the nodes that the roster remembers, and finds out meanwhile whether they are still all:
// nothing of the answer counts before that. It returns nil if none are remembered, or they are not all: then
// that query has been cancelled, and q has another id.
func (r *Requester) askRemembered(ctx context.Context, q *schemas.Query) (*Answer, error) {
	m, ok := r.roster.(Rememberer)
	if !ok {
		return nil, nil
	}
	nodes, kind, holds, ok := m.Remembered()
	if !ok || r.plans(q, nodes) {
		return nil, nil
	}
	names, err := admitted(nodes, &q.Select)
	if err != nil {
		return nil, nil // there may be others by now
	}
	a, err := r.begin(ctx, q, NewGather(q, names, kind, r.window))
	if err != nil {
		return nil, err
	}
	same, err := holds(ctx)
	if same && err == nil {
		go a.run(ctx)
		return a, nil
	}
	a.gather.Cancel("the roster is another one")
	_ = a.send(a.gather.Take()) // a node that does not hear it ends by its lease
	a.closeSessions()
	if err != nil {
		return nil, fmt.Errorf("read the roster: %w", err)
	}
	q.ID = newID()
	return nil, nil
}

// plans says whether a query to these nodes is planned from the block list.
func (r *Requester) plans(q *schemas.Query, nodes []schemas.Node) bool {
	return r.blocks != nil && q.Plan == nil && q.Mode != schemas.ModeFollow && slices.ContainsFunc(nodes, func(n schemas.Node) bool { return n.Stores() })
}

// gather reads the roster, and the block list if any node has a part in it, and makes the Gather.
func (r *Requester) gather(ctx context.Context, q *schemas.Query) (*Gather, error) {
	nodes, kind, err := r.roster.Known(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the roster: %w", err)
	}
	if r.plans(q, nodes) {
		return r.planned(ctx, q, nodes, kind)
	}
	names, err := admitted(nodes, &q.Select)
	if err != nil {
		return nil, err
	}
	return NewGather(q, names, kind, r.window), nil
}

// planned makes the Gather of a query that is planned from the block list. Where that cannot be read, each node is
// asked for what it has, and the receipt says so.
func (r *Requester) planned(ctx context.Context, q *schemas.Query, nodes []schemas.Node, kind RosterKind) (*Gather, error) {
	question := &blockplan.Question{Select: &q.Select, Since: q.Since, Until: q.Until, Nodes: nodes}
	question.Room = max(1, r.transport.MaxQuery()-filledIn-len(schemas.AppendQuery(nil, q)))
	revision, err := r.blocks.Blocks(ctx, blockplan.Filter(&q.Select, q.Since, q.Until), func(b *schemas.BlockRecord, _ uint64) {
		question.Blocks = append(question.Blocks, b)
	})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		question.Blocks = nil
	case revision == 0 && slices.ContainsFunc(nodes, func(n schemas.Node) bool { return n.Store != nil && len(n.Store.Services) > 0 }):
		err = errors.New("there is none, and nodes say that they have listed blocks")
	default:
		question.Revision = revision
	}
	plan, planErr := blockplan.Make(question)
	if planErr != nil {
		return nil, fmt.Errorf("query: %w", planErr)
	}
	if len(plan.Asks)+len(plan.Lost) == 0 {
		return nil, ErrNoNodes
	}
	g := NewPlannedGather(q, plan, kind, r.window)
	if err != nil {
		g.plan.trouble = strings.TrimPrefix(err.Error(), "block list: ") // the receipt says so itself
	}
	return g, nil
}

// admitted gives the names of the nodes that the selection admits.
func admitted(nodes []schemas.Node, s *schemas.Select) ([]string, error) {
	var names []string
	for i := range nodes {
		if n := &nodes[i]; s.AdmitsRecord(n) {
			names = append(names, n.Name)
		}
	}
	if len(names) == 0 {
		return nil, ErrNoNodes
	}
	return names, nil
}

// newID is a query id: unique among the queries of a client.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
