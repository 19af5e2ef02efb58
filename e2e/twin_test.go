package e2e

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Two nodes with one name are reported as such by every query while both run, each by its own log
// too, and never make a complete answer; the others' answers are untouched.
func TestTwoNodesOfOneName(t *testing.T) {
	f, truth := sampleFleet(t, 2, 200_000)
	first := f.nodes["node2"]
	f.node("node2", "--logs", filepath.Join(f.home, "logs", "node1.log"))
	second := f.nodes["node2"]
	const told = "another responder has this node's name"
	f.await("both nodes say so in their logs", 30*time.Second, func() bool {
		return strings.Contains(first.log.String(), told) && strings.Contains(second.log.String(), told)
	})
	for range 3 {
		r := f.grep("--output", "json", "EVERYWHERE")
		receipt := r.receipt(t)
		if receipt.status("node1") != "complete" || r.linesOf(t)["node1"] != int(truth.Nodes[0].Tokens["EVERYWHERE"]) {
			t.Errorf("node1: %+v", receipt)
		}
		reason := receipt.reason("node2")
		if receipt.status("node2") != "error" || !strings.Contains(reason, "name") || r.code != 3 || r.linesOf(t)["node2"] != 0 {
			t.Errorf("exit %d, node2 is %s: %s", r.code, receipt.status("node2"), reason)
		}
	}
}

// soon is how long an answer may take that is due within two seconds: the rest is for processes that
// a loaded machine starts slowly. Without what these tests guard it took from 30 to 60 s.
const soon = 8 * time.Second

// A rolling restart: the new process of a node starts before the old one is told to stop. When that
// has ended, the new one answers.
func TestRollingRestart(t *testing.T) {
	for _, how := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(how.String(), func(t *testing.T) {
			f, truth := sampleFleet(t, 2, 200_000)
			old := f.nodes["node2"]
			f.node("node2", "--logs", filepath.Join(f.home, "logs", "node2.log"))
			f.await("the new process knows of the old", 30*time.Second, func() bool {
				return strings.Contains(f.nodes["node2"].log.String(), "another responder has this node's name")
			})
			old.end(how)
			ended := time.Now()
			f.answers(truth.Nodes[1].Tokens["EVERYWHERE"])
			t.Logf("answered %v after the old process ended", time.Since(ended).Round(10*time.Millisecond))
		})
	}
}

// A process that was killed leaves a name behind that the next one takes at once.
func TestRestartAfterKill(t *testing.T) {
	f, truth := sampleFleet(t, 2, 200_000)
	f.nodes["node2"].end(syscall.SIGKILL)
	f.node("node2", "--logs", filepath.Join(f.home, "logs", "node2.log"))
	f.answers(truth.Nodes[1].Tokens["EVERYWHERE"])
	if log := f.nodes["node2"].log.String(); strings.Contains(log, "another responder") {
		t.Errorf("the new process met a dead one:\n%s", log)
	}
}

// answers waits until node2 answers in full, soon.
func (f *fleet) answers(lines int64) {
	f.t.Helper()
	f.await("node2 answers in full", soon, func() bool {
		r := f.grep("--output", "json", "--node", "node2", "EVERYWHERE")
		return r.code == 0 && r.linesOf(f.t)["node2"] == int(lines)
	})
}

// reason returns why a receipt says what it says of a node.
func (r receipt) reason(node string) string {
	for _, n := range r.Nodes {
		if n.Node == node {
			return n.Reason
		}
	}
	return ""
}
