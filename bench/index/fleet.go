package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/bench/paired"
	"github.com/trawl-logs/trawl/bench/procs"
)

// search is a row of the table: a query as trawl and ripgrep both take it, with other words each time.
type search struct {
	name  string
	flags []string
	texts []string
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
		{"id of ≥ 20 bytes, 10 lines", nil, long},
		{"id of 12–16 bytes, 10 lines", nil, of(plant, "id 12", "")},
		{"absent, random, 12–23 bytes", nil, of(absent, "absent", "")},
		{"whole word of ≥ 5 letters, `-w`", []string{"-w"}, of(plant, "word", "word 4")},
		{"id of ≥ 20 bytes, `-i`", []string{"-i"}, upper(long)},
		{"no literal: `[qj][0-9][xz][0-9][kw]`", nil, []string{"[qj][0-9][xz][0-9][kw]"}},
		{"three bytes: `~#~`", nil, []string{"~#~"}},
	}
}

const head = "| query | index | --exhaustive | rg | exhaustive ÷ index | of CPU time | rg ÷ index | read, %: median | most |\n" +
	"|---|---|---|---|---|---|---|---|---|\n"

// fleet times queries to nodes whose indexes are built.
func fleet(c config) (err error) {
	if c.trawl, err = filepath.Abs(c.trawl); err != nil {
		return err
	}
	plant, absent := needles(c.needles)
	files, globs, err := c.files(plant)
	if err != nil {
		return err
	}
	f, err := procs.Start(c.trawl, globs)
	if err != nil {
		return err
	}
	defer f.Stop()
	if err := built(c, f, files); err != nil {
		return err
	}
	all := searches(plant, absent)
	fmt.Printf("\nms, warm; medians of %d alternating rounds, whole processes; ratios of the same round: median (quartiles)\n\n", c.runs)
	fmt.Print(head)
	for _, s := range all {
		if !c.only.MatchString(s.name) {
			continue
		}
		if err := timed(f, s, files, c.runs, nil); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	usage, err := f.Nodes()
	if err != nil {
		return err
	}
	peak := slices.MaxFunc(usage, func(a, b procs.Usage) int { return int(a.Peak - b.Peak) }).Peak
	fmt.Printf("\nLargest responder so far: %d MB resident.\n", peak/1e6)
	if c.only.MatchString("while indexing") {
		if err := whileBuilding(c, f, globs, all[0]); err != nil {
			return fmt.Errorf("while indexing: %w", err)
		}
	}
	if !c.only.MatchString("cold") {
		return nil
	}
	return cold(c, f, files, all[0])
}

// files are those of the corpus, made unless they exist, and a glob for each node's.
func (c config) files(plant []needle) (files, globs []string, err error) {
	dir := filepath.Join(c.data, fmt.Sprintf("index-%dMB-%d-%d", c.size>>20, c.needles, c.nodes))
	for n := range c.nodes {
		globs = append(globs, filepath.Join(dir, fmt.Sprintf("node%d", n+1), "*.log"))
	}
	if _, err := os.Stat(dir); err != nil {
		logs, err := corpus(c.samples, c.size, plant)
		if err != nil {
			return nil, nil, err
		}
		for i, l := range logs {
			path := filepath.Join(dir+".part", filepath.Base(filepath.Dir(globs[i%c.nodes])), l.name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return nil, nil, err
			}
			if err := os.WriteFile(path, l.data, 0o644); err != nil {
				return nil, nil, err
			}
		}
		if err := os.Rename(dir+".part", dir); err != nil {
			return nil, nil, err
		}
	}
	for _, g := range globs {
		some, err := filepath.Glob(g)
		if err != nil || len(some) == 0 {
			return nil, nil, fmt.Errorf("%s: no logs (%v)", g, err)
		}
		files = append(files, some...)
	}
	return files, globs, nil
}

// progress is how far a node's index is.
type progress struct {
	Index *struct {
		Settled bool
		Files   []struct {
			IndexBytes int64 `json:"index_bytes"`
			Listed     []struct{ Bytes int64 }
		}
	}
}

func (p progress) done() bool { return p.Index != nil && p.Index.Settled && len(p.Index.Files) > 0 }

// blocksOf asks the nodes, in the order of their names.
func blocksOf(c config, f *procs.Fleet) (nodes []progress, err error) {
	cmd := exec.Command(c.trawl, "blocks", "--server", f.URL, "--output", "json")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("trawl blocks: %w", err)
	}
	for line := range bytes.Lines(out) {
		var p progress
		if err := json.Unmarshal(line, &p); err != nil {
			return nil, fmt.Errorf("trawl blocks: %w", err)
		}
		nodes = append(nodes, p)
	}
	if len(nodes) != c.nodes {
		return nil, fmt.Errorf("trawl blocks: %d nodes of %d", len(nodes), c.nodes)
	}
	return nodes, nil
}

