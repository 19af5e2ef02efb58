package responder

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/trawl-logs/trawl/responder/match"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFleet(t, nil, map[string]string{"a.log": "one x\ntwo\nthree x\n", "b.log": "x last", "c.txt": "x no\n", "d.log": ""})
		k := f.ask(query("q1", "x"))
		e := f.await(k, time.Second)
		if got, want := f.text(k), "one x\nthree x\nx last\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if e.Status != schemas.StatusComplete || e.Lines != 3 || e.Files != 3 || e.BytesRead != 24 || e.BytesConsidered != 24 || e.TextBytes != 21 || e.Chunks != 2 {
			t.Errorf("end %+v", e)
		}
		hello := f.numbered(k)[0].Hello
		if hello == nil || hello.Files != 3 || hello.Bytes != 24 || hello.Instance == "" || hello.Version != "test" {
			t.Errorf("hello %+v", hello)
		}
		for _, want := range []string{"user=ann", "host=ops1", "client=c1", "query=q1", "patterns=x", "status=complete", "lines=3", "files=3", "bytes_read=24", "ms="} {
			if !strings.Contains(f.log.String(), want) {
				t.Errorf("the log lacks %s: %s", want, f.log)
			}
		}
		f.stop()
	})
}

func TestEmptyAnswersAreOneFrame(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*schemas.Query)
		files  int64
		status schemas.Status
		reason string
	}{
		"no line":        {func(q *schemas.Query) {}, 1, schemas.StatusComplete, ""},
		"no such path":   {func(q *schemas.Query) { q.Select.Paths = []string{"/other/*"} }, 0, schemas.StatusComplete, ""},
		"no label":       {func(q *schemas.Query) { q.Select.Labels = []schemas.Label{{K: "env", V: "dev"}} }, 0, schemas.StatusComplete, ""},
		"label":          {func(q *schemas.Query) { q.Select.Labels = []schemas.Label{{K: "env", V: "p*"}} }, 1, schemas.StatusComplete, ""},
		"explain":        {func(q *schemas.Query) { q.Explain = true; q.Patterns = []string{"a"} }, 1, schemas.StatusComplete, ""},
		"pattern":        {func(q *schemas.Query) { q.Patterns = []string{"("} }, 0, schemas.StatusError, "pattern: "},
		"parent":         {func(q *schemas.Query) { q.Select.Paths = []string{"../x"} }, 0, schemas.StatusError, `path "../x": ".." is refused`},
		"-m 0":           {func(q *schemas.Query) { q.MaxCount = 0 }, 1, schemas.StatusComplete, ""},
		"quiet, a match": {func(q *schemas.Query) { q.Mode = schemas.ModeQuiet; q.Patterns = []string{"a"} }, 1, schemas.StatusStopped, "a line"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, _ := newFleet(t, nil, map[string]string{"a.log": "a\nb\na\n"})
			q := query("q", "absent")
			tt.change(q)
			k := f.ask(q)
			e := f.await(k, time.Second)
			if e.Status != tt.status || e.Files != tt.files || !strings.HasPrefix(e.Reason, tt.reason) {
				t.Errorf("%s: end %+v", name, e)
			}
			if n := len(f.numbered(k)); n != 1 {
				t.Errorf("%s: %d frames", name, n)
			}
			if q.Explain && (e.BytesRead != 6 || e.BytesConsidered != 6) {
				t.Errorf("explain: %+v", e)
			}
			f.stop()
		})
	}
}

func TestQueriesForOtherNodesAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFleet(t, nil, map[string]string{"a.log": "a\n"})
		for i, sel := range []schemas.Select{{Nodes: []string{"db*"}}, {Groups: []string{"db"}}, {Nodes: []string{"web1"}, Groups: []string{"x"}}} {
			q := query(fmt.Sprint("q", i), "a")
			q.Select = sel
			k := f.ask(q)
			time.Sleep(time.Minute)
			if n := f.count(k); n != 0 {
				t.Errorf("%+v: %d frames", sel, n)
			}
		}
		q := query("mine", "a")
		q.Select = schemas.Select{Nodes: []string{"web?"}, Groups: []string{"w*"}}
		f.await(f.ask(q), time.Second)
		f.stop()
	})
}

