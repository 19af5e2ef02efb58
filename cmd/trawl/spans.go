package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/responder"
	"github.com/trawl-logs/trawl/schemas"
	"github.com/trawl-logs/trawl/tracing"
)

// spans are what this process tells an OpenTelemetry collector of queries and answers. It is nil where
// tracing is off; its methods then do nothing.
type spans struct {
	exporter *tracing.Exporter
	patterns bool // may be told, and what may hold them
}

// spansOfEnvironment makes spans of the OTEL_* variables. Warn hears what is wrong with these, and later with
// the collector: neither is a reason not to ask or to answer.
func spansOfEnvironment(warn func(text string)) *spans {
	settings, err := tracing.FromEnvironment(os.Getenv)
	if err != nil {
		warn("no spans are exported: " + err.Error())
	}
	if settings == nil {
		return nil
	}
	if host, err := os.Hostname(); err == nil {
		settings.Resource = append(settings.Resource, tracing.Attribute{Key: "host.name", Value: host})
	}
	patterns, _ := strconv.ParseBool(os.Getenv("TRAWL_TRACE_PATTERNS")) // anything else is no
	return &spans{tracing.New(settings, version(), warn), patterns}
}

// lastSpans is how long a process that ends waits for its collector.
const lastSpans = 500 * time.Millisecond

var errNoCollector = fmt.Errorf("no answer within %v, which is how long a process that ends waits", lastSpans)

// close sends what waits.
func (s *spans) close() {
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), lastSpans, errNoCollector)
	defer cancel()
	s.exporter.Close(ctx)
}

// ask begins the span of a query, below the place that q.Trace names, and puts its own there for the
// nodes to see. The func it returns ends it; the receipt is nil if nobody was asked.
func (s *spans) ask(q *schemas.Query) (end func(receipt *requester.Receipt, err error)) {
	if s == nil {
		return func(*requester.Receipt, error) {}
	}
	own, parent := tracing.Begin(q.Trace)
	if !own.Sampled {
		return func(*requester.Receipt, error) {} // the nodes see what the caller gave
	}
	q.Trace = own.String()
	span := tracing.Span{Name: "trawl query", Kind: tracing.Client, Context: own, Parent: parent, Began: time.Now()}
	return func(receipt *requester.Receipt, err error) {
		span.Ended = time.Now()
		span.Attributes = append([]tracing.Attribute{{Key: "messaging.system", Value: "nats"}}, s.asked(q)...)
		switch {
		case receipt != nil:
			complete := 0
			for i := range receipt.Nodes {
				if n := receipt.Nodes[i].Status; n == schemas.StatusComplete || n == schemas.StatusPruned {
					complete++
				}
			}
			span.Attributes = append(span.Attributes, tracing.Attribute{Key: "trawl.query", Value: receipt.Query},
				tracing.Attribute{Key: "trawl.roster", Value: string(receipt.Roster)},
				tracing.Attribute{Key: "trawl.nodes", Value: int64(len(receipt.Nodes))},
				tracing.Attribute{Key: "trawl.nodes_complete", Value: int64(complete)},
				tracing.Attribute{Key: "trawl.complete", Value: receipt.Complete},
				tracing.Attribute{Key: "trawl.lines", Value: receipt.Lines},
				tracing.Attribute{Key: "trawl.bytes", Value: receipt.Bytes},
				tracing.Attribute{Key: "trawl.bytes_read", Value: receipt.BytesRead})
			if receipt.Trouble() {
				span.Failed, span.Message = true, fmt.Sprintf("%d of %d nodes complete", complete, len(receipt.Nodes))
			}
		case err != nil:
			span.Failed, span.Message = true, "nobody was asked"
			if errors.Is(err, requester.ErrNoNodes) || s.patterns {
				span.Message = err.Error()
			}
		}
		s.exporter.Export(span)
	}
}

// answer tells of an answer that a node has given.
func (s *spans) answer(node string, a *responder.Answer) {
	if s == nil {
		return
	}
	own, parent := tracing.Begin(a.Query.Trace)
	span := tracing.Span{
		Name: "trawl answer", Kind: tracing.Server, Context: own, Parent: parent, Began: a.Began, Ended: a.Began.Add(a.End.Elapsed),
		Attributes: append([]tracing.Attribute{
			{Key: "messaging.system", Value: "nats"},
			{Key: "trawl.node", Value: node},
			{Key: "trawl.query", Value: a.Key.ID},
			{Key: "trawl.user", Value: a.Key.User},
			{Key: "trawl.status", Value: a.End.Status.String()},
			{Key: "trawl.lines", Value: a.End.Lines},
			{Key: "trawl.bytes", Value: a.End.TextBytes},
			{Key: "trawl.bytes_read", Value: a.End.BytesRead},
			{Key: "trawl.files", Value: a.End.Files},
			{Key: "trawl.file_errors", Value: a.End.ErrorCount},
		}, s.asked(a.Query)...),
	}
	if a.End.Status == schemas.StatusError {
		span.Failed, span.Message = true, "the node could not answer; its log says why"
		if s.patterns {
			span.Message = a.End.Reason
		}
	}
	s.exporter.Export(span)
}

// asked is the pattern, if it may be told.
func (s *spans) asked(q *schemas.Query) []tracing.Attribute {
	if !s.patterns {
		return nil
	}
	const most = 1 << 10
	text := strings.Join(q.Patterns, "\n")
	return []tracing.Attribute{{Key: "trawl.patterns", Value: text[:min(len(text), most)]}}
}
