package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stockNats builds the nats command that everybody has, of the version pinned in tools/go.mod, beside
// the program.
var stockNats = sync.OnceValues(func() (string, error) {
	name := filepath.Join(filepath.Dir(program), "nats")
	build := exec.Command("go", "build", "-modfile=../tools/go.mod", "-o", name, "github.com/nats-io/natscli/nats")
	out, err := build.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("build the nats command: %w: %s", err, out)
	}
	return name, err
})

// nats runs the stock command with the fleet's bus, and more in its environment.
func (f *fleet) nats(env []string, args ...string) result {
	f.t.Helper()
	return f.natsAt(f.url, env, args...)
}

func (f *fleet) natsAt(url string, env []string, args ...string) result {
	f.t.Helper()
	name, err := stockNats()
	if err != nil {
		f.t.Fatal(err)
	}
	q := &query{t: f.t, out: &syncBuffer{}, errout: &syncBuffer{}, ended: make(chan error, 1), started: time.Now()}
	q.cmd = exec.Command(name, args...)
	q.cmd.Env, q.cmd.Dir = append(append(environment(f.home), "NATS_URL="+url), env...), f.home
	q.cmd.Stdout, q.cmd.Stderr = q.out, q.errout
	if err := q.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() { q.ended <- q.cmd.Wait() }()
	f.t.Cleanup(func() { _ = q.cmd.Process.Kill() })
	return q.wait(time.Minute)
}

// req asks a question in text as the documents say. The nats command puts an empty line behind each
// message, and "nil body" in place of the empty one: lines are what is left without these and the signs
// of life.
func (f *fleet) req(subject, body string) (lines []string, all string) {
	f.t.Helper()
	r := f.nats(nil, "req", "--wait-for-empty", "--reply-timeout=30s", "--raw", "--no-templates", subject, "--", body)
	return answered(r.stdout), r.stdout + r.stderr
}

func answered(stdout string) (lines []string) {
	for line := range strings.Lines(stdout) {
		line = strings.TrimSuffix(line, "\n")
		if line != "" && line != "nil body" && !strings.HasPrefix(line, "# waiting") {
			lines = append(lines, line)
		}
	}
	return lines
}

// receiptOf splits an answer before its receipt.
func receiptOf(lines []string) (found, receipt string) {
	i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "# receipt: ") })
	if i < 0 {
		i = len(lines)
	}
	for _, line := range lines[:i] {
		found += line + "\n"
	}
	return found, strings.Join(lines[i:], "\n")
}

