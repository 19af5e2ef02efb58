package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/schemas"
)

// sealedNode is the configuration of a node whose log, of hours ago, is sealed at once, and whose blocks lie on two nodes.
const sealedNode = `state: %[1]s/state
rescan: 1s
sources: [{logs: %[1]s/*.log, service: shop, store: sealed}]
sealed: {window: 1m, cpu: 100%%, replicas: 2}
`

// five are the nodes of sealedFleet.
var five = []string{"a", "b", "c", "d", "e"}

// sealedFleet is five nodes that have sealed all but the last line of their logs, and have two copies of each block.
func sealedFleet(t *testing.T) (f *fleet, sealed, fresh []string, until string) {
	f = newFleet(t)
	sealed, fresh, until = f.sealing(five)
	return f, sealed, fresh, until
}

// sealing starts nodes, and waits until they have sealed all but the last line of their logs, and have two copies of each block. It
// returns the lines that are sealed, those that are not, and a time between them up to which every node says so.
func (f *fleet) sealing(names []string) (sealed, fresh []string, until string) {
	begin := time.Now().Add(-3 * time.Hour).Truncate(time.Hour).UTC()
	line := func(name string, at time.Time, i int) string {
		return fmt.Sprintf("%s %s line %d", at.Format("2006-01-02T15:04:05.000Z"), name, i)
	}
	for _, name := range names {
		var log []string
		for i := range 600 { // of three windows; the last one is so late that the record is written anew when it is sealed
			at := begin.Add(time.Duration(i) * 300 * time.Millisecond)
			if i >= 400 {
				at = at.Add(8 * time.Minute)
			}
			log = append(log, line(name, at, i))
		}
		sealed = append(sealed, log...)
		log = append(log, line(name, time.Now().Add(time.Hour).UTC(), 600)) // its window is not over before the test is
		fresh = append(fresh, log[600])
		f.sealingNode(name, log)
	}
	f.up(len(names))
	to := begin.Add(9 * time.Minute)
	conn := f.connect()
	f.twice(conn, 3*len(names))
	f.await("all nodes say that they have sealed", time.Minute, func() bool {
		roster, err := conn.Roster(f.t.Context())
		return err == nil && !sealing(&roster, to)
	})
	sealed = slices.DeleteFunc(sealed, func(l string) bool { return l >= to.Format("2006-01-02T15:04:05.000Z") })
	return sealed, fresh, to.Format(time.RFC3339)
}

// sealingNode starts a node that seals a log of these lines.
func (f *fleet) sealingNode(name string, log []string) {
	f.t.Helper()
	dir := filepath.Join(f.home, name)
	config := filepath.Join(dir, "trawl.yaml")
	for _, err := range []error{
		os.MkdirAll(dir, 0o700), os.WriteFile(config, fmt.Appendf(nil, sealedNode, dir), 0o600),
		os.WriteFile(filepath.Join(dir, "shop.log"), []byte(strings.Join(log, "\n")+"\n"), 0o600),
	} {
		if err != nil {
			f.t.Fatal(err)
		}
	}
	f.node(name, "--config", config)
}

// connect is the test's own connection to the bus.
func (f *fleet) connect() *bus.Conn {
	f.t.Helper()
	conn, err := bus.Connect(bus.Options{Server: f.url, Name: "test"})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(conn.Close)
	return conn
}

// twice waits until so many blocks are listed, and lie on the two nodes each where they are to stay: those of one service, window
// and number on the same ones.
func (f *fleet) twice(conn *bus.Conn, blocks int) {
	f.t.Helper()
	f.await("all blocks have their two owners", time.Minute, func() bool {
		n, two, owners := 0, 0, map[[2]int64]string{}
		_, err := conn.Blocks(f.t.Context(), schemas.BlockFilter{}, func(b *schemas.BlockRecord, _ uint64) {
			slices.Sort(b.Owners)
			key, all := [2]int64{b.Window, b.Number}, strings.Join(b.Owners, " ")
			if n++; len(b.Owners) == 2 && (owners[key] == "" || owners[key] == all) {
				two++
			}
			owners[key] = all
		})
		return err == nil && n == blocks && two == blocks
	})
}

