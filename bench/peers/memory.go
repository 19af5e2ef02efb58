package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/trawl-logs/trawl/responder/match"
	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// memoryBlock is how much the matcher is given at once, of whole lines, as the scan does.
const memoryBlock = 256 << 10

// memory prints what matching alone takes of each row, as the scan calls it: each block is copied into one buffer, as
// read(2) would, so that it lies in the cache, and then searched. Other work on the machine only ever adds to a time, so
// the least of the runs counts, block by block.
func memory(c config, w workload) error {
	fmt.Printf("### %s, in memory\n\n| pattern | strategy | lines | MB/s | ns a line |\n|---|---|---|---|---|\n", w.name)
	var blocks [][]byte
	size := 0
	for _, file := range w.files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		size += len(text)
		blocks = append(blocks, wholeLines(text)...)
	}
	for _, p := range w.patterns {
		if !c.only.MatchString(w.name + "/" + p.name) {
			continue
		}
		compiled, err := match.Compile(specOf(p))
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		best := make([]time.Duration, len(blocks))
		found := make([]match.Line, 0, memoryBlock/8)
		buf, n := make([]byte, memoryBlock+64<<10), 0
		for run := range c.runs {
			m := compiled.NewMatcher()
			n = 0
			for i, b := range blocks {
				b = append(buf[:0], b...)
				start := time.Now()
				n += search(m, p, b, found)
				if d := time.Since(start); run == 0 || d < best[i] {
					best[i] = d
				}
			}
		}
		total := time.Duration(0)
		for _, d := range best {
			total += d
		}
		fmt.Printf("| %s | %s | %d | %.0f | %.1f |\n", p.name, compiled.Strategy(), n, float64(size)/1e6/total.Seconds(),
			float64(total.Nanoseconds())/float64(max(n, 1)))
	}
	fmt.Println()
	return nil
}

// wholeLines cuts text at line ends into blocks.
func wholeLines(text []byte) (blocks [][]byte) {
	for len(text) > memoryBlock {
		n := bytes.LastIndexByte(text[:memoryBlock], '\n') + 1
		if n == 0 {
			n = len(text)
		}
		blocks, text = append(blocks, text[:n]), text[n:]
	}
	return append(blocks, text)
}

func specOf(p pattern) match.Spec {
	s := match.Spec{Patterns: []string{p.expr}, Terminator: '\n'}
	for _, flag := range p.flags {
		switch flag {
		case "-i":
			s.IgnoreCase = true
		case "-w":
			s.Word = true
		case "-F":
			s.Syntax = syntax.Fixed
		}
	}
	return s
}

// search does with the matcher what the scan does for a row, and returns how many lines (or spans) there are.
// found is scratch.
func search(m *match.Matcher, p pattern, b []byte, found []match.Line) (n int) {
	if slices.Contains(p.flags, "-c") {
		return m.Count(b, 0)
	}
	for from := 0; from < len(b); {
		found, from = m.Lines(found[:0], b, from)
		if !slices.Contains(p.flags, "-o") {
			n += len(found)
			continue
		}
		for _, l := range found {
			line := b[l.Start:l.End]
			for _, end := m.Find(line, 0); end >= 0; _, end = m.Find(line, end) {
				n++
			}
		}
	}
	return n
}
