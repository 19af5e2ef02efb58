package block

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// Whatever the pieces in which lines come, and whatever the lines before had in common with them, the bits of
// a strip are those of all grams of its lines, and no others.
func TestBitsOfStrips(t *testing.T) {
	o := Options{Strips: 64, StripLines: 7, RowsPerKey: 2, Common: 1}
	draws := uint64(15)
	if testing.Short() {
		draws = 3
	}
	for seed := range draws {
		r := rand.New(rand.NewPCG(seed, 4))
		var text []byte
		var lines [][]byte
		for range 40 * o.StripLines {
			line := similarLine(r, lines)
			lines = append(lines, line)
			text = append(append(text, line...), '\n')
		}
		b, err := NewBuilder(o)
		if err != nil {
			t.Fatal(err)
		}
		x, err := Create(t.TempDir(), File{})
		if err != nil {
			t.Fatal(err)
		}
		b.Start(x, State{}, nil)
		for rest := text; len(rest) > 0; {
			n := min(1+r.IntN(1<<r.IntN(15)), len(rest))
			if err := b.Feed(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		x.Close()
		for i := range 40 {
			want := make([]uint64, 1<<b.log/64)
			for _, line := range lines[i*o.StripLines : (i+1)*o.StripLines] {
				for _, h := range hashes(line) {
					h >>= 64 - b.log
					want[h>>6] |= 1 << (h & 63)
				}
			}
			if got := b.fine[i*b.stride : i*b.stride+len(want)]; !slices.Equal(got, want) {
				t.Fatalf("seed %d, strip %d: other bits than of\n%q", seed, i, lines[i*o.StripLines:(i+1)*o.StripLines])
			}
		}
	}
}

// similarLine returns a line that has something in common with one before.
func similarLine(r *rand.Rand, before [][]byte) []byte {
	var line []byte
	if len(before) > 0 && r.IntN(4) > 0 {
		last := before[len(before)-1]
		line = bytes.Clone(last[:r.IntN(len(last)+1)])
	}
	for range r.IntN(6) {
		switch alphabet := []string{letters, "0123456789abcdef", "AbZ@[`{ \x00\x7f\x80\xc5\xbf\u212a"}[r.IntN(3)]; {
		case r.IntN(20) == 0:
			line = append(line, bytes.Repeat([]byte("long"), r.IntN(100))...)
		default:
			for range r.IntN(20) {
				line = append(line, alphabet[r.IntN(len(alphabet))])
			}
		}
		line = append(line, ' ')
	}
	return line
}

const letters = "abcdefghijklmnopqrstuvwxyz"
