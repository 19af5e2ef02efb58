package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/bench/chart"
	"github.com/trawl-logs/trawl/bench/growth"
)

// A goal that is missed is named on stderr, beside what was measured, and is no failure; the text alone is on stdout.
func TestMissedGoalsAreNamed(t *testing.T) {
	r := &growth.Report{Type: "scale", Trials: 1, Nodes: []growth.NodePoint{
		{Nodes: 1000, Answer: "empty", Seconds: []float64{0.03}, Bare: []float64{0.01}, Queries: 1},
	}}
	var stdout, stderr strings.Builder
	b := &bench{benchOptions: benchOptions{out: t.TempDir()}, stdout: &stdout, stderr: &stderr, line: newProgressLine(&stderr, false)}
	if err := b.write("scale", r, map[string]chart.Figure{"-nodes": r.Figures()["-nodes"]}); err != nil {
		t.Fatal(err)
	}
	const missed = "an empty query by bare NATS is 3.00 at 1000 nodes, not at most 2"
	if !strings.HasSuffix(stderr.String(), "\ntrawl: goal missed: "+missed+"\n") || stdout.String() != r.Text() || !strings.Contains(r.Text(), "Goals missed: "+missed+".") {
		t.Errorf("stderr %q, stdout %s", stderr.String(), stdout.String())
	}
	for _, name := range []string{"scale.md", "scale.json", "scale-nodes.svg", "scale-nodes.png"} {
		if info, err := os.Stat(filepath.Join(b.out, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
