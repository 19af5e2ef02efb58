package growth

import (
	"math"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/bench/chart"
	"github.com/trawl-logs/trawl/bench/profile"
)

func TestExponent(t *testing.T) {
	power := func(e float64) (points []chart.Point) {
		points = append(points, chart.Point{X: 1, Y: 99}) // the constant part, which three points leave out
		for _, x := range []float64{10, 100, 1000} {
			points = append(points, chart.Point{X: x, Y: 3 * math.Pow(x, e)})
		}
		return points
	}
	for _, e := range []float64{0, 0.5, 1, 2} {
		if got := Exponent(power(e)); math.Abs(got-e) > 1e-9 {
			t.Errorf("exponent %v, want %v", got, e)
		}
	}
	if got := Exponent(power(1)[:1]); !math.IsNaN(got) {
		t.Errorf("of one point: %v", got)
	}
}

// grown is a report of three fleets, whose empty queries take so many times as long as bare NATS, with a requester's memory
// at 100 nodes.
func grown(ratio float64, peak int64, partial int, rate float64) *Report {
	r := &Report{Trials: 1, Transport: &Transport{Nodes: 4, Message: 1000, Rate: []float64{rate}, BareRate: []float64{1e9}}}
	for i, n := range []int{1, 10, 100} {
		x := math.Pow(10, float64(i))
		r.Nodes = append(r.Nodes, NodePoint{Nodes: n, Answer: "empty", Seconds: []float64{ratio * x}, Bare: []float64{x},
			Queries: 4, Partial: partial, Why: "node1 partial", Peak: int64(float64(peak) / math.Sqrt(100/x)), Frames: x, Sent: x * x})
	}
	return r
}

// What falls short is said, with its figure.
func TestReadingSaysWhatFallsShort(t *testing.T) {
	for _, test := range []struct {
		r    *Report
		says []string
	}{
		{grown(1.5, 20e6, 0, 9e8), []string{"Every node answered every query in full.",
			"Over the last 3 sizes of the fleet the time grows as nodes^1.00 (empty); the requester's memory as nodes^0.50 (empty); the messages that come to it as nodes^1.00 (empty); those that it sends as nodes^2.00 (empty).",
			"at most 2 times the bare scatter-gather in the median, up to 100 nodes.", "below the goal of 256 MiB", "is 0.90 (0.90–0.90), which reaches", "No goal is missed."}},
		{grown(4, 300e6, 1, 5e8), []string{"not every node answered in full: 1 of 4 to 1 node (empty; node1 partial)", "is missed: 4.00 at 1 node, 4.00 at 10 nodes, ",
			"not below the goal", "which misses",
			"Goals missed: an empty query by bare NATS is 4.00 at 1 node, 4.00 at 10 nodes, 4.00 at 100 nodes, not at most 2; a requester had 300 MB resident, not below 256 MiB; transport is 0.50 of bare NATS, not at least 0.8."}},
	} {
		text := test.r.Text()
		for _, part := range test.says {
			if !strings.Contains(text, part) {
				t.Errorf("the report lacks %q:\n%s", part, text)
			}
		}
	}
}

// The goals for what is asked for: an empty query to 1,000 nodes at most, on whatever connection.
func TestMissed(t *testing.T) {
	r := grown(1, 1, 0, 1e9)
	if missed := r.Missed(); missed != nil || (&Report{}).Missed() != nil {
		t.Errorf("missed: %q", missed)
	}
	slow := []float64{2.5}
	r.Nodes = append(r.Nodes,
		NodePoint{Nodes: 10_000, Answer: "empty", Seconds: slow, Bare: []float64{1}},
		NodePoint{Nodes: 10, Answer: "10 lines each", Lines: 10, Seconds: slow, Bare: []float64{1}},
		NodePoint{Nodes: 10, Answer: "1 MB each", Lines: 10_000, Seconds: slow})
	if missed := r.Missed(); missed != nil {
		t.Errorf("missed: %q", missed)
	}
	r.Nodes = append(r.Nodes, NodePoint{Nodes: 1000, Answer: "empty, new connection", Fresh: true, Seconds: slow, Bare: []float64{1}})
	if missed := strings.Join(r.Missed(), "; "); missed != "an empty query by bare NATS is 2.50 at 1000 nodes on a new connection, where the roster is read first, not at most 2" {
		t.Errorf("missed: %q", missed)
	}
}

