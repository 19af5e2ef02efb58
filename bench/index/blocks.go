package main

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"github.com/trawl-logs/trawl/responder/block"
)

// blocks prints the rows of responder/block, the design that was chosen, as it is: with all that its files
// hold, read from them, at each level. What follows the last blocks is read by every search; it is left out
// of the columns, and given in the name.
func blocks(logs []log, all []needle, classes []string, total int) error {
	mean := 0.0
	for _, l := range logs {
		mean += float64(bytes.Count(l.data, []byte("\n")))
	}
	mean = float64(total) / mean
	for _, level := range []block.Level{block.Small, block.Normal, block.Large} {
		o := block.Sizing{MeanLine: mean, Level: level}.Shape()
		dir, err := os.MkdirTemp("", "trawl-bench-blocks-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		started := time.Now()
		indexes, err := buildBlocks(dir, o, logs)
		if err != nil {
			return err
		}
		took := time.Since(started)
		size, tail := 0, 0
		for i, x := range indexes {
			end, _ := x.End()
			size, tail = size+int(x.Bytes()), tail+len(logs[i].data)-int(end)
		}
		read := map[string][]float64{}
		asked, walks, opened := time.Duration(0), 0, int64(0)
		for _, n := range all {
			started := time.Now()
			counts, err := walkBlocks(indexes, logs, n.text)
			if err != nil {
				return err
			}
			asked, walks, opened = asked+time.Since(started), walks+1, opened+counts.IndexRead
			read[n.class] = append(read[n.class], 100*float64(counts.Read-int64(tail))/float64(total))
		}
		fmt.Printf("| responder/block, %v; %d strips a block, tails %.2f %%; a query reads %d KiB of the index in %.1f ms | %.0f K | %.3g | %.2f | %.0f |",
			level, o.Strips, 100*float64(tail)/float64(total), opened/int64(walks)>>10, asked.Seconds()*1000/float64(walks),
			float64(o.StripLines)*mean/1024, o.RowsPerKey, 100*float64(size)/float64(total), float64(total)/1e6/took.Seconds())
		row(classes, read)
		for _, x := range indexes {
			x.Close()
		}
	}
	return nil
}

func buildBlocks(dir string, o block.Options, logs []log) ([]*block.Index, error) {
	b, err := block.NewBuilder(o)
	if err != nil {
		return nil, err
	}
	var out []*block.Index
	for i, l := range logs {
		x, err := block.Create(dir, block.File{Dev: 1, Ino: uint64(i)})
		if err != nil {
			return nil, err
		}
		out = append(out, x)
		b.Start(x, block.State{Size: int64(len(l.data))}, nil)
		const piece = 256 << 10
		for at := 0; at < len(l.data); at += piece {
			if err := b.Feed(l.data[at:min(at+piece, len(l.data))]); err != nil {
				return nil, err
			}
		}
		if err := b.Finish(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// walkBlocks sums up what a search for text comes to.
func walkBlocks(indexes []*block.Index, logs []log, text string) (sum block.Counts, err error) {
	filter := block.NewFilter([][][][]byte{{{[]byte(text)}}}, false)
	q := block.Query{Filter: filter, Since: block.NoTime, Until: block.NoTime}
	for i, x := range indexes {
		counts, err := x.Walk(q, int64(len(logs[i].data)), func(block.Range) bool { return true })
		if err != nil {
			return sum, err
		}
		sum.Read += counts.Read
		sum.IndexRead += counts.IndexRead
	}
	return sum, nil
}
