package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A node that reads sealed blocks is killed in the middle of its part, of which more is left than may be on the way: another owner of
// its blocks goes on where it was. All lines come, each once, and the answer is complete.
func TestReaderDiesHalfWay(t *testing.T) {
	f := newFleet(t)
	begin := time.Now().Add(-3 * time.Hour).Truncate(time.Hour).UTC()
	until := begin.Add(2 * time.Minute)
	names := []string{"a", "b"}
	var all []string
	pad := strings.Repeat("x", 8000)
	for _, name := range names { // of two windows, of which each node has a block of 10 MB: both nodes have all four, and read two
		var log []string
		for i := range 2600 {
			at := begin.Add(time.Duration(i) * 45 * time.Millisecond)
			log = append(log, fmt.Sprintf("%s %s line %d %s", at.Format("2006-01-02T15:04:05.000Z"), name, i, pad))
		}
		all = append(all, log...)
		f.sealingNode(name, log)
	}
	f.up(len(names))
	conn := f.connect()
	f.twice(conn, 4)
	f.await("all nodes say that they have sealed", time.Minute, func() bool {
		roster, err := conn.Roster(t.Context())
		return err == nil && !sealing(&roster, until)
	})
	ask := []string{"-h", "--receipt", "--until", until.Format(time.RFC3339), " line "}
	for _, n := range planned(t, f.grep("-c", "--output", "json", "--until", until.Format(time.RFC3339), " line ")).Nodes {
		if n.SealedBlocks != 2 {
			t.Fatalf("%s reads %d blocks", n.Node, n.SealedBlocks)
		}
	}
	const reader = "a"
	q, rest := f.stalled(ask...) // 16 MiB may be on the way, and the reader is to give 20 MB
	f.nodes[reader].end(syscall.SIGKILL)
	r := q.finish(rest)
	sameLines(t, reader+" is killed", r, 0, all)
	if !regexp.MustCompile(`(?m)^  ` + reader + `  [a-z]+ +sealed, and read elsewhere`).MatchString(r.stderr) {
		t.Errorf("the receipt does not say that %s was killed:\n%s", reader, r.stderr)
	}
	sameLines(t, reader+" is dead", f.grep(ask...), 0, all)
}
