package schemas

import (
	"math"
	"time"
)

// A query on the wire, a msgpack array:
//
//	[ version,
//	  id, user, client,
//	  [pattern…], syntax, ignore_case, word, line, invert,
//	  mode, only_matching, max_count, before, after, columns, binary, null_data,
//	  [node…], [group…], [service…], [[k, v]…], [path…], [include…], [exclude…],
//	  since, until, order, limit,
//	  timeout_ns, jitter_ns, credit, max_bytes, threads, compress, explain, exhaustive, server, host,
//	  [name_run…], last, plan ]
//
// Server, Host, the name runs, last and plan came later: a query without them is taken. A query without a plan is
// written without that field.
const (
	queryFields    = 40
	queryFieldsOld = 36
)

// AppendQuery appends the encoded query to dst. It does not validate.
func AppendQuery(dst []byte, q *Query) []byte {
	w := appending(dst)
	fields := queryFields
	if q.Plan != nil {
		fields++
	}
	w.open(fields)
	w.string(q.ID)
	w.string(q.User)
	w.string(q.Client)
	w.strings(q.Patterns)
	w.uint(uint64(q.Syntax))
	w.bool(q.IgnoreCase)
	w.bool(q.Word)
	w.bool(q.Line)
	w.bool(q.Invert)
	w.uint(uint64(q.Mode))
	w.bool(q.OnlyMatching)
	w.int(q.MaxCount)
	w.int(q.Before)
	w.int(q.After)
	w.uint(uint64(q.Columns))
	w.uint(uint64(q.Binary))
	w.bool(q.NullData)
	w.selection(&q.Select)
	w.int(q.Since)
	w.int(q.Until)
	w.uint(uint64(q.Order))
	w.int(q.Limit)
	w.int(int64(q.Timeout))
	w.int(int64(q.Jitter))
	w.int(q.Credit)
	w.int(q.MaxBytes)
	w.int(int64(q.Threads))
	w.bool(q.Compress)
	w.bool(q.Explain)
	w.bool(q.Exhaustive)
	w.string(q.Server)
	w.string(cut(q.Host, maxHost))
	w.runs(q.Select.NameRuns)
	w.int(q.Last)
	if q.Plan != nil {
		w.plan(q.Plan)
	}
	return w.done()
}

func (w *writer) selection(s *Select) {
	w.strings(s.Nodes)
	w.strings(s.Groups)
	w.strings(s.Services)
	w.labels(s.Labels)
	w.strings(s.Paths)
	w.strings(s.Include)
	w.strings(s.Exclude)
}

func (w *writer) labels(labels []Label) {
	w.array(len(labels))
	for _, l := range labels {
		w.array(2)
		w.string(l.K)
		w.string(l.V)
	}
}

// DecodeQuery decodes and validates a query. It keeps nothing of msg.
func DecodeQuery(msg []byte) (*Query, error) {
	if len(msg) > MaxQuery {
		return nil, fieldErrorf("query", "has %d bytes, more than %d", len(msg), MaxQuery)
	}
	r := &reader{msg: msg}
	q := &Query{}
	extra := r.open("query", queryFieldsOld)
	q.ID = r.text("query.id", MaxToken)
	q.User = r.text("query.user", MaxToken)
	q.Client = r.text("query.client", MaxToken)
	q.Patterns = r.strings("query.patterns", MaxPatterns, MaxBare)
	q.Syntax = Syntax(r.enum("query.syntax"))
	q.IgnoreCase = r.bool("query.ignore_case")
	q.Word = r.bool("query.word")
	q.Line = r.bool("query.line")
	q.Invert = r.bool("query.invert")
	q.Mode = Mode(r.enum("query.mode"))
	q.OnlyMatching = r.bool("query.only_matching")
	q.MaxCount = r.int("query.max_count")
	q.Before = r.int("query.before")
	q.After = r.int("query.after")
	q.Columns = Columns(r.enum("query.columns"))
	q.Binary = Binary(r.enum("query.binary"))
	q.NullData = r.bool("query.null_data")
	r.selection(&q.Select)
	q.Since = r.int("query.since")
	q.Until = r.int("query.until")
	q.Order = Order(r.enum("query.order"))
	q.Limit = r.int("query.limit")
	q.Timeout = time.Duration(r.int("query.timeout"))
	q.Jitter = time.Duration(r.int("query.jitter"))
	q.Credit = r.int("query.credit")
	q.MaxBytes = r.int("query.max_bytes")
	if threads := r.int("query.threads"); threads >= 0 && threads <= MaxThreads {
		q.Threads = int(threads)
	} else {
		r.fail("query.threads", "%d is not between 0 and %d", threads, MaxThreads)
	}
	q.Compress = r.bool("query.compress")
	q.Explain = r.bool("query.explain")
	q.Exhaustive = r.bool("query.exhaustive")
	extra, planned := r.queryAppended(q, extra)
	if err := r.close("query", extra); err != nil {
		return nil, err
	}
	if bare := len(msg) - planned; bare > MaxBare {
		return nil, fieldErrorf("query", "has %d bytes beside its plan, more than %d", bare, MaxBare)
	}
	if err := q.Validate(); err != nil {
		return nil, err
	}
	return q, nil
}

