package relations

import (
	"reflect"
	"testing"
	"time"
)

func TestConfig(t *testing.T) {
	c := configure(t, `
relations:
  calls:
    gateway: [checkout, search]
  services: [cron]
  prometheus: [{url: "http://prom:9090/base", window: 1d12h, token_file: /t}]
  jaeger: [{url: "https://jaeger"}]
  aliases: {checkout-v2: checkout, "shop-*": shop}
  refresh: 90s
`)
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
	if c := configure(t, ""); c.Refresh != Duration(DefaultRefresh) {
		t.Errorf("nothing: %+v", c)
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
