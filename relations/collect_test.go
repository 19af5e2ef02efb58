package relations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func given(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// prometheus serves both kinds of metrics; what is nil is an empty vector.
func prometheus(istio, graph []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body := istio
		if strings.Contains(r.FormValue("query"), "traces_service_graph_request_total") {
			body = graph
		}
		if body == nil {
			body = []byte(`{"status":"success","data":{"resultType":"vector","result":[]}}`)
		}
		_, _ = w.Write(body)
	}
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func configure(t *testing.T, text string) *Config {
	t.Helper()
	var file struct {
		Relations Config `yaml:"relations"`
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	if err := file.Relations.Finish(); err != nil {
		t.Fatal(err)
	}
	return &file.Relations
}

func (c *Config) mustCollect(t *testing.T, dir string, now time.Time, refresh bool) *Collected {
	t.Helper()
	got, err := c.Collect(t.Context(), dir, now, refresh)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestIstio(t *testing.T) {
	var asked []string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+" "+r.FormValue("query")+" "+r.FormValue("time")+" "+r.Header.Get("Authorization"))
		prometheus(given(t, "istio.json"), nil)(w, r)
	})
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("abc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := configure(t, "relations: {prometheus: [{url: '"+url+"/prom', metrics: [istio], window: 30m, token_file: '"+token+"'}], aliases: {reviews-v3: reviews}}")
	got := c.mustCollect(t, "", noon, false)
	want := []Call{{"productpage", "details", 120.5}, {"productpage", "reviews", 40}, {"reviews", "ratings", 39.2}}
	if !slices.Equal(got.Graph.Calls(), want) || !slices.Equal(got.Graph.Roots(), []string{"productpage"}) {
		t.Errorf("calls %v, roots %v", got.Graph.Calls(), got.Graph.Roots())
	}
	if r := got.Reports[0]; r.State != Fresh || r.Left != 1 || r.Age != 0 || r.Source != "prometheus "+url+"/prom" {
		t.Errorf("%+v", r)
	}
	if len(asked) != 1 || !strings.HasPrefix(asked[0], "/prom/api/v1/query sum by (reporter,") || !strings.Contains(asked[0], "istio_requests_total[1800s]") ||
		!strings.HasSuffix(asked[0], fmt.Sprintf(" %d Bearer abc", noon.Unix())) {
		t.Errorf("asked %q", asked)
	}
}

func TestServiceGraph(t *testing.T) {
	url := serve(t, prometheus(nil, given(t, "servicegraph.json")))
	c := configure(t, "relations: {prometheus: [{url: '"+url+"'}]}")
	got := c.mustCollect(t, "", noon, false)
	if want := []Call{{"cart", "redis", 510}, {"frontend", "cart", 512.0001}}; !slices.Equal(got.Graph.Calls(), want) {
		t.Error(got.Graph.Calls())
	}
	if len(got.Trouble()) > 0 || !slices.Equal(got.Graph.Roots(), []string{"frontend"}) {
		t.Errorf("%+v, roots %v", got.Trouble(), got.Graph.Roots())
	}
}

func TestJaeger(t *testing.T) {
	var asked string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		_, _ = w.Write(given(t, "jaeger.json"))
	})
	c := configure(t, "relations: {calls: {cron: [driver]}, jaeger: [{url: '"+url+"', lookback: 2h}], aliases: {redis: cache}}")
	got := c.mustCollect(t, "", noon, false)
	want := []Call{{"cron", "driver", 0}, {"driver", "cache", 280}, {"frontend", "customer", 21}, {"frontend", "driver", 20}}
	if !slices.Equal(got.Graph.Calls(), want) {
		t.Error(got.Graph.Calls())
	}
	if asked != fmt.Sprintf("/api/dependencies?endTs=%d&lookback=7200000", noon.UnixMilli()) {
		t.Error(asked)
	}
	if len(got.Reports) != 2 || got.Reports[0].Source != "configuration" || got.Reports[0].Calls != 1 || got.Reports[1].Calls != 3 {
		t.Errorf("%+v", got.Reports)
	}
}

