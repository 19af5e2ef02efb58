package responder

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// criLog is a log of n lines, one a second from start on, of which every third comes in two parts.
func criLog(start time.Time, n int) (log string, lines []string) {
	var b strings.Builder
	for i := range n {
		at := start.Add(time.Duration(i) * time.Second).UTC().Format(time.RFC3339Nano)
		text := fmt.Sprintf("request %d took 3 ms", i)
		if i%3 == 0 {
			fmt.Fprintf(&b, "%s stdout P %s\n%s stdout F %s\n", at, text[:9], at, text[9:])
		} else {
			fmt.Fprintf(&b, "%s stderr F %s\n", at, text)
		}
		lines = append(lines, text+"\n")
	}
	return b.String(), lines
}

// Wrapped logs, compressed or not, are searched as the lines in them, with the times, numbers and
// offsets of the wrapped file, and selected by the labels in their names.
func TestContainerLogs(t *testing.T) {
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	log, lines := criLog(start, 300)
	files := map[string]string{
		"pods/shop_cart-1_0a-1/web/0.log":    log,
		"pods/shop_cart-2_0a-2/web/0.log.gz": packed(t, log, "gzip"),
		"pods/bank_teller_0a-3/db/0.log":     log,
		"plain/app.log":                      "request 1 of a plain log\n",
	}
	synctest.Test(t, func(t *testing.T) {
		var base string
		f, dir := newFleet(t, func(c *Config) {
			base = strings.TrimSuffix(c.Sources[0].Logs[0], "/**/*.log")
			c.Sources = []SourceConfig{{Logs: List{base + "/pods/*/*/*.log*"}, Format: "cri", Labels: map[string]string{"tier": "k8s"}}, {Logs: List{base + "/plain/*.log"}}}
		}, files)
		if _, _, err := f.r.Scan(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := f.r.Node(); !slices.Equal(got.Services, []string{"app", "db", "web"}) || got.Files != 4 {
			t.Errorf("services %v, files %d", got.Services, got.Files)
		}
		q := query("shop", "took")
		q.Select.Labels = []schemas.Label{{K: "namespace", V: "shop"}, {K: "tier", V: "k8s"}}
		q.Columns = schemas.ColumnNumber | schemas.ColumnOffset | schemas.ColumnTime
		q.Since, q.Until = start.Add(30*time.Second).UnixNano(), start.Add(33*time.Second).UnixNano()
		k := f.ask(q)
		e := f.await(k, time.Minute)
		if want := strings.Repeat(strings.Join(lines[30:33], ""), 2); e.Status != schemas.StatusComplete || e.Files != 2 || f.text(k) != want {
			t.Errorf("%+v\n%s", e, f.text(k))
		}
		for _, frame := range f.numbered(k) {
			if frame.Data == nil {
				continue
			}
			for _, c := range frame.Data.Chunks {
				for i := range c.Numbers {
					line := strings.Split(log, "\n")[c.Numbers[i]-1]
					if !strings.HasPrefix(log[c.Offsets[i]:], line) || !strings.HasPrefix(line, time.Unix(0, c.Times[i]).UTC().Format(time.RFC3339Nano)+" ") {
						t.Errorf("%s: number %d, offset %d, time %d: %q", c.File, c.Numbers[i], c.Offsets[i], c.Times[i], line)
					}
				}
			}
		}
		wrong := query("wrong", "plain log")
		wrong.Select.Paths = []string{dir + "/plain/*"}
		f.r.feeds.formats[1] = f.r.feeds.formats[0]
		k = f.ask(wrong)
		if e := f.await(k, time.Minute); e.Status != schemas.StatusPartial || f.text(k) != files["plain/app.log"] || e.Errors[0].Err != "no line is in the format that is configured: cri" {
			t.Errorf("%+v, %q", e, f.text(k))
		}
		f.stop()
	})
}

// journalctl puts a recorded stream in the place of journalctl: the tests of package feed use the real
// one.
func journalctl(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journalctl"), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestJournalSources(t *testing.T) {
	const at = 1_700_000_000_000_000
	var recorded strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&recorded, `{"MESSAGE":"message %d","__REALTIME_TIMESTAMP":"%d","_HOSTNAME":"web1","SYSLOG_IDENTIFIER":"nginx","_PID":"7"}`+"\n", i, at+i*1_000_000)
	}
	file := filepath.Join(t.TempDir(), "recorded")
	if err := os.WriteFile(file, []byte(recorded.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	journalctl(t, `case "$*" in *--unit=nginx*) cat '`+file+`';; *) echo broken >&2; exit 1;; esac`)
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFleet(t, func(c *Config) {
			c.Sources = nil
			if err := c.AddLogs("journald:nginx", "other=journald"); err != nil {
				t.Fatal(err)
			}
			c.Sources[0].Timezone = "UTC"
		}, nil)
		if _, _, err := f.r.Scan(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := f.r.Node(); !slices.Equal(got.Services, []string{"nginx", "other"}) || got.Files != 2 {
			t.Errorf("services %v, files %d", got.Services, got.Files)
		}
		q := query("nginx", "message 5$")
		q.Select.Services = []string{"nginx"}
		q.Since = (at + 2_000_000) * 1000 // the recorded stream takes no notice
		k := f.ask(q)
		e := f.await(k, time.Minute)
		if want := "2023-11-14T22:13:25.000000+00:00 web1 nginx[7]: message 5\n"; f.text(k) != want || e.Status != schemas.StatusComplete {
			t.Errorf("%q, %+v", f.text(k), e)
		}
		if e.BytesRead == 0 || e.BytesRead != e.BytesConsidered {
			t.Errorf("read %d of %d", e.BytesRead, e.BytesConsidered)
		}
		all := query("all", "message 7$")
		all.Order = schemas.OrderTime
		all.Columns = schemas.ColumnTime
		k = f.ask(all)
		e = f.await(k, time.Minute)
		if !strings.HasSuffix(f.text(k), "message 7\n") || e.Status != schemas.StatusPartial || len(e.Errors) != 1 || e.Errors[0] != (schemas.FileError{File: "journald", Err: "journalctl: broken"}) {
			t.Errorf("%q, %+v", f.text(k), e)
		}
		f.stop()
	})
}

