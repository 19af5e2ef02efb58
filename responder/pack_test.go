package responder

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/schemas"
)

// line is a line of an answer with all that the columns say of it.
type line struct {
	file                 string
	text                 string
	number, offset, time int64
	context, group       bool
}

// unpack reads back the lines of chunks, and checks each chunk as a requester does.
func unpack(t *testing.T, chunks []schemas.Chunk, columns schemas.Columns) []line {
	t.Helper()
	var out []line
	for i := range chunks {
		c := &chunks[i]
		if _, err := c.Check(columns, '\n'); err != nil {
			t.Fatalf("chunk %d: %v: %+v", i, err, c)
		}
		text := c.Text
		if c.Continues {
			head, tail, _ := bytes.Cut(text, []byte("\n"))
			if text = tail; len(head) < len(c.Text) {
				head = c.Text[:len(head)+1]
			}
			out[len(out)-1].text += string(head)
		}
		context := false
		runs := slices.Clone(c.Context)
		for n := 0; len(text) > 0; n++ {
			l := line{file: c.File, group: slices.Contains(c.Groups, int64(n))}
			end := bytes.IndexByte(text, '\n') + 1
			if end == 0 {
				end = len(text)
			}
			l.text, text = string(text[:end]), text[end:]
			for _, col := range []struct {
				from []int64
				to   *int64
			}{{c.Numbers, &l.number}, {c.Offsets, &l.offset}, {c.Times, &l.time}} {
				if len(col.from) > 0 {
					*col.to = col.from[n]
				}
			}
			for len(runs) > 0 && runs[0] == 0 {
				runs, context = runs[1:], !context
			}
			if len(runs) > 0 {
				runs[0]--
				l.context = context
			}
			out = append(out, l)
		}
	}
	return out
}

// randomBatches makes batches as a searcher does, and the lines in them.
func randomBatches(r *rand.Rand, columns schemas.Columns) (batches []*scan.Batch, lines []line) {
	number := int64(0)
	for input := range 1 + r.IntN(3) {
		file := fmt.Sprintf("/var/log/%d.log", input)
		more := false
		for range 1 + r.IntN(4) {
			b := &scan.Batch{Input: input, File: file, Service: "s", Continues: more}
			if more {
				rest := text(r)
				lines[len(lines)-1].text += rest
				b.Text = append(b.Text, rest...)
			}
			contexts := r.IntN(2) == 0
			n := r.IntN(40)
			for i := range n {
				l := line{file: file, text: text(r), context: contexts && r.IntN(2) == 0, group: r.IntN(5) == 0}
				number += r.Int64N(1000)
				if columns&schemas.ColumnNumber != 0 {
					l.number = number
					b.Numbers = append(b.Numbers, l.number)
				}
				if columns&schemas.ColumnTime != 0 {
					l.time = schemas.NoTime
					if r.IntN(4) > 0 {
						l.time = r.Int64N(1 << 60)
					}
					b.Times = append(b.Times, l.time)
				}
				if l.group {
					b.Groups = append(b.Groups, int64(i))
				}
				if more = i == n-1 && r.IntN(3) == 0; more {
					l.text = l.text[:len(l.text)-1] + "…"
					b.More = true
				}
				b.Text = append(b.Text, l.text...)
				lines = append(lines, l)
				b.Lines++
				if contexts {
					addRun(b, l.context)
				}
			}
			if n == 0 {
				more = false
			}
			batches = append(batches, b)
		}
		if more {
			rest := text(r)
			lines[len(lines)-1].text += rest
			batches = append(batches, &scan.Batch{Input: input, File: file, Service: "s", Continues: true, Text: []byte(rest)})
		}
	}
	return batches, lines
}

func addRun(b *scan.Batch, context bool) {
	if len(b.Context) == 0 {
		b.Context = []int64{0}
	}
	if (len(b.Context)%2 == 0) != context {
		b.Context = append(b.Context, 0)
	}
	b.Context[len(b.Context)-1]++
}

func text(r *rand.Rand) string {
	n := r.IntN(100)
	if r.IntN(20) == 0 {
		n = r.IntN(5000)
	}
	return string(bytes.Repeat([]byte{byte('a' + r.IntN(26))}, n)) + "\n"
}

func TestPackerLosesNothing(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		columns := schemas.Columns(r.IntN(8)) &^ schemas.ColumnOffset
		batches, want := randomBatches(r, columns)
		p := &packer{terminator: '\n'}
		var sent []schemas.Chunk
		room := func() int { return 500 + r.IntN(3000) }
		check := func(chunks []schemas.Chunk, room int) {
			d := &schemas.Data{Chunks: chunks}
			schemas.AppendFrame(nil, &schemas.Frame{Run: 1, Seq: 2, Data: d})
			if d.Raw > int64(room) {
				t.Fatalf("seed %d: a frame of %d bytes for a room of %d", seed, d.Raw, room)
			}
			sent = append(sent, chunks...)
		}
		for _, b := range batches {
			if c, ok := p.chunk(b); ok {
				p.keep(&c)
			}
			for r.IntN(2) == 0 && len(p.kept) > 0 {
				room := room()
				check(p.takeKept(room), room)
			}
		}
		for len(p.kept) > 0 {
			room := room()
			taken := p.takeKept(room)
			if len(taken) == 0 {
				t.Fatalf("seed %d: nothing fits into %d", seed, room)
			}
			check(taken, room)
		}
		if p.keptSize != 0 {
			t.Fatalf("seed %d: %d bytes are left of nothing", seed, p.keptSize)
		}
		if got := unpack(t, sent, columns); !reflect.DeepEqual(got, want) {
			for i := range want {
				if i >= len(got) || got[i] != want[i] {
					t.Fatalf("seed %d, line %d: got %+.200v, want %+.200v", seed, i, got[min(i, len(got)-1)], want[i])
				}
			}
			t.Fatalf("seed %d: %d lines, want %d", seed, len(got), len(want))
		}
	}
}

