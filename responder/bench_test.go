package responder

import (
	"fmt"
	"io"
	"log/slog"
	"testing"

	"github.com/trawl-logs/trawl/schemas"
)

// BenchmarkAnswer is a node's side of a large answer, from file to encoded frames, half of all lines
// selected, with a requester that grants everything at once.
func BenchmarkAnswer(b *testing.B) {
	dir := b.TempDir()
	text := lines(500_000, "2026-01-01T00:00:00Z level=info %d request handled by the service in some time")
	write(b, dir+"/a.log", text)
	c := DefaultConfig()
	c.Node, c.Sources = "web1", []SourceConfig{{Logs: List{dir + "/*.log"}}}
	if err := c.Finish(); err != nil {
		b.Fatal(err)
	}
	var r *Responder
	type control struct {
		k Key
		c schemas.Control
	}
	controls := make(chan control, 1024)
	over := make(chan *schemas.End, 1)
	publish := func(k Key, msg []byte) error {
		f, err := schemas.DecodeFrame(msg)
		if err != nil {
			b.Error(err)
			return nil
		}
		if f.Progress == nil {
			controls <- control{k, schemas.Control{Ack: f.Seq, Limit: 1 << 40}}
		}
		if f.End != nil {
			over <- f.End
		}
		return nil
	}
	r, err := New(c, "bench", slog.New(slog.NewTextHandler(io.Discard, nil)), PublishFunc(publish), func() {})
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for c := range controls {
			r.HandleControl(c.k, &c.c)
		}
	}()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	asked := 0
	for b.Loop() {
		r.HandleQuery("ann", query(fmt.Sprint("q", asked), "[02468] request"))
		asked++
		if e := <-over; e.Status != schemas.StatusComplete || e.Lines != 250_000 {
			b.Fatalf("%+v", e)
		}
	}
	close(controls)
}
