package responder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/block"
	"github.com/trawl-logs/trawl/responder/indexer"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/schemas"
)

// gzipped packs text in so many members.
func gzipped(t testing.TB, text string, members int) string {
	t.Helper()
	var out bytes.Buffer
	for i := range members {
		z := gzip.NewWriter(&out)
		if _, err := z.Write([]byte(text[len(text)*i/members : len(text)*(i+1)/members])); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// stateOf is what an index remembers a file by.
func stateOf(t *testing.T, path string) block.State {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	state, _, err := indexer.StateOf(f)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// framed packs text in so many frames of zstd.
func framed(t testing.TB, text string, frames int) string {
	t.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<17))
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for i := range frames {
		out = z.EncodeAll([]byte(text[len(text)*i/frames:len(text)*(i+1)/frames]), out)
	}
	return string(out)
}

// sameAnswers holds a query with the index against one without, and returns both Ends.
func (f *indexed) sameAnswers(q *schemas.Query, i int) (end, whole *schemas.End) {
	f.t.Helper()
	q.ID = fmt.Sprint("p", i)
	exhaustive := *q
	exhaustive.ID, exhaustive.Exhaustive = fmt.Sprint("x", i), true
	got, end := f.found(q)
	want, whole := f.found(&exhaustive)
	if got != want || end.Status != whole.Status || end.Lines != whole.Lines || end.ErrorCount != whole.ErrorCount {
		f.t.Fatalf("%s: %q\ngot %+v\n%s\nwant %+v\n%s\n%s", flags(q), q.Patterns, end, got, whole, want, &f.said)
	}
	if whole.Blocks != (schemas.Blocks{}) {
		f.t.Fatalf("an exhaustive search used the index: %+v", whole.Blocks)
	}
	return end, whole
}

// What is answered of archives with their index is what is answered without, whatever is asked and however
// they are packed; and much is not read.
func TestPrunedArchivesAreExhaustive(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 5))
	files, all := map[string]string{}, ""
	text := func() string {
		s := drawLog(rng, 800+rng.IntN(100))
		all += s
		return s
	}
	files["a.log.gz"] = packed(t, text(), "gzip")
	files["b.log.gz"] = gzipped(t, strings.TrimSuffix(text(), "\n"), 5)
	files["c.log.zst"] = packed(t, text(), "zstd", "-q", "--zstd=wlog=17")
	files["d.log.zst"] = framed(t, text(), 7)
	files["e.log.xz"] = packed(t, text(), "xz", "--lzma2=dict=64KiB")
	files["f.log.bz2"] = packed(t, text(), "bzip2", "-1")
	f, _ := indexedFleet(t, files)
	var read, considered, byTime, byIndex int64
	queries := 60        // of six archives each
	if testing.Short() { // under the race detector
		queries = 8
	}
	for i := range queries {
		q := drawQuery(rng, all, "")
		end, whole := f.sameAnswers(q, i)
		if q.Mode == schemas.ModeLines && q.Limit == 0 && !q.Invert {
			read, considered = read+end.BytesRead, considered+whole.BytesRead
		}
		if end.Status == schemas.StatusComplete && end.BytesConsidered != whole.BytesConsidered && q.Mode == schemas.ModeLines && q.MaxCount < 0 {
			t.Errorf("%s: %d bytes considered, %d without the index", flags(q), end.BytesConsidered, whole.BytesConsidered)
		}
		byTime, byIndex = byTime+end.Blocks.SkippedTime, byIndex+end.Blocks.Skipped-end.Blocks.SkippedTime
	}
	if !testing.Short() && (read > considered*3/4 || byTime == 0 || byIndex == 0) {
		t.Errorf("read %d of %d bytes; skipped %d blocks by time, %d by the index", read, considered, byTime, byIndex)
	}
}

// bigArchives are archives with points inside.
func bigArchives(t *testing.T, rng *rand.Rand) (f *indexed, text string) {
	t.Helper()
	lines := 42_000
	if testing.Short() { // under the race detector
		lines = 14_000
	}
	text = drawLog(rng, lines)
	f, _ = indexedFleet(t, map[string]string{"a.log.gz": packed(t, text, "gzip"), "b.log.zst": framed(t, text, 30)})
	if len(text) < 3<<20 && !testing.Short() {
		t.Fatalf("only %d bytes", len(text))
	}
	return f, text
}