// Whatever a source answers instead of a graph, the error says what it was, and nothing is taken of it.
func TestSourcesThatFail(t *testing.T) {
	huge := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"status":"success","data":[`)
		for range MaxAnswer>>20 + 1 {
			if _, err := w.Write([]byte(strings.Repeat(" ", 1<<20))); err != nil {
				return
			}
		}
	}
	manyCalls := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"data":[{"parent":"a","child":"b"}`)
		_, _ = io.WriteString(w, strings.Repeat(`,{"parent":"a","child":"b"}`, MaxCalls))
		_, _ = io.WriteString(w, `]}`)
	}
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status); _, _ = io.WriteString(w, body) }
	}
	broken := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"status"`)
	}
	hangs := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, c := range map[string]struct {
		kind, timeout string
		handler       http.HandlerFunc
		want          string
	}{
		"prometheus says no": {"prometheus", "30s", text(400, `{"status":"error","errorType":"bad_data","error":"parse error at char 3"}`), "istio metrics: it says: parse error at char 3"},
		"a proxy's page":     {"prometheus", "30s", text(502, "<html>"), "istio metrics: status 502 Bad Gateway"},
		"a page":             {"prometheus", "30s", text(200, "<html>"), "the answer is not what was asked for"},
		"a matrix":           {"prometheus", "30s", text(200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`), `the answer is a "matrix", no vector`},
		"no number":          {"prometheus", "30s", text(200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"client":"a","server":"b"},"value":[1,2]}]}}`), "a value is no number"},
		"breaks off":         {"prometheus", "30s", broken, "the answer breaks off"},
		"huge":               {"prometheus", "30s", huge, "the answer has more than 16777216 bytes"},
		"hangs":              {"prometheus", "20ms", hangs, "no answer in time"},
		"jaeger says no":     {"jaeger", "30s", text(500, `{"data":null,"errors":[{"code":500,"msg":"storage is away"}]}`), "it says: storage is away"},
		"jaeger, a page":     {"jaeger", "30s", text(404, "not found"), "status 404 Not Found"},
		"jaeger, no data":    {"jaeger", "30s", text(403, `{}`), "status 403"},
		"too many calls":     {"jaeger", "30s", manyCalls, "more than 100000 calls"},
	} {
		t.Run(name, func(t *testing.T) {
			config := configure(t, "relations: {"+c.kind+": [{url: '"+serve(t, c.handler)+"'}], timeout: "+c.timeout+"}")
			dir := t.TempDir()
			got := config.mustCollect(t, dir, noon, false)
			if r := got.Reports[0]; r.State != Absent || !strings.Contains(r.Error, c.want) {
				t.Errorf("%+v, want %q", r, c.want)
			}
			if len(got.Graph.Services()) > 0 {
				t.Error(got.Graph.Services())
			}
			if files, _ := os.ReadDir(dir); len(files) > 0 {
				t.Errorf("kept %v", files)
			}
		})
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	url := strings.Replace(serve(t, http.NotFound), "http://", "http://me:secret@", 1)
	c := configure(t, "relations: {jaeger: [{url: '"+url+"'}], prometheus: [{url: 'http://me:secret@127.0.0.1:1'}]}")
	got := c.mustCollect(t, "", noon, false)
	if text := fmt.Sprintf("%+v", got.Reports); strings.Contains(text, "secret") || !strings.Contains(text, "me:xxxxx@") {
		t.Error(text)
	}
}

// What a source knew last counts while it is away, its age is told, and so is what it answers in part.
func TestLastGoodIsKept(t *testing.T) {
	var handler atomic.Pointer[http.HandlerFunc]
	var requests atomic.Int32
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { requests.Add(1); (*handler.Load())(w, r) })
	set := func(h http.HandlerFunc) { handler.Store(&h) }
	config := configure(t, "relations: {prometheus: [{url: '"+url+"'}], refresh: 10m}")
	dir := filepath.Join(t.TempDir(), "made", "by", "collect")
	check := func(now time.Time, refresh bool, state State, age time.Duration, trouble string, calls int, asked int32) {
		t.Helper()
		requests.Store(0)
		got := config.mustCollect(t, dir, now, refresh)
		r := got.Reports[0]
		if r.State != state || r.Age != age || !strings.Contains(r.Error, trouble) || (trouble == "") != (r.Error == "") {
			t.Errorf("at %v: %+v, want %s, %v, %q", now, r, state, age, trouble)
		}
		if n := len(got.Graph.Calls()); n != calls || r.Calls != calls || requests.Load() != asked {
			t.Errorf("at %v: %d calls, %d in the report, want %d; asked %d times, want %d", now, n, r.Calls, calls, requests.Load(), asked)
		}
	}
	set(prometheus(given(t, "istio.json"), given(t, "servicegraph.json")))
	check(noon, false, Fresh, 0, "", 5, 2)
	check(noon.Add(9*time.Minute), false, Fresh, 9*time.Minute, "", 5, 0) // young enough
	set(http.NotFound)
	check(noon.Add(11*time.Minute), false, Stale, 11*time.Minute, "status 404", 5, 2)
	check(noon.Add(30*time.Hour), false, Stale, 30*time.Hour, "status 404", 5, 2)

	// One kind of metrics fails, then the server warns: nothing that was known is forgotten.
	part := func(body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.FormValue("query"), "istio") {
				http.Error(w, "no", http.StatusServiceUnavailable)
				return
			}
			_, _ = w.Write(body)
		}
	}
	more := []byte(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"client":"cart","server":"new"},"value":[1,"2"]}]}}`)
	set(part(more))
	later := noon.Add(31 * time.Hour)
	check(later, false, Part, 31*time.Hour, "istio metrics: status 503", 6, 2)
	set(prometheus(nil, append([]byte(`{"warnings":["store 3 is away"],`), more[1:]...)))
	check(later, false, Part, 31*time.Hour, "it warns: store 3 is away", 6, 2) // a part is not fresh, and is asked for again
	set(prometheus(nil, nil))
	check(later, false, Part, 31*time.Hour, "it knows of no calls any more", 6, 2)
	set(prometheus(nil, more))
	check(later, false, Fresh, 0, "", 1, 2)
	set(prometheus(given(t, "istio.json"), nil))
	check(later.Add(time.Second), true, Fresh, 0, "", 3, 2) // asked for although it is young
}

