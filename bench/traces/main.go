// Command traces measures trawl trace over sealed blocks beside trawl trace --exhaustive and trawl grep, by turns, on
// made-up systems of several sizes: how long each takes, what it costs, what it reads, and how that grows. Every trace
// is held against the truth. It prints the tables of docs/trace.md.
//
//	go run ./bench/traces -trawl bin/trawl
//
// A system is ten nodes of twenty services (sample.WriteTraces), whose logs are sealed, two nodes having each block, and
// then deleted: what is measured is the store alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/bench/procs"
	"github.com/trawl-logs/trawl/bench/profile"
)

// config says what is measured.
type config struct {
	trawl    string        // the binary
	sizes    []int64       // bytes a node
	nodes    int           // at least 2
	services int           // at least 2
	every    time.Duration // the mean time between two requests
	window   time.Duration // of sealed blocks
	lines    int           // of a sealed block
	runs     int           // rounds, each of another request
	most     time.Duration // that the rounds of one size may take; three are run whatever they take
	patience time.Duration // for which a size's logs may take to be sealed
	say      func(format string, args ...any)
}

func main() {
	c := config{say: func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
	}}
	flag.StringVar(&c.trawl, "trawl", "bin/trawl", "the `BINARY`")
	sizes := flag.String("sizes", "20,60,200", "`MB` a node, ascending")
	flag.IntVar(&c.nodes, "nodes", 10, "`N` nodes")
	flag.IntVar(&c.services, "services", 20, "`N` services")
	flag.DurationVar(&c.every, "every", 40*time.Millisecond, "mean `DUR` between two requests")
	flag.DurationVar(&c.window, "window", 10*time.Minute, "`DUR` of sealed.window")
	flag.IntVar(&c.lines, "lines", 65536, "`N` of sealed.lines")
	flag.IntVar(&c.runs, "runs", 15, "`N` rounds of a size, each of another request")
	flag.DurationVar(&c.most, "most", 2*time.Minute, "`DUR` that the rounds of a size take at most")
	flag.DurationVar(&c.patience, "patience", 5*time.Minute, "`DUR` that sealing a size's logs may take")
	limit := flag.Duration("limit", 15*time.Minute, "`DUR` after which it ends with the sizes that it has")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, *limit, fmt.Errorf("%v are over", *limit))
	defer cancel()
	err := c.parse(*sizes)
	if err == nil {
		err = measure(ctx, os.Stdout, c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "traces:", err)
		os.Exit(1)
	}
}

// parse takes the flags that are not what they look like.
func (c *config) parse(sizes string) (err error) {
	for _, text := range strings.Split(sizes, ",") {
		mb, err := strconv.ParseInt(text, 10, 32)
		if err != nil || mb < 1 {
			return fmt.Errorf("flag -sizes: %q is no number of MB", text)
		}
		c.sizes = append(c.sizes, mb*1e6)
	}
	if c.nodes < 2 || c.runs < 1 {
		return fmt.Errorf("%d nodes, %d rounds: at least 2 and 1", c.nodes, c.runs)
	}
	c.trawl, err = filepath.Abs(c.trawl)
	return err
}

// measure prints on out what comes of all sizes; where one fails, of those before it.
func measure(ctx context.Context, out io.Writer, c config) error {
	machine := profile.ThisMachine() // with the load that it has without what is measured
	var points []*point
	var err error
	for _, size := range c.sizes {
		var p *point
		if p, err = at(ctx, c, size); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			err = fmt.Errorf("%s a node: %w", profile.Size(size), err)
			break
		}
		points = append(points, p)
	}
	if len(points) > 0 {
		report(out, points, machine)
	}
	return err
}

// at measures one size.
func at(ctx context.Context, c config, size int64) (*point, error) {
	dir, err := os.MkdirTemp("", "trawl-traces-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	total := size * int64(c.nodes)
	if err := procs.Space(dir, 2*total); err != nil { // the logs, and two copies of each block
		return nil, err
	}
	s, err := start(ctx, c, dir, size)
	if err != nil {
		return nil, err
	}
	defer s.fleet.Stop()
	return s.measure(ctx, c)
}
