package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// indexedNode starts a node whose index has so many per cent of a core.
func (f *fleet) indexedNode(name, logs string, cpu int) *process {
	f.t.Helper()
	config := filepath.Join(f.home, name+".yaml")
	state := filepath.Join(f.home, name+"-state")
	text := fmt.Sprintf("rescan: 1s\nstate: %s\nindex: {level: normal, cpu: %d%%}\n", state, cpu)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return f.node(name, "--config", config, "--logs", logs)
}

// loghub writes the real logs one after the other, several times over, and returns their lines.
func loghub(t *testing.T, path string, times int) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/loghub/*.log")
	if err != nil || len(names) == 0 {
		t.Fatalf("no real logs: %v", err)
	}
	var text []byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, data...)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat(string(text), times)), 0o600); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// packLog writes lines as a rotation packs them.
func packLog(t *testing.T, path, text string) {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// blocks waits until the index of every node is built, and returns how many blocks there are.
func (f *fleet) blocks() (n int64) {
	f.t.Helper()
	f.await("indexes", time.Minute, func() bool {
		n = 0
		r := f.run("blocks", "--server", f.url, "--output", "json")
		for line := range strings.Lines(r.stdout) {
			var node struct {
				Index *struct {
					Settled bool
					Files   []struct{ Blocks int64 }
				}
			}
			if json.Unmarshal([]byte(line), &node) != nil || node.Index == nil || !node.Index.Settled {
				return false
			}
			for _, file := range node.Index.Files {
				n += file.Blocks
			}
		}
		return n > 0
	})
	return n
}

// Over real logs, with their indexes built, 200 pieces of their lines are found as without an index, after
// a node was killed while it built its own; and part of the files is not read.
func TestIndexedFleet(t *testing.T) {
	f := newFleet(t)
	var lines []string
	for _, name := range []string{"a1", "a2"} {
		lines = loghub(t, filepath.Join(f.home, name+".log"), 4)
	}
	f.indexedNode("a1", filepath.Join(f.home, "a1.log"), 100)
	packLog(t, filepath.Join(f.home, "a2old.log.gz"), strings.Join(lines, "\n"))
	victim := f.indexedNode("a2", filepath.Join(f.home, "a2*.log*"), 1)
	f.up(2)
	f.await("half an index", time.Minute, func() bool {
		indexes, _ := filepath.Glob(filepath.Join(f.home, "a2-state", "index", "*.blocks*"))
		return len(indexes) > 0
	})
	victim.end(syscall.SIGKILL)
	f.indexedNode("a2", filepath.Join(f.home, "a2*.log*"), 100)
	f.up(2)
	f.prove(lines[:3]) // while it is being built
	if n := f.blocks(); n < 4 {
		t.Fatalf("%d blocks", n)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var patterns []string
	for len(patterns) < 200 {
		line := strings.TrimRight(lines[rng.IntN(len(lines))], "\r")
		n := min(len(line), 6+rng.IntN(24))
		if at := rng.IntN(len(line) - n + 1); n > 0 && strings.TrimSpace(line[at:at+n]) != "" {
			patterns = append(patterns, line[at:at+n])
		}
	}
	if read, all := f.prove(patterns); read > all*9/10 {
		t.Errorf("read %d of %d bytes", read, all)
	}
	if r := f.run("blocks", "--server", f.url, "--verify"); r.code != 0 || !strings.Contains(r.stdout, "a2.log") || !strings.Contains(r.stdout, "a2old.log.gz") {
		t.Errorf("verify: exit %d: %s%s", r.code, r.stdout, r.stderr)
	}
	if r := f.run("blocks", "--server", f.url, "--sizing"); r.code != 0 || !strings.Contains(r.stdout, "bytes a line =") {
		t.Errorf("sizing: exit %d: %s%s", r.code, r.stdout, r.stderr)
	}
	if r := f.grep("--explain", "no such thing at all"); r.code != 0 || !strings.Contains(r.stdout, "BY INDEX") {
		t.Errorf("explain: exit %d: %s%s", r.code, r.stdout, r.stderr)
	}
}

// prove asks for patterns with the index and without, and returns how much was read for it, of how much.
func (f *fleet) prove(patterns []string) (read, all int64) {
	f.t.Helper()
	r := f.run(append([]string{"blocks", "--server", f.url, "--prove", "-F", "--output", "json", "--"}, patterns...)...)
	if r.code != 0 {
		f.t.Errorf("prove: exit %d: %s", r.code, r.stderr)
	}
	out, n := bufio.NewScanner(strings.NewReader(r.stdout)), 0
	for out.Scan() {
		var p struct {
			Equal   bool
			Pattern string
			Lines   int64
			Read    int64 `json:"bytes_read"`
			All     int64 `json:"bytes_considered"`
		}
		if err := json.Unmarshal(out.Bytes(), &p); err != nil || !p.Equal || p.Lines == 0 {
			f.t.Errorf("%v: %s", err, out.Text())
		}
		read, all = read+p.Read, all+p.All
		n++
	}
	if n != len(patterns) {
		f.t.Errorf("%d answers to %d patterns", n, len(patterns))
	}
	return read, all
}
