package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/trawl-logs/trawl/bench/procs"
)

// indexed starts the nodes over the corpus, and waits until their indexes are built. The caller stops them.
func indexed(c config, plant []needle) (f *procs.Fleet, files []string, err error) {
	files, globs, err := c.files(plant)
	if err != nil {
		return nil, nil, err
	}
	if f, err = procs.Start(c.trawl, globs); err != nil {
		return nil, nil, err
	}
	if err := built(c, f, files); err != nil {
		f.Stop()
		return nil, nil, err
	}
	return f, files, nil
}

// fleet times queries to nodes whose indexes are built.
func fleet(c config) (err error) {
	if c.trawl, err = filepath.Abs(c.trawl); err != nil {
		return err
	}
	plant, absent := needles(c.needles)
	f, files, err := indexed(c, plant)
	if err != nil {
		return err
	}
	defer f.Stop()
	all := searches(plant, absent)
	fmt.Printf("\nms, warm; medians of %d alternating rounds, whole processes; ratios of the same round: median (quartiles)\n\n", c.runs)
	fmt.Print(head)
	for _, s := range all {
		if !c.only.MatchString(s.name) {
			continue
		}
		o, err := measure(f, s, files, c.runs, nil)
		if err != nil {
			return err
		}
		o.print(s.name)
	}
	usage, err := f.Nodes()
	if err != nil {
		return err
	}
	peak := slices.MaxFunc(usage, func(a, b procs.Usage) int { return int(a.Peak - b.Peak) }).Peak
	fmt.Printf("\nLargest responder so far: %d MB resident.\n", peak/1e6)
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
	// emptyLooks is for how many looks in a row a node may have nothing to index and no index: it is so for a moment when
	// it has just started.
	emptyLooks = 10
)

// settled waits until all is indexed, and returns what each node took for it, and its processor seconds.
func settled(c config, f *procs.Fleet) (nodes []progress, took []time.Duration, cpu []float64, err error) {
	started := time.Now()
	took, cpu = make([]time.Duration, c.nodes), make([]float64, c.nodes)
	empty := make([]int, c.nodes)
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
			if empty[i]++; p.Index == nil || !p.Index.Settled || len(p.Index.Files) > 0 {
				empty[i] = 0
			}
			if empty[i] == emptyLooks {
				return nil, nil, nil, fmt.Errorf("index: node %d of %d has none, since none of its logs is as long as a block: -mb %d is too little", i+1, c.nodes, c.size>>20)
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
	o, err := measure(f, s, files, c.cold, forget)
	if err != nil {
		return err
	}
	o.print(s.name)
	fmt.Printf("\nAt most %.1f %% of the pages were left in memory.\n", most)
	return nil
}
