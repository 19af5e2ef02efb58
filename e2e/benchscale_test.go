package e2e

import (
	"bufio"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/sample"
)

// Growth, at its smallest: every fleet answers in full, the plots are drawn, and the log is kept.
func TestBenchScale(t *testing.T) {
	out, logs := t.TempDir(), t.TempDir()
	text, said, code := bench(t, "--scale", "--verify", "--max-nodes", "10", "--max-size", "10MB", "--trials", "2", "--logs", logs, "--out", out)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, said)
	}
	var r struct {
		Type      string
		Transport struct{ Rate, BareRate []float64 }
		Nodes     []struct {
			Nodes, Partial int
			Answer         string
			Fresh          bool
			Seconds, Bare  []float64
			Frames, Sent   float64
			Peak           int64
		}
		Sizes []struct {
			Size                           int64
			Absent, Exhaustive, Everywhere struct {
				Seconds   []float64
				Lines     int64
				BytesRead int64 `json:"bytes_read"`
			}
		}
	}
	readJSON(t, filepath.Join(out, "scale.json"), &r)
	if r.Type != "scale" || len(r.Nodes) != 8 || len(r.Sizes) != 1 || len(r.Transport.Rate) != 2 {
		t.Fatalf("scale.json: %+v", r)
	}
	for _, p := range r.Nodes {
		if len(p.Seconds) != 2 || p.Partial != 0 || (len(p.Bare) == 0) != (p.Answer == "1 MB each") || p.Frames < float64(p.Nodes) || p.Sent < 1 ||
			p.Fresh != (p.Answer == "empty, new connection") || (p.Peak == 0) != p.Fresh {
			t.Errorf("%+v", p)
		}
	}
	truth, err := sample.ReadTruth(filepath.Join(logs, "scale-10MB"))
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Sizes[0]; s.Size != 10e6 || len(s.Absent.Seconds) != 2 || s.Absent.Lines != 0 || s.Exhaustive.BytesRead != truth.Total.Bytes ||
		s.Everywhere.Lines != truth.Total.Tokens["EVERYWHERE"] {
		t.Errorf("%+v", s)
	}
	for _, part := range []string{"Over the last 2 sizes of the fleet the time grows as nodes^", "; the requester's memory as nodes^", "; the messages that come to it as nodes^", "Transport: "} {
		if !strings.Contains(text, part) {
			t.Errorf("the figures are not read, %q is missing: %s", part, text)
		}
	}
	for name, axis := range map[string][]string{"-nodes": {"nodes", "time of a query, ms"}, "-memory": {"nodes", "resident memory, MB"},
		"-messages": {"nodes", "messages of a query"}, "-size": {"size of its log, MB", "time of a query, ms"}} {
		checkPNG(t, filepath.Join(out, "scale"+name+".png"))
		labelled(t, filepath.Join(out, "scale"+name+".svg"), axis...)
	}
}

// A fleet that is there is measured from its answers.
func TestBenchOfAFleet(t *testing.T) {
	f, truth := sampleFleet(t, 2, 200_000)
	out := t.TempDir()
	text, said, code := bench(t, "--server", f.url, "--logs", filepath.Join(f.home, "logs"), "--trials", "1", "--verify", "--out", out)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, said)
	}
	var r struct {
		GivenFleet bool `json:"given_fleet"`
		Verified   bool
		Bytes      int64
		Index      any
		Tokens     []struct{ Lines int64 }
	}
	readJSON(t, filepath.Join(out, "bench.json"), &r)
	if !r.GivenFleet || !r.Verified || r.Bytes != truth.Total.Bytes || r.Index != nil || len(r.Tokens) != 6 || r.Tokens[0].Lines != truth.Total.Tokens["EVERYWHERE"] {
		t.Errorf("bench.json: %+v", r)
	}
	if strings.Contains(text, "CPU seconds") {
		t.Errorf("of processes that nobody can see: %s", text)
	}
}

// 1,000 simulated nodes answer in full, and the requester stays below the 256 MiB that issue 7 allows it for 10,000,
// which trawl bench --scale --verify --max-nodes 10000 holds: too dear for here.
func TestManyNodesLittleMemory(t *testing.T) {
	const nodes, most = 1000, 256 << 20
	simulated := exec.Command(program, "bench-fleet", "--nodes", fmt.Sprint(nodes))
	simulated.Env = append(environment(t.TempDir()), "TMPDIR="+t.TempDir())
	out, err := simulated.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := simulated.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = simulated.Process.Kill() // its directory is the test's
		_ = simulated.Wait()
	}()
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, home: t.TempDir(), url: strings.TrimSpace(url)}
	for _, lines := range []int{0, 10, 300} {
		r := f.grep("--no-progress", "--timing", "-h", fmt.Sprintf("lines %d", lines))
		if n := strings.Count(r.stdout, "\n"); n != nodes*lines || r.code != 1-min(lines, 1) {
			t.Errorf("%d lines each: %d lines, exit %d: %.2000s", lines, n, r.code, r.stderr)
		}
		var peak int64
		if _, memory, ok := strings.Cut(r.stderr, "trawl: memory: "); ok {
			_, _ = fmt.Sscanf(memory, "%d bytes at most", &peak)
		}
		if peak == 0 || peak >= most {
			t.Errorf("%d lines each: the requester had %d bytes resident", lines, peak)
		}
	}
}
