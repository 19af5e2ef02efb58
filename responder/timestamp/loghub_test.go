package timestamp

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// loghubFolder holds eight real logs of 2,000 lines, and their licence.
const loghubFolder = "../../e2e/testdata/loghub/"

// loghub says how the time package reads each file: a layout, and where its text begins.
var loghub = []struct {
	file, name, layout string
	start              func(line string) int
}{
	{"Apache", `Mon Jan 02 15:04:05 2006 in "["`, "Mon Jan 02 15:04:05 2006", at(1)},
	{"HDFS", `060102 150405`, "060102 150405", at(0)},
	{"Hadoop", `2006-01-02 15:04:05,000`, "2006-01-02 15:04:05,000", at(0)},
	{"Linux", `Jan 02 15:04:05`, "Jan _2 15:04:05", at(0)},
	{"OpenSSH", `Jan 02 15:04:05`, "Jan _2 15:04:05", at(0)},
	{"OpenStack", `2006-01-02 15:04:05.000 behind the first field`, "2006-01-02 15:04:05.000", func(line string) int { return strings.Index(line, " ") + 1 }},
	{"Spark", `06/01/02 15:04:05`, "06/01/02 15:04:05", at(0)},
	{"Zookeeper", `2006-01-02 15:04:05,000`, "2006-01-02 15:04:05,000", at(0)},
}

func at(n int) func(string) int { return func(string) int { return n } }

func readLoghub(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(loghubFolder + name + "_2k.log")
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// headOf returns the whole lines of the first 64 KiB.
func headOf(data []byte) []byte {
	if len(data) <= 64<<10 {
		return data
	}
	return data[:bytes.LastIndexByte(data[:64<<10], '\n')+1]
}

func TestLoghub(t *testing.T) {
	written := time.Date(2017, 12, 12, 10, 0, 0, 0, time.UTC)
	for _, file := range loghub {
		data := readLoghub(t, file.file)
		for _, zone := range []*time.Location{time.UTC, berlin, mustZone("Asia/Kolkata")} {
			form, ok := Detect(headOf(data), Options{Zone: zone, ModTime: written, Tail: data[len(data)/2:]})
			if !ok {
				t.Fatalf("%s: no form", file.file)
			}
			if form.Name() != file.name {
				t.Errorf("%s: form %s, want %s", file.file, form.Name(), file.name)
			}
			reader := form.NewReader()
			dated, lines := 0, 0
			for line := range linesOf(data) {
				lines++
				want, known := oracle(file.layout, string(line), file.start, zone)
				if got, ok := reader.Time(line); ok != known || known && got != want.UnixNano() {
					t.Fatalf("%s: %s: %v, %v; want %v, %v", file.file, line, time.Unix(0, got), ok, want, known)
				}
				if known {
					dated++
				}
			}
			if lines < 2000 || dated < 1990 {
				t.Errorf("%s: %d of %d lines have a time", file.file, dated, lines)
			}
		}
	}
}

// oracle reads the line with the time package; lines without a year are of 2017.
func oracle(layout, line string, start func(string) int, zone *time.Location) (time.Time, bool) {
	from := start(line)
	size := len(layout)
	if from+size > len(line) {
		return time.Time{}, false
	}
	want, err := time.ParseInLocation(layout, line[from:from+size], zone)
	if err != nil {
		return time.Time{}, false
	}
	if want.Year() == 0 {
		want = time.Date(2017, want.Month(), want.Day(), want.Hour(), want.Minute(), want.Second(), 0, zone)
	}
	return want, true
}

// benchLines are generated lines of forms that loghub does not have, a time in each.
var benchLines = map[string]string{
	"rfc3339nano":  `2006-01-02T15:04:05.000000000Z07:00 INFO request served in 12 ms`,
	"json-first":   `{"ts":"2006-01-02T15:04:05.000Z07:00","level":"info","msg":"request served","status":200}`,
	"json-behind":  `{"level":"info","caller":"server/handler.go:123","msg":"request served","status":200,"time":"2006-01-02T15:04:05.000Z07:00"}`,
	"logfmt":       `level=info ts=2006-01-02T15:04:05.000Z07:00 caller=main.go:12 msg="request served"`,
	"clf":          `203.0.113.99 - - [02/Jan/2006:15:04:05 -0700] "GET /index.html HTTP/1.1" 200 2326`,
	"am-pm":        `1/2/2006 3:04:05 PM request served`,
	"klog":         `I0102 15:04:05.000000   4711 handler.go:123] request served`,
	"docker-long":  `{"log":"request served by the second of four backends after one retry, in twelve milliseconds\n","stream":"stdout","time":"2006-01-02T15:04:05.000000000Z"}`,
	"apache-error": `[Mon Jan 02 15:04:05.000000 2006] [core:notice] [pid 4711] request served`,
}

func generated(layout string) []byte {
	var b bytes.Buffer
	at := time.Date(2024, 1, 30, 12, 0, 0, 0, time.UTC)
	for range 2000 {
		at = at.Add(1234567891 * 47)
		b.WriteString(at.Format(layout) + "\n")
	}
	return b.Bytes()
}

func BenchmarkTime(b *testing.B) {
	for _, file := range loghub {
		b.Run(file.file, func(b *testing.B) { benchmarkTime(b, readLoghub(b, file.file)) })
	}
	for name, layout := range benchLines {
		b.Run(name, func(b *testing.B) { benchmarkTime(b, generated(layout)) })
	}
	var counts bytes.Buffer
	for i := range 2000 {
		counts.WriteString(strconv.Itoa(1704207845+i*i) + ".123 request served\n")
	}
	b.Run("epoch", func(b *testing.B) { benchmarkTime(b, counts.Bytes()) })
	b.Run("stack-trace", func(b *testing.B) {
		benchmarkLines(b, generated("2006-01-02 15:04:05,000 ERROR failed"), [][]byte{[]byte("\tat com.example.Main.main(Main.java:123)"), []byte("Caused by: java.io.IOException: no")})
	})
}

func benchmarkTime(b *testing.B, data []byte) {
	var lines [][]byte
	for line := range linesOf(data) {
		lines = append(lines, line)
	}
	benchmarkLines(b, data, lines)
}

// benchmarkLines reports the best pass, too: on a machine with other work the mean says little.
func benchmarkLines(b *testing.B, data []byte, lines [][]byte) {
	form, ok := Detect(headOf(data), Options{Zone: berlin, ModTime: modTime})
	if !ok {
		b.Fatal("no form")
	}
	for len(lines) < 2000 { // so that looking at the watch costs nothing
		lines = append(lines, lines...)
	}
	reader := form.NewReader()
	best := time.Duration(math.MaxInt64)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += len(lines) {
		begun := time.Now()
		for _, line := range lines {
			reader.Time(line)
		}
		best = min(best, time.Since(begun))
	}
	b.ReportMetric(float64(best)/float64(len(lines)), "best-ns/line")
}

func BenchmarkDetect(b *testing.B) {
	for _, file := range loghub {
		data := headOf(readLoghub(b, file.file))
		b.Run(file.file, func(b *testing.B) {
			for b.Loop() {
				if _, ok := Detect(data, Options{Zone: berlin, ModTime: modTime}); !ok {
					b.Fatal("no form")
				}
			}
		})
	}
}

// BenchmarkParse is what the time package needs, to compare with.
func BenchmarkParse(b *testing.B) {
	text := "2015-07-29 17:41:44,747"
	for b.Loop() {
		if _, err := time.ParseInLocation("2006-01-02 15:04:05,000", text, time.UTC); err != nil {
			b.Fatal(err)
		}
	}
}
