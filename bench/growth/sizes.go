package growth

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/trawl-logs/trawl/bench/procs"
	"github.com/trawl-logs/trawl/bench/profile"
	"github.com/trawl-logs/trawl/sample"
)

// sizes are those of one node's log, in bytes.
var sizes = []int64{10e6, 100e6, 1e9, 4e9}

const (
	// sizeTrials are enough for the sizes, whose queries are long.
	sizeTrials = 5
	sizeSeed   = 1
	// roomFor is what a byte of log takes with its index, which is 5.5 % of it (docs/index.md), and a little.
	roomFor = 1.08
)

// upTo are the sizes that are not above most.
func upTo(most int64) (some []int64) {
	for _, size := range sizes {
		if size <= most {
			some = append(some, size)
		}
	}
	return some
}

// room looks whether there is room for the logs: the largest one in the temporary directory, or all that
// are kept. Each index is there only while its log is measured.
func (g *run) room() error {
	some := upTo(g.o.MaxSize)
	if len(some) == 0 {
		return nil
	}
	largest := some[len(some)-1]
	if g.o.Logs == "" {
		return procs.Space(os.TempDir(), int64(roomFor*float64(largest)))
	}
	if err := os.MkdirAll(g.o.Logs, 0o755); err != nil {
		return err
	}
	missing := int64(0)
	for _, size := range some {
		if !made(g.kept(size), size) {
			missing += size
		}
	}
	if err := procs.Space(g.o.Logs, missing); err != nil {
		return err
	}
	return procs.Space(os.TempDir(), int64((roomFor-1)*float64(largest)))
}

// kept is where the log of a size is kept.
func (g *run) kept(size int64) string {
	return filepath.Join(g.o.Logs, fmt.Sprintf("scale-%dMB", size/1e6))
}

// made says whether dir holds the log of a size, whole, as sample makes it.
func made(dir string, size int64) bool {
	truth, err := sample.ReadTruth(dir)
	if err != nil || truth.Seed != sizeSeed || truth.Rates != sample.DefaultRates || len(truth.Nodes) != 1 {
		return false
	}
	const line = 1000 // a log ends with the last line that fits
	if bytes := truth.Nodes[0].Bytes; bytes > size || bytes < size-line {
		return false
	}
	info, err := os.Stat(filepath.Join(dir, truth.Nodes[0].File))
	return err == nil && info.Size() == truth.Nodes[0].Bytes
}

// logs makes the log of a size, unless it is kept.
func (g *run) logs(dir string, size int64) error {
	if made(dir, size) {
		g.say("%s a node: the log is there", profile.Size(size))
		return nil
	}
	g.say("%s a node: making the log", profile.Size(size))
	var progress func(int64)
	if g.o.Progress != nil {
		progress = func(written int64) { g.o.Progress(written, size) }
	}
	// What lies in a directory of this name is of an earlier run, which was cut off.
	_, err := sample.Write(g.ctx, dir, sample.Options{Nodes: 1, Size: size, Seed: sizeSeed, Rates: sample.DefaultRates}, true, progress)
	return err
}

// size measures a log of so many bytes on one node.
func (g *run) size(size int64) (*SizePoint, error) {
	dir := g.kept(size)
	if g.o.Logs == "" {
		temp, err := os.MkdirTemp("", "trawl-scale-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(temp)
		dir = temp
	}
	if err := g.logs(dir, size); err != nil {
		return nil, err
	}
	r, err := profile.Run(g.ctx, profile.Options{
		Trawl: g.o.Trawl, Dir: dir, Trials: min(g.o.Trials, sizeTrials), Eager: true, Verify: g.o.Verify,
		Queries: []profile.Query{{Token: profile.Absent}, {Token: profile.Absent, Exhaustive: true}, {Token: "EVERYWHERE"}},
		Say:     func(text string) { g.say("%s a node: %s", profile.Size(size), text) },
	})
	if err != nil {
		return nil, err
	}
	return &SizePoint{Size: size, Index: *r.Index, Absent: r.Tokens[0], Exhaustive: r.Tokens[1], Everywhere: r.Tokens[2]}, nil
}