// A file that is damaged, or of another source, is as none; one that cannot be read or written is an error.
func TestWhatIsKeptIsChecked(t *testing.T) {
	url := serve(t, prometheus(nil, nil))
	config := configure(t, "relations: {jaeger: [{url: '"+url+"'}]}")
	dir := t.TempDir()
	name := keptFile(dir, config.Jaeger[0].key())
	for _, text := range []string{"", "{", `{"key":"other","whole":true,"asked":"2026-11-22T12:00:00Z","calls":[{"caller":"a","callee":"b"}]}`} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := config.mustCollect(t, dir, noon, false); len(got.Graph.Services()) > 0 {
			t.Errorf("%q: %v", text, got.Graph.Services())
		}
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(name, 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := config.Collect(t.Context(), dir, noon, false)
	if err == nil || got == nil || got.Graph == nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCollectEndsWithItsContext(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := configure(t, "relations: {jaeger: [{url: '"+url+"'}], timeout: 10m}").Collect(ctx, "", noon, false)
	if err != nil || got.Reports[0].State != Absent {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestReportsAreJSON(t *testing.T) {
	text, err := json.Marshal(Report{Source: "configuration", State: Fresh, Calls: 3})
	if want := `{"source":"configuration","state":"fresh","age_ns":0,"calls":3}`; err != nil || string(text) != want {
		t.Errorf("%s, %v, want %s", text, err, want)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, Report{Source: "configuration", State: Fresh, Calls: 3}) {
		t.Errorf("%+v, %v", back, err)
	}
}

// Of any answer at all only names that can be services' come, and no panic.
func FuzzAnswers(f *testing.F) {
	for _, name := range []string{"istio.json", "servicegraph.json"} {
		f.Add(given(f, name))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var answer vector
		if json.Unmarshal(body, &answer) != nil {
			return
		}
		for _, metrics := range []string{metricsIstio, metricsGraph} {
			found := &found{}
			if found.addVector(&answer, metrics) != nil {
				continue
			}
			for _, c := range found.calls {
				if err := errors.Join(checkName(c.Caller), checkName(c.Callee)); err != nil {
					t.Errorf("%q: %v", body, err)
				}
			}
			for _, s := range found.services {
				if err := checkName(s); err != nil {
					t.Errorf("%q: %v", body, err)
				}
			}
		}
	})
}
