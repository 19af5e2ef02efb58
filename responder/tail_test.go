package responder

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// tailed is a query that follows, of a fleet in real time.
type tailed struct {
	*fleet
	k Key
}

func (f *fleet) tail(last int64, change func(*schemas.Query)) *tailed {
	f.t.Helper()
	q := query("tail", ".")
	q.Mode, q.Order, q.Last = schemas.ModeFollow, schemas.OrderArrival, last
	if change != nil {
		change(q)
	}
	t := &tailed{f, f.ask(q)}
	f.t.Cleanup(f.stop)
	return t
}

// until polls until the lines that came are as they are wanted.
func (t *tailed) until(what string, good func(text string) bool) {
	t.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) { // polls
		text := t.news()
		if good(text) {
			return
		}
		if time.Now().After(deadline) || t.end(t.k) != nil {
			t.t.Fatalf("%s did not come: %q\n%s", what, text[max(0, len(text)-1000):], t.logged())
		}
	}
}

// news are the lines that came, without what failed.
func (t *tailed) news() string {
	var out strings.Builder
	seq := uint64(0)
	for _, frame := range t.numbered(t.k) {
		if frame.Data == nil || frame.Seq <= seq {
			continue
		}
		seq = frame.Seq
		for _, c := range frame.Data.Chunks {
			if c.Kind == schemas.ChunkLines {
				out.Write(c.Text)
			}
		}
	}
	return out.String()
}

// failed are the texts of what failed.
func (t *tailed) failed() (texts []string) {
	for _, frame := range t.numbered(t.k) {
		for i := 0; frame.Data != nil && i < len(frame.Data.Chunks); i++ {
			if c := &frame.Data.Chunks[i]; c.Kind == schemas.ChunkFailed {
				texts = append(texts, c.File+": "+string(c.Text))
			}
		}
	}
	return texts
}

// cancel ends the query as its requester does, and gives the End.
func (t *tailed) cancel() *schemas.End {
	t.t.Helper()
	t.r.HandleCancel(t.k, &schemas.Cancel{Reason: "interrupted"})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) { // polls
		if e := t.end(t.k); e != nil {
			return e
		}
		if time.Now().After(deadline) {
			t.t.Fatal("no End")
		}
	}
}

// messages gives the numbers at the ends of the lines.
func messages(text string) (numbers []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		numbers = append(numbers, line[strings.LastIndexByte(line, ' ')+1:])
	}
	return numbers
}

func upTo(from, to int) (numbers []string) {
	for i := from; i < to; i++ {
		numbers = append(numbers, fmt.Sprint(i))
	}
	return numbers
}

// journalOf is a journalctl whose journal is the lines of a file, with cursors; with --follow it dies after
// three entries. It writes its number to the file pids.
func journalOf(t *testing.T, file, pids string) {
	journalctl(t, `echo $$ >>'`+pids+`'
from=1 n=0 follow=
for a; do case $a in
  --after-cursor=*) from=$((${a#--after-cursor=} + 1));;
  --lines=*) n=${a#--lines=};;
  --follow) follow=1;;
esac; done
if [ "$n" -gt 0 ]; then all=$(wc -l <'`+file+`'); if [ "$all" -gt "$n" ]; then from=$((all - n + 1)); fi; fi
if [ -z "$follow" ]; then exec tail -n +$from '`+file+`'; fi
tail --pid=$$ -s 0.1 -n +$from -f '`+file+`' | { for i in 1 2 3; do IFS= read -r entry; printf '%s\n' "$entry"; done; kill -9 $$; }`)
}

func journalLine(i int) string {
	return fmt.Sprintf(`{"__CURSOR":"%d","MESSAGE":"message %d","__REALTIME_TIMESTAMP":"%d","SYSLOG_IDENTIFIER":"a"}`+"\n", i+1, i, 1_700_000_000_000_000+i*1_000_000)
}

// A journal is followed behind its history; when journalctl dies it goes on where it was and says so, and
// the end of the query ends it.
func TestTailJournal(t *testing.T) {
	dir := t.TempDir()
	file, pids := filepath.Join(dir, "entries"), filepath.Join(dir, "pids")
	for name, c := range map[string]struct {
		last  int64
		since int64
		first int
	}{"new": {0, 0, 2500}, "lines": {5, 0, 2495}, "many lines": {1800, 0, 700}, "all": {-1, (1_700_000_000 + 10) * 1e9, 10}} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			for i := range 2500 {
				b.WriteString(journalLine(i))
			}
			write(t, file, b.String())
			write(t, pids, "")
			journalOf(t, file, pids)
			f, _ := newFleet(t, func(c *Config) {
				c.Sources = nil
				if err := c.AddLogs("journald:nginx"); err != nil {
					t.Fatal(err)
				}
			}, nil)
			q := f.tail(c.last, func(q *schemas.Query) { q.Since, q.Columns = c.since, schemas.ColumnTime })
			if c.last != 0 {
				q.until("history", func(text string) bool { return slices.Equal(messages(text), upTo(c.first, 2500)) })
			} else {
				eventually(t, func() bool { text, _ := os.ReadFile(pids); return strings.Count(string(text), "\n") >= 2 }, func() string { return "no journalctl follows" })
			}
			for i := 2500; i < 2510; i++ {
				appendTo(t, file, journalLine(i))
			}
			q.until("entries", func(text string) bool { return slices.Equal(messages(text), upTo(c.first, 2510)) })
			if e := q.cancel(); e.Status != schemas.StatusStopped || e.Files != 1 || len(e.Errors) == 0 || e.Errors[0].Err != "journalctl: signal: killed" {
				t.Errorf("%+v", e)
			}
			if failed := q.failed(); len(failed) == 0 || failed[0] != "journald:nginx: journalctl: signal: killed" {
				t.Errorf("%q", failed)
			}
			text, _ := os.ReadFile(pids)
			for _, pid := range strings.Fields(string(text)) {
				eventually(t, func() bool { return gone(pid) }, func() string { return "process " + pid + " is still there" })
			}
		})
	}
}

