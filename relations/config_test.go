package relations

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	c, err := Parse([]byte(`
relations:
  calls:
    gateway: [checkout, search]
  services: [cron]
  prometheus: [{url: "http://prom:9090/base", window: 1d12h, token_file: /t}]
  jaeger: [{url: "https://jaeger"}]
  aliases: {checkout-v2: checkout, "shop-*": shop}
  refresh: 90s
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Calls: map[string][]string{"gateway": {"checkout", "search"}}, Services: []string{"cron"},
		Prometheus: []Prometheus{{URL: "http://prom:9090/base", Metrics: []string{"istio", "service-graph"}, Window: Duration(36 * time.Hour), TokenFile: "/t"}},
		Jaeger:     []Jaeger{{URL: "https://jaeger", Lookback: Duration(DefaultLookback)}},
		Aliases:    map[string]string{"checkout-v2": "checkout", "shop-*": "shop"},
		Refresh:    Duration(90 * time.Second), Timeout: Duration(DefaultTimeout),
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if c, err := Parse(nil); err != nil || c.Refresh != Duration(DefaultRefresh) {
		t.Errorf("nothing: %+v, %v", c, err)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"relation: {}": `line 1: unknown key "relation"`,
		"relations:\n  prometheus:\n  - adress: x":                   `line 3: unknown key "adress"`,
		"relations: {calls: {a: [b/c]}}":                             `calls: service "b/c": holds blanks`,
		"relations: {calls: {'': [b]}}":                              "calls: the name of a service is empty",
		"relations: {services: ['a b']}":                             "services: service",
		"relations: {aliases: {'[': x}}":                             "is no glob",
		"relations: {aliases: {a: ''}}":                              "aliases: the name of a service is empty",
		"relations: {prometheus: [{url: 'prom:9090'}]}":              "prometheus 1: url",
		"relations: {prometheus: [{url: 'http://u:secret@'}]}":       "prometheus 1: url",
		"relations: {prometheus: [{url: 'http://p', metrics: [x]}]}": `metrics: "x" is neither istio nor service-graph`,
		"relations: {jaeger: [{url: 'http://j', lookback: -1h}]}":    "jaeger 1: lookback: -1h0m0s is less",
		"relations: {refresh: soon}":                                 `line 1: duration "soon"`,
		"relations: {timeout: [1s]}":                                 "a duration is wanted",
		"a: b\n---\nc: d":                                            "unknown key",
		"relations: {}\n---\nrelations: {}":                          "more than one document",
		"relations: [":                                               "line 1",
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	name := filepath.Join(t.TempDir(), "r.yaml")
	if _, err := Load(name); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(name, []byte("x: 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(name); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("a file with another key: %v", err)
	}
}

func TestAlias(t *testing.T) {
	c := &Config{Aliases: map[string]string{"a": "exact", "a*": "short", "ab*": "long", "a?c": "same length"}}
	for name, want := range map[string]string{"a": "exact", "ax": "short", "abx": "long", "abc": "same length", "x": "x"} {
		if got := c.alias(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("relations: {calls: {a: [b]}, jaeger: [{url: 'http://j'}], refresh: 1d2h}"))
	f.Add([]byte("relations:\n  aliases: {'a*': b}\n  timeout: 5s\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		if c.Refresh <= 0 || c.Timeout <= 0 {
			t.Errorf("%q: refresh %d, timeout %d", text, c.Refresh, c.Timeout)
		}
		for caller := range c.Calls {
			if err := checkName(caller); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
		c.alias("abc")
	})
}
