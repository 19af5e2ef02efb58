package main

import (
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/bench/paired"
	"github.com/trawl-logs/trawl/bench/profile"
)

// result is what one row's rounds took, in seconds, round by round.
type result struct {
	name            string
	wall            []float64 // of trawl grep
	cpu, bus, nodes []float64 // processor time: of all its processes, and of these the bus and the responders
	peers           map[string][]float64
}

// table is both tables of a run: the full one, a row as soon as it is measured, and the short one, of ratios alone.
type table struct {
	peers   []string
	runs    int
	results []*result
}

// ratio is trawl by a peer, of the rounds in which that took part.
func (r *result) ratio(peer string) []float64 {
	return paired.Ratios(r.wall[:len(r.peers[peer])], r.peers[peer])
}

// head is what the full table begins with: when, where, and of what.
func (t *table) head(now time.Time, machine string, versions []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s; %s; %s.\n\n", now.UTC().Format("2006-01-02"), machine, strings.Join(versions, "; "))
	fmt.Fprintf(&b, "ms; medians of %d alternating rounds; ratios trawl ÷ peer of the same round: median (quartiles)\n\n", t.runs)
	b.WriteString("| lines | trawl | its CPU | of it bus | responders |")
	for _, p := range t.peers {
		fmt.Fprintf(&b, " %s | ratio |", p)
	}
	fmt.Fprintf(&b, "\n|---|---|---|---|---|%s\n", strings.Repeat("---|---|", len(t.peers)))
	return b.String()
}

// row is one of the full table.
func (t *table) row(r *result) string {
	t.results = append(t.results, r)
	ms := paired.Milliseconds
	s := fmt.Sprintf("| %s | %s | %s | %s | %s |", r.name, ms(r.wall), ms(r.cpu), ms(r.bus), ms(r.nodes))
	for _, p := range t.peers {
		s += fmt.Sprintf(" %s | %s |", ms(r.peers[p]), paired.Spread(r.ratio(p)))
	}
	return s + "\n"
}

// short is the table for docs/benchmarks.md.
func (t *table) short() string {
	var b strings.Builder
	b.WriteString("trawl ÷ peer, below 1 where trawl is quicker: median of paired runs (quartiles)\n\n| lines | trawl, ms |")
	for _, p := range t.peers {
		fmt.Fprintf(&b, " ÷ %s |", p)
	}
	fmt.Fprintf(&b, "\n|---|---|%s\n", strings.Repeat("---|", len(t.peers)))
	for _, r := range t.results {
		fmt.Fprintf(&b, "| %s | %s |", r.name, paired.Milliseconds(r.wall))
		for _, p := range t.peers {
			fmt.Fprintf(&b, " %s |", paired.Spread(r.ratio(p)))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// machine names this one, with its load before the start.
func machine() string { return profile.ThisMachine().String() }

// versions are the first lines of what the programs say of theirs; who does not is left out.
func versions(programs ...[]string) (lines []string) {
	for _, argv := range programs {
		said, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		if line, _, _ := strings.Cut(string(said), "\n"); err == nil && line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
