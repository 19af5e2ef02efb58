// Command blocklist measures the fleet's block list at up to a million blocks, on a bus of its own, which is another process and keeps it in
// files: how long it takes to write, and to read for a query of so many services and hours, and the memory of both
// sides. It prints the tables of docs/store.md.
//
//	go run ./bench/blocklist -blocks 1000000
//
// The list is that of a fleet of 50 nodes with 20 services, of each of which 5 blocks are sealed every hour. It grows by hours, so that
// what a query wants stays the same while the list grows. Each record is written twice: when its block was sealed, and with
// its second owner.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/schemas"
)

func main() {
	blocks := flag.Int("blocks", 1_000_000, "`N` blocks in the end; the list is measured at each power of ten")
	runs := flag.Int("runs", 5, "`N` readings of which the median counts")
	serve := flag.String("serve", "", "`DIR` to keep a bus's files in: be that bus, until stdin ends")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *serve != "" {
		err = serveBus(*serve)
	} else {
		err = measure(ctx, os.Stdout, *blocks, *runs)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "blocklist:", err)
		os.Exit(1)
	}
}

// measure prints on out what the list costs at each size up to that many blocks.
func measure(ctx context.Context, out io.Writer, blocks, runs int) (err error) {
	dir, err := os.MkdirTemp("", "blocklist")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := startServer(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	conn, err := server.connect()
	if err != nil {
		return err
	}
	defer func() { conn.Close() }()
	fmt.Fprintln(out, "| blocks | written in | records a second | slowest | written again | files | the bus's memory | a bus started anew has | after |\n|---|---|---|---|---|---|---|---|---|")
	var readings []string
	listed := 0
	for n := 1000; ; n *= 10 {
		n = min(n, blocks)
		w, err := write(ctx, conn, listed, n)
		if err != nil {
			return err
		}
		memory, records := server.memory(), 2*(n-listed)
		listed = n
		conn.Close()
		again, err := server.restart()
		if err != nil {
			return err
		}
		conn = again
		fmt.Fprintf(out, "| %d | %.1f s | %.0f | %s | %d | %s | %s | %s | %.2f s |\n", n, w.took.Seconds(), float64(records)/w.took.Seconds(), milliseconds(w.slowest), w.again,
			size(dirSize(dir)), size(memory), size(server.memory()), server.started.Seconds())
		rows, err := readAll(ctx, conn, server, n, runs)
		if err != nil {
			return err
		}
		readings = append(readings, rows...)
		if n == blocks {
			break
		}
	}
	fmt.Fprintln(out, "\n| blocks | wanted | records | median | slowest | reader's CPU | bus's CPU | reader's memory | bus's memory |\n|---|---|---|---|---|---|---|---|---|")
	fmt.Fprintln(out, strings.Join(readings, "\n"))
	return nil
}

// readAll reads the list as queries of several ranges do.
func readAll(ctx context.Context, conn *bus.Conn, server *server, listed, runs int) (rows []string, err error) {
	for _, q := range queriesOf(listed) {
		want := 0
		for i := range listed {
			if b := blockOf(i, 2); q.filter.Admits(b) {
				want++
			}
		}
		var took []time.Duration
		resetPeak(os.Getpid())
		resetPeak(server.pid())
		own, its := cpuTime(os.Getpid()), cpuTime(server.pid())
		for range runs {
			start, got := time.Now(), 0
			var plan []schemas.BlockRecord // as a planner does, it keeps them
			if _, err := conn.Blocks(ctx, q.filter, func(b *schemas.BlockRecord, _ uint64) { got++; plan = append(plan, *b) }); err != nil {
				return nil, fmt.Errorf("%s: %w", q.name, err)
			}
			if took = append(took, time.Since(start)); got != want || len(plan) != want {
				return nil, fmt.Errorf("%s: %d records, not %d", q.name, got, want)
			}
			if took[0] > 10*time.Second {
				break
			}
		}
		own, its = (cpuTime(os.Getpid())-own)/time.Duration(len(took)), (cpuTime(server.pid())-its)/time.Duration(len(took))
		slices.Sort(took)
		rows = append(rows, fmt.Sprintf("| %d | %s | %d | %s | %s | %s | %s | %s | %s |", listed, q.name, want, milliseconds(took[len(took)/2]), milliseconds(took[len(took)-1]),
			milliseconds(own), milliseconds(its),
			size(peak(os.Getpid())), size(peak(server.pid()))))
	}
	return rows, nil
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

func size(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }

// dirSize is how many bytes the files below a directory have.
func dirSize(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			if info, err := e.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil // files come and go
	})
	return n
}
