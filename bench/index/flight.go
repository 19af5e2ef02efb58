package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/trawl-logs/trawl/bench/paired"
	"github.com/trawl-logs/trawl/bench/procs"
)

const (
	// betweenQueries is for how long, from one to two times, a node goes on indexing before it is asked: a query that
	// follows another at once meets a Builder that rests because of that.
	betweenQueries = 300 * time.Millisecond
	// warmUp is how many queries find the caches of a new node empty.
	warmUp = 2
	// askedFor bounds how long each of flight's two halves takes, and indexedFor what is between: together four minutes.
	askedFor   = 80 * time.Second
	indexedFor = 70 * time.Second
)

// flight compares queries of a node that builds its index, at the default budget, with those of one that has and
// makes none, by turns, while the other stands still; and then again when the first is through, which shows what the
// pairs tell apart. Both have the whole corpus and read all of it.
func flight(c config) (err error) {
	if c.trawl, err = filepath.Abs(c.trawl); err != nil {
		return err
	}
	plant, absent := needles(c.needles)
	files, globs, err := c.files(plant)
	if err != nil {
		return err
	}
	c.nodes = 1
	plain, err := one(c, globs, "index: off\n")
	if err != nil {
		return err
	}
	defer plain.Stop()
	busy, err := one(c, globs, "index: {cpu: 10%}\n")
	if err != nil {
		return err
	}
	defer busy.Stop()
	s := searches(plant, absent)[0]
	fmt.Printf("One node, %d files, %d MB; --exhaustive queries; the time of the whole command.\n", len(files), c.size>>20)
	if err := builderShare(c, busy, s); err != nil {
		return err
	}
	if err := inPairs(c, busy, plain, s, "while it builds its index"); err != nil {
		return err
	}
	if nodes, err := blocksOf(c, busy); err != nil {
		return err
	} else if nodes[0].done() {
		fmt.Println("It was THROUGH WITH INDEXING before the last pair: the corpus is too small for so many.")
	}
	for began := time.Now(); ; time.Sleep(buildLook) {
		nodes, err := blocksOf(c, busy)
		if err != nil {
			return err
		}
		if nodes[0].done() {
			return inPairs(c, busy, plain, s, "when it is through")
		}
		if time.Since(began) > indexedFor {
			return fmt.Errorf("index: not built after %v more: -mb %d is too much", indexedFor, c.size>>20)
		}
	}
}

// one starts a node with all of the logs.
func one(c config, globs []string, config string) (*procs.Fleet, error) {
	f, err := os.CreateTemp("", "trawl-bench-*.yaml")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	if _, err = f.WriteString(config); err == nil {
		err = f.Close()
	}
	if err != nil {
		return nil, err
	}
	args := []string{"--config", f.Name()}
	for _, g := range globs[1:] {
		args = append(args, "--logs", g)
	}
	return procs.Start(c.trawl, globs[:1], args...)
}

// inPairs prints how long queries of one node take beside those of another.
func inPairs(c config, busy, plain *procs.Fleet, s search, when string) error {
	during, without, err := pairs(busy, plain, s, c.runs)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s ms, and %s ms of a node without an index; nine in ten below %.0f and %.0f; ratio of %d pairs: median (where it lies by 95 %%) %s; quartiles %s.\n",
		when, paired.Milliseconds(during), paired.Milliseconds(without), 1000*paired.Quantile(during, 0.9), 1000*paired.Quantile(without, 0.9),
		len(during), paired.Likely(paired.Ratios(during, without)), paired.Spread(paired.Ratios(during, without)))
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

// pairs asks both fleets by turns, for as long as askedFor, and returns the seconds of each. Each stands still while
// the other is asked, but at the end.
func pairs(first, second *procs.Fleet, s search, runs int) (a, b []float64, err error) {
	fleets, walls := [2]*procs.Fleet{first, second}, [2][]float64{}
	rng, began := rand.New(rand.NewPCG(1, 1)), time.Now()
	for round := 0; round < runs+warmUp && time.Since(began) < askedFor; round++ {
		text, rest := s.texts[round%len(s.texts)], betweenQueries+time.Duration(rng.Int64N(int64(betweenQueries)))
		for i := range fleets {
			turn := (round + i) % 2
			if err := fleets[1-turn].Pause(); err != nil {
				return nil, nil, err
			}
			if err := fleets[turn].Resume(); err != nil {
				return nil, nil, err
			}
			time.Sleep(rest)
			cost, err := paired.Once(fleets[turn].Grep("--exhaustive", "-e", text))
			if err != nil {
				return nil, nil, err
			}
			if round >= warmUp {
				walls[turn] = append(walls[turn], cost.Wall.Seconds())
			}
		}
	}
	if slices.ContainsFunc(walls[:], func(w []float64) bool { return len(w) == 0 }) {
		return nil, nil, fmt.Errorf("no pair of queries within %v", askedFor)
	}
	return walls[0], walls[1], errors.Join(first.Resume(), second.Resume())
}
