package printer

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/schemas"
)

// withoutVectors runs f as on a processor without AVX2.
func withoutVectors(f func()) {
	before := vectors
	vectors = false
	defer func() { vectors = before }()
	f()
}

// TestPrefixed holds the kernel and the loop to a plain description: file and colon before every line
// that begins, over lines of all lengths around the kernel's step, in chunks cut anywhere.
func TestPrefixed(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, terminator := range []byte{'\n', 0} {
		for round := range 14 {
			var text []byte
			longest := []int{3, 40, 127, 128, 129, 300, 70_000}[round%7]
			for len(text) < 220_000 {
				for range random.IntN(longest) {
					text = append(text, byte(random.IntN(256))|1<<5) // neither of the terminators
				}
				text = append(text, terminator)
			}
			file := strings.Repeat("f", 1+random.IntN(100)) + ".log"
			want := prefixedLines(text, file+":", terminator)
			check := func() {
				if got := printCut(t, random, text, file, terminator); !bytes.Equal(got, want) {
					t.Fatalf("round %d, terminator %d: %d bytes, want %d; first differ at %d", round, terminator, len(got), len(want), differ(got, want))
				}
			}
			check()
			withoutVectors(check)
		}
	}
}

func prefixedLines(text []byte, head string, terminator byte) (want []byte) {
	for line := range bytes.SplitAfterSeq(text, []byte{terminator}) {
		if len(line) > 0 {
			want = append(append(want, head...), line...)
		}
	}
	return want
}

// printCut prints text as chunks that end anywhere.
func printCut(t *testing.T, random *rand.Rand, text []byte, file string, terminator byte) []byte {
	var out bytes.Buffer
	p := New(&out, Options{File: true, Terminator: terminator})
	continues := false
	for len(text) > 0 {
		n := 1 + random.IntN(min(len(text), 200_000))
		c := schemas.Chunk{Kind: schemas.ChunkLines, File: file, Text: bytes.Clone(text[:n]), Continues: continues}
		continues = text[n-1] != terminator
		c.More = continues
		text = text[n:]
		if err := p.Print("", &c); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func differ(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// TestPrefixKernelStaysInside checks that the kernel touches nothing beyond what it was told of.
func TestPrefixKernelStaysInside(t *testing.T) {
	if !vectors {
		t.Skip("no AVX2 on this processor")
	}
	const mark, behind = 0xEE, 64
	head := append(make([]byte, 0, 64+vectorLane), strings.Repeat("h", 40)...)
	most := vectorLane*len(head) + 3*vectorLane
	for length := 1; length < 100; length++ {
		text := bytes.Repeat(append(bytes.Repeat([]byte{'x'}, length-1), '\n'), 600/length+2)
		for room := range 200 {
			dst := bytes.Repeat([]byte{mark}, room+most+behind)
			read, written := prefixVector(dst, text, head, room, len(text)-2*vectorLane, len(dst), '\n')
			if read < 0 || read > len(text)-vectorLane || written > room+most {
				t.Fatalf("length %d, room %d: read %d, written %d", length, room, read, written)
			}
			if rest := dst[len(dst)-behind:]; !bytes.Equal(rest, bytes.Repeat([]byte{mark}, behind)) {
				t.Fatalf("length %d, room %d: wrote behind its place", length, room)
			}
			want := bytes.ReplaceAll(text[:read], []byte{'\n'}, append([]byte{'\n'}, head...))
			if !bytes.Equal(dst[:written], want) {
				t.Fatalf("length %d, room %d: %q, want %q", length, room, dst[:written], want)
			}
		}
	}
}

func BenchmarkPrefixed(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	var text []byte
	for len(text) < 100_000 {
		text = append(append(text, strings.Repeat("x", 60+random.IntN(140))...), '\n')
	}
	c := schemas.Chunk{Kind: schemas.ChunkLines, File: "/tmp/trawl-bench/gen/node1.log", Text: text}
	for _, vector := range []bool{true, false} {
		b.Run(fmt.Sprintf("vector=%t", vector), func(b *testing.B) {
			run := func() {
				p := New(discard{}, Options{Node: true, File: true, Terminator: '\n'})
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					_ = p.Print("node1", &c)
				}
			}
			if vector {
				run()
			} else {
				withoutVectors(run)
			}
		})
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
