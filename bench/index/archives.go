package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/trawl-logs/trawl/bench/paired"
	"github.com/trawl-logs/trawl/bench/procs"
)

// frameBytes is how much each frame holds of an archive of many.
const frameBytes = 4 << 20

// packings are the ways in which the corpus is packed.
var packings = []struct {
	name, suffix string
	pieces       bool
	tool         []string
}{
	{"gzip", ".gz", false, []string{"gzip", "-6", "-c"}},
	{"zstd, one frame", ".zst", false, []string{"zstd", "-q", "-c"}},
	{"zstd, frames of 4 MiB", ".frames.zst", true, []string{"zstd", "-q", "-c"}},
}

// archives times a fleet over the corpus as archives, with its index and without.
func archives(c config) (err error) {
	if c.trawl, err = filepath.Abs(c.trawl); err != nil {
		return err
	}
	plant, absent := needles(c.needles)
	files, _, err := c.files(plant)
	if err != nil {
		return err
	}
	all := searches(plant, absent)
	fmt.Printf("%d rounds by turns; ratios of the same round: median (quartiles)\n\n", c.runs)
	fmt.Print("| packed by | query | index, ms | --exhaustive, ms | exhaustive ÷ index | of CPU time | searched, % |\n|---|---|---|---|---|---|---|\n")
	for _, p := range packings {
		globs, err := pack(files, p.suffix, p.tool, p.pieces)
		if err != nil {
			return err
		}
		if err := ofArchives(c, p.name, globs, []search{all[2], all[0]}); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// pack packs the files, unless they are, and returns a glob for each node's.
func pack(files []string, suffix string, tool []string, pieces bool) (globs []string, err error) {
	for _, name := range files {
		node := filepath.Dir(name)
		dir := filepath.Join(filepath.Dir(node)+suffix, filepath.Base(node))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		if glob := filepath.Join(dir, "*.log.*"); !slices.Contains(globs, glob) {
			globs = append(globs, glob)
		}
		to := filepath.Join(dir, filepath.Base(name)+suffix)
		if _, err := os.Stat(to); err == nil {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		size := len(text)
		if pieces {
			size = frameBytes
		}
		var out []byte
		for piece := range slices.Chunk(text, size) {
			cmd := exec.Command(tool[0], tool[1:]...)
			cmd.Stdin = bytes.NewReader(piece)
			packed, err := cmd.Output()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", tool[0], err)
			}
			out = append(out, packed...)
		}
		if err := os.WriteFile(to, out, 0o644); err != nil {
			return nil, err
		}
	}
	return globs, nil
}

// ofArchives prints the rows of one packing, and below the table what its index takes.
func ofArchives(c config, name string, globs []string, list []search) error {
	f, err := procs.Start(c.trawl, globs)
	if err != nil {
		return err
	}
	defer f.Stop()
	nodes, _, cpu, err := settled(c, f)
	if err != nil {
		return err
	}
	var listed, index int64
	used := 0.0
	for i, p := range nodes {
		for _, file := range p.Index.Files {
			index += file.IndexBytes
			for _, b := range file.Listed {
				listed += b.Bytes
			}
		}
		used += cpu[i]
	}
	for _, s := range list {
		if err := ofQuery(c, f, name, s); err != nil {
			return err
		}
	}
	bare, err := bareRate(globs)
	if err != nil {
		return err
	}
	fmt.Printf("| %s | (its index) | %.2f %% of %d MB of content; built at %.0f MB a second of processor time; decompressed alone at %.0f | | | | |\n",
		name, 100*float64(index)/float64(listed), listed/1e6, float64(listed)/1e6/used, bare)
	return nil
}

// bareRate is how many MB of content a second of processor time the libraries decompress from archives, with which
// nothing else is done: the best of three.
func bareRate(globs []string) (best float64, err error) {
	for range 3 {
		content, before := int64(0), processorTime()
		for _, g := range globs {
			names, err := filepath.Glob(g)
			if err != nil {
				return 0, err
			}
			for _, name := range names {
				n, err := unpacked(name)
				if err != nil {
					return 0, fmt.Errorf("%s: %w", name, err)
				}
				content += n
			}
		}
		best = max(best, float64(content)/1e6/(processorTime()-before).Seconds())
	}
	return best, nil
}

// unpacked decompresses an archive, and says how much is in it.
func unpacked(name string) (int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var r io.Reader
	if strings.HasSuffix(name, ".gz") {
		r, err = gzip.NewReader(f)
	} else {
		var z *zstd.Decoder
		if z, err = zstd.NewReader(f, zstd.WithDecoderConcurrency(1)); err == nil {
			defer z.Close()
			r = z
		}
	}
	if err != nil {
		return 0, err
	}
	return io.Copy(io.Discard, r)
}

// ofQuery prints the row of a query.
func ofQuery(c config, f *procs.Fleet, name string, s search) error {
	var walls, cpus [2][]float64
	var read []float64
	for round := range c.runs {
		query := append(slices.Clone(s.flags), "-e", s.texts[round%len(s.texts)])
		commands := [2][]string{f.Grep(query...), f.Grep(append(slices.Clone(query), "--exhaustive")...)}
		if round == 0 {
			var sums [2]uint64
			for i, argv := range commands {
				var err error
				if sums[i], err = paired.LineSum(argv, nil); err != nil {
					return err
				}
			}
			if sums[0] != sums[1] {
				return fmt.Errorf("answers to %q differ", query)
			}
		}
		for i := range commands {
			turn := (round + i) % 2
			wall, cpu, err := costOf(f, commands[turn])
			if err != nil {
				return err
			}
			walls[turn], cpus[turn] = append(walls[turn], wall), append(cpus[turn], cpu)
		}
		share, err := shareRead(f.Grep(append([]string{"-c", "--output=json"}, query...)...))
		if err != nil {
			return err
		}
		read = append(read, share)
	}
	fmt.Printf("| %s | %s | %s | %s | %s | %s | %.2f |\n", name, s.name, paired.Milliseconds(walls[0]), paired.Milliseconds(walls[1]),
		paired.Spread(paired.Ratios(walls[1], walls[0])), paired.Spread(paired.Ratios(cpus[1], cpus[0])), paired.Quantile(read, 0.5))
	return nil
}
