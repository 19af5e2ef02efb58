package schemas

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/vmihailenco/msgpack/v5"
)

// library decodes msg as a stranger would, with nothing but a msgpack library.
func library(t *testing.T, msg []byte) []any {
	t.Helper()
	dec := msgpack.NewDecoder(bytes.NewReader(msg))
	v, err := dec.DecodeInterface()
	if err != nil {
		t.Fatal(err)
	}
	return v.([]any)
}

func TestAStrangerCanDecode(t *testing.T) {
	for name, msg := range samples() {
		if v := library(t, msg); fmt.Sprint(v[0]) != "1" {
			t.Errorf("%s starts with %v, not the version", name, v[0])
		}
	}
	data := library(t, samples()["packed"])[4].([]any)
	raw, err := snappy.Decode(nil, data[3].([]byte))
	if err != nil || fmt.Sprint(len(raw)) != fmt.Sprint(data[1]) {
		t.Fatalf("%d bytes of chunks, raw says %v: %v", len(raw), data[1], err)
	}
	dec := msgpack.NewDecoder(bytes.NewReader(raw))
	chunks, err := dec.DecodeInterface()
	if err != nil {
		t.Fatal(err)
	}
	if text := chunks.([]any)[0].([]any)[3].([]byte); len(text) != 2800 {
		t.Errorf("text of %d bytes, want 2800", len(text))
	}
}

// later re-encodes msg as a later version of the writer would: with extra fields behind.
func later(t *testing.T, msg []byte, extra ...any) []byte {
	t.Helper()
	fields := library(t, msg)
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	_ = enc.EncodeArrayLen(len(fields) + len(extra))
	rest := msg[1:]
	if msg[0] == 0xdc {
		rest = msg[3:]
	}
	buf.Write(rest)
	for _, v := range extra {
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

func TestExtraFieldsAreSkipped(t *testing.T) {
	for name, msg := range samples() {
		if name == "query" || name == "node" {
			msg = later(t, msg, nil) // without the last field, which is only written where there is something to say
		}
		want, err := decode(name, msg)
		if err != nil {
			t.Fatal(err)
		}
		ext := later(t, msg, 1.5, "text", []any{1, []any{nil, map[string]any{"k": []byte("v")}}}, strings.Repeat("x", 300), -70000, true)
		got, err := decode(name, ext)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v: %+v", name, err, got)
		}
	}
}

func TestQueryOfFourFieldsLessIsTaken(t *testing.T) {
	want := sampleQuery()
	want.Server, want.Host, want.Select.NameRuns, want.Last = "", "", nil, 0
	msg := AppendQuery(nil, want)
	old := append([]byte{0xdc, 0, queryFieldsOld + 1}, msg[3:len(msg)-4]...)
	got, err := DecodeQuery(old)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: %+v", err, got)
	}
}

func TestChunkOfTwoFieldsLessIsTaken(t *testing.T) {
	with := AppendFrame(nil, &Frame{Run: 5, Seq: 2, Data: &Data{Chunks: []Chunk{{File: "f", Text: []byte("a\n")}}}})
	at := bytes.Index(with, []byte{0x90 + chunkFields, 0})
	old := bytes.Clone(with[:len(with)-4]) // the two bodies that are absent, and the fields
	old[at] = 0x90 + chunkFieldsOld
	old = append(old, 0xc0, 0xc0)
	for _, length := range []int{at - 2, at - 8} { // of the bin that holds the list of the chunk, and raw
		old[length] -= 2
	}
	f, err := DecodeFrame(old)
	if err != nil || string(f.Data.Chunks[0].Text) != "a\n" || f.Data.Chunks[0].Size != 0 {
		t.Errorf("%x: %v", old, err)
	}
}

