package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/sample"
)

// bench runs trawl bench with a temporary directory of its own, which must be empty afterwards. Unless it is told of a fleet,
// environment and file of the user speak of another bus.
func bench(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	temp, config := t.TempDir(), t.TempDir()
	cmd := exec.Command(program, append([]string{"bench"}, args...)...)
	cmd.Env = append(environment(t.TempDir()), "TMPDIR="+temp, "XDG_CONFIG_HOME="+config)
	if !slices.Contains(args, "--server") {
		cmd.Env = append(cmd.Env, "TRAWL_PREFIX=elsewhere")
		file := filepath.Join(config, "trawl", "trawl.yaml")
		if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("connection: {creds: /nowhere}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errout strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errout
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	leftNothing(t, temp)
	return out.String(), errout.String(), code
}

// leftNothing holds a directory to be empty, and to be named by no process's command line.
func leftNothing(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind in %s: %v, %v", dir, left, err)
	}
	for _, line := range running(t, dir) {
		t.Errorf("still runs: %q", line)
	}
}

// running are the command lines of processes that name a directory.
func running(t *testing.T, dir string) (lines []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(files) == 0 {
		t.Fatalf("no processes: %v", err)
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte(dir)) {
			lines = append(lines, string(text))
		}
	}
	return lines
}

// errorBars gives the heights of an SVG's error bars, in pixels.
func errorBars(t *testing.T, file string) (heights []float64) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(data)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return heights
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		e, _ := token.(xml.StartElement)
		is := map[string]string{}
		for _, a := range e.Attr {
			is[a.Name.Local] = a.Value
		}
		if e.Name.Local == "line" && is["class"] == "errorbar" {
			low, err1 := strconv.ParseFloat(is["y1"], 64)
			high, err2 := strconv.ParseFloat(is["y2"], 64)
			if err1 != nil || err2 != nil {
				t.Fatalf("%s: %v", file, is)
			}
			heights = append(heights, low-high)
		}
	}
}

// labelled holds an SVG to texts, those of its axes with their units.
func labelled(t *testing.T, file string, texts ...string) {
	t.Helper()
	svg, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if !bytes.Contains(svg, []byte(">"+text+"</text>")) {
			t.Errorf("%s lacks %q: %s", file, text, svg)
		}
	}
}

// checkPNG holds an image to 800 × 480 pixels that are not all alike.
func checkPNG(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if s := img.Bounds().Size(); s.X != 800 || s.Y != 480 {
		t.Errorf("%s: %v", file, s)
	}
	colours := map[any]bool{}
	for y := range 480 {
		for x := range 800 {
			colours[img.At(x, y)] = true
		}
	}
	if len(colours) < 8 {
		t.Errorf("%s: %d colours", file, len(colours))
	}
}

