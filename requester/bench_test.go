package requester

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/outbox"
	"github.com/trawl-logs/trawl/schemas"
)

func benchNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("node%d", i)
	}
	return names
}

// BenchmarkGatherEmpty gathers the empty answers of 10,000 nodes, one message each.
func BenchmarkGatherEmpty(b *testing.B) {
	names := benchNames(10_000)
	msg := schemas.AppendFrame(nil, &schemas.Frame{Run: 1, Seq: 1, Hello: &schemas.Hello{Instance: "i", Host: "h", Files: 3}, End: &schemas.End{Files: 3}})
	b.ReportAllocs()
	for b.Loop() {
		g := NewGather(NewQuery("x"), names, RosterRegistered, 0)
		now := simStart
		g.Start(now)
		for i, name := range names {
			g.Frame(name, msg, now)
			if i%500 == 0 {
				now = now.Add(50 * time.Millisecond)
				g.Tick(now)
			}
			g.Take()
		}
		if !g.Done() || !g.Receipt(now).Complete {
			b.Fatal(g.Receipt(now).Text())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(names)), "ns/node")
}

// BenchmarkGatherIdle is one tick over 10,000 nodes that work and have nothing to say.
func BenchmarkGatherIdle(b *testing.B) {
	names := benchNames(10_000)
	msg := schemas.AppendFrame(nil, &schemas.Frame{Run: 1, Seq: 1, Hello: &schemas.Hello{Instance: "i", Host: "h", Files: 3}})
	g := NewGather(NewQuery("x"), names, RosterRegistered, 0)
	g.Start(simStart)
	for _, name := range names {
		g.Frame(name, msg, simStart)
	}
	for b.Loop() {
		g.Tick(simStart)
	}
}

// exchange has nodes with an answer each send it to a Gather, without a network: it is what the two
// sides cost.
func exchange(b *testing.B, names []string, chunks [][]schemas.Chunk, order schemas.Order) (controls int) {
	b.Helper()
	now := simStart
	q := NewQuery("x")
	q.Order = order
	g := NewGather(q, names, RosterRegistered, 0)
	g.Start(now)
	g.Take()
	boxes := map[string]*outbox.Outbox{}
	next := map[string]int{}
	lines := int64(0)
	for _, c := range chunks {
		lines += c[0].Selected('\n')
	}
	work := func(name string) {
		box := boxes[name]
		for box.State() == outbox.Working && box.Room() > 0 && next[name] < len(chunks) {
			box.Data(chunks[next[name]], now)
			next[name]++
		}
		if next[name] == len(chunks) && box.State() == outbox.Working {
			box.End(&schemas.End{Files: 1, Lines: lines}, now)
		}
		for _, msg := range box.Take() {
			g.Frame(name, msg, now)
		}
	}
	for _, name := range names {
		boxes[name] = outbox.New(outbox.Options{Run: 1, Terminator: '\n', Credit: q.Credit}, now)
		boxes[name].Hello(&schemas.Hello{Files: 1}, now)
		work(name)
	}
	for !g.Done() {
		if now = now.Add(time.Millisecond); now.Sub(simStart)%(50*time.Millisecond) == 0 {
			g.Tick(now)
			for _, name := range names { // or they count as silent
				if box := boxes[name]; box.State() != outbox.Done {
					box.Tick(now)
					work(name)
				}
			}
		}
		for r, ok := g.Next(); ok; r, ok = g.Next() {
			g.Consumed(r, now)
		}
		for _, o := range g.Take() {
			if grant, ok := o.(Grant); ok {
				controls++
				boxes[grant.Node].Control(&grant.Control, now)
				work(grant.Node)
			}
		}
		if now.Sub(simStart) > time.Minute {
			b.Fatal("does not end")
		}
	}
	if r := g.Receipt(now); !r.Complete || r.Lines != lines*int64(len(names)) {
		b.Fatal(r.Text())
	}
	b.ReportMetric(float64(controls), "controls")
	b.ReportMetric(now.Sub(simStart).Seconds()*1000, "virtual-ms") // round trips of 1 ms
	return controls
}

// BenchmarkExchangeLarge moves 30 MB from each of 4 nodes.
func BenchmarkExchangeLarge(b *testing.B) {
	line := append(bytes.Repeat([]byte("x"), 180), '\n')
	text := bytes.Repeat(line, schemas.DataTarget/len(line))
	var chunks [][]schemas.Chunk
	for size := 0; size < 30<<20; size += len(text) {
		chunks = append(chunks, []schemas.Chunk{{File: "f", Text: text}})
	}
	for name, order := range map[string]schemas.Order{"node": schemas.OrderNode, "arrival": schemas.OrderArrival} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(4 * 30 << 20)
			for b.Loop() {
				exchange(b, benchNames(4), chunks, order)
			}
		})
	}
}

// BenchmarkExchangeSmall moves 100 lines (10 KB) from each of 10,000 nodes, whose first frame does
// not fit the initial credit.
func BenchmarkExchangeSmall(b *testing.B) {
	line := append(bytes.Repeat([]byte("x"), 99), '\n')
	chunks := [][]schemas.Chunk{{{File: "f", Text: bytes.Repeat(line, 100)}}}
	for name, order := range map[string]schemas.Order{"node": schemas.OrderNode, "arrival": schemas.OrderArrival} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				exchange(b, benchNames(10_000), chunks, order)
			}
		})
	}
}
