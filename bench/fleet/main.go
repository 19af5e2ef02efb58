// Command fleet times `trawl grep` over four responder processes and a bus beside ripgrep over the
// same files: one alternating run, whole processes, warm page cache, output into a pipe that is read
// to its end, everything on one machine.
//
// Before the timed runs it holds the two answers against each other. It prints a Markdown table of
// wall times and of processor times, those of bus and responders included, with the ratios of paired
// runs, and a table of where the time goes; docs/benchmarks-fleet.md keeps the last.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/trawl-logs/trawl/bench/paired"
	"github.com/trawl-logs/trawl/bench/procs"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

// tokens are what trawl gen strews into logs, with the size of their lines.
var tokens = []struct{ name, token string }{
	{"absent", "NOSUCHTOKENATALL"}, {"RARE, 9 KB", "RARE"}, {"UNIQUE, 35 MB", "UNIQUE"}, {"HEAVY, 46 MB", "HEAVY"}, {"half of all, 143 MB", "EVERYWHERE"},
}

func run() (err error) {
	var trawl, data string
	var runs int
	flag.StringVar(&trawl, "trawl", "bin/trawl", "the trawl binary")
	flag.StringVar(&data, "data", filepath.Join(os.TempDir(), "trawl-bench"), "where the generated logs are kept")
	flag.IntVar(&runs, "runs", 15, "paired runs")
	flag.Parse()
	if trawl, err = filepath.Abs(trawl); err != nil {
		return err
	}
	files, err := logs(trawl, filepath.Join(data, "gen"))
	if err != nil {
		return err
	}
	f, err := procs.Start(trawl, files)
	if err != nil {
		return err
	}
	defer f.Stop()
	fmt.Printf("ms; medians of %d alternating pairs; ratios trawl ÷ rg of pairs: median (quartiles)\n\n", runs)
	fmt.Println("| lines | trawl | rg | wall ratio | trawl CPU | of it bus | responders | rg CPU |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, t := range tokens {
		if err := row(f, t.name, t.token, files, runs); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return stages(f, runs)
}

// logs makes four logs of 60 MB, unless they exist.
func logs(trawl, dir string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(dir, "truth.json")); err != nil {
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			return nil, err
		}
		cmd := exec.Command(trawl, "gen", "--nodes", "4", "--size", "60MB", "--seed", "1", "--out", dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("trawl gen: %w", err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err == nil && len(files) != 4 {
		err = fmt.Errorf("%s holds %d logs, not 4: remove it", dir, len(files))
	}
	return files, err
}

// row times one token with both tools, and prints a line of the table.
func row(f *procs.Fleet, name, token string, files []string, runs int) error {
	trawl, rg := f.Grep("-e", token), append([]string{"rg", "--no-config", "-e", token}, files...)
	want, err := paired.LineSum(rg, nil)
	if err != nil {
		return err
	}
	got, err := paired.LineSum(trawl, func(line []byte) []byte { return line[bytes.IndexByte(line, ':')+1:] })
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("trawl and rg differ")
	}
	var wall, peer, cpu, bus, nodes, peerCPU []float64
	for range runs {
		before, err := f.CPU()
		if err != nil {
			return err
		}
		cost, err := paired.Once(trawl)
		if err != nil {
			return err
		}
		after, err := f.CPU()
		if err != nil {
			return err
		}
		busCPU, nodesCPU := after.Bus-before.Bus, after.Nodes-before.Nodes
		wall, bus, nodes = append(wall, cost.Wall.Seconds()), append(bus, busCPU), append(nodes, nodesCPU)
		cpu = append(cpu, cost.CPU.Seconds()+busCPU+nodesCPU)
		if cost, err = paired.Once(rg); err != nil {
			return err
		}
		peer, peerCPU = append(peer, cost.Wall.Seconds()), append(peerCPU, cost.CPU.Seconds())
	}
	ms := paired.Milliseconds
	fmt.Printf("| %s | %s | %s | %s | %s | %s | %s | %s |\n", name, ms(wall), ms(peer), paired.Spread(paired.Ratios(wall, peer)),
		ms(cpu), ms(bus), ms(nodes), ms(peerCPU))
	return nil
}

// stages prints where the time of an absent and of a heavy token goes, as --timing says.
func stages(f *procs.Fleet, runs int) error {
	fmt.Printf("\nms; medians of %d runs with --timing\n\n", runs)
	for i, token := range []string{tokens[0].token, tokens[len(tokens)-1].token} {
		var order []string
		took := map[string][]float64{}
		for range runs {
			text, err := errorsOf(f.Grep("--timing", "-e", token))
			if err != nil {
				return err
			}
			order = order[:0]
			for line := range strings.Lines(text) {
				var name string
				var ms float64
				if _, err := fmt.Sscanf(line, "trawl: time: %s %f ms", &name, &ms); err == nil {
					order = append(order, name)
					took[name] = append(took[name], ms)
				}
			}
		}
		if i == 0 {
			fmt.Printf("| | %s |\n|---|%s\n", strings.Join(order, " | "), strings.Repeat("---|", len(order)))
		}
		fmt.Printf("| %s |", token)
		for _, name := range order {
			fmt.Printf(" %.1f |", paired.Quantile(took[name], 0.5))
		}
		fmt.Println()
	}
	return nil
}

// errorsOf runs a command and returns what it says on stderr; its output goes nowhere.
func errorsOf(argv []string) (string, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	var text bytes.Buffer
	cmd.Stderr = &text
	err := cmd.Run()
	if e, ok := err.(*exec.ExitError); ok && e.ExitCode() == 1 {
		err = nil
	}
	return text.String(), err
}
