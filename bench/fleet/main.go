// Command fleet times `trawl grep` over four responder processes and a bus beside what a user could
// run instead on the same files: ripgrep and GNU grep where they lie, and grep through ssh and pdsh to
// an sshd of its own on loopback. One alternating run, whole processes, warm page cache, output into a
// pipe that is read to its end, everything on one machine. What is not installed is left out, and said.
//
// First the nodes index their logs. Before the timed runs of a row it holds the answers against each other. It prints the
// date and the machine, a Markdown table of wall times and of trawl's processor times, those of bus and responders
// included, with the ratios of paired runs, a short one of the ratios alone, and one of where the time goes;
// docs/benchmarks-fleet.md keeps the last, docs/benchmarks.md the short one.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

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
	{"absent", "NOSUCHTOKENATALL"}, {"RARE, 9 KB", "RARE"}, {"UNIQUE, 35 MB", "UNIQUE"}, {"EVEN, 71 MB", "EVEN"}, {"HEAVY, 46 MB", "HEAVY"}, {"half of all, 143 MB", "EVERYWHERE"},
}

// config is what the command line says.
type config struct {
	trawl, data      string
	runs, remoteRuns int
	only             *regexp.Regexp // rows
}

func run() (err error) {
	var c config
	flag.StringVar(&c.trawl, "trawl", "bin/trawl", "the trawl binary")
	flag.StringVar(&c.data, "data", filepath.Join(os.TempDir(), "trawl-bench"), "where the generated logs are kept")
	flag.IntVar(&c.runs, "runs", 15, "paired runs")
	flag.IntVar(&c.remoteRuns, "remote-runs", 5, "of these, those in which ssh and pdsh take part, which are ten times slower and more")
	only := flag.String("only", "", "only the rows whose name matches")
	flag.Parse()
	if c.trawl, err = filepath.Abs(c.trawl); err != nil {
		return err
	}
	if c.only, err = regexp.Compile(*only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	return measure(c)
}

// measure prints the tables.
func measure(c config) error {
	where := machine() // before anything loads it
	files, err := logs(c.trawl, filepath.Join(c.data, "gen"))
	if err != nil {
		return err
	}
	f, err := procs.Start(c.trawl, files)
	if err != nil {
		return err
	}
	defer f.Stop()
	indexed, err := f.Indexed(context.Background(), 5*time.Minute)
	if err != nil {
		return err
	}
	if !indexed {
		fmt.Print("The nodes had not indexed their logs after 5 minutes.\n\n")
	}
	remote, err := startSSH()
	if err != nil {
		return fmt.Errorf("sshd: %w", err)
	}
	defer remote.stop()
	peers := locals(files)
	for _, p := range remote.peers(files) {
		p.runs = c.remoteRuns
		peers = append(peers, p)
	}
	t := &table{runs: c.runs}
	for _, p := range peers {
		t.peers = append(t.peers, p.name)
	}
	fmt.Print(t.head(time.Now(), where, versions([]string{c.trawl, "version"}, []string{"rg", "--version"}, []string{"grep", "--version"}, []string{"ssh", "-V"})))
	for _, token := range tokens {
		if !c.only.MatchString(token.name) {
			continue
		}
		r, err := row(f, token.name, token.token, peers, c.runs)
		if err != nil {
			return fmt.Errorf("%s: %w", token.name, err)
		}
		fmt.Print(t.row(r))
	}
	fmt.Print("\n" + t.short())
	return stages(f, c.runs)
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

// peer is what a user could run instead: a command for a token, and what its lines have before those
// of rg.
type peer struct {
	name string
	argv func(token string) []string
	trim func(line []byte) []byte
	runs int // of all, those in which it takes part; 0: all
}

// afterNode takes off what stands before the first colon, and the blank that pdsh sets after it.
func afterNode(line []byte) []byte {
	return bytes.TrimPrefix(line[bytes.IndexByte(line, ':')+1:], []byte(" "))
}

// locals are the peers that read the files where trawl's nodes do, if they are installed.
func locals(files []string) (all []peer) {
	for _, p := range []struct {
		name string
		argv []string
	}{{"rg", []string{"rg", "--no-config", "-e"}}, {"grep", []string{"grep", "-e"}}} {
		if _, err := exec.LookPath(p.name); err != nil {
			fmt.Printf("%s is not installed: left out\n\n", p.name)
			continue
		}
		all = append(all, peer{name: p.name, argv: func(token string) []string {
			return slices.Concat(p.argv, []string{token}, files)
		}})
	}
	return all
}

// row times one token with trawl and all peers by turns. First it holds their answers against each other.
func row(f *procs.Fleet, name, token string, peers []peer, runs int) (*result, error) {
	trawl := f.Grep("-e", token)
	want, err := paired.LineSum(trawl, afterNode)
	if err != nil {
		return nil, err
	}
	for _, p := range peers {
		got, err := paired.LineSum(p.argv(token), p.trim)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		if got != want {
			return nil, fmt.Errorf("trawl and %s differ", p.name)
		}
	}
	r := &result{name: name, peers: map[string][]float64{}}
	for run := range runs {
		before, err := f.CPU()
		if err != nil {
			return nil, err
		}
		cost, err := paired.Once(trawl)
		if err != nil {
			return nil, err
		}
		after, err := f.CPU()
		if err != nil {
			return nil, err
		}
		bus, nodes := after.Bus-before.Bus, after.Nodes-before.Nodes
		r.wall, r.bus, r.nodes = append(r.wall, cost.Wall.Seconds()), append(r.bus, bus), append(r.nodes, nodes)
		r.cpu = append(r.cpu, cost.CPU.Seconds()+bus+nodes)
		for _, p := range peers {
			if p.runs > 0 && run >= p.runs {
				continue
			}
			if cost, err = paired.Once(p.argv(token)); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			r.peers[p.name] = append(r.peers[p.name], cost.Wall.Seconds())
		}
	}
	return r, nil
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
