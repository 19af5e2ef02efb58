package main

import (
	"math"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/bench/profile"
)

func TestParse(t *testing.T) {
	c := config{trawl: "trawl", nodes: 2, runs: 1}
	if err := c.parse("20,60"); err != nil || len(c.sizes) != 2 || c.sizes[1] != 60e6 || !strings.HasPrefix(c.trawl, "/") {
		t.Errorf("%+v, %v", c, err)
	}
	for _, bad := range []string{"", "0", "20,", "much"} {
		if err := (&config{nodes: 2, runs: 1}).parse(bad); err == nil || !strings.Contains(err.Error(), "-sizes") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := (&config{nodes: 1, runs: 1}).parse("1"); err == nil {
		t.Error("a single node has no second one for its blocks")
	}
}

// What is measured comes out as it went in: medians, quartiles, ratios of the same round, shares and growth.
func TestReport(t *testing.T) {
	at := func(times float64) *point {
		p := &point{bytes: int64(20e6 * times), blocks: int(100 * times), stored: int64(4e6 * times), requests: 3}
		for k, slower := range []float64{1, 2, 0.5} {
			for _, round := range []float64{0.1, 0.2, 0.3} {
				p.walls[k] = append(p.walls[k], round*slower*math.Pow(times, slower))
				p.cpus[k] = append(p.cpus[k], 2*round*slower)
			}
		}
		for range p.requests {
			var a answer
			a.AllAtOnce = &allAtOnce{BytesRead: 1e6, SealedBlocks: int64(100 * times)}
			a.BytesRead, a.Queries, a.Blocks.Read, a.Store.Blocks, a.AllAtOnce.Blocks.Read = 2e5, 8, 6, 7, 20
			p.traces = append(p.traces, a)
		}
		return p
	}
	var out strings.Builder
	small := at(1)
	small.dropped = 2
	report(&out, []*point{small, at(10)}, profile.Machine{CPUs: 2, Load: "0.10"})
	for _, want := range []string{
		"| 20 MB | 100, 4.0 MB | 200 (150–250) | 400 (300–500) | 2.00 (2.00–2.00) | 100 (75–125) | 0.50 (0.50–0.50) | 3 |\n",
		"| 200 MB | 1000, 40 MB | 2000 (1500–2500) | 40000 (30000–50000) | 20.00 (20.00–20.00) |",
		"| 20 MB | 400 (300–500) | 800 (600–1000) | 200 (150–250) |\n",
		"| 20 MB | 8.0 | 7.0 | 6.0 | 6.0 % | 20.0 | 30 % | 200 kB | 1.0 MB |\n",
		"| 200 MB | 8.0 | 7.0 | 6.0 | 0.6 % | 20.0 | 30 % | 200 kB | 1.0 MB |\n",
		"\n20 MB: 2 more rounds do not count, in which not every node answered in full.\n",
		"; 2 cores, /, , load average 0.10 before the start.\n",
		"`trawl trace` grows with the logs as bytes^1.00 in time, bytes^0.00 in CPU time.\n",
		"`trace --exhaustive` grows with the logs as bytes^2.00 in time",
		"`trawl grep` grows with the logs as bytes^0.50 in time",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, &out)
		}
	}
}
