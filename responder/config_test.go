package responder

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func write(t testing.TB, name, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestLoadMergesInOrder(t *testing.T) {
	dir := t.TempDir()
	main := write(t, dir+"/trawl.yaml", `
node: web1
groups: web
labels: {env: prod, zone: a}
sources:
  - logs: [/var/log/nginx/*.log, /srv/x.log]
    service: nginx
    labels: {tier: front}
limits: {max_queries: 3, run_time: 1d12h, result_bytes: 20GiB, line_bytes: 64k, archive_window: 128MiB, archive_ratio: 5000, archive_output: 1TB}
rescan: 90s
connection: {server: "nats://bus:4222"}
`)
	write(t, dir+"/conf.d/20-b.yaml", "labels: {zone: b}\nlimits: {max_queries: 5}\ngroups: [eu]\n")
	write(t, dir+"/conf.d/10-a.yaml", "sources: [{logs: '/a/**/*.log'}]\nlimits: {max_queries: 4}\n")
	write(t, dir+"/conf.d/ignored.txt", "nonsense: 1")
	c, err := Load(main)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Finish(); err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	want.Node, want.Groups, want.Labels = "web1", List{"eu", "web"}, map[string]string{"env": "prod", "zone": "b"}
	want.Sources = []SourceConfig{
		{Service: "nginx", Logs: List{"/var/log/nginx/*.log", "/srv/x.log"}, Labels: map[string]string{"tier": "front"}},
		{Logs: List{"/a/**/*.log"}},
	}
	want.Limits.MaxQueries, want.Limits.RunTime = 5, Duration(36*time.Hour)
	want.Limits.ResultBytes, want.Limits.LineBytes = 20<<30, 64<<10
	want.Limits.ArchiveWindow, want.Limits.ArchiveRatio, want.Limits.ArchiveOutput = 128<<20, 5000, 1_000_000_000_000
	want.Rescan, want.Connection.Server = Duration(90*time.Second), "nats://bus:4222"
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestLoadErrors(t *testing.T) {
	for text, want := range map[string]string{
		"node: a\nnods: b\n":                   `line 2: unknown key "nods"`,
		"limits: {max_querys: 1}":              `line 1: unknown key "max_querys"`,
		"sources:\n- logs: /a\n  servise: b":   `line 3: unknown key "servise"`,
		"rescan: soon":                         `line 1: duration "soon"`,
		"rescan: [1s]":                         "a single value is wanted",
		"limits:\n  result_bytes: 3 elephants": `line 2: size "3 elephants"`,
		"node: [a":                             "line 1",
		"node: a\n---\nnode: b":                "more than one document",
		"groups: {a: b}":                       "cannot unmarshal",
		"limits: {max_queries: many}":          "cannot unmarshal",
	} {
		name := write(t, t.TempDir()+"/trawl.yaml", text)
		_, err := Load(name)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q with the file's name", text, err, want)
		}
	}
	if _, err := Load(t.TempDir() + "/none.yaml"); err == nil {
		t.Error("a named file that does not exist is no error")
	}
	empty := write(t, t.TempDir()+"/trawl.yaml", "# nothing\n")
	if c, err := Load(empty); err != nil || !reflect.DeepEqual(c, DefaultConfig()) {
		t.Errorf("an empty file: %v", err)
	}
}

func TestFinish(t *testing.T) {
	ok := func() *Config {
		c := DefaultConfig()
		c.Sources = []SourceConfig{{Logs: List{"/var/log/*.log"}}}
		return c
	}
	for want, change := range map[string]func(*Config){
		"node:":                  func(c *Config) { c.Node = "web 1" },
		"group:":                 func(c *Config) { c.Groups = List{"a b"} },
		"no logs":                func(c *Config) { c.Sources = nil },
		"source 1: it names":     func(c *Config) { c.Sources[0].Logs = nil },
		"source 1: service":      func(c *Config) { c.Sources[0].Service = "a/b" },
		"source 1: label":        func(c *Config) { c.Sources[0].Labels = map[string]string{"": "x"} },
		"source 1: a glob":       func(c *Config) { c.Sources[0].Logs = List{""} },
		"label":                  func(c *Config) { c.Labels = map[string]string{"a=b": "x"} },
		"log format":             func(c *Config) { c.LogFormat = "xml" },
		"rescan":                 func(c *Config) { c.Rescan = 1 },
		"limits.max_queries:":    func(c *Config) { c.Limits.MaxQueries = 0 },
		"limits.query_bytes:":    func(c *Config) { c.Limits.QueryBytes = 1 << 30 },
		"limits.archive_window:": func(c *Config) { c.Limits.ArchiveWindow = 0 },
		"limits.archive_ratio:":  func(c *Config) { c.Limits.ArchiveRatio = -1 },
		"limits.archive_output:": func(c *Config) { c.Limits.ArchiveOutput = -1 },
	} {
		c := ok()
		change(c)
		if err := c.Finish(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	c := ok()
	c.Sources[0].Logs = List{"logs/*.log", "dir/"}
	if err := c.Finish(); err != nil {
		t.Fatal(err)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Sources[0].Logs; got[0] != wd+"/logs/*.log" || got[1] != wd+"/dir/" {
		t.Errorf("globs are made absolute: %q", got)
	}
	if host, _ := os.Hostname(); c.Node == "" || c.Node != strings.ReplaceAll(host, ".", "-") {
		t.Errorf("node %q for host %q", c.Node, host)
	}
}

func TestEnviron(t *testing.T) {
	c := DefaultConfig()
	c.Labels = map[string]string{"file": "yes"}
	env := map[string]string{
		"TRAWL_NODE": "n", "TRAWL_GROUPS": "a,b", "TRAWL_LABELS": "k=v=w,l=", "TRAWL_LOGS": "x=/a/*.log\n\n/b/{c,d}.log",
		"TRAWL_MAX_QUERIES": "2", "TRAWL_RUN_TIME": "2w", "TRAWL_STATE": "", "TRAWL_SERVER": "the connection's own",
	}
	lookup := func(k string) (string, bool) { v, ok := env[k]; return v, ok }
	if err := c.Environ(lookup); err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	want.Node, want.Groups, want.Labels = "n", List{"a", "b"}, map[string]string{"k": "v=w", "l": ""}
	want.Sources = []SourceConfig{{Service: "x", Logs: List{"/a/*.log"}}, {Logs: List{"/b/{c,d}.log"}}}
	want.Limits.MaxQueries, want.Limits.RunTime = 2, Duration(14*24*time.Hour)
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	for _, bad := range []string{"TRAWL_MAX_QUERIES=x", "TRAWL_LABELS=x", "TRAWL_RESCAN=1", "TRAWL_LOGS==/x"} {
		k, v, _ := strings.Cut(bad, "=")
		env = map[string]string{k: v}
		if err := DefaultConfig().Environ(lookup); err == nil || !strings.HasPrefix(err.Error(), k+": ") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestValues(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "4096": 4096, "64MiB": 64 << 20, "20GB": 20e9, "1.5k": 1536, "10 kb": 10000, "7B": 7, "-1": -1, "": -1, "1e300": -1, "NaN": -1, "k": -1} {
		var z Size
		if err := z.Set(s); (err == nil) != (want >= 0) || err == nil && int64(z) != want {
			t.Errorf("size %q: %d %v, want %d", s, z, err, want)
		}
	}
	for s, want := range map[string]time.Duration{"90s": 90 * time.Second, "1d": 24 * time.Hour, "1w2d3h4m": 219*time.Hour + 4*time.Minute, "0s": 0,
		"": -1, "1": -1, "-1s": -1, "1d-1h": -1, "d": -1, "1d1w": -1, "9999999999w": -1, "4000000000w": -1} {
		var d Duration
		if err := d.Set(s); (err == nil) != (want >= 0) || err == nil && time.Duration(d) != want {
			t.Errorf("duration %q: %v %v, want %v", s, time.Duration(d), err, want)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte("node: web1\nsources: [{logs: '/a/*.log'}]\nlimits: {memory: 64MiB}"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("groups: [!!binary aGk=]\nlabels: {<<: {a: b}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := DefaultConfig()
		if err := c.merge(text); err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Fatal("an error without a text")
			}
			return
		}
		if c.Finish() == nil && (len(c.Sources) == 0 || c.Limits.MaxQueries < 1) {
			t.Fatalf("an unusable config passes: %+v", c)
		}
	})
}
