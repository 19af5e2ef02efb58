package sample

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"testing"
	"time"
)

func options(nodes int, size int64) Options {
	return Options{Nodes: nodes, Size: size, Seed: 1, Rates: DefaultRates}
}

// The truth is held against the files themselves, counted in the plainest way.
func TestTruth(t *testing.T) {
	dir := t.TempDir()
	truth, err := Write(t.Context(), dir, options(4, 300_000), true, nil)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := ReadTruth(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(truth, stored) {
		t.Errorf("truth.json holds %+v, want %+v", stored, truth)
	}
	line := regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) [a-z]+ [a-z]+\[\d+\]: [^A-Z]+( EVERYWHERE)?( UNIQUE)?( EVEN)?( HEAVY)?( RARE)?$`)
	for _, node := range truth.Nodes {
		data, err := os.ReadFile(filepath.Join(dir, node.File))
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(data)) != node.Bytes || node.Bytes > 300_000 || node.Bytes < 300_000-maxLine {
			t.Errorf("%s: %d bytes, truth says %d", node.File, len(data), node.Bytes)
		}
		counts, lines := map[string]int64{}, int64(0)
		var last time.Time
		for text := range bytes.Lines(data) {
			text = bytes.TrimSuffix(text, []byte("\n"))
			if len(text) >= maxLine {
				t.Fatalf("%s: line of %d bytes", node.File, len(text))
			}
			fields := line.FindSubmatch(text)
			if fields == nil {
				t.Fatalf("%s: line %d is odd: %s", node.File, lines+1, text)
			}
			at, err := time.Parse(time.RFC3339, string(fields[1]))
			if err != nil || at.Before(last) {
				t.Fatalf("%s: line %d: time %s after %s: %v", node.File, lines+1, at, last, err)
			}
			last = at
			lines++
			for _, token := range Tokens {
				if bytes.Contains(text, []byte(token)) {
					counts[token]++
				}
			}
		}
		if lines != node.Lines {
			t.Errorf("%s: %d lines, truth says %d", node.File, lines, node.Lines)
		}
		for _, token := range Tokens {
			if counts[token] != node.Tokens[token] {
				t.Errorf("%s: %d lines with %s, truth says %d", node.File, counts[token], token, node.Tokens[token])
			}
		}
	}
}

func TestRates(t *testing.T) {
	dir := t.TempDir()
	truth, err := Write(t.Context(), dir, options(4, 2_000_000), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][4]float64{
		"EVERYWHERE": {0.5, 0.5, 0.5, 0.5},
		"UNIQUE":     {0.5, 0, 0, 0},
		"EVEN":       {0, 0.5, 0, 0.5},
		"HEAVY":      {0.5, 0.05, 0.05, 0.05},
	}
	for i, node := range truth.Nodes {
		for token, shares := range want {
			got := float64(node.Tokens[token]) / float64(node.Lines)
			if d := got - shares[i]; d > 0.02 || d < -0.02 || shares[i] == 0 && got != 0 {
				t.Errorf("%s on %s: share %.3f, want %.2f", token, node.Node, got, shares[i])
			}
		}
		if got := node.Tokens["RARE"]; got != 10 {
			t.Errorf("RARE on %s: %d lines, want 10", node.Node, got)
		}
	}
}

// Same seed, same bytes: whatever the number of processors and of nodes.
func TestSameSeedSameBytes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one, many := t.TempDir(), t.TempDir()
	if _, err := Write(t.Context(), one, options(2, 100_000), false, nil); err != nil {
		t.Fatal(err)
	}
	runtime.GOMAXPROCS(4)
	if _, err := Write(t.Context(), many, options(3, 100_000), false, nil); err != nil {
		t.Fatal(err)
	}
	read := func(dir, name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, name := range []string{"node1.log", "node2.log"} {
		if !bytes.Equal(read(one, name), read(many, name)) {
			t.Errorf("%s differs between two runs", name)
		}
	}
	if bytes.Equal(read(many, "node2.log"), read(many, "node3.log")) {
		t.Error("node2.log and node3.log are the same")
	}
	var other bytes.Buffer
	o := options(1, 100_000)
	o.Seed = 2
	if _, err := Node(t.Context(), &other, o, 1); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(read(one, "node1.log"), other.Bytes()) {
		t.Error("another seed gives the same bytes")
	}
}

func TestWriteKeepsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "node.log")
	if err := os.WriteFile(mine, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(t.Context(), dir, options(3, 4096), false, nil); !errors.Is(err, ErrNotEmpty) {
		t.Fatalf("error %v, want ErrNotEmpty", err)
	}
	for _, nodes := range []int{3, 2} {
		o := options(nodes, 50_000)
		if _, err := Write(t.Context(), dir, o, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if want := []string{"node.log", "node1.log", "node2.log", "truth.json"}; !reflect.DeepEqual(names, want) {
		t.Errorf("directory holds %v, want %v", names, want)
	}
}

func TestWriteInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Write(ctx, dir, options(1, 10<<20), false, func(int64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want %v", err, context.Canceled)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestValidate(t *testing.T) {
	for _, change := range []func(*Options){
		func(o *Options) { o.Nodes = 0 },
		func(o *Options) { o.Size = 1 },
		func(o *Options) { o.Rates.Even = 1.5 },
		func(o *Options) { o.Rates.Rare = -1 },
		func(o *Options) { o.Rates.Rare = 1 << 30 },
	} {
		o := options(1, 100_000)
		change(&o)
		if err := o.Validate(); err == nil {
			t.Errorf("%+v is valid", o)
		}
	}
}

func BenchmarkNode(b *testing.B) {
	o := options(1, 8<<20)
	b.SetBytes(o.Size)
	for b.Loop() {
		if _, err := Node(b.Context(), io.Discard, o, 1); err != nil {
			b.Fatal(err)
		}
	}
}