func TestPackerWaitsForRoom(t *testing.T) {
	p := &packer{terminator: '\n'}
	p.keep(&schemas.Chunk{File: "/f", Text: bytes.Repeat([]byte("x"), 1000), More: true})
	if got := p.takeKept(200); got != nil {
		t.Errorf("200 bytes of room: %+v", got)
	}
	p = &packer{terminator: '\n'}
	p.keep(&schemas.Chunk{Kind: schemas.ChunkCount, File: "/f", Count: 7})
	if got := p.takeKept(20); got != nil || len(p.takeKept(200)) != 1 {
		t.Errorf("a count: %+v", got)
	}
}

// A packer of whole lines breaks up none that fits a frame, however little room there is.
func TestPackerOfWholeLines(t *testing.T) {
	line := func(n int) []byte { return append(bytes.Repeat([]byte("x"), n-1), '\n') }
	p := &packer{terminator: '\n', whole: true}
	p.keep(&schemas.Chunk{File: "/f", Text: slices.Concat(line(1000), line(8000), line(200_000)), Offsets: []int64{0, 1000, 9000}})
	var got []int
	for _, room := range []int{900, 5000, 5000, maxFrameSize, 5000, maxFrameSize, 150_000} {
		n := 0
		for _, c := range p.takeKept(room) {
			n += len(c.Text)
		}
		got = append(got, n)
	}
	if rest := 200_000 - got[4] - got[5]; !slices.Equal(got[:4], []int{0, 1000, 0, 8000}) || got[4] == 0 || got[4] > 5000 || got[5] < 120_000 || got[6] != rest || p.kept != nil {
		t.Errorf("bytes by frame %v, left %d", got, p.keptSize)
	}
}

func TestGroupMarksMoveToALine(t *testing.T) {
	p := &packer{terminator: '\n'}
	marks := func(b scan.Batch) []int64 {
		c, _ := p.chunk(&b)
		return c.Groups
	}
	for i, tt := range []struct {
		b    scan.Batch
		want []int64
	}{
		{scan.Batch{Input: 0, Text: []byte("a\nb\n"), Lines: 2, Groups: []int64{0, 0, 2, 2}}, []int64{0, 0}},
		{scan.Batch{Input: 0, Groups: []int64{0}}, nil},
		{scan.Batch{Input: 0, Text: []byte("c\nd\n"), Lines: 2, Groups: []int64{1}}, []int64{0, 0, 0, 1}},
		{scan.Batch{Input: 0, Text: []byte("e\n"), Lines: 1, Groups: []int64{1}}, nil},
		{scan.Batch{Input: 1, Text: []byte("f\n"), Lines: 1}, []int64{0}},
		{scan.Batch{Input: 1, Text: []byte("g\n"), Lines: 1}, nil},
		{scan.Batch{Input: 1, Groups: []int64{0}}, nil},
		{scan.Batch{Input: 1, Kind: scan.KindBinary}, []int64{0}},
	} {
		if got := marks(tt.b); !slices.Equal(got, tt.want) {
			t.Errorf("batch %d: %v, want %v", i, got, tt.want)
		}
	}
}

// A chunk without columns is cut where one with columns is, give or take what those take up.
func TestCutOfTextAlone(t *testing.T) {
	text := "one\ntwo, longer\n\nfour\nfi"
	for _, continues := range []bool{false, true} {
		c := schemas.Chunk{File: "f", Text: []byte(text), More: true, Continues: continues}
		for room := chunkHeads + 2; room < size(&c); room++ {
			head, tail, ok := cut(&c, room, '\n')
			if fits := room-chunkHeads-1 >= len("one\n"); ok != fits {
				t.Fatalf("room %d: cut %t, a line fits %t", room, ok, fits)
			}
			if !ok {
				continue
			}
			most := strings.LastIndexByte(text[:room-chunkHeads-1], '\n') + 1
			if string(head.Text) != text[:most] || string(tail.Text) != text[most:] || size(&head) > room {
				t.Errorf("room %d: %q, %q", room, head.Text, tail.Text)
			}
			if head.More || head.Continues != continues || !tail.More || tail.Continues {
				t.Errorf("room %d: head more %t, continues %t; tail more %t, continues %t", room, head.More, head.Continues, tail.More, tail.Continues)
			}
		}
	}
}
