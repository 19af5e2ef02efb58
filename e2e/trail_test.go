package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/sample"
)

// storyLine is a line of trawl trace --output json.
type storyLine struct {
	Type, Node, Service, File, Text string
	Time                            *string
	Hop                             int
}

// storyReceipt is what the receipt of trawl trace says beyond grep's.
type storyReceipt struct {
	Rounds, Queries int
	Blocks          struct{ Read int64 }
	Services, Notes []string
	AllAtOnce       *struct {
		BytesConsidered int64 `json:"bytes_considered"`
		SealedBlocks    int   `json:"sealed_blocks"`
		Blocks          struct{ Considered, Read int64 }
	} `json:"all_at_once"`
}

// shares add up what traces read, of what one query for all services does.
type shares struct{ traces, blocks, considered, indexed int64 }

func (s *shares) add(r storyReceipt) {
	s.traces, s.blocks = s.traces+1, s.blocks+r.Blocks.Read
	s.considered, s.indexed = s.considered+r.AllAtOnce.Blocks.Considered, s.indexed+r.AllAtOnce.Blocks.Read
}

// check tells the shares. Of large logs a trace reads 5 % of the blocks at most that one query for all services reads
// without their indexes: all of them. With the indexes such a query reads far fewer; that share is told and not bounded.
func (s *shares) check(t *testing.T, large bool) {
	t.Helper()
	of := func(all int64) float64 { return 100 * float64(s.blocks) / float64(all) }
	t.Logf("%d traces read %.1f blocks each: %.2f %% of all blocks, of which there are %d; %.0f %% of the %.1f that one query for all services reads with their indexes",
		s.traces, float64(s.blocks)/float64(s.traces), of(s.considered), s.considered/s.traces, of(s.indexed), float64(s.indexed)/float64(s.traces))
	if large && of(s.considered) > 5 {
		t.Errorf("a trace reads %.2f %% of all blocks, more than 5 %%", of(s.considered))
	}
}

// trace asks for a request as JSON.
func (f *fleet) trace(args ...string) result {
	f.t.Helper()
	return f.run(append([]string{"trace", "--server", f.url, "--output", "json"}, args...)...)
}

// story gives the lines, and what the receipt says of the trace.
func (r result) story(t *testing.T) (lines []storyLine, receipt storyReceipt) {
	t.Helper()
	r.receipt(t) // the last line is one
	for text := range strings.Lines(r.stdout) {
		var l storyLine
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if l.Type == "match" {
			lines = append(lines, l)
		} else if err := json.Unmarshal([]byte(text), &receipt); err != nil {
			t.Fatal(err)
		}
	}
	return lines, receipt
}

// inTime tells whether lines are in the order of their times.
func inTime(lines []storyLine) bool {
	before := ""
	for _, l := range lines {
		if l.Time != nil && *l.Time < before {
			return false
		} else if l.Time != nil {
			before = *l.Time
		}
	}
	return true
}

