package tracing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContext(t *testing.T) {
	const header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, test := range []struct {
		header      string
		sampled, ok bool
	}{
		{header, true, true},
		{strings.TrimSuffix(header, "01") + "00", false, true},
		{strings.TrimSuffix(header, "01") + "03", true, true}, // a random id, and sampled
		{"cc" + header[2:] + "-more", true, true},
		{"", false, false},
		{header[1:], false, false},
		{strings.Replace(header, "af", "zz", 1), false, false},
		{"00-00000000000000000000000000000000-b7ad6b7169203331-01", true, false},
		{"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", true, false},
	} {
		c, ok := Parse(test.header)
		if ok != test.ok || ok && c.Sampled != test.sampled {
			t.Errorf("%q: %v %t", test.header, c, ok)
		}
	}
	if c, _ := Parse(header); c.String() != header {
		t.Errorf("%q becomes %q", header, c)
	}
	own, parent := Begin(header)
	if own.Trace.String() != header[3:35] || parent.String() != header[36:52] || own.Span == parent || !own.Sampled {
		t.Errorf("below %s: %s, parent %s", header, own, parent)
	}
	if own, _ := Begin(header[:53] + "00"); own.Sampled {
		t.Error("below what is not sampled something is")
	}
	one, none := Begin("")
	if other, _ := Begin("nonsense"); one.Trace == other.Trace || one.Span == other.Span || none.String() != "" || !one.Sampled {
		t.Errorf("two new traces: %s and %s", one, other)
	}
}

func TestFromEnvironment(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want string // endpoint; empty: off
		err  string // the beginning of
	}{
		{nil, "", ""},
		{map[string]string{"OTEL_SERVICE_NAME": "x"}, "", ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces", ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/base/"}, "https://c/base/v1/traces", ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/in"}, "http://t/in", ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, "http://localhost:4318/v1/traces", ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, "", ""},
		{map[string]string{"OTEL_SDK_DISABLED": "True", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, "", ""},
		{map[string]string{"OTEL_SDK_DISABLED": "false", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, "http://c/v1/traces", ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "zipkin", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, "", `OTEL_TRACES_EXPORTER: "zipkin"`},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "c:4318"}, "", "OTEL_EXPORTER_OTLP_ENDPOINT: not a URL"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:secret@%zz"}, "", "OTEL_EXPORTER_OTLP_ENDPOINT: "},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "", `OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is not spoken`},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http://c/v1/traces", ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_SAMPLER": "always_off"}, "", "OTEL_TRACES_SAMPLER: "},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "secret"}, "", "OTEL_EXPORTER_OTLP_HEADERS: entry 1 is not key=value"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_TIMEOUT": "-1"}, "", "OTEL_EXPORTER_OTLP_TIMEOUT: "},
	} {
		s, err := FromEnvironment(func(name string) string { return test.env[name] })
		switch {
		case (err != nil) != (test.err != "") || err != nil && (!strings.HasPrefix(err.Error(), test.err) || strings.Contains(err.Error(), "secret")):
			t.Errorf("%v: error %v", test.env, err)
		case (s != nil) != (test.want != "") || s != nil && s.Endpoint != test.want:
			t.Errorf("%v: %+v", test.env, s)
		}
	}
	s, err := FromEnvironment(func(name string) string {
		return map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x%3D, api-key = k",
			"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,env=prod", "OTEL_SERVICE_NAME": "b", "OTEL_BSP_SCHEDULE_DELAY": "20",
		}[name]
	})
	if err != nil || s.Headers["authorization"] != "Bearer x=" || s.Headers["api-key"] != "k" || s.Delay != 20*time.Millisecond || s.Timeout != defaultTimeout ||
		fmt.Sprint(s.Resource) != "[{env prod} {service.name b}]" {
		t.Errorf("%+v %v", s, err)
	}
}

// collector is what spans are sent to.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int // of the next answers; then 200
	bodies   []string
	headers  []http.Header
	names    []string // of the spans taken
}

func newCollector(t *testing.T, statuses ...int) *collector {
	c := &collector{statuses: statuses}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != tracesPath {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.statuses) > 0 {
			status := c.statuses[0]
			c.statuses = c.statuses[1:]
			if status != http.StatusOK {
				w.WriteHeader(status)
				return
			}
		}
		var sent otlpRequest
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Error(err)
			return
		}
		c.bodies, c.headers = append(c.bodies, string(body)), append(c.headers, r.Header)
		for _, s := range sent.ResourceSpans[0].ScopeSpans[0].Spans {
			c.names = append(c.names, s.Name)
		}
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) taken() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.names)
}

// said collects what an Exporter warns of.
type said struct {
	mu   sync.Mutex
	text []string
}

func (s *said) warn(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, text)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.text, "\n")
}

// exporterTo sends to c, or to nobody, after a delay.
func exporterTo(t *testing.T, url string, delay time.Duration) (*Exporter, *said) {
	warned := &said{}
	e := New(&Settings{Endpoint: url + tracesPath, Headers: map[string]string{"api-key": "k"}, Resource: []Attribute{{"service.name", "trawl"}}, Delay: delay, Timeout: time.Minute}, "1.2", warned.warn)
	t.Cleanup(func() { e.Close(context.Background()) })
	return e, warned
}

func span(name string) Span {
	c, _ := Parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	return Span{Name: name, Kind: Server, Context: c, Began: time.Unix(1, 5), Ended: time.Unix(2, 0)}
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 30 s: " + what)
		}
	}
}