func TestModesAndColumns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, dir := newFleet(t, nil, map[string]string{"a.log": "a\nb\na\n", "b.log": "b\n"})
		ask := func(id string, change func(*schemas.Query)) (*schemas.End, []schemas.Chunk) {
			q := query(id, "a")
			change(q)
			k := f.ask(q)
			e := f.await(k, time.Second)
			var chunks []schemas.Chunk
			for _, frame := range f.numbered(k) {
				if frame.Data != nil {
					chunks = append(chunks, frame.Data.Chunks...)
				}
			}
			for i := range chunks {
				if _, err := chunks[i].Check(q.Columns, '\n'); err != nil {
					t.Errorf("%s: %v", id, err)
				}
			}
			return e, chunks
		}
		e, c := ask("count", func(q *schemas.Query) { q.Mode = schemas.ModeCount })
		if len(c) != 2 || c[0].Count != 2 || c[1].Count != 0 || e.Lines != 2 {
			t.Errorf("count: %+v %+v", e, c)
		}
		e, c = ask("files", func(q *schemas.Query) { q.Mode = schemas.ModeFiles })
		if len(c) != 1 || c[0].File != dir+"/a.log" || e.Lines != 1 {
			t.Errorf("files: %+v %+v", e, c)
		}
		e, c = ask("columns", func(q *schemas.Query) {
			q.Columns = schemas.ColumnNumber | schemas.ColumnOffset | schemas.ColumnTime
			q.After = 1
		})
		if len(c) != 1 || fmt.Sprint(c[0].Numbers, c[0].Offsets, c[0].Context) != "[1 2 3] [0 2 4] [1 1 1]" || c[0].Times[0] != schemas.NoTime || e.Lines != 2 {
			t.Errorf("columns: %+v %+v", e, c)
		}
		e, c = ask("limit", func(q *schemas.Query) { q.Limit = 1 })
		if e.Status != schemas.StatusStopped || e.Lines != 1 || string(c[0].Text) != "a\n" {
			t.Errorf("limit: %+v %+v", e, c)
		}
		f.stop()
	})
}

func TestWithoutCreditAQueryFreesItsWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		big := lines(50_000, "x %d is a line of a large answer")
		f, _ := newFleet(t, func(c *Config) { c.Limits.MaxQueries = 1 }, map[string]string{"big.log": big, "small.log": "y\n"})
		f.setGreedy(false)
		q := query("big", "^x ")
		q.Credit = 10_000
		k := f.ask(q)
		time.Sleep(time.Second)
		sent := f.text(k)
		if len(sent) == 0 || len(sent) > 10_000 || !strings.HasSuffix(sent, "\n") {
			t.Fatalf("%d bytes were sent for a credit of 10000", len(sent))
		}
		if p := f.progress(k); p == nil || !p.Waiting || p.BytesRead == 0 {
			t.Errorf("no progress that says it waits: %+v", p)
		}
		other := f.ask(query("small", "^y"))
		if e := f.await(other, time.Second); e.Lines != 1 {
			t.Errorf("the query beside a parked one: %+v", e)
		}
		// A trickle of credit, then all of it.
		for limit := int64(20_000); limit < 200_000; limit += 10_000 {
			f.grant(k, f.newest(k), limit)
			time.Sleep(time.Second)
		}
		f.setGreedy(true)
		f.grant(k, f.newest(k), 1<<40)
		if e := f.await(k, time.Minute); e.Status != schemas.StatusComplete || e.Lines != 50_000 {
			t.Errorf("end %+v", e)
		}
		if f.text(k) != big {
			t.Error("the answer is not the file")
		}
		f.stop()
	})
}

// blocked is a search that goes on until it is cancelled.
func blocked(ctx context.Context, _ []scan.Input, _ func() scan.Matcher, _ scan.Options, _ func(*scan.Batch) error) (scan.Stats, error) {
	<-ctx.Done()
	return scan.Stats{}, context.Cause(ctx)
}

