package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const busDoc = "../docs/bus.md"

// The session of docs/bus.md is what really happens with the stock nats command, over two nodes.
func TestBusDocSession(t *testing.T) {
	data, err := os.ReadFile(busDoc)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	const fence = "```console\n"
	begin := strings.Index(text, fence)
	if begin < 0 {
		t.Fatal("docs/bus.md has no console block")
	}
	begin += len(fence)
	end := begin + strings.Index(text[begin:], "```\n")
	f := twoNodes(t)
	name, err := stockNats()
	if err != nil {
		t.Fatal(err)
	}
	env := append(environment(f.home), "NATS_URL="+f.url, "PATH="+filepath.Dir(name)+":"+os.Getenv("PATH"))
	var session strings.Builder
	for line := range strings.Lines(text[begin:end]) {
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			continue
		}
		session.WriteString(line)
		sh := exec.Command("sh", "-c", "exec 2>&1; "+command)
		sh.Env, sh.Dir = env, f.home
		out, err := sh.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v", command, err)
		}
		// How the lines are shared out among messages, and whether anybody had to wait, is chance.
		for line := range strings.Lines(string(out)) {
			if line != "\n" && !strings.HasPrefix(line, "# waiting") {
				session.WriteString(strings.ReplaceAll(line, f.home+"/", ""))
			}
		}
	}
	if *update {
		if err := os.WriteFile(busDoc, []byte(text[:begin]+session.String()+text[end:]), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, want := settled(session.String()), settled(text[begin:end]); got != want {
		t.Errorf("docs/bus.md tells another story; go test ./e2e -run BusDoc -update writes this one\n%s", firstDifference(got, want))
	}
}
