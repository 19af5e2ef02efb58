package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/relations"
)

// What was known of relations holds while neither their file nor a source can be read, and is read anew when it is not fresh any more.
func TestFileRelationsAreKept(t *testing.T) {
	var down atomic.Bool
	var asked atomic.Int64
	jaeger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1); down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"data":[{"parent":"front","child":"cart","callCount":2}]}`)
	}))
	t.Cleanup(jaeger.Close)
	dir := t.TempDir()
	var log strings.Builder
	r := &fileRelations{name: filepath.Join(dir, "relations.yaml"), kept: filepath.Join(dir, "kept"), log: slog.New(slog.NewTextHandler(&log, nil))}
	write := func(text string) {
		if err := os.WriteFile(r.name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stale := func() { r.read = time.Time{} }
	expect := func(what string, warned bool, want ...relations.Call) {
		t.Helper()
		known := r.now(t.Context())
		if known == nil && want != nil {
			t.Fatalf("%s: nothing is known", what)
		}
		if known != nil && !slices.Equal(known.(*relations.Graph).Calls(), want) {
			t.Errorf("%s: %v", what, known.(*relations.Graph).Calls())
		}
		if (log.Len() > 0) != warned {
			t.Errorf("%s: the log has %q", what, log.String())
		}
		log.Reset()
	}
	source := "relations: {refresh: 1h, calls: {cron: [front]}, jaeger: [{url: '" + jaeger.URL + "'}]}"
	cron, front := relations.Call{Caller: "cron", Callee: "front"}, relations.Call{Caller: "front", Callee: "cart", Count: 2}

	expect("there is no file", true)
	stale()
	write(source)
	expect("a file and a source", false, cron, front)
	write("relations: {calls: {a: [b]}}")
	expect("it is fresh still", false, cron, front)
	stale()
	write("relations: {colour: blue}")
	expect("a file that cannot be read", true, cron, front)
	stale()
	write(strings.Replace(source, "1h", "1ms", 1)) // the source is asked again
	down.Store(true)
	for asked.Load() < 2 { // what it answered is a millisecond old soon
		stale()
		expect("a source that is down", false, cron, front)
	}
	stale()
	write("relations: {calls: {a: [b]}}")
	expect("another file", false, relations.Call{Caller: "a", Callee: "b"})
}
