package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trawl-logs/trawl/bench/paired"
	"github.com/trawl-logs/trawl/responder/block"
)

// pieceBytes is how much is read at once, as package indexer does.
const pieceBytes = 64 << 10

// speed prints how many MB of the corpus a second of processor time, user and system, makes an index of,
// round by round: the reading and the writing included, but no times of lines.
func speed(c config) error {
	plant, _ := needles(c.needles)
	files, _, err := c.files(plant)
	if err != nil {
		return err
	}
	for _, level := range []block.Level{block.Small, block.Normal, block.Large} {
		if !c.only.MatchString(level.String()) {
			continue
		}
		var rates []float64
		for range c.runs {
			rate, err := buildRate(level, files)
			if err != nil {
				return err
			}
			rates = append(rates, rate)
		}
		fmt.Printf("%v: %.0f MB a second of processor time (%.0f–%.0f), %d rounds\n", level,
			paired.Quantile(rates, 0.5), paired.Quantile(rates, 0), paired.Quantile(rates, 1), c.runs)
	}
	return nil
}

func buildRate(level block.Level, files []string) (float64, error) {
	dir, err := os.MkdirTemp("", "trawl-bench-build-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	b, err := block.NewBuilder(block.Sizing{Level: level}.Shape())
	if err != nil {
		return 0, err
	}
	buf := make([]byte, pieceBytes)
	total, before := int64(0), processorTime()
	for i, path := range files {
		n, err := buildFile(dir, b, path, uint64(i), buf)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return float64(total) / 1e6 / (processorTime() - before).Seconds(), nil
}

// buildFile indexes a file, and returns its size.
func buildFile(dir string, b *block.Builder, path string, ino uint64, buf []byte) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	x, err := block.Create(dir, block.File{Dev: 1, Ino: ino})
	if err != nil {
		return 0, err
	}
	defer x.Close()
	b.Start(x, block.State{Size: info.Size()}, nil)
	for at := int64(0); at < info.Size(); {
		n, err := f.ReadAt(buf, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if err := b.Feed(buf[:n]); err != nil {
			return 0, err
		}
		at += int64(n)
	}
	return info.Size(), b.Finish()
}

// processorTime is what this process has had of all processors.
func processorTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
