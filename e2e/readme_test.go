package e2e

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the commands of README.md print into it")

const readme = "../README.md"

// What differs from run to run stands in the README as it was once.
var (
	timeOfDay = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)`)
	elapsed   = regexp.MustCompile(` *\b\d+(\.\d+)?( ?)(ms|s)\b`)
	version   = regexp.MustCompile(` *\bdevel\S*`)
)

func settled(text string) string {
	text = timeOfDay.ReplaceAllString(text, "TIME")
	text = elapsed.ReplaceAllString(text, " ELAPSED")
	return version.ReplaceAllString(text, " VERSION")
}

// The session of the README is what really happens: every command of its console block is run, over
// the fleet that the text before it describes, and must print what stands there.
func TestReadmeSession(t *testing.T) {
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	if n := strings.Count(text, "\n"); n > 150 {
		t.Errorf("README.md has %d lines, more than 150", n)
	}
	const fence = "```console\n"
	begin := strings.Index(text, fence)
	if begin < 0 {
		t.Fatal("README.md has no console block")
	}
	begin += len(fence)
	end := begin + strings.Index(text[begin:], "```\n")

	f := newFleet(t)
	if r := f.run("gen", "--nodes", "4", "--size", "1MB", "--out", "logs"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	env := append(environment(f.home), "NATS_URL="+f.url, "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	for i := range 4 {
		name := "node" + strconv.Itoa(i+1)
		p := f.node(name, "--logs", "logs/"+name+".log")
		env = append(env, strings.ToUpper(name)+"="+strconv.Itoa(p.cmd.Process.Pid))
	}
	f.up(4)

	var session strings.Builder
	for line := range strings.Lines(text[begin:end]) {
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			continue
		}
		session.WriteString(line)
		sh := exec.Command("sh", "-c", "exec 2>&1; "+command)
		sh.Env, sh.Dir = env, f.home
		out, _ := sh.CombinedOutput() // the status is part of the session: echo $?
		session.WriteString(strings.ReplaceAll(string(out), f.home+"/", ""))
		if strings.HasPrefix(command, "kill ") {
			<-f.nodes["node3"].done
		}
	}
	if *update {
		text = text[:begin] + session.String() + text[end:]
		if err := os.WriteFile(readme, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, want := settled(session.String()), settled(text[begin:end]); got != want {
		t.Errorf("README.md tells another story; go test ./e2e -run Readme -update writes this one\n%s", firstDifference(got, want))
	}
}