func TestCheck(t *testing.T) {
	for want, r := range map[string]*Report{
		"":                            grown(9, 20e6, 0, 1), // slow
		"answered in full: node1":     grown(1, 20e6, 1, 1),
		"300 MB resident with 1 node": func() *Report { r := grown(1, 20e6, 0, 1); r.Nodes[0].Peak = 300e6; return r }(),
		"resident with 100 nodes":     func() *Report { r := grown(1, 20e6, 0, 1); r.Nodes[2].Peak = 256 << 20; return r }(),
	} {
		if err := r.Check(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Four figures, whose axes name their units, and whose legends say how each curve grows.
func TestFigures(t *testing.T) {
	r := grown(1, 20e6, 0, 1)
	r.Nodes = append(r.Nodes, NodePoint{Nodes: 10, Answer: "empty, new connection", Fresh: true, Seconds: []float64{1}, Frames: 10, Sent: 11})
	r.Sizes = []SizePoint{{Size: 10e6, Absent: profile.Token{Median: 0.01}}}
	figures := r.Figures()
	if len(figures) != 4 || len((&Report{}).Figures()) != 0 {
		t.Errorf("%d figures", len(figures))
	}
	for name, want := range map[string]struct{ x, y, legend string }{
		"-nodes":    {"nodes", "time of a query, ms", "empty, new connection|empty: nodes^1.00|bare NATS, empty: nodes^1.00"},
		"-memory":   {"nodes", "resident memory, MB", "empty: nodes^0.50"},
		"-messages": {"nodes", "messages of a query", "in, empty: nodes^1.00|out, empty: nodes^2.00"},
		"-size":     {"size of its log, MB", "time of a query, ms", "half of all lines match|no line matches, all is read|no line matches, indexed"},
	} {
		var svg strings.Builder
		if err := chart.SVG(&svg, figures[name]); err != nil {
			t.Fatal(err)
		}
		for _, part := range append(strings.Split(want.legend, "|"), want.x, want.y) {
			if !strings.Contains(svg.String(), ">"+part+"</text>") {
				t.Errorf("%s lacks %q: %s", name, part, svg.String())
			}
		}
		if n, legend := len(figures[name].Lines), len(strings.Split(want.legend, "|")); n != legend {
			t.Errorf("%s has %d curves, want %d", name, n, legend)
		}
	}
	if memory := figures["-memory"].Lines[0].Points; len(memory) != 3 || memory[2] != (chart.Point{X: 100, Y: 20}) {
		t.Errorf("%v", memory)
	}
	if bare := figures["-nodes"].Lines[2].Points; len(bare) != 3 || bare[2].Y != 1e5 {
		t.Errorf("%v", bare)
	}
}

// The three curves of the sizes, what is read of them, and that an index was not through.
func TestSizesAreRead(t *testing.T) {
	r := &Report{}
	for i, size := range sizes {
		x := float64(size) / 1e9
		token := func(seconds float64) profile.Token {
			return profile.Token{Seconds: []float64{seconds}, Median: seconds}
		}
		r.Sizes = append(r.Sizes, SizePoint{Size: size, Index: profile.Index{Complete: i < 3, Seconds: 9},
			Absent: token(0.01), Exhaustive: token(math.Sqrt(x)), Everywhere: token(x)})
		r.Sizes[i].Everywhere.Peak = int64(100e6 * math.Sqrt(x))
	}
	r.Sizes[3].Absent.BytesRead = 40e6
	text := r.Text()
	for _, part := range []string{"100 MB and up, the time grows as size^1.00 where half of the lines match, size^0.50 where none does and all is read, and size^0.00 where none does and the index tells; the requester's memory as size^0.50 where half of the lines match.",
		"| 4.0 GB | 10 | 1.0 % | 2000 | 4000 | 200 MB |", "The index of 4.0 GB was not complete after 9 s."} {
		if !strings.Contains(text, part) {
			t.Errorf("the report lacks %q:\n%s", part, text)
		}
	}
	if strings.Contains(text, "index of 1.0 GB was not") || strings.Contains(text, "bare NATS") {
		t.Error(text)
	}
	for _, line := range r.Figures()["-size"].Lines {
		if len(line.Points) != len(sizes) || line.Points[3].X != 4000 {
			t.Errorf("%+v", line)
		}
	}
}
