package responder

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// sealedNode is a node that seals the logs of a directory, which another node, plain, has as well.
type sealedNode struct {
	*indexed
	plain *indexed
	dir   string
	state string
	// sources are those of the configuration, when start is called.
	sources []SourceConfig
	age     Duration // of the configuration too
	mu      sync.Mutex
	now     time.Time
	stop    func()
}

// sealedFleet has files sealed in small blocks.
func sealedFleet(t *testing.T, lines int, files map[string]string) *sealedNode {
	t.Helper()
	n := &sealedNode{state: t.TempDir(), now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	plain, dir := newFleet(t, func(c *Config) { c.Sources[0].Logs = List{c.Sources[0].Logs[0], c.Sources[0].Logs[0] + "*"} }, files)
	plain.r.compile = compile
	n.sources = []SourceConfig{{Service: "app", Logs: List{dir + "/**/*.log", dir + "/**/*.log*"}, Store: storeSealed}}
	n.plain, n.dir = &indexed{fleet: plain}, dir
	n.start(t, lines)
	t.Cleanup(func() { n.stop(); plain.stop() })
	return n
}

// start starts the node's process.
func (n *sealedNode) start(t *testing.T, lines int) {
	t.Helper()
	f, _ := newFleet(t, func(c *Config) {
		c.State, c.Sealed.CPU, c.Sealed.Lines, c.Sealed.Age = n.state, 100, lines, n.age
		c.Sources = slices.Clone(n.sources)
		c.Index.Level = indexOff
	}, nil)
	f.r.compile = compile
	n.indexed = &indexed{fleet: f}
	f.r.log = slog.New(slog.NewTextHandler(&n.said, nil))
	f.r.sealing.now = func() time.Time {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.now
	}
	if _, _, err := f.r.Scan(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stop := f.r.startSealing(ctx)
	n.stop = func() { stop(); cancel(); f.r.stop() }
}

// seal waits until what is due at that time is sealed.
func (n *sealedNode) seal(now time.Time) {
	n.t.Helper()
	start, _ := n.r.sealing.looks()
	n.mu.Lock()
	n.now = now
	n.mu.Unlock()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		n.r.sealing.poke()
		if turns, settled := n.r.sealing.looks(); settled && turns >= start+3 {
			return
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("it is not sealed: %q\n%s", n.r.sealing.store.Refused(), &n.said)
		}
	}
}

// same asks both nodes, and the sealed one exhaustively too.
func (n *sealedNode) same(q *schemas.Query) *schemas.End {
	n.t.Helper()
	want, whole := n.plain.found(q)
	var last *schemas.End
	for _, exhaustive := range []bool{true, false} {
		q.Exhaustive = exhaustive
		q.ID += "s"
		got, end := n.found(q)
		if got != want || end.Status != whole.Status || end.Lines != whole.Lines || end.ErrorCount != whole.ErrorCount {
			n.t.Fatalf("%s: %q\ngot %+v\n%s\nwant %+v\n%s", flags(q), q.Patterns, end, got, whole, want)
		}
		last = end
	}
	return last
}

// Whatever is sealed of a log, a search finds the same lines, with their numbers, offsets and context, as in
// the log alone; and after the log is gone, as before.
func TestSealedAnswersAsPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 5))
	queries := 120
	if testing.Short() { // under the race detector
		queries = 24
	}
	skipped := int64(0)
	for round := range 3 {
		text, other := drawLog(rng, 2500), drawLog(rng, 700)
		cut := strings.Index(text[rng.IntN(len(text)/2)+len(text)/4:], "\n") + 1 + len(text)/4
		n := sealedFleet(t, []int{64, 100, 300}[round], map[string]string{"a.log": text[:cut] + "begun", "sub/b.log": other})
		n.seal(time.Date(2026, 3, 1, round, 30, 0, 0, time.UTC))
		appendTo(t, filepath.Join(n.dir, "a.log"), "\n"+text[cut:])
		if round == 1 {
			n.seal(time.Date(2026, 3, 1, 5, 0, 0, 0, time.UTC))
		}
		all := text + other
		for i := range queries / 3 {
			q := drawQuery(rng, all, fmt.Sprint("p", round, "-", i))
			q.Order = schemas.OrderNode
			skipped += n.same(q).Blocks.Skipped
			q = randomQuery(rng, fmt.Sprint("r", round, "-", i))
			n.same(q)
		}
		n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
		if n := len(n.r.sealing.store.Blocks()); n < 10 {
			t.Errorf("%d blocks", n)
		}
		n.outlives(rng, all, queries/6)
	}
	if skipped == 0 {
		t.Error("no block was ever left out")
	}
}

