package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// The measurement of traces over sealed blocks, in small: its traces equal the truth, which it looks at itself, and
// what it prints has a row of each size.
func TestBenchTraces(t *testing.T) {
	if err := lookAtSources(); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "traces")
	if out, err := exec.Command("go", "build", "-o", binary, "../bench/traces").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	home := t.TempDir()
	cmd := exec.Command(binary, "-trawl", program, "-nodes", "3", "-services", "5", "-sizes", "1,2", "-every", "1s", "-window", "1h", "-lines", "4096", "-runs", "2")
	cmd.Env, cmd.Dir = append(environment(home), "TMPDIR="+home), home
	out, err := cmd.Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			t.Fatalf("%v\n%s", err, e.Stderr)
		}
		t.Fatal(err)
	}
	for _, want := range []string{
		`(?m)^\| 3\.0 MB \| [0-9]+, [0-9]+ kB \|.*\| 2 \|$`, `(?m)^\| 6\.0 MB \| [0-9]+, [0-9.]+ [kM]B \|.*\| 2 \|$`,
		`(?m)^\| 3\.0 MB \| [0-9.]+ \| [0-9.]+ \| [0-9.]+ \| [0-9.]+ % \|`, "`trawl trace` grows with the logs as bytes\\^",
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("there is no %s in\n%s", want, out)
		}
	}
	if left, err := os.ReadDir(home); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}
