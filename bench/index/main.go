// Command index compares designs of a skip index on the same logs (compare.go): how large each is, how fast
// it is built, and what share of the bytes a query of each class has to read, the strips that do hold the
// text included. It prints Markdown tables; docs/index.md keeps the last.
//
// With -fleet it times instead a fleet with its index built, beside itself without and ripgrep (fleet.go, rows.go);
// with -flight, queries while the index is being built (flight.go); with -growth, the same over logs of several sizes
// (growth.go); with -archives, over archives (archives.go); with -unprunable, queries that an index cannot help (unprunable.go); with -sealed, sealed
// blocks beside archives (sealed.go); with -build, how fast package block builds (speed.go). All these are over a corpus that is kept on disk.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// config is what the command line says.
type config struct {
	samples, data, trawl string
	size                 int64 // of the corpus, bytes
	needles              int
	only                 *regexp.Regexp
	nodes, runs, cold    int
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "index:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	var c config
	flag.StringVar(&c.samples, "samples", "e2e/testdata/loghub", "sample logs that half of the corpus is grown from")
	size := flag.Int64("mb", 1024, "size of the corpus, MB")
	only := flag.String("only", "", "only designs, or with -fleet rows, whose name matches")
	flag.IntVar(&c.needles, "needles", 8, "needles of each kind")
	flag.StringVar(&c.trawl, "trawl", "bin/trawl", "the trawl binary")
	flag.StringVar(&c.data, "data", filepath.Join(os.TempDir(), "trawl-bench"), "where the corpus is kept")
	flag.IntVar(&c.nodes, "nodes", 4, "nodes of the fleet")
	flag.IntVar(&c.runs, "runs", 15, "paired runs, or rounds")
	flag.IntVar(&c.cold, "cold", 5, "paired runs with nothing in memory, with -fleet")
	modes := []struct {
		name, does string
		run        func(config) error
		chosen     bool
	}{
		{"fleet", "time a fleet over the corpus", fleet, false},
		{"archives", "time it over the corpus packed by gzip and zstd", archives, false},
		{"flight", "time queries to a node while it builds its index; at most 4 minutes once the corpus is there", flight, false},
		{"growth", "time it over 240, 1024 and 4096 MB, whatever -mb", growth, false},
		{"unprunable", "time queries that an index cannot help", loss, false},
		{"sealed", "compare the corpus, sealed, with archives of it", sealed, false},
		{"build", "time how package block builds", speed, false},
	}
	for i := range modes {
		flag.BoolVar(&modes[i].chosen, modes[i].name, false, modes[i].does)
	}
	flag.Parse()
	if c.only, err = regexp.Compile(*only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	c.size = *size << 20
	for _, m := range modes {
		if m.chosen {
			return m.run(c)
		}
	}
	return compare(c)
}
