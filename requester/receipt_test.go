package requester

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/schemas"
)

func node1(name string, s schemas.Status, reason string) NodeReceipt {
	return NodeReceipt{Node: name, Status: s, Reason: reason, Files: 1, Errors: []schemas.FileError{}}
}

func receiptOf(matched bool, nodes ...NodeReceipt) *Receipt {
	r := &Receipt{Type: "receipt", Matched: matched, Roster: RosterRegistered, Nodes: nodes, Complete: true}
	for _, n := range nodes {
		r.Files += n.Files
		r.Complete = r.Complete && n.Status == schemas.StatusComplete
	}
	return r
}

func TestExit(t *testing.T) {
	ok, bad := node1("a", schemas.StatusComplete, ""), node1("b", schemas.StatusDown, "x")
	empty := ok
	empty.Files = 0
	satisfied := receiptOf(true, ok, bad)
	satisfied.Satisfied = true
	for name, c := range map[string]struct {
		r             *Receipt
		code, partial int
	}{
		"match":              {receiptOf(true, ok), 0, 0},
		"no match":           {receiptOf(false, ok), 1, 1},
		"no node":            {receiptOf(false), 2, 2},
		"no file":            {receiptOf(false, empty), 2, 2},
		"match, one down":    {receiptOf(true, ok, bad), 3, 0},
		"no match, one down": {receiptOf(false, ok, bad), 4, 1},
		"all down":           {receiptOf(false, bad), 4, 1},
		"limit, one down":    {satisfied, 0, 0},
	} {
		if got := c.r.Exit(false); got != c.code {
			t.Errorf("%s: exit %d, want %d", name, got, c.code)
		}
		if got := c.r.Exit(true); got != c.partial {
			t.Errorf("%s, partial is fine: exit %d, want %d", name, got, c.partial)
		}
	}
}

