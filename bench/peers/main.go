// Command peers times trawl beside ripgrep and GNU grep: the same patterns over the same files, one
// alternating run, whole processes, warm page cache, output into a pipe that is read to its end.
//
// Before the timed runs it holds the tools' answers against each other (as a sum over their lines, since
// ripgrep's file order is not fixed), so that a fast wrong answer can't win. It prints a Markdown table
// of medians and of the ratios of paired runs, with their quartiles; docs/benchmarks.md keeps the last.
// With -memory it times our matching alone (memory.go).
package main

import (
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

type config struct {
	trawl   string
	data    string
	samples string
	runs    int
	grep    int // of runs, those in which GNU grep takes part
	grown   int64
	only    *regexp.Regexp
	threads []string
	memory  bool
}

func run() error {
	var c config
	var only, threads string
	var grownMB int64
	flag.StringVar(&c.trawl, "trawl", "bin/trawl", "the trawl binary")
	flag.StringVar(&c.data, "data", filepath.Join(os.TempDir(), "trawl-bench"), "where the generated logs are kept")
	flag.StringVar(&c.samples, "samples", "e2e/testdata/loghub", "sample logs that the large workload is grown from")
	flag.IntVar(&c.runs, "runs", 15, "paired runs")
	flag.IntVar(&c.grep, "grep-runs", math.MaxInt, "runs in which GNU grep takes part, which is several times slower")
	flag.Int64Var(&grownMB, "grown-mb", 1024, "size of the grown workload, MB in all")
	flag.StringVar(&only, "only", "", "only workloads/patterns whose name matches")
	flag.StringVar(&threads, "threads", "1,2", "thread counts")
	flag.BoolVar(&c.memory, "memory", false, "matching alone, over files in memory")
	flag.Parse()
	c.grown = grownMB << 20
	c.threads = strings.Split(threads, ",")
	var err error
	if c.only, err = regexp.Compile(only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if c.trawl, err = filepath.Abs(c.trawl); err != nil {
		return err
	}
	works, err := workloads(c)
	if err != nil {
		return err
	}
	if c.memory {
		for _, w := range works {
			if err := memory(c, w); err != nil {
				return err
			}
		}
		return nil
	}
	for _, peer := range []string{"rg", "grep"} {
		if _, err := exec.LookPath(peer); err != nil {
			fmt.Printf("%s is not installed: left out\n\n", peer)
		}
	}
	var all []row
	for _, w := range works {
		rows, err := measure(c, w)
		if err != nil {
			return err
		}
		all = append(all, rows...)
	}
	summary(all)
	return nil
}
