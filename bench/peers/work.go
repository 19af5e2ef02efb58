package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
)

// pattern is one row of a workload's table: the same search in three tools' spelling.
type pattern struct {
	name  string
	flags []string // understood alike by the three
	expr  string   // RE2's spelling, ripgrep's too
	grep  string   // GNU grep -E's spelling; empty: the same
}

type workload struct {
	name     string
	files    []string
	patterns []pattern
}

// workloads makes the files of both workloads and names their patterns.
func workloads(c config) ([]workload, error) {
	gen := filepath.Join(c.data, "gen")
	if _, err := os.Stat(filepath.Join(gen, "truth.json")); err != nil {
		if err := os.MkdirAll(c.data, 0o755); err != nil {
			return nil, err
		}
		cmd := exec.Command(c.trawl, "gen", "--nodes", "4", "--size", "60MB", "--seed", "1", "--out", gen)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("trawl gen: %w", err)
		}
	}
	small, err := filepath.Glob(filepath.Join(gen, "*.log"))
	if err != nil {
		return nil, err
	}
	samples, err := filepath.Glob(filepath.Join(c.samples, "*.log"))
	if err != nil {
		return nil, err
	}
	if len(samples) == 0 {
		return nil, fmt.Errorf("no sample logs in %s", c.samples)
	}
	big := filepath.Join(c.data, "loghub")
	if err := os.MkdirAll(big, 0o755); err != nil {
		return nil, err
	}
	grown, err := grow(samples, big, c.grown/int64(len(samples)))
	if err != nil {
		return nil, err
	}
	sort.Strings(small)
	return []workload{
		{"gen 4 × 60 MB", small, genPatterns()},
		{"loghub, grown", grown, loghubPatterns()},
	}, nil
}

const ipv4 = `[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}`

func genPatterns() []pattern {
	return []pattern{
		{name: "absent", expr: "NOSUCHTOKENATALL"},
		{name: "rare", expr: "RARE"},
		{name: "common", expr: "UNIQUE"},
		{name: "half of all lines", expr: "EVERYWHERE"},
		{name: "absent -i", flags: []string{"-i"}, expr: "nosuchtokenatall"},
		{name: "rare -i", flags: []string{"-i"}, expr: "rare"},
		{name: "half -i", flags: []string{"-i"}, expr: "everywhere"},
		{name: "half -c", flags: []string{"-c"}, expr: "EVERYWHERE"},
		{name: "half -n", flags: []string{"-n"}, expr: "EVERYWHERE"},
		{name: "half -v", flags: []string{"-v"}, expr: "EVERYWHERE"},
		{name: "IPv4", expr: ipv4},
	}
}

func loghubPatterns() []pattern {
	return []pattern{
		{name: "absent", expr: "NOSUCHTOKENATALL"},
		{name: "rare", expr: "segfault at"},
		{name: "rare, long", expr: "Connection reset by peer [preauth]", flags: []string{"-F"}},
		{name: "common", expr: "Failed password"},
		{name: "absent -i", flags: []string{"-i"}, expr: "nosuchtokenatall"},
		{name: "rare -i", flags: []string{"-i"}, expr: "SEGFAULT AT"},
		{name: "common -i", flags: []string{"-i"}, expr: "error"},
		{name: "5 words", expr: "error|warn|fatal|panic|exception"},
		{name: "5 words -i", flags: []string{"-i"}, expr: "error|warn|fatal|panic|exception"},
		{name: "5 rare words", expr: "kernel panic|out of memory|segfault|disk full|link down"},
		{name: "50 words", expr: fiftyWords()},
		{name: "50 words -i", flags: []string{"-i"}, expr: fiftyWords()},
		{name: "IPv4", expr: ipv4},
		{name: "inner literals", expr: `user=\w+ .*status=5\d\d`, grep: `user=\w+ .*status=5[0-9]{2}`},
		{name: "inner literals, present", expr: `user=\w+ .*rhost=\d+`, grep: `user=\w+ .*rhost=[0-9]+`},
		{name: "no literal", expr: `[a-z]+ing\b.*[0-9]{4}`},
		{name: `\bword\b`, expr: `\broot\b`},
		{name: "-w", flags: []string{"-w"}, expr: "root"},
		{name: "anchored", expr: `^Jun 1`},
		{name: "anchored, class", expr: `^[0-9]{6} [0-9]+ 1`},
		{name: "-v common", flags: []string{"-v"}, expr: "INFO"},
		{name: "-c common", flags: []string{"-c"}, expr: "INFO"},
		{name: "-n common", flags: []string{"-n"}, expr: "INFO"},
		{name: "half of all lines", expr: "INFO"},
		{name: "-o IPv4", flags: []string{"-o"}, expr: ipv4},
	}
}

// fiftyWords is an alternation of fifty words, some of which occur.
func fiftyWords() string {
	words := strings.Fields(`abandoned aborted absent barrier blacklisted broken bugcheck
		canceled checksum collision conflict corrupt coredump crashed deadlock degraded denied
		detached disconnected dropped duplicate evicted exhausted expired failsafe forbidden
		hangup illegal inconsistent insufficient interrupted invalid leaked malformed mismatch
		missing orphan overflow overrun poisoned quarantine refused rejected rollback stale
		starved throttled timeout truncated unreachable`)
	return strings.Join(words, "|")
}
