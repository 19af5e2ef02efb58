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

// What falls short is said, with its figure.
func TestReadingSaysWhatFallsShort(t *testing.T) {
	report := func(seconds float64, peak int64, partial int, rate float64) *Report {
		r := &Report{Trials: 1, Transport: &Transport{Nodes: 4, Message: 1000, Rate: []float64{rate}, BareRate: []float64{1e9}}}
		for i, n := range []int{1, 10, 100} {
			t := seconds * math.Pow(10, float64(i))
			r.Nodes = append(r.Nodes, NodePoint{Nodes: n, Answer: "empty", Seconds: []float64{t}, Roster: []float64{t / 4},
				Bare: []float64{math.Pow(10, float64(i))}, Queries: 4, Partial: partial, Why: "node1 partial", Peak: peak})
		}
		return r
	}
	for _, test := range []struct {
		r    *Report
		says []string
	}{
		{report(1.5, 20e6, 0, 9e8), []string{"Every node answered every query in full.", "nodes^1.00 (empty)", "at most 2 times the bare scatter-gather in the median, up to 100 nodes.", "below the goal of 256 MiB", "is 0.90 (0.90–0.90), which reaches"}},
		{report(4, 300e6, 1, 5e8), []string{"not every node answered in full: 1 of 4 to 1 node (empty; node1 partial)", "is missed: 4.00 at 1 node (3.00 without", "not below the goal", "which misses"}},
	} {
		text := test.r.Text()
		for _, part := range test.says {
			if !strings.Contains(text, part) {
				t.Errorf("the report lacks %q:\n%s", part, text)
			}
		}
	}
	for want, r := range map[string]*Report{
		"":                            report(1, 20e6, 0, 1),
		"answered in full: node1":     report(1, 20e6, 1, 1),
		"300 MB resident with 1 node": func() *Report { r := report(1, 300e6, 0, 1); r.Nodes = r.Nodes[:1]; return r }(),
		"resident with 100 nodes":     func() *Report { r := report(1, 20e6, 0, 1); r.Nodes[2].Peak = 256 << 20; return r }(),
	} {
		if err := r.Check(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	lines := report(1, 1, 0, 1).NodesFigure().Lines
	if len(lines) != 4 || len(lines[2].Points) != 3 || lines[2].Label != "empty: nodes^1.00" || lines[3].Points[2].Y != 1e5 {
		t.Errorf("%+v", lines)
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
	}
	r.Sizes[3].Absent.BytesRead = 40e6
	text := r.Text()
	for _, part := range []string{"100 MB and up, the time grows as size^1.00 where half of the lines match, size^0.50 where none does and all is read, and size^0.00",
		"| 4.0 GB | 10 | 1.0 % | 2000 | 4000 |", "The index of 4.0 GB was not complete after 9 s."} {
		if !strings.Contains(text, part) {
			t.Errorf("the report lacks %q:\n%s", part, text)
		}
	}
	if strings.Contains(text, "index of 1.0 GB was not") || strings.Contains(text, "bare NATS") {
		t.Error(text)
	}
	for _, line := range r.SizeFigure().Lines {
		if len(line.Points) != len(sizes) || line.Points[3].X != 4000 {
			t.Errorf("%+v", line)
		}
	}
}
