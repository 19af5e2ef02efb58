package main

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/trawl-logs/trawl/bench/chart"
	"github.com/trawl-logs/trawl/bench/growth"
	"github.com/trawl-logs/trawl/bench/paired"
	"github.com/trawl-logs/trawl/bench/profile"
)

// report prints the tables, as Markdown.
func report(out io.Writer, points []*point, machine profile.Machine) {
	fmt.Fprintf(out, "Whole processes by turns, a request a round: median ms (quartiles); ratios of the same round. Every trace equals the truth.\n\n")
	fmt.Fprintf(out, "| logs | sealed blocks | `%s` | `%s` | ratio | `%s` | ratio | rounds |\n|---|---|---|---|---|---|---|---|\n", commands[0], commands[1], commands[2])
	for _, p := range points {
		fmt.Fprintf(out, "| %s | %d, %s | %s | %s | %s | %s | %s | %d |\n", profile.Size(p.bytes), p.blocks, profile.Size(p.stored), quartiles(p.walls[0]),
			quartiles(p.walls[1]), paired.Spread(paired.Ratios(p.walls[1], p.walls[0])), quartiles(p.walls[2]), paired.Spread(paired.Ratios(p.walls[2], p.walls[0])), p.requests)
	}
	fmt.Fprintf(out, "\nCPU time of the process and of all nodes and the bus, median ms (quartiles)\n\n| logs | `%s` | `%s` | `%s` |\n|---|---|---|---|\n", commands[0], commands[1], commands[2])
	for _, p := range points {
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", profile.Size(p.bytes), quartiles(p.cpus[0]), quartiles(p.cpus[1]), quartiles(p.cpus[2]))
	}
	for _, p := range points {
		if p.dropped > 0 {
			fmt.Fprintf(out, "\n%s: %d more rounds do not count, in which not every node answered in full.\n", profile.Size(p.bytes), p.dropped)
		}
	}
	shares(out, points)
	exponents(out, points)
	fmt.Fprintf(out, "\n%s; %s.\n", time.Now().UTC().Format("2006-01-02"), machine)
}

// shares prints what a trace reads, of what: means over the requests.
func shares(out io.Writer, points []*point) {
	fmt.Fprint(out, "\nSealed blocks of a trace, means. A block counts once for each query that reads any of it. One query for all services has all blocks to read; with their indexes it reads few.\n\n"+
		"| logs | queries | asked for | read | of all blocks | one query for all, with the indexes | a trace reads of that | bytes read | one query |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, p := range points {
		var queries, asked, read, all, allRead, bytes, allBytes float64
		n := float64(len(p.traces))
		for _, a := range p.traces {
			queries, asked, read = queries+float64(a.Queries)/n, asked+float64(a.Store.Blocks)/n, read+float64(a.Blocks.Read)/n
			all, allRead = all+float64(a.AllAtOnce.SealedBlocks)/n, allRead+float64(a.AllAtOnce.Blocks.Read)/n
			bytes, allBytes = bytes+float64(a.BytesRead)/n, allBytes+float64(a.AllAtOnce.BytesRead)/n
		}
		fmt.Fprintf(out, "| %s | %.1f | %.1f | %.1f | %.1f %% | %.1f | %.0f %% | %s | %s |\n", profile.Size(p.bytes), queries, asked, read, 100*read/all, allRead, 100*read/allRead,
			profile.Size(int64(bytes)), profile.Size(int64(allBytes)))
	}
}

// exponents prints how the medians grow with the logs.
func exponents(out io.Writer, points []*point) {
	for k, name := range commands {
		var walls, cpus []chart.Point
		for _, p := range points {
			walls = append(walls, chart.Point{X: float64(p.bytes), Y: paired.Quantile(p.walls[k], 0.5)})
			cpus = append(cpus, chart.Point{X: float64(p.bytes), Y: paired.Quantile(p.cpus[k], 0.5)})
		}
		if e := growth.Exponent(walls); !math.IsNaN(e) {
			fmt.Fprintf(out, "\n`%s` grows with the logs as bytes^%.2f in time, bytes^%.2f in CPU time.", name, e, growth.Exponent(cpus))
		}
	}
	fmt.Fprintln(out)
}

// quartiles are the median of seconds in ms, and between which the middle half lies.
func quartiles(v []float64) string {
	return fmt.Sprintf("%.0f (%.0f–%.0f)", 1000*paired.Quantile(v, 0.5), 1000*paired.Quantile(v, 0.25), 1000*paired.Quantile(v, 0.75))
}
