package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// spanSeen is a span as a collector got it.
type spanSeen struct {
	TraceID      string
	SpanID       string
	ParentSpanID string
	Name         string
	Service      string // of its resource
	Attributes   map[string]string
	Failed       bool
}

// spanCollector is an OpenTelemetry collector as far as OTLP over HTTP in JSON goes.
type spanCollector struct {
	mu    sync.Mutex
	spans []spanSeen
}

// ServeHTTP takes spans, from who has the key.
func (c *spanCollector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Api-Key") != "a b" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	type attributes []struct {
		Key   string
		Value map[string]any
	}
	var sent struct {
		ResourceSpans []struct {
			Resource   struct{ Attributes attributes }
			ScopeSpans []struct {
				Spans []struct {
					TraceID, SpanID, ParentSpanID, Name string
					Attributes                          attributes
					Status                              struct{ Code int }
				}
			}
		}
	}
	if json.Unmarshal(body, &sent) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	values := func(list attributes) map[string]string {
		all := map[string]string{}
		for _, a := range list {
			for _, v := range a.Value {
				all[a.Key] = fmt.Sprint(v)
			}
		}
		return all
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range sent.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, spanSeen{s.TraceID, s.SpanID, s.ParentSpanID, s.Name, values(resource.Resource.Attributes)["service.name"], values(s.Attributes), s.Status.Code == 2})
			}
		}
	}
}

// of returns the spans of a trace, the requester's first, then the nodes' by name.
func (c *spanCollector) of(trace string) []spanSeen {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := slices.DeleteFunc(slices.Clone(c.spans), func(s spanSeen) bool { return s.TraceID != trace })
	slices.SortFunc(found, func(a, b spanSeen) int {
		return strings.Compare(a.Attributes["trawl.node"], b.Attributes["trawl.node"])
	})
	return found
}

// Where OpenTelemetry is switched on, the requester and each responder tell the collector what they did:
// the query below what called it, each answer below the query.
func TestSpans(t *testing.T) {
	collector := &spanCollector{}
	server := httptest.NewServer(collector)
	t.Cleanup(server.Close)
	on := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_EXPORTER_OTLP_HEADERS=api-key=a%20b", "OTEL_BSP_SCHEDULE_DELAY=20"}
	f := newFleet(t)
	f.env = append(slices.Clone(on), "OTEL_SERVICE_NAME=logs")
	if r := f.run("gen", "--nodes", "2", "--size", "200KB", "--out", "logs"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	for _, name := range []string{"node1", "node2"} {
		f.node(name, "--logs", "logs/"+name+".log")
	}
	f.up(2)
	traceparent := func(n int) (trace, header string) {
		trace = fmt.Sprintf("%032x", n)
		return trace, "00-" + trace + "-00f067aa0ba902b7-01"
	}
	// below checks the answers of a trace, and the query's span if there is one.
	below := func(what, trace string, spans int, services ...string) {
		t.Helper()
		f.await(what+": the spans come", 30*time.Second, func() bool { return len(collector.of(trace)) >= spans })
		found := collector.of(trace)
		if len(found) != spans {
			t.Fatalf("%s: %+v", what, found)
		}
		parent, answers := "00f067aa0ba902b7", found
		if spans == 3 {
			q := found[0]
			if q.Name != "trawl query" || q.ParentSpanID != parent || q.Service != services[0] || q.Attributes["trawl.nodes"] != "2" || q.Attributes["trawl.complete"] != "true" || q.Failed {
				t.Errorf("%s: the query's span is %+v", what, q)
			}
			parent, answers = q.SpanID, found[1:]
		}
		lines := 0
		for i, a := range answers {
			var n int
			_, _ = fmt.Sscan(a.Attributes["trawl.lines"], &n)
			lines += n
			if a.Name != "trawl answer" || a.ParentSpanID != parent || a.SpanID == parent || a.Service != "logs" ||
				a.Attributes["trawl.node"] != fmt.Sprintf("node%d", i+1) || a.Attributes["trawl.status"] != "complete" || a.Attributes["trawl.query"] == "" {
				t.Errorf("%s: an answer's span is %+v", what, a)
			}
			if spans == 3 && a.Attributes["trawl.query"] != found[0].Attributes["trawl.query"] {
				t.Errorf("%s: the answer is to another query: %+v", what, found)
			}
		}
		if want := 4; lines != want || spans == 3 && found[0].Attributes["trawl.lines"] != fmt.Sprint(want) {
			t.Errorf("%s: %d lines are told, want %d", what, lines, want)
		}
		for _, s := range found {
			if text := fmt.Sprint(s); strings.Contains(text, "RARE") {
				t.Errorf("%s: the pattern is told: %s", what, text)
			}
		}
	}
	ask := func(env []string) result { return f.runIn(env, "grep", "--server", f.url, "-m2", "RARE") }

	trace, header := traceparent(1)
	want := ask([]string{"TRACEPARENT=" + header})
	if want.code != 0 || want.stderr != "" {
		t.Fatal(want.stderr)
	}
	below("a requester that exports nothing", trace, 2)

	trace, header = traceparent(2)
	if r := ask(append(on, "TRACEPARENT="+header)); r.stdout != want.stdout || r.stderr != "" || r.code != 0 {
		t.Errorf("traced: status %d, %s", r.code, r.stderr)
	}
	below("a requester that exports", trace, 3, "trawl")

	trace, header = traceparent(3)
	r := f.nats(nil, "req", "--wait-for-empty", "--reply-timeout=30s", "--raw", "-H", "traceparent:"+header, "trawl.v1.text", "--", "-m2 RARE")
	if !strings.Contains(r.stdout, "# receipt: 2 of 2 nodes complete") {
		t.Fatalf("%s%s", r.stdout, r.stderr)
	}
	below("a question in text", trace, 3, "logs")

	// The pattern is told by who is told to.
	trace, header = traceparent(4)
	if r := ask(append(on, "TRACEPARENT="+header, "TRAWL_TRACE_PATTERNS=true")); r.stderr != "" {
		t.Error(r.stderr)
	}
	f.await("the spans with a pattern come", 30*time.Second, func() bool { return len(collector.of(trace)) == 3 })
	for i, s := range collector.of(trace) {
		if pattern, ok := s.Attributes["trawl.patterns"]; ok != (i == 0) || ok && pattern != "RARE" {
			t.Errorf("%+v", s)
		}
	}
	// A trace that is not sampled has no spans, a collector that is down costs a line.
	unsampled, header := traceparent(5)
	if r := ask(append(on, "TRACEPARENT="+strings.TrimSuffix(header, "01")+"00")); r.stdout != want.stdout || r.stderr != "" {
		t.Errorf("not sampled: status %d, %s", r.code, r.stderr)
	}
	trace, header = traceparent(6)
	if r := ask([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + refusing(t), "TRACEPARENT=" + header}); r.stdout != want.stdout || r.code != 0 ||
		strings.Count(r.stderr, "\n") != 1 || !strings.HasPrefix(r.stderr, "trawl: spans are not exported: ") {
		t.Errorf("the collector is down: status %d, %s", r.code, r.stderr)
	}
	f.await("the nodes' spans come", 30*time.Second, func() bool { return len(collector.of(trace)) == 2 })
	if found := collector.of(unsampled); len(found) != 0 {
		t.Errorf("not sampled: %+v", found)
	}
}

// refusing is the URL of a collector that is down.
func refusing(t *testing.T) string {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	return server.URL
}
