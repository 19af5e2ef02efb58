package e2e

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/needs"
)

// layout says which files each of the five nodes has. The last three are written by logs.
var layout = map[string][]string{
	"db1":  {"Apache_2k.log", "HDFS_2k.log"},
	"db2":  {"Hadoop_2k.log"},
	"web1": {"Linux_2k.log", "OpenSSH_2k.log", "odd_bytes.log"},
	"web2": {"OpenStack_2k.log", "Spark_2k.log", "open_end.log"},
	"web3": {"Zookeeper_2k.log", "zero.bin"},
}

// nodeOrder is the natural order of the names of layout.
var nodeOrder = []string{"db1", "db2", "web1", "web2", "web3"}

// logs lays the files out, a directory a node, and returns them in the order of a fleet's output.
func logs(t *testing.T, root string) []string {
	t.Helper()
	own := map[string]string{
		"odd_bytes.log": "failed \xff\xfe password\r\nplain line\nerr\xc3\xb6r f\xc3\xbcr user=root\nerror at 10.0.0.1\r\n\n\xe2\x82\n",
		"open_end.log":  "first INFO line\nsecond\n\nlast error without newline",
		"zero.bin":      "text before INFO\nbinary \x00 INFO error\nmore\n",
	}
	var all []string
	for _, node := range nodeOrder {
		dir := filepath.Join(root, node)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range layout[node] {
			data, err := os.ReadFile(filepath.Join("testdata/loghub", name))
			if errors.Is(err, fs.ErrNotExist) && own[name] != "" {
				data, err = []byte(own[name]), nil
			}
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			all = append(all, path)
		}
	}
	return all
}

// combinations are flags and a pattern that mean the same to GNU grep. Every one runs over all five
// nodes; grep gets -H in front unless the combination has -h.
var combinations = []string{
	"-F error", "-F -i error", "-F -w error", "-F -c INFO", "-F -l INFO", "-F -L INFO", "-F -n INFO",
	"-F -b INFO", "-F -n -b -o INFO", "-F -v -c INFO", "-F -x second", "-F -m 3 INFO", "-F -m 0 INFO", "-F -h -m 2 INFO",
	"-F -a INFO", "-F -I INFO", "-F -a -n error", "-F -T root", "-E -L qqqq", "-F -L error", "-E -v -o x", "-F -o -C2 -n error", "-E -o x*", "-F -L -m0 error", "-E -A1 err|e.*r|password|^.$", "-E -A1 -h e", "-F -T -n root", "-F -T -b -o root", "-F -T -n -b -A1 -m3 error", "-F -Z -c error", "-F -Z -m1 -n error",
	"-E (error|fail(ed|ure)?)", "-E -i (error|warn|fatal)", "-E -o [0-9]{1,3}(\\.[0-9]{1,3}){3}", "-E -o -b blk_-?[0-9]+",
	"-E ^(Jun|[0-9]{4})", "-E -c ^", "-E -v -c ^$", "-E -n ^$", "-E -c \\.$", "-E -w [0-9]{5}", "-E -o -w [a-z]+d",
	"-E -i -o user[ =][a-z]+", "-E \\<root\\>", "-E -c [[:upper:]]{4,}", "-E -o [[:space:]]+\\r?$", "-E -m2 -c x|y",
	"-G -n \\(fail\\)ed", "-G -c a\\{2\\}", "-G ^.*error.*$", "-G -o req-[0-9a-f]*",
	"-F -A2 -m2 error", "-F -B2 -m2 error", "-F -C1 -n -m4 INFO", "-F -2 -m1 root", "-F -A1 -c error", "-F -A1 --no-group-separator -m3 error",
	"-F -A1 --group-separator=## -m3 error", "-E -A3 -B1 -n -m5 timed? ?out", "-F -v -m3 -n INFO", "-F -v -A1 -m2 INFO",
	"-F -e error -e root", "-F -e=root", "-F -o -n -e user -e root", "-E -x .*error.*", "-F -x -v -c plain", "-E -i -w -o -n err(or)?",
	"-F -C0 -m2 error", "-F -h -n -A1 -m1 error", "-E -z -c error", "-F -s -h -o error", "-F --binary-files=text -c error", "-F --binary-files=without-match -l error",
}

