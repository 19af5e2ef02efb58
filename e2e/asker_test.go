package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A question whose asker is gone ends: the coordinator's next word finds nobody, and its log says so.
func TestStockAskerVanishes(t *testing.T) {
	f := twoNodes(t)
	name, err := stockNats()
	if err != nil {
		t.Fatal(err)
	}
	f.nodes["node2"].signal(syscall.SIGSTOP) // the answer has to wait for it
	ended := func() bool {
		return strings.Contains(f.nodes["node1"].log.String(), `ended="nobody listens for the answer any more"`)
	}
	// A question may go to node2, which has stopped, or be answered before the asker is seen to be gone.
	f.await("the coordinator ends a question", 3*time.Minute, func() bool {
		out := &syncBuffer{}
		ask := exec.Command(name, "req", "--wait-for-empty", "--timeout=2s", "--reply-timeout=30s", "--raw", "trawl.v1.text", "--", "-c RARE")
		ask.Env, ask.Dir, ask.Stdout = append(environment(f.home), "NATS_URL="+f.url), f.home, out
		if err := ask.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { _ = ask.Wait(); close(done) }()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for waiting := false; !waiting; {
			select {
			case <-done:
				return ended()
			case <-tick.C:
				waiting = strings.Contains(out.String(), "# waiting")
			}
		}
		_ = ask.Process.Kill()
		<-done
		for deadline := time.Now().Add(5 * time.Second); !ended() && time.Now().Before(deadline); {
			<-tick.C
		}
		return ended()
	})
}

// A responder whose coordinator is switched off answers no question in text, and does not offer to.
func TestStockCoordinatorOff(t *testing.T) {
	f := newFleet(t)
	f.append("a.log", "line\n")
	if err := os.WriteFile(filepath.Join(f.home, "off.yaml"), []byte("coordinator: {enabled: false}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.node("node1", "--logs", "a.log", "--config", "off.yaml")
	f.up(1)
	f.logs("node1", "msg=ready", 1)
	for _, subject := range []string{"trawl.v1.text", "trawl.v1.text.ann", "trawl.v1.node.node1.text"} {
		r := f.nats(nil, "req", "--timeout=5s", "--raw", subject, "--", "line")
		if strings.Contains(r.stdout, "a.log") || !strings.Contains(strings.ToLower(r.stdout+r.stderr), "no responders") {
			t.Errorf("%s: %s%s", subject, r.stdout, r.stderr)
		}
	}
	if info := f.nats(nil, "micro", "info", "trawl"); !strings.Contains(info.stdout, "trawl.v1.q.*.all") || strings.Contains(info.stdout, "trawl.v1.text") {
		t.Errorf("micro info: %s%s", info.stdout, info.stderr)
	}
	if r := f.grep("line"); r.code != 0 || strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("trawl grep: status %d, %s%s", r.code, r.stdout, r.stderr)
	}
}