// sameLines fails unless a command printed these lines, each once, in whatever order.
func sameLines(t *testing.T, what string, r result, code int, want []string) {
	t.Helper()
	got := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if r.code != code || !slices.Equal(got, want) {
		t.Fatalf("%s: exit status %d, want %d; %d lines, want %d\n%s", what, r.code, code, len(got), len(want), r.stderr)
	}
}

// storeReceipt is what of a receipt is about sealed blocks.
type storeReceipt struct {
	Complete bool
	Store    struct {
		Revision        uint64
		Blocks, Missing int
		Error           string
	}
	Nodes []struct {
		Node, Status, Reason string
		Sealed               bool
		SealedBlocks         int    `json:"sealed_blocks"`
		UnsealedSince        string `json:"unsealed_since"`
	}
}

// A node of five is dead, and there are two copies of each block: what is sealed is found, each line once, and an answer
// within it is complete; beyond, the receipt says since when the dead node's lines are missing.
func TestSealedLinesOutliveANode(t *testing.T) {
	f, sealed, fresh, until := sealedFleet(t)
	sameLines(t, "all are up", f.grep("-h", " line "), 0, append(allSealed(f), fresh...))
	sameLines(t, "all are up, sealed lines", f.grep("-h", "--until", until, " line "), 0, sealed)
	explained(t, f, sealed, until)

	dead, blocks := "", 0 // the node that reads most
	for _, n := range planned(t, f.grep("-c", "--output", "json", "--until", until, " line ")).Nodes {
		if n.SealedBlocks > blocks {
			dead, blocks = n.Node, n.SealedBlocks
		}
	}
	f.nodes[dead].end(syscall.SIGKILL)
	alive := func(line string) bool { return !strings.Contains(line, " "+dead+" ") }
	sameLines(t, "one is dead, sealed lines", f.grep("-h", "--until", until, " line "), 0, sealed)
	sameLines(t, "in time order", f.grep("-h", "--order", "time", "--until", until, " line "), 0, sealed)
	sameLines(t, "of that one alone", f.grep("-h", "--node", dead, "--until", until, " line "), 0, slices.DeleteFunc(slices.Clone(sealed), alive))
	if r := f.grep("--until", until, "no such line"); r.code != 1 {
		t.Errorf("no sealed line matches: exit status %d\n%s", r.code, r.stderr)
	}
	r := f.grep("-c", "--output", "json", "--until", until, " line ")
	last, read := planned(t, r), 0
	for _, n := range last.Nodes {
		if read += n.SealedBlocks; n.Node == dead && (n.Status != "down" || !n.Sealed || n.SealedBlocks > 0) {
			t.Errorf("the dead node in the receipt: %+v", n)
		}
	}
	if strings.Count(r.stdout, `"count":400}`) != 5 || !last.Complete || last.Store.Blocks != 10 || last.Store.Missing != 0 || read != 10 {
		t.Errorf("counts: %s", r.stdout)
	}

	r = f.grep("-h", " line ")
	sameLines(t, "and what is not sealed", r, 3, append(allSealed(f), slices.DeleteFunc(fresh, func(l string) bool { return !alive(l) })...))
	if !strings.Contains(r.stderr, dead+"  down  unsealed tail since ") {
		t.Errorf("what is missing is not named:\n%s", r.stderr)
	}
	if r := f.grep("--since", "10m", "no such line"); r.code != 4 {
		t.Errorf("no late line matches: exit status %d\n%s", r.code, r.stderr)
	}
	noPartAnyMore(t, f, dead, sealed, until)
}

// noPartAnyMore has a node come back without a part in the store, and with its log gone; then with nothing at all of what it had. What it
// sealed is found, each line once: it is told that others read it.
func noPartAnyMore(t *testing.T, f *fleet, name string, sealed []string, until string) {
	t.Helper()
	dir := filepath.Join(f.home, name)
	config := filepath.Join(dir, "trawl.yaml")
	conn, instance := f.connect(), ""
	for _, c := range []struct{ what, remove, config string }{
		{"without replicas", "shop.log", strings.Replace(fmt.Sprintf(sealedNode, dir), ", replicas: 2", "", 1)},
		{"with nothing", "state", fmt.Sprintf("rescan: 1s\nsources: [{logs: %s/*.log, service: shop}]\n", dir)},
	} {
		if f.nodes[name].running() {
			f.nodes[name].end(syscall.SIGTERM)
		}
		if err := errors.Join(os.RemoveAll(filepath.Join(dir, c.remove)), os.WriteFile(config, []byte(c.config), 0o600)); err != nil {
			t.Fatal(err)
		}
		f.node(name, "--config", config)
		f.up(len(five))
		f.await("its record says so", time.Minute, func() bool {
			roster, err := conn.Roster(t.Context())
			i := slices.IndexFunc(roster.Nodes, func(n bus.Known) bool { return n.Name == name && n.Instance != instance && !n.Stores() })
			if err != nil || i < 0 {
				return false
			}
			instance = roster.Nodes[i].Instance
			return true
		})
		sameLines(t, "back "+c.what, f.grep("-h", "--until", until, " line "), 0, sealed)
	}
}

