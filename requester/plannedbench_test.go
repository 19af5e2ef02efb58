package requester

import (
	"bytes"
	"testing"

	"github.com/trawl-logs/trawl/requester/blockplan"
	"github.com/trawl-logs/trawl/schemas"
)

// BenchmarkPlannedRelease releases what a node has read of a sealed block, 64 frames of 128 KiB with lines of 100 bytes.
func BenchmarkPlannedRelease(b *testing.B) {
	line := append(bytes.Repeat([]byte("x"), 99), '\n')
	var frames []Release
	for f := range int64(64) {
		c := schemas.Chunk{File: "log", Text: bytes.Repeat(line, 1310), Origin: &schemas.Origin{Node: "a", Log: schemas.BlockID{7}}}
		for i := range int64(1310) {
			c.Offsets = append(c.Offsets, (f*1310+i)*100)
		}
		frames = append(frames, Release{Node: "b", Chunks: []schemas.Chunk{c}, lines: 1310})
	}
	nodes, block := twoOwners(100)
	q := NewQuery("x")
	plan, err := blockplan.Make(&blockplan.Question{Select: &q.Select, Nodes: nodes, Blocks: []*schemas.BlockRecord{block}, Revision: 7})
	if err != nil {
		b.Fatal(err)
	}
	g := NewPlannedGather(q, plan, RosterRegistered, 0)
	n := g.nodes["b"]
	chunks := make([]schemas.Chunk, 1)
	b.ReportAllocs()
	b.SetBytes(64 * 1310 * 100)
	for b.Loop() {
		for _, r := range frames {
			chunks[0] = r.Chunks[0]
			r.Chunks = chunks
			n.share.marks.note(g, &r)
			g.combine(n, &r)
			if r.Chunks[0].Offsets != nil {
				b.Fatal("offsets that nobody asked for")
			}
		}
	}
}
