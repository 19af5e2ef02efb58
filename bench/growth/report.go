package growth

import (
	"fmt"
	"math"
	"time"

	"github.com/trawl-logs/trawl/bench/chart"
	"github.com/trawl-logs/trawl/bench/paired"
	"github.com/trawl-logs/trawl/bench/profile"
)

// Report is what Run measured. In JSON all times are seconds and all sizes bytes.
type Report struct {
	Type      string          `json:"type"` // "scale"
	Version   string          `json:"version"`
	Began     time.Time       `json:"began"`
	Machine   profile.Machine `json:"machine"`
	Trials    int             `json:"trials"`
	Transport *Transport      `json:"transport"`
	Nodes     []NodePoint     `json:"nodes"`
	Sizes     []SizePoint     `json:"sizes"`
}

// NodePoint is one answer of a fleet of some size.
type NodePoint struct {
	Nodes   int       `json:"nodes"`
	Answer  string    `json:"answer"`
	Lines   int       `json:"lines"`   // of each node
	Fresh   bool      `json:"fresh"`   // each query was the first of its connection, and no process was started
	Seconds []float64 `json:"seconds"` // of every query, on a connection that is there
	Bare    []float64 `json:"bare"`    // of a bare scatter-gather after each; none where answers need credit
	Frames  float64   `json:"frames"`  // messages that came, median
	Sent    float64   `json:"sent"`    // messages that the requester sent, median
	Process float64   `json:"process"` // median time of trawl grep as a process
	Peak    int64     `json:"peak"`    // memory of that process at most
	Queries int       `json:"queries"` // of both kinds
	Partial int       `json:"partial"` // of these, not answered in full by every node
	Why     string    `json:"why"`     // the first of these was not

	frames, sent, process []float64
}

// SizePoint is what a log of some size takes on one node.
type SizePoint struct {
	Size       int64         `json:"size"`
	Index      profile.Index `json:"index"`
	Absent     profile.Token `json:"absent"`     // with the index
	Exhaustive profile.Token `json:"exhaustive"` // the same without
	Everywhere profile.Token `json:"everywhere"` // half of all lines
}

// Transport is how fast answers flow, in bytes of messages a second, beside bare messages.
type Transport struct {
	Nodes    int       `json:"nodes"`
	Message  int64     `json:"message"` // bytes
	Bytes    int64     `json:"bytes"`   // of text in an answer
	Rate     []float64 `json:"rate"`
	BareRate []float64 `json:"bare_rate"`
}

// count counts a query.
func (p *NodePoint) count(complete bool, why string) {
	if p.Queries++; complete {
		return
	}
	if p.Partial++; p.Partial == 1 {
		p.Why = why
	}
}

func (p *NodePoint) sum() {
	p.Frames, p.Sent, p.Process = median(p.frames), median(p.sent), median(p.process)
}

// median is 0 for no values: every process failed, which is counted.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	return paired.Quantile(v, 0.5)
}

// Ratio is a query's time by that of the bare scatter-gather after it.
func (p *NodePoint) Ratio() []float64 {
	if len(p.Bare) == 0 {
		return nil
	}
	return paired.Ratios(p.Seconds, p.Bare)
}

// quantity is what grows with the nodes: its median or most, 0 where it was not measured.
type quantity func(*NodePoint) float64

func queries(p *NodePoint) float64 { return 1000 * median(p.Seconds) }
func bare(p *NodePoint) float64    { return 1000 * median(p.Bare) }
func memory(p *NodePoint) float64  { return float64(p.Peak) / 1e6 }
func frames(p *NodePoint) float64  { return p.messages(p.Frames) }
func sent(p *NodePoint) float64    { return p.messages(p.Sent) }

// messages leaves out those of a new connection, which are as many again.
func (p *NodePoint) messages(n float64) float64 {
	if p.Fresh {
		return 0
	}
	return n
}