const (
	buildLimit = 20 * time.Minute
	buildLook  = 500 * time.Millisecond
)

// settled waits until all is indexed, and returns what each node took for it, and its processor seconds.
func settled(c config, f *procs.Fleet) (nodes []progress, took []time.Duration, cpu []float64, err error) {
	started := time.Now()
	took, cpu = make([]time.Duration, c.nodes), make([]float64, c.nodes)
	for left := c.nodes; left > 0; time.Sleep(buildLook) {
		if time.Since(started) > buildLimit {
			return nil, nil, nil, fmt.Errorf("index: not built after %v", buildLimit)
		}
		usage, err := f.Nodes()
		if err != nil {
			return nil, nil, nil, err
		}
		if nodes, err = blocksOf(c, f); err != nil {
			return nil, nil, nil, err
		}
		for i, p := range nodes {
			if p.done() && took[i] == 0 {
				took[i], cpu[i], left = time.Since(started), usage[i].CPU, left-1
			}
		}
	}
	return nodes, took, cpu, nil
}

// built waits for the index, at the budget that nodes have by default, and prints what it took.
func built(c config, f *procs.Fleet, files []string) error {
	nodes, took, cpu, err := settled(c, f)
	if err != nil {
		return err
	}
	var total, listed, index int64
	used, share := 0.0, 0.0
	for i, p := range nodes {
		for _, file := range p.Index.Files {
			index += file.IndexBytes
			for _, b := range file.Listed {
				listed += b.Bytes
			}
		}
		used, share = used+cpu[i], max(share, cpu[i]/took[i].Seconds())
	}
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		total += info.Size()
	}
	fmt.Printf("%d MB in %d files of %d nodes. Index: %.2f %% of it; %.2f %% stand after the last blocks and are always read.\n",
		total/1e6, len(files), c.nodes, 100*float64(index)/float64(total), 100*float64(total-listed)/float64(total))
	fmt.Printf("Built in %.0f s at index.cpu 10%%: %.0f MB a second of processor time, the responders' own included; the busiest used %.1f %% of a core.\n",
		slices.Max(took).Seconds(), float64(listed)/1e6/used, 100*share)
	return nil
}

