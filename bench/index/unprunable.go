package main

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/trawl-logs/trawl/bench/paired"
	"github.com/trawl-logs/trawl/bench/procs"
)

// unprunable are queries that an index cannot help.
var unprunable = [][]string{
	{"-c", "-e", "[a-z]+ing"}, {"-c", "-v", "-e", "4f9a1c77"}, {"-c", "-e", ""}, {"-c", "-e", "."}, {"-e", "~#~"},
	{"-i", "-e", "[qj][0-9][xz][0-9][kw]"},
}

// loss prints what such queries lose by the index: time with it over time without, of the same pair.
func loss(c config) (err error) {
	if c.trawl, err = filepath.Abs(c.trawl); err != nil {
		return err
	}
	plant, _ := needles(c.needles)
	f, _, err := indexed(c, plant)
	if err != nil {
		return err
	}
	defer f.Stop()
	fmt.Printf("\n%d pairs by turns; median of the ratios (where it lies by 95 %%)\n\n| query | index, ms | --exhaustive, ms | index ÷ exhaustive | of CPU time |\n|---|---|---|---|---|\n", c.runs)
	for _, query := range unprunable {
		if err := losing(c, f, query); err != nil {
			return fmt.Errorf("%q: %w", query, err)
		}
	}
	return nil
}

// losing prints the row of a query.
func losing(c config, f *procs.Fleet, query []string) error {
	commands := [2][]string{f.Grep(query...), f.Grep(append(slices.Clone(query), "--exhaustive")...)}
	var walls, cpus [2][]float64
	for round := range c.runs + warmUp {
		for i := range commands {
			turn := (round + i) % 2
			wall, cpu, err := costOf(f, commands[turn])
			if err != nil {
				return err
			}
			if round >= warmUp {
				walls[turn], cpus[turn] = append(walls[turn], wall), append(cpus[turn], cpu)
			}
		}
	}
	fmt.Printf("| `%q` | %s | %s | %s | %s |\n", query, paired.Milliseconds(walls[0]), paired.Milliseconds(walls[1]),
		paired.Likely(paired.Ratios(walls[0], walls[1])), paired.Likely(paired.Ratios(cpus[0], cpus[1])))
	return nil
}
