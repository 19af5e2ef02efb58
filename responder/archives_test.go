package responder

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trawl-logs/trawl/needs"
	"github.com/trawl-logs/trawl/schemas"
)

// packed compresses with a format's own tool.
func packed(t testing.TB, text string, tool ...string) string {
	t.Helper()
	needs.Tool(t, tool[0], map[bool]string{true: "xz-utils", false: tool[0]}[tool[0] == "xz"])
	c := exec.Command(tool[0], tool[1:]...)
	c.Stdin = strings.NewReader(text)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v", tool, err)
	}
	return string(out)
}

// answer is what came for a query, whatever the chunks that it came in.
type answer struct {
	Text             string
	Numbers, Offsets []int64
	Groups           []int64
	Context          []bool
	Kinds            []string // of what is not lines
}

func (f *fleet) answer(k Key) (a answer) {
	lines, seen := int64(0), uint64(0)
	for _, frame := range f.numbered(k) {
		if frame.Data == nil || frame.Seq <= seen {
			continue
		}
		seen = frame.Seq
		for _, c := range frame.Data.Chunks {
			if c.Kind != schemas.ChunkLines {
				a.Kinds = append(a.Kinds, fmt.Sprint(c.Kind, c.Count))
				continue
			}
			a.Text += string(c.Text)
			a.Numbers, a.Offsets = append(a.Numbers, c.Numbers...), append(a.Offsets, c.Offsets...)
			for _, g := range c.Groups {
				a.Groups = append(a.Groups, lines+g)
			}
			for i, run := range c.Context {
				for range run {
					a.Context = append(a.Context, i%2 == 1)
				}
			}
			lines += int64(bytes.Count(c.Text, []byte("\n")))
			if c.More {
				lines++
			}
			if c.Continues {
				lines--
			}
			for len(c.Context) == 0 && int64(len(a.Context)) < lines {
				a.Context = append(a.Context, false)
			}
		}
	}
	return a
}

// randomQuery is one of those whose answers depend on how a file is read.
func randomQuery(r *rand.Rand, id string) *schemas.Query {
	q := query(id, []string{"error", "id=0", "[02468] handled", "^x", "absent", "a$"}[r.IntN(6)])
	q.Invert = r.IntN(5) == 0
	q.OnlyMatching = r.IntN(6) == 0
	if r.IntN(4) == 0 {
		q.MaxCount = r.Int64N(50)
	}
	if r.IntN(2) == 0 {
		q.Before, q.After = r.Int64N(5), r.Int64N(5)
		q.Columns |= schemas.ColumnGroup
	}
	if r.IntN(2) == 0 {
		q.Columns |= schemas.ColumnNumber | schemas.ColumnOffset
	}
	if r.IntN(4) == 0 {
		q.Mode = schemas.Mode(r.IntN(int(schemas.ModeQuiet) + 1))
	}
	q.Binary = schemas.Binary(r.IntN(int(schemas.BinaryWithout) + 1))
	return q
}

func TestArchivesAnswerAsPlainFiles(t *testing.T) {
	text := lines(4000, "2026-01-01 info id=%08x handled a") +
		"x " + strings.Repeat("long ", 30_000) + "error\n" + lines(20, "error %d") +
		strings.Repeat("longer than is kept ", 70_000) + "\n" + lines(4000, "error id=%d handled") + "x no end"
	queries := 40
	if testing.Short() { // under the race detector, whose decoders are slow
		queries = 6
	}
	for name, text := range map[string]string{"text": text, "binary": text[:len(text)/2] + "\x00" + text[len(text)/2:], "none": ""} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{
				"plain/a.log": text, "gz/a.log": packed(t, text, "gzip"), "zst/a.log": packed(t, text, "zstd", "-q"),
				"xz/a.log": packed(t, text, "xz", "-0"), "bz2/a.log": packed(t, text, "bzip2"),
			}
			synctest.Test(t, func(t *testing.T) {
				f, dir := newFleet(t, nil, files)
				r := rand.New(rand.NewPCG(5, 6))
				for i := range queries {
					q := randomQuery(r, fmt.Sprint("plain", i))
					q.Select.Paths = []string{dir + "/plain/*"}
					k := f.ask(q)
					wantEnd := f.await(k, time.Minute)
					want := f.answer(k)
					f.forget(k)
					for _, format := range []string{"gz", "zst", "xz", "bz2"} {
						p := *q
						p.ID = fmt.Sprint(format, i)
						p.Select.Paths = []string{dir + "/" + format + "/*"}
						k := f.ask(&p)
						end := f.await(k, time.Minute)
						if got := f.answer(k); !reflect.DeepEqual(got, want) {
							t.Errorf("%s: %s differs: %d bytes, not %d; %v, not %v", flags(q), format, len(got.Text), len(want.Text), got.Kinds, want.Kinds)
						}
						if end.Status != wantEnd.Status || end.Lines != wantEnd.Lines || end.Reason != wantEnd.Reason {
							t.Errorf("%s: %s ends as %v %d %s, not %v %d %s", flags(q), format, end.Status, end.Lines, end.Reason, wantEnd.Status, wantEnd.Lines, wantEnd.Reason)
						}
						if end.Status == schemas.StatusComplete && q.MaxCount < 0 && q.Mode == schemas.ModeLines && name == "text" &&
							(end.BytesRead != int64(len(text)) || end.BytesConsidered != int64(len(text))) {
							t.Errorf("%s: %s read %d of %d, the text has %d", flags(q), format, end.BytesRead, end.BytesConsidered, len(text))
						}
						f.forget(k)
					}
				}
				f.stop()
			})
		})
	}
}

