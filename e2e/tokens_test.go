package e2e

import (
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/trawl-logs/trawl/sample"
)

// sampleFleet starts a bus and n responders over generated logs of the given size each.
func sampleFleet(t *testing.T, n int, size int64) (*fleet, *sample.Truth) {
	t.Helper()
	f := newFleet(t)
	dir := filepath.Join(f.home, "logs")
	truth, err := sample.Write(t.Context(), dir, sample.Options{Nodes: n, Size: size, Seed: 1, Rates: sample.DefaultRates}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range truth.Nodes {
		f.node(node.Node, "--logs", filepath.Join(dir, node.File))
	}
	f.up(n)
	return f, truth
}

// The counts of every token, node by node, are those that trawl gen knows.
func TestTokensEqualTruth(t *testing.T) {
	f, truth := sampleFleet(t, 4, 3_000_000)
	for _, token := range append([]string{"ABSENT"}, sample.Tokens...) {
		code := 0
		if truth.Total.Tokens[token] == 0 {
			code = 1
		}
		want := map[string]int{}
		var counted strings.Builder
		for _, node := range truth.Nodes {
			if n := node.Tokens[token]; n > 0 {
				want[node.Node] = int(n)
			}
			fmt.Fprintf(&counted, "%s:%s:%d\n", node.Node, filepath.Join(f.home, "logs", node.File), node.Tokens[token])
		}
		lines := f.grep("--output", "json", token)
		if got := lines.linesOf(t); !maps.Equal(got, want) || lines.code != code {
			t.Errorf("%s: lines %v, exit %d, want %v, exit %d; stderr: %s", token, got, lines.code, want, code, lines.stderr)
		}
		receipt := lines.receipt(t)
		if !receipt.Complete || receipt.Roster != "registered" || receipt.Lines != truth.Total.Tokens[token] || len(receipt.Nodes) != 4 {
			t.Errorf("%s: receipt %+v", token, receipt)
		}
		for _, node := range receipt.Nodes {
			if node.Status != "complete" || node.Lines != int64(want[node.Node]) {
				t.Errorf("%s: receipt of %s: %+v, want %d lines", token, node.Node, node, want[node.Node])
			}
		}
		if count := f.grep("-c", token); count.stdout != counted.String() || count.code != code {
			t.Errorf("%s: -c prints\n%s, exit %d, want\n%s, exit %d", token, count.stdout, count.code, counted.String(), code)
		}
	}
}

// Two terminals of one user get each their own lines, however often they ask at once.
func TestTwoTerminals(t *testing.T) {
	f, truth := sampleFleet(t, 4, 1_000_000)
	var group sync.WaitGroup
	for i := range 8 {
		token := sample.Tokens[i%4]
		group.Go(func() {
			r := f.begin("grep", "--server", f.url, "-h", token).wait(patience)
			if n := strings.Count(r.stdout, "\n"); n != int(truth.Total.Tokens[token]) || n != strings.Count(r.stdout, token) || r.code != 0 {
				t.Errorf("%s: %d lines, %d with the token, exit %d, want %d", token, n, strings.Count(r.stdout, token), r.code, truth.Total.Tokens[token])
			}
		})
	}
	group.Wait()
}

// The order and narrowing flags of the fleet.
func TestFleetFlags(t *testing.T) {
	f, truth := sampleFleet(t, 3, 300_000)
	lines := func(r result) int { return strings.Count(r.stdout, "\n") }

	if r := f.grep("--order", "arrival", "-h", "EVERYWHERE"); lines(r) != int(truth.Total.Tokens["EVERYWHERE"]) || r.code != 0 {
		t.Errorf("--order arrival: %d lines, exit %d", lines(r), r.code)
	}
	if r := f.grep("--limit", "7", "EVERYWHERE"); lines(r) != 7 || r.code != 0 {
		t.Errorf("--limit 7: %d lines, exit %d: %s", lines(r), r.code, r.stderr)
	}
	if r := f.grep("-q", "RARE"); r.stdout != "" || r.code != 0 {
		t.Errorf("-q: %q, exit %d: %s", r.stdout, r.code, r.stderr)
	}
	if r := f.grep("-q", "ABSENT"); r.stdout != "" || r.code != 1 {
		t.Errorf("-q without a match: %q, exit %d: %s", r.stdout, r.code, r.stderr)
	}
	if r := f.grep("--node", "node[13]", "-c", "RARE"); lines(r) != 2 || strings.Contains(r.stdout, "node2") || r.code != 0 {
		t.Errorf("--node: %q, exit %d", r.stdout, r.code)
	}
	for _, args := range [][]string{{"--node", "nothere", "x"}, {"--service", "nothere", "x"}, {"x", "/no/such/*.log"}} {
		if r := f.grep(args...); r.code != 2 || !strings.Contains(r.stderr, "trawl: ") || r.stdout != "" {
			t.Errorf("%v selects nothing: exit %d, stderr %q", args, r.code, r.stderr)
		}
	}
	if r := f.grep("-h", "RARE", "**/node2.log"); lines(r) != 10 || r.code != 0 {
		t.Errorf("path glob: %d lines, exit %d: %s", lines(r), r.code, r.stderr)
	}
	if r := f.grep("--explain", "RARE"); r.code != 0 || !strings.Contains(r.stdout, "node2") {
		t.Errorf("--explain: exit %d: %q %q", r.code, r.stdout, r.stderr)
	}
	if r := f.grep("--receipt", "RARE"); !strings.Contains(r.stderr, "3 of 3 nodes complete") || r.code != 0 {
		t.Errorf("--receipt: %q", r.stderr)
	}
	if r := f.grep("(a|b"); r.code != 2 || r.stdout != "" {
		t.Errorf("bad pattern: exit %d: %q", r.code, r.stderr)
	}
	if r := f.grep(`(a)\1`); r.code != 2 {
		t.Errorf("back-reference: exit %d: %q", r.code, r.stderr)
	}
	if r := f.run("grep", "--server", "nats://127.0.0.1:1", "x"); r.code != 2 || !strings.Contains(r.stderr, "127.0.0.1:1") {
		t.Errorf("no bus: exit %d: %q", r.code, r.stderr)
	}
	var last int
	for line := range strings.Lines(f.grep("-n", "RARE", "--node", "node1").stdout) {
		number, err := strconv.Atoi(strings.Split(line, ":")[2])
		if err != nil || number <= last {
			t.Errorf("line number %d after %d: %v", number, last, err)
		}
		last = number
	}
}