// put makes a file in the fleet's home.
func (f *fleet) put(name, text string) string {
	f.t.Helper()
	path := filepath.Join(f.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// The traces of OpenStack's requests, its log split by service over three nodes, are the lines that grep
// finds, in the order of their times: of some requests of each kind, and with -long of all 938.
func TestTraceOpenStack(t *testing.T) {
	text, err := os.ReadFile("testdata/loghub/OpenStack_2k.log")
	if err != nil {
		t.Fatal(err)
	}
	f := newFleet(t)
	byService, byID := map[string]*strings.Builder{}, map[string][]string{}
	kinds := map[string]map[string]bool{} // of an id: its services
	id := regexp.MustCompile(`req-[0-9a-f-]{36}`)
	for line := range strings.Lines(string(text)) {
		service, _, _ := strings.Cut(line, ".log")
		if byService[service] == nil {
			byService[service] = &strings.Builder{}
		}
		byService[service].WriteString(line)
		if req := id.FindString(line); req != "" {
			byID[req] = append(byID[req], strings.TrimSuffix(line, "\n"))
			if kinds[req] == nil {
				kinds[req] = map[string]bool{}
			}
			kinds[req][service] = true
		}
	}
	for service, lines := range byService {
		node := strings.TrimPrefix(service, "nova-")
		f.node(node, "--logs", service+"="+f.put(node+"/"+service+".log", lines.String()))
	}
	f.up(3)
	relations := f.put("relations.yaml", "relations: {calls: {nova-api: [nova-scheduler, nova-compute], nova-scheduler: [nova-compute]}}")
	var ids []string
	ofKind := map[string]int{}
	for _, req := range sortedKeys(byID) {
		kind := fmt.Sprint(sortedKeys(kinds[req]))
		if ofKind[kind]++; *long || ofKind[kind] <= 5 {
			ids = append(ids, req)
		}
	}
	if len(ofKind) != 4 || len(byID) != 938 {
		t.Fatalf("%d ids of %d kinds: %v", len(byID), len(ofKind), ofKind)
	}
	for _, req := range ids {
		r := f.trace("--relations", relations, req)
		lines, _ := r.story(t)
		var got []string
		for _, l := range lines {
			got = append(got, l.Text)
		}
		want := slices.Clone(byID[req])
		ordered := inTime(lines)
		slices.Sort(got)
		slices.Sort(want)
		if r.code != 0 || !slices.Equal(got, want) || !ordered {
			t.Errorf("%s: exit status %d, %d lines, want %d; in order: %t\n%s", req, r.code, len(got), len(want), ordered, r.stderr)
		}
	}
}

func sortedKeys[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// system is a made-up system of services on a fleet, and the truth about it. Indexed, the fleet has indexed the logs.
func system(t *testing.T, o sample.TraceOptions, indexed bool) (f *fleet, truth *sample.TraceTruth, relations string) {
	t.Helper()
	f, truth, shop := writeSystem(t, o)
	for i := range o.Nodes {
		name := fmt.Sprintf("node%d", i+1)
		args := []string{"--logs", filepath.Join(shop, name, "*.log")}
		if indexed {
			args = append(args, "--state", filepath.Join(f.home, name+"-state"), "--config", f.put(name+".yaml", "index: {cpu: 100%}\n"))
		}
		f.node(name, args...)
	}
	f.up(o.Nodes)
	if indexed {
		f.await("the logs are indexed", 10*time.Minute, func() bool {
			r := f.run("blocks", "--server", f.url, "--output", "json")
			return r.code == 0 && strings.Count(r.stdout, `"settled":true`) == o.Nodes
		})
	}
	return f, truth, filepath.Join(shop, sample.RelationsFile)
}

// writeSystem writes the logs of such a system, and starts its bus.
func writeSystem(t *testing.T, o sample.TraceOptions) (f *fleet, truth *sample.TraceTruth, shop string) {
	t.Helper()
	f = newFleet(t)
	shop = filepath.Join(f.home, "shop")
	truth, err := sample.WriteTraces(t.Context(), shop, o, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range o.Nodes {
		logs, err := filepath.Glob(filepath.Join(shop, fmt.Sprintf("node%d", i+1), "*.log"))
		if err != nil || len(logs) == 0 {
			t.Fatalf("%v, %v", logs, err)
		}
		for _, log := range logs { // no file is older than its lines, whatever the clock says
			if err := os.Chtimes(log, time.Time{}, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return f, truth, shop
}

// depths are how many services that have a line lead to each of a request, by the shortest way; 0 where nobody knows who
// calls whom.
func depths(truth *sample.RequestTruth, calls map[string][]string) map[string]int {
	logged, depth, called := map[string]bool{}, map[string]int{}, map[string]bool{}
	for _, l := range truth.Lines {
		logged[l.Service] = true
	}
	for _, callees := range calls {
		for _, s := range callees {
			called[s] = true
		}
	}
	for s := range calls {
		if !called[s] {
			depth[s] = 0
		}
	}
	for changed := true; changed; {
		changed = false
		for caller, callees := range calls {
			at, known := depth[caller]
			if !known {
				continue
			}
			if logged[caller] {
				at++
			}
			for _, s := range callees {
				if was, known := depth[s]; !known || at < was {
					depth[s], changed = at, true
				}
			}
		}
	}
	return depth
}

// wantStory holds a trace to the truth, in the order of the times in the lines. calls are those that the trace knows.
func wantStory(t *testing.T, r result, truth *sample.RequestTruth, calls map[string][]string) storyReceipt {
	t.Helper()
	lines, receipt := r.story(t)
	var got, want []string
	for _, l := range lines {
		got = append(got, fmt.Sprintf("%s %s %d %s", l.Node, l.Service, l.Hop, l.Text))
	}
	depth := depths(truth, calls)
	for _, l := range truth.Lines {
		want = append(want, fmt.Sprintf("%s %s %d %s", l.Node, l.Service, depth[l.Service], l.Text))
	}
	slices.Sort(got)
	slices.Sort(want)
	if r.code != 0 || !slices.Equal(got, want) || !inTime(lines) {
		t.Errorf("%s: exit status %d, %d lines, want %d; in order: %t\n%s%s", truth.ID, r.code, len(got), len(want), inTime(lines),
			firstDifference(strings.Join(got, "\n"), strings.Join(want, "\n")), r.stderr)
	}
	return receipt
}

// The traces of a made-up system are its truth, along the relations, exhaustively and without relations. 20
// services on 10 nodes, with -long on 2 GB, that are indexed, and of 1,000 requests. How much is read depends on what the nodes
// know of the files' times by then, and is bounded in the long form alone: package trail's tests hold the windows that are asked.
func TestTraceSystem(t *testing.T) {
	o := sample.TraceOptions{Nodes: 10, Services: 20, Size: 1_000_000, Seed: 8, Every: 2 * time.Second, Skew: 200 * time.Millisecond, Truth: 8}
	if *long {
		o.Size, o.Every, o.Truth = 200_000_000, 40*time.Millisecond, 1000
	}
	f, truth, relations := system(t, o, *long)
	var read, all int64
	var blocks shares
	deepest := 0
	for i, request := range truth.Requests {
		r := f.trace("--relations", relations, "--skew", "400ms", "--slack", "3s", request.ID)
		receipt := wantStory(t, r, request, truth.Calls)
		if receipt.AllAtOnce == nil || !slices.Contains(receipt.Services, "gateway") && !slices.Contains(receipt.Services, "web") {
			t.Fatalf("%s: %+v\n%s", request.ID, receipt, r.stderr)
		}
		for s, at := range depths(request, truth.Calls) {
			if slices.Contains(receipt.Services, s) {
				deepest = max(deepest, at)
			}
		}
		blocks.add(receipt)
		read += r.receipt(t).BytesRead
		all += receipt.AllAtOnce.BytesConsidered
		if i < 2 {
			wantStory(t, f.trace("--exhaustive", request.ID), request, nil)
			receipt := wantStory(t, f.trace(request.ID), request, nil)
			if !slices.ContainsFunc(receipt.Notes, func(n string) bool { return strings.HasPrefix(n, "no relations are known") }) {
				t.Errorf("without relations: %q", receipt.Notes)
			}
		}
	}
	if deepest < 2 {
		t.Errorf("no request led over more than %d calls: their hops were not looked at", deepest)
	}
	t.Logf("%d traces read %.2f %% of the bytes of what all services at once are", len(truth.Requests), 100*float64(read)/float64(all))
	if *long {
		blocks.check(t, true)
	}
}

// The same from sealed blocks alone, two copies of each, when the logs have been deleted. With -long on 2 GB, of 1,000
// requests, and what is read of the blocks is bounded.
func TestTraceSealedSystem(t *testing.T) {
	o := sample.TraceOptions{Nodes: 5, Services: 10, Size: 300_000, Seed: 8, Every: 2 * time.Second, Skew: 200 * time.Millisecond, Truth: 6}
	config, patience := "window: 1m, lines: 500", time.Minute
	if *long {
		o = sample.TraceOptions{Nodes: 10, Services: 20, Size: 200_000_000, Seed: 8, Every: 40 * time.Millisecond, Skew: 200 * time.Millisecond, Truth: 1000}
		config, patience = "window: 10m", 20*time.Minute
	}
	f, truth, shop := writeSystem(t, o)
	for i := range o.Nodes {
		name := fmt.Sprintf("node%d", i+1)
		dir := filepath.Join(shop, name)
		f.node(name, "--config", f.put(name+".yaml", fmt.Sprintf("state: %[1]s/state\nrescan: 1s\nsources: [{logs: '%[1]s/*.log', store: sealed}]\n"+
			"sealed: {%[2]s, cpu: 100%%, replicas: 2, bandwidth: 1GiB}\n", dir, config)))
	}
	f.up(o.Nodes)
	size, lines := f.linesOf(shop)
	sealed := 0
	f.await("two nodes have each block", patience, func() bool {
		r := f.run("blocks", "--server", f.url, "--list", "--each", "--output", "json")
		var listed int64
		sealed = strings.Count(r.stdout, "\n")
		for row := range strings.Lines(r.stdout) {
			var b struct {
				Lines  int64
				Owners []string
			}
			if json.Unmarshal([]byte(row), &b) != nil || len(b.Owners) != 2 {
				return false
			}
			listed += b.Lines
		}
		return r.code == 0 && listed == lines
	})
	logs, err := filepath.Glob(filepath.Join(shop, "node*", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		if err := os.Remove(log); err != nil {
			t.Fatal(err)
		}
	}
	relations := filepath.Join(shop, sample.RelationsFile)
	var blocks shares
	for _, request := range truth.Requests {
		r := f.trace("--relations", relations, "--skew", "400ms", "--slack", "3s", request.ID)
		receipt := wantStory(t, r, request, truth.Calls)
		if a := receipt.AllAtOnce; a == nil || a.SealedBlocks != sealed || a.Blocks.Considered == 0 {
			t.Fatalf("%s: of %d blocks %+v\n%s", request.ID, sealed, receipt, r.stderr)
		}
		blocks.add(receipt)
	}
	first := truth.Requests[0]
	wantStory(t, f.trace("--exhaustive", first.ID), first, nil)
	r := f.run("trace", "--server", f.url, "--relations", relations, "--skew", "400ms", "--slack", "3s", "--receipt", first.ID)
	if want := fmt.Sprintf(`(?m)^asked for [1-9][0-9]* sealed blocks?; all services at once: %d$`, sealed); r.code != 0 || !regexp.MustCompile(want).MatchString(r.stderr) {
		t.Errorf("exit status %d, and the receipt has no %s:\n%s", r.code, want, r.stderr)
	}
	t.Logf("%d bytes in %d lines", size, lines)
	blocks.check(t, *long)
}

// linesOf counts the bytes and the lines of a system's logs.
func (f *fleet) linesOf(shop string) (size, lines int64) {
	f.t.Helper()
	logs, err := filepath.Glob(filepath.Join(shop, "node*", "*.log"))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			f.t.Fatal(err)
		}
		size, lines = size+int64(len(text)), lines+int64(bytes.Count(text, []byte("\n")))
	}
	return size, lines
}

// inText is a story as text, whose times all are known: each line is indented by two blanks for each call that leads to it.
func inText(lines []storyLine) string {
	width := 0
	for _, l := range lines {
		width = max(width, len(l.Node+" "+l.Service))
	}
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%sZ %-*s %s%s\n", (*l.Time)[:len("2006-01-02T15:04:05.000000")], width, l.Node+" "+l.Service, strings.Repeat("  ", l.Hop), l.Text)
	}
	return b.String()
}

// A request that nobody logged is exit status 1; with a node down that is not proven.
func TestTraceExits(t *testing.T) {
	f, truth, relations := system(t, sample.TraceOptions{Nodes: 2, Services: 3, Size: 20_000, Seed: 9, Every: 40 * time.Millisecond, Truth: 20}, false)
	request := slices.MaxFunc(truth.Requests, func(a, b *sample.RequestTruth) int { return len(a.Lines) - len(b.Lines) })
	if r := f.trace("--relations", relations, "no-such-request"); r.code != 1 || !strings.Contains(r.stderr, "no line was found along the relations: all services are asked") {
		t.Errorf("no match: exit status %d\n%s", r.code, r.stderr)
	}
	r := f.run("trace", "--server", f.url, "--relations", relations, "--receipt", request.ID)
	if first, _, _ := strings.Cut(r.stdout, "\n"); r.code != 0 || strings.Count(r.stdout, "\n") != len(request.Lines) ||
		!regexp.MustCompile(`^2026-11-22T01:00:0.\.[0-9]{6}Z node[12] gateway +2026-.* gateway\[[0-9]+\]: info req=`+request.ID).MatchString(first) {
		t.Errorf("as text: exit status %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	lines, _ := f.trace("--relations", relations, request.ID).story(t)
	if want, deepest := inText(lines), slices.MaxFunc(lines, func(a, b storyLine) int { return a.Hop - b.Hop }).Hop; r.stdout != want || deepest == 0 {
		t.Errorf("as text, %d calls deep:\n%s", deepest, firstDifference(r.stdout, want))
	}
	if !regexp.MustCompile(`(?m)^2 of 2 nodes complete, .*\n(.*\n)*[0-9]+ lines of [0-9] services? on [12] nodes?, asked [0-9]+ times? in [0-9]+ rounds?\nread .*B; all services at once: [0-9]+kB\n`).MatchString(r.stderr) {
		t.Errorf("receipt:\n%s", r.stderr)
	}
	if r := f.trace("--relations", relations, "--entry", "gatway", request.ID); r.code != 2 || !strings.Contains(r.stderr, `no node has logs of "gatway", and the relations do not know it; did you mean "gateway"?`) {
		t.Errorf("an entry that nobody knows: exit status %d\n%s", r.code, r.stderr)
	}
	if r := f.trace("--relations", relations, "--until", "2026-11-21", request.ID); r.code != 1 {
		t.Errorf("before the logs begin: exit status %d\n%s", r.code, r.stderr)
	}
	node := truth.Services[0].Nodes[0]
	f.nodes[node].signal(9)
	<-f.nodes[node].done
	if r := f.trace("--relations", relations, "no-such-request"); r.code != 4 || r.receipt(t).status(node) == "complete" {
		t.Errorf("no match, a node down: exit status %d\n%s", r.code, r.stderr)
	}
	if r := f.trace("--relations", relations, "--ok-partial", "no-such-request"); r.code != 1 {
		t.Errorf("no match, a node down, --ok-partial: exit status %d\n%s", r.code, r.stderr)
	}
}
