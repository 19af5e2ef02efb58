package scan

import (
	"math/rand/v2"
	"testing"
)

// Each byte of a file counts once as read, however it is cut up and however often a long line is
// read again: a receipt never says that more was searched than there is.
func TestBytesCountOnce(t *testing.T) {
	words := []string{"a", "b", "c", "ab", " ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
	for seed := range seeds(2000) {
		rng := rand.New(rand.NewPCG(seed, 3))
		o := drawOptions(rng)
		o.geometry = geometry{window: 16, block: 16 * int64(1+rng.IntN(3))}
		o.geometry.segment = o.geometry.block * int64(1+rng.IntN(3))
		o.Threads = 1 + rng.IntN(4)
		o.MaxLine = 20 + rng.IntN(100)
		o.Binary = Binary(rng.IntN(3))
		b := []byte(drawText(rng, '\n', words))
		if len(b) > 0 && rng.IntN(3) == 0 {
			b[rng.IntN(len(b))] = 0
		}
		_, stats := record(t, []Input{text("f", string(b))}, matching(patterns[rng.IntN(len(patterns))], '\n'), o)
		all := o.Binary == BinaryText && o.Limit == 0 && o.MaxCount < 0 && (o.Mode == Lines || o.Mode == Count)
		if size := int64(len(b)); stats.Bytes > size || all && stats.Bytes != size {
			t.Fatalf("seed %d, %+v: %d bytes read of %d", seed, o, stats.Bytes, size)
		}
	}
}