func TestSourceConfig(t *testing.T) {
	for text, want := range map[string]string{
		"{kind: journald, units: nginx, priority: err, directory: /x, service: web}": "",
		"{kind: journald}":                        "",
		"{logs: /a, format: cri}":                 "",
		"{logs: /a, format: docker, kind: files}": "",
		"{kind: journald, logs: /a}":              "source 1: logs, exclude, format and time_format are of files, not of kind: journald",
		"{kind: journald, priority: loud}":        "source 1: priority \"loud\" is none of emerg, alert, crit, err, warning, notice, info, debug or a range FROM..TO of them",
		"{kind: journal}":                         "source 1: kind \"journal\" is neither files nor journald",
		"{logs: /a, units: [x]}":                  "source 1: units, priority and directory are of kind: journald",
		"{logs: /a, format: json}":                "source 1: format \"json\" is neither docker nor cri",
		"{kind: journald, units: [--file=x]}":     "source 1: unit \"--file=x\": 1 to 255 characters without blanks and slashes, and no - in front",
		"{}":                                      "source 1: it names no logs",
		"{kind: journald, timezone: Nowhere}":     "source 1: timezone \"Nowhere\": unknown time zone Nowhere",
		"{kind: journald, labels: {a b: c}}":      "source 1: label \"a b\"=\"c\": a key has 1 to 255 characters without blank and =, a value at most 1024",
	} {
		c := DefaultConfig()
		c.Node = "web1"
		err := c.merge([]byte("sources: [" + text + "]"))
		if err == nil {
			err = c.Finish()
		}
		if got := fmt.Sprint(err); got != want && (want != "" || err != nil) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// A source of the journal is known by its unit, and has the labels of its configuration.
func TestJournalEntries(t *testing.T) {
	c := DefaultConfig()
	c.Node, c.Labels = "web1", map[string]string{"env": "prod"}
	c.Sources = []SourceConfig{{Kind: "journald", Units: List{"nginx.service", "app-*"}, Labels: map[string]string{"tier": "front"}}, {Kind: "journald"}}
	if err := c.Finish(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range newFeeds(c, nil).journals {
		got = append(got, fmt.Sprint(e.Path, " ", e.Service, " ", slices.Sorted(maps.Keys(e.Labels))))
	}
	if want := []string{"journald:nginx.service nginx [env tier]", "journald:app-* journald [env tier]", "journald journald [env]"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
