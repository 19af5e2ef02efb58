package seal

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var benchLog = flag.String("log", "", "`FILE` for the benchmarks to seal; default: lines that they make")

// benchWorld is a log that is to be sealed, without windows.
func benchWorld(b *testing.B) (w *world, size int64) {
	b.Helper()
	w = newWorld(b, 32<<10)
	w.must(os.MkdirAll(w.logs, 0o700))
	if *benchLog == "" {
		w.append("timeless.log", w.dated(0, 400_000))
	} else {
		name, err := filepath.Abs(*benchLog)
		w.must(err)
		w.must(os.Symlink(name, w.path("timeless.log")))
	}
	info, err := os.Stat(w.path("timeless.log"))
	w.must(err)
	w.now = w.now.Add(time.Hour)
	return w, info.Size()
}

// BenchmarkSeal seals a log; ratio is how much smaller the blocks are with their indexes, and frames without.
func BenchmarkSeal(b *testing.B) {
	quickly(b)
	for b.Loop() {
		b.StopTimer()
		w, size := benchWorld(b)
		b.SetBytes(size)
		b.StartTimer()
		w.turn()
		w.now = w.now.Add(3 * time.Hour)
		w.turn()
		b.StopTimer()
		var all, frames int64
		for _, k := range w.s.Blocks() {
			all, frames = all+w.s.size(k), frames+k.Stored
		}
		b.ReportMetric(float64(size)/float64(all), "ratio")
		b.ReportMetric(float64(size)/float64(frames), "frames-ratio")
		w.must(os.RemoveAll(filepath.Dir(w.logs)))
		b.StartTimer()
	}
}

// BenchmarkText reads a log from its blocks.
func BenchmarkText(b *testing.B) {
	quickly(b)
	w, size := benchWorld(b)
	w.turn()
	v := w.s.View()
	defer v.Close()
	b.SetBytes(size)
	buf := make([]byte, 96<<10)
	for b.Loop() {
		text := v.Text(v.Logs()[0], nil, 0)
		_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.NewSectionReader(text, 0, text.Size()), buf)
		w.must(err)
		w.must(text.Close())
	}
}
