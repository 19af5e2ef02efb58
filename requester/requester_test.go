package requester_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func logOf(node string, lines int) string {
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "%s line %d\n", node, i)
	}
	return b.String()
}

func bigFleet(nodes, lines int) (*fleet, requester.GivenRoster) {
	f := &fleet{logs: map[string]string{}}
	var roster requester.GivenRoster
	for i := range nodes {
		name := fmt.Sprintf("node%d", i+1)
		f.logs[name] = logOf(name, lines)
		roster = append(roster, name)
	}
	return f, roster
}

func query(t *testing.T, r *requester.Requester, q *schemas.Query) *requester.Answer {
	t.Helper()
	a, err := r.Query(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestEveryLineInNodeOrder(t *testing.T) {
	f, roster := bigFleet(12, 20_000) // 4 MB, in a window of two
	a := query(t, requester.New(f, roster, requester.WithWindow(2<<20)), requester.NewQuery("line"))
	var want, got strings.Builder
	for _, name := range roster { // node2 before node10
		want.WriteString(f.logs[name])
	}
	for _, chunks := range a.Chunks() {
		for i := range chunks {
			got.Write(chunks[i].Text)
		}
	}
	if got.String() != want.String() {
		t.Errorf("%d bytes came, want %d", got.Len(), want.Len())
	}
	if r := a.Receipt(); !r.Complete || r.Lines != 240_000 || r.Exit(false) != requester.ExitMatch {
		t.Errorf("receipt: %s", r.Text())
	}
}

func TestLimitIsExact(t *testing.T) {
	for _, order := range []schemas.Order{schemas.OrderNode, schemas.OrderArrival} {
		f, roster := bigFleet(5, 10_000)
		q := requester.NewQuery("line")
		q.Order, q.Limit = order, 12_345
		a := query(t, requester.New(f, roster), q)
		n := 0
		for _, err := range a.Hits() {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		r := a.Receipt()
		if n != 12_345 || r.Lines != 12_345 || !r.Satisfied || r.Exit(false) != requester.ExitMatch || r.Trouble() {
			t.Errorf("%d hits; %s", n, r.Text())
		}
	}
}

func TestQuietEndsAtTheFirst(t *testing.T) {
	f, roster := bigFleet(5, 10_000)
	q := requester.NewQuery("line 9999")
	q.Mode = schemas.ModeQuiet
	a := query(t, requester.New(f, roster), q)
	for range a.Chunks() {
		t.Error("-q prints something")
	}
	if r := a.Receipt(); !r.Matched || r.Exit(false) != requester.ExitMatch {
		t.Errorf("receipt: %s", r.Text())
	}
	q.Patterns = []string{"absent"}
	a = query(t, requester.New(f, roster), q)
	a.Close()
	a = query(t, requester.New(f, roster), q)
	for range a.Chunks() {
		t.Error("-q prints something")
	}
	if r := a.Receipt(); r.Matched || r.Exit(false) != requester.ExitNone {
		t.Errorf("receipt: %s", r.Text())
	}
}

func TestLeavingTheLoopEndsTheQuery(t *testing.T) {
	f, roster := bigFleet(3, 50_000)
	a := query(t, requester.New(f, roster, requester.WithWindow(2<<20)), requester.NewQuery("line"))
	for range a.Hits() {
		break
	}
	r := a.Receipt()
	if f.quits != 1 || r.Lines == 0 || r.Nodes[2].Status != schemas.StatusStopped {
		t.Errorf("%d cancels; %s", f.quits, r.Text())
	}
}

func TestInterrupted(t *testing.T) {
	f, roster := bigFleet(3, 50_000)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a, err := requester.New(f, roster, requester.WithWindow(2<<20)).Query(ctx, requester.NewQuery("line"))
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range a.Hits() {
		cancel()
		last = err
	}
	var incomplete *requester.IncompleteError
	if !errors.As(last, &incomplete) || f.quits != 1 || a.Receipt().Exit(false) != requester.ExitMatchPartial {
		t.Errorf("%v; %d cancels; %s", last, f.quits, a.Receipt().Text())
	}
}

func TestRefusals(t *testing.T) {
	f, roster := bigFleet(2, 1)
	r := requester.New(f, roster)
	for name, c := range map[string]struct {
		change func(*schemas.Query)
		want   string
	}{
		"no pattern": {func(q *schemas.Query) { q.Patterns = nil }, "query.patterns"},
		"too large":  {func(q *schemas.Query) { q.Patterns = []string{strings.Repeat("x", schemas.MaxBare-10)} }, "bytes"},
		"no node":    {func(q *schemas.Query) { q.Select.Nodes = []string{"db*"} }, "no node"},
	} {
		q := requester.NewQuery("x")
		c.change(q)
		if _, err := r.Query(context.Background(), q); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProgressIsReported(t *testing.T) {
	f, roster := bigFleet(3, 100)
	var last requester.Progress
	a := query(t, requester.New(f, roster, requester.WithProgress(func(p requester.Progress) { last = p })), requester.NewQuery("line"))
	for range a.Chunks() {
	}
	if last.Nodes != 3 || last.Through != 3 || last.Lines != 300 || last.BytesRead != last.BytesConsidered || last.BytesRead == 0 {
		t.Errorf("the last progress is %+v", last)
	}
}

// TestASlowConsumerSlowsTheNodes reads a megabyte, stands still until the nodes have nothing more to
// send, and reads on: all must come.
func TestASlowConsumerSlowsTheNodes(t *testing.T) {
	f, roster := bigFleet(4, 100_000) // 6 MB
	a := query(t, requester.New(f, roster, requester.WithWindow(2<<20)), requester.NewQuery("line"))
	lines, stood := int64(0), false
	for _, chunks := range a.Chunks() {
		for i := range chunks {
			lines += int64(chunks[i].Lines('\n'))
		}
		if !stood {
			stood = true
			grants := func() int { f.mu.Lock(); defer f.mu.Unlock(); return f.grants }
			for n := -1; n != grants(); {
				n = grants()
				<-time.After(120 * time.Millisecond) // two ticks without a grant
			}
		}
	}
	if lines != 400_000 || !a.Receipt().Complete {
		t.Errorf("%d lines: %s", lines, a.Receipt().Text())
	}
}
