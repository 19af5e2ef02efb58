package profile

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/sample"
)

func TestFigures(t *testing.T) {
	token := &Token{Token: "EVEN", stages: map[string][]float64{}}
	for i, s := range []float64{0.3, 0.1, 0.2} {
		token.add(&query{seconds: s, first: s / 10, cpu: 0.01, peak: int64(i + 1), sum: sum{lines: 7, bytes: 70}, moved: 90, frames: 4, searched: 100,
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
	figure := r.Figure()
	if figure.X != "token" || figure.Y != "time of a query, ms" {
		t.Errorf("the axes show %q and %q", figure.X, figure.Y)
	}
	if bars := figure.Bars; len(bars) != 2 || bars[1].Mean != 200 || math.Abs(bars[1].SD-100) > 1e-9 {
		t.Errorf("%+v", bars)
	}
}

// The processor time for a GB, and what an idle responder uses, beside their goals.
func TestCosts(t *testing.T) {
	r := &Report{Nodes: 1, Tokens: []Token{
		{Token: "EVERYWHERE", Output: 1_500_000_000, BytesRead: 4_000_000_000, CPU: CPU{Requester: 3, Bus: 2, Nodes: 4}},
		{Token: "EVEN", Output: 500_000_000, BytesRead: 1_000_000_000, CPU: CPU{Requester: 1, Bus: 0.5, Nodes: 0.5}},
		{Token: "ABSENT", CPU: CPU{Requester: 1, Bus: 0.5, Nodes: 0.5}},
	}}
	if got, want := r.CostPerGB(), (CPU{Requester: 2.5, Bus: 1.5, Nodes: 1}); got != want {
		t.Errorf("%+v a GB, want %+v", got, want)
	}
	if got := (&Report{Tokens: r.Tokens[2:]}).CostPerGB(); got != (CPU{}) {
		t.Errorf("%+v for a GB of nothing", got)
	}
	for _, test := range []struct {
		idle   Idle
		says   string
		missed int
	}{
		{Idle{Seconds: 5, CPUShare: 0.0005, Resident: 27_000_000, Peak: 59_000_000}, "no responder used more than 0.05 % of a core over 5 s, or had more than 27 MB resident (at most 59 MB during the run).\n", 0},
		{Idle{Seconds: 5, CPUShare: 0.0392, Resident: 27_000_000}, "Goals missed: an idle responder used 3.92 % of a core, not about none.", 1},
		{Idle{Seconds: 5, CPUShare: 0.0392, Resident: 42_000_000}, "Goals missed: an idle responder had 42 MB resident, not at most 30 MiB; an idle responder used", 2},
	} {
		r.Idle = &test.idle
		text := r.Text()
		for _, part := range []string{"the nodes used 1.00 CPU seconds for a GB searched; for a GB of answer the bus used 1.50 and the requester 2.50.", test.says} {
			if !strings.Contains(text, part) {
				t.Errorf("the report lacks %q:\n%s", part, text)
			}
		}
		if missed := r.Missed(); len(missed) != test.missed {
			t.Errorf("missed: %q", missed)
		}
	}
	if r.GivenFleet, r.Idle = true, nil; strings.Contains(r.Text(), "CPU seconds") || r.Missed() != nil {
		t.Errorf("of a fleet of which nothing is known: %s", r.Text())
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
