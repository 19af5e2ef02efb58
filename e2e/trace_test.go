package e2e

import (
	"strings"
	"testing"
	"time"
)

// The trace that a query belongs to stands in the log of every node that it reached, whether it came from
// the environment of trawl grep or with a question in text.
func TestTraceReachesEveryLog(t *testing.T) {
	f := twoNodes(t)
	const own, asked = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if r := f.runIn([]string{"TRACEPARENT=" + own}, "grep", "--server", f.url, "RARE"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	r := f.nats(nil, "req", "--wait-for-empty", "--reply-timeout=30s", "--raw", "-H", "traceparent:"+asked, "trawl.v1.text", "--", "-c RARE")
	if !strings.Contains(r.stdout, "# receipt: 2 of 2 nodes complete") {
		t.Fatalf("%s%s", r.stdout, r.stderr)
	}
	for _, node := range []string{"node1", "node2"} {
		for _, trace := range []string{own, asked} {
			f.await(node+" logs "+trace, 20*time.Second, func() bool {
				for line := range strings.Lines(f.nodes[node].log.String()) {
					if strings.Contains(line, " msg=query ") && strings.Contains(line, "traceparent="+trace) {
						return true
					}
				}
				return false
			})
		}
	}
}