func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFleet(t, func(c *Config) { c.Limits.MaxQueries, c.Limits.MaxParked = 2, 2 }, map[string]string{"a.log": "a\n"})
		f.r.search = blocked
		var mu sync.Mutex
		told := map[schemas.Status]int{}
		f.r.OnAnswer(func(a *Answer) {
			mu.Lock()
			defer mu.Unlock()
			told[a.End.Status]++
			if a.Query.ID != a.Key.ID || a.Began.IsZero() {
				t.Errorf("an answer is told as %+v", a)
			}
		})
		var running []Key
		for i := range 2 {
			running = append(running, f.ask(query(fmt.Sprint("r", i), "a")))
		}
		synctest.Wait()
		f.setGreedy(false) // the refusals stay unacknowledged, and take their places
		for i := range 5 {
			e := f.await(f.ask(query(fmt.Sprint("b", i), "a")), time.Second)
			if e.Status != schemas.StatusError || !strings.HasPrefix(e.Reason, "busy") {
				t.Errorf("query %d: %+v", i, e)
			}
		}
		f.setGreedy(true)
		for _, k := range running {
			f.r.HandleCancel(k, &schemas.Cancel{})
			f.await(k, 100*time.Millisecond)
		}
		time.Sleep(time.Minute)
		f.r.search = scan.Run
		f.forget(key("b4"))
		if e := f.await(f.ask(query("b4", "a")), time.Second); e.Status != schemas.StatusComplete {
			t.Errorf("a query that was refused cannot be asked again: %+v", e)
		}
		f.stop()
		if told[schemas.StatusError] != 5 || told[schemas.StatusStopped] != 2 || told[schemas.StatusComplete] != 1 {
			t.Errorf("told of answers: %v", told)
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFleet(t, nil, map[string]string{"a.log": strings.Repeat("a\n", 1<<16)})
		f.r.search = blocked
		k := f.ask(query("q", "a"))
		time.Sleep(time.Second)
		f.r.HandleCancel(k, &schemas.Cancel{Reason: "interrupted"})
		if e := f.await(k, 100*time.Millisecond); e.Status != schemas.StatusStopped || e.Reason != "cancelled: interrupted" {
			t.Errorf("end %+v", e)
		}
		f.r.search = scan.Run

		f.setGreedy(false)
		q := query("parked", "a")
		q.Credit = 1000
		k = f.ask(q)
		time.Sleep(time.Second)
		f.r.HandleCancel(k, &schemas.Cancel{})
		if e := f.await(k, 100*time.Millisecond); e.Status != schemas.StatusStopped {
			t.Errorf("end of a parked query %+v", e)
		}
		f.setGreedy(true)

		f.r.HandleCancel(key("early"), &schemas.Cancel{})
		k = f.ask(query("early", "a"))
		time.Sleep(30 * time.Second)
		if n := f.count(k); n != 0 {
			t.Errorf("a query behind its cancel gave %d frames", n)
		}
		f.stop()
	})
}

func TestAQueryTwiceRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFleet(t, nil, map[string]string{"a.log": "a\n"})
		searches := 0
		f.r.search = func(ctx context.Context, in []scan.Input, m func() scan.Matcher, o scan.Options, emit func(*scan.Batch) error) (scan.Stats, error) {
			searches++
			time.Sleep(time.Second)
			return scan.Run(ctx, in, m, o, emit)
		}
		f.setGreedy(false)
		k := f.ask(query("q", "a"))
		time.Sleep(100 * time.Millisecond)
		before := len(f.numbered(k))
		f.ask(query("q", "a"))
		synctest.Wait()
		if got := f.numbered(k); len(got) != before+1 || got[before].Hello == nil {
			t.Errorf("asked again while it runs: %d frames, then %d", before, len(got))
		}
		f.setGreedy(true)
		f.await(k, 2*time.Second)
		time.Sleep(time.Second)
		before = len(f.numbered(k))
		f.ask(query("q", "a"))
		synctest.Wait()
		if got := f.numbered(k); len(got) != before+1 || got[before].End == nil {
			t.Errorf("asked again when it is over: %d frames, then %d", before, len(got))
		}
		f.grant(k, 0, 0)
		f.r.HandleControl(k, &schemas.Control{Resend: 3})
		synctest.Wait()
		if got := f.numbered(k); len(got) != before+2 || searches != 1 {
			t.Errorf("a late resend: %d frames, %d searches", len(got), searches)
		}
		f.stop()
	})
}

func TestAReconnectingRequesterIsNotGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFleet(t, nil, map[string]string{"a.log": "a\n"})
		f.r.search = blocked
		k := f.ask(query("q", "a"))
		for range 10 {
			time.Sleep(3 * time.Second)
			f.r.HandleGone(k)
			f.r.HandleGone(k)
			time.Sleep(time.Second)
			f.grant(k, 1, 0)
		}
		if e := f.end(k); e != nil {
			t.Errorf("ended: %+v", e)
		}
		before := f.count(k)
		f.r.HandleReconnect()
		synctest.Wait()
		if f.count(k) == before {
			t.Error("nothing is repeated after a reconnect")
		}
		f.stop()
	})
}

func TestFilesThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, dir := newFleet(t, nil, map[string]string{"a.log": "x a\n", "gone.log": "x g\n", "shrunk.log": strings.Repeat("x s\n", 1<<18), "z.log": "x z\n"})
		f.r.search = func(ctx context.Context, in []scan.Input, m func() scan.Matcher, o scan.Options, emit func(*scan.Batch) error) (scan.Stats, error) {
			remove(t, dir+"/gone.log")
			open := in[2].Open
			in[2].Open = func() (scan.File, error) {
				file, err := open()
				if err := os.Truncate(dir+"/shrunk.log", 1<<10); err != nil {
					t.Error(err)
				}
				return file, err
			}
			return scan.Run(ctx, in, m, o, emit)
		}
		k := f.ask(query("q", "x [agz]"))
		e := f.await(k, time.Second)
		if got := f.text(k); got != "x a\nx g\nx z\n" { // what is deleted meanwhile was open already
			t.Errorf("got %q", got)
		}
		if e.Status != schemas.StatusPartial || e.ErrorCount != 1 || len(e.Errors) != 1 || e.Reason != "1 file could not be searched in full" {
			t.Fatalf("end %+v", e)
		}
		if e.Errors[0].File != dir+"/shrunk.log" || !strings.Contains(e.Errors[0].Err, "shrank") {
			t.Errorf("errors %+v", e.Errors)
		}
		f.stop()
	})
}

// bug is a matcher that panics at a line.
type bug struct{ regexpMatcher }

func (m *bug) Lines(dst []match.Line, buf []byte, from int) ([]match.Line, int) {
	if strings.Contains(string(buf), "bad") {
		panic("a bug in a matcher")
	}
	return m.regexpMatcher.Lines(dst, buf, from)
}

func TestAPanicInAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, dir := newFleet(t, nil, map[string]string{"a.log": "a\n", "b.log": "bad a\n", "c.log": "a\n"})
		f.r.compile = func(q *schemas.Query, _ int) (program, error) {
			return program{newMatcher: func() scan.Matcher { return &bug{regexpMatcher{re: regexp.MustCompile("a")}} }, strategy: "bug"}, nil
		}
		k := f.ask(query("q", "a"))
		e := f.await(k, time.Second)
		if e.Status != schemas.StatusPartial || e.ErrorCount != 1 || e.Errors[0].File != dir+"/b.log" || f.text(k) != "a\na\n" {
			t.Errorf("end %+v, text %q", e, f.text(k))
		}
		if !strings.Contains(f.log.String(), "a bug in a matcher") || !strings.Contains(f.log.String(), "stack=") {
			t.Errorf("the log does not tell of the panic: %s", f.log)
		}
		f.stop()
	})
}

