package main

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/requester/printer"
	"github.com/trawl-logs/trawl/schemas"
)

// TestTailEvents holds what trawl tail prints of each kind of event, in both forms, to a golden file:
// programs read the one, and docs/tail.md shows both.
func TestTailEvents(t *testing.T) {
	lines := func(text string, number, offset int64) schemas.Chunk {
		return schemas.Chunk{Kind: schemas.ChunkLines, Service: "api", File: "/var/log/api/app.log", Text: []byte(text),
			Numbers: []int64{number}, Offsets: []int64{offset}, Times: []int64{1_700_000_000_500_000_000}}
	}
	change := func(c requester.Change) requester.Release { return requester.Release{Node: c.Node, Change: &c} }
	of := func(chunks ...schemas.Chunk) requester.Release {
		return requester.Release{Node: "web1", Chunks: chunks}
	}
	releases := []requester.Release{
		of(lines("ERROR one\n", 7, 120)),
		change(requester.Change{Node: "web2", Kind: requester.Joined}),
		change(requester.Change{Node: "web2", Kind: requester.Left, Status: schemas.StatusDown, Reason: "nobody is subscribed for it"}),
		change(requester.Change{Node: "web2", Kind: requester.Back, Reason: requester.MissedReason}),
		change(requester.Change{Node: "web3", Kind: requester.Back}),
		of(lines("ERROR two\n", 8, 130), schemas.Chunk{Kind: schemas.ChunkSkipped, Count: 1234}, lines("ERROR three\n", 1300, 9000)),
		of(schemas.Chunk{Kind: schemas.ChunkCut, Service: "api", File: "/var/log/api/app.log"}, lines("ERROR four\n", 1, 0)),
		of(schemas.Chunk{Kind: schemas.ChunkFailed, File: "/var/log/api/old.log", Text: []byte("permission denied")}),
	}
	var got bytes.Buffer
	for _, form := range []string{"json", "text"} {
		var out bytes.Buffer // both of stdout and stderr, in their order
		o := newGrepOptions()
		o.output = form
		s := &fleetSearch{o: o, errout: &out, print: printer.New(&out, printer.Options{JSON: form == "json", Node: true, File: true, Terminator: '\n'})}
		if err := s.printTail(slices.Values(releases)); err != nil {
			t.Fatal(err)
		}
		got.Write(out.Bytes())
	}
	const golden = "testdata/tail-events.golden"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("printed\n%swant\n%s", got.Bytes(), want)
	}
	page, err := os.ReadFile("../../docs/tail.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(want) {
		line = bytes.TrimSpace(line)
		if !bytes.Contains(line, []byte("ERROR")) && !bytes.Contains(line, []byte("web3")) && !bytes.Contains(page, append([]byte("`"), append(line, '`')...)) {
			t.Errorf("docs/tail.md does not show %s", line)
		}
	}
}