// curve is a line of a figure.
func (r *Report) curve(answer string, of quantity) []chart.Point {
	var points []chart.Point
	for i := range r.Nodes {
		if p := &r.Nodes[i]; p.Answer == answer && of(p) > 0 {
			points = append(points, chart.Point{X: float64(p.Nodes), Y: of(p)})
		}
	}
	return points
}

// curves are a line an answer, as they lie, each label after a word or none; what was not measured has none.
func (r *Report) curves(word string, of quantity) (lines []chart.Line) {
	for i := len(answers) - 1; i >= 0; i-- {
		if points := r.curve(answers[i].name, of); len(points) > 0 {
			lines = append(lines, chart.Line{Label: word + answers[i].name, Points: points})
		}
	}
	return lines
}

// Figures are the plots, by what their files' names end in: time, memory of the requester, and messages over
// nodes, and time over the size of one node's log.
func (r *Report) Figures() map[string]*chart.Lines {
	all := map[string]*chart.Lines{}
	if len(r.Nodes) > 0 {
		times := append(r.curves("", queries), chart.Line{Label: "bare NATS, empty", Points: r.curve(empty, bare)})
		messages := append(r.curves("in, ", frames), r.curves("out, ", sent)...)
		all["-nodes"] = withExponents(&chart.Lines{Title: "A query to a fleet, median", X: "nodes", Y: "time of a query, ms", Lines: times}, "nodes")
		all["-memory"] = withExponents(&chart.Lines{Title: "The memory of a trawl grep to a fleet, at most", X: "nodes", Y: "resident memory, MB", Lines: r.curves("", memory)}, "nodes")
		all["-messages"] = withExponents(&chart.Lines{Title: "The messages of a query to a fleet, median", X: "nodes", Y: "messages of a query", Lines: messages}, "nodes")
	}
	if len(r.Sizes) > 0 {
		all["-size"] = withExponents(&chart.Lines{Title: "A query to a node, median", X: "size of its log, MB", Y: "time of a query, ms", Lines: r.sizeCurves()}, "size")
	}
	return all
}

// sizeCurves are the lines of the sizes' figure, as they lie.
func (r *Report) sizeCurves() []chart.Line {
	curves := []chart.Line{{Label: "half of all lines match"}, {Label: "no line matches, all is read"}, {Label: "no line matches, indexed"}}
	for i := range r.Sizes {
		s := &r.Sizes[i]
		for c, t := range []*profile.Token{&s.Everywhere, &s.Exhaustive, &s.Absent} {
			curves[c].Points = append(curves[c].Points, chart.Point{X: float64(s.Size) / 1e6, Y: 1000 * t.Median})
		}
	}
	return curves
}

// sizeMemory is the requester's memory over the size of one node's log, where half of its lines match.
func (r *Report) sizeMemory() (points []chart.Point) {
	for i := range r.Sizes {
		if s := &r.Sizes[i]; s.Everywhere.Peak > 0 {
			points = append(points, chart.Point{X: float64(s.Size) / 1e6, Y: float64(s.Everywhere.Peak) / 1e6})
		}
	}
	return points
}

// withExponents says in the legend how each curve grows.
func withExponents(l *chart.Lines, of string) *chart.Lines {
	for i := range l.Lines {
		if e := Exponent(l.Lines[i].Points); !math.IsNaN(e) {
			l.Lines[i].Label += fmt.Sprintf(": %s^%.2f", of, e)
		}
	}
	return l
}

// fitted are the points that an exponent is fitted to, the last ones.
const fitted = 3

// Exponent fits y = c·x^e to the last three points, where what is constant counts least, by least
// squares of the logarithms. It is not a number below two points.
func Exponent(points []chart.Point) float64 {
	points = points[max(0, len(points)-fitted):]
	var sx, sy, sxx, sxy float64
	for _, p := range points {
		x, y := math.Log(p.X), math.Log(p.Y)
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	n := float64(len(points))
	if n < 2 {
		return math.NaN()
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}
