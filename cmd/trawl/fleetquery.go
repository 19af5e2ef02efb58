package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/requester/when"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/schemas"
)

// query turns the flags into what is asked of the fleet. It says on errout how it understood
// relative times. Everything that cannot be served is refused here, before anything is sent.
func (o *grepOptions) query(stdin io.Reader, now time.Time, errout io.Writer) (*schemas.Query, error) {
	patterns, err := o.patterns(stdin)
	if err != nil {
		return nil, err
	}
	if len(patterns) == 0 {
		return nil, errors.New("the pattern files are empty: nothing can match")
	}
	since, until, err := o.timeRange(now, errout)
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname() // only for the nodes' logs
	q := &schemas.Query{
		Host:     host,
		Patterns: patterns, Syntax: o.syntax, IgnoreCase: o.ignoreCase, Word: o.word, Line: o.line, Invert: o.invert,
		Mode: o.mode(), OnlyMatching: o.onlyMatching, MaxCount: o.maxCount, Before: contextOf(o.before), After: contextOf(o.after),
		Columns: o.columns(), Binary: o.binary, NullData: o.nullData, Since: since, Until: until, Order: o.order, Limit: o.limit, Timeout: o.timeout,
		Threads: o.threads, Compress: true, Explain: o.explain, Exhaustive: o.exhaustive,
		Select: schemas.Select{Nodes: o.nodes, Groups: o.groups, Services: o.services, Labels: o.labels, Paths: o.operands},
	}
	if trace := os.Getenv("TRACEPARENT"); schemas.CheckTrace(trace) == nil {
		q.Trace = trace
	}
	for _, rule := range o.names {
		q.Select.AddName(cmp.Or(rule.Glob, nameless), rule.Include)
	}
	names := source.Selection{Services: o.services, Paths: o.operands}
	if _, err := names.Compile(); err != nil {
		return nil, err // as every node would say
	}
	return q, nil
}

// nameless is a glob that no file's name matches, as the empty one does not: that may not travel.
const nameless = "/"

// contextOf is a number of context lines as the bus takes it: beyond its limit it is all of a file.
func contextOf(n int64) int64 { return min(max(n, 0), math.MaxInt32) }

// columns are what of each line is to be printed.
func (o *grepOptions) columns() schemas.Columns {
	var c schemas.Columns
	json := o.output == "json" || o.replyTo != ""
	if o.numbered() {
		c |= schemas.ColumnNumber
	}
	if o.offset || json {
		c |= schemas.ColumnOffset
	}
	if json {
		c |= schemas.ColumnTime
	}
	if o.contextGiven() {
		c |= schemas.ColumnGroup
	}
	return c
}

// numbered says whether line numbers are wanted: in JSON always but after --since, where they would
// have all be read that is before the range.
func (o *grepOptions) numbered() bool {
	return o.number || (o.output == "json" || o.replyTo != "") && o.since == ""
}

// timeRange resolves --since and --until once, here, so that every node is asked for the same
// instants, and echoes them.
func (o *grepOptions) timeRange(now time.Time, errout io.Writer) (since, until int64, err error) {
	if o.since == "" && o.until == "" {
		return 0, 0, nil
	}
	now = now.In(o.zone)
	var said []string
	for _, end := range []struct {
		flag, text string
		to         *int64
	}{{"since", o.since, &since}, {"until", o.until, &until}} {
		if end.text == "" {
			continue
		}
		t, err := when.Parse(end.text, now)
		if err != nil {
			return 0, 0, fmt.Errorf("flag --%s: %w", end.flag, err)
		}
		*end.to = t.UnixNano()
		said = append(said, end.flag+" "+t.Format(time.RFC3339))
	}
	if since != 0 && until != 0 && until <= since {
		return 0, 0, fmt.Errorf("no time is in the range: %s", strings.Join(said, ", "))
	}
	fmt.Fprintln(errout, "trawl: "+strings.Join(said, ", "))
	return since, until, nil
}