// gone tells whether a process does not run any more.
func gone(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	_, rest, _ := strings.Cut(string(stat), ") ")
	return err != nil || strings.HasPrefix(rest, "Z")
}

// Without journalctl the rest is followed, and the query is told.
func TestTailWithoutJournalctl(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	f, dir := newFleet(t, func(c *Config) {
		if err := c.AddLogs("journald"); err != nil {
			t.Fatal(err)
		}
	}, map[string]string{"a.log": "old\n"})
	q := f.tail(1, nil)
	q.until("history", func(text string) bool { return text == "old\n" })
	appendTo(t, dir+"/a.log", "new\n")
	q.until("the line", func(text string) bool { return text == "old\nnew\n" })
	if failed := q.failed(); len(failed) == 0 || failed[0] != "journald: journal: journalctl is not installed" {
		t.Errorf("%q", failed)
	}
}

// story are the kinds of the chunks that came, each once where several come one after the other, and how
// many lines came or were told to be left out.
func (t *tailed) story() (story []string, got int64) {
	seq := uint64(0)
	for _, frame := range t.numbered(t.k) {
		if frame.Data == nil || frame.Seq <= seq {
			continue
		}
		seq = frame.Seq
		for i := range frame.Data.Chunks {
			c := &frame.Data.Chunks[i]
			kind := fmt.Sprint(c.Kind)
			got += c.Selected('\n')
			if c.Kind == schemas.ChunkSkipped {
				got += c.Count
			}
			if len(story) == 0 || story[len(story)-1] != kind {
				story = append(story, kind)
			}
		}
	}
	return story, got
}

// What became of files reaches a reader who is too slow for their lines, between the counts of those that
// were left out around it.
func TestTailNewsWhileSkipping(t *testing.T) {
	f, dir := newFleet(t, nil, map[string]string{"a.log": "first\n"})
	f.setGreedy(false)
	q := f.tail(1, func(q *schemas.Query) { q.Credit = 64 << 10 })
	q.until("history", func(text string) bool { return text == "first\n" })
	var s *session
	f.r.mu.Lock()
	for _, s = range f.r.sessions {
	}
	f.r.mu.Unlock()
	fill := func() (lines int64) { // until some are left out
		eventually(t, func() bool {
			appendTo(t, dir+"/a.log", strings.Repeat("a line of a log that nobody reads\n", 5000))
			lines += 5000
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.skipped > 0
		}, func() string { return "nothing is left out" })
		return lines
	}
	written := 1 + fill()
	eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.lines+s.selected(s.pack.kept)+s.skipped == written
	}, func() string { return "not all is read" })
	write(t, dir+"/a.log", "")
	eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.ContainsFunc(s.pack.kept, func(c schemas.Chunk) bool { return c.Kind == schemas.ChunkCut })
	}, func() string { return "the cut is not kept" })
	written += fill()
	f.setGreedy(true)
	f.grant(q.k, f.newest(q.k), 1<<40)
	q.until("the last line", func(text string) bool {
		if strings.HasSuffix(text, "last\n") {
			return true
		}
		if _, got := q.story(); got == written { // all are accounted for: the last may be among those left out, too
			appendTo(t, dir+"/a.log", "last\n")
			written++
		}
		return false
	})
	var story []string
	var got int64
	eventually(t, func() bool { story, got = q.story(); return got == written }, func() string {
		return fmt.Sprintf("%d lines given or told to be left out, of %d; kinds %v", got, written, story)
	})
	// lines, skipped, cut, lines or none, skipped, lines
	if cut := slices.Index(story, fmt.Sprint(schemas.ChunkCut)); cut < 1 || story[cut-1] != fmt.Sprint(schemas.ChunkSkipped) {
		t.Errorf("kinds %v", story)
	}
}

