package profile

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/sample"
)

func TestVerify(t *testing.T) {
	truth := &sample.Truth{Nodes: []sample.NodeTruth{
		{Node: "node1", Counts: sample.Counts{Bytes: 60, Tokens: map[string]int64{"EVEN": 0}}},
		{Node: "node2", Counts: sample.Counts{Bytes: 40, Tokens: map[string]int64{"EVEN": 2}}},
	}, Total: sample.Counts{Bytes: 100}}
	right := "node2:f:a EVEN\nnode2:f:b EVEN\n"
	for _, test := range []struct {
		name, token, answer string
		status              int
		searched            int64
		says                string
	}{
		{"right", "EVEN", right, 0, 100, ""},
		{"right, pruned", "EVEN", right, 0, 40, ""},
		{"right, empty", "ABSENT", "", 1, 100, ""},
		{"a line is missing", "EVEN", "node2:f:a EVEN\n", 0, 100, "map[node2:1]"},
		{"of another node", "EVEN", "node1:f:a EVEN\nnode2:f:b EVEN\n", 0, 100, "map[node1:1 node2:1]"},
		{"of another token", "EVEN", "node2:f:a EVEN\nnode2:f:b ODD\n", 0, 100, "without EVEN"},
		{"status", "EVEN", right, 1, 100, "exit status 1"},
		{"searched more than there is", "EVEN", right, 0, 101, "101 of 100 bytes"},
	} {
		m := &measurement{truth: truth, answer: []byte(test.answer)}
		err := m.verify(test.token, &query{status: test.status, searched: test.searched, considered: 100})
		wrong, ok := errors.AsType[*WrongError](err)
		switch {
		case test.says == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.says != "" && (!ok || !strings.Contains(wrong.Says, test.says)):
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestFigures(t *testing.T) {
	token := &Token{Token: "EVEN", stages: map[string][]float64{}}
	for i, s := range []float64{0.3, 0.1, 0.2} {
		token.add(&query{seconds: s, first: s / 10, cpu: 0.01, peak: int64(i + 1), lines: 7, bytes: 70, moved: 90, frames: 4, searched: 100,
			stages: map[string]float64{"scan": s * 500, "transfer": s * 600, "print": 3, "total": s * 1000}}, 0.02, 0.06)
	}
	token.sum()
	near := func(name string, got, want float64) {
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	near("mean", token.Mean, 0.2)
	near("sd", token.SD, 0.1)
	near("min", token.Min, 0.1)
	near("median", token.Median, 0.2)
	near("p95", token.P95, 0.29)
	near("first line", token.FirstLine, 0.02)
	near("CPU of nodes", token.CPU.Nodes, 0.06)
	near("scan", token.Stages["scan"], 100)
	if token.Peak != 3 || token.Moved != 90 || token.Frames != 4 {
		t.Errorf("%+v", token)
	}
	quick := Token{Token: "RARE", Mean: 0.05}
	r := &Report{Nodes: 4, Bytes: 400, Trials: 3, Tokens: []Token{quick, *token}, Verified: true}
	text := r.Text()
	for _, part := range []string{
		"| EVEN | 200 ± 100 | 100 | 200 | 290 | 20 | 7 | 90 B | 100 B |", "| RARE | 50 ± 0.0 |", "Every answer was held against truth.json.",
		"The slowest token is EVEN: 200 ms", "for 100 ms (50 %)", "the transfer took 120 ms (60 %)", "printing took 3 ms (2 %)", "The quickest is RARE, 50 ms",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the report lacks %q:\n%s", part, text)
		}
	}
	for _, index := range []Index{{true, 4}, {false, 60}} {
		want := map[bool]string{true: "had indexed their logs before, in 4 s.", false: "had not indexed all of their logs within 60 s"}[index.Complete]
		r.Index = &index
		if text := r.Text(); !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if bars := r.Figure().Bars; len(bars) != 2 || bars[1].Mean != 200 || math.Abs(bars[1].SD-100) > 1e-9 {
		t.Errorf("%+v", bars)
	}
}

func TestRunRefuses(t *testing.T) {
	if _, err := Run(context.Background(), Options{Dir: t.TempDir(), Trials: 0}); err == nil || !strings.Contains(err.Error(), "number of trials") {
		t.Error(err)
	}
	if _, err := Run(context.Background(), Options{Dir: t.TempDir(), Trials: 1}); err == nil || !strings.Contains(err.Error(), sample.TruthFile) {
		t.Error(err)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1500: "1.5 kB", 35_400_000: "35 MB", 1_540_000_000: "1.5 GB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
}