func TestDamagedArchives(t *testing.T) {
	text := lines(20_000, "line %d id=a8f3 of a log that is cut off")
	for format, tool := range map[string][]string{"gzip": {"gzip"}, "zstd": {"zstd", "-q"}, "xz": {"xz", "-0"}, "bzip2": {"bzip2", "-1"}} {
		whole := packed(t, text, tool...)
		synctest.Test(t, func(t *testing.T) {
			f, dir := newFleet(t, nil, map[string]string{"a.log": whole[:len(whole)/2], "b.log": "a line after it\n", "c.log": "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff no deflate\n"})
			k := f.ask(query("q", "line"))
			e := f.await(k, time.Minute)
			got := f.text(k)
			lines, after := strings.CutSuffix(got, "a line after it\n")
			if !after || !strings.HasPrefix(text, lines) || !strings.HasSuffix(lines, "\n") || len(lines) < len(text)/5 {
				t.Errorf("%s: %d bytes of %d, ends in %q", format, len(got), len(text), got[max(0, len(got)-80):])
			}
			if e.Status != schemas.StatusPartial || e.ErrorCount != 2 || len(e.Errors) != 2 || e.Errors[0].File != dir+"/a.log" ||
				!strings.HasPrefix(e.Errors[0].Err, "damaged "+format+" data after ") || e.BytesRead > e.BytesConsidered {
				t.Errorf("%s: end %+v", format, e)
			}
			if want := "damaged gzip data after 0 bytes"; !strings.HasPrefix(e.Errors[1].Err, want) {
				t.Errorf("%q, want %q", e.Errors[1].Err, want)
			}
			f.stop()
		})
	}
}

func TestArchiveLimits(t *testing.T) {
	text := lines(300_000, "line %d")
	zst := packed(t, text, "zstd", "-q", "--long=27")
	xz := packed(t, text, "xz", "--lzma2=preset=0,dict=2MiB")
	for name, tt := range map[string]struct {
		change func(*Limits)
		want   string
	}{
		"zst window": {func(l *Limits) { l.ArchiveWindow = 1 << 20 }, "archive needs too large a window: 134217728 bytes, more than 1048576"},
		"xz window":  {func(l *Limits) { l.ArchiveWindow = 1 << 20 }, "archive needs too large a window: 2097152 bytes, more than 1048576"},
		"xz output":  {func(l *Limits) { l.ArchiveOutput = 1 << 20 }, "archive is too large when decompressed: more than 1048576 bytes"},
	} {
		content := zst
		if strings.HasPrefix(name, "xz") {
			content = xz
		}
		synctest.Test(t, func(t *testing.T) {
			f, _ := newFleet(t, func(c *Config) { tt.change(&c.Limits) }, map[string]string{"a.log": content})
			e := f.await(f.ask(query("q", "absent")), time.Minute)
			if e.Status != schemas.StatusPartial || len(e.Errors) != 1 || e.Errors[0].Err != tt.want {
				t.Errorf("%s: %+v", name, e)
			}
			f.stop()
		})
	}
}

func TestExplainKnowsTheSizeOfArchives(t *testing.T) {
	text := lines(1000, "line %d")
	files := map[string]string{"a.log": packed(t, text, "gzip"), "b.log": packed(t, text, "xz"), "c.log": text}
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFleet(t, nil, files)
		q := query("q", "line")
		q.Explain = true
		if e := f.await(f.ask(q), time.Second); e.BytesConsidered != int64(3*len(text)) || e.BytesRead != int64(3*len(text)) {
			t.Errorf("considered %d, read %d, want %d", e.BytesConsidered, e.BytesRead, 3*len(text))
		}
		f.stop()
	})
}

// A query that ends in the middle of an archive leaves nothing behind: synctest sees to the goroutines.
func TestArchivesAreLeftInTheMiddle(t *testing.T) {
	files := map[string]string{}
	for i := range 6 {
		files[fmt.Sprintf("%d.log", i)] = packed(t, lines(200_000, "line %d"), "xz", "-0")
	}
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFleet(t, nil, files)
		limited := query("limited", "line")
		limited.Limit = 3
		if e := f.await(f.ask(limited), time.Minute); e.Status != schemas.StatusStopped || e.Lines != 3 {
			t.Errorf("%+v", e)
		}
		f.setGreedy(false)
		slow := query("slow", "line")
		slow.Credit = 64 << 10
		k := f.ask(slow)
		time.Sleep(time.Second)
		f.r.HandleCancel(k, &schemas.Cancel{})
		f.setGreedy(true)
		f.await(k, time.Minute)
		f.stop()
	})
}
