package block

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trawl-logs/trawl/responder/match"
)

// bulk is some MB of the sample logs, over and over.
func bulk(b *testing.B, size int) []byte {
	b.Helper()
	paths, err := filepath.Glob("../../e2e/testdata/loghub/*.log")
	if err != nil || len(paths) == 0 {
		b.Fatal("no sample logs", err)
	}
	var all []byte
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		all = append(append(all, data...), '\n')
	}
	return bytes.Repeat(all, size/len(all)+1)
}

func BenchmarkBuild(b *testing.B) {
	data := bulk(b, 32<<20)
	o := Sizing{}.Shape()
	builder, err := NewBuilder(o)
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	b.SetBytes(int64(len(data)))
	before := processorTime(b)
	for b.Loop() {
		x, err := Create(dir, File{Dev: 1, Ino: 1})
		if err != nil {
			b.Fatal(err)
		}
		builder.Start(x, State{}, nil)
		for at := 0; at < len(data); at += 256 << 10 {
			if err := builder.Feed(data[at:min(at+256<<10, len(data))]); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(100*float64(x.Bytes())/float64(len(data)), "%size")
		x.Close()
	}
	b.ReportMetric(float64(b.N)*float64(len(data))/1e6/(processorTime(b)-before).Seconds(), "MB/cpu-s")
}

// processorTime is what this process has had, of all cores: on a machine that is shared it says more than
// the clock.
func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFeed gives the fastest of many pieces beside the mean: what a core does that nobody shares.
func BenchmarkFeed(b *testing.B) {
	data := bulk(b, 8<<20)
	builder, err := NewBuilder(Sizing{Target: time.Millisecond}.Shape())
	if err != nil {
		b.Fatal(err)
	}
	x, err := Create(b.TempDir(), File{Dev: 1, Ino: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	const piece = 256 << 10
	best := time.Hour
	b.SetBytes(piece)
	builder.Start(x, State{}, nil)
	for at := 0; b.Loop(); at = (at + piece) % (len(data) - piece) {
		begun := time.Now()
		if err := builder.Feed(data[at : at+piece]); err != nil {
			b.Fatal(err)
		}
		if took := time.Since(begun); took < best {
			best = took
		}
	}
	b.ReportMetric(piece/1e6/best.Seconds(), "best-MB/s")
}

func BenchmarkWalk(b *testing.B) {
	data := bulk(b, 64<<20)
	x := indexed(b, data, Sizing{}.Shape(), 256<<10)
	for _, pattern := range []string{"4f2a9c77d01be36588aa", "avalanche", "lynx"} {
		b.Run(pattern, func(b *testing.B) {
			p, err := match.Compile(match.Spec{Patterns: []string{pattern}, Terminator: '\n'})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			var counts Counts
			for b.Loop() {
				_, counts = walk(b, x, p, len(data))
			}
			b.ReportMetric(float64(counts.Blocks), "blocks")
			b.ReportMetric(float64(counts.Read), "bytesread")
			b.ReportMetric(float64(counts.IndexRead), "indexread")
		})
	}
}
