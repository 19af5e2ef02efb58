package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A time range is resolved once and served by every node: the nodes' own zones and forms, entries of
// several lines, a syslog without a year; and a node whose file has no times does not count as if it
// had answered.
func TestATimeRange(t *testing.T) {
	f := newFleet(t)
	now := time.Now().UTC().Truncate(time.Second)
	at := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	write := func(name, format string, args ...any) string {
		path := filepath.Join(f.home, name)
		if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	iso := "2006-01-02 15:04:05"
	java := write("java.log", "%s INFO early\n%s ERROR broken\njava.lang.Exception: needle\n\tat a.b(needle)\n%s INFO needle last\n",
		at(-60).Format(iso), at(-20).Format(iso), at(-1).Format(iso))
	syslog := write("syslog.log", "%s host app: needle old\n%s host app: needle new\n", at(-60).Format(time.Stamp), at(-10).Format(time.Stamp))
	f.node("a-java", "--logs", java)
	f.node("b-syslog", "--logs", syslog)
	f.up(2)

	r := f.grep("--since", "30m", "--until", "5m", "needle")
	want := "a-java:" + java + ":java.lang.Exception: needle\na-java:" + java + ":\tat a.b(needle)\n" +
		"b-syslog:" + syslog + ":" + at(-10).Format(time.Stamp) + " host app: needle new\n"
	if r.code != 0 || r.stdout != want {
		t.Errorf("exit status %d\n got %s\nwant %s\nstderr: %s", r.code, r.stdout, want, r.stderr)
	}
	if line, _, _ := strings.Cut(r.stderr, "\n"); !strings.HasPrefix(line, "trawl: since "+at(-30).Format("2006-01-02T")) || !strings.Contains(line, ", until ") {
		t.Errorf("the range is echoed as %q", line)
	}
	if r = f.grep("--since", "30s", "needle"); r.code != 1 || r.stdout != "" {
		t.Errorf("nothing in the range: exit status %d, %s%s", r.code, r.stdout, r.stderr)
	}

	r = f.grep("--since", "15m", "--until", "5m", "--output", "json", "needle")
	var line struct{ Node, Time string }
	if err := json.Unmarshal([]byte(r.stdout[:strings.IndexByte(r.stdout, '\n')]), &line); err != nil || line.Node != "b-syslog" ||
		line.Time != at(-10).Format("2006-01-02T15:04:05.000000000Z") {
		t.Errorf("JSON: %v, %s", err, r.stdout)
	}

	f.node("c-plain", "--logs", write("plain.log", "needle without a time\n"))
	f.up(3)
	r = f.grep("--since", "30m", "--until", "5m", "needle")
	if r.code != 3 || r.stdout != want || !strings.Contains(r.stderr, "plain.log: no timestamps found: not searched by time") {
		t.Errorf("a file without times: exit status %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}
