package responder

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/schemas"
)

// A checkup says of every source what its files are like.
func TestCheckup(t *testing.T) {
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	dated := func(n int, step time.Duration) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%s line %d\n", start.Add(time.Duration(i)*step).Format(time.RFC3339), i)
		}
		return b.String()
	}
	wrapped, _ := criLog(start, 10)
	longWrapped, _ := criLog(start, 9000)
	sorted, long := dated(10, time.Second), dated(20_000, time.Second)
	files := map[string]string{
		"a/sorted.log": sorted, "a/long.log": long, "a/unsorted.log": long + sorted, "a/packed.log": packed(t, long, "gzip"),
		"a/timeless.log": "no time\nat all\n", "a/empty.log": "", "b/0.log": wrapped, "b/1.log": longWrapped,
	}
	journalctl(t, `echo '{"MESSAGE":"x","__REALTIME_TIMESTAMP":"1700000000000000"}'; echo 'Hint: You are currently not seeing messages from other users and the system.' >&2`)
	synctest.Test(t, func(t *testing.T) {
		f, dir := newFleet(t, func(c *Config) {
			base := strings.TrimSuffix(c.Sources[0].Logs[0], "/**/*.log")
			c.Sources = []SourceConfig{
				{Service: "app", Logs: List{base + "/a/*.log"}}, {Logs: List{base + "/b/*.log"}, Format: "cri"},
				{Logs: List{base + "/absent/*.log"}}, {Kind: "journald", Units: List{"nginx"}},
			}
		}, files)
		if err := os.Symlink("/etc/passwd", dir+"/a/link.log"); err != nil {
			t.Fatal(err)
		}
		c := f.r.Checkup(t.Context())
		if c.Name != "web1" || c.User == "" || c.Zone == "" || len(c.Sources) != 4 || len(c.Problems) != 1 || c.Problems[0].File != dir+"/a/link.log" {
			t.Fatalf("%+v", c)
		}
		a := c.Sources[0]
		if a.Service != "app" || a.Logs != dir+"/a/*.log" || a.Files != 6 || a.Opened != 6 || a.Timeless != 1 || a.Unsorted != 1 || a.Unreadable != 0 {
			t.Errorf("%+v", a)
		}
		if a.Details[0].Path != dir+"/a/timeless.log" {
			t.Errorf("what is wrong does not come first: %+v", a.Details)
		}
		last := start.Add(19_999 * time.Second).UnixNano()
		for path, want := range map[string]schemas.FileCheckup{
			"a/sorted.log":   {Form: "2006-01-02T15:04:05Z07:00", Last: start.Add(9 * time.Second).UnixNano(), Order: schemas.OrderSorted},
			"a/long.log":     {Form: "2006-01-02T15:04:05Z07:00", Last: last, Order: schemas.OrderSorted},
			"a/unsorted.log": {Form: "2006-01-02T15:04:05Z07:00", Last: start.Add(9 * time.Second).UnixNano(), Order: schemas.OrderUnsorted},
			"a/packed.log":   {Form: "2006-01-02T15:04:05Z07:00", Last: scan.NoTime, Order: schemas.OrderSorted},
			"b/1.log":        {Form: "the wrapper's", Last: start.Add(8999 * time.Second).UnixNano(), Order: schemas.OrderSorted},
			"b/0.log":        {Form: "the wrapper's", Last: start.Add(9 * time.Second).UnixNano(), Order: schemas.OrderSorted},
		} {
			var got *schemas.FileCheckup
			for _, d := range append(a.Details, c.Sources[1].Details...) {
				if d.Path == dir+"/"+path {
					got = &d
				}
			}
			if got == nil || got.Form != want.Form || got.First != start.UnixNano() || got.Last != want.Last || got.Order != want.Order || got.Err != "" {
				t.Errorf("%s: %+v, want %+v", path, got, want)
			}
		}
		j := c.Sources[3]
		if j.Logs != "journald:nginx" || j.Unreadable != 1 || !strings.Contains(j.Details[0].Err, "not seeing messages") || j.Details[0].First != 1_700_000_000e9 {
			t.Errorf("%+v", j)
		}
		if c.Sources[2].Files != 0 {
			t.Errorf("%+v", c.Sources[2])
		}
		f.stop()
	})
}
