package scan

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestHeads: with a Head the text is that without one, and the head before every line, however long
// lines are and however they are cut into batches.
func TestHeads(t *testing.T) {
	words := []string{"a", "b", "c", "ab", " ", "0", "é", "\xff", strings.Repeat("abc", 40)}
	for seed := range seeds(1000) {
		rng := rand.New(rand.NewPCG(seed, 7))
		o := drawOptions(rng)
		o.Mode, o.Limit, o.Groups, o.Before, o.After = Lines, 0, false, 0, 0
		o.Binary = Binary(rng.IntN(3))
		o.geometry = geometry{window: 16, block: 16 * int64(1+rng.IntN(3))}
		o.geometry.segment = o.geometry.block * int64(1+rng.IntN(3))
		o.Threads, o.BatchBytes, o.MaxLine = 1+rng.IntN(4), 32+rng.IntN(100), 20+rng.IntN(100)
		inputs := []Input{text("f0", drawText(rng, '\n', words)), text("f1", drawText(rng, '\n', words))}
		newMatcher := matching(patterns[rng.IntN(len(patterns))], '\n')
		texts := func() (all [2]strings.Builder, lines int64) {
			_, err := Run(context.Background(), inputs, newMatcher, o, func(b *Batch) error {
				all[b.Input].Write(b.Text)
				lines += b.Lines
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return all, lines
		}
		bare, lines := texts()
		o.Head = func(input int) []byte { return fmt.Appendf(nil, "file %d:", input) }
		headed, same := texts()
		if lines != same {
			t.Fatalf("seed %d, %+v: %d lines without heads, %d with them", seed, o, lines, same)
		}
		for i := range bare {
			var want strings.Builder
			for line := range strings.Lines(bare[i].String()) {
				fmt.Fprintf(&want, "file %d:%s", i, line)
			}
			if got := headed[i].String(); got != want.String() {
				t.Fatalf("seed %d, %+v\n got %q\nwant %q", seed, o, got, want.String())
			}
		}
	}
}
