package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/trawl-logs/trawl/bench/paired"
	"github.com/trawl-logs/trawl/bench/procs"
)

// search is a row of the table: a query as trawl and ripgrep both take it, with other words each time.
type search struct {
	name     string
	prunable bool
	flags    []string
	texts    []string
}

// searches draws the rows from the needles; the last ones have nothing that an index could use.
func searches(plant, absent []needle) []search {
	of := func(list []needle, prefix string, but string) (texts []string) {
		for _, n := range list {
			if strings.HasPrefix(n.class, prefix) && n.class != but {
				texts = append(texts, n.text)
			}
		}
		slices.Sort(texts) // words come in no order
		return texts
	}
	upper := func(texts []string) (out []string) {
		for _, t := range texts {
			out = append(out, strings.ToUpper(t))
		}
		return out
	}
	long := of(plant, "id ≥", "")
	return []search{
		{"id of ≥ 20 bytes, 10 lines", true, nil, long},
		{"id of 12–16 bytes, 10 lines", true, nil, of(plant, "id 12", "")},
		{"absent, random, 12–23 bytes", true, nil, of(absent, "absent", "")},
		{"whole word of ≥ 5 letters, `-w`", true, []string{"-w"}, of(plant, "word", "word 4")},
		{"id of ≥ 20 bytes, `-i`", true, []string{"-i"}, upper(long)},
		{"no literal: `[qj][0-9][xz][0-9][kw]`", false, nil, []string{"[qj][0-9][xz][0-9][kw]"}},
		{"three bytes: `~#~`", false, nil, []string{"~#~"}},
	}
}

const head = "| query | index | --exhaustive | rg | exhaustive ÷ index | of CPU time | rg ÷ index | read, %: median | most |\n" +
	"|---|---|---|---|---|---|---|---|---|\n"

// outcome is what a search came to: seconds of the query with the index, without, and of ripgrep, in each
// round, and per cent read.
type outcome struct {
	walls, cpus [3][]float64
	read        []float64
}

// measure asks with the index, without, and has ripgrep search, by turns. Before each, if it is set, it calls before.
func measure(f *procs.Fleet, s search, files []string, runs int, before func() error) (o outcome, err error) {
	commands := func(text string) [3][]string {
		query := append(slices.Clone(s.flags), "-e", text)
		rg := append([]string{"rg", "--no-config", "-H"}, query...)
		return [3][]string{f.Grep(query...), f.Grep(append(query, "--exhaustive")...), append(rg, files...)}
	}
	if err := sameAnswers(commands(s.texts[0])); err != nil {
		return o, fmt.Errorf("%s: %w", s.name, err)
	}
	for round := range runs {
		text := s.texts[round%len(s.texts)]
		for i := range o.walls {
			turn := (round + i*(1+round%2)) % len(o.walls) // each comes after each other one as often
			if before != nil {
				if err := before(); err != nil {
					return o, err
				}
			}
			wall, cpu, err := costOf(f, commands(text)[turn])
			if err != nil {
				return o, fmt.Errorf("%s: %w", s.name, err)
			}
			o.walls[turn], o.cpus[turn] = append(o.walls[turn], wall), append(o.cpus[turn], cpu)
		}
		share, err := shareRead(f.Grep(append(slices.Clone(s.flags), "-c", "--output=json", "-e", text)...))
		if err != nil {
			return o, fmt.Errorf("%s: %w", s.name, err)
		}
		o.read = append(o.read, share)
	}
	return o, nil
}

// print prints the row.
func (o *outcome) print(name string) {
	ms, ratio := paired.Milliseconds, paired.Ratios
	fmt.Printf("| %s | %s | %s | %s | %s | %s | %s | %.2f | %.2f |\n", name, ms(o.walls[0]), ms(o.walls[1]), ms(o.walls[2]),
		paired.Spread(ratio(o.walls[1], o.walls[0])), paired.Spread(ratio(o.cpus[1], o.cpus[0])), paired.Spread(ratio(o.walls[2], o.walls[0])),
		paired.Quantile(o.read, 0.5), slices.Max(o.read))
}

// costOf runs a command, and returns its seconds of wall time, and of processor time with those of the fleet.
func costOf(f *procs.Fleet, argv []string) (wall, cpu float64, err error) {
	before, err := f.CPU()
	if err != nil {
		return 0, 0, err
	}
	cost, err := paired.Once(argv)
	if err != nil {
		return 0, 0, err
	}
	after, err := f.CPU()
	return cost.Wall.Seconds(), cost.CPU.Seconds() + after.Bus - before.Bus + after.Nodes - before.Nodes, err
}

// sameAnswers holds a query's answers against each other, so that a fast wrong one can't win.
func sameAnswers(commands [3][]string) error {
	node := func(line []byte) []byte { return line[bytes.IndexByte(line, ':')+1:] }
	trims := [3]func([]byte) []byte{node, node, nil}
	var sums [3]uint64
	for i, argv := range commands {
		var err error
		if sums[i], err = paired.LineSum(argv, trims[i]); err != nil {
			return fmt.Errorf("%s: %w", argv[0], err)
		}
	}
	if sums[0] != sums[1] || sums[0] != sums[2] {
		return fmt.Errorf("answers to %q differ", commands[0])
	}
	return nil
}

// shareRead is what the receipt says was read, in per cent of what was in question.
func shareRead(argv []string) (float64, error) {
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	if e, ok := err.(*exec.ExitError); err != nil && (!ok || e.ExitCode() != 1) {
		return 0, fmt.Errorf("trawl grep: %w", err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	var receipt struct {
		Read int64 `json:"bytes_read"`
		All  int64 `json:"bytes_considered"`
	}
	if err := json.Unmarshal(lines[len(lines)-1], &receipt); err != nil || receipt.All == 0 {
		return 0, fmt.Errorf("receipt %q: none (%v)", lines[len(lines)-1], err)
	}
	return 100 * float64(receipt.Read) / float64(receipt.All), nil
}