// What is read of an archive begins at a point, and nothing is where nothing can match.
func TestArchivesAreReadFromPoints(t *testing.T) {
	rng := rand.New(rand.NewPCG(16, 5))
	f, text := bigArchives(t, rng)
	unpacked := func(q *schemas.Query) (n int64) {
		t.Helper()
		p, err := f.r.plan(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		defer p.set.Close()
		_, err = scan.Run(context.Background(), p.inputs(context.Background()), p.newMatcher, scan.Options{MaxCount: -1, Threads: 2}, func(*scan.Batch) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		return p.archives.unpacked.Load()
	}
	q := query("q", "nowhere-zq9x7kwv2jy5")
	q.Syntax = schemas.SyntaxFixed
	if n := unpacked(q); n != 0 {
		t.Errorf("%d bytes were decompressed for what is nowhere", n)
	}
	at := strings.Index(text[len(text)*9/10:], "id=") + len(text)*9/10
	q = query("q", text[at:at+19])
	if n := unpacked(q); n == 0 || n > int64(len(text)) && !testing.Short() { // of twice as much
		t.Errorf("%d bytes were decompressed for one line near the end of twice %d", n, len(text))
	}
	for _, name := range []string{"a.log.gz", "b.log.zst"} {
		q.Select.Paths = []string{"**/" + name}
		t.Logf("%s: %d of %d bytes are decompressed for one line", name, unpacked(q), len(text))
	}
	q.Select.Paths = nil
	q.Explain = true
	_, end := f.found(q)
	if end.BytesConsidered != 2*int64(len(text)) || end.BytesRead == 0 || end.BytesRead > int64(len(text)/20) || end.Blocks.Skipped == 0 {
		t.Errorf("explained: %+v", end)
	}
	queries := 25
	if testing.Short() {
		queries = 3
	}
	for i := range queries {
		q := drawQuery(rng, text, "")
		f.sameAnswers(q, i)
	}
	c := f.r.IndexCheckup(context.Background(), true)
	if len(c.Files) != 2 {
		t.Fatalf("listed: %+v", c)
	}
	for _, x := range c.Files {
		lines := int64(0)
		for _, b := range x.Listed {
			lines += b.Lines
		}
		if x.Err != "" || x.Size != int64(len(text)) || x.Blocks == int64(len(x.Listed)) && lines != int64(strings.Count(text, "\n")) {
			t.Errorf("%s: %q, %d bytes, %d lines of %d", x.Path, x.Err, x.Size, lines, strings.Count(text, "\n"))
		}
	}
}

// A point that is damaged costs time, and the index, not lines.
func TestDamagedPoint(t *testing.T) {
	f, text := bigArchives(t, rand.New(rand.NewPCG(21, 5)))
	indexes, err := filepath.Glob(filepath.Join(f.r.config.State, "index", "*.blocks"))
	if err != nil || len(indexes) != 2 {
		t.Fatalf("indexes %v, %v", indexes, err)
	}
	windows := 0
	for _, name := range indexes {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; ; at++ {
			i := bytes.Index(data[at:], []byte("pont"))
			if i < 0 {
				break
			}
			if at += i; data[at+5] > 0 { // more than 256 bytes: it has a window
				writeAt(t, name, string([]byte{data[at+100] ^ 1}), int64(at+100))
				windows++
			}
		}
	}
	if windows == 0 {
		t.Fatal("no point has a window")
	}
	at := strings.LastIndex(text, "id=")
	end, _ := f.sameAnswers(query("", text[at:at+19]), 1)
	if end.Lines != 2 || end.Blocks.Skipped == 0 || !strings.Contains(f.said.String(), "the point at") {
		t.Errorf("%+v\n%s", end, &f.said)
	}
}

// An archive that was damaged under its index, its size and time kept, gives an error wherever lines are taken from
// the damage, though its own checksum stands far behind; and is read to its end from then on.
func TestDamageBehindAPoint(t *testing.T) {
	text := drawLog(rand.New(rand.NewPCG(24, 5)), 3000)
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.NoCompression) // so that only the text changes
	if err == nil {
		_, err = z.Write([]byte(text))
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	for _, damaged := range []bool{false, true} {
		f, dir := indexedFleet(t, map[string]string{"a.log.gz": packed.String()})
		path := filepath.Join(dir, "a.log.gz")
		at := strings.Index(text[len(text)*9/10:], "id=") + len(text)*9/10
		id := text[at : at+19]
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if damaged {
			line := strings.Index(packed.String(), id)
			writeAt(t, path, "#", int64(line)+int64(strings.IndexByte(text[at:], '\n'))-1)
		}
		if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
			t.Fatal(err)
		}
		q := query("rare", id)
		q.Syntax = schemas.SyntaxFixed
		got, end := f.found(q)
		if end.Lines != 1 || end.Blocks.Skipped == 0 || (end.ErrorCount == 1) != damaged || (end.Status == schemas.StatusComplete) == damaged || strings.Contains(got, "#\n") != damaged {
			t.Errorf("damaged %v: %q, %+v", damaged, got, end)
		}
		if !damaged {
			continue
		}
		if len(end.Errors) > 0 && !strings.Contains(end.Errors[0].Err, "damaged gzip data") {
			t.Errorf("told %q", end.Errors)
		}
		f.settle()
		if end, _ := f.sameAnswers(q, 1); end.Lines != 1 || end.ErrorCount != 1 || end.Blocks != (schemas.Blocks{}) {
			t.Errorf("the second time: %+v\n%s", end, &f.said)
		}
	}
}

// What happens to an archive under its index does not show in answers.
func TestArchivesUnderTheirIndex(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 6))
	old := drawLog(rng, 1500)
	needle := "NEEDLE-1\n"
	for name, tt := range map[string]struct {
		change func(t *testing.T, path, index string)
		lines  int64 // with NEEDLE-1
		log    string
	}{
		"nothing":          {func(*testing.T, string, string) {}, 0, ""},
		"another member":   {func(t *testing.T, path, _ string) { appendTo(t, path, gzipped(t, needle, 1)) }, 1, "rewritten"},
		"garbage appended": {func(t *testing.T, path, _ string) { appendTo(t, path, needle) }, 0, "rewritten"},
		"truncated": {func(t *testing.T, path, _ string) {
			if err := os.Truncate(path, 20_000); err != nil {
				t.Fatal(err)
			}
		}, 0, "rewritten"},
		"rewritten": {func(t *testing.T, path, _ string) { write(t, path, gzipped(t, needle+old, 2)) }, 1, "rewritten"},
		"renamed": {func(t *testing.T, path, _ string) {
			if err := os.Rename(path, filepath.Join(filepath.Dir(path), "a.log.2.gz")); err != nil {
				t.Fatal(err)
			}
			write(t, path, gzipped(t, needle, 1))
		}, 1, ""},
		"unpacked in place": {func(t *testing.T, path, _ string) { write(t, path, needle+old) }, 1, ""},
		"index damaged":     {func(t *testing.T, _, index string) { damage(t, index, rng) }, 0, ""},
		"index cut": {func(t *testing.T, _, index string) {
			if err := os.Truncate(index, 9000); err != nil {
				t.Fatal(err)
			}
		}, 0, ""},
		"byte changed, time kept": {func(t *testing.T, path, _ string) {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			before := stateOf(t, path)
			writeAt(t, path, "\x00\x00\x00\x00", info.Size()-8) // its checksum
			eventually(t, func() bool {                         // when the file system's clock has gone on
				if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
					t.Fatal(err)
				}
				return stateOf(t, path) != before
			}, func() string { return "the time of change stays" })
		}, 0, "rewritten"},
	} {
		t.Run(name, func(t *testing.T) {
			f, dir := indexedFleet(t, map[string]string{"a.log.gz": gzipped(t, old, 1)})
			indexes, err := filepath.Glob(filepath.Join(f.r.config.State, "index", "*.blocks"))
			if err != nil || len(indexes) != 1 {
				t.Fatalf("indexes %v, %v\n%s", indexes, err, &f.said)
			}
			tt.change(t, filepath.Join(dir, "a.log.gz"), indexes[0])
			for round := range 3 {
				for i, pattern := range []string{"NEEDLE-1", "kafka queue", "no such thing"} {
					q := query("", pattern)
					q.Columns = schemas.ColumnNumber
					if end, _ := f.sameAnswers(q, 10*round+i); i == 0 && end.Lines != tt.lines {
						t.Errorf("round %d: %d lines, want %d", round, end.Lines, tt.lines)
					}
				}
				f.settle()
			}
			if !strings.Contains(f.said.String(), tt.log) {
				t.Errorf("the log does not say %q:\n%s", tt.log, &f.said)
			}
			broken := name == "truncated" || strings.Contains(name, "garbage") || strings.Contains(name, "byte")
			if _, end := f.found(query("after", "no such thing")); (end.Blocks.Skipped == 0) != broken {
				t.Errorf("indexed again: %+v\n%s", end, &f.said)
			}
		})
	}
}

