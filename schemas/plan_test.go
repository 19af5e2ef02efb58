package schemas

import (
	"reflect"
	"testing"
)

func samplePlanned() *Query {
	q := sampleQuery()
	q.Plan = &Plan{
		Revision: 70, Only: true, Read: []PlanRead{{"web2", []BlockID{{1}, {2}}}, {"web3", []BlockID{{3}}}},
		Leave: []BlockID{{4}, {5}}, Skip: []LogMark{{BlockID{6}, 1 << 40}},
	}
	return q
}

func sampleSealedData() *Data {
	web2 := &Origin{"web2", BlockID{9, 15: 1}}
	return &Data{Chunks: []Chunk{
		{Service: "api", File: "/var/log/a.log", Text: []byte("a\n"), Origin: web2},
		{Kind: ChunkUnread, Text: make([]byte, 32), Origin: web2},
		{Kind: ChunkBytes, Text: []byte("\x00\xff"), Count: 1 << 20},
	}}
}

func sampleStore() *Node {
	return &Node{Name: "web1", Instance: "i1", Store: &NodeStore{Capacity: 1 << 40, ReadRate: 2e8, Draining: true, Services: []SealedService{{"api", 1700000000000000000}}, Listed: 1 << 33}}
}

func sampleRecord() *BlockRecord {
	return &BlockRecord{
		ID: BlockID{1, 15: 2}, Home: "web1", Service: "api", Labels: []Label{{"env", "prod"}}, Window: 1700000000000000000, Span: 3600e9, Number: 3,
		Timed: true, MinTime: 1700000000000000001, MaxTime: 1700000000000000002, Lines: 32768, Bytes: 4 << 20, Stored: 1 << 20,
		Checksum: 1 << 63, Owners: []string{"web2", "web3"}, State: BlockRetired, Since: 1700000000000000003,
	}
}

func TestRoundTripOfBlocks(t *testing.T) {
	for _, want := range []any{samplePlanned(), sampleStore(), sampleRecord()} {
		msg := encode(want)
		name := map[reflect.Type]string{reflect.TypeFor[*Query](): "query", reflect.TypeFor[*Node](): "node", reflect.TypeFor[*BlockRecord](): "block"}[reflect.TypeOf(want)]
		if got, err := decode(name, msg); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
		}
		for n := range msg {
			if _, err := decode(name, msg[:n]); err == nil {
				t.Errorf("%s of %d bytes is taken with %d", name, len(msg), n)
			}
		}
	}
	f := &Frame{Run: 9, Seq: 2, Data: sampleSealedData()}
	if back, err := DecodeFrame(AppendFrame(nil, f)); err != nil || !reflect.DeepEqual(back.Data, f.Data) {
		t.Errorf("data: %v\n got %+v\nwant %+v", err, back, f.Data)
	}
}

func TestPlansThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(*Query){
		"a home that is no token":         func(q *Query) { q.Plan.Read[0].Home = "a b" },
		"following":                       func(q *Query) { q.Mode, q.OnlyMatching, q.Before, q.After, q.Until = ModeFollow, false, 0, 0, 0 },
		"a block's file without a block":  func(q *Query) { q.Mode, q.Plan = ModeBlock, nil },
		"a block's file of more than one": func(q *Query) { q.Mode = ModeBlock },
	} {
		q := samplePlanned()
		if _, err := DecodeQuery(AppendQuery(nil, q)); err != nil {
			t.Fatal(err)
		}
		change(q)
		if _, err := DecodeQuery(AppendQuery(nil, q)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestOverlaps(t *testing.T) {
	timed, timeless := &BlockRecord{Timed: true, MinTime: 10, MaxTime: 20}, &BlockRecord{MinTime: 10, MaxTime: 20}
	for _, c := range []struct {
		since, until int64
		want         bool
	}{{0, 0, true}, {20, 0, true}, {21, 0, false}, {0, 10, false}, {0, 11, true}, {1, 5, false}, {12, 13, true}} {
		if got := timed.Overlaps(c.since, c.until); got != c.want {
			t.Errorf("[%d, %d): %v", c.since, c.until, got)
		}
		if !timeless.Overlaps(c.since, c.until) {
			t.Errorf("[%d, %d): a block without times is left out", c.since, c.until)
		}
	}
}
