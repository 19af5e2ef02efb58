package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Both tables name their columns, and a peer that took part in fewer rounds is compared with those alone.
func TestTables(t *testing.T) {
	tab := &table{peers: []string{"rg", "ssh grep"}, runs: 3}
	r := &result{name: "EVEN, 71 MB", wall: []float64{0.2, 0.4, 0.9}, cpu: []float64{0.3, 0.3, 0.3}, bus: []float64{0.05, 0.05, 0.05}, nodes: []float64{0.1, 0.1, 0.1},
		peers: map[string][]float64{"rg": {0.1, 0.2, 0.3}, "ssh grep": {2}}}
	got := tab.head(time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC), "2 cores of a Xeon", []string{"trawl 1", "ripgrep 13.0.0"}) + tab.row(r) + tab.short()
	const want = `2026-11-23; 2 cores of a Xeon; trawl 1; ripgrep 13.0.0.

ms; medians of 3 alternating rounds; ratios trawl ÷ peer of the same round: median (quartiles)

| lines | trawl | its CPU | of it bus | responders | rg | ratio | ssh grep | ratio |
|---|---|---|---|---|---|---|---|---|
| EVEN, 71 MB | 400 | 300 | 50 | 100 | 200 | 2.00 (2.00–2.50) | 2000 | 0.10 (0.10–0.10) |
trawl ÷ peer, below 1 where trawl is quicker: median of paired runs (quartiles)

| lines | trawl, ms | ÷ rg | ÷ ssh grep |
|---|---|---|---|
| EVEN, 71 MB | 400 | 2.00 (2.00–2.50) | 0.10 (0.10–0.10) |
`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// What is not installed has no version.
func TestVersions(t *testing.T) {
	lines := versions([]string{"go", "version"}, []string{"trawl-is-not-there"}, []string{"go", "nothing-that-go-does"})
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "go version ") {
		t.Errorf("%q", lines)
	}
}

// What is not installed is left out, and said.
func TestNothingInstalled(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	defer func(old *os.File) { os.Stdout = old }(os.Stdout)
	os.Stdout = said
	peers := locals([]string{"a.log"})
	remote, err := startSSH()
	if err != nil || remote != nil {
		t.Fatalf("an sshd without ssh: %v, %v", remote, err)
	}
	if peers = append(peers, remote.peers(nil)...); len(peers) > 0 {
		t.Errorf("peers %v", peers)
	}
	remote.stop()
	text, err := os.ReadFile(said.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"rg is not installed: left out\n", "grep is not installed: left out\n", "ssh is left out: "} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%q is not said: %s", part, text)
		}
	}
}
