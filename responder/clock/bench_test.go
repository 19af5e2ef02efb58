package clock

import (
	"bytes"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/scan"
)

// What it costs a search to know a file's form: the first time, and when it is remembered. kept-B is
// the memory that a remembered file takes.
func BenchmarkOpen(b *testing.B) {
	text, err := os.ReadFile("../../e2e/testdata/loghub/Hadoop_2k.log")
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range []int{4 << 10, len(text)} {
		file := scan.File{At: bytes.NewReader(text[:size]), Size: int64(size)}
		for _, known := range []bool{false, true} {
			name := map[bool]string{false: "found/", true: "remembered/"}[known] + map[bool]string{false: "whole", true: "4KiB"}[size == 4<<10]
			b.Run(name, func(b *testing.B) {
				c := NewCache()
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				n := uint64(0)
				for b.Loop() {
					if !known {
						n++
					}
					if form, err := c.find(file.At, file.Size, &File{ID: ID{1, n}, ModTime: time.Now()}, '\n'); form == nil || err != nil {
						b.Fatal(err)
					}
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				if !known {
					b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/float64(len(c.known)), "kept-B")
				}
				runtime.KeepAlive(c)
			})
		}
	}
}
