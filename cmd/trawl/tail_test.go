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

// Lines with context are told apart as grep tells groups, wherever those of other files and nodes, or what
// was skipped, stand between them.
func TestTailGroups(t *testing.T) {
	lines := func(file, text string, context []int64, groups ...int64) schemas.Chunk {
		return schemas.Chunk{Kind: schemas.ChunkLines, File: file, Text: []byte(text), Context: context, Groups: groups}
	}
	of := func(node string, chunks ...schemas.Chunk) requester.Release {
		return requester.Release{Node: node, Chunks: chunks}
	}
	var out bytes.Buffer
	o := newGrepOptions()
	o.after = 2
	s := &fleetSearch{o: o, errout: &out, print: printer.New(&out, printer.Options{Node: true, File: true, Terminator: '\n', Separator: "--"})}
	err := s.printTail(slices.Values([]requester.Release{
		of("n1", lines("a", "x 1\n", nil, 0)),
		of("n1", lines("a", "2\n", []int64{0, 1}), lines("b", "x 1\n", nil, 0), lines("a", "3\n", []int64{0, 1})),
		of("n2", lines("a", "x 1\n", nil, 0)),
		of("n2", lines("a", "x 2\n", nil), schemas.Chunk{Kind: schemas.ChunkSkipped, Count: 5}, lines("a", "x 8\n", nil)),
	}))
	const want = "n1:a:x 1\nn1-a-2\n--\nn1:b:x 1\n--\nn1-a-3\n--\nn2:a:x 1\nn2:a:x 2\n" +
		"trawl: n2: skipped 5 lines: the output is read too slowly\n--\nn2:a:x 8\n"
	if err != nil || out.String() != want {
		t.Errorf("%v; printed\n%swant\n%s", err, &out, want)
	}
}