// benchJSON is the shape of bench.json.
type benchJSON struct {
	Type     string
	Nodes    int
	Bytes    int64
	Trials   int
	Verified bool
	Tokens   []struct {
		Token                      string
		Seconds                    []float64
		Mean, SD, Min, Median, P95 float64
		FirstLine                  float64 `json:"first_line"`
		Lines, Moved, Frames       int64
		BytesRead                  int64              `json:"bytes_read"`
		Stages                     map[string]float64 `json:"stages_ms"`
		CPU                        struct{ Requester, Bus, Nodes float64 }
		Peak                       int64
	}
	Index *struct{ Complete bool }
	Idle  *struct {
		Seconds  float64
		Resident int64
	}
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A small profile: right answers, figures that agree with one another, and a plot with error bars.
func TestBenchProfile(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	text, said, code := bench(t, "--nodes", "4", "--size", "2MB", "--trials", "3", "--idle", "100ms", "--verify", "--out", out)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, said)
	}
	if stored, err := os.ReadFile(filepath.Join(out, "bench.md")); err != nil || string(stored) != text {
		t.Errorf("bench.md is not what was printed: %v", err)
	}
	var r benchJSON
	readJSON(t, filepath.Join(out, "bench.json"), &r)
	if r.Type != "profile" || r.Nodes != 4 || r.Trials != 3 || !r.Verified || r.Bytes < 7_990_000 || r.Bytes > 8_000_000 || r.Index == nil || r.Idle == nil || r.Idle.Resident == 0 {
		t.Errorf("bench.json: %+v", r)
	}
	var names []string
	slowest := 0
	for i, token := range r.Tokens {
		names = append(names, token.Token)
		if token.Mean > r.Tokens[slowest].Mean {
			slowest = i
		}
		if len(token.Seconds) != 3 || token.Min <= 0 || token.Min > token.Median || token.Median > token.P95 || token.BytesRead > r.Bytes || token.Token == "EVERYWHERE" && token.BytesRead != r.Bytes ||
			token.Frames < 4 || token.Moved == 0 || token.Stages["total"] == 0 || token.CPU.Nodes == 0 || token.CPU.Requester == 0 || token.Peak == 0 {
			t.Errorf("%+v", token)
		}
		mean := (token.Seconds[0] + token.Seconds[1] + token.Seconds[2]) / 3
		sd := math.Sqrt((math.Pow(token.Seconds[0]-mean, 2) + math.Pow(token.Seconds[1]-mean, 2) + math.Pow(token.Seconds[2]-mean, 2)) / 2)
		if math.Abs(token.Mean-mean) > 1e-9 || math.Abs(token.SD-sd) > 1e-9 {
			t.Errorf("%s: mean %v, sd %v, want %v, %v", token.Token, token.Mean, token.SD, mean, sd)
		}
		if (token.Lines == 0) != (token.Token == "ABSENT") || (token.FirstLine == 0) != (token.Lines == 0) || token.FirstLine > token.P95 {
			t.Errorf("%s: %d lines, the first after %v", token.Token, token.Lines, token.FirstLine)
		}
	}
	if got := strings.Join(names, " "); got != "EVERYWHERE UNIQUE EVEN HEAVY RARE ABSENT" {
		t.Errorf("tokens: %s", got)
	}
	if !strings.Contains(text, "The slowest token is "+r.Tokens[slowest].Token+": ") || !strings.Contains(text, "scan") || !strings.Contains(text, "printing took") {
		t.Errorf("the figures are not read: %s", text)
	}
	checkPNG(t, filepath.Join(out, "bench.png"))
	labelled(t, filepath.Join(out, "bench.svg"), "token", "time of a query, ms", "EVERYWHERE", "ABSENT")
	bars := errorBars(t, filepath.Join(out, "bench.svg"))
	highest := 0.0
	for _, h := range bars {
		highest = max(highest, h)
	}
	if len(bars) != 6 || highest <= 0 {
		t.Errorf("heights of the error bars: %v", bars)
	}
}

// An answer that is not what truth.json says is found, and is the exit status.
func TestBenchVerifies(t *testing.T) {
	logs := filepath.Join(t.TempDir(), "logs")
	truth, err := sample.Write(t.Context(), logs, sample.Options{Nodes: 2, Size: 100_000, Seed: 1, Rates: sample.DefaultRates}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	truth.Nodes[1].Tokens["EVEN"]++
	text, err := json.Marshal(truth)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(logs, sample.TruthFile), text, 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"--logs", logs, "--trials", "1", "--idle", "0", "--out", t.TempDir()}
	if _, said, code := bench(t, append(args, "--verify")...); code != 1 || !strings.Contains(said, "trawl: EVEN: wrong answer: lines by node map[node2:") {
		t.Errorf("exit %d: %s", code, said)
	}
	if _, said, code := bench(t, args...); code != 0 {
		t.Errorf("unverified: exit %d: %s", code, said)
	}
}

// benchUnderWay starts a bench that takes very long, and returns when it asks its fleet. What it says further is read.
func benchUnderWay(t *testing.T, temp string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program, "bench", "--size", "200kB", "--trials", "1000000", "--out", t.TempDir())
	cmd.Env = append(environment(t.TempDir()), "TMPDIR="+temp)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(lines.Text(), "EVERYWHERE") {
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	return cmd
}

// Ctrl-C ends bench and all that it has started, and leaves nothing; so does timeout(1), which sends its
// signal twice.
func TestBenchInterrupted(t *testing.T) {
	temp := t.TempDir()
	cmd := benchUnderWay(t, temp)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("exit %d", cmd.ProcessState.ExitCode())
	}
	leftNothing(t, temp)
}

// A bench that is killed leaves its files, but no process.
func TestBenchKilled(t *testing.T) {
	temp := t.TempDir()
	cmd := benchUnderWay(t, temp)
	if n := len(running(t, temp)); n < 5 {
		t.Errorf("%d processes: a bus and four nodes were to be there", n)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	for deadline := time.Now().Add(time.Minute); len(running(t, temp)) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still run: %q", running(t, temp))
		}
	}
}
