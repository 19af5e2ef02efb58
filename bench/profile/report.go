package profile

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/trawl-logs/trawl/bench/chart"
	"github.com/trawl-logs/trawl/bench/paired"
)

// Report is what Run measured. In JSON all times are seconds and all sizes bytes, but for Stages.
type Report struct {
	Type       string    `json:"type"` // "profile"
	Version    string    `json:"version"`
	Began      time.Time `json:"began"`
	Machine    Machine   `json:"machine"`
	Nodes      int       `json:"nodes"`
	Bytes      int64     `json:"bytes"` // of all logs
	Lines      int64     `json:"lines"`
	Seed       uint64    `json:"seed"`
	Trials     int       `json:"trials"`
	Verified   bool      `json:"verified"`    // every answer was held against the truth, and was right
	GivenFleet bool      `json:"given_fleet"` // then nothing is known of what it used
	Index      *Index    `json:"index"`       // null with a given fleet
	Tokens     []Token   `json:"tokens"`
	Idle       *Idle     `json:"idle"`
}

// Index is whether the nodes had indexed their logs before the first query, and how long that took.
type Index struct {
	Complete bool    `json:"complete"`
	Seconds  float64 `json:"seconds"`
}

// Token is what the queries for one token took.
type Token struct {
	Token      string             `json:"token"`
	Exhaustive bool               `json:"exhaustive"` // no index was used
	Seconds    []float64          `json:"seconds"`    // of every trial, in order
	Mean       float64            `json:"mean"`
	SD         float64            `json:"sd"` // of the trials as a sample; 0 for a single one
	Min        float64            `json:"min"`
	Median     float64            `json:"median"`
	P95        float64            `json:"p95"`        // between the two nearest trials
	FirstLine  float64            `json:"first_line"` // median until the first byte of the answer; 0: there is none
	Lines      int64              `json:"lines"`
	Output     int64              `json:"output"`     // bytes printed
	Moved      int64              `json:"moved"`      // bytes of the frames that came, median
	Frames     int64              `json:"frames"`     // median
	BytesRead  int64              `json:"bytes_read"` // by the nodes
	Stages     map[string]float64 `json:"stages_ms"`  // medians of what --timing says, ms
	CPU        CPU                `json:"cpu"`        // means
	Peak       int64              `json:"peak"`       // most memory a requester had resident

	first, moved, frames []float64
	stages               map[string][]float64
}

// CPU is the processor time of one query, in seconds.
type CPU struct {
	Requester float64 `json:"requester"`
	Bus       float64 `json:"bus"`
	Nodes     float64 `json:"nodes"` // all together
}

// Idle is what responders use that nobody asks, the one that uses most.
type Idle struct {
	Seconds  float64 `json:"seconds"`   // watched
	CPUShare float64 `json:"cpu_share"` // of one core
	Resident int64   `json:"resident"`
	Peak     int64   `json:"peak"` // in the whole run
}

// add takes a trial.
func (t *Token) add(q *query, bus, nodes float64) {
	t.Seconds = append(t.Seconds, q.seconds)
	t.Lines, t.Output, t.BytesRead, t.Peak = q.lines, q.bytes, q.searched, max(t.Peak, q.peak)
	if q.bytes > 0 {
		t.first = append(t.first, q.first)
	}
	t.moved, t.frames = append(t.moved, float64(q.moved)), append(t.frames, float64(q.frames))
	for name, ms := range q.stages {
		t.stages[name] = append(t.stages[name], ms)
	}
	t.CPU.Requester += q.cpu
	t.CPU.Bus += bus
	t.CPU.Nodes += nodes
}

// sum works out the figures of all trials.
func (t *Token) sum() {
	n := float64(len(t.Seconds))
	t.Mean, t.SD = meanSD(t.Seconds)
	t.Min, t.Median, t.P95 = slices.Min(t.Seconds), median(t.Seconds), paired.Quantile(t.Seconds, 0.95)
	t.FirstLine = median(t.first)
	t.Moved, t.Frames = int64(median(t.moved)), int64(median(t.frames))
	t.Stages = map[string]float64{}
	for name, ms := range t.stages {
		t.Stages[name] = median(ms)
	}
	t.CPU = CPU{t.CPU.Requester / n, t.CPU.Bus / n, t.CPU.Nodes / n}
}

// median is 0 for no values.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	return paired.Quantile(v, 0.5)
}

// meanSD is the mean of v and its standard deviation as a sample's.
func meanSD(v []float64) (mean, sd float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	if len(v) < 2 {
		return mean, 0
	}
	for _, x := range v {
		sd += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(sd / float64(len(v)-1))
}

// CostPerGB is the processor time of all tokens' queries together in seconds a GB, 10^9 bytes: of the nodes by what they
// searched, of bus and requester by what was printed. 0 where nothing was.
func (r *Report) CostPerGB() (cost CPU) {
	printed, searched := 0.0, 0.0
	for i := range r.Tokens {
		t := &r.Tokens[i]
		printed, searched = printed+float64(t.Output)/1e9, searched+float64(t.BytesRead)/1e9
		cost.Requester, cost.Bus, cost.Nodes = cost.Requester+t.CPU.Requester, cost.Bus+t.CPU.Bus, cost.Nodes+t.CPU.Nodes
	}
	by := func(seconds, gb float64) float64 {
		if gb == 0 {
			return 0
		}
		return seconds / gb
	}
	return CPU{Requester: by(cost.Requester, printed), Bus: by(cost.Bus, printed), Nodes: by(cost.Nodes, searched)}
}

// The goals for a responder that nobody asks: this much memory at most, in bytes, and next to no processor time, as a
// share of a core.
const (
	goalIdle  = 30 << 20
	goalShare = 0.005
)

// Missed names the goals that the figures miss, each with its figure; none: nil.
func (r *Report) Missed() (missed []string) {
	i := r.Idle
	if i == nil {
		return nil
	}
	if i.Resident > goalIdle {
		missed = append(missed, fmt.Sprintf("an idle responder had %s resident, not at most 30 MiB", Size(i.Resident)))
	}
	if i.CPUShare > goalShare {
		missed = append(missed, fmt.Sprintf("an idle responder used %.2f %% of a core, not about none", 100*i.CPUShare))
	}
	return missed
}

// Figure is the plot: a bar a token, the mean with one standard deviation up and down.
func (r *Report) Figure() *chart.Bars {
	b := &chart.Bars{Title: r.title() + ": mean ± one standard deviation", X: "token", Y: "time of a query, ms"}
	for i := range r.Tokens {
		t := &r.Tokens[i]
		b.Bars = append(b.Bars, chart.Bar{Label: t.Token, Mean: t.Mean * 1000, SD: t.SD * 1000})
	}
	return b
}