// explained holds --explain to the plan that a query goes by: nothing is searched, each block in question has one reader, and
// who has no part in it is pruned.
func explained(t *testing.T, f *fleet, sealed []string, until string) {
	t.Helper()
	r := f.grep("--explain", "--until", until, " line ")
	head, readers, ok := strings.Cut(r.stdout, "block list: revision ")
	if !ok || !strings.Contains(readers, ", 10 sealed blocks in question\n") || strings.Contains(r.stdout, " line ") || r.code != 0 {
		t.Fatalf("--explain: exit status %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	total := 0
	for row := range strings.Lines(readers[strings.Index(readers, "\n")+1:]) {
		var node string
		var blocks int
		if _, err := fmt.Sscan(row, &node, &blocks); err != nil || f.nodes[node] == nil {
			t.Errorf("--explain: %q: %v", row, err)
		}
		if total += blocks; !strings.Contains(head, node+" ") {
			t.Errorf("--explain: %s reads %d blocks, and has no row\n%s", node, blocks, head)
		}
	}
	if total != 10 {
		t.Errorf("--explain: %d blocks have readers\n%s", total, r.stdout)
	}
	// The blocks of one window lie on two of the five nodes.
	since, err := time.Parse(time.RFC3339, until)
	if err != nil {
		t.Fatal(err)
	}
	since = since.Add(-9 * time.Minute)
	of := []string{"--since", since.Format(time.RFC3339), "--until", since.Add(time.Minute).Format(time.RFC3339)}
	three := regexp.MustCompile(`(?m)^[a-e] +pruned( +-){5}$`)
	f.await("--explain says that three nodes are pruned", time.Minute, func() bool { // where blocks belong may change, as disks are measured
		r = f.grep(append(of, "--explain", " line ")...)
		return len(three.FindAllString(r.stdout, -1)) == 3 && strings.Contains(r.stdout, ", 5 sealed blocks in question\n")
	})
	end := since.Add(time.Minute).Format("2006-01-02T15:04:05.000Z")
	sameLines(t, "one window", f.grep(append(of, "-h", " line ")...), 0, slices.DeleteFunc(slices.Clone(sealed), func(l string) bool { return l >= end }))
	f.await("the receipt says that three nodes are pruned", time.Minute, func() bool {
		last := planned(t, f.grep(append(of, "-c", "--output", "json", " line ")...))
		if !last.Complete || last.Store.Blocks != 5 || last.Store.Revision == 0 || last.Store.Error != "" {
			t.Fatalf("one window: %+v", last)
		}
		pruned := 0
		for _, n := range last.Nodes {
			if n.Status == "pruned" {
				pruned++
			}
		}
		return pruned == 3
	})
}

// sealing says whether some node has not said that all before a time is in blocks that are listed.
func sealing(r *bus.Roster, until time.Time) bool {
	for i := range r.Nodes {
		if n := &r.Nodes[i]; n.Store == nil || len(n.Store.Services) != 1 || n.Store.Services[0].Until < until.UnixNano() {
			return true
		}
	}
	return false
}

// planned is the receipt of a query with --output json.
func planned(t *testing.T, r result) (last storeReceipt) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatalf("%v: %s", err, r.stderr)
	}
	return last
}

// allSealed are the lines of all logs but the last ones.
func allSealed(f *fleet) (lines []string) {
	for name := range f.nodes {
		text, err := os.ReadFile(filepath.Join(f.home, name, "shop.log"))
		if err != nil {
			f.t.Fatal(err)
		}
		log := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		lines = append(lines, log[:len(log)-1]...)
	}
	return lines
}
