package profile

import (
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/sample"
)

var twoNodes = &sample.Truth{Nodes: []sample.NodeTruth{
	{Node: "node1", Counts: sample.Counts{Bytes: 60, Tokens: map[string]int64{"EVEN": 0}}},
	{Node: "node2", Counts: sample.Counts{Bytes: 40, Tokens: map[string]int64{"EVEN": 2}}},
}, Total: sample.Counts{Bytes: 100}}

const rightAnswer = "node2:f:a EVEN\nnode2:f:b EVEN\n"

// answered is a query with its answer, as it is read with Verify.
func answered(t *testing.T, answer string, status int, searched int64, c *checker) *query {
	t.Helper()
	q := &query{status: status, searched: searched, considered: 100}
	m := &measurement{o: Options{Verify: true}}
	if err := m.read(strings.NewReader(answer), q, time.Now(), c); err != nil {
		t.Fatal(err)
	}
	return q
}

// saysWrong holds err to be a WrongError that says part, or none where part is empty.
func saysWrong(t *testing.T, name string, err error, part string) {
	t.Helper()
	wrong, ok := errors.AsType[*WrongError](err)
	if part == "" && err != nil || part != "" && (!ok || !strings.Contains(wrong.Says, part)) {
		t.Errorf("%s: %.300v, want %q", name, err, part)
	}
}

func TestVerify(t *testing.T) {
	for _, test := range []struct {
		name, token, answer string
		status              int
		searched            int64
		says                string
	}{
		{"right", "EVEN", rightAnswer, 0, 100, ""},
		{"right, without the last line's end", "EVEN", strings.TrimSuffix(rightAnswer, "\n"), 0, 100, ""},
		{"right, pruned", "EVEN", rightAnswer, 0, 40, ""},
		{"right, empty", "ABSENT", "", 1, 100, ""},
		{"a line is missing", "EVEN", "node2:f:a EVEN\n", 0, 100, "map[node2:1]"},
		{"of another node", "EVEN", "node1:f:a EVEN\nnode2:f:b EVEN\n", 0, 100, "map[node1:1 node2:1]"},
		{"of no node", "EVEN", rightAnswer + "node3:f:c EVEN\n", 0, 100, "a line of none of the nodes: \"node3:f:c EVEN\""},
		{"of another token", "EVEN", "node2:f:a EVEN\nnode2:f:b ODD\n", 0, 100, "a line of node2 without EVEN: \"node2:f:b ODD\""},
		{"a long line", "EVEN", rightAnswer + strings.Repeat("EVEN", maxLine/4) + ".", 0, 100, "a line of more than 65536 bytes"},
		{"status", "EVEN", rightAnswer, 1, 100, "exit status 1"},
		{"searched more than there is", "EVEN", rightAnswer, 0, 101, "101 of 100 bytes"},
	} {
		v, c := &verify{truth: twoNodes, token: test.token}, newChecker(twoNodes, test.token)
		saysWrong(t, test.name, v.warmUp(answered(t, test.answer, test.status, test.searched, c), c), test.says)
	}
}

// What the warm-up was judged by, the timed answers are held to, byte by byte.
func TestVerifyTrials(t *testing.T) {
	v, c := &verify{truth: twoNodes, token: "EVEN"}, newChecker(twoNodes, "EVEN")
	if err := v.warmUp(answered(t, rightAnswer, 0, 100, c), c); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, answer string
		status       int
		searched     int64
		says         string
	}{
		{"right", rightAnswer, 0, 100, ""},
		{"right, pruned", rightAnswer, 0, 40, ""},
		{"a line is missing", "node2:f:a EVEN\n", 0, 100, "trial 3 had 1 lines, 15 bytes"},
		{"another byte", "node2:f:a EVEN\nnode2:f:c EVEN\n", 0, 100, "trial 3 had 2 lines, 30 bytes"},
		{"another order", "node2:f:b EVEN\nnode2:f:a EVEN\n", 0, 100, "trial 3 had 2 lines, 30 bytes"},
		{"status", rightAnswer, 1, 100, "exit status 1, want 0"},
		{"searched more than there is", rightAnswer, 0, 101, "101 of 100 bytes"},
	} {
		saysWrong(t, test.name, v.trial(3, answered(t, test.answer, test.status, test.searched, nil)), test.says)
	}
}

// endless are lines of two nodes, of any size.
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	const line = "node1:f:some words, then EVEN\n"
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)/len(line)), e.left)
	copy(p, strings.Repeat(line, int(n)))
	e.left -= n
	return int(n) * len(line), nil
}

// Where an answer is cut between two reads makes no difference, and what is kept of it is a line at most: an answer
// of 2 GB took trawl bench as much memory.
func TestCheckerKeepsALine(t *testing.T) {
	for size := 1; size <= len(rightAnswer); size++ {
		c := newChecker(twoNodes, "EVEN")
		for rest := rightAnswer; rest != ""; {
			part := rest[:min(size, len(rest))]
			if n, err := c.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
			rest = rest[len(part):]
		}
		if got := c.lines(); !maps.Equal(got, map[string]int64{"node2": 2}) || c.wrong != "" {
			t.Errorf("in parts of %d: %v %s", size, got, c.wrong)
		}
	}
	c, q := newChecker(twoNodes, "EVEN"), &query{}
	const lines = 1_000_000 // 30 MB
	if err := (&measurement{}).read(&endless{lines}, q, time.Now(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte(strings.Repeat("x", 4<<20))); err != nil {
		t.Fatal(err)
	}
	if cap(c.rest) > 2*maxLine || q.lines != lines || !strings.Contains(c.wrong, "more than 65536") {
		t.Errorf("%d bytes are kept; %d lines; %.300s", cap(c.rest), q.lines, c.wrong)
	}
	if got := c.lines()["node1"]; got != lines {
		t.Errorf("%d lines are counted", got)
	}
}