// timed prints a row: the query with the index, without, and ripgrep, by turns. Before each, if it is
// set, it calls before.
func timed(f *procs.Fleet, s search, files []string, runs int, before func() error) error {
	commands := func(text string) [3][]string {
		query := append(slices.Clone(s.flags), "-e", text)
		rg := append([]string{"rg", "--no-config", "-H"}, query...)
		return [3][]string{f.Grep(query...), f.Grep(append(query, "--exhaustive")...), append(rg, files...)}
	}
	if err := sameAnswers(commands(s.texts[0])); err != nil {
		return err
	}
	var walls, cpus [3][]float64
	var read []float64
	for round := range runs {
		text := s.texts[round%len(s.texts)]
		for i := range walls {
			turn := (round + i*(1+round%2)) % len(walls) // each comes after each other one as often
			if before != nil {
				if err := before(); err != nil {
					return err
				}
			}
			wall, cpu, err := costOf(f, commands(text)[turn])
			if err != nil {
				return err
			}
			walls[turn], cpus[turn] = append(walls[turn], wall), append(cpus[turn], cpu)
		}
		share, err := shareRead(f.Grep(append(slices.Clone(s.flags), "-c", "--output=json", "-e", text)...))
		if err != nil {
			return err
		}
		read = append(read, share)
	}
	ms, ratio := paired.Milliseconds, paired.Ratios
	fmt.Printf("| %s | %s | %s | %s | %s | %s | %s | %.2f | %.2f |\n", s.name, ms(walls[0]), ms(walls[1]), ms(walls[2]),
		paired.Spread(ratio(walls[1], walls[0])), paired.Spread(ratio(cpus[1], cpus[0])), paired.Spread(ratio(walls[2], walls[0])),
		paired.Quantile(read, 0.5), slices.Max(read))
	return nil
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

const (
	// betweenPairs is for how long indexing goes on between the queries that it is to disturb.
	betweenPairs = 200 * time.Millisecond
	// warmUp is how many queries find the caches of a new node empty.
	warmUp = 2
)

// whileBuilding compares queries of a fleet that begins to index with those of one that is through, while
// the first stands still; and then again when the first is through as well, which shows what the pairs tell
// apart. Both read everything.
func whileBuilding(c config, idle *procs.Fleet, globs []string, s search) error {
	busy, err := procs.Start(c.trawl, globs)
	if err != nil {
		return err
	}
	defer busy.Stop()
	during, without, err := pairs(busy, idle, s, c.runs)
	if err != nil {
		return err
	}
	nodes, err := blocksOf(c, busy)
	if err != nil {
		return err
	}
	state := "still indexing after the last"
	if !slices.ContainsFunc(nodes, func(p progress) bool { return !p.done() }) {
		state = "but THROUGH WITH INDEXING before the last: too small a corpus for this"
	}
	if _, _, _, err := settled(c, busy); err != nil {
		return err
	}
	one, other, err := pairs(busy, idle, s, c.runs)
	if err != nil {
		return err
	}
	fmt.Printf("Queries in flight while the nodes index (%d pairs, --exhaustive, %s): %s ms, and %s ms without; ratio %s; when neither indexes %s.\n",
		c.runs, state, paired.Milliseconds(during), paired.Milliseconds(without), paired.Spread(paired.Ratios(during, without)), paired.Spread(paired.Ratios(one, other)))
	return nil
}

// pairs asks both fleets by turns, and returns the seconds of each. The first stands still while the
// second is asked.
func pairs(first, second *procs.Fleet, s search, runs int) (a, b []float64, err error) {
	turns := [2]struct {
		fleet  *procs.Fleet
		before func() error
		walls  []float64
	}{{fleet: first, before: first.Resume}, {fleet: second, before: first.Pause}}
	for round := range runs + warmUp {
		text := s.texts[round%len(s.texts)]
		for i := range turns {
			t := &turns[(round+i)%2]
			if err := t.before(); err != nil {
				return nil, nil, err
			}
			time.Sleep(betweenPairs)
			cost, err := paired.Once(t.fleet.Grep("--exhaustive", "-e", text))
			if err != nil {
				return nil, nil, err
			}
			if round >= warmUp {
				t.walls = append(t.walls, cost.Wall.Seconds())
			}
		}
	}
	return turns[0].walls, turns[1].walls, first.Resume()
}

// cold times a query with neither logs nor indexes in memory.
func cold(c config, f *procs.Fleet, files []string, s search) error {
	indexes, err := filepath.Glob(filepath.Join(f.State(), "*", "index", "*"))
	if err != nil || len(indexes) == 0 {
		return fmt.Errorf("indexes in %s: none found (%v)", f.State(), err)
	}
	most := 0.0
	forget := func() error {
		held, err := drop(slices.Concat(files, indexes))
		most = max(most, held)
		return err
	}
	if err := forget(); err != nil {
		fmt.Printf("\nNothing measured with a cold cache: %v.\n", err)
		return nil
	}
	fmt.Printf("\nms, cold: logs and indexes dropped from the page cache before each command; %d rounds\n\n%s", c.cold, head)
	err = timed(f, s, files, c.cold, forget)
	fmt.Printf("\nAt most %.1f %% of the pages were left in memory.\n", most)
	return err
}
