package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const readme = "../README.md"

// The session of the README is what really happens, over the fleet that the text before it describes.
func TestReadmeSession(t *testing.T) {
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(data), "\n"); n > 150 {
		t.Errorf("README.md has %d lines, more than 150", n)
	}
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
	r := &replay{t: t, page: readme, name: "Readme", dir: f.home, env: env, mayFail: true, begun: func(command string) {
		if strings.HasPrefix(command, "kill ") {
			<-f.nodes["node3"].done
		}
	}}
	r.run()
}
