package e2e

import (
	"testing"
	"time"
)

// A responder that nobody asks any more gives back what large answers took: issue 7 wants 30 MiB of an
// idle one.
func TestIdleResponderIsSmall(t *testing.T) {
	const most = 30 << 20
	f, _ := sampleFleet(t, 1, 60<<20)
	var queries []*query
	for range 4 {
		queries = append(queries, f.begin("grep", "--server", f.url, "-h", "-n", ""))
	}
	for _, q := range queries {
		if r := q.wait(time.Minute); r.code != 0 {
			t.Fatalf("exit status %d\n%s", r.code, r.stderr)
		}
	}
	for name, p := range f.nodes {
		at, err := resident(p.cmd.Process.Pid)
		t.Logf("%s: %d KiB resident after the answer, %v", name, at>>10, err)
		f.await("an idle responder gives memory back", 30*time.Second, func() bool {
			at, err = resident(p.cmd.Process.Pid)
			return err == nil && at <= most
		})
		peak, _ := peakResident(p.cmd.Process.Pid)
		t.Logf("%s: %d KiB resident when idle, at most %d KiB", name, at>>10, peak>>10)
	}
}
