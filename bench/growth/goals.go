package growth

import (
	"fmt"
	"strings"

	"github.com/trawl-logs/trawl/bench/paired"
	"github.com/trawl-logs/trawl/bench/profile"
)

// The goals that the figures are held against.
const (
	goalRatio      = 2.0 // at most, an empty query by bare NATS, up to goalNodes
	goalNodes      = 1000
	goalPeak       = 256 << 20 // bytes, below, memory of the requester
	goalEfficiency = 0.8       // at least, of the rate of bare NATS
)

// slow are the empty queries that miss goalRatio.
func (r *Report) slow() (over []string) {
	for i := range r.Nodes {
		p := &r.Nodes[i]
		ratio := p.Ratio()
		if p.Lines > 0 || p.Nodes > goalNodes || len(ratio) == 0 || paired.Quantile(ratio, 0.5) <= goalRatio {
			continue
		}
		text := fmt.Sprintf("%.2f at %s", paired.Quantile(ratio, 0.5), counted(p.Nodes))
		if p.Fresh {
			text += " on a new connection, where the roster is read first"
		}
		over = append(over, text)
	}
	return over
}

// most is how many nodes the largest had.
func (r *Report) most() (most int) {
	for i := range r.Nodes {
		most = max(most, r.Nodes[i].Nodes)
	}
	return most
}

// peak is the most memory that a requester had.
func (r *Report) peak() (peak int64) {
	for i := range r.Nodes {
		peak = max(peak, r.Nodes[i].Peak)
	}
	return peak
}

// efficiency is the rate by that of bare NATS, median of pairs.
func (t *Transport) efficiency() float64 {
	return paired.Quantile(paired.Ratios(t.Rate, t.BareRate), 0.5)
}

// Missed names the goals that the figures miss, each with its figure. Those of time depend on the machine, and on
// what else it does: a report that misses one is not wrong.
func (r *Report) Missed() (missed []string) {
	if over := r.slow(); len(over) > 0 {
		missed = append(missed, fmt.Sprintf("an empty query by bare NATS is %s, not at most %.0f", strings.Join(over, ", "), goalRatio))
	}
	if peak := r.peak(); peak >= goalPeak {
		missed = append(missed, fmt.Sprintf("a requester had %s resident, not below 256 MiB", profile.Size(peak)))
	}
	if t := r.Transport; t != nil && t.efficiency() < goalEfficiency {
		missed = append(missed, fmt.Sprintf("transport is %.2f of bare NATS, not at least %.1f", t.efficiency(), goalEfficiency))
	}
	return missed
}

func (r *Report) goalsReading() string {
	if missed := r.Missed(); len(missed) > 0 {
		return "Goals missed: " + strings.Join(missed, "; ") + "."
	}
	if len(r.Nodes) == 0 || r.Transport == nil {
		return "" // what there is a goal for was not measured
	}
	return "No goal is missed."
}

// Check returns an error that names what must not be, however slow the machine: a query that not every node answered in
// full, or a requester as large as the goal forbids.
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