// queryAppended reads the fields that came after the first version, as far as they are there, and returns how many
// are left that this one does not know, and how many bytes the plan has.
func (r *reader) queryAppended(q *Query, extra int) (left, planned int) {
	if extra > 0 {
		q.Server = r.text("query.server", MaxToken)
		extra--
	}
	if extra > 0 {
		q.Host = r.text("query.host", maxHost)
		extra--
	}
	if extra > 0 {
		q.Select.NameRuns = r.runs("query.name_runs", 2*MaxGlobs+1)
		extra--
	}
	if extra > 0 {
		q.Last = r.int("query.last")
		extra--
	}
	if extra > 0 {
		before := len(r.msg)
		q.Plan = r.plan()
		planned = before - len(r.msg)
		extra--
	}
	return extra, planned
}

func (r *reader) selection(s *Select) {
	s.Nodes = r.strings("query.nodes", MaxGlobs, MaxGlob)
	s.Groups = r.strings("query.groups", MaxGlobs, MaxGlob)
	s.Services = r.strings("query.services", MaxGlobs, MaxGlob)
	s.Labels = r.labels("query.labels")
	s.Paths = r.strings("query.paths", MaxGlobs, MaxGlob)
	s.Include = r.strings("query.include", MaxGlobs, MaxGlob)
	s.Exclude = r.strings("query.exclude", MaxGlobs, MaxGlob)
}

func (r *reader) labels(field string) []Label {
	n := r.array(field, MaxGlobs)
	var labels []Label
	for range n {
		extra := r.record(field, 2)
		labels = append(labels, Label{r.string(field, MaxGlob), r.string(field, MaxGlob)})
		r.skip(field, extra)
		if r.err != nil {
			return nil
		}
	}
	return labels
}

// Validate says what in a query no node may act on; the error is a *FieldError.
func (q *Query) Validate() error {
	if err := CheckToken("query.id", q.ID); err != nil {
		return err
	}
	if err := CheckToken("query.client", q.Client); err != nil {
		return err
	}
	if q.User != "" {
		if err := CheckToken("query.user", q.User); err != nil {
			return err
		}
	}
	if q.Trace != "" {
		if err := CheckTrace(q.Trace); err != nil {
			return err
		}
	}
	if q.Server != "" {
		if err := CheckToken("query.server", q.Server); err != nil {
			return err
		}
	}
	if err := q.validatePattern(); err != nil {
		return err
	}
	if err := q.validateBounds(); err != nil {
		return err
	}
	if err := q.validatePlan(); err != nil {
		return err
	}
	return q.Select.validate()
}

func (q *Query) validatePattern() error {
	switch {
	case len(q.Patterns) == 0 && q.Mode != ModeBlock:
		return fieldErrorf("query.patterns", "is empty")
	case len(q.Patterns) > MaxPatterns:
		return fieldErrorf("query.patterns", "has %d patterns, more than %d", len(q.Patterns), MaxPatterns)
	case q.Syntax > SyntaxFixed:
		return fieldErrorf("query.syntax", "%d is not known", q.Syntax)
	case q.Mode > ModeBlock:
		return fieldErrorf("query.mode", "%d is not known", q.Mode)
	case q.Mode == ModeFollow && (q.Order == OrderTime || q.MaxCount >= 0 || q.Until != 0 || q.OnlyMatching && (q.Before != 0 || q.After != 0 || q.Columns&ColumnGroup != 0)):
		return fieldErrorf("query.mode", "follow goes with neither context, max_count, until nor the order of times")
	case q.Binary > BinaryWithout:
		return fieldErrorf("query.binary", "%d is not known", q.Binary)
	case q.Order > OrderArrival:
		return fieldErrorf("query.order", "%d is not known", q.Order)
	case q.Columns&^(ColumnNumber|ColumnOffset|ColumnTime|ColumnGroup) != 0:
		return fieldErrorf("query.columns", "%#x is not known", uint8(q.Columns))
	}
	size := 0
	for _, p := range q.Patterns {
		size += len(p)
	}
	if size > MaxBare {
		return fieldErrorf("query.patterns", "have %d bytes, more than %d", size, MaxBare)
	}
	return nil
}

// maxDuration bounds a query's time on a node, and the wait before its Hello.
const (
	maxTimeout = 7 * 24 * time.Hour
	maxJitter  = 10 * time.Second
)

func (q *Query) validateBounds() error {
	for _, b := range []struct {
		field         string
		value, lo, hi int64
	}{
		{"query.before", q.Before, 0, math.MaxInt32},
		{"query.after", q.After, 0, math.MaxInt32},
		{"query.limit", q.Limit, 0, math.MaxInt64},
		{"query.timeout", int64(q.Timeout), 1, int64(maxTimeout)},
		{"query.jitter", int64(q.Jitter), 0, int64(maxJitter)},
		{"query.credit", q.Credit, 0, math.MaxInt64},
		{"query.max_bytes", q.MaxBytes, 0, math.MaxInt64},
		{"query.threads", int64(q.Threads), 0, MaxThreads},
	} {
		if b.value < b.lo || b.value > b.hi {
			return fieldErrorf(b.field, "%d is not between %d and %d", b.value, b.lo, b.hi)
		}
	}
	if q.Since != 0 && q.Until != 0 && q.Until < q.Since {
		return fieldErrorf("query.until", "is before query.since")
	}
	return nil
}
