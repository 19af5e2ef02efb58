package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/responder/clock"
	"github.com/trawl-logs/trawl/schemas"
	"github.com/trawl-logs/trawl/trail"
)

// What a story may hold: more is not read by anybody, and would have to be kept.
const (
	maxStoryLines = 200_000
	maxStoryBytes = 256 << 20
)

// traceAtOnce is how many queries of a trace run at once: a node serves some (limits.max_queries), and there
// are others who ask.
const traceAtOnce = 3

// tracer follows one request: what the planner wants is asked, round by round.
type tracer struct {
	f           *traceFlags
	id          string
	window      trail.Window
	conn        *bus.Conn
	ask         *requester.Requester
	plan        *trail.Planner
	line        *progressLine
	out, errout io.Writer
	began       time.Time
	shown       bool // the receipt is
	notes       []string

	rounds, queries int
	mu              sync.Mutex // guards what follows, while queries run
	lines, bytes    int64
	receipts        []traceReceipt
	allAtOnce       *requester.Receipt // what one query for all services would read; nil: not known
}

// traceReceipt is that of one query; void says that its answer does not count.
type traceReceipt struct {
	*requester.Receipt
	void bool
}

func (t *tracer) note(format string, args ...any) {
	t.notes = append(t.notes, shown(fmt.Sprintf(format, args...)))
}

// inTurn calls each for 0 … n-1, some at once.
func inTurn(n, atOnce int, each func(i int)) {
	turn := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			each(i)
		})
	}
	all.Wait()
}

// follow asks until the planner has nothing more to ask.
func (t *tracer) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var beside sync.WaitGroup
	defer beside.Wait()
	if t.shown {
		beside.Go(func() { t.explain(ctx) })
	}
	for {
		asks := t.plan.Next()
		if len(asks) == 0 {
			return nil
		}
		t.rounds++
		t.queries += len(asks)
		found := make([][]trail.Line, len(asks))
		receipts, errs := make([]*requester.Receipt, len(asks)), make([]error, len(asks))
		inTurn(len(asks), traceAtOnce, func(i int) {
			if found[i], receipts[i], errs[i] = t.query(ctx, asks[i]); errs[i] != nil {
				cancel(errs[i])
			}
		})
		if err := errors.Join(errs...); err != nil {
			return context.Cause(ctx)
		}
		for i, a := range asks {
			if len(a.Services) == 0 { // all, in place of what was asked before
				for j := range t.receipts {
					t.receipts[j].void = true
				}
			}
			counts := t.plan.Answer(a, found[i], timeless(receipts[i]))
			t.receipts = append(t.receipts, traceReceipt{receipts[i], !counts})
		}
	}
}

// request is the query for what the planner asks.
func (t *tracer) request(a trail.Ask) *schemas.Query {
	q := requester.NewQuery(t.id)
	q.Syntax, q.Binary, q.Columns = schemas.SyntaxFixed, schemas.BinaryText, schemas.ColumnOffset|schemas.ColumnTime
	q.Timeout, q.Compress, q.Exhaustive = t.f.timeout, true, t.f.exhaustive
	for _, s := range a.Services {
		q.Select.Services = append(q.Select.Services, literalGlob(s))
	}
	if len(q.Select.Services) > schemas.MaxGlobs {
		q.Select.Services = nil // the planner leaves out what it did not ask for
	}
	// 0 stands for no end; a nanosecond more on either side is asked rather than less.
	if a.Window.From != trail.Beginning {
		q.Since = a.Window.From
		if q.Since == 0 {
			q.Since = -1
		}
	}
	if a.Window.To != trail.End {
		q.Until = a.Window.To
		if q.Until == 0 {
			q.Until = 1
		}
	}
	return q
}

// query asks once, and gives the lines.
func (t *tracer) query(ctx context.Context, a trail.Ask) (lines []trail.Line, receipt *requester.Receipt, err error) {
	answer, err := t.ask.Query(ctx, t.request(a))
	if err != nil {
		return nil, nil, err
	}
	for hit, err := range answer.Hits() {
		switch {
		case err != nil:
			return nil, nil, err
		case hit.Kind != schemas.ChunkLines:
			continue
		}
		lines = append(lines, trail.Line{Node: hit.Node, Service: hit.Service, File: hit.File, Offset: hit.Offset, At: hit.Time.UnixNano(), Timed: !hit.Time.IsZero(), Text: hit.Text, Truncated: hit.Truncated})
		if err := t.count(int64(len(hit.Text))); err != nil {
			return nil, nil, err
		}
	}
	return lines, answer.Receipt(), ctx.Err()
}

