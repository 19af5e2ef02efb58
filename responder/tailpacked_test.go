package responder

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// The history of a log reaches back into its archives: for the lines that its other files have too few of,
// or for all in the range of times.
func TestTailReachesIntoArchives(t *testing.T) {
	const start = 1_700_000_000
	lines := func(from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, "%s line %d\n", time.Unix(start+int64(i), 0).UTC().Format(time.RFC3339), i)
		}
		return b.String()
	}
	others := lines(500, 510)
	for name, c := range map[string]struct {
		last, since int64
		want        []string
	}{
		"enough":      {2, 0, upTo(6, 10)},
		"the newest":  {6, 0, upTo(4, 10)},
		"all":         {100, 0, upTo(0, 10)},
		"since":       {-1, start + 3, upTo(3, 10)},
		"since, some": {5, start + 4, upTo(5, 10)},
	} {
		t.Run(name, func(t *testing.T) {
			f, dir := newFleet(t, func(c *Config) { c.Sources[0].Logs[0] = strings.TrimSuffix(c.Sources[0].Logs[0], ".log") }, map[string]string{
				"a.log": lines(8, 10), "a.log.1": lines(6, 8), "a.log.2.gz": gzipped(t, lines(3, 6), 1), "a.log.10.gz": gzipped(t, lines(0, 3), 1),
				"b.log": others, "b.log.1.gz": gzipped(t, lines(400, 500), 1),
			})
			for i, name := range []string{"a.log.10.gz", "a.log.2.gz", "b.log.1.gz", "a.log.1", "a.log", "b.log"} {
				at := time.Unix(start+1000+int64(i), 0)
				if err := os.Chtimes(dir+"/"+name, at, at); err != nil {
					t.Fatal(err)
				}
			}
			q := f.tail(c.last, func(q *schemas.Query) { q.Since, q.Columns = c.since*1e9, schemas.ColumnTime })
			q.until("history", func(text string) bool { return strings.Contains(text, "line 509\n") })
			of := func(text string) (a []string) {
				for _, n := range messages(text) {
					if len(n) < 3 {
						a = append(a, n)
					}
				}
				return a
			}
			appendTo(t, dir+"/a.log", lines(10, 12))
			q.until("what follows", func(text string) bool { return strings.HasSuffix(text, "line 11\n") })
			got := of(q.news())
			if want := append(slices.Clone(c.want), "10", "11"); !slices.Equal(got, want) {
				t.Errorf("gave %q, want %q", got, want)
			}
		})
	}
}