// 5 responder processes over real logs answer as GNU grep does over the same files, byte for byte.
func TestAnswersEqualGNUGrep(t *testing.T) {
	needs.Tool(t, "grep", "grep")
	f := newFleet(t)
	root := filepath.Join(f.home, "logs")
	files := logs(t, root)
	for _, node := range nodeOrder {
		f.node(node, "--logs", filepath.Join(root, node, "*"))
	}
	f.up(len(nodeOrder))
	if len(combinations) < 40 {
		t.Errorf("%d combinations", len(combinations))
	}
	for _, combination := range combinations {
		t.Run(strings.ReplaceAll(combination, "/", "|"), func(t *testing.T) {
			f := *f
			f.t = t
			args := splitPattern(combination)
			want, code := gnuGrep(t, files, args)
			got := f.grep(args...)
			if got.stdout != want {
				t.Errorf("stdout differs from GNU grep's\n%s", firstDifference(got.stdout, want))
			}
			if got.code != code {
				t.Errorf("exit status %d, grep's is %d; stderr: %s", got.code, code, got.stderr)
			}
		})
	}
	t.Run("order of --include and --exclude", func(t *testing.T) { f := *f; f.t = t; f.orderOfNames(files) })
	// Each node alone, too: nothing depends on its neighbours.
	for _, node := range nodeOrder {
		var own []string
		for _, name := range files {
			if filepath.Base(filepath.Dir(name)) == node {
				own = append(own, name)
			}
		}
		want, code := gnuGrep(t, own, []string{"-i", "-n", "-F", "error"})
		got := f.grep("--node", node, "-i", "-n", "-F", "error")
		if got.stdout != want || got.code != code {
			t.Errorf("--node %s: exit %d, want %d\n%s", node, got.code, code, firstDifference(got.stdout, want))
		}
	}
}

// orderOfNames holds that of several --include and --exclude the last one that matches counts, and
// that the first one decides about files that none matches.
func (f *fleet) orderOfNames(files []string) {
	for _, rules := range [][]string{
		{"--exclude=*.log", "--include=S*", "--include=H*"}, {"--include=S*", "--include=o*", "--exclude=*2k.log"},
		{"--include=*_2k.log", "--exclude=H*", "--include=HD*"}, {"--exclude=H*", "--include=HD*"}, {"--exclude=", "--exclude=["},
		{"--include=[", "--include={A,H}*", "--include=[[:upper:]]pache*"},
	} {
		args := append(rules, "-F", "-i", "-c", "error")
		want, code := gnuGrep(f.t, files, args)
		if got := f.grep(args...); got.stdout != want || got.code != code {
			f.t.Errorf("%q: exit %d, want %d; %s\n%s", rules, got.code, code, got.stderr, firstDifference(got.stdout, want))
		}
	}
}

// splitPattern splits at blanks, but a combination's last word may hold some: it is what follows
// the last flag.
func splitPattern(combination string) []string {
	words := strings.Split(combination, " ")
	for i, word := range words {
		if !strings.HasPrefix(word, "-") && (i == 0 || words[i-1] != "-m" && words[i-1] != "-e") {
			return append(words[:i:i], strings.Join(words[i:], " "))
		}
	}
	return words
}

// gnuGrep returns what a fleet should print: grep's output over the files, the node in front of
// every file name.
func gnuGrep(t *testing.T, files []string, args []string) (string, int) {
	t.Helper()
	cmd := exec.Command("grep", append(append([]string{"-H"}, args...), files...)...)
	cmd.Env = environment(t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); err != nil && code != 1 || stderr.Len() > 0 && !strings.Contains(stderr.String(), "binary file matches") {
		t.Fatalf("grep %v: %v: %s", args, err, stderr.String())
	}
	var b strings.Builder
	for line := range strings.SplitAfterSeq(string(out), "\n") {
		for _, file := range files {
			rest, ok := strings.CutPrefix(line, file)
			if !ok {
				continue
			}
			separator := ":"
			if strings.HasPrefix(rest, "-") {
				separator = "-"
			}
			b.WriteString(filepath.Base(filepath.Dir(file)) + separator)
			break
		}
		b.WriteString(line)
	}
	return b.String(), cmd.ProcessState.ExitCode()
}

// firstDifference shows where two outputs part.
func firstDifference(got, want string) string {
	g, w := strings.SplitAfter(got, "\n"), strings.SplitAfter(want, "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return "line " + strconv.Itoa(i+1) + " of " + strconv.Itoa(len(g)) + " and " + strconv.Itoa(len(w)) + "\n got " + strconv.Quote(a) + "\nwant " + strconv.Quote(b)
		}
	}
	return "no difference"
}