// count keeps the story within what can be kept, and tells how far it is.
func (t *tracer) count(bytes int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines, t.bytes = t.lines+1, t.bytes+bytes
	if t.lines > maxStoryLines || t.bytes > maxStoryBytes {
		return fmt.Errorf("more than %d lines, or %s, hold the ID: narrow it with --since and --until, or use trawl grep --order time", maxStoryLines, formatBytes(maxStoryBytes))
	}
	t.line.update(func() string {
		return fmt.Sprintf("%s, %s", plural(int64(t.rounds), "round"), plural(t.lines, "line"))
	})
	return nil
}

// explain asks what one query for all services would read.
func (t *tracer) explain(ctx context.Context) {
	q := t.request(trail.Ask{Window: t.window})
	q.Explain, q.Exhaustive = true, false
	answer, err := t.ask.Query(ctx, q)
	if err != nil {
		return
	}
	for range answer.Chunks() { // a plan has none
	}
	if receipt := answer.Receipt(); receipt.Complete {
		t.mu.Lock()
		t.allAtOnce = receipt
		t.mu.Unlock()
	}
}

// timeless tells whether a file could not be searched by time: it holds no times. So may files of which
// there are more than are named.
func timeless(r *requester.Receipt) bool {
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if n.ErrorCount > int64(len(n.Errors)) || slices.ContainsFunc(n.Errors, func(e schemas.FileError) bool { return e.Err == clock.ErrNoTimes.Error() }) {
			return true
		}
	}
	return false
}

// account puts the receipts of all queries together: what was read adds up, and a node is as its worst
// answer that counts.
func (t *tracer) account() *requester.Receipt {
	all := &requester.Receipt{Type: "receipt", ElapsedMS: time.Since(t.began).Milliseconds()}
	at, counted := map[string]int{}, map[string]bool{}
	for _, r := range t.receipts {
		all.Query, all.Roster = r.Query, r.Roster
		mergeStore(all, r)
		for _, n := range r.Nodes {
			i, known := at[n.Node]
			if !known {
				i = len(all.Nodes)
				at[n.Node] = i
				all.Nodes = append(all.Nodes, requester.NodeReceipt{Node: n.Node, Errors: []schemas.FileError{}})
			}
			merge(&all.Nodes[i], n, r.void, !counted[n.Node])
			counted[n.Node] = counted[n.Node] || !r.void
		}
	}
	all.Complete = all.Store == nil || all.Store.Error == ""
	for i := range all.Nodes {
		n := &all.Nodes[i]
		all.Complete = all.Complete && n.Whole()
		all.BytesRead += n.BytesRead
		all.BytesConsidered += n.BytesConsidered
		all.Files += n.Files
		all.Blocks.Add(n.Blocks)
	}
	return all
}

// worse says whether an answer of a node is to be told rather than another: of what is missing the worst, then that it
// failed without harm, then that it was asked at all.
func worse(n, than *requester.NodeReceipt) bool {
	rank := func(n *requester.NodeReceipt) int {
		switch {
		case !n.Whole():
			return 3 + int(n.Status)
		case n.Sealed:
			return 2
		case n.Status == schemas.StatusComplete:
			return 1
		}
		return 0
	}
	a, b := rank(n), rank(than)
	return a > b || a == b && than.Reason == ""
}

// mergeStore adds how one more query went by the block list.
func mergeStore(all *requester.Receipt, r traceReceipt) {
	if r.Store == nil {
		return
	}
	if all.Store == nil {
		all.Store = &requester.StoreReceipt{}
	}
	all.Store.Revision, all.Store.Blocks = r.Store.Revision, all.Store.Blocks+r.Store.Blocks
	if !r.void {
		all.Store.Missing += r.Store.Missing
		all.Store.Error = cmp.Or(all.Store.Error, r.Store.Error)
	}
}

// merge adds what a node answered to one more query, which is the first that counts.
func merge(to *requester.NodeReceipt, n requester.NodeReceipt, void, first bool) {
	to.BytesRead += n.BytesRead
	to.BytesConsidered += n.BytesConsidered
	to.Files += n.Files
	to.Blocks.Add(n.Blocks)
	to.SealedBlocks += n.SealedBlocks
	to.ElapsedMS += n.ElapsedMS
	to.HeardMS, to.GivenUpMS = max(to.HeardMS, n.HeardMS), max(to.GivenUpMS, n.GivenUpMS)
	if void {
		return
	}
	to.Lines += n.Lines
	to.Bytes += n.Bytes
	to.Unexpected = to.Unexpected || n.Unexpected
	if first || worse(&n, to) {
		to.Status, to.Reason, to.Sealed, to.UnsealedSince = n.Status, n.Reason, n.Sealed, n.UnsealedSince
	}
	for _, e := range n.Errors {
		if !slices.Contains(to.Errors, e) {
			to.Errors = append(to.Errors, e)
			to.ErrorCount++
		}
	}
	to.ErrorCount += n.ErrorCount - int64(len(n.Errors))
}
