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
	"strconv"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/sample"
)

// bench runs trawl bench with a temporary directory of its own, which must be empty afterwards.
func bench(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	temp := t.TempDir()
	cmd := exec.Command(program, append([]string{"bench"}, args...)...)
	cmd.Env = append(environment(t.TempDir()), "TMPDIR="+temp)
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
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(lines) == 0 {
		t.Fatalf("no processes: %v", err)
	}
	for _, line := range lines {
		if text, err := os.ReadFile(line); err == nil && bytes.Contains(text, []byte(dir)) {
			t.Errorf("%s still runs: %q", line, text)
		}
	}
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
	Idle *struct {
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
	if r.Type != "profile" || r.Nodes != 4 || r.Trials != 3 || !r.Verified || r.Bytes < 7_990_000 || r.Bytes > 8_000_000 || r.Idle == nil || r.Idle.Resident == 0 {
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

// Ctrl-C ends bench and all that it has started, and leaves nothing.
func TestBenchInterrupted(t *testing.T) {
	temp := t.TempDir()
	cmd := exec.Command(program, "bench", "--size", "200kB", "--trials", "1000000", "--out", t.TempDir())
	cmd.Env = append(environment(t.TempDir()), "TMPDIR="+temp)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if strings.Contains(lines.Text(), "EVERYWHERE") { // the fleet is up, and is asked
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("exit %d", cmd.ProcessState.ExitCode())
	}
	leftNothing(t, temp)
}

// Growth, at its smallest: every fleet answers in full, and both plots are drawn.
func TestBenchScale(t *testing.T) {
	out := t.TempDir()
	text, said, code := bench(t, "--scale", "--max-nodes", "10", "--max-size", "10MB", "--trials", "2", "--out", out)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, said)
	}
	var r struct {
		Type      string
		Transport struct{ Rate, BareRate []float64 }
		Nodes     []struct {
			Nodes         int
			Answer        string
			Seconds, Bare []float64
			Frames, Sent  float64
			Peak          int64
		}
		Sizes []struct{ Size int64 }
	}
	readJSON(t, filepath.Join(out, "scale.json"), &r)
	if r.Type != "scale" || len(r.Nodes) != 6 || len(r.Sizes) != 1 || len(r.Transport.Rate) != 2 {
		t.Fatalf("scale.json: %+v", r)
	}
	for _, p := range r.Nodes {
		if len(p.Seconds) != 2 || (len(p.Bare) == 0) != (p.Answer == "1 MB each") || p.Frames < float64(p.Nodes) || p.Sent < 1 || p.Peak == 0 {
			t.Errorf("%+v", p)
		}
	}
	if !strings.Contains(text, "Over the last three sizes of the fleet the time grows as nodes^") || !strings.Contains(text, "Transport: ") {
		t.Errorf("the figures are not read: %s", text)
	}
	checkPNG(t, filepath.Join(out, "scale-nodes.png"))
	checkPNG(t, filepath.Join(out, "scale-size.png"))
}