// twoNodes is a fleet of two nodes with sample logs.
func twoNodes(t *testing.T) *fleet {
	f := newFleet(t)
	if r := f.run("gen", "--nodes", "2", "--size", "1MB", "--out", "logs"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	f.node("node1", "--logs", "logs/node1.log", "--group", "web")
	f.node("node2", "--logs", "logs/node2.log")
	f.up(2)
	f.await("both say ready", 30*time.Second, func() bool {
		return strings.Contains(f.nodes["node1"].log.String(), "msg=ready") && strings.Contains(f.nodes["node2"].log.String(), "msg=ready")
	})
	return f
}

// The stock nats command prints the fleet's answer, line by line what trawl grep prints, then the
// receipt, and ends by itself.
func TestStockRequests(t *testing.T) {
	f := twoNodes(t)
	for _, test := range []struct {
		subject, body string
		grep          []string
	}{
		{"trawl.v1.text", "-i -m 5 error", []string{"-i", "-m5", "error"}},
		{"trawl.v1.text.ann", "status=50", []string{"status=50"}},
		{"trawl.v1.text", "-n -C1 RARE", []string{"-n", "-C1", "RARE"}},
		{"trawl.v1.text", "error mailer", []string{"error mailer"}}, // a blank is part of it
		{"trawl.v1.text", "-F  users", []string{"-F", " users"}},
		{"trawl.v1.text", "-c -- -", []string{"-c", "--", "-"}},
		{"trawl.v1.node.node2.text", "RARE", []string{"--node", "node2", "RARE"}},
		{"trawl.v1.text", "--group web -l RARE", []string{"--group", "web", "-l", "RARE"}},
		{"trawl.v1.text", ".", []string{"."}}, // all lines: many messages
		{"trawl.v1.text", "absent from all logs", []string{"absent from all logs"}},
	} {
		want := f.grep(test.grep...)
		lines, all := f.req(test.subject, test.body)
		if len(lines) == 0 {
			t.Errorf("%q: no answer: %s", test.body, all)
			continue
		}
		found, last := receiptOf(lines)
		if !strings.HasPrefix(last, "# receipt: ") || !strings.Contains(last, " complete, ") {
			t.Errorf("%q ends in %q", test.body, last)
		}
		if found != want.stdout {
			t.Errorf("%q: %s", test.body, firstDifference(found, want.stdout))
		}
		if strings.Count(all, "nil body") != 1 {
			t.Errorf("%q: not exactly one end: %s", test.body, tail(all, 300))
		}
	}

	// Older clients wait for a time that they name.
	r := f.nats(nil, "req", "--replies=0", "--timeout=1s", "--raw", "trawl.v1.text", "--", "-c RARE")
	if lines := answered(r.stdout); len(lines) != 3 || !strings.HasPrefix(lines[2], "# receipt: 2 of 2 nodes complete") {
		t.Errorf("without --wait-for-empty: %s%s", r.stdout, r.stderr)
	}
	// JSON in, JSON out.
	lines, all := f.req("trawl.v1.text", `{"pattern": "RARE", "flags": ["-m", "2"]}`)
	want := f.grep("--output=json", "-m2", "RARE")
	wanted := strings.Split(strings.TrimSpace(want.stdout), "\n")
	if len(lines) != len(wanted) || !slices.Equal(lines[:len(lines)-1], wanted[:len(wanted)-1]) || !strings.Contains(lines[len(lines)-1], `"type":"receipt"`) {
		t.Errorf("JSON: %s", all)
	}
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %q", line)
		}
	}
	// What is wrong is said, with the usage.
	for body, error := range map[string]string{
		"a(b":              `# error: pattern "a(b": `,
		"-f /etc/passwd x": "# error: flag -f is not offered here",
		`{"pattern": 3}`:   `{"error":`,
	} {
		if _, all := f.req("trawl.v1.text", body); !strings.HasPrefix(all, error) || !strings.Contains(all, "nats req --wait-for-empty") || strings.Count(all, "nil body") != 1 {
			t.Errorf("%q: %s", body, all)
		}
	}
	if _, all := f.req("trawl.v1.text", "help"); !strings.Contains(all, "# help: usage: nats req") || !strings.Contains(all, "--max-count=NUM") || strings.Contains(all, "--local") {
		t.Errorf("help: %s", all)
	}
	// Who asked stands in the logs of the coordinator and of the nodes.
	f.await("the log names ann", 10*time.Second, func() bool {
		log := f.nodes["node1"].log.String()
		return strings.Contains(log, "host=\"node1 for ann\"") || strings.Contains(log, "host=\"node2 for ann\"")
	})
}

