package main

import (
	"math/rand/v2"
	"testing"
)

// What docs/placement.md says of the rules holds for another seed, too: fewer calls have both their blocks
// on one node than with the hash alone, and far fewer blocks move than with a modulus.
func TestRulesCompared(t *testing.T) {
	by := map[string]figures{}
	for _, p := range rules {
		by[p.name] = measure(newWorld(rand.New(rand.NewPCG(77, 10)), 10), p, 77)
	}
	random, time, hash, ours := by[rules[0].name], by[rules[2].name], by[rules[3].name], by[rules[4].name]
	if ours.together*2 > hash.together || ours.disks < hash.disks || ours.slowest > time.slowest {
		t.Errorf("trawl's rule %+v, hash alone %+v, by time %+v", ours, hash, time)
	}
	if ours.joins > 0.2 || ours.leaves > 0.2 || random.joins < 0.8 {
		t.Errorf("trawl's rule %+v, random %+v", ours, random)
	}
}