// An archive does not grow: whatever is done to it while its index is used, the answer says that it may have been
// wrong.
func TestArchivesWrittenUnderASearch(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 6))
	text := drawLog(rng, 1500)
	for name, tt := range map[string]struct {
		change func(t *testing.T, path string)
		told   int64
	}{
		"nothing":        {func(*testing.T, string) {}, 0},
		"renamed":        {func(t *testing.T, path string) { rename(t, path, path+".1") }, 0},
		"another member": {func(t *testing.T, path string) { appendTo(t, path, gzipped(t, "NEEDLE-1\n", 1)) }, 1},
		"cut": {func(t *testing.T, path string) {
			if err := os.Truncate(path, 100); err != nil {
				t.Fatal(err)
			}
		}, 1},
		"written in place": {func(t *testing.T, path string) {
			writeAt(t, path, "x", 30)
			touch(t, path)
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f, dir := indexedFleet(t, map[string]string{"a.log.gz": gzipped(t, text, 1)})
			p, err := f.r.plan(t.Context(), query("q", "no such thing"))
			if err != nil {
				t.Fatal(err)
			}
			defer p.set.Close()
			file, err := p.inputs(t.Context())[0].Open()
			if err != nil || !file.InOrder {
				t.Fatalf("not pruned: %v, %+v", err, file)
			}
			tt.change(t, filepath.Join(dir, "a.log.gz"))
			if err := file.Closer.Close(); err != nil {
				t.Fatal(err)
			}
			if p.pruned(); p.problems.count != tt.told {
				t.Errorf("%d problems: %+v", p.problems.count, p.problems.first)
			}
		})
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// touch gives a file another time of modification.
func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.Chtimes(path, time.Time{}, time.Unix(1_700_000_000, 0)); err != nil {
		t.Fatal(err)
	}
}