// A node that does not answer is waited for, with signs of life, and missed in the receipt.
func TestStockRequestNodeSilent(t *testing.T) {
	f := twoNodes(t)
	f.nodes["node2"].signal(syscall.SIGSTOP)
	var r result
	f.await("an answer of node1", time.Minute, func() bool { // a question may go to node2, which has stopped
		r = f.nats(nil, "req", "--timeout=2s", "--wait-for-empty", "--reply-timeout=300ms", "--raw", "trawl.v1.text", "--", "-c RARE")
		return strings.Contains(r.stdout, "# receipt")
	})
	if !strings.Contains(r.stdout, "node1:") || !strings.Contains(r.stdout, "# waiting… 1 of 2 nodes through") ||
		!strings.Contains(r.stdout, "# receipt: 1 of 2 nodes complete") || !strings.Contains(r.stdout, "\n#     node2  unreachable") {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
}

// accounts is the configuration of a bus without JetStream whose people have an account of their own,
// beside that of the logs. Docs/bus.md shows it.
func accounts(t *testing.T) string {
	data, err := os.ReadFile("../docs/bus.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(data), "```conf\n")
	config, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("docs/bus.md has no ```conf block")
	}
	return config
}

// Across accounts, without JetStream, with the permissions that PROTOCOL.md gives a coordinator: all
// lines come, the answer ends, and a node's coordinator without a login of its own stays off.
func TestStockAcrossAccounts(t *testing.T) {
	if err := lookAtSources(); err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, home: t.TempDir(), nodes: map[string]*process{}}
	config := filepath.Join(f.home, "bus.conf")
	if err := os.WriteFile(config, []byte("listen: \"127.0.0.1:-1\"\n"+accounts(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	out := &syncBuffer{}
	f.bus = start(t, f.home, "bus", out, "bus", "-c", config)
	f.await("the bus prints its URL", 20*time.Second, func() bool {
		if !f.bus.running() {
			t.Fatalf("the bus ended:\n%s", f.bus.log)
		}
		return strings.HasSuffix(out.String(), "\n")
	})
	at := func(user string) string {
		return strings.Replace(strings.TrimSpace(out.String()), "nats://", "nats://"+user+":change%20me@", 1)
	}
	f.url = at("ops")
	if r := f.run("gen", "--nodes", "2", "--size", "500KB", "--out", "logs"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	yaml := fmt.Sprintf("coordinator: {connection: {server: %q}}\n", at("text"))
	if err := os.WriteFile(filepath.Join(f.home, "node1.yaml"), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"node1", "node2"} {
		args := []string{"responder", "--server", at("nodes"), "--node", name, "--logs", "logs/" + name + ".log"}
		if name == "node1" {
			args = append(args, "--config", "node1.yaml")
		}
		f.nodes[name] = start(t, f.home, name, &syncBuffer{}, args...)
	}
	f.up(2)
	want := f.grep(".")
	if want.code != 0 {
		t.Fatal(want.stderr)
	}
	ask := func() result {
		return f.natsAt(at("ann"), nil, "req", "--wait-for-empty", "--reply-timeout=30s", "--raw", "trawl.v1.text.ann", "--", ".")
	}
	f.await("a coordinator", 20*time.Second, func() bool { return strings.Contains(ask().stdout, "# receipt") })
	for range 5 { // not only the node with a login of its own would be asked, if the other were on
		r := ask()
		found, receipt := receiptOf(answered(r.stdout))
		if found != want.stdout {
			t.Fatalf("%s\n%s", firstDifference(found, want.stdout), tail(r.stdout+r.stderr, 400))
		}
		if strings.Count(r.stdout, "nil body") != 1 || !strings.HasPrefix(receipt, "# receipt: 2 of 2 nodes complete") {
			t.Fatalf("ends in %s", tail(r.stdout, 400))
		}
	}
	// Bob's subject is not ann's to use.
	if r := f.natsAt(at("ann"), nil, "req", "--timeout=2s", "--raw", "trawl.v1.text.bob", "--", "."); strings.Contains(r.stdout, "# receipt") {
		t.Errorf("ann asks as bob: %s", tail(r.stdout, 300))
	}
}

// The stock nats command lists every responder, with its node first in what the list shows, and knows
// what it offers and has done.
func TestStockMicro(t *testing.T) {
	f := twoNodes(t)
	if r := f.grep("-c", "RARE"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	if _, all := f.req("trawl.v1.text", "-c RARE"); !strings.Contains(all, "# receipt") {
		t.Fatal(all)
	}
	list := f.nats(nil, "micro", "ls", "trawl")
	for _, want := range []string{"node1: groups web: services node1", "node2: services node2"} {
		if !strings.Contains(list.stdout, want) {
			t.Errorf("micro ls has no %q:\n%s%s", want, list.stdout, list.stderr)
		}
	}
	if r := f.nats(nil, "micro", "ping", "trawl", "--timeout=1s"); strings.Count(r.stdout, "trawl ") != 2 {
		t.Errorf("micro ping: %s%s", r.stdout, r.stderr)
	}
	info := f.nats(nil, "micro", "info", "trawl")
	for _, want := range []string{"trawl.v1.q.*.all", "request_schema", "groups", "services", "trawl.v1.text"} {
		if !strings.Contains(info.stdout, want) {
			t.Errorf("micro info has no %q:\n%s%s", want, info.stdout, info.stderr)
		}
	}
	var stats []struct {
		Endpoints []struct {
			Name        string
			NumRequests int `json:"num_requests"`
			Data        struct{ Queries, Lines, Bytes int64 }
		}
	}
	r := f.nats(nil, "micro", "stats", "trawl", "--json")
	if err := json.Unmarshal([]byte(r.stdout), &stats); err != nil || len(stats) != 2 {
		t.Fatalf("micro stats: %v: %s%s", err, r.stdout, r.stderr)
	}
	questions := 0
	for _, s := range stats {
		if q := s.Endpoints[0]; q.Name != "query" || q.NumRequests != 2 || q.Data.Queries != 2 || q.Data.Lines != 20 {
			t.Errorf("%+v", q)
		}
		questions += s.Endpoints[1].NumRequests
	}
	if questions != 1 {
		t.Errorf("%d questions in text", questions)
	}
}

// What a query's nodes answer can be read along with the stock nats command: trawl decode makes JSON of
// it, the same lines that the query printed.
func TestStockDecode(t *testing.T) {
	f := twoNodes(t)
	name, err := stockNats()
	if err != nil {
		t.Fatal(err)
	}
	out := &syncBuffer{}
	sub := exec.Command(name, "sub", "--raw", "trawl.v1.res.>", "--translate", program+" decode")
	sub.Env, sub.Dir, sub.Stdout = append(environment(f.home), "NATS_URL="+f.url), f.home, out
	if err := sub.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = sub.Wait(); close(done) }()
	t.Cleanup(func() { _ = sub.Process.Kill(); <-done })
	var want result
	f.await("the subscription hears a query", 30*time.Second, func() bool {
		want = f.grep("--output=json", "-m2", "RARE")
		return strings.Contains(out.String(), `"type":"end"`)
	})
	texts := func(stdout string) (all []string) {
		for line := range strings.Lines(stdout) {
			var l struct{ Type, Text string }
			if json.Unmarshal([]byte(line), &l) == nil && l.Type == "match" {
				all = append(all, l.Text)
			}
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("subscribed:\n%s\nquery:\n%s", tail(out.String(), 3000), want.stdout)
		}
	})
	f.await("all lines are decoded", 10*time.Second, func() bool {
		return slices.Equal(texts(out.String()), texts(want.stdout)) && len(texts(want.stdout)) == 4
	})
}

// With --reply-to the results go to a subject as well: JSON lines as --output json prints them, a line a
// message, the receipt last; or frames, which trawl decode reads.
func TestStockReplyTo(t *testing.T) {
	f := twoNodes(t)
	name, err := stockNats()
	if err != nil {
		t.Fatal(err)
	}
	want := f.grep("--output=json", "RARE")
	for form, args := range map[string][]string{"json": nil, "msgpack": {"--translate", program + " decode"}} {
		to := []string{"--reply-to=sink." + form} // frames, unless told otherwise
		if form == "json" {
			to = append(to, "--reply-to-format=json")
		}
		out := &syncBuffer{}
		sub := exec.Command(name, append([]string{"sub", "--raw", "sink." + form}, args...)...)
		sub.Env, sub.Dir, sub.Stdout = append(environment(f.home), "NATS_URL="+f.url), f.home, out
		if err := sub.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { _ = sub.Wait(); close(done) }()
		t.Cleanup(func() { _ = sub.Process.Kill(); <-done })
		f.await("the subscription stands", 30*time.Second, func() bool {
			if r := f.grep(append(to, "absent")...); r.code != 1 {
				t.Fatal(r.stderr)
			}
			return out.Len() > 0
		})
		if r := f.grep(append(to, "RARE")...); r.code != 0 || strings.Count(r.stdout, "\n") != 20 {
			t.Errorf("what is printed: %s%s", r.stdout, r.stderr)
		}
		f.await("all lines on sink."+form, 10*time.Second, func() bool {
			matches, complete := 0, strings.Contains(out.String(), `"status":"complete","reason":"","lines":20`)
			for line := range strings.Lines(out.String()) {
				if form == "json" && strings.HasPrefix(line, `{"type":"match"`) && strings.Contains(want.stdout, line) ||
					form == "msgpack" && strings.HasPrefix(line, `{"type":"match"`) {
					matches++
				}
				complete = complete || form == "json" && strings.HasPrefix(line, `{"type":"receipt","complete":true`) && strings.Contains(line, `"lines":20`)
			}
			return matches == 20 && complete
		})
		before := strings.Count(out.String(), `{"type":"match"`)
		if r := f.run(append([]string{"tail", "--server", f.url, "--lines=10", "--limit=20", "RARE"}, to...)...); r.code != 0 {
			t.Errorf("tail: %s%s", r.stdout, r.stderr)
		}
		f.await("what tail found on sink."+form, 10*time.Second, func() bool {
			return strings.Count(out.String(), `{"type":"match"`) == before+20
		})
	}
	for _, subject := range []string{"trawl.v1.q.ann.all", "$SYS.x", "a.*", "a b"} {
		if r := f.grep("--reply-to", subject, "x"); r.code != 2 || !strings.Contains(r.stderr, "flag --reply-to: ") {
			t.Errorf("%q: status %d, %s", subject, r.code, r.stderr)
		}
	}
}
