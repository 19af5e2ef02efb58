package simd

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"testing"
	"time"
)

// Each search goes over 1 MiB of lines (L2 holds it), finds, and skips to the next line, as a caller
// does. best-MB/s is the fastest round: what the machine gives when nobody else uses it.

const benchSize = 1 << 20

func measure(b *testing.B, size int, round func()) {
	b.SetBytes(int64(size))
	best := time.Duration(math.MaxInt64)
	for b.Loop() {
		start := time.Now()
		round()
		best = min(best, time.Since(start))
	}
	b.ReportMetric(float64(size)/1e6/best.Seconds(), "best-MB/s")
}

// hits counts lines by next, which returns the first hit from a position on.
func hits(buf []byte, next func(from int) int) (n int) {
	for from := 0; from < len(buf); n++ {
		pos := next(from)
		if pos < 0 {
			break
		}
		end := bytes.IndexByte(buf[pos:], '\n')
		if end < 0 {
			return n + 1
		}
		from = pos + end + 1
	}
	return n
}

func benchNext(b *testing.B, name string, buf []byte, next func(from int) int) {
	for _, pure := range []bool{false, true} {
		b.Run(name+map[bool]string{false: "/avx2", true: "/pure"}[pure], func(b *testing.B) {
			defer SetPure(SetPure(pure))
			n := 0
			measure(b, len(buf), func() { n = hits(buf, next) })
			b.ReportMetric(float64(n), "lines")
		})
	}
}

func BenchmarkFinder(b *testing.B) {
	buf := logLines(benchSize)
	for _, c := range []struct {
		name, needle string
		fold         bool
	}{
		{"absent", "OutOfMemoryError", false}, {"absent-common-bytes", "transition", false}, {"rare", "took=777ms", false},
		{"common", "terminating", false}, {"half", "INFO", false}, {"fold-absent", "outofmemory", true}, {"fold-common", "Terminating", true},
	} {
		f := NewFinder([]byte(c.needle), c.fold)
		benchNext(b, c.name, buf, func(from int) int { return after(from, f.Index(buf[from:])) })
	}
}

// BenchmarkStdlib is what Finder is compared with.
func BenchmarkStdlib(b *testing.B) {
	buf := logLines(benchSize)
	for name, needle := range map[string]string{"absent": "OutOfMemoryError", "absent-common-bytes": "transition", "rare": "took=777ms", "common": "terminating"} {
		b.Run(name, func(b *testing.B) {
			measure(b, benchSize, func() {
				hits(buf, func(from int) int { return after(from, bytes.Index(buf[from:], []byte(needle))) })
			})
		})
	}
	b.Run("fold-regexp", func(b *testing.B) {
		re := regexp.MustCompile(`(?i)outofmemory`)
		measure(b, benchSize, func() { re.Match(buf) })
	})
}

func after(from, pos int) int {
	if pos < 0 {
		return -1
	}
	return from + pos
}

// benchSets are literals of several numbers and lengths; none but "common" is met often.
func benchSets() map[string][][]byte {
	fifty := make([][]byte, 50)
	for i := range fifty {
		fifty[i] = []byte([]string{"Failed", "denied", "corrupt", "refused", "overflow"}[i%5] + []string{" disk", ":node", "-user", "_key", "=page",
			" lock", "(io)", "/tmp", ".xml", "@host"}[i/5])
	}
	return map[string][][]byte{
		"five":   {[]byte("error"), []byte("fatal"), []byte("panic"), []byte("Traceback"), []byte("denied")},
		"common": {[]byte("error"), []byte("warn"), []byte("fatal"), []byte("panic"), []byte("exception")},
		"three":  {[]byte("OOM"), []byte("BUG"), []byte("xid")},
		"fifty":  fifty,
	}
}

func BenchmarkSet(b *testing.B) {
	buf := logLines(benchSize)
	for name, needles := range benchSets() {
		for _, fold := range []bool{false, true} {
			s, ok := NewSet(needles, fold)
			if !ok {
				b.Errorf("no set for %s", name)
				continue
			}
			benchNext(b, fmt.Sprintf("%s/fold=%v/shape=%d", name, fold, s.kernel.shape), buf, func(from int) int {
				pos, _ := s.Next(buf, from)
				return pos
			})
		}
	}
}

// BenchmarkSetForms measures each kernel on the same literals. With few nearly nothing passes: that is
// form.nanos; with fifty it is what planOf estimates.
func BenchmarkSetForms(b *testing.B) {
	buf := logLines(benchSize)
	few := [][]byte{[]byte("OutOfMemory"), []byte("Traceback")}
	for name, needles := range map[string][][]byte{"few": few, "fifty": benchSets()["fifty"]} {
		for _, f := range forms {
			s, ok := newSet(needles, false, []form{f}, math.MaxFloat64)
			if !ok {
				b.Fatal("no set")
			}
			benchNext(b, fmt.Sprintf("%s/%d", name, f.shape), buf, func(from int) int {
				pos, _ := s.Next(buf, from)
				return pos
			})
		}
	}
}

func BenchmarkNewSet(b *testing.B) {
	for name, needles := range benchSets() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				NewSet(needles, true)
			}
		})
	}
}

func BenchmarkWindow(b *testing.B) {
	buf := logLines(benchSize)
	var digit, dot, hex, word Class
	digit.Add('0', '9')
	dot.Add('.', '.')
	hex.Add('0', '9')
	hex.Add('A', 'F')
	word.Add('A', 'Z')
	word.Add('^', '_')
	for name, classes := range map[string][]Class{
		"digit-dot-digit": {digit, dot, digit}, "digit-dot": {digit, dot}, "four-digits": {digit, digit, digit, digit},
		"sets-absent": {hex, word, hex}, "four-sets": {hex, word, hex, word},
	} {
		w, ok := NewWindow(classes)
		if !ok {
			b.Fatal("no window")
		}
		benchNext(b, name, buf, func(from int) int { return w.Next(buf, from) })
	}
}

func BenchmarkBytes(b *testing.B) {
	buf := logLines(benchSize)
	benchNext(b, "Index2", buf, func(from int) int { return after(from, Index2(buf[from:], '#', '~')) })
	benchNext(b, "Index3", buf, func(from int) int { return after(from, Index3(buf[from:], '#', '~', '^')) })
	line := bytes.Repeat([]byte("x"), 150)
	for _, pure := range []bool{false, true} {
		b.Run(map[bool]string{false: "LastIndexByte-150/avx2", true: "LastIndexByte-150/pure"}[pure], func(b *testing.B) {
			defer SetPure(SetPure(pure))
			measure(b, 1000*len(line), func() {
				for range 1000 {
					LastIndexByte(line, '\n')
				}
			})
		})
	}
}
