package growth

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// script is a trawl that does what sh is told.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trawl")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// A query that has no answer is counted and told, and the next one is asked: seen with 10,000 nodes on a machine
// so busy that JetStream did not answer in time.
func TestFailedQueriesAreCounted(t *testing.T) {
	const ok, failed = `{"seconds":0.5,"nodes":3,"frames":3,"complete":true}`, `{"error":"query 0: roster"}`
	said := []string{failed, `{"nodes":2,"complete":true}`, ok, ok, ok, failed, ok, ok} // the warm-up, 3 trials with bare NATS by turns
	g := &run{ctx: t.Context(), o: Options{Trials: 3}}
	g.o.Trawl = script(t, `case $1 in
bench-ask)`+"\n"+strings.Join(func() (lines []string) {
		for _, a := range said {
			lines = append(lines, fmt.Sprintf("read order; echo '%s'", a))
		}
		return lines
	}(), "\n")+`
;;
grep) echo 'trawl: no bus' >&2; exit 2;;
esac
`)
	asker, err := g.asker("url")
	if err != nil {
		t.Fatal(err)
	}
	defer asker.stop()
	p, err := g.point(asker, "url", 3, answers[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Seconds) != 2 || len(p.Bare) != 2 || p.Queries != 3+3 || p.Partial != 1+3 || p.Why != "query 0: roster" || p.Process != 0 {
		t.Errorf("%+v", p)
	}
	if p.Answer != "empty" || p.Fresh {
		t.Errorf("%+v", p)
	}
	if _, err := asker.order("query 0"); err == nil || errors.As(err, new(failedError)) {
		t.Errorf("of one that has ended: %v", err)
	}
}

// Of a new connection only the queries are measured, each by an order of its own; processes are never on another.
func TestNewConnections(t *testing.T) {
	const ok = `{"seconds":0.5,"nodes":3,"frames":3,"complete":true}`
	g := &run{ctx: t.Context(), o: Options{Trials: 2}}
	orders := filepath.Join(t.TempDir(), "orders")
	g.o.Trawl = script(t, `[ $1 = bench-ask ] || exit 9
while read order; do echo "$order" >>`+orders+`; echo '`+ok+`'; done
`)
	asker, err := g.asker("url")
	if err != nil {
		t.Fatal(err)
	}
	defer asker.stop()
	p, err := g.point(asker, "url", 3, answers[1])
	if err != nil {
		t.Fatal(err)
	}
	asked, err := os.ReadFile(orders)
	if err != nil || string(asked) != "query 0\nfirst 0\ngather 3 1 0\nfirst 0\ngather 3 1 0\n" {
		t.Errorf("asked %q, %v", asked, err)
	}
	if !p.Fresh || len(p.Seconds) != 2 || len(p.Bare) != 2 || p.Process != 0 || p.Peak != 0 {
		t.Errorf("%+v", p)
	}
}
