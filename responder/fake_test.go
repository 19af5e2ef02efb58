package responder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trawl-logs/trawl/responder/match"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/schemas"
)

// fleet is a responder and the requester's end of the bus. Inside a synctest bubble its time is
// the bubble's.
type fleet struct {
	t   *testing.T
	r   *Responder
	log *bytes.Buffer
	out *lockedWriter // to log

	mu      sync.Mutex
	frames  map[Key][]*schemas.Frame
	greedy  bool // acknowledge and grant everything at once
	changes int
}

func newFleet(t *testing.T, change func(*Config), files map[string]string) (*fleet, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, filepath.Join(dir, name), content)
	}
	c := DefaultConfig()
	c.Node, c.Groups, c.Labels = "web1", List{"web"}, map[string]string{"env": "prod"}
	c.Sources = []SourceConfig{{Service: "app", Logs: List{dir + "/**/*.log"}}}
	if change != nil {
		change(c)
	}
	if err := c.Finish(); err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, log: &bytes.Buffer{}, frames: map[Key][]*schemas.Frame{}, greedy: true}
	f.out = &lockedWriter{w: f.log}
	log := slog.New(slog.NewTextHandler(f.out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r, err := New(c, "test", log, PublishFunc(f.take), func() { f.changes++ })
	if err != nil {
		t.Fatal(err)
	}
	r.compile = compileRegexp
	f.r = r
	return f, dir
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// logged is what was logged so far.
func (f *fleet) logged() string {
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	return f.log.String()
}

// take is the bus: it may be called with the session's lock held, so answers come from elsewhere.
func (f *fleet) take(k Key, msg []byte) error {
	frame, err := schemas.DecodeFrame(bytes.Clone(msg))
	if err != nil {
		f.t.Errorf("frame of %v: %v", k, err)
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frames[k] = append(f.frames[k], frame)
	if f.greedy && frame.Progress == nil {
		go f.grant(k, frame.Seq, 1<<40)
	}
	return nil
}

func (f *fleet) grant(k Key, ack uint64, limit int64) {
	f.r.HandleControl(k, &schemas.Control{Ack: ack, Limit: limit})
}

// setGreedy changes whether all is granted at once.
func (f *fleet) setGreedy(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.greedy = on
}

func key(id string) Key { return Key{User: "ann", Client: "c1", ID: id} }

// query is a query with much credit.
func query(id string, patterns ...string) *schemas.Query {
	return &schemas.Query{ID: id, User: "ann", Host: "ops1", Client: "c1", Patterns: patterns, MaxCount: -1, Credit: 1 << 30, Timeout: time.Hour}
}

func (f *fleet) ask(q *schemas.Query) Key {
	f.t.Helper()
	if err := q.Validate(); err != nil {
		f.t.Fatal(err)
	}
	f.r.HandleQuery("ann", q)
	return key(q.ID)
}

// numbered are the frames with a seq of their own that came for a query.
func (f *fleet) numbered(k Key) []*schemas.Frame {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*schemas.Frame
	for _, frame := range f.frames[k] {
		if frame.Progress == nil {
			out = append(out, frame)
		}
	}
	return out
}

// newest is the seq of the last numbered frame that came for a query.
func (f *fleet) newest(k Key) uint64 {
	frames := f.numbered(k)
	return frames[len(frames)-1].Seq
}

// count is how many frames came for a query, repetitions and Progress included.
func (f *fleet) count(k Key) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.frames[k])
}

// progress is the newest Progress of a query, nil if there is none.
func (f *fleet) progress(k Key) (p *schemas.Progress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, frame := range f.frames[k] {
		if frame.Progress != nil {
			p = frame.Progress
		}
	}
	return p
}

// forget drops what came for a query.
func (f *fleet) forget(k Key) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.frames, k)
}

// end is the End that came for a query, nil if none did. Two different ones are an error.
func (f *fleet) end(k Key) *schemas.End {
	var end *schemas.Frame
	for _, frame := range f.numbered(k) {
		if frame.End == nil {
			continue
		}
		if end != nil && (frame.Seq != end.Seq || frame.Run != end.Run) {
			f.t.Errorf("two Ends: %+v, %+v", end, frame)
		}
		end = frame
	}
	if end == nil {
		return nil
	}
	return end.End
}

// await lets time pass until an End has come, at most d.
func (f *fleet) await(k Key, d time.Duration) *schemas.End {
	f.t.Helper()
	for start := time.Now(); ; {
		synctest.Wait()
		if e := f.end(k); e != nil {
			return e
		}
		if time.Since(start) > d {
			f.t.Fatalf("no End of %v after %v; frames %v", k, d, len(f.numbered(k)))
		}
		time.Sleep(max(time.Millisecond, d/100))
	}
}

// text is what the Data frames of a query say, each taken once and in order.
func (f *fleet) text(k Key) string {
	f.t.Helper()
	var out strings.Builder
	seq, offset := uint64(0), int64(0)
	for _, frame := range f.numbered(k) {
		if frame.Seq <= seq {
			continue // a repetition
		}
		if frame.Seq != seq+1 {
			f.t.Fatalf("frame %d follows %d", frame.Seq, seq)
		}
		seq = frame.Seq
		if frame.Data == nil {
			continue
		}
		if frame.Data.Offset != offset {
			f.t.Fatalf("frame %d has offset %d, not %d", seq, frame.Data.Offset, offset)
		}
		offset += frame.Data.Raw
		for _, c := range frame.Data.Chunks {
			out.Write(c.Text)
		}
	}
	return out.String()
}

// stop ends the responder's sessions.
func (f *fleet) stop() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f.r.Run(ctx)
}

// regexpMatcher is a scan.Matcher that owes nothing to the engine.
type regexpMatcher struct {
	re    *regexp.Regexp
	line  []byte
	spans [][]int
}

func compileRegexp(q *schemas.Query, _ int) (program, error) {
	re, err := regexp.Compile(strings.Join(q.Patterns, "|"))
	if err != nil {
		return program{}, fmt.Errorf("pattern: %w", err)
	}
	return program{newMatcher: func() scan.Matcher { return &regexpMatcher{re: re} }, strategy: "regexp"}, nil
}

func (m *regexpMatcher) Lines(dst []match.Line, buf []byte, from int) ([]match.Line, int) {
	n := bytes.IndexByte(buf[from:], '\n')
	if m.re.Match(buf[from : from+n]) {
		dst = append(dst, match.Line{Start: from, End: from + n})
	}
	return dst, from + n + 1
}

func (m *regexpMatcher) Count(buf []byte, from int) (n int) {
	var lines []match.Line
	for from < len(buf) {
		lines, from = m.Lines(lines[:0], buf, from)
		n += len(lines)
	}
	return n
}

func (m *regexpMatcher) MatchLine(line []byte) bool { return m.re.Match(line) }

func (m *regexpMatcher) Begin(line []byte) { m.spans = m.re.FindAllIndex(line, -1) }

func (m *regexpMatcher) NextSpan() (s, e int) {
	for len(m.spans) > 0 {
		span := m.spans[0]
		if m.spans = m.spans[1:]; span[0] < span[1] {
			return span[0], span[1]
		}
	}
	return -1, -1
}

func (m *regexpMatcher) Reset()        { m.line = m.line[:0] }
func (m *regexpMatcher) Feed(p []byte) { m.line = append(m.line, p...) }
func (m *regexpMatcher) EndLine() bool { return m.re.Match(m.line) }

// lines makes n numbered lines.
func lines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format+"\n", i)
	}
	return b.String()
}

// remove fails the test if the file cannot be removed.
func remove(t *testing.T, name string) {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
