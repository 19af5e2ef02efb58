package main

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"time"
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
				ms(r.times["trawl"]), ms(r.times["rg"]), ms(r.times["grep"]), ratioText(r, "rg"), ratioText(r, "grep"))
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
		sum, err := lineSum(argv)
		if err != nil {
			return r, err
		}
		if i == 0 {
			want = sum
		} else if sum != want {
			return r, fmt.Errorf("%s and trawl differ", tool)
		}
	}
	for range c.runs {
		for _, tool := range tools {
			if argvs[tool] == nil {
				continue
			}
			d, err := once(argvs[tool])
			if err != nil {
				return r, err
			}
			r.times[tool] = append(r.times[tool], d.Seconds())
		}
	}
	return r, nil
}

func start(argv []string) (*exec.Cmd, io.Reader, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	return cmd, out, cmd.Start()
}

// finish waits; a grep's exit status 1 says that nothing matched.
func finish(cmd *exec.Cmd) error {
	err := cmd.Wait()
	if e, ok := err.(*exec.ExitError); ok && e.ExitCode() == 1 {
		return nil
	}
	return err
}

// once runs a command and returns its wall time, from before the fork to after its end.
func once(argv []string) (time.Duration, error) {
	buf := make([]byte, 1<<20)
	t := time.Now()
	cmd, out, err := start(argv)
	if err != nil {
		return 0, err
	}
	for err == nil {
		_, err = out.Read(buf)
	}
	err = finish(cmd)
	return time.Since(t), err
}

var seed = maphash.MakeSeed()

// lineSum adds up the hashes of a command's output lines: equal sums, equal lines in some order.
func lineSum(argv []string) (uint64, error) {
	cmd, out, err := start(argv)
	if err != nil {
		return 0, err
	}
	var sum uint64
	var rest []byte
	buf := make([]byte, 1<<20)
	for err == nil {
		var n int
		n, err = out.Read(buf)
		rest = append(rest, buf[:n]...)
		for {
			i := bytes.IndexByte(rest, '\n')
			if i < 0 {
				break
			}
			sum += maphash.Bytes(seed, rest[:i])
			rest = rest[i+1:]
		}
		rest = bytes.Clone(rest)
	}
	return sum, finish(cmd)
}

func ms(t []float64) string {
	if len(t) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f", 1000*quantile(t, 0.5))
}

func ratios(r row, peer string) []float64 {
	var out []float64
	for i, t := range r.times[peer] {
		out = append(out, t/r.times["trawl"][i])
	}
	return out
}

func ratioText(r row, peer string) string {
	q := ratios(r, peer)
	if len(q) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", quantile(q, 0.5), quantile(q, 0.25), quantile(q, 0.75))
}

func quantile(v []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(v))
	x := q * float64(len(s)-1)
	i := int(x)
	if i+1 == len(s) {
		return s[i]
	}
	return s[i] + (x-float64(i))*(s[i+1]-s[i])
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
				q := quantile(ratios(r, peer), 0.5)
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
