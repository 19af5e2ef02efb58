package main

import (
	"fmt"
	"math"
	"os/exec"
	"slices"

	"github.com/trawl-logs/trawl/bench/paired"
)

// row is one line of the table: seconds of the paired runs of each tool.
type row struct {
	workload, pattern, threads string
	times                      map[string][]float64
}

// command gives a tool's argv for a pattern; nil where the tool is not installed or does not take part.
func command(c config, tool, threads string, p pattern, files []string) []string {
	var argv []string
	switch tool {
	case "trawl":
		argv = append([]string{c.trawl, "grep", "--local", "--threads", threads}, p.flags...)
		argv = append(argv, "-e", p.expr)
	case "rg":
		argv = append([]string{"rg", "--no-config", "-j", threads}, p.flags...)
		if slices.Contains(p.flags, "-c") {
			argv = append(argv, "--include-zero")
		}
		argv = append(argv, "-e", p.expr)
	case "grep":
		if threads != c.threads[0] {
			return nil // it has one thread
		}
		expr := p.grep
		if expr == "" {
			expr = p.expr
		}
		mode := "-E"
		if slices.Contains(p.flags, "-F") {
			mode = "-F"
		}
		argv = append([]string{"grep", mode}, p.flags...)
		argv = append(argv, "-e", expr)
	}
	if _, err := exec.LookPath(argv[0]); err != nil {
		return nil
	}
	return append(argv, files...)
}

var tools = []string{"trawl", "rg", "grep"}

func measure(c config, w workload) ([]row, error) {
	fmt.Printf("### %s\n\nms of whole processes (median of %d alternating runs); ratio = peer ÷ trawl of paired runs: median (quartiles)\n\n", w.name, c.runs)
	fmt.Println("| pattern | threads | trawl | rg | grep | rg ÷ trawl | grep ÷ trawl |")
	fmt.Println("|---|---|---|---|---|---|---|")
	var rows []row
	for _, p := range w.patterns {
		for _, th := range c.threads {
			if !c.only.MatchString(w.name + "/" + p.name) {
				continue
			}
			r, err := measureRow(c, w, p, th)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", w.name, p.name, err)
			}
			rows = append(rows, r)
			fmt.Printf("| %s | %s | %s | %s | %s | %s | %s |\n", p.name, th,
				paired.Milliseconds(r.times["trawl"]), paired.Milliseconds(r.times["rg"]), paired.Milliseconds(r.times["grep"]),
				paired.Spread(ratios(r, "rg")), paired.Spread(ratios(r, "grep")))
		}
	}
	fmt.Println()
	return rows, nil
}

func measureRow(c config, w workload, p pattern, threads string) (row, error) {
	r := row{w.name, p.name, threads, map[string][]float64{}}
	argvs := map[string][]string{}
	var want uint64
	for i, tool := range tools {
		argv := command(c, tool, threads, p, w.files)
		if argv == nil {
			continue
		}
		argvs[tool] = argv
		sum, err := paired.LineSum(argv, nil)
		if err != nil {
			return r, err
		}
		if i == 0 {
			want = sum
		} else if sum != want {
			return r, fmt.Errorf("%s and trawl differ", tool)
		}
	}
	for run := range c.runs {
		for _, tool := range tools {
			if argvs[tool] == nil || tool == "grep" && run >= c.grep {
				continue
			}
			d, err := paired.Once(argvs[tool])
			if err != nil {
				return r, err
			}
			r.times[tool] = append(r.times[tool], d.Wall.Seconds())
		}
	}
	return r, nil
}

func ratios(r row, peer string) []float64 {
	times := r.times[peer]
	return paired.Ratios(times, r.times["trawl"][:len(times)])
}

// summary prints the geometric mean and the least of the median ratios.
func summary(rows []row) {
	for _, peer := range []string{"rg", "grep"} {
		byThreads := map[string][]row{}
		var order []string
		for _, r := range rows {
			if len(r.times[peer]) > 0 {
				if byThreads[r.threads] == nil {
					order = append(order, r.threads)
				}
				byThreads[r.threads] = append(byThreads[r.threads], r)
			}
		}
		for _, th := range order {
			logs, least, at := 0.0, math.Inf(1), ""
			for _, r := range byThreads[th] {
				q := paired.Quantile(ratios(r, peer), 0.5)
				logs += math.Log(q)
				if q < least {
					least, at = q, r.workload+", "+r.pattern
				}
			}
			n := float64(len(byThreads[th]))
			fmt.Printf("%s ÷ trawl, %s thread(s): geometric mean %.2f over %.0f rows, least %.2f (%s)\n",
				peer, th, math.Exp(logs/n), n, least, at)
		}
	}
}
