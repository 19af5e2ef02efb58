package responder

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/block"
	"github.com/trawl-logs/trawl/responder/clock"
	"github.com/trawl-logs/trawl/schemas"
)

// indexed is a node whose log can be read while it is written.
type indexed struct {
	*fleet
	said said
}

// said is what was logged.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// indexedFleet is a node of files with an index of small blocks, which is built.
func indexedFleet(t *testing.T, files map[string]string) (*indexed, string) {
	t.Helper()
	state := t.TempDir()
	plain, dir := newFleet(t, func(c *Config) {
		c.State, c.Index.CPU = state, 100
		c.Sources[0].Logs = append(c.Sources[0].Logs, c.Sources[0].Logs[0]+".*") // rotated ones
	}, files)
	f := &indexed{fleet: plain}
	f.r.compile = compile
	f.r.log = slog.New(slog.NewTextHandler(&f.said, nil))
	f.r.blocks = block.Sizing{}.Shape()
	f.r.blocks.Strips, f.r.blocks.StripLines = 64, 2
	f.r.points = 1 << 18
	if _, _, err := f.r.Scan(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stop := f.r.startIndex(ctx)
	t.Cleanup(func() { stop(); cancel(); f.stop() })
	f.settle()
	return f, dir
}

// settle waits until what is there now is indexed.
func (f *indexed) settle() {
	f.t.Helper()
	if _, _, err := f.r.Scan(context.Background()); err != nil {
		f.t.Fatal(err)
	}
	x := f.r.index.Load()
	start, _ := x.builder.Looks()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		x.builder.Wake()
		if n, settled := x.builder.Looks(); settled && n >= start+2 {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("the index is not built:\n%s", &f.said)
		}
	}
}

// found is what a query finds, line by line, and its End.
func (f *indexed) found(q *schemas.Query) (string, *schemas.End) {
	f.t.Helper()
	k := f.ask(q)
	deadline := time.Now().Add(time.Minute)
	for f.end(k) == nil {
		if time.Now().After(deadline) {
			f.t.Fatalf("no End of %v", k)
		}
		time.Sleep(50 * time.Microsecond)
	}
	var out strings.Builder
	seq := uint64(0)
	for _, frame := range f.numbered(k) {
		if frame.Data == nil || frame.Seq <= seq {
			continue
		}
		seq = frame.Seq
		for i := range frame.Data.Chunks {
			writeLines(&out, &frame.Data.Chunks[i])
		}
	}
	e := *f.end(k)
	f.forget(k)
	return out.String(), &e
}

// writeLines writes a chunk so that how lines are put into chunks does not show.
func writeLines(out *strings.Builder, c *schemas.Chunk) {
	if c.Kind != schemas.ChunkLines {
		fmt.Fprintf(out, "%s %s kind %d count %d\n", c.Service, c.File, c.Kind, c.Count)
		return
	}
	groups, run, left := c.Groups, -1, int64(0)
	number, offset, at := int64(0), int64(0), 0
	for line := range bytes.Lines(c.Text) {
		for ; len(groups) > 0 && groups[0] == int64(at); groups = groups[1:] {
			out.WriteString("--\n")
		}
		for left == 0 && run+1 < len(c.Context) {
			run++
			left = c.Context[run]
		}
		left--
		if c.Numbers != nil {
			number = c.Numbers[at]
		}
		if c.Offsets != nil {
			offset = c.Offsets[at]
		}
		fmt.Fprintf(out, "%s:%d:%d:%v:%s", c.File, number, offset, run%2 == 1, line)
		at++
	}
	for range groups {
		out.WriteString("--\n")
	}
}

// drawLog draws lines with times, levels, words and ids; some have no time.
func drawLog(rng *rand.Rand, lines int) string {
	var b strings.Builder
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	words := strings.Fields("connection refused upstream timeout Payment order shipped cart cache missing user login Straße retry kafka queue")
	for range lines {
		now = now.Add(time.Duration(rng.IntN(4000)) * time.Millisecond)
		if rng.IntN(12) > 0 {
			b.WriteString(now.Format("2006-01-02T15:04:05.000Z "))
		}
		for range 2 + rng.IntN(5) {
			b.WriteString(words[rng.IntN(len(words))] + " ")
		}
		fmt.Fprintf(&b, "id=%016x n=%d\n", rng.Uint64(), rng.IntN(100000))
	}
	return b.String()
}

