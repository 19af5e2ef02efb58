package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/schemas"
)

// store is a fleet whose sealed blocks lie on two nodes each.
type store struct {
	*fleet
	conn *bus.Conn

	mu      sync.Mutex
	lines   map[string]bool // that were written, or are about to be
	written map[string]bool // that were written
}

// storeConfig is a node's configuration. The log's windows are over: it is sealed at once.
const storeConfig = `state: %[1]s/state
rescan: 1s
sources: [{logs: %[1]s/*.log, service: shop, store: sealed}]
sealed: {window: 1m, lines: 4096, cpu: 100%%, replicas: 2, bandwidth: %[2]s}
`

// join starts a node that copies at some rate; its log is written the first time.
func (s *store) join(name, bandwidth string) *process {
	s.t.Helper()
	dir := filepath.Join(s.home, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	config := filepath.Join(dir, "trawl.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, storeConfig, dir, bandwidth), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return s.node(name, "--config", config)
}

// write appends lines that compress badly to a node's log, of two hours ago, 750 for each minute, from the given one on.
func (s *store) write(name string, minute, lines int) {
	s.t.Helper()
	rnd := rand.New(rand.NewPCG(uint64(name[0]), uint64(minute)))
	begin := time.Now().Add(-2 * time.Hour).Truncate(time.Hour).Add(time.Duration(minute) * time.Minute).UTC()
	log := map[string]bool{}
	var text strings.Builder
	for i := range lines {
		line := fmt.Sprintf("%s %s line %d.%d %016x%016x%016x", begin.Add(time.Duration(i)*80*time.Millisecond).Format("2006-01-02T15:04:05.000Z"), name, minute, i, rnd.Uint64(), rnd.Uint64(), rnd.Uint64())
		log[line] = true
		text.WriteString(line + "\n")
	}
	s.mu.Lock()
	maps.Copy(s.lines, log)
	s.mu.Unlock()
	dir := filepath.Join(s.home, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "shop.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = f.WriteString(text.String())
	if err := errors.Join(err, f.Close()); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	maps.Copy(s.written, log)
	s.mu.Unlock()
}

// listed waits until the block list has all lines, and all its blocks suit.
func (s *store) listed(what string, suits func(*schemas.BlockRecord) bool) {
	s.t.Helper()
	var last []string
	defer func() {
		if s.t.Failed() {
			s.t.Log("the list:\n" + strings.Join(last, "\n"))
		}
	}()
	s.await(what, 60*time.Second, func() bool {
		last = nil
		all, lines := true, int64(0)
		_, err := s.conn.Blocks(s.t.Context(), schemas.BlockFilter{}, func(b *schemas.BlockRecord, _ uint64) {
			last = append(last, fmt.Sprint(b.ID, b.Home, b.Lines, b.Owners))
			all = all && suits(b)
			lines += b.Lines
		})
		return err == nil && all && lines == int64(len(s.lines))
	})
}

// settled says whether the block list has all lines, and all its blocks have two owners.
func (s *store) settled() bool {
	all, lines := true, int64(0)
	_, err := s.conn.Blocks(s.t.Context(), schemas.BlockFilter{}, func(b *schemas.BlockRecord, _ uint64) {
		all = all && len(b.Owners) == 2
		lines += b.Lines
	})
	return err == nil && all && lines == int64(len(s.lines))
}

// sealedBy waits until a node's record says that all it wrote before a time is in blocks that are listed.
func (s *store) sealedBy(node string, until time.Time) {
	s.t.Helper()
	s.await("the roster knows what "+node+" has sealed", 30*time.Second, func() bool {
		roster, err := s.conn.Roster(s.t.Context())
		return err == nil && slices.ContainsFunc(roster.Nodes, func(n bus.Known) bool {
			return n.Name == node && n.Store != nil && len(n.Store.Services) == 1 && n.Store.Services[0].Until > until.UnixNano()
		})
	})
}

// asked is what came of the queries of a loop.
type asked struct {
	mu        sync.Mutex
	all, full int // queries; those whose answer was complete
	wrong     []string
}

func (a *asked) counts() (all, full int, wrong []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all, a.full, a.wrong
}

// keepAsking asks for all lines again and again, whatever happens to the fleet meanwhile, until stop: no line comes twice, and an
// answer that says that it is complete has all that was written before it was asked for.
func (s *store) keepAsking() (a *asked, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	a = &asked{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			s.mu.Lock()
			before := slices.Collect(maps.Keys(s.written))
			s.mu.Unlock()
			ask := exec.CommandContext(ctx, program, "grep", "--server", s.url, "-h", "--until", "1h", " line ")
			ask.Env, ask.Dir = environment(s.home), s.home
			var stderr strings.Builder
			ask.Stderr = &stderr
			out, err := ask.Output()
			if exit := (*exec.ExitError)(nil); ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
				return
			}
			code := ask.ProcessState.ExitCode()
			wrong := s.judge(string(out), before, code)
			a.mu.Lock()
			if a.all++; code == 0 {
				a.full++
			}
			if wrong != "" {
				a.wrong = append(a.wrong, fmt.Sprintf("exit status %d: %s\n%s", code, wrong, &stderr))
			}
			a.mu.Unlock()
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	s.t.Cleanup(stop)
	return a, stop
}

// judge says what of an answer is wrong, to a query before which these lines were written.
func (s *store) judge(out string, before []string, code int) string {
	found := map[string]int{}
	for line := range strings.Lines(out) {
		found[strings.TrimSuffix(line, "\n")]++
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for line, n := range found {
		if n > 1 || !s.lines[line] {
			return fmt.Sprintf("%d times: %s", n, line)
		}
	}
	if code == 3 {
		return ""
	}
	if code != 0 {
		return "neither complete nor in part"
	}
	missing := slices.DeleteFunc(before, func(line string) bool { return found[line] == 1 })
	if len(missing) > 0 {
		return fmt.Sprintf("%d of %d lines are missing, such as %s", len(missing), len(before), missing[0])
	}
	return ""
}

// whole asks for all lines: each is found once, and the answer is complete.
func (s *store) whole(when string, nodes ...string) {
	s.t.Helper()
	r := s.grep("-h", "--until", "1h", " line ")
	found := map[string]int{}
	for line := range strings.Lines(r.stdout) {
		found[strings.TrimSuffix(line, "\n")]++
	}
	for line, n := range found {
		if n > 1 || !s.lines[line] {
			s.t.Fatalf("%s: %d times: %s", when, n, line)
		}
	}
	if r.code != 0 || len(found) != len(s.lines) {
		s.t.Fatalf("%s: exit status %d, %d of %d lines\n%s", when, r.code, len(found), len(s.lines), r.stderr)
	}
}

// Blocks come to lie on two nodes each, while one is killed in the middle of a copy; what a node that is
// forgotten had is copied from the others; a node that drains is left with none. Then all lines are found, each once. All the
// while somebody asks for all lines, and more are written and sealed.
func TestStoreMoves(t *testing.T) {
	s := &store{fleet: newFleet(t), lines: map[string]bool{}, written: map[string]bool{}}
	all := []string{"a", "b", "c", "d"}
	for _, name := range all {
		s.write(name, 0, 3000)
	}
	s.join("a", "20MiB")
	s.join("b", "20MiB")
	s.join("c", "20MiB")
	d := s.join("d", "64KiB")
	s.conn = s.connect()
	s.up(4)
	asked, stop := s.keepAsking()
	s.await("a copy comes to d", 30*time.Second, func() bool { // or none belongs there: in one hour of 16 that is so
		copies, err := filepath.Glob(filepath.Join(s.home, "d/state/sealed-of/*/*.sealed*"))
		return err == nil && len(copies) > 0 || s.settled()
	})
	d.end(syscall.SIGKILL)
	s.join("d", "20MiB")
	s.up(4)
	s.whole("blocks are copied")
	for minute := range 3 { // sealed and copied while they are asked for
		_, before, _ := asked.counts()
		for _, name := range all {
			s.write(name, 4+minute, 300)
		}
		s.await("two complete answers more", time.Minute, func() bool { _, n, wrong := asked.counts(); return n >= before+2 || wrong != nil })
	}
	s.listed("all blocks have two owners", func(b *schemas.BlockRecord) bool { return len(b.Owners) == 2 })
	for _, name := range all {
		if err := os.Remove(filepath.Join(s.home, name, "shop.log")); err != nil {
			t.Fatal(err)
		}
	}
	s.whole("all nodes are up")

	s.sealedBy("c", time.Now().Add(-time.Hour))
	s.nodes["c"].end(syscall.SIGKILL)
	s.whole("c is dead")
	if r := s.run("nodes", "forget", "c", "--server", s.url); r.code != 0 {
		t.Fatalf("forget: %d, %s", r.code, r.stderr)
	}
	s.listed("c's blocks have two other owners", func(b *schemas.BlockRecord) bool {
		return len(b.Owners) == 2 && !slices.Contains(b.Owners, "c")
	})
	s.whole("c is forgotten")

	if r := s.run("nodes", "drain", "b", "--server", s.url); r.code != 0 || !strings.Contains(r.stdout, "b has no block") {
		t.Fatalf("drain: %d, %s%s", r.code, r.stdout, r.stderr)
	}
	s.nodes["b"].end(syscall.SIGTERM)
	if r := s.run("nodes", "forget", "b", "--server", s.url); r.code != 0 {
		t.Fatalf("forget: %d, %s", r.code, r.stderr)
	}
	s.whole("b has drained, and left")
	stop()
	queries, full, wrong := asked.counts()
	t.Logf("%d queries meanwhile, %d answers were complete", queries, full)
	for _, what := range wrong {
		t.Error(what)
	}
}
