package responder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/clock"
	"github.com/trawl-logs/trawl/responder/rotation"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/schemas"
)

// searchFunc is scan.Run's shape; compileFunc makes a query's program.
type (
	searchFunc func(context.Context, []scan.Input, func() scan.Matcher, scan.Options, func(*scan.Batch) error) (scan.Stats, error)

	compileFunc func(q *schemas.Query, maxProgram int) (program, error)
)

// plan is what a query comes down to on this node.
type plan struct {
	r          *Responder
	set        *rotation.Set // to be closed; nil: none of the node's own files are read
	files      []*source.Entry
	bytes      int64 // size of files
	newMatcher func() scan.Matcher
	strategy   string
	sizes      []int64 // of files, once they are open; 0: unknown, as that of an archive's content
	problems   problems
	archives   *archives
	feeds      *feeds
	pruning    *pruning    // nil: all is read
	sealed     *sealedPlan // nil: nothing is sealed
	dated      bool        // lines' times are wanted
	since      int64       // of the query
	until      int64
}

// problems are the files that could not be searched: the first few and their number.
type problems struct {
	first []schemas.FileError
	count int64
}

func (p *problems) add(file string, err error) {
	if p.count++; len(p.first) < schemas.MaxErrors {
		p.first = append(p.first, schemas.FileError{File: file, Err: err.Error()})
	}
}

