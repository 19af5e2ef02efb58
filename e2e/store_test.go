package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/schemas"
)

// store is a fleet whose sealed blocks lie on two nodes each.
type store struct {
	*fleet
	conn  *bus.Conn
	lines map[string]bool // that were written
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

// write writes a node's log: 4 windows, of two hours ago, of lines that compress badly.
func (s *store) write(name string) {
	s.t.Helper()
	rnd := rand.New(rand.NewPCG(uint64(name[0]), 1))
	begin := time.Now().Add(-2 * time.Hour).Truncate(time.Hour).UTC()
	var log strings.Builder
	for i := range 3000 {
		line := fmt.Sprintf("%s %s line %d %016x%016x%016x", begin.Add(time.Duration(i)*80*time.Millisecond).Format("2006-01-02T15:04:05.000Z"), name, i, rnd.Uint64(), rnd.Uint64(), rnd.Uint64())
		s.lines[line] = true
		log.WriteString(line + "\n")
	}
	dir := filepath.Join(s.home, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "shop.log"), []byte(log.String()), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// listed waits until the block list has so many blocks, and all of them suit.
func (s *store) listed(what string, blocks int, suits func(*schemas.BlockRecord) bool) {
	s.t.Helper()
	var last []string
	defer func() {
		if s.t.Failed() {
			s.t.Log("the list:\n" + strings.Join(last, "\n"))
		}
	}()
	s.await(what, 60*time.Second, func() bool {
		last = nil
		all := true
		_, err := s.conn.Blocks(s.t.Context(), schemas.BlockFilter{}, func(b *schemas.BlockRecord, _ uint64) {
			last = append(last, fmt.Sprint(b.ID, b.Home, b.Owners))
			all = all && suits(b)
		})
		return err == nil && all && len(last) == blocks
	})
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
// forgotten had is copied from the others; a node that drains is left with none. Then all lines are found, each once.
func TestStoreMoves(t *testing.T) {
	s := &store{fleet: newFleet(t), lines: map[string]bool{}}
	for _, name := range []string{"a", "b", "c", "d"} {
		s.write(name)
	}
	s.join("a", "20MiB")
	s.join("b", "20MiB")
	s.join("c", "20MiB")
	d := s.join("d", "64KiB")
	var err error
	if s.conn, err = bus.Connect(bus.Options{Server: s.url, Name: "store test"}); err != nil {
		t.Fatal(err)
	}
	defer s.conn.Close()
	s.up(4)
	s.await("a copy comes to d", 30*time.Second, func() bool { // or came, should nobody look here meanwhile
		copies, err := filepath.Glob(filepath.Join(s.home, "d/state/sealed-of/*/*.sealed*"))
		return err == nil && len(copies) > 0
	})
	d.end(syscall.SIGKILL)
	s.join("d", "20MiB")
	s.up(4)
	s.whole("blocks are copied")
	const blocks = 16
	s.listed("all blocks have two owners", blocks, func(b *schemas.BlockRecord) bool { return len(b.Owners) == 2 })
	for _, name := range []string{"a", "b", "c", "d"} {
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
	s.listed("c's blocks have two other owners", blocks, func(b *schemas.BlockRecord) bool {
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
}
