package schemas

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/*.hex anew")

func sampleQuery() *Query {
	return &Query{
		ID: "q1", User: "ann", Client: "c0ffee",
		Patterns: []string{"err(or)?", "\xff\xfe"}, Syntax: SyntaxERE, IgnoreCase: true, Line: true,
		Mode: ModeLines, OnlyMatching: true, MaxCount: -1, Before: 2, After: 300, Columns: ColumnNumber | ColumnTime,
		Binary: BinaryText,
		Select: Select{Nodes: []string{"web*"}, Services: []string{"api"}, Labels: []Label{{"env", "prod"}}, Include: []string{"*.log"}, Exclude: []string{"a*", "b"}, NameRuns: []int64{0, 1, 1, 1}},
		Since:  1700000000000000000, Until: 1700000001000000000, Order: OrderArrival, Limit: 10,
		Timeout: 5 * time.Minute, Jitter: 250 * time.Millisecond, Credit: 1 << 20, MaxBytes: 1 << 33, Threads: 2,
		Compress: true, Exhaustive: true, Server: "NDQ7", Host: "ops1", Last: 10,
	}
}

func sampleHello() *Hello {
	return &Hello{Instance: "i1", Host: "host.example", Version: "0.1.0", Files: 12, Bytes: 1 << 40}
}

func sampleEnd() *End {
	return &End{
		Status: StatusPartial, Reason: "1 file failed", Lines: 3, Chunks: 1, RawBytes: 70, TextBytes: 12, BytesRead: 4096,
		BytesConsidered: 8192, Files: 2, Blocks: Blocks{3, 2, 1, 1, 70}, Elapsed: 1500 * time.Millisecond,
		Errors: []FileError{{"/var/log/x", "permission denied"}}, ErrorCount: 4, Selected: 5, AssumedSorted: 1,
	}
}

func sampleData() *Data {
	return &Data{Offset: 1 << 17, Chunks: []Chunk{
		{
			Service: "api", File: "/var/log/a.log", Text: []byte("a\nb\nc"), More: true,
			Numbers: []int64{7, 8, 1000}, Offsets: []int64{90, 92, 4000}, Times: []int64{NoTime, 1700000000000000000, 1699999999999999999},
			Context: []int64{1, 2}, Groups: []int64{0, 1, 1, 2}, Size: 123456,
		},
		{Service: "api", File: "/var/log/a.log", Text: []byte("cc\n"), Continues: true},
		{Kind: ChunkCount, Service: "api", File: "/var/log/\xff.log", Count: 12345},
		{Kind: ChunkFile, File: "b"},
		{Kind: ChunkSkipped, Count: 300},
		{Kind: ChunkCut, Service: "api", File: "/var/log/a.log"},
		{Kind: ChunkFailed, File: "journald", Text: []byte("journalctl has ended")},
		{Kind: ChunkBinary, File: "c", Groups: []int64{0}},
	}}
}

func sampleCheckup() *Checkup {
	return &Checkup{
		Name: "web1", Received: 1700000000000000000, Sent: 1700000000000001000, User: "trawl (uid 998)", Zone: "CET, +01:00",
		Store: "no room for blocks of other nodes",
		Sources: []SourceCheckup{{
			Service: "api", Logs: "/var/log/api/*.log", Files: 12, Bytes: 1 << 33, Unreadable: 1, Timeless: 2, Unsorted: 3, Opened: 4,
			Details: []FileCheckup{
				{Path: "/var/log/api/\xff.log", Size: 7, ModTime: 1700000000000000000, Err: "permission denied", First: NoTime, Last: NoTime},
				{Path: "/var/log/api/a.log", Size: 8, Form: "2006-01-02", Sample: "2023-11-14", First: 1699999999999999999, Last: 1700000000000000000, Order: OrderSorted},
			},
		}, {Logs: "journald"}},
		Problems: []FileError{{"/var/log/x", "permission denied"}},
		Index: &IndexCheckup{Sizing: "500 MB/s", ReadRate: 4e8, Settled: true, Further: 1, Files: []IndexedFile{{
			Service: "api", Path: "/var/log/api/a.log", Size: 4096, IndexBytes: 70, Blocks: 2, Err: "differs",
			Listed: []ListedBlock{{0, 2048, 64, NoTime, 5}},
		}}},
		Sealed: &SealedCheckup{Refused: "no space left", Settled: true, Further: 3, Blocks: []SealedBlock{
			{"000102030405060708090a0b0c0d0e0f", "api", NoTime, 5, 32768, 4000000, 300000, 2, 1 << 63, "damaged", "", false},
			{ID: "000102030405060708090a0b0c0d0e10", Home: "web2", First: NoTime, Last: NoTime, Away: true},
		}},
	}
}

func sampleStanding() *Standing {
	return &Standing{
		Name: "errors", User: "ann", Created: 1700000000000000000, Rate: 100, Sample: 1, Durable: true,
		Query: Query{ID: "errors", Client: "errors", Patterns: []string{"ERROR"}, Mode: ModeFollow, MaxCount: -1, Order: OrderArrival, Timeout: time.Hour, Select: Select{Services: []string{"api"}}},
	}
}

func sampleLive() *Live {
	return &Live{
		Name: "errors", Run: 1 << 60, Seq: 7, Matched: 300, Sampled: 20, Limited: 100, Lost: 3,
		Data: Data{Chunks: []Chunk{{Service: "api", File: "/var/log/a.log", Text: []byte("a\nb\n"), Offsets: []int64{90, 92}}, {Kind: ChunkCut, File: "b"}}},
	}
}

// samples are one message of each kind, by the name of its fixture.
func samples() map[string][]byte {
	packed := &Data{Compress: true, Chunks: []Chunk{{File: "f", Text: []byte(strings.Repeat("the same line\n", 200))}}}
	return map[string][]byte{
		"query":           AppendQuery(nil, sampleQuery()),
		"hello":           AppendFrame(nil, &Frame{Run: 1 << 60, Seq: 1, Hello: sampleHello()}),
		"data":            AppendFrame(nil, &Frame{Run: 5, Seq: 2, Data: sampleData()}),
		"packed":          AppendFrame(nil, &Frame{Run: 5, Seq: 3, Data: packed}),
		"progress":        AppendFrame(nil, &Frame{Run: 5, Seq: 3, Progress: &Progress{BytesRead: 1 << 30, Sent: 70, Waiting: true, Watermark: NoTime}}),
		"end":             AppendFrame(nil, &Frame{Run: 5, Seq: 4, End: sampleEnd()}),
		"hello-end":       AppendFrame(nil, &Frame{Run: 5, Seq: 1, Hello: sampleHello(), End: &End{Files: 1}}),
		"control":         AppendControl(nil, &Control{Run: 5, Ack: 7, Limit: 1 << 24, Resend: 8, Stop: true}),
		"query-planned":   AppendQuery(nil, samplePlanned()),
		"data-sealed":     AppendFrame(nil, &Frame{Run: 5, Seq: 2, Data: sampleSealedData()}),
		"node-store":      AppendNode(nil, sampleStore()),
		"block":           AppendBlockRecord(nil, sampleRecord()),
		"cancel":          AppendCancel(nil, &Cancel{Reason: "limit"}),
		"checkup-request": AppendCheckupRequest(nil, &CheckupRequest{Sources: true}),
		"checkup":         AppendCheckup(nil, sampleCheckup()),
		"standing":        AppendStanding(nil, sampleStanding()),
		"live":            AppendLive(nil, sampleLive()),
		"node": AppendNode(nil, &Node{
			Name: "web1", Instance: "i1", Host: "h", Version: "0.1.0", Groups: []string{"web"}, Labels: []Label{{"env", "prod"}},
			Services: []string{"api"}, Files: 3, Bytes: 1 << 33, Started: 1700000000000000000, Ready: true, Peers: []string{"web2"},
		}),
	}
}

// decoders read each fixture by the start of its name.
func decode(name string, msg []byte) (any, error) {
	switch name {
	case "query", "query-planned":
		return DecodeQuery(msg)
	case "control":
		return DecodeControl(msg)
	case "cancel":
		return DecodeCancel(msg)
	case "block":
		return DecodeBlockRecord(msg)
	case "node", "node-store":
		return DecodeNode(msg)
	case "checkup":
		return DecodeCheckup(msg)
	case "checkup-request":
		return DecodeCheckupRequest(msg)
	case "standing":
		return DecodeStanding(msg)
	case "live":
		return DecodeLive(msg)
	}
	return DecodeFrame(msg)
}

func encode(v any) []byte {
	switch v := v.(type) {
	case *Query:
		return AppendQuery(nil, v)
	case *Control:
		return AppendControl(nil, v)
	case *Cancel:
		return AppendCancel(nil, v)
	case *Node:
		return AppendNode(nil, v)
	case *BlockRecord:
		return AppendBlockRecord(nil, v)
	case *Checkup:
		return AppendCheckup(nil, v)
	case *CheckupRequest:
		return AppendCheckupRequest(nil, v)
	case *Standing:
		return AppendStanding(nil, v)
	case *Live:
		return AppendLive(nil, v)
	}
	return AppendFrame(nil, v.(*Frame))
}

// TestGolden holds the bytes of version 1: a change of any is a change of the protocol.
func TestGolden(t *testing.T) {
	for name, got := range samples() {
		path := filepath.Join("testdata", "v1-"+name+".hex")
		if *update {
			var lines strings.Builder
			for h := hex.EncodeToString(got); len(h) > 0; h = h[min(96, len(h)):] {
				lines.WriteString(h[:min(96, len(h))] + "\n")
			}
			if err := os.WriteFile(path, []byte(lines.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the encoding is now\n%x, was\n%x", name, got, want)
		}
		v, err := decode(name, want)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again := encode(v); !bytes.Equal(again, want) {
			t.Errorf("%s: decoded and encoded again it is\n%x, was\n%x", name, again, want)
		}
	}
}

func TestRoundTripValues(t *testing.T) {
	q := sampleQuery()
	got, err := DecodeQuery(AppendQuery(nil, q))
	if err != nil || !reflect.DeepEqual(got, q) {
		t.Errorf("query: %v\n got %+v\nwant %+v", err, got, q)
	}
	f := &Frame{Run: 9, Seq: 2, Data: sampleData()}
	back, err := DecodeFrame(AppendFrame([]byte("before")[:0], f))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.Data, f.Data) {
		t.Errorf("data:\n got %+v\nwant %+v", back.Data, f.Data)
	}
	e := &Frame{Run: 9, Seq: 2, End: sampleEnd()}
	if back, err = DecodeFrame(AppendFrame(nil, e)); err != nil || !reflect.DeepEqual(back, e) {
		t.Errorf("end: %v\n got %+v\nwant %+v", err, back.End, e.End)
	}
}

func TestAppendKeepsWhatStandsBefore(t *testing.T) {
	got := AppendFrame([]byte("before"), &Frame{Run: 5, Seq: 2, Data: sampleData()})
	if want := samples()["data"]; string(got[:6]) != "before" || !bytes.Equal(got[6:], want) {
		t.Errorf("got %x", got)
	}
}
