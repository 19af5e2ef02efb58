// Command index compares designs of a skip index on the same logs (compare.go): how large each is, how fast
// it is built, and what share of the bytes a query of each class has to read, the strips that do hold the
// text included. It prints Markdown tables; docs/index.md keeps the last.
//
// With -fleet it times instead a fleet with its index built, beside itself without and ripgrep (fleet.go);
// with -build, how fast package block builds (speed.go). Both are over a corpus that is kept on disk.
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
	flag.StringVar(&c.trawl, "trawl", "bin/trawl", "the trawl binary, with -fleet")
	flag.StringVar(&c.data, "data", filepath.Join(os.TempDir(), "trawl-bench"), "where the corpus is kept, with -fleet and -build")
	flag.IntVar(&c.nodes, "nodes", 4, "nodes, with -fleet and -build")
	flag.IntVar(&c.runs, "runs", 15, "paired runs, with -fleet; rounds, with -build")
	flag.IntVar(&c.cold, "cold", 5, "paired runs with nothing in memory, with -fleet")
	asFleet := flag.Bool("fleet", false, "time a fleet over the corpus")
	asBuild := flag.Bool("build", false, "time how package block builds")
	flag.Parse()
	if c.only, err = regexp.Compile(*only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	c.size = *size << 20
	switch {
	case *asFleet:
		return fleet(c)
	case *asBuild:
		return speed(c)
	}
	return compare(c)
}
