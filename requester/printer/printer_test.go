package printer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/schemas"
)

func text(o Options) Options {
	o.Terminator, o.Separator = '\n', "--"
	return o
}

func printed(t *testing.T, o Options, chunks ...schemas.Chunk) string {
	t.Helper()
	var b bytes.Buffer
	p := New(&b, o)
	for i := range chunks {
		if err := p.Print("n1", &chunks[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func lines(s string) schemas.Chunk { return schemas.Chunk{Service: "web", File: "f", Text: []byte(s)} }

func TestText(t *testing.T) {
	full := schemas.Chunk{
		File: "f", Text: []byte("one\ntwo\n\nfour\n"), Numbers: []int64{1, 2, 7, 8}, Offsets: []int64{0, 4, 30, 31},
		Context: []int64{1, 1, 1, 1}, Groups: []int64{0, 2},
	}
	for name, c := range map[string]struct {
		o      Options
		chunks []schemas.Chunk
		want   string
	}{
		"bare":        {text(Options{}), []schemas.Chunk{lines("a\nb\n")}, "a\nb\n"},
		"node":        {text(Options{Node: true}), []schemas.Chunk{lines("a\nb\n")}, "n1:a\nn1:b\n"},
		"all":         {text(Options{Node: true, File: true, Number: true, Offset: true}), []schemas.Chunk{full}, "n1:f:1:0:one\nn1-f-2-4-two\n--\nn1:f:7:30:\nn1-f-8-31-four\n"},
		"tab":         {text(Options{File: true, InitialTab: true}), []schemas.Chunk{full}, "f:\tone\nf-\ttwo\n--\nf:\nf-\tfour\n"},
		"null":        {text(Options{File: true, NullName: true, NoGroups: true}), []schemas.Chunk{full}, "f\x00one\nf\x00two\nf\x00\nf\x00four\n"},
		"count":       {text(Options{Node: true, File: true}), []schemas.Chunk{{Kind: schemas.ChunkCount, File: "f", Count: 3}}, "n1:f:3\n"},
		"count, null": {text(Options{File: true, NullName: true}), []schemas.Chunk{{Kind: schemas.ChunkCount, File: "f", Count: 3}}, "f\x003\n"},
		"file":        {text(Options{Node: true}), []schemas.Chunk{{Kind: schemas.ChunkFile, File: "f"}}, "n1:f\n"},
		"pieces": {text(Options{Node: true}), []schemas.Chunk{
			{File: "f", Text: []byte("a\nlo"), More: true}, {File: "f", Text: []byte("n"), More: true, Continues: true}, {File: "f", Text: []byte("g\nb\n"), Continues: true},
		}, "n1:a\nn1:long\nn1:b\n"},
		"groups without lines": {text(Options{Node: true}), []schemas.Chunk{
			{File: "f", Text: []byte("a\n"), Groups: []int64{0, 1}}, {File: "f", Text: []byte("b\n"), Groups: []int64{0}},
		}, "n1:a\n--\n--\nn1:b\n"},
		"terminal": {text(Options{Node: true, Escape: true}), []schemas.Chunk{lines("\x1b[2J\tü\xff\u009b\r\n")}, "n1:\\x1b[2J\tü\\xff\\xc2\\x9b\r\n"},
		"-z":       {Options{Node: true, Separator: "--"}, []schemas.Chunk{lines("a\nb\x00c\x00")}, "n1:a\nb\x00n1:c\x00"},
	} {
		if got := printed(t, c.o, c.chunks...); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, c.want)
		}
	}
}

// The bytes of GNU grep 3.8 with GREP_COLORS=sl=1:cx=2:rv and the like are compared by the tests of
// cmd/trawl; these are the rules one by one.
func TestColors(t *testing.T) {
	spans := func(dst []int, line []byte) []int {
		if i := bytes.Index(line, []byte("foo")); i >= 0 {
			dst = append(dst, i, i+3)
		}
		return dst
	}
	for _, c := range []struct {
		env, want string
		o         Options
	}{
		{"", "\x1b[35m\x1b[Kf\x1b[m\x1b[K\x1b[36m\x1b[K:\x1b[m\x1b[Ka \x1b[01;31m\x1b[Kfoo\x1b[m\x1b[K b\r\n", Options{File: true}},
		{"ne:mt=1:fn=:se=", "f:a \x1b[1mfoo\x1b[m b\r\n", Options{File: true}},
		{"ne:sl=7:mt=1", "\x1b[7ma \x1b[1mfoo\x1b[m\x1b[7m b\x1b[m\r\n", Options{}},
		{"ne:mt=1:nonsense=x:sl=7", "a \x1b[1mfoo\x1b[m b\r\n", Options{}},
		{"ne:cx=2:rv", "\x1b[2ma foo b\x1b[m\r\n", Options{Invert: true}},
	} {
		colors := ParseColors(c.env, "")
		c.o.Colors, c.o.Spans = &colors, spans
		if got := printed(t, text(c.o), lines("a foo b\r\n")); got != c.want {
			t.Errorf("GREP_COLORS=%s:\n got %q\nwant %q", c.env, got, c.want)
		}
	}
	if got := ParseColors("", "1;36").MatchContext; got != "1;36" {
		t.Errorf("GREP_COLOR: %q", got)
	}
}

func TestJSON(t *testing.T) {
	c := schemas.Chunk{
		Service: "web", File: "f\xff", Text: []byte("a \"q\"\\\x01\tü\nb\xffd\n"), Numbers: []int64{1, 2}, Offsets: []int64{0, 9},
		Times: []int64{1_700_000_000_000_000_001, schemas.NoTime}, Context: []int64{1, 1},
	}
	want := `{"type":"match","node":"n1","service":"web","file":"f\ufffd","line":1,"offset":0,"time":"2023-11-14T22:13:20.000000001Z","text":"a \"q\"\\\u0001\tü"}
{"type":"context","node":"n1","service":"web","file":"f\ufffd","line":2,"offset":9,"time":null,"bytes":"Yv9k"}
{"type":"count","node":"n1","service":"","file":"g","count":2}
{"type":"file","node":"n1","service":"","file":"g"}
{"type":"binary","node":"n1","service":"","file":"g"}
`
	got := printed(t, text(Options{JSON: true}), c, schemas.Chunk{Kind: schemas.ChunkCount, File: "g", Count: 2},
		schemas.Chunk{Kind: schemas.ChunkFile, File: "g"}, schemas.Chunk{Kind: schemas.ChunkBinary, File: "g"})
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A line in pieces is one object, unless it is very long; then it is cut between characters.
func TestJSONPieces(t *testing.T) {
	long := strings.Repeat("ü", pieceSize)
	var chunks []schemas.Chunk
	for i := 0; i < len(long); i += 99_999 {
		chunks = append(chunks, schemas.Chunk{File: "f", Text: []byte(long[i:min(len(long), i+99_999)]), More: true, Continues: i > 0})
	}
	chunks = append(chunks, schemas.Chunk{File: "f", Text: []byte("\nnext\n"), Continues: true})
	var got strings.Builder
	objects := 0
	for line := range strings.Lines(printed(t, text(Options{JSON: true}), chunks...)) {
		var o struct {
			Text            *string
			More, Continues bool
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil || o.Text == nil {
			t.Fatalf("%v: %.200s", err, line)
		}
		if objects++; *o.Text == "next" {
			continue
		}
		if o.Continues != (objects > 1) {
			t.Errorf("object %d: continues %v", objects, o.Continues)
		}
		got.WriteString(*o.Text)
	}
	if got.String() != long || objects < 3 {
		t.Errorf("%d bytes in %d objects, want %d bytes", got.Len(), objects, len(long))
	}
}

func TestUnfinishedLine(t *testing.T) {
	var b bytes.Buffer
	p := New(&b, text(Options{Node: true}))
	begin := schemas.Chunk{File: "f", Text: []byte("lo"), More: true}
	if err := p.Print("n1", &begin); err != nil {
		t.Fatal(err)
	}
	if node, file, ok := p.Unfinished(); node != "n1" || file != "f" || !ok {
		t.Errorf("unfinished: %s %s %v", node, file, ok)
	}
	other := lines("x\n")
	if err := p.Print("n2", &other); !errors.Is(err, ErrUnfinished) {
		t.Errorf("another node's chunk: %v", err)
	}
	if err := p.Abandon(); err != nil {
		t.Fatal(err)
	}
	if err := p.Print("n2", &other); err != nil {
		t.Errorf("after Abandon: %v", err)
	}
	if err := p.Flush(); err != nil || b.String() != "n1:lo\nn2:x\n" {
		t.Errorf("%v, %q", err, b.String())
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWriteError(t *testing.T) {
	p := New(brokenPipe{}, text(Options{LineBuffered: true}))
	c := lines("a\n")
	for range 2 {
		if err := p.Print("n", &c); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("got %v", err)
		}
	}
}

// What is not to be seen is written out, unless it is how a script or an emoji is spelt.
func TestInvisibleIsEscaped(t *testing.T) {
	for in, want := range map[string]string{
		"user\u202egpj.exe": `user\xe2\x80\xaegpj.exe`, "a\u2066b\u2069": `a\xe2\x81\xa6b\xe2\x81\xa9`, "pass\u200bword": `pass\xe2\x80\x8bword`,
		"\ufeffhead": `\xef\xbb\xbfhead`, "a\u2028b": `a\xe2\x80\xa8b`, "soft\u00adhyphen": `soft\xc2\xadhyphen`, "a\u061cb": `a\xd8\x9cb`,
		"pass\u200dword": `pass\xe2\x80\x8dword`, "می\u200cخواهم": "می\u200cخواهم", "👩\u200d💻 é ß 日本": "👩\u200d💻 é ß 日本", "\u0600": "\u0600", "x\u200d": `x\xe2\x80\x8d`,
	} {
		if got := string(AppendEscaped(nil, []byte(in))); got != want {
			t.Errorf("%+q is shown as %+q, want %+q", in, got, want)
		}
	}
}

// Whatever a log holds, nothing reaches a terminal that it could act upon, and JSON stays JSON.
func FuzzEscapes(f *testing.F) {
	f.Add([]byte("a\x1b[31m\u009bx\x7f\xc2\xff\t"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for s := string(AppendEscaped(nil, b)); len(s) > 0; {
			r, n := utf8.DecodeRuneInString(s)
			if r == 0xad || r >= 0x2028 && r <= 0x202e || r == 0x200b || r >= 0x2060 && r < 0x2070 || r == 0xfeff {
				t.Fatalf("%q lets %q through", b, s[:n])
			}
			if r == utf8.RuneError && n == 1 || r < 0x20 && r != '\t' || r >= 0x7f && r < 0xa0 {
				t.Fatalf("%q lets %q through", b, s[:n])
			}
			s = s[n:]
		}
		line := strings.ReplaceAll(string(b), "\n", "")
		var o struct{ Text, Bytes *string }
		if err := json.Unmarshal([]byte(printed(t, text(Options{JSON: true}), lines(line+"\n"))), &o); err != nil {
			t.Fatal(err)
		}
		if o.Text == nil {
			raw, _ := base64.StdEncoding.DecodeString(*o.Bytes)
			line2 := string(raw)
			o.Text = &line2
		}
		if *o.Text != line {
			t.Fatalf("%q came out as %q", line, *o.Text)
		}
	})
}

func TestAllocatesNothingPerLine(t *testing.T) {
	c := lines(strings.Repeat("a line\n", 10_000))
	p := New(io.Discard, text(Options{Node: true, File: true}))
	if n := testing.AllocsPerRun(10, func() { _ = p.Print("n1", &c) }); n > 2 {
		t.Errorf("%v allocations for 10,000 lines", n)
	}
}

func BenchmarkPrefix(b *testing.B) {
	c := lines(strings.Repeat("2026-11-22T14:30:00Z a line of a log that is about as long as others are\n", 1300))
	p := New(io.Discard, text(Options{Node: true, File: true}))
	b.SetBytes(int64(len(c.Text)))
	for b.Loop() {
		_ = p.Print("n1", &c)
	}
}
