package feed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// line is a line of a stream and where it came from.
type line struct {
	text           string
	time           string // empty: none
	number, offset int64
}

// read reads lines, and looks each one up when it is there, as a search does.
func read(t *testing.T, l *Lines) (lines []line, err error) {
	t.Helper()
	var text []byte
	at := int64(0)
	buf := make([]byte, 1000)
	for err == nil {
		var n int
		n, err = l.Read(buf)
		for text = append(text, buf[:n]...); ; {
			i := bytes.IndexByte(text, '\n')
			if i < 0 {
				break
			}
			ns, number, offset, ok := l.Line(at)
			if !ok {
				t.Fatalf("nothing is known of %q at %d", text[:i], at)
			}
			got := line{text: string(text[:i]), number: number, offset: offset}
			if ns != NoTime {
				got.time = time.Unix(0, ns).UTC().Format("02 15:04:05.999999999")
			}
			lines = append(lines, got)
			at += int64(i) + 1
			text = text[i+1:]
			l.Release(at)
		}
	}
	if len(text) > 0 {
		t.Errorf("%q has no end", text)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return lines, err
}

func TestUnwrapDocker(t *testing.T) {
	log := []string{
		`{"log":"started\n","stream":"stdout","time":"2026-03-04T05:06:07.123456789Z"}`,
		`{"log":"said \"no\"\t\u003cb\u003e \ud83d\ude00 \u0000\\\n","stream":"stderr","time":"2026-03-04T05:06:08Z"}`,
		`{"log":"one ","stream":"stdout","attrs":{"tag":"a}\"b","n":[1,-2.5e3,null,true]},"time":"2026-03-04T05:06:09.5Z"}`,
		`{"log":"other\n","stream":"stderr","time":"2026-03-04T07:06:10+02:00"}`,
		`{"log":"two ","stream":"stdout","time":"2026-03-04T05:06:11Z"}`,
		` { "time" : "2026-03-04T05:06:12Z" , "stream" : "stdout" , "log" : "three\n" } `,
		`{"log":"cut off in the mid`,
		``,
		`{"log":"no time\n","stream":"stdout"}`,
		`{"log":"bad escape \x\n","stream":"stdout","time":"2026-03-04T05:06:13Z"}`,
		`{"log":"bad time\n","stream":"stdout","time":"yesterday"}`,
		`{"log":"\n","stream":"stdout","time":"2026-03-04T05:06:14Z"}`,
		`{"log":"a\nb\n","stream":"stdout","time":"2026-03-04T05:06:15Z"}`,
		`{"log":"err part","stream":"stderr","time":"2026-03-04T05:06:16Z"}`,
		`{"log":"the end","stream":"stdout","time":"2026-03-04T05:06:17Z"}`,
	}
	offsets := offsetsOf(log)
	want := []line{
		{"started", "04 05:06:07.123456789", 1, offsets[0]},
		{"said \"no\"\t<b> 😀 \\x00\\", "04 05:06:08", 2, offsets[1]},
		{"other", "04 05:06:10", 4, offsets[3]},
		{"one two three", "04 05:06:09.5", 3, offsets[2]},
		{log[6], "04 05:06:12", 7, offsets[6]},
		{"", "04 05:06:12", 8, offsets[7]},
		{log[8], "04 05:06:12", 9, offsets[8]},
		{log[9], "04 05:06:12", 10, offsets[9]},
		{log[10], "04 05:06:12", 11, offsets[10]},
		{"", "04 05:06:14", 12, offsets[11]},
		{"a", "04 05:06:15", 13, offsets[12]},
		{"b", "04 05:06:15", 13, offsets[12]},
		{"err part", "04 05:06:16", 14, offsets[13]},
		{"the end", "04 05:06:17", 15, offsets[14]},
	}
	same(t, Docker, log, want)
}

func TestUnwrapCRI(t *testing.T) {
	log := []string{
		`cut off at the head`,
		`2016-10-06T00:17:09.669794202Z stdout F The content of the log entry 1`,
		`2016-10-06T00:17:09.669794202Z stdout P First line of log entry 2`,
		`2016-10-06T00:17:09.669794203+02:00 stderr F in  between `,
		`2016-10-06T00:17:10.113242941Z stdout P  Second line`,
		`2016-10-06T00:17:10.113242941Z stdout F:x`,
		`2016-10-06T00:17:11.113242941Z stdout F `,
		`2016-10-06T00:17:12Z stdin F not a stream`,
		`2016-10-06T00:17:12Z stdout X no tag`,
		`2016-10-06 stdout F no time`,
		`2016-10-06T00:17:13Z stdout P never ended`,
	}
	offsets := offsetsOf(log)
	want := []line{
		{log[0], "", 1, 0},
		{"The content of the log entry 1", "06 00:17:09.669794202", 2, offsets[1]},
		{"in  between ", "05 22:17:09.669794203", 4, offsets[3]},
		{"First line of log entry 2 Second line", "06 00:17:09.669794202", 3, offsets[2]},
		{"", "06 00:17:11.113242941", 7, offsets[6]},
		{log[7], "06 00:17:11.113242941", 8, offsets[7]},
		{log[8], "06 00:17:11.113242941", 9, offsets[8]},
		{log[9], "06 00:17:11.113242941", 10, offsets[9]},
		{"never ended", "06 00:17:13", 11, offsets[10]},
	}
	same(t, CRI, log, want)
}

func offsetsOf(log []string) (offsets []int64) {
	at := int64(0)
	for _, l := range log {
		offsets = append(offsets, at)
		at += int64(len(l)) + 1
	}
	return offsets
}

// same unwraps a log, with and without a newline at its end, in reads of all sizes.
func same(t *testing.T, f Format, log []string, want []line) {
	t.Helper()
	for _, end := range []string{"", "\n"} {
		text := strings.Join(log, "\n") + end
		for name, r := range map[string]io.Reader{
			"whole": strings.NewReader(text), "bytes": iotest.OneByteReader(strings.NewReader(text)),
			"with its end": iotest.DataErrReader(strings.NewReader(text)),
		} {
			got, err := read(t, Unwrap(r, f))
			if err != nil {
				t.Error(err)
			}
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					t.Errorf("%s, line %d:\n got %+v\nwant %+v", name, i, got[min(i, len(got)):], want[min(i, len(want)):])
					break
				}
			}
		}
	}
}