// TestReceiptJSON holds the names that programs rely on: fields may be added, none renamed.
func TestReceiptJSON(t *testing.T) {
	r := receiptOf(true, node1("a", schemas.StatusPartial, "why"))
	r.Nodes[0].Errors = append(r.Nodes[0].Errors, schemas.FileError{File: "f", Err: "e"})
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"receipt","complete":false,"satisfied":false,"matched":true,"query":"","roster":"registered","elapsed_ms":0,` +
		`"lines":0,"bytes":0,"bytes_read":0,"bytes_considered":0,"files":1,"assumed_sorted":0,"blocks":{"considered":0,"skipped":0,"read":0,"skipped_time":0,"index_bytes":0},` +
		`"nodes":[{"node":"a","status":"partial","reason":"why","lines":0,"bytes":0,"bytes_read":0,"bytes_considered":0,"files":1,"assumed_sorted":0,` +
		`"blocks":{"considered":0,"skipped":0,"read":0,"skipped_time":0,"index_bytes":0},"elapsed_ms":0,"heard_ms":0,"given_up_ms":0,"errors":[{"file":"f","error":"e"}],"error_count":0,"unexpected":false,"skipped":0,"left":0}]}`
	if string(data) != want {
		t.Errorf("got\n%s\nwant\n%s", data, want)
	}
}

func TestReceiptText(t *testing.T) {
	r := receiptOf(true,
		node1("node1", schemas.StatusComplete, ""), node1("node2", schemas.StatusDown, "nobody is subscribed for it"),
		node1("node10", schemas.StatusPartial, "\x1b[2Jevil"), node1("x", schemas.StatusUnreachable, strings.Repeat("long ", 30)))
	r.Lines, r.Bytes, r.BytesRead, r.BytesConsidered, r.ElapsedMS = 1234567, 1_200_000, 229_000_000, 1_240_000_000, 1310
	r.Nodes[2].Errors, r.Nodes[2].ErrorCount = []schemas.FileError{{File: "/var/log/x", Err: "permission denied"}}, 3
	want := `1 of 4 nodes complete, 1,234,567 lines (1.2 MB),
  searched 229 MB of 1.2 GB in 1.3 s
  node2   down         nobody is subscribed for it
  node10  partial      \x1b[2Jevil; 3 files failed, first /var/log/x: permiss...
  x       unreachable  long long long long long long long long long long long...
`
	if got := r.Text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What rests on samples is said, even of an answer that is complete.
func TestReceiptTellsWhatIsAssumed(t *testing.T) {
	r := receiptOf(true, node1("node1", schemas.StatusComplete, ""))
	for n, want := range map[int64]string{
		0: "", 1: "  1 file taken for sorted from samples; --exhaustive reads all\n",
		1234: "  1,234 files taken for sorted from samples; --exhaustive reads all\n",
	} {
		r.AssumedSorted = n
		if _, notes, _ := strings.Cut(r.Text(), "\n"); notes != want {
			t.Errorf("of %d files: %q, want %q", n, notes, want)
		}
	}
}

// A file that failed is told once, and one file is not "1 files".
func TestReceiptTellsFailedFilesOnce(t *testing.T) {
	x := schemas.FileError{File: "/x", Err: "permission denied"}
	for want, n := range map[string]NodeReceipt{
		"/x: permission denied":                           {Reason: "1 file could not be searched in full", Errors: []schemas.FileError{x}, ErrorCount: 1},
		"2 files failed, first /x: permission denied":     {Reason: "2 files could not be searched in full", Errors: []schemas.FileError{x, x}, ErrorCount: 2},
		"deadline; /x: permission denied":                 {Reason: "deadline", Errors: []schemas.FileError{x}, ErrorCount: 1},
		"1,234 files failed, first /x: permission denied": {Errors: []schemas.FileError{x}, ErrorCount: 1234},
		"1 file could not be searched in full":            {Reason: "1 file could not be searched in full", ErrorCount: 1},
	} {
		if got := reason(&n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestReceiptTextOfALargeFleet(t *testing.T) {
	var nodes []NodeReceipt
	for i := range 300 {
		nodes = append(nodes, node1(fmt.Sprintf("n%d", i), schemas.StatusDown, "nobody is subscribed for it"))
	}
	text := receiptOf(false, nodes...).Text()
	for _, line := range strings.Split(text, "\n") {
		if utf8.RuneCountInString(line) > textWidth {
			t.Errorf("line of %d columns: %s", utf8.RuneCountInString(line), line)
		}
	}
	for i := range 300 {
		if name := fmt.Sprintf("n%d", i); !slices.Contains(strings.Fields(text), name) {
			t.Errorf("%s is not named", name)
		}
	}
}

func TestNaturalOrder(t *testing.T) {
	want := []string{"a", "a1", "a1b", "a01", "a2", "a10", "a10b2", "a10b10", "b", "node1", "node2", "node10"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, func(a, b string) int {
		if naturalLess(a, b) {
			return -1
		}
		return 1
	})
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9950: "10 kB", 999_499: "999 kB", 999_500: "1.0 MB", 1 << 62: "4.6 EB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -999: "-999", 1234567: "1,234,567"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %s, want %s", n, got, want)
		}
	}
}

// Of a query that followed, the receipt says who was there to the end, who was not, and what is missing.
func TestReceiptOfFollow(t *testing.T) {
	back, slow := node1("c", schemas.StatusStopped, "interrupted"), node1("d", schemas.StatusStopped, "interrupted")
	back.Left, slow.Left, slow.Skipped = 1, 2, 1234
	r := receiptOf(true, node1("a", schemas.StatusStopped, "interrupted"), node1("b", schemas.StatusDown, "nobody is subscribed for it"), back, slow)
	r.following, r.Lines, r.Bytes, r.ElapsedMS = true, 2000, 5000, 5100
	want := `3 of 4 nodes followed to the end, 2,000 lines (5.0 kB) in 5.1 s
  b  down     nobody is subscribed for it
  c  stopped  was away once
  d  stopped  was away 2 times; skipped 1,234 lines
`
	if got := r.Text(); got != want {
		t.Errorf("%s", got)
	}
}