func TestNestingIsBounded(t *testing.T) {
	base := samples()["control"]
	fields := base[1:]
	with := func(depth int) []byte {
		msg := append([]byte{0x97}, fields...)
		return append(append(msg, bytes.Repeat([]byte{0x91}, depth)...), 0xc0)
	}
	if _, err := DecodeControl(with(maxDepth - 1)); err != nil {
		t.Errorf("depth %d: %v", maxDepth-1, err)
	}
	if _, err := DecodeControl(with(maxDepth)); err == nil {
		t.Errorf("depth %d is taken", maxDepth)
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	for name, msg := range samples() {
		for n := range len(msg) {
			if v, err := decode(name, msg[:n]); err == nil {
				t.Fatalf("%s: %d of %d bytes decode to %+v", name, n, len(msg), v)
			}
		}
		if _, err := decode(name, append(bytes.Clone(msg), 0)); err == nil {
			t.Errorf("%s: a trailing byte is taken", name)
		}
	}
}

func TestRefusalsNameTheField(t *testing.T) {
	query := func(change func(*Query)) []byte { q := sampleQuery(); change(q); return AppendQuery(nil, q) }
	standing := func(change func(*Standing)) []byte { s := sampleStanding(); change(s); return AppendStanding(nil, s) }
	live := func(change func(*Live)) []byte { l := sampleLive(); change(l); return AppendLive(nil, l) }
	frame := func(f Frame) []byte { return AppendFrame(nil, &f) }
	lines := &Data{Chunks: []Chunk{{Text: []byte("x\n")}}}
	for field, msg := range map[string][]byte{
		"standing.name":   standing(func(s *Standing) { s.Name = "a.b" }),
		"standing.rate":   standing(func(s *Standing) { s.Rate = MaxLiveRate + 1 }),
		"standing.sample": standing(func(s *Standing) { s.Sample = 0 }),
		"standing.query":  standing(func(s *Standing) { s.Query.Limit = 1 }),
		"live.name":       live(func(l *Live) { l.Name = "" }),
		"live.seq":        live(func(l *Live) { l.Seq = 0 }),
		"live.matched":    live(func(l *Live) { l.Matched = 122 }),
		"live.data":       live(func(l *Live) { l.Data.Offset = 1 }),
		"query.id":        query(func(q *Query) { q.ID = "a.b" }),
		"query.client":    query(func(q *Query) { q.Client = "" }),
		"query.user":      query(func(q *Query) { q.User = "a b" }),
		"query.patterns":  query(func(q *Query) { q.Patterns = nil }),
		"query.syntax":    query(func(q *Query) { q.Syntax = 9 }),
		"query.mode":      query(func(q *Query) { q.Mode = 9 }),
		"query.columns":   query(func(q *Query) { q.Columns = 16 }),
		"query.order":     query(func(q *Query) { q.Order = 3 }),
		"query.binary":    query(func(q *Query) { q.Binary = 3 }),
		"query.before":    query(func(q *Query) { q.Before = -1 }),
		"query.timeout":   query(func(q *Query) { q.Timeout = 0 }),
		"query.jitter":    query(func(q *Query) { q.Jitter = 1 << 40 }),
		"query.threads":   query(func(q *Query) { q.Threads = 1 << 20 }),
		"query.until":     query(func(q *Query) { q.Until = 5 }),
		"query.nodes":     query(func(q *Query) { q.Select.Nodes = make([]string, MaxGlobs+1) }),
		"query.paths":     query(func(q *Query) { q.Select.Paths = []string{strings.Repeat("x", MaxGlob+1)} }),
		"query.labels":    query(func(q *Query) { q.Select.Labels = []Label{{}} }),
		"query":           query(func(q *Query) { q.Patterns = []string{strings.Repeat("x", MaxBare)} }),
		"frame.run":       frame(Frame{Seq: 1, Hello: sampleHello()}),
		"frame.seq":       frame(Frame{Run: 1, Seq: 0, Data: lines}),
		"frame":           frame(Frame{Run: 1, Seq: 2, Data: lines, End: &End{}}),
		"data.chunks":     frame(Frame{Run: 1, Seq: 2, Data: &Data{}}),
		"data.raw":        frame(Frame{Run: 1, Seq: 2, Data: &Data{Chunks: []Chunk{{Text: make([]byte, MaxRaw)}}}}),
		"chunk.kind":      frame(Frame{Run: 1, Seq: 2, Data: &Data{Chunks: []Chunk{{Kind: 9, File: "x"}}}}),
		"chunk.text":      frame(Frame{Run: 1, Seq: 2, Data: &Data{Chunks: []Chunk{{File: "x"}}}}),
		"chunk.count":     frame(Frame{Run: 1, Seq: 2, Data: &Data{Chunks: []Chunk{{Kind: ChunkCount, Count: -1}}}}),
		"end.status":      frame(Frame{Run: 1, Seq: 2, End: &End{Status: StatusDown}}),
		"control.resend":  AppendControl(nil, &Control{Ack: 5, Resend: 5}),
		"control.limit":   AppendControl(nil, &Control{Limit: -1}),
		"node.name":       AppendNode(nil, &Node{Name: "a*", Instance: "i"}),
		"node.groups":     AppendNode(nil, &Node{Name: "a", Instance: "i", Groups: []string{"x.y"}}),
	} {
		_, err := decode(strings.Split(field, ".")[0], msg)
		var fe *FieldError
		if !errors.As(err, &fe) || fe.Field != field {
			t.Errorf("%s: error is %v", field, err)
		}
	}
}

// TestHugeLengths guards against what the library does with them: 5 bytes made it allocate 512 MB.
func TestHugeLengths(t *testing.T) {
	huge := [][]byte{
		{0xdd, 0xff, 0xff, 0xff, 0xff}, {0xc6, 0xff, 0xff, 0xff, 0xff}, {0xdb, 0xff, 0xff, 0xff, 0xff}, {0xdf, 0xff, 0xff, 0xff, 0xff},
		{0xdc, 0xff, 0xff}, {0xc9, 0xff, 0xff, 0xff, 0xff},
	}
	for name, msg := range samples() {
		for at := 1; at < len(msg); at++ {
			for _, h := range huge {
				evil := append(append(bytes.Clone(msg[:at]), h...), msg[at:]...)
				if used := allocated(func() { _, _ = decode(name, evil) }); used > allocBudget(len(evil)) {
					t.Fatalf("%s with %x at %d: %d bytes allocated for %d", name, h, at, used, len(evil))
				}
			}
		}
	}
}

func TestSmallFramesFit(t *testing.T) {
	long := strings.Repeat("long ", 2000)
	e := &End{Status: StatusPartial, Reason: long, Lines: 1 << 62, Chunks: 1 << 62, RawBytes: 1 << 62, TextBytes: 1 << 62, BytesRead: 1 << 62,
		BytesConsidered: 1 << 62, Files: 1 << 62, Blocks: Blocks{1 << 62, 1 << 62, 1 << 62, 1 << 62, 1 << 62}, Elapsed: 1 << 62}
	for range 100 {
		e.Errors = append(e.Errors, FileError{long, long})
	}
	h := &Hello{Instance: long, Host: long, Version: long, Files: 1 << 62, Bytes: 1 << 62}
	for name, f := range map[string]*Frame{
		"hello":     {Run: 1 << 63, Seq: 1, Hello: h},
		"end":       {Run: 1 << 63, Seq: 1 << 62, End: e},
		"hello+end": {Run: 1 << 63, Seq: 1, Hello: h, End: e},
	} {
		msg := AppendFrame(nil, f)
		got, err := DecodeFrame(msg)
		if err != nil || len(msg) > MaxSmall {
			t.Errorf("%s: %d bytes: %v", name, len(msg), err)
			continue
		}
		if got.End != nil && (got.End.ErrorCount != 100 || name == "end" && len(got.End.Errors) < 2) {
			t.Errorf("%s: %d errors listed, %d counted", name, len(got.End.Errors), got.End.ErrorCount)
		}
	}
}

func TestCompressionOnlyWhereItPays(t *testing.T) {
	noise := make([]byte, 100<<10)
	x := uint64(88172645463325252)
	for i := range noise {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		noise[i] = byte(x)
	}
	for name, c := range map[string]struct {
		text []byte
		want bool
	}{
		"noise": {append(noise, '\n'), false},
		"short": {[]byte("a\n"), false},
		"log":   {logText(100 << 10), true},
	} {
		f := &Frame{Run: 1, Seq: 2, Data: &Data{Compress: true, Chunks: []Chunk{{File: "f", Text: c.text}}}}
		msg := AppendFrame(nil, f)
		got, err := DecodeFrame(msg)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Data.Compress != c.want || !bytes.Equal(got.Data.Chunks[0].Text, c.text) || got.Data.Raw != f.Data.Raw {
			t.Errorf("%s: compressed %t, raw %d of %d, %d bytes", name, got.Data.Compress, got.Data.Raw, f.Data.Raw, len(msg))
		}
	}
}

func logText(size int) []byte {
	var b []byte
	for i := 0; len(b) < size; i++ {
		b = fmt.Appendf(b, "2024-11-22T04:38:08.%06dZ api[%d]: request %x took %d ms, status=%d, client 10.0.%d.%d\n",
			i*977%1000000, 1000+i%7, i*2654435761, i%200, 200+i%3, i%200, i*7%250)
	}
	return b
}

func TestTokens(t *testing.T) {
	for _, s := range []string{"", "a.b", "a b", "a*", ">", "é", strings.Repeat("x", 65), "a\x00"} {
		if CheckToken("f", s) == nil {
			t.Errorf("%q is taken", s)
		}
		if s != "" && CheckToken("f", Token(s)) != nil {
			t.Errorf("Token(%q) = %q is no token", s, Token(s))
		}
	}
	if got := Token("web1.example.org"); got != "web1-example-org" {
		t.Errorf("Token = %q", got)
	}
}

func TestStatusText(t *testing.T) {
	for s := StatusComplete; s <= StatusError; s++ {
		var back Status
		text, _ := s.MarshalText()
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("%s: %v, %v", text, back, err)
		}
	}
}