func TestManyQueriesAtOnce(t *testing.T) {
	files := map[string]string{}
	var want strings.Builder
	for i := range 9 {
		content := lines(500, fmt.Sprint(i)+" line %d")
		files[fmt.Sprintf("%d.log", i)] = content
		want.WriteString(content)
	}
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFleet(t, func(c *Config) { c.Limits.MaxQueries = 40 }, files)
		var keys []Key
		for i := range 40 {
			q := query(fmt.Sprint("q", i), "line")
			q.Credit, q.Jitter = int64(600+i*200), time.Duration(i)*10*time.Millisecond
			keys = append(keys, f.ask(q))
		}
		for _, k := range keys {
			if e := f.await(k, time.Minute); e.Status != schemas.StatusComplete || e.Lines != 4_500 {
				t.Errorf("%v: %+v", k, e)
			}
			if f.text(k) != want.String() {
				t.Errorf("%v: the answer is not the files", k)
			}
		}
		f.stop()
	})
}

func TestLostFramesAreRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := lines(20_000, "line %d")
		f, _ := newFleet(t, nil, map[string]string{"a.log": content})
		f.setGreedy(false)
		k := f.ask(query("q", "line"))
		time.Sleep(100 * time.Millisecond)
		sent := f.numbered(k)
		f.forget(k) // all is lost
		f.r.HandleControl(k, &schemas.Control{Resend: 1})
		synctest.Wait()
		if got := f.numbered(k); len(got) < len(sent) || f.text(k) != content {
			t.Errorf("%d frames of %d came again", len(got), len(sent))
		}
		f.stop()
	})
}

func TestDuplicateName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFleet(t, nil, map[string]string{"a.log": "a\n"})
		f.r.HandleDuplicate("web1.example.org")
		if e := f.await(f.ask(query("q1", "a")), time.Second); e.Status != schemas.StatusError || e.Reason != "duplicate node name (also on host web1.example.org)" {
			t.Errorf("end %+v", e)
		}
		f.r.HandleDuplicate("")
		if e := f.await(f.ask(query("q2", "a")), time.Second); e.Status != schemas.StatusComplete {
			t.Errorf("end %+v", e)
		}
		f.stop()
	})
}

func TestLimitsOfAQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFleet(t, func(c *Config) { c.Limits.Patterns, c.Limits.QueryBytes = 2, 2000 }, map[string]string{"a.log": "a\n"})
		if e := f.await(f.ask(query("q1", "a", "b", "c")), time.Second); e.Reason != "3 patterns, more than the node's limit of 2" {
			t.Errorf("end %+v", e)
		}
		if e := f.await(f.ask(query("q2", strings.Repeat("a", 2000))), time.Second); e.Reason != "the query is larger than the node's limit of 2000 bytes" {
			t.Errorf("end %+v", e)
		}
		f.stop()
	})
}

func TestTheLogIsEscaped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFleet(t, nil, map[string]string{"a.log": "a\n"})
		q := query("q", "a|\x1b[2J\nlevel=INFO msg=forged")
		q.Select.Paths = []string{"*.log", "\x1b]0;x\a"}
		f.await(f.ask(q), time.Second)
		f.stop()
		if strings.ContainsAny(f.log.String(), "\x1b\a") || strings.Contains(f.log.String(), "\nlevel=INFO msg=forged") {
			t.Errorf("raw control characters in the log: %q", f.log)
		}
	})
}

func TestRunRescans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, dir := newFleet(t, nil, map[string]string{"a.log": "a\n"})
		if n := f.r.Node(); n.Ready || n.Name != "web1" {
			t.Errorf("before the first scan: %+v", n)
		}
		if files, bytes, err := f.r.Scan(t.Context()); files != 1 || bytes != 2 || err != nil {
			t.Errorf("scan: %d %d %v", files, bytes, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { f.r.Run(ctx); close(done) }()
		write(t, dir+"/b.log", "bb\n")
		if err := os.Symlink("/dev/zero", dir+"/zero.log"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2*time.Duration(f.r.config.Rescan) + time.Second)
		n := f.r.Node()
		if err := n.Validate(); err != nil || !n.Ready || n.Files != 2 || n.Bytes != 5 || fmt.Sprint(n.Services, n.Groups, n.Labels) != "[app] [web] [{env prod}]" || f.changes != 1 {
			t.Errorf("record %+v, %d changes, %v", n, f.changes, err)
		}
		if got := strings.Count(f.log.String(), "zero.log"); got != 1 {
			t.Errorf("a refused file is logged %d times", got)
		}
		cancel()
		<-done
	})
}
