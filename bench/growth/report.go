package growth

import (
	"fmt"
	"math"
	"slices"
	"strings"
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
	Seconds []float64 `json:"seconds"` // of every query, on a connection that is there
	Bare    []float64 `json:"bare"`    // of a bare scatter-gather after each; none where answers need credit
	Roster  []float64 `json:"roster"`  // the part of Seconds that reads who is known, which bare NATS is told
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
	median := func(v []float64) float64 {
		if len(v) == 0 {
			return 0 // every process failed, which is counted
		}
		return paired.Quantile(v, 0.5)
	}
	p.Frames, p.Sent, p.Process = median(p.frames), median(p.sent), median(p.process)
}

// Ratio is a query's time by that of the bare scatter-gather after it.
func (p *NodePoint) Ratio() []float64 {
	if len(p.Bare) == 0 {
		return nil
	}
	return paired.Ratios(p.Seconds, p.Bare)
}

// RatioAlone is the same without reading the roster.
func (p *NodePoint) RatioAlone() []float64 {
	var alone []float64
	for i := range p.Bare {
		alone = append(alone, (p.Seconds[i]-p.Roster[i])/p.Bare[i])
	}
	return alone
}

// curve is a line of a figure: the medians in ms.
func (r *Report) curve(answer string, of func(*NodePoint) []float64) []chart.Point {
	var points []chart.Point
	for i := range r.Nodes {
		if p := &r.Nodes[i]; p.Answer == answer && len(of(p)) > 0 {
			points = append(points, chart.Point{X: float64(p.Nodes), Y: 1000 * paired.Quantile(of(p), 0.5)})
		}
	}
	return points
}

func queries(p *NodePoint) []float64 { return p.Seconds }
func bare(p *NodePoint) []float64    { return p.Bare }