func TestUnwrapSaysWhenNothingIsWrapped(t *testing.T) {
	got, err := read(t, Unwrap(strings.NewReader("plain\nlines\n"), CRI))
	if len(got) != 2 || got[1].text != "lines" || !errors.Is(err, ErrFormat) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := read(t, Unwrap(strings.NewReader(""), CRI)); got != nil || err != nil {
		t.Errorf("an empty log: %+v, %v", got, err)
	}
	broken := io.MultiReader(strings.NewReader("2016-10-06T00:17:13Z stdout F fine\nhalf"), iotest.ErrReader(os.ErrPermission))
	if got, err := read(t, Unwrap(broken, CRI)); len(got) != 2 || !errors.Is(err, os.ErrPermission) {
		t.Errorf("%+v, %v", got, err)
	}
}

// However long a line is, wrapped or not, little of it is kept and nothing lost.
func TestUnwrapLongLines(t *testing.T) {
	part := strings.Repeat("x", 15_000)
	var log strings.Builder
	const parts = 1000
	for range parts {
		fmt.Fprintf(&log, "2016-10-06T00:17:13Z stdout P %s\n", part)
	}
	log.WriteString("2016-10-06T00:17:14Z stdout F y\n" + strings.Repeat("z", 3*maxLine) + "\n2016-10-06T00:17:15Z stdout F end")
	l := Unwrap(strings.NewReader(log.String()), CRI)
	got, err := io.ReadAll(l)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(got), "\n")
	xs := 0
	for _, line := range lines[:len(lines)-3] {
		if xs += strings.Count(line, "x"); len(line) > maxLine+len(part) {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	if xs != parts*len(part) || len(lines[len(lines)-3]) != 3*maxLine || lines[len(lines)-2] != "end" {
		t.Errorf("%d of %d bytes joined; %d lines", xs, parts*len(part), len(lines))
	}
	if cap(l.out) > 4*maxLine {
		t.Errorf("%d bytes were kept", cap(l.out))
	}
}

// What was not released is bounded in number.
func TestOriginsAreBounded(t *testing.T) {
	l := Unwrap(strings.NewReader(strings.Repeat("\n", 2*maxOrigins)+"2016-10-06T00:17:14Z stdout F y\n"), CRI)
	if _, err := io.Copy(io.Discard, l); err != nil {
		t.Fatal(err)
	}
	if len(l.origins) > maxOrigins {
		t.Errorf("%d origins", len(l.origins))
	}
	if _, number, _, ok := l.Line(2 * maxOrigins); !ok || number != 2*maxOrigins+1 {
		t.Errorf("%d, %v", number, ok)
	}
	if _, _, _, ok := l.Line(0); ok {
		t.Error("the first line is still known")
	}
}

// FuzzDocker: what json.Marshal writes is read back, whole or in parts, and what is damaged is not lost.
func FuzzDocker(f *testing.F) {
	f.Add("text", "stdout", int64(1_700_000_000_123_456_789), []byte(`{"log":"a`))
	f.Add("\"\\ \u2028\x00\xff<&>", "stderr", int64(0), []byte(`{"log":"a\u12","time":"2026-03-04T05:06:07Z"}`))
	f.Add("a\nb", "", int64(-1), []byte(`{"a":{"b":["}"]},"log":"x\\","time":"2026-03-04T05:06:07Z"} x`))
	f.Fuzz(func(t *testing.T, text, stream string, ns int64, damaged []byte) {
		if len(text) > 1000 || len(damaged) > 1000 || bytes.IndexByte(damaged, '\n') >= 0 {
			return
		}
		type wrapped struct {
			Log    string    `json:"log"`
			Stream string    `json:"stream"`
			Time   time.Time `json:"time"`
		}
		when := time.Unix(0, ns).UTC()
		first, err := json.Marshal(wrapped{text, stream, when})
		if err != nil || when.Year() < 1678 || when.Year() > 2261 {
			return
		}
		last, _ := json.Marshal(wrapped{".\n", stream, when})
		var back wrapped
		if err := json.Unmarshal(first, &back); err != nil {
			t.Fatal(err)
		}
		log := string(first) + "\n" + string(last) + "\n" + string(damaged) + "\n"
		got, err := io.ReadAll(Unwrap(strings.NewReader(log), Docker))
		want := strings.ReplaceAll(back.Log, "\x00", `\x00`) + ".\n" // joined, or two lines
		if err != nil || !strings.HasPrefix(string(got), want) {
			t.Fatalf("%s gives %q, %v, not %q", log, got, err, want)
		}
		rest := string(got[len(want):])
		if !json.Valid(damaged) && rest != string(damaged)+"\n" && !lenient(damaged) {
			t.Errorf("%q became %q", damaged, rest)
		}
	})
}

// lenient tells that a line is JSON but for characters that only json.Valid minds: those below blank
// in strings, values that look like numbers, invalid UTF-8 in keys.
func lenient(line []byte) bool {
	log, time := false, false
	return members(line, func(m member) {
		log = log || string(m.key) == "log" && m.isString()
		time = time || string(m.key) == "time" && m.isString()
	}) && log && time
}

// FuzzCRI: whatever the lines, none is lost.
func FuzzCRI(f *testing.F) {
	f.Add([]byte("2016-10-06T00:17:09.669794202Z stdout P a\n2016-10-06T00:17:09.669794202Z stderr F b\nc\n"))
	f.Add([]byte("2016-10-06T00:17:09.6+02:00 stdout F:x\n2016-13-06T00:17:09Z stdout F a"))
	f.Fuzz(func(t *testing.T, log []byte) {
		a, aErr := read(t, Unwrap(bytes.NewReader(log), CRI))
		b, bErr := read(t, Unwrap(iotest.OneByteReader(bytes.NewReader(log)), CRI))
		if !reflect.DeepEqual(a, b) || fmt.Sprint(aErr) != fmt.Sprint(bErr) {
			t.Errorf("in one read %+v %v, in many %+v %v", a, aErr, b, bErr)
		}
		given, came := 0, 0
		for _, l := range bytes.Split(log, []byte("\n")) {
			if i := bytes.LastIndexByte(l, ' '); i < 0 { // not a wrapped line: given as it is
				came += len(l)
			}
		}
		for _, l := range a {
			given += len(l.text)
		}
		if given < came {
			t.Errorf("%d bytes of %d", given, came)
		}
	})
}

// An oracle of times: those of the standard library.
func FuzzStamp(f *testing.F) {
	f.Add("2016-10-06T00:17:09.669794202Z")
	f.Add("2016-02-30T00:17:09-07:00")
	f.Add("2016-02-28T23:59:60.1234567891+0000")
	f.Fuzz(func(t *testing.T, text string) {
		var s stamp
		for range 2 { // the second time from memory
			ns, ok := s.parse([]byte(text))
			want, err := time.Parse(time.RFC3339Nano, text)
			if ok && err == nil && ns != want.UnixNano() {
				t.Errorf("%q is %d, not %d", text, ns, want.UnixNano())
			}
			if err != nil || want.Year() < 1678 || want.Year() > 2261 {
				continue
			}
			written := want.Format(time.RFC3339Nano)
			if ns, ok := s.parse([]byte(written)); !ok || ns != want.UnixNano() {
				t.Errorf("%q is %d, %v", written, ns, ok)
			}
		}
	})
}

func benchmarkUnwrap(b *testing.B, f Format, line string) {
	log := []byte(strings.Repeat(line+"\n", 10_000))
	b.SetBytes(int64(len(log)))
	buf := make([]byte, 96<<10)
	for b.Loop() {
		l := Unwrap(bytes.NewReader(log), f)
		for {
			_, err := l.Read(buf)
			if err != nil {
				break
			}
			l.Release(l.made)
		}
	}
}

func BenchmarkDocker(b *testing.B) {
	benchmarkUnwrap(b, Docker, `{"log":"192.0.2.7 - - [06/Oct/2016:00:17:09 +0000] \"GET /index.html HTTP/1.1\" 200 5124 \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"\n","stream":"stdout","time":"2016-10-06T00:17:09.669794202Z"}`)
}

func BenchmarkCRI(b *testing.B) {
	benchmarkUnwrap(b, CRI, `2016-10-06T00:17:09.669794202Z stdout F 192.0.2.7 - - [06/Oct/2016:00:17:09 +0000] "GET /index.html HTTP/1.1" 200 5124 "-" "Mozilla/5.0 (X11; Linux x86_64)"`)
}
