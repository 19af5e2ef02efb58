package feed

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var id = strings.Repeat("0a1b", 16)

func TestLabels(t *testing.T) {
	var n Namer
	for name, want := range map[string]map[string]string{
		"/var/log/pods/shop_cart-7d9f_6f0c6a1e-0d3a/web/0.log":             {"namespace": "shop", "pod": "cart-7d9f", "container": "web"},
		"/var/log/pods/shop_cart-7d9f_6f0c6a1e/web/0.log.20260102-0304.gz": {"namespace": "shop", "pod": "cart-7d9f", "container": "web"},
		"/var/log/containers/cart-7d9f_shop_web-app-" + id + ".log":        {"namespace": "shop", "pod": "cart-7d9f", "container": "web-app"},
		"/none/containers/" + id + "/" + id + "-json.log":                  {"container": "0a1b0a1b0a1b"},
		"/none/containers/" + id + "/" + id + "-json.log.1":                {"container": "0a1b0a1b0a1b"},
		"/var/log/nginx/access.log":                                        nil,
		"/var/log/pods/shop_cart/web/0.log":                                nil,
	} {
		if got := n.Labels(name); !maps.Equal(got, want) {
			t.Errorf("%s has %v, want %v", name, got, want)
		}
	}
}

func TestDockerNames(t *testing.T) {
	var n Namer
	dir := t.TempDir()
	log, config := filepath.Join(dir, id+"-json.log"), filepath.Join(dir, "config.v2.json")
	short := id[:12]
	is := func(want string) {
		t.Helper()
		if got := n.Labels(log)[LabelContainer]; got != want {
			t.Errorf("the container is %q, not %q", got, want)
		}
	}
	when := time.Now().Add(-time.Hour)
	put := func(text string) {
		t.Helper()
		when = when.Add(time.Minute)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(config, when, when); err != nil {
			t.Fatal(err)
		}
	}
	is(short)
	put(`{"StreamConfig":{},"State":{"Running":true},"Name":"/web","Driver":"overlay2"}`)
	is("web")
	put(`{"Name":"/renamed"}`)
	is("renamed")
	put(`{"Name":"/two words"}`)
	is(short)
	put(`{"Name":`)
	is(short)
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "elsewhere.json")
	if err := os.WriteFile(secret, []byte(`{"Name":"/stolen"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, config); err != nil {
		t.Fatal(err)
	}
	is(short)
}
