package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/bench/paired"
	"github.com/trawl-logs/trawl/bench/procs"
)

// sealLimit is how long sealing the corpus may take.
const sealLimit = 20 * time.Minute

// packers are what sealed blocks are compared with, and at what.
var packers = [][]string{{"gzip", "-6"}, {"zstd", "-q", "-1"}, {"zstd", "-q", "-3"}, {"zstd", "-q", "-9"}}

// sealedStore is a node whose logs are gone, all but what it sealed of them, and that as a file.
type sealedStore struct {
	f      *procs.Fleet
	text   string  // the file's name
	size   int64   // of it
	cpu    float64 // seconds that sealing took
	frames int64   // bytes of the blocks
	index  int64   // bytes of their skip indexes
	blocks int
}

// sealed seals the corpus on one node, deletes the logs, and compares what is left with archives of the same lines: in size, in
// what it takes to make, and in what it takes to search.
func sealed(c config) (err error) {
	if c.trawl, err = filepath.Abs(c.trawl); err != nil {
		return err
	}
	c.nodes = 1
	plant, absent := needles(c.needles)
	files, _, err := c.files(plant)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(c.data, "sealed-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := procs.Space(dir, 2*c.size); err != nil {
		return err
	}
	s, err := seal(c, files, dir)
	if err != nil {
		return err
	}
	defer s.f.Stop()
	if err := s.printSizes(); err != nil {
		return err
	}
	long := searches(plant, absent)
	return s.printSearches(c, []search{
		{name: "id of ≥ 20 bytes, 10 lines", texts: long[0].texts},
		{name: "absent, random, 12–23 bytes", texts: long[2].texts},
		{name: "`Failed password`", texts: []string{"Failed password"}},
		{name: "`ERROR\\|FATAL`", texts: []string{"ERROR|FATAL"}},
		{name: "`[0-9]{3}\\.[0-9]+\\.[0-9]+\\.[0-9]{3}`", texts: []string{`[0-9]{3}\.[0-9]+\.[0-9]+\.[0-9]{3}`}},
	})
}

// seal has a node seal links to the files, and deletes those.
func seal(c config, files []string, dir string) (s *sealedStore, err error) {
	for _, name := range files {
		if err := os.Link(name, filepath.Join(dir, filepath.Base(name))); err != nil {
			return nil, err
		}
	}
	config := fmt.Sprintf("index: off\nsealed: {cpu: 100%%, size: %d}\nsources: [{logs: '%s/*.log', store: sealed}]\n", 4*c.size, dir)
	f, err := procs.StartConfigured(c.trawl, []string{"sealed"}, func(string) string { return config })
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Stop()
		}
	}()
	s = &sealedStore{f: f, text: filepath.Join(dir, "lines")}
	lines, err := s.wait(c)
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		if err := os.Remove(filepath.Join(dir, filepath.Base(name))); err != nil {
			return nil, err
		}
	}
	return s, s.dump(lines)
}

// wait waits until nothing is left that may be sealed, and returns how many lines are.
func (s *sealedStore) wait(c config) (lines int64, err error) {
	for began := time.Now(); time.Since(began) < sealLimit; time.Sleep(buildLook) {
		usage, err := s.f.Nodes() // before the look, which costs as well
		if err != nil {
			return 0, err
		}
		cmd := exec.Command(c.trawl, "blocks", "--sealed", "--server", s.f.URL, "--output", "json")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return 0, fmt.Errorf("trawl blocks: %w", err)
		}
		var report struct {
			Sealed *struct {
				Settled bool
				Refused string
				Further int64
				Blocks  []struct{ Lines, Bytes int64 }
			}
		}
		if err := json.Unmarshal(out, &report); err != nil {
			return 0, fmt.Errorf("trawl blocks: %w", err)
		}
		switch r := report.Sealed; {
		case r == nil:
		case r.Refused != "":
			return 0, fmt.Errorf("nothing is sealed: %s", r.Refused)
		case r.Further != 0:
			return 0, fmt.Errorf("%d blocks are not listed: -mb %d is too much", r.Further, c.size>>20)
		case r.Settled && len(r.Blocks) > 0:
			var before int64
			for _, b := range r.Blocks {
				lines += b.Lines
				before += b.Bytes
			}
			if s.cpu, s.blocks = usage[0].CPU, len(r.Blocks); before < c.size/2 {
				return 0, fmt.Errorf("%d of %d MB are sealed, and no more will be", before/1e6, c.size/1e6)
			}
			return lines, nil
		}
	}
	return 0, fmt.Errorf("not sealed after %v", sealLimit)
}

// dump writes all that is sealed into a file, and measures the blocks.
func (s *sealedStore) dump(lines int64) error {
	out, err := os.Create(s.text)
	if err != nil {
		return err
	}
	defer out.Close()
	argv := s.f.Grep("-h", "--text", "-e", "")
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("trawl grep: %w", err)
	}
	info, err := out.Stat()
	if err != nil {
		return err
	}
	s.size = info.Size()
	if n, err := total([]string{"rg", "--no-config", "-a", "-c", "", s.text}); err != nil || n != lines {
		return fmt.Errorf("%d lines are given, %d are sealed (%v)", n, lines, err)
	}
	return filepath.WalkDir(s.f.State(), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(name, string(filepath.Separator)+"sealed"+string(filepath.Separator)) {
			return err
		}
		info, err := d.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case strings.HasSuffix(name, ".sealed"):
			s.frames += info.Size()
		default:
			s.index += info.Size()
		}
		return nil
	})
}

