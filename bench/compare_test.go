// Package bench_test tries the script that compares benchmarks with those of a revision.
package bench_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/needs"
)

// repository is one of its own, with the script, and a benchmark that says which revision of it runs.
type repository struct {
	t    *testing.T
	dir  string
	temp string // the script's temporary directory
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	needs.Tool(t, "git", "git")
	needs.Tool(t, "bash", "bash")
	r := &repository{t: t, dir: t.TempDir(), temp: t.TempDir()}
	script, err := os.ReadFile("compare.sh")
	if err != nil {
		t.Fatal(err)
	}
	r.write("bench/compare.sh", string(script))
	r.write("go.mod", "module tiny\n\ngo 1.26\n")
	// benchstat would be built for this alone: what is called in its place shows what it is given.
	program, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	r.write("shim/go", `#!/bin/sh
[ "$1" = tool ] || exec '`+program+`' "$@"
echo "called: $2 $3"; echo "old:"; cat "$4"; echo "here:"; cat "$5"
`)
	if err := os.Chmod(filepath.Join(r.dir, "shim/go"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q")
	return r
}

func (r *repository) write(name, text string) {
	r.t.Helper()
	file := filepath.Join(r.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		r.t.Fatal(err)
	}
}

// benchmark writes a package with a benchmark, which reports a number.
func (r *repository) benchmark(name string, number int) {
	r.t.Helper()
	r.write(name+"/bench_test.go", fmt.Sprintf(`package %s

import "testing"

func BenchmarkRevision(b *testing.B) { b.ReportMetric(%d, "revision") }
`, name, number))
}

func (r *repository) run(name string, args ...string) (stdout, stderr string, code int) {
	r.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = r.dir
	cmd.Env = []string{"TMPDIR=" + r.temp, "PATH=" + filepath.Join(r.dir, "shim") + ":" + os.Getenv("PATH"), "HOME=" + r.dir,
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GOCACHE=" + r.cache(), "GOTOOLCHAIN=local", "GOFLAGS=", "COUNT=1", "BENCHTIME=1x"}
	var out, errout strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errout
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		r.t.Fatal(err)
	}
	return out.String(), errout.String(), code
}

// cache is Go's build cache, whose place follows from HOME.
func (r *repository) cache() string {
	r.t.Helper()
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	out, said, code := r.run("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.org"}, args...)...)
	if code != 0 {
		r.t.Fatalf("git %q: %s", args, said)
	}
	return out
}

// A revision is measured beside the tree as it lies there, changes included; a package that the revision does not have
// is measured here alone; and nothing is left behind.
func TestCompare(t *testing.T) {
	r := newRepository(t)
	r.benchmark("tiny", 1)
	r.git("add", ".")
	r.git("commit", "-q", "-m", "first")
	r.benchmark("tiny", 2)
	r.git("commit", "-q", "-a", "-m", "second")
	r.benchmark("tiny", 3)
	r.benchmark("later", 4)
	out, said, code := r.run("bash", "bench/compare.sh", "HEAD~1", "./tiny", "./later")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, said)
	}
	head, rest, _ := strings.Cut(out, "old:\n")
	old, here, _ := strings.Cut(rest, "here:\n")
	if head != "called: -modfile=tools/go.mod benchstat\n" || strings.Count(old, "BenchmarkRevision") != 1 || !strings.Contains(old, " 1.000 revision") ||
		strings.Count(here, "BenchmarkRevision") != 2 || !strings.Contains(here, " 3.000 revision") || !strings.Contains(here, " 4.000 revision") {
		t.Errorf("benchstat was given %q, and said was %s", out, said)
	}
	if !strings.Contains(said, "compare: round 1 of 1\n") || !strings.Contains(said, "compare: some package of old.txt failed") {
		t.Errorf("said: %s", said)
	}
	if trees := r.git("worktree", "list"); strings.Count(trees, "\n") != 1 {
		t.Errorf("left behind: %s", trees)
	}
	if left, err := filepath.Glob(filepath.Join(r.temp, "tmp.*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestCompareRefuses(t *testing.T) {
	r := newRepository(t)
	for want, args := range map[string][]string{
		"usage: bench/compare.sh REV [PACKAGE…]\n":  nil,
		"compare: no such revision: nowhere\n":      {"nowhere"},
		"compare: no such revision: HEAD~1000000\n": {"HEAD~1000000"},
	} {
		if _, said, code := r.run("bash", append([]string{"bench/compare.sh"}, args...)...); code != 2 || said != want {
			t.Errorf("%q: exit %d: %s", args, code, said)
		}
	}
}