// The parts of a container's line are one line, whether they were there, came in one piece, or in several.
func TestTailContainerParts(t *testing.T) {
	const (
		whole = "2026-03-04T05:06:01Z stdout F whole\n"
		part  = "2026-03-04T05:06:02Z stdout P begun \n"
		other = "2026-03-04T05:06:03Z stderr F other\n"
		rest  = "2026-03-04T05:06:04Z stdout F ended\n"
	)
	for last, want := range map[int64]string{-1: "whole\nother\nbegun ended\n", 1: "whole\nother\nbegun ended\n", 0: "begun ended\n"} {
		f, dir := newFleet(t, func(c *Config) { c.Sources[0].Format = "cri" }, map[string]string{"a.log": whole + part + other})
		q := f.tail(last, func(q *schemas.Query) { q.Columns = schemas.ColumnNumber | schemas.ColumnTime })
		if last != 0 {
			q.until("history", func(text string) bool { return text == "whole\nother\n" })
		} else {
			probe := 0
			q.until("following", func(text string) bool {
				write(t, fmt.Sprintf("%s/probe%d.log", dir, probe), strings.ReplaceAll(whole, "whole", "probe"))
				probe++
				return text != ""
			})
		}
		appendTo(t, dir+"/a.log", rest)
		q.until("the line", func(text string) bool { return strings.Contains(text, want[strings.Index(want, "begun"):]) })
		appendTo(t, dir+"/a.log", part)
		runtime.Gosched()
		appendTo(t, dir+"/a.log", rest)
		q.until("the line in parts", func(text string) bool {
			return strings.ReplaceAll(text, "probe\n", "") == want+"begun ended\n"
		})
	}
}

// Each line comes once, whether it was history or was written since, under a writer that does not wait.
func TestTailHandOver(t *testing.T) {
	line := func(i int) string {
		return fmt.Sprintf("%s line %d\n", time.Unix(1_700_000_000+int64(i), 0).UTC().Format(time.RFC3339), i)
	}
	for name, c := range map[string]struct {
		last, since int64
		first       int
	}{"since": {-1, (1_700_000_000 + 1500) * 1e9, 1500}, "all": {-1, 0, 0}} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			for i := range 3000 {
				b.WriteString(line(i))
			}
			f, dir := newFleet(t, nil, map[string]string{"a.log": b.String()})
			log, err := os.OpenFile(dir+"/a.log", os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			begun, done := make(chan bool), make(chan error, 1)
			go func() {
				var err error
				for i := 3000; i < 6000 && err == nil; i++ {
					text := line(i)
					_, err = log.WriteString(text[:i%len(text)])
					if err == nil {
						_, err = log.WriteString(text[i%len(text):])
					}
					if i == 3200 {
						close(begun)
					}
				}
				done <- err
			}()
			<-begun
			q := f.tail(c.last, func(q *schemas.Query) { q.Since = c.since })
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			q.until("all lines", func(text string) bool { return strings.Contains(text, "line 5999\n") })
			if got := messages(q.news()); !slices.Equal(got, upTo(c.first, 6000)) {
				t.Errorf("%d lines, from %s", len(got), got[0])
			}
		})
	}
}

// --lines finds its lines where they are far apart: in the last 64 KiB, in those before, or not at all.
func TestTailLinesAcrossWindows(t *testing.T) {
	var b strings.Builder
	for i := range 20_000 { // 1.6 MB, of which a line in 1,000 is wanted
		word := "other"
		if i%1000 == 0 {
			word = "wanted"
		}
		fmt.Fprintf(&b, "%s %s %d\n", word, strings.Repeat(".", 70), i)
	}
	for _, n := range []int64{1, 3, 19, 20, 30} {
		f, _ := newFleet(t, nil, map[string]string{"a.log": b.String()})
		q := f.tail(n, func(q *schemas.Query) { q.Patterns, q.Columns = []string{"wanted"}, schemas.ColumnNumber })
		var want []string
		for i := 20 - min(n, 20); i < 20; i++ {
			want = append(want, fmt.Sprint(i*1000))
		}
		q.until("history", func(text string) bool { return slices.Equal(messages(text), want) })
		var numbers []string
		for _, frame := range q.numbered(q.k) {
			for i := 0; frame.Data != nil && i < len(frame.Data.Chunks); i++ {
				for _, n := range frame.Data.Chunks[i].Numbers {
					numbers = append(numbers, fmt.Sprint(n-1))
				}
			}
		}
		if !slices.Equal(numbers, want) {
			t.Errorf("lines numbered %q, want %q", numbers, want)
		}
		q.cancel()
	}
}

// Who follows 100 files that nobody writes to uses next to no CPU.
func TestTailIdleCPU(t *testing.T) {
	files := map[string]string{}
	for i := range 100 {
		files[fmt.Sprintf("%d.log", i)] = "a line\n"
	}
	f, _ := newFleet(t, nil, files)
	q := f.tail(1, nil)
	q.until("history", func(text string) bool { return strings.Count(text, "\n") == 100 })
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	const span = 2 * time.Second
	before := used()
	time.Sleep(span) // what is measured
	took := used() - before
	t.Logf("%v of CPU in %v", took, span)
	if took > span/20 {
		t.Errorf("%v of CPU in %v, to follow 100 idle files", took, span)
	}
}