// The body is what the OTLP specification has for JSON.
func TestBody(t *testing.T) {
	c := newCollector(t)
	e, warned := exporterTo(t, c.URL, time.Hour)
	s := span("answer")
	s.Parent = SpanID{1, 2, 3}
	s.Attributes = []Attribute{{"text", "a\xff<b>"}, {"number", int64(1) << 60}, {"flag", false}}
	e.Export(s)
	s = span("root")
	s.Kind, s.Failed, s.Message = Client, true, "down"
	e.Export(s)
	s.Context.Sampled = false
	e.Export(s) // stays here
	e.Close(context.Background())
	const want = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"trawl"}}]},"scopeSpans":[{` +
		`"scope":{"name":"github.com/trawl-logs/trawl","version":"1.2"},"spans":[` +
		`{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","parentSpanId":"0102030000000000","flags":1,"name":"answer","kind":2,` +
		`"startTimeUnixNano":"1000000005","endTimeUnixNano":"2000000000","attributes":[{"key":"text","value":{"stringValue":"a�\u003cb\u003e"}},` +
		`{"key":"number","value":{"intValue":"1152921504606846976"}},{"key":"flag","value":{"boolValue":false}}]},` +
		`{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","flags":1,"name":"root","kind":3,` +
		`"startTimeUnixNano":"1000000005","endTimeUnixNano":"2000000000","status":{"message":"down","code":2}}]}]}]}`
	if len(c.bodies) != 1 || c.bodies[0] != want {
		t.Fatalf("sent\n%s\nwant\n%s", strings.Join(c.bodies, "\n"), want)
	}
	if h := c.headers[0]; h.Get("Content-Type") != "application/json" || h.Get("Api-Key") != "k" || h.Get("User-Agent") != "trawl/1.2" {
		t.Errorf("headers %v", h)
	}
	if warned.String() != "" {
		t.Errorf("warned of %s", warned)
	}
}

// Many spans go at once, without waiting for the delay, in batches; each once.
func TestBatches(t *testing.T) {
	c := newCollector(t)
	e, _ := exporterTo(t, c.URL, time.Hour)
	var want []string
	for i := range 1200 {
		want = append(want, fmt.Sprint(i))
		e.Export(span(want[i]))
	}
	await(t, "a full batch is sent", func() bool { return len(c.taken()) >= batchMost })
	e.Close(context.Background())
	if got := c.taken(); !slices.Equal(got, want) {
		t.Errorf("%d spans came, or not in order", len(got))
	}
	if len(c.bodies) < 3 || len(c.bodies) > 1200 {
		t.Errorf("%d requests", len(c.bodies))
	}
}

// What a collector cannot take now it gets later, once; the log has a line when that begins and one when
// it is over.
func TestCollectorThatComesBack(t *testing.T) {
	c := newCollector(t, http.StatusServiceUnavailable, http.StatusBadGateway)
	e, warned := exporterTo(t, c.URL, time.Millisecond)
	e.Export(span("a"))
	e.Export(span("b"))
	await(t, "both are taken", func() bool { return len(c.taken()) == 2 })
	e.Close(context.Background())
	if got := c.taken(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("took %v", got)
	}
	if said := warned.String(); strings.Count(said, "spans are not exported: ") != 1 || strings.Count(said, "spans are exported again; 0 were lost") != 1 || strings.Count(said, "\n") != 1 {
		t.Errorf("warned of\n%s", said)
	}
}

// What it will never take is not tried again.
func TestCollectorThatRefuses(t *testing.T) {
	c := newCollector(t, http.StatusBadRequest)
	e, warned := exporterTo(t, c.URL, time.Millisecond)
	e.Export(span("a"))
	await(t, "the refusal is told", func() bool { return strings.Contains(warned.String(), "400 Bad Request") })
	e.Export(span("b"))
	await(t, "the next is taken", func() bool { return slices.Equal(c.taken(), []string{"b"}) })
	await(t, "the loss is told", func() bool { return strings.Contains(warned.String(), "again; 1 were lost") })
}

// A redirection is no place for headers that may be secrets.
func TestRedirectionIsNotFollowed(t *testing.T) {
	other := newCollector(t)
	from := httptest.NewServer(http.RedirectHandler(other.URL+tracesPath, http.StatusTemporaryRedirect))
	t.Cleanup(from.Close)
	e, warned := exporterTo(t, from.URL, time.Millisecond)
	e.Export(span("a"))
	await(t, "it is told", func() bool { return strings.Contains(warned.String(), "307") })
	e.Close(context.Background())
	if got := other.taken(); len(got) != 0 {
		t.Errorf("%v went elsewhere", got)
	}
}

// A collector that says nothing holds nobody up: Export returns, what waits is bounded, and Close ends
// with its context.
func TestCollectorThatHangs(t *testing.T) {
	asked, free := make(chan struct{}, 1), make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-free
	}))
	defer hangs.Close()
	defer close(free)
	e, warned := exporterTo(t, hangs.URL, time.Millisecond)
	e.Export(span("first"))
	<-asked
	for range 3 * queueMost {
		e.Export(span("more"))
	}
	e.mu.Lock()
	waiting, lost := len(e.waiting), e.lost
	e.mu.Unlock()
	if waiting != queueMost || lost != 2*queueMost {
		t.Errorf("%d wait, %d are lost", waiting, lost)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("no time left"))
	e.Close(ctx)
	if said := warned.String(); !strings.Contains(said, "spans are not exported: ") || strings.Contains(said, "\n") {
		t.Errorf("warned of\n%s", said)
	}
}

// Without a collector everything works.
func TestNoExporter(t *testing.T) {
	var e *Exporter
	e.Export(span("a"))
	e.Close(context.Background())
}