// An archive that rotation makes of a log has its own index, and a damaged one none.
func TestRotatedIntoAnArchive(t *testing.T) {
	rng := rand.New(rand.NewPCG(18, 6))
	text := drawLog(rng, 1500)
	f, dir := indexedFleet(t, map[string]string{"a.log.1": text, "b.log.gz": gzipped(t, text, 1)[:30_000]})
	if _, end := f.found(query("plain", "no such thing")); end.Blocks.Skipped == 0 || end.Status != schemas.StatusPartial {
		t.Fatalf("before: %+v", end)
	}
	write(t, filepath.Join(dir, "a.log.1.gz"), gzipped(t, text, 1))
	if err := os.Remove(filepath.Join(dir, "a.log.1")); err != nil {
		t.Fatal(err)
	}
	f.settle()
	end, _ := f.sameAnswers(query("", "no such thing"), 1)
	if end.Blocks.Skipped == 0 || end.Blocks.Read != 0 {
		t.Errorf("not indexed: %+v\n%s", end, &f.said)
	}
	for _, e := range f.r.catalog.Newest().Files {
		if u := f.r.index.Load().store.Use(indexer.ID(e.ID)); u != nil {
			if strings.HasSuffix(e.Path, "b.log.gz") {
				t.Errorf("%s is indexed", e.Path)
			}
			u.Done()
		}
	}
}

// Where a stream keeps too little for what is asked, the answer says so, with the index as without.
func TestArchivesWithLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("a line of 10 MB takes seconds under the race detector")
	}
	rng := rand.New(rand.NewPCG(19, 6))
	long := strings.Repeat("a line longer than is kept ", 400_000)
	text := drawLog(rng, 700) + "x " + long + "NEEDLE-1 end\n" + drawLog(rng, 700)
	f, _ := indexedFleet(t, map[string]string{"a.log.gz": gzipped(t, text, 1)})
	for i, pattern := range []string{"NEEDLE-1", "kafka queue"} {
		q := query(fmt.Sprint("p", i), pattern)
		q.Before = 2
		x := *q
		x.ID, x.Exhaustive = fmt.Sprint("x", i), true
		_, end := f.found(q) // a long line comes in pieces, which may differ
		_, whole := f.found(&x)
		if end.Status != whole.Status || end.Lines != whole.Lines || end.ErrorCount != whole.ErrorCount || end.Blocks.Skipped != 0 {
			t.Errorf("%s: %+v, without the index %+v", pattern, end, whole)
		}
		if i == 0 && end.ErrorCount == 0 {
			t.Errorf("the line was kept: %+v", end)
		}
	}
	small := archive.Limits{Window: 1 << 20, Output: 1000}
	if rulesOf(small) == rulesOf(archiveLimits(&f.r.config.Limits)) {
		t.Error("an index does not know by which limits it was made")
	}
}

// Where logs are sealed but not indexed, archives are read as streams.
func TestArchivesWhereOthersAreSealed(t *testing.T) {
	n := sealedFleet(t, 100, map[string]string{"a.log": "id=1 here\n", "b.log.gz": gzipped(t, "id=2 there\n", 1)})
	for _, explain := range []bool{false, true} {
		q := query(fmt.Sprint("explain-", explain), "id=")
		q.Explain = explain
		n.same(q)
	}
}