// drawQuery draws any query that may use the index, for something that text holds.
func drawQuery(rng *rand.Rand, text, id string) *schemas.Query {
	lines := strings.SplitAfter(text, "\n")
	piece := func() string {
		line := strings.TrimSuffix(lines[rng.IntN(len(lines)-1)], "\n")
		n := min(len(line), 4+rng.IntN(20))
		at := rng.IntN(len(line) - n + 1)
		return line[at : at+n]
	}
	q := query(id, piece())
	q.Syntax = schemas.SyntaxFixed
	switch rng.IntN(5) {
	case 0:
		q.Patterns = append(q.Patterns, piece(), piece())
	case 1:
		q.Syntax, q.Patterns = schemas.SyntaxERE, []string{"id=[0-9a-f]*" + fmt.Sprintf("%05x", rng.IntN(1<<20)) + "|kafka kafka"}
	case 2:
		q.Syntax, q.Patterns = schemas.SyntaxRE2, []string{`n=` + fmt.Sprint(rng.IntN(1000)) + `\d*$`}
	}
	one := func(n int) bool { return rng.IntN(n) == 0 }
	q.IgnoreCase, q.Word, q.Line, q.Invert = one(3), one(5), one(12), one(10)
	if q.IgnoreCase {
		q.Patterns[0] = strings.ToUpper(q.Patterns[0])
	}
	if one(3) {
		q.Mode = schemas.Mode(1 + rng.IntN(4))
	}
	q.OnlyMatching = one(6)
	if one(4) {
		q.MaxCount = int64(rng.IntN(4))
	}
	if one(3) {
		q.Before, q.After, q.Columns = rng.Int64N(4), rng.Int64N(4), schemas.ColumnGroup
	}
	q.Columns |= schemas.Columns(rng.IntN(4))
	if one(8) {
		q.Limit = 1 + rng.Int64N(5)
	}
	if one(3) {
		q.Since = time.Date(2026, 3, 1, 0, rng.IntN(40), 0, 0, time.UTC).UnixNano()
		q.Until = q.Since + rng.Int64N(int64(20*time.Minute))
	}
	q.Threads = 1 + rng.IntN(2)
	return q
}

// What is answered with the index is what is answered without it, whatever is asked; and much is not read.
func TestPrunedIsExhaustive(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	files, all := map[string]string{}, ""
	for _, name := range []string{"a.log", "b.log", "c.log"} {
		files[name] = drawLog(rng, 1700+rng.IntN(200)) // more than a window
		all += files[name]
	}
	f, _ := indexedFleet(t, files)
	var read, considered, byTime, byIndex int64
	queries := 400
	if testing.Short() { // under the race detector
		queries = 60
	}
	for i := range queries {
		q := drawQuery(rng, all, fmt.Sprint("p", i))
		exhaustive := *q
		exhaustive.ID, exhaustive.Exhaustive = fmt.Sprint("x", i), true
		got, end := f.found(q)
		want, whole := f.found(&exhaustive)
		if got != want || end.Status != whole.Status || end.Lines != whole.Lines || end.ErrorCount != whole.ErrorCount {
			t.Fatalf("%s: %q\ngot %+v\n%s\nwant %+v\n%s", flags(q), q.Patterns, end, got, whole, want)
		}
		if whole.Blocks != (schemas.Blocks{}) {
			t.Fatalf("an exhaustive search used the index: %+v", whole.Blocks)
		}
		if q.Mode == schemas.ModeLines && q.Limit == 0 && !q.Invert {
			read, considered = read+end.BytesRead, considered+whole.BytesRead
		}
		byTime, byIndex = byTime+end.Blocks.SkippedTime, byIndex+end.Blocks.Skipped-end.Blocks.SkippedTime
	}
	if read > considered/2 || byTime == 0 || byIndex == 0 {
		t.Errorf("read %d of %d bytes; skipped %d blocks by time, %d by the index", read, considered, byTime, byIndex)
	}
}