// outlives compares answers of before the logs were deleted, and after, and after a restart.
func (n *sealedNode) outlives(rng *rand.Rand, text string, queries int) {
	n.t.Helper()
	var asked []*schemas.Query
	var want []string
	for i := range queries {
		q := drawQuery(rng, text, fmt.Sprint("gone", i))
		q.Order = schemas.OrderNode
		answer, _ := n.plain.found(q)
		asked, want = append(asked, q), append(want, answer)
	}
	for _, name := range []string{"a.log", "sub/b.log"} {
		remove(n.t, filepath.Join(n.dir, name))
	}
	for again := range 2 {
		for i, q := range asked {
			q.ID = fmt.Sprint(q.ID, "-", again)
			if got, end := n.found(q); got != want[i] {
				n.t.Fatalf("%s: %q after the logs are gone\ngot %+v\n%s\nwant\n%s", flags(q), q.Patterns, end, got, want[i])
			}
		}
		n.stop()
		n.start(n.t, 100)
	}
}

// Rotation of a log whose lines are sealed neither loses nor doubles a line, at any of its steps.
func TestSealedLogRotates(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 6))
	text := drawLog(rng, 1000)
	n := sealedFleet(t, 100, map[string]string{"a.log": text})
	n.seal(time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC))
	log := filepath.Join(n.dir, "a.log")
	count := func(want int64, after string) {
		t.Helper()
		q := query("count-"+strings.ReplaceAll(after, " ", "-"), "id=")
		if _, end := n.found(q); end.Lines != want || end.Status != schemas.StatusComplete {
			t.Errorf("%s: %d lines, want %d; %+v", after, end.Lines, want, end)
		}
	}
	count(1000, "sealed")
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	count(1000, "renamed")
	write(t, log, drawLog(rng, 50))
	count(1050, "a new log")
	write(t, log+".1.gz", packed(t, text, "gzip"))
	remove(t, log+".1")
	count(1050, "packed")
	n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	count(1050, "sealed again")
	remove(t, log+".1.gz")
	count(1050, "deleted")
}

// What is wrong with a configuration is said.
func TestStoreConfig(t *testing.T) {
	for text, want := range map[string]string{
		"sources: [{logs: /l/*.log, store: frozen}]\nstate: /s":                                  `source 1: store "frozen" is not sealed`,
		"sources: [{logs: /l/*.log, store: sealed}]":                                             "source 1: store: sealed wants a state directory",
		"sources: [{kind: journald, store: sealed}]\nstate: /s":                                  "source 1: store: sealed is of plain logs",
		"sources: [{logs: /l/*.log, store: sealed, format: cri}]\nstate: /s":                     "source 1: store: sealed is of plain logs",
		"sources: [{logs: /l/*.log, store: sealed}]\nstate: /s\nsealed: {window: 1s}":            "sealed.window: 1s is not within",
		"sources: [{logs: /l/*.log, store: sealed}]\nstate: /s\nsealed: {lines: 3}":              "sealed.lines: 3 is not within",
		"sources: [{logs: /l/*.log, store: sealed}]\nstate: /s\nsealed: {age: 1m}":               "sealed.age: 1m0s is shorter",
		"sources: [{logs: /l/*.log, store: sealed}]\nstate: /s\nsealed: {size: 10}":              "sealed.size: 10 bytes",
		"sources: [{logs: /l/*.log, store: sealed}]\nstate: /s\nsealed: {keep: 3}":               `unknown key "keep"`,
		"sources: [{logs: /l/*.log, store: sealed}]\nstate: /s\nsealed: {cpu: 200%}":             "sealed.cpu: 200%",
		"sources: [{logs: /l/*.log, store: sealed}]\nstate: /s\nsealed: {age: 30d, size: 50GiB}": "",
	} {
		c := DefaultConfig()
		err := c.merge([]byte("node: n\n" + text))
		if err == nil {
			err = c.Finish()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// The node tells its sealed blocks, and what is wrong with them.
func TestSealedCheckup(t *testing.T) {
	n := sealedFleet(t, 64, map[string]string{"a.log": drawLog(rand.New(rand.NewPCG(8, 7)), 200)})
	n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	c := n.r.SealedCheckup(context.Background(), true)
	if c.Refused != "" || !c.Settled || len(c.Blocks) != 4 || n.plain.r.SealedCheckup(context.Background(), false) != nil {
		t.Fatalf("%+v", c)
	}
	lines := int64(0)
	for _, b := range c.Blocks {
		if lines += b.Lines; b.Err != "" || b.Logs != 1 || b.Service != "app" || b.First == schemas.NoTime || b.First > b.Last || b.Stored >= b.Bytes {
			t.Errorf("%+v", b)
		}
	}
	if lines != 200 {
		t.Errorf("%d lines", lines)
	}
	writeAt(t, filepath.Join(n.state, "sealed", c.Blocks[1].ID+".sealed"), "damaged by somebody", 200)
	for i, b := range n.r.SealedCheckup(context.Background(), true).Blocks {
		if (b.Err != "") != (i == 1) {
			t.Errorf("block %d after the second was damaged: %q", i, b.Err)
		}
	}
	if _, end := n.found(query("live", "id=")); end.Status != schemas.StatusComplete || end.Lines != 200 {
		t.Errorf("the log is there still: %+v", end)
	}
	remove(t, filepath.Join(n.dir, "a.log"))
	if _, end := n.found(query("q", "id=")); end.Status != schemas.StatusPartial || !strings.Contains(fmt.Sprint(end.Errors), "damaged") {
		t.Errorf("%+v", end)
	}
}
