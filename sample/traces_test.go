package sample

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func smallTraces(seed uint64) TraceOptions {
	return TraceOptions{Nodes: 4, Services: 9, Size: 60_000, Seed: seed, Every: 40 * time.Millisecond, Skew: 50 * time.Millisecond, Truth: 10_000}
}

// readLogs gives the lines of every NODE/SERVICE.log.
func readLogs(t *testing.T, dir string) map[string][]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "node*", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	logs := map[string][]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(text, []byte("\n")) {
			t.Errorf("%s does not end in a newline", name)
		}
		key, _ := filepath.Rel(dir, name)
		logs[key] = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	return logs
}

func timeOf(t *testing.T, line string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, strings.Fields(line)[0])
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// The truth has the lines with a request's id, all of them and no others; it counts what there is; what is
// written to dir is what is returned.
func TestTracesTruth(t *testing.T) {
	dir := t.TempDir()
	truth, err := WriteTraces(t.Context(), dir, smallTraces(1), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	logs := readLogs(t, dir)
	var lines, size int64
	got := map[string][]string{} // by id
	for name, text := range logs {
		for i, line := range text {
			lines++
			size += int64(len(line)) + 1
			if _, rest, ok := strings.Cut(line, " req="); ok {
				got[rest[:16]] = append(got[rest[:16]], fmt.Sprintf("%s:%d:%s", name, i+1, line))
			}
		}
	}
	if lines != truth.Lines || size != truth.Bytes || size < 4*60_000 || int64(len(truth.Requests)) != truth.Made || len(got) != len(truth.Requests) {
		t.Errorf("%d lines, %d bytes, %d requests; the truth has %d, %d, %d of %d", lines, size, len(got), truth.Lines, truth.Bytes, len(truth.Requests), truth.Made)
	}
	for _, r := range truth.Requests {
		var want []string
		for _, l := range r.Lines {
			want = append(want, fmt.Sprintf("%s/%s.log:%d:%s", l.Node, l.Service, l.Line, l.Text))
		}
		slices.Sort(want)
		slices.Sort(got[r.ID])
		if len(want) < 2 || !slices.Equal(got[r.ID], want) {
			t.Fatalf("request %s:\n%s\nthe truth:\n%s", r.ID, strings.Join(got[r.ID], "\n"), strings.Join(want, "\n"))
		}
	}
	for _, s := range truth.Services {
		for _, n := range s.Nodes {
			if len(logs[n+"/"+s.Service+".log"]) == 0 {
				t.Errorf("%s has no log on %s", s.Service, n)
			}
		}
	}
	if back, err := ReadTraceTruth(dir); err != nil || !reflect.DeepEqual(back, truth) {
		t.Errorf("what is in the file differs from what was returned; %v", err)
	}
}

// Every log is in the order of its times, and what calls cause: but for the clocks a service's first line
// comes after the first of one that calls it.
func TestTracesCausality(t *testing.T) {
	o := smallTraces(2)
	o.Skew = 3 * time.Second
	dir := t.TempDir()
	truth, err := WriteTraces(t.Context(), dir, o, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range readLogs(t, dir) {
		if !slices.IsSortedFunc(text, func(a, b string) int { return timeOf(t, a).Compare(timeOf(t, b)) }) {
			t.Errorf("%s is not in order", name)
		}
	}
	spread := false
	for node, ahead := range truth.Ahead {
		if ahead < -3000 || ahead > 3000 {
			t.Errorf("the clock of %s is %v ms ahead", node, ahead)
		}
		spread = spread || ahead > 100 || ahead < -100
	}
	if !spread {
		t.Errorf("all clocks are right: %v", truth.Ahead)
	}
	services := map[string]bool{}
	for _, r := range truth.Requests {
		first := map[string]time.Time{}
		last := time.Time{}
		for i, l := range r.Lines {
			at := timeOf(t, l.Text).Add(-time.Duration(truth.Ahead[l.Node] * float64(time.Millisecond)))
			if i > 0 && at.Before(last.Add(-time.Microsecond)) {
				t.Fatalf("request %s: line %d is before the line above it", r.ID, i+1)
			}
			last = at
			if _, seen := first[l.Service]; !seen {
				first[l.Service] = at
				called := i == 0
				for caller, callees := range truth.Calls {
					if _, before := first[caller]; before && slices.Contains(callees, l.Service) {
						called = true
					}
				}
				if !called {
					t.Fatalf("request %s: nobody that has begun calls %s", r.ID, l.Service)
				}
			}
			services[l.Service] = true
		}
	}
	if len(services) != o.Services {
		t.Errorf("%d services serve requests, want %d", len(services), o.Services)
	}
}

// The same seed gives the same bytes; another, others. Relations name every service.
func TestTracesAreDeterministic(t *testing.T) {
	read := func(seed uint64) (map[string][]string, string, string) {
		dir := t.TempDir()
		truth, err := WriteTraces(t.Context(), dir, smallTraces(seed), false, nil)
		if err != nil {
			t.Fatal(err)
		}
		relations, err := os.ReadFile(filepath.Join(dir, RelationsFile))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range truth.Services {
			if !strings.Contains(string(relations), s.Service) {
				t.Errorf("seed %d: %s is not in %s", seed, s.Service, relations)
			}
		}
		text, err := os.ReadFile(filepath.Join(dir, TruthFile))
		if err != nil {
			t.Fatal(err)
		}
		return readLogs(t, dir), string(relations), string(text)
	}
	logs1, relations1, truth1 := read(1)
	logs2, relations2, truth2 := read(1)
	logs3, _, _ := read(3)
	if !reflect.DeepEqual(logs1, logs2) || relations1 != relations2 || truth1 != truth2 {
		t.Error("the same seed gave something else")
	}
	if reflect.DeepEqual(logs1, logs3) {
		t.Error("another seed gave the same")
	}
}

// The truth holds as many requests as asked for, spread over the whole time, with all their lines.
func TestTracesTruthIsBounded(t *testing.T) {
	all, err := WriteTraces(t.Context(), t.TempDir(), smallTraces(4), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	byID, place := map[string]*RequestTruth{}, map[string]int{}
	for i, r := range all.Requests {
		byID[r.ID], place[r.ID] = r, i
	}
	for _, most := range []int{1, 5, 16} {
		o := smallTraces(4)
		o.Truth = most
		some, err := WriteTraces(t.Context(), t.TempDir(), o, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(some.Requests) != most || some.Made != all.Made || some.Bytes != all.Bytes {
			t.Errorf("%d requests of %d in the truth, want %d of %d", len(some.Requests), some.Made, most, all.Made)
		}
		for _, r := range some.Requests {
			if !reflect.DeepEqual(r, byID[r.ID]) {
				t.Errorf("request %s is not what it is among all", r.ID)
			}
		}
		if last := place[some.Requests[most-1].ID]; most > 1 && last < len(all.Requests)/2 {
			t.Errorf("the last of %d requests is number %d of %d", most, last, len(all.Requests))
		}
	}
}

func TestTracesDirectory(t *testing.T) {
	dir, o := t.TempDir(), smallTraces(5)
	if _, err := WriteTraces(t.Context(), dir, o, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := WriteTraces(t.Context(), dir, o, false, nil); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a directory that is not empty: %v", err)
	}
	o.Nodes, o.Services = 2, 3
	truth, err := WriteTraces(t.Context(), dir, o, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	if logs := readLogs(t, dir); len(logs) > 3*3 || len(logs["node3/gateway.log"]) > 0 {
		t.Errorf("logs of the earlier system are left: %d of %v", len(logs), truth.Services)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if _, err := WriteTraces(ctx, t.TempDir(), o, false, nil); err == nil || err.Error() != "enough" {
		t.Errorf("interrupted: %v", err)
	}
	for want, o := range map[string]TraceOptions{
		"number of nodes 0":                 {},
		"number of services 1":              {Nodes: 1, Services: 1},
		"size of 1 bytes":                   {Nodes: 1, Services: 2, Size: 1},
		"time between requests 0s":          {Nodes: 1, Services: 2, Size: 5000},
		"clock skew -1ns":                   {Nodes: 1, Services: 2, Size: 5000, Every: time.Second, Skew: -1},
		"number of requests in the truth 0": {Nodes: 1, Services: 2, Size: 5000, Every: time.Second},
	} {
		if _, err := WriteTraces(t.Context(), t.TempDir(), o, false, nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