// What happens to a file under its index does not show in answers.
func TestFilesUnderTheirIndex(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	old := drawLog(rng, 1000)
	middle := strings.Index(old[len(old)/2:], "id=") + len(old)/2
	for name, tt := range map[string]struct {
		change func(t *testing.T, path, index string)
		lines  int64 // with NEEDLE-1
		log    string
	}{
		"nothing":   {func(*testing.T, string, string) {}, 0, ""},
		"appended":  {func(t *testing.T, path, _ string) { appendTo(t, path, "NEEDLE-1\n") }, 1, ""},
		"truncated": {func(t *testing.T, path, _ string) { write(t, path, "NEEDLE-1\n"+old[:3000]) }, 1, "truncated or rewritten"},
		"cut and grown again": {func(t *testing.T, path, _ string) {
			write(t, path, drawLog(rng, 500)+"NEEDLE-1\n"+drawLog(rng, 900))
		}, 1, "truncated or rewritten"},
		"written in place": {func(t *testing.T, path, _ string) {
			writeAt(t, path, "NEEDLE-1", int64(middle))
		}, 1, "differs"},
		"renamed": {func(t *testing.T, path, _ string) {
			if err := os.Rename(path, filepath.Join(filepath.Dir(path), "z.log")); err != nil {
				t.Fatal(err)
			}
			write(t, path, "NEEDLE-1\n")
		}, 1, ""},
		"index damaged": {func(t *testing.T, _, index string) {
			damage(t, index, rng)
		}, 0, "damaged"},
		"index cut": {func(t *testing.T, _, index string) {
			if err := os.Truncate(index, 9000); err != nil {
				t.Fatal(err)
			}
		}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, dir := indexedFleet(t, map[string]string{"a.log": old})
			indexes, err := filepath.Glob(filepath.Join(f.r.config.State, "index", "*.blocks"))
			if err != nil || len(indexes) != 1 {
				t.Fatalf("indexes %v, %v", indexes, err)
			}
			tt.change(t, filepath.Join(dir, "a.log"), indexes[0])
			text := old[middle+20 : middle+32] // may be elsewhere, or nowhere, now
			for round := range 3 {
				for i, pattern := range []string{"NEEDLE-1", text, "kafka queue", "no such thing"} {
					q := query(fmt.Sprintf("p%d-%d", round, i), pattern)
					q.Columns = schemas.ColumnNumber
					x := *q
					x.ID, x.Exhaustive = fmt.Sprintf("x%d-%d", round, i), true
					got, end := f.found(q)
					want, whole := f.found(&x)
					if got != want || end.Status != whole.Status || i == 0 && end.Lines != tt.lines {
						t.Errorf("round %d, %q:\ngot %+v\n%s\nwant %+v\n%s", round, pattern, end, got, whole, want)
					}
				}
				f.settle()
			}
			if !strings.Contains(f.said.String(), tt.log) {
				t.Errorf("the log does not say %q:\n%s", tt.log, &f.said)
			}
			if _, end := f.found(query("after", "no such thing")); end.Blocks.Skipped == 0 && name != "truncated" {
				t.Errorf("not indexed again: %+v\n%s", end, &f.said)
			}
		})
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func writeAt(t *testing.T, path, text string, at int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte(text), at); err != nil {
		t.Fatal(err)
	}
}

// damage changes many bytes of an index behind its header.
func damage(t *testing.T, path string, rng *rand.Rand) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		writeAt(t, path, string(byte(rng.IntN(128))), 4096+rng.Int64N(info.Size()-4096))
	}
}

// A NUL behind the blocks makes a file binary from its window on, which begins in them: what was left
// out of that window does not decide which lines are given as text.
func TestNULBehindTheBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	text := drawLog(rng, 2*64*2) // two blocks
	at := strings.Index(text[len(text)/2:], "id=") + len(text)/2
	text = text[:at] + "NEEDLE-1" + text[at+8:] + "behind \x00 the blocks\n"
	f, _ := indexedFleet(t, map[string]string{"a.log": text})
	q := query("p", "NEEDLE-1")
	x := *q
	x.ID, x.Exhaustive = "x", true
	got, end := f.found(q)
	want, _ := f.found(&x)
	if end.Blocks.Skipped == 0 {
		t.Fatalf("nothing was left out: %+v", end)
	}
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Where blocks are known, so are the times of their lines: a file is not taken for sorted because
// samples of it are.
func TestTimesOutOfPlaceInBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	lines := strings.SplitAfter(drawLog(rng, 4000), "\n")
	lines[2000] = "2025-01-01T00:00:00.000Z NEEDLE-1 a clock was wrong\n" + lines[2000]
	f, _ := indexedFleet(t, map[string]string{"a.log": strings.Join(lines, "")})
	q := query("p", "NEEDLE-1")
	q.Until = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	if got, end := f.found(q); end.Lines != 1 || end.Blocks.SkippedTime == 0 {
		t.Errorf("found %q: %+v", got, end)
	}
}

// A node's own zone is always called Local. When it is another one after a restart, the blocks' times are
// not believed, and made anew.
func TestTimesOfAnotherZoneAreNotBelieved(t *testing.T) {
	var log strings.Builder
	at := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	for i := range 4000 {
		fmt.Fprintf(&log, "%s line %d\n", at.Add(time.Duration(i)*time.Second).Format(time.DateTime), i)
	}
	f, dir := indexedFleet(t, map[string]string{"a.log": log.String()})
	q := query("q", "line")
	q.Since, q.Until = at.Add(10*time.Minute).UnixNano(), at.Add(11*time.Minute).UnixNano()
	for i, hours := range []int{0, -1, 0} { // the last is what the first index was of
		f.r.clocks = clock.NewCache()
		f.r.times[0].Zone = time.FixedZone("Local", hours*3600)
		q.ID = fmt.Sprint("moved", i)
		if _, end := f.found(q); end.Lines != 60 && hours == 0 || end.Lines != 0 && hours != 0 {
			t.Errorf("zone %d: %d lines: %+v", hours, end.Lines, end)
		}
		appendTo(t, filepath.Join(dir, "a.log"), strings.Repeat(at.Add(time.Duration(4000)*time.Second).Format(time.DateTime)+" more\n", 200))
		f.settle()
		q.ID = fmt.Sprint("built", i)
		if _, end := f.found(q); end.Lines != 60 && hours == 0 || end.Lines != 0 && hours != 0 || end.Blocks.SkippedTime == 0 {
			t.Errorf("zone %d, built anew: %d lines: %+v", hours, end.Lines, end)
		}
	}
}
