package main

import (
	"fmt"
	"path/filepath"

	"github.com/trawl-logs/trawl/bench/paired"
)

// growthMB are the sizes of growth's corpora.
var growthMB = []int64{240, 1024, 4096}

// growth prints how queries grow with the logs: each row of the fleet's that an index can help, over a corpus
// of each size.
func growth(c config) (err error) {
	if c.trawl, err = filepath.Abs(c.trawl); err != nil {
		return err
	}
	var names []string
	all := map[string][]outcome{}
	for _, mb := range growthMB {
		c.size = mb << 20
		if err := growthAt(c, func(name string, o outcome) {
			if len(all[name]) == 0 {
				names = append(names, name)
			}
			all[name] = append(all[name], o)
		}); err != nil {
			return fmt.Errorf("%d MB: %w", mb, err)
		}
	}
	last := len(growthMB) - 1
	fmt.Printf("\nMedians of %d alternating rounds, ms: index (with its quartiles of rg ÷ index, and the most read, %%). Growth: time at %d MB over that at %d MB, which is %.1f times the bytes.\n\n",
		c.runs, growthMB[last], growthMB[0], float64(growthMB[last])/float64(growthMB[0]))
	fmt.Print("| query |")
	for _, mb := range growthMB {
		fmt.Printf(" %d MB | rg ÷ index | read, %%: median | most |", mb)
	}
	fmt.Print(" growth, index | --exhaustive | rg |\n|---|")
	for range growthMB {
		fmt.Print("---|---|---|---|")
	}
	fmt.Println("---|---|---|")
	for _, name := range names {
		printGrowth(name, all[name])
	}
	return nil
}

// growthAt measures the rows over a corpus of c.size.
func growthAt(c config, add func(string, outcome)) error {
	plant, absent := needles(c.needles)
	f, files, err := indexed(c, plant)
	if err != nil {
		return err
	}
	defer f.Stop()
	for _, s := range searches(plant, absent) {
		if s.prunable && c.only.MatchString(s.name) {
			o, err := measure(f, s, files, c.runs, nil)
			if err != nil {
				return err
			}
			add(s.name, o)
		}
	}
	return nil
}

func printGrowth(name string, at []outcome) {
	fmt.Printf("| %s |", name)
	for _, o := range at {
		fmt.Printf(" %s | %s | %.2f | %.2f |", paired.Milliseconds(o.walls[0]), paired.Spread(paired.Ratios(o.walls[2], o.walls[0])),
			paired.Quantile(o.read, 0.5), paired.Quantile(o.read, 1))
	}
	last := len(at) - 1
	for i := range at[0].walls {
		fmt.Printf(" %.1f |", paired.Quantile(at[last].walls[i], 0.5)/paired.Quantile(at[0].walls[i], 0.5))
	}
	fmt.Println()
}