// plan compiles the pattern and selects the files.
func (r *Responder) plan(ctx context.Context, q *schemas.Query) (*plan, error) {
	program, err := r.compile(q, int(r.config.Limits.Program))
	if err != nil {
		return nil, err
	}
	filter, err := selection(&q.Select).Compile()
	if err != nil {
		return nil, err
	}
	later := func(e *source.Entry) bool { return !q.Exhaustive && clock.Over(e.ModTime, q.Since) }
	mark, err := r.sealedNow(q)
	if err != nil {
		return nil, err
	}
	p := &plan{r: r, newMatcher: program.newMatcher, strategy: program.strategy, pruning: r.pruning(q, program.needs), archives: newArchives(&r.config.Limits), feeds: r.feeds, since: q.Since, until: q.Until}
	p.dated = q.Since != 0 || q.Until != 0 || q.Order == schemas.OrderTime || q.Columns&schemas.ColumnTime != 0
	if mark.any || q.Plan != nil {
		p.sealed = newSealedPlan()
	}
	a := assigned(q)
	if q.Plan == nil || !q.Plan.Only {
		if p.set, err = r.keeper.Open(ctx, filter, later); err != nil {
			return nil, err
		}
		for _, f := range p.set.Files {
			p.files = append(p.files, f.Entry)
			p.bytes += f.Entry.Size
		}
		if mark.any {
			err = r.takeSealed(ctx, p, filter, a, mark)
		}
		p.files = append(p.files, r.feeds.selected(filter)...)
		for _, f := range p.set.Problems {
			p.problems.add(f.Path, f.Err)
		}
	}
	if err == nil && q.Plan != nil {
		p.takeUnknown(r.config.Node, &mark)
		err = r.takeRead(p, q, a)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func selection(s *schemas.Select) source.Selection {
	sel := source.Selection{Services: s.Services, Paths: s.Paths}
	for glob, include := range s.Names() {
		sel.Names = append(sel.Names, source.NameRule{Glob: glob, Include: include})
	}
	for _, l := range s.Labels {
		sel.Labels = append(sel.Labels, source.Label(l))
	}
	return sel
}

// run searches for a session, and gives the End.
func (p *plan) run(s *session) *schemas.End {
	end := &schemas.End{BytesConsidered: p.bytes, Files: int64(len(p.files))}
	var stats scan.Stats
	var err error
	if p.sealed != nil {
		err = s.tellLacking(p.sealed.lacking)
	}
	if !s.q.Explain && len(p.files) > 0 && err == nil {
		inputs, options := p.inputs(s.ctx), p.options(s)
		s.pack.sizes, s.pack.origins = p.sizes, p.origins()
		times := s.r.clocks.Attach(inputs, func(i int) clock.File { return p.timesOf(p.files[i]) }, s.q.Exhaustive, &options)
		stats, err = s.searcher()(s.ctx, inputs, p.newMatcher, options, s.emit)
		stats.Bytes += times.Read()
		end.AssumedSorted = times.Assumed()
		for _, i := range times.Unproven() {
			if p.sealed == nil || p.sealed.pieces[p.files[i]] == nil {
				s.r.proving.add(p.files[i])
			}
		}
		if err == nil {
			s.mu.Lock()
			err = s.sendKept()
			s.mu.Unlock()
		}
	}
	if s.q.Explain {
		stats.Bytes = p.measure(s.ctx)
	}
	end.BytesRead, end.Selected = stats.Bytes, stats.Selected
	end.Blocks = p.pruned()
	end.BytesConsidered += p.archives.grown.Load()
	s.unpacked = p.archives.unpacked.Load()
	end.Errors, end.ErrorCount = p.problems.first, p.problems.count
	switch {
	case err != nil:
		end.Status, end.Reason = s.ending(err)
	case stats.Limited:
		end.Status, end.Reason = schemas.StatusStopped, "the query's limit is reached"
	case s.q.Mode == schemas.ModeQuiet && stats.Selected > 0:
		end.Status, end.Reason = schemas.StatusStopped, "a line is selected"
	case end.ErrorCount > 0:
		end.Status, end.Reason = schemas.StatusPartial, inFull(end.ErrorCount)
	}
	if s.q.Mode == schemas.ModeQuiet && stats.Selected > 0 {
		end.Lines = 1
	}
	return end
}

// inFull is the reason of an answer that is partial because of files.
func inFull(failed int64) string {
	if failed == 1 {
		return "1 file could not be searched in full"
	}
	return fmt.Sprintf("%d files could not be searched in full", failed)
}

// timesOf is what is known of a file's times without reading it.
func (r *Responder) timesOf(e *source.Entry) clock.File {
	f := r.times[e.Source()]
	f.ID, f.ModTime = clock.ID(e.ID), e.ModTime
	return f
}

// timesOf is what is known of the times of what is searched.
func (p *plan) timesOf(e *source.Entry) clock.File {
	if p.sealed != nil {
		if c := p.sealed.pieces[e]; c != nil {
			return c.about
		}
	}
	about := p.r.timesOf(e)
	if p.sealed != nil && p.sealed.gone[e] {
		l := p.sealed.logs[e]
		from, _ := l.Start()
		to, _ := l.End()
		about.Sealed = sealedAs(l, extent{from, to})
	}
	return about
}

// origins are those of the files; nil: none has one.
func (p *plan) origins() []*schemas.Origin {
	if p.sealed == nil || len(p.sealed.origins) == 0 {
		return nil
	}
	origins := make([]*schemas.Origin, len(p.files))
	for i, e := range p.files {
		origins[i] = p.sealed.origins[e]
	}
	return origins
}

// inputs are the files as the searcher takes them.
func (p *plan) inputs(ctx context.Context) []scan.Input {
	inputs := make([]scan.Input, len(p.files))
	p.sizes = make([]int64, len(p.files))
	for i, e := range p.files {
		inputs[i] = scan.Input{Name: e.Path, Service: e.Service, Open: func() (scan.File, error) {
			file, err := p.open(ctx, e)
			if err == nil && file.At != nil && !file.InOrder {
				p.sizes[i] = file.Size
			}
			return file, err
		}}
	}
	return inputs
}

// options turns the query into those of a search.
func (p *plan) options(s *session) scan.Options {
	q, l := s.q, &s.r.config.Limits
	threads := l.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if q.Threads > 0 {
		threads = min(threads, q.Threads)
	}
	return scan.Options{
		Mode: modes[q.Mode], Invert: q.Invert, OnlyMatching: q.OnlyMatching, MaxCount: q.MaxCount,
		Before: q.Before, After: q.After, Binary: binaries[q.Binary], Terminator: q.Terminator(),
		Numbers: q.Columns&schemas.ColumnNumber != 0, Offsets: q.Columns&schemas.ColumnOffset != 0,
		Groups: q.Columns&schemas.ColumnGroup != 0,
		Times:  q.Columns&schemas.ColumnTime != 0, Since: q.Since, Until: q.Until,
		Limit: q.Limit, Threads: threads, MaxLine: int(l.LineBytes), Read: &s.read,
		OnError: func(i int, err error) {
			var panicked *scan.PanicError
			if errors.As(err, &panicked) {
				s.log.Error("panic in a search", "file", p.files[i].Path, "panic", panicked.Value, "stack", string(panicked.Stack))
			}
			var unpacking *archive.PanicError
			if errors.As(err, &unpacking) {
				s.log.Error("panic in a decompression", "file", p.files[i].Path, "panic", unpacking.Value, "stack", string(unpacking.Stack))
			}
			p.problems.add(p.files[i].Path, bare(err))
		},
	}
}

// bare takes the file's name off an error that repeats it.
func bare(err error) error {
	if errors.Is(err, source.ErrShrunk) || errors.Is(err, scan.ErrShrank) {
		return source.ErrShrunk
	}
	return err
}

var modes = [...]scan.Mode{
	schemas.ModeLines: scan.Lines, schemas.ModeCount: scan.Count, schemas.ModeFiles: scan.Files,
	schemas.ModeFilesWithout: scan.FilesWithout, schemas.ModeQuiet: scan.Quiet, schemas.ModeFollow: scan.Lines,
}

var binaries = [...]scan.Binary{
	schemas.BinaryReport: scan.BinaryReport, schemas.BinaryText: scan.BinaryText, schemas.BinaryWithout: scan.BinaryWithout,
}

func asVerdict(err error) *verdict {
	var v *verdict
	errors.As(err, &v)
	return v
}

// describe says who asks what, for the log. The handler escapes the values.
func describe(k Key, q *schemas.Query) []any {
	args := []any{"user", k.User, "client", k.Client, "query", k.ID}
	if q.Host != "" {
		args = append(args, "host", brief(q.Host))
	}
	if q.Trace != "" {
		args = append(args, "traceparent", q.Trace)
	}
	if q.User != "" && q.User != k.User {
		args = append(args, "says_user", q.User)
	}
	patterns := strings.Join(q.Patterns, "\n")
	return append(args, "patterns", brief(patterns), "flags", brief(flags(q)))
}

// flags are a query's options in grep's letters.
func flags(q *schemas.Query) string {
	var out []string
	for _, f := range []struct {
		set  bool
		flag string
	}{
		{q.Syntax == schemas.SyntaxERE, "-E"}, {q.Syntax == schemas.SyntaxBRE, "-G"}, {q.Syntax == schemas.SyntaxFixed, "-F"},
		{q.IgnoreCase, "-i"}, {q.Word, "-w"}, {q.Line, "-x"}, {q.Invert, "-v"}, {q.OnlyMatching, "-o"}, {q.NullData, "-z"},
		{q.Mode == schemas.ModeCount, "-c"}, {q.Mode == schemas.ModeFiles, "-l"}, {q.Mode == schemas.ModeFilesWithout, "-L"},
		{q.Mode == schemas.ModeFollow, "--follow"}, {q.Last != 0, fmt.Sprint("--lines=", q.Last)},
		{q.Mode == schemas.ModeQuiet, "-q"}, {q.Binary == schemas.BinaryText, "-a"}, {q.Binary == schemas.BinaryWithout, "-I"},
		{q.MaxCount >= 0, fmt.Sprint("-m", q.MaxCount)}, {q.Before > 0, fmt.Sprint("-B", q.Before)}, {q.After > 0, fmt.Sprint("-A", q.After)},
		{q.Limit > 0, fmt.Sprint("--limit=", q.Limit)}, {q.Explain, "--explain"},
		{q.Since != 0, "--since=" + moment(q.Since)}, {q.Until != 0, "--until=" + moment(q.Until)},
	} {
		if f.set {
			out = append(out, f.flag)
		}
	}
	for _, s := range []struct {
		flag  string
		globs []string
	}{{"--node=", q.Select.Nodes}, {"--group=", q.Select.Groups}, {"--service=", q.Select.Services},
		{"", q.Select.Paths}} {
		for _, g := range s.globs {
			out = append(out, s.flag+g)
		}
	}
	for glob, include := range q.Select.Names() {
		out = append(out, map[bool]string{true: "--include=", false: "--exclude="}[include]+glob)
	}
	for _, l := range q.Select.Labels {
		out = append(out, "--with-label="+l.K+"="+l.V)
	}
	return strings.Join(out, " ")
}

// brief keeps a log line within bounds.
func brief(s string) string {
	const most = 1 << 10
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

func moment(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

// account logs what a query cost, and adds it up.
func (s *session) account(e *schemas.End) {
	s.r.totals.add(e)
	level := slog.LevelInfo
	switch {
	case e.Status == schemas.StatusError:
		level = slog.LevelWarn
	case s.q.Mode == schemas.ModeBlock: // of these there are many; who copies a block says so
		level = slog.LevelDebug
	}
	s.log.Log(context.Background(), level, "query", "status", e.Status.String(), "reason", e.Reason, "files", e.Files,
		"lines", e.Lines, "bytes_read", e.BytesRead, "bytes_considered", e.BytesConsidered, "bytes_unpacked", s.unpacked, "errors", e.ErrorCount,
		"ms", e.Elapsed.Milliseconds())
	if s.r.answered != nil {
		s.r.answered(&Answer{s.key, s.q, s.started, e})
	}
}
