package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/trawl-logs/trawl/bench/paired"
	"github.com/trawl-logs/trawl/bench/procs"
)

const (
	// betweenPairs is for how long indexing goes on between the queries that it is to disturb.
	betweenPairs = 200 * time.Millisecond
	// warmUp is how many queries find the caches of a new node empty.
	warmUp = 2
)

// whileBuilding compares queries of a fleet that begins to index with those of one that is through, while
// the first stands still; and then again when the first is through as well, which shows what the pairs tell
// apart. Both read everything.
func whileBuilding(c config, idle *procs.Fleet, globs []string, s search) error {
	busy, err := procs.Start(c.trawl, globs)
	if err != nil {
		return err
	}
	defer busy.Stop()
	if err := builderShare(c, busy, s); err != nil {
		return err
	}
	during, without, err := pairs(busy, idle, s, c.runs)
	if err != nil {
		return err
	}
	nodes, err := blocksOf(c, busy)
	if err != nil {
		return err
	}
	state := "still indexing after the last"
	if !slices.ContainsFunc(nodes, func(p progress) bool { return !p.done() }) {
		state = "but THROUGH WITH INDEXING before the last: too small a corpus for this"
	}
	if _, _, _, err := settled(c, busy); err != nil {
		return err
	}
	one, other, err := pairs(busy, idle, s, c.runs)
	if err != nil {
		return err
	}
	fmt.Printf("Queries in flight while the nodes index (%d pairs, --exhaustive, %s): %s ms, and %s ms without; ratio %s; when neither indexes %s.\n",
		c.runs, state, paired.Milliseconds(during), paired.Milliseconds(without), paired.Likely(paired.Ratios(during, without)), paired.Likely(paired.Ratios(one, other)))
	return nil
}

// sharedFor is for how long builderShare looks at each.
const sharedFor = 3 * time.Second

// builderShare prints what the Builders of a fleet that indexes use, without queries and under one after the
// other: unlike the time of queries it hardly depends on what else the machine does.
func builderShare(c config, f *procs.Fleet, s search) error {
	for _, asking := range []bool{false, true} {
		built, err := f.Lowered()
		if err != nil {
			return err
		}
		before, err := f.CPU()
		if err != nil {
			return err
		}
		started, queries := time.Now(), 0
		for time.Since(started) < sharedFor {
			if !asking {
				time.Sleep(sharedFor)
				continue
			}
			if _, err := paired.Once(f.Grep("--exhaustive", "-e", s.texts[queries%len(s.texts)])); err != nil {
				return err
			}
			queries++
		}
		took := time.Since(started).Seconds()
		now, err := f.Lowered()
		if err != nil {
			return err
		}
		after, err := f.CPU()
		if err != nil {
			return err
		}
		built = now - built
		fmt.Printf("Indexing used %.2f %% of a core a node, %.2f %% of what the nodes used, during %d queries one after the other.\n",
			100*built/took/float64(c.nodes), 100*built/(after.Nodes-before.Nodes), queries)
	}
	return nil
}

// pairs asks both fleets by turns, and returns the seconds of each. The first stands still while the
// second is asked.
func pairs(first, second *procs.Fleet, s search, runs int) (a, b []float64, err error) {
	turns := [2]struct {
		fleet  *procs.Fleet
		before func() error
		walls  []float64
	}{{fleet: first, before: first.Resume}, {fleet: second, before: first.Pause}}
	for round := range runs + warmUp {
		text := s.texts[round%len(s.texts)]
		for i := range turns {
			t := &turns[(round+i)%2]
			if err := t.before(); err != nil {
				return nil, nil, err
			}
			time.Sleep(betweenPairs)
			cost, err := paired.Once(t.fleet.Grep("--exhaustive", "-e", text))
			if err != nil {
				return nil, nil, err
			}
			if round >= warmUp {
				t.walls = append(t.walls, cost.Wall.Seconds())
			}
		}
	}
	return turns[0].walls, turns[1].walls, first.Resume()
}