// printSizes prints what the lines take as archives and as blocks. The last archive stays, for the searches.
func (s *sealedStore) printSizes() error {
	fmt.Printf("%.0f MB of lines, %d blocks; what waits to be sealed is left out\n\n| | size, MB | ratio | CPU s | MB per CPU second |\n|---|---|---|---|---|\n", float64(s.size)/1e6, s.blocks)
	row := func(name string, packed int64, cpu float64) {
		fmt.Printf("| %s | %.1f | %.1f | %.2f | %.0f |\n", name, float64(packed)/1e6, float64(s.size)/float64(packed), cpu, float64(s.size)/1e6/cpu)
	}
	for _, p := range packers {
		size, cpu, err := s.pack(p)
		if err != nil {
			return err
		}
		row(strings.Join(p, " "), size, cpu)
	}
	fmt.Printf("| sealed blocks: frames alone | %.1f | %.1f | | |\n", float64(s.frames)/1e6, float64(s.size)/float64(s.frames))
	row("with their skip indexes", s.frames+s.index, s.cpu)
	return nil
}

// archive is the name under which the lines are packed.
func (s *sealedStore) archive() string { return s.text + ".zst" }

// pack packs the lines, and returns how many bytes that gives, and the seconds of processor time that it takes.
func (s *sealedStore) pack(argv []string) (size int64, cpu float64, err error) {
	in, err := os.Open(s.text)
	if err != nil {
		return 0, 0, err
	}
	defer in.Close()
	out, err := os.Create(s.archive())
	if err != nil {
		return 0, 0, err
	}
	defer out.Close()
	cmd := exec.Command(argv[0], append(argv[1:len(argv):len(argv)], "-c")...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, os.Stderr
	if err := cmd.Run(); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", argv[0], err)
	}
	info, err := out.Stat()
	if err != nil {
		return 0, 0, err
	}
	return info.Size(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), nil
}

// printSearches prints what it takes to count lines in the blocks, in them without their indexes, and in an archive.
func (s *sealedStore) printSearches(c config, list []search) error {
	if _, _, err := s.pack([]string{"zstd", "-q", "-3"}); err != nil {
		return err
	}
	fmt.Printf("\nCounts; ms, warm; medians of %d alternating rounds, whole processes; CPU: that of all processes; ratios of the same round: median (quartiles)\n\n", c.runs)
	fmt.Print("| pattern | lines | searched, % | sealed | --exhaustive | zstdcat \\| rg | zstdcat \\| rg ÷ sealed | of CPU time |\n|---|---|---|---|---|---|---|---|\n")
	for _, q := range list {
		if err := s.printSearch(c, q); err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
	}
	return nil
}

func (s *sealedStore) printSearch(c config, q search) error {
	var walls, cpus [3][]float64
	var read, lines []float64
	for round := range c.runs {
		text := q.texts[round%len(q.texts)]
		commands := [3][]string{
			s.f.Grep("-a", "-c", "-e", text), s.f.Grep("-a", "-c", "--exhaustive", "-e", text),
			{"sh", "-c", `zstdcat "$1" | rg --no-config -a -c -e "$2"`, "sh", s.archive(), text},
		}
		var want int64
		for i := range commands {
			turn := (round + i*(1+round%2)) % len(commands) // each comes after each other one as often
			wall, cpu, err := costOf(s.f, commands[turn])
			if err != nil {
				return err
			}
			walls[turn], cpus[turn] = append(walls[turn], wall), append(cpus[turn], cpu)
		}
		for i, argv := range commands {
			n, err := total(argv)
			if err != nil {
				return err
			}
			if i > 0 && n != want {
				return fmt.Errorf("%q: %d lines, not %d", argv, n, want)
			}
			want = n
		}
		share, err := shareRead(s.f.Grep("-a", "-c", "--output=json", "-e", text))
		if err != nil {
			return err
		}
		read, lines = append(read, share), append(lines, float64(want))
	}
	ms, ratio := paired.Milliseconds, paired.Ratios
	fmt.Printf("| %s | %.0f | %.1f | %s | %s | %s | %s | %s |\n", q.name, paired.Quantile(lines, 0.5), paired.Quantile(read, 0.5), ms(walls[0]), ms(walls[1]), ms(walls[2]),
		paired.Spread(ratio(walls[2], walls[0])), paired.Spread(ratio(cpus[2], cpus[0])))
	return nil
}

// total adds up the counts that a command prints, each at the end of its line.
func total(argv []string) (sum int64, err error) {
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	if e, ok := err.(*exec.ExitError); err != nil && (!ok || e.ExitCode() != 1) {
		return 0, fmt.Errorf("%s: %w", argv[0], err)
	}
	for line := range bytes.Lines(out) {
		line = bytes.TrimSpace(line)
		n, err := strconv.ParseInt(string(line[bytes.LastIndexByte(line, ':')+1:]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: count: %w", argv[0], err)
		}
		sum += n
	}
	return sum, nil
}
