package growth

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/trawl-logs/trawl/bench/paired"
	"github.com/trawl-logs/trawl/bench/profile"
)

// Text is the report as Markdown: the tables, and paragraphs that read them.
func (r *Report) Text() string {
	var b strings.Builder
	if len(r.Nodes) > 0 {
		r.nodesTable(&b)
	}
	if len(r.Sizes) > 0 {
		r.sizesTable(&b)
	}
	fmt.Fprintf(&b, "\n%s; %s.\n", r.Began.Format("2006-01-02"), r.Machine)
	for _, paragraph := range []string{r.nodesReading(), r.sizesReading(), r.transportReading(), r.goalsReading()} {
		if paragraph != "" {
			b.WriteString("\n" + paragraph + "\n")
		}
	}
	return b.String()
}

// nodesTable writes the table of the fleets.
func (r *Report) nodesTable(b *strings.Builder) {
	fmt.Fprintf(b, "A query on a connection that is there, median ms of at most %d runs; ratio = query ÷ bare NATS of pairs: median (quartiles)\n\n", r.Trials)
	b.WriteString("| nodes | answer | runs | query | bare NATS | ratio | messages in | out | `trawl grep` | its memory |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for i := range r.Nodes {
		p := &r.Nodes[i]
		fmt.Fprintf(b, "| %d | %s | %d | %s | %s | %s | %.0f | %.0f | %s | %s |\n", p.Nodes, p.Answer, len(p.Seconds), ms(p.Seconds),
			ms(p.Bare), paired.Spread(p.Ratio()), p.Frames, p.Sent, ms([]float64{p.Process}), resident(p.Peak))
	}
}

// sizesTable writes the table of one node's log.
func (r *Report) sizesTable(b *strings.Builder) {
	b.WriteString("\nOne node, `trawl grep` as a process, median ms; its index was built before\n\n| log | no line matches | of the log read | no line matches, all is read | half of all lines match | its memory |\n|---|---|---|---|---|---|\n")
	for i := range r.Sizes {
		s := &r.Sizes[i]
		fmt.Fprintf(b, "| %s | %s | %.1f %% | %s | %s | %s |\n", profile.Size(s.Size), ms(s.Absent.Seconds), 100*float64(s.Absent.BytesRead)/float64(s.Size),
			ms(s.Exhaustive.Seconds), ms(s.Everywhere.Seconds), resident(max(s.Absent.Peak, s.Exhaustive.Peak, s.Everywhere.Peak)))
	}
}

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
	var grows []string
	for _, g := range []struct {
		what string
		of   quantity
	}{{"the time grows", queries}, {"the requester's memory", memory}, {"the messages that come to it", frames}, {"those that it sends", sent}} {
		if fits := r.fits(g.of); fits != "" {
			grows = append(grows, g.what+" as "+fits)
		}
	}
	if len(grows) > 0 {
		fmt.Fprintf(&b, "Over the last %d sizes of the fleet %s. ", min(fitted, r.fleets()), strings.Join(grows, "; "))
	}
	if over := r.slow(); len(over) == 0 {
		fmt.Fprintf(&b, "An empty query takes at most %.0f times the bare scatter-gather in the median, up to %s. ", goalRatio, counted(min(r.most(), goalNodes)))
	} else {
		fmt.Fprintf(&b, "The goal of at most %.0f times the bare scatter-gather for an empty query is missed: %s. ", goalRatio, strings.Join(over, ", "))
	}
	peak, verdict := r.peak(), "below"
	if peak >= goalPeak {
		verdict = "not below"
	}
	fmt.Fprintf(&b, "The requester had %s resident at most, up to %s, which is %s the goal of 256 MiB.", profile.Size(peak), counted(r.most()), verdict)
	return b.String()
}

// fits says of each answer how a quantity grows with the nodes; nothing below two fleets.
func (r *Report) fits(of quantity) string {
	var fits []string
	for _, a := range answers {
		if e := Exponent(r.curve(a.name, of)); !math.IsNaN(e) {
			fits = append(fits, fmt.Sprintf("nodes^%.2f (%s)", e, a.name))
		}
	}
	return strings.Join(fits, ", ")
}

// fleets is how many there were.
func (r *Report) fleets() int {
	sizes := map[int]bool{}
	for i := range r.Nodes {
		sizes[r.Nodes[i].Nodes] = true
	}
	return len(sizes)
}

func (r *Report) sizesReading() string {
	if len(r.Sizes) < 2 {
		return ""
	}
	curves := r.sizeCurves()
	text := fmt.Sprintf("Over the last sizes of one node's log, %s and up, the time grows as size^%.2f where half of the lines match, size^%.2f where none does and all is read, and size^%.2f where none does and the index tells",
		profile.Size(r.Sizes[max(0, len(r.Sizes)-fitted)].Size), Exponent(curves[0].Points), Exponent(curves[1].Points), Exponent(curves[2].Points))
	if e := Exponent(r.sizeMemory()); !math.IsNaN(e) {
		text += fmt.Sprintf("; the requester's memory as size^%.2f where half of the lines match", e)
	}
	text += "."
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
	verdict := "reaches"
	if t.efficiency() < goalEfficiency {
		verdict = "misses"
	}
	return fmt.Sprintf("Transport: %s from %d nodes in messages of %s came at %s/s, bare NATS messages of that size under the same window at %s/s; the ratio of pairs is %s, which %s the goal of %.1f.",
		profile.Size(t.Bytes), t.Nodes, profile.Size(t.Message), profile.Size(int64(paired.Quantile(t.Rate, 0.5))),
		profile.Size(int64(paired.Quantile(t.BareRate, 0.5))), paired.Spread(paired.Ratios(t.Rate, t.BareRate)), verdict, goalEfficiency)
}

// counted is so many nodes.
func counted(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}

// resident is memory; a dash for none.
func resident(bytes int64) string {
	if bytes == 0 {
		return "–"
	}
	return profile.Size(bytes)
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