// NodesFigure is the plot of time over nodes.
func (r *Report) NodesFigure() *chart.Lines {
	l := &chart.Lines{Title: "A query to a fleet, median", X: "nodes", Y: "time of a query, ms"}
	for i := len(answers) - 1; i >= 0; i-- { // as the curves lie
		l.Lines = append(l.Lines, chart.Line{Label: answers[i].name, Points: r.curve(answers[i].name, queries)})
	}
	l.Lines = append(l.Lines, chart.Line{Label: "bare NATS, empty", Points: r.curve(answers[0].name, bare)})
	return withExponents(l, "nodes")
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

// SizeFigure is the plot of time over the size of one node's log.
func (r *Report) SizeFigure() *chart.Lines {
	return withExponents(&chart.Lines{Title: "A query to a node, median", X: "size of its log, MB", Y: "time of a query, ms", Lines: r.sizeCurves()}, "size")
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

// Text is the report as Markdown: the tables, and paragraphs that read them.
func (r *Report) Text() string {
	var b strings.Builder
	if len(r.Nodes) > 0 {
		r.nodesTable(&b)
	}
	if len(r.Sizes) > 0 {
		b.WriteString("\nOne node, `trawl grep` as a process, median ms; its index was built before\n\n| log | no line matches | of the log read | no line matches, all is read | half of all lines match | its memory |\n|---|---|---|---|---|---|\n")
		for i := range r.Sizes {
			s := &r.Sizes[i]
			fmt.Fprintf(&b, "| %s | %s | %.1f %% | %s | %s | %s |\n", profile.Size(s.Size), ms(s.Absent.Seconds), 100*float64(s.Absent.BytesRead)/float64(s.Size),
				ms(s.Exhaustive.Seconds), ms(s.Everywhere.Seconds), profile.Size(max(s.Absent.Peak, s.Exhaustive.Peak, s.Everywhere.Peak)))
		}
	}
	fmt.Fprintf(&b, "\n%s; %s.\n", r.Began.Format("2006-01-02"), r.Machine)
	for _, paragraph := range []string{r.nodesReading(), r.sizesReading(), r.transportReading()} {
		if paragraph != "" {
			b.WriteString("\n" + paragraph + "\n")
		}
	}
	return b.String()
}

// nodesTable writes the table of the fleets.
func (r *Report) nodesTable(b *strings.Builder) {
	fmt.Fprintf(b, "A query on a connection that is there, median ms of at most %d runs; ratio = query ÷ bare NATS of pairs: median (quartiles)\n\n", r.Trials)
	b.WriteString("| nodes | answer | runs | query | of it roster | bare NATS | ratio | without roster | messages in | out | `trawl grep` | its memory |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for i := range r.Nodes {
		p := &r.Nodes[i]
		fmt.Fprintf(b, "| %d | %s | %d | %s | %s | %s | %s | %s | %.0f | %.0f | %s | %s |\n", p.Nodes, p.Answer, len(p.Seconds), ms(p.Seconds),
			ms(p.Roster), ms(p.Bare), paired.Spread(p.Ratio()), paired.Spread(p.RatioAlone()), p.Frames, p.Sent, ms([]float64{p.Process}), profile.Size(p.Peak))
	}
}

// The goals that Reading holds the figures against.
const (
	goalRatio      = 2.0       // an empty query by bare NATS, up to 1,000 nodes
	goalPeak       = 256 << 20 // memory of the requester
	goalEfficiency = 0.8
)

func (r *Report) nodesReading() string {
	if len(r.Nodes) == 0 {
		return ""
	}
	var b strings.Builder
	var partial []string
	for i := range r.Nodes {
		if p := &r.Nodes[i]; p.Partial > 0 {
			partial = append(partial, fmt.Sprintf("%d of %d to %s (%s; %s)", p.Partial, p.Queries, counted(p.Nodes), p.Answer, p.Why))
		}
	}
	if len(partial) == 0 {
		b.WriteString("Every node answered every query in full. ")
	} else {
		fmt.Fprintf(&b, "Queries that not every node answered in full: %s. ", strings.Join(partial, ", "))
	}
	var fits, over []string
	for _, a := range answers {
		if e := Exponent(r.curve(a.name, queries)); !math.IsNaN(e) {
			fits = append(fits, fmt.Sprintf("nodes^%.2f (%s)", e, a.name))
		}
	}
	if len(fits) > 0 {
		fmt.Fprintf(&b, "Over the last three sizes of the fleet the time grows as %s. ", strings.Join(fits, ", "))
	}
	peak, most := int64(0), 0
	for i := range r.Nodes {
		p := &r.Nodes[i]
		peak, most = max(peak, p.Peak), max(most, p.Nodes)
		if ratio := p.Ratio(); p.Lines == 0 && p.Nodes <= 1000 && len(ratio) > 0 && paired.Quantile(ratio, 0.5) > goalRatio {
			over = append(over, fmt.Sprintf("%.2f at %s (%.2f without reading the roster)",
				paired.Quantile(ratio, 0.5), counted(p.Nodes), paired.Quantile(p.RatioAlone(), 0.5)))
		}
	}
	if len(over) == 0 {
		fmt.Fprintf(&b, "An empty query takes at most %.0f times the bare scatter-gather in the median, up to %s. ", goalRatio, counted(min(most, 1000)))
	} else {
		fmt.Fprintf(&b, "The goal of at most %.0f times the bare scatter-gather for an empty query is missed: %s. ", goalRatio, strings.Join(over, ", "))
	}
	verdict := "below"
	if peak >= goalPeak {
		verdict = "not below"
	}
	fmt.Fprintf(&b, "The requester had %s resident at most, up to %d nodes, which is %s the goal of 256 MiB.", profile.Size(peak), most, verdict)
	return b.String()
}

func (r *Report) sizesReading() string {
	if len(r.Sizes) < 2 {
		return ""
	}
	curves := r.sizeCurves()
	text := fmt.Sprintf("Over the last sizes of one node's log, %s and up, the time grows as size^%.2f where half of the lines match, size^%.2f where none does and all is read, and size^%.2f where none does and the index tells.",
		profile.Size(r.Sizes[max(0, len(r.Sizes)-fitted)].Size), Exponent(curves[0].Points), Exponent(curves[1].Points), Exponent(curves[2].Points))
	for i := range r.Sizes {
		if s := &r.Sizes[i]; !s.Index.Complete {
			text += fmt.Sprintf(" The index of %s was not complete after %.0f s.", profile.Size(s.Size), s.Index.Seconds)
		}
	}
	return text
}

func (r *Report) transportReading() string {
	t := r.Transport
	if t == nil {
		return ""
	}
	ratio := paired.Ratios(t.Rate, t.BareRate)
	verdict := "reaches"
	if paired.Quantile(ratio, 0.5) < goalEfficiency {
		verdict = "misses"
	}
	return fmt.Sprintf("Transport: %s from %d nodes in messages of %s came at %s/s, bare NATS messages of that size under the same window at %s/s; the ratio of pairs is %s, which %s the goal of %.1f.",
		profile.Size(t.Bytes), t.Nodes, profile.Size(t.Message), profile.Size(int64(paired.Quantile(t.Rate, 0.5))),
		profile.Size(int64(paired.Quantile(t.BareRate, 0.5))), paired.Spread(ratio), verdict, goalEfficiency)
}

// Check returns an error that names what must not be: a query that not every node answered in full, or
// a requester as large as the goal forbids.
func (r *Report) Check() error {
	for i := range r.Nodes {
		switch p := &r.Nodes[i]; {
		case p.Partial > 0:
			return fmt.Errorf("%d of %d queries to %s (%s) were not answered in full: %s", p.Partial, p.Queries, counted(p.Nodes), p.Answer, p.Why)
		case p.Peak >= goalPeak:
			return fmt.Errorf("the requester had %s resident with %s (%s)", profile.Size(p.Peak), counted(p.Nodes), p.Answer)
		}
	}
	return nil
}

// counted is so many nodes.
func counted(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}

// ms is the median of seconds in ms, with three digits that count; a dash for none.
func ms(seconds []float64) string {
	if len(seconds) == 0 || slices.Max(seconds) == 0 {
		return "–"
	}
	v := 1000 * paired.Quantile(seconds, 0.5)
	if v >= 99.5 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
