// Command readalong prints what other people's queries find, as their nodes answer:
//
//	go run ./examples/readalong 'trawl.v1.res.ann.>'
//
// or what a query sends on: trawl grep --reply-to audit.logs error, and go run ./examples/readalong audit.logs.
// The bus is where NATS_URL says. The principal is reader, which sees that nothing is printed twice, and
// says where something is missing.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/trawl-logs/trawl/schemas"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: readalong SUBJECT")
	}
	url := os.Getenv("NATS_URL")
	if url == "" {
		url = nats.DefaultURL
	}
	conn, err := nats.Connect(url, nats.Name("readalong"))
	if err != nil {
		log.Fatal(err)
	}
	r := &reader{out: os.Stdout, taken: map[stream]uint64{}}
	if _, err := conn.Subscribe(os.Args[1], r.message); err != nil {
		log.Fatal(err)
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	<-interrupted
	conn.Close()
}

// stream is one execution of a query on one node; its numbered frames are 1, 2, 3…
type stream struct {
	subject string
	run     uint64
}

// reader prints the lines of frames, one message after another.
type reader struct {
	out io.Writer

	mu    sync.Mutex
	taken map[stream]uint64 // the last frame of each stream
}

func (r *reader) message(m *nats.Msg) {
	frame, err := schemas.DecodeFrame(m.Data)
	if err != nil {
		return // node records come on these subjects too
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := stream{m.Subject, frame.Run}
	switch last := r.taken[s]; {
	case frame.Progress != nil, frame.Seq <= last:
		return // unnumbered, or seen before
	case frame.Seq > last+1:
		fmt.Fprintf(r.out, "# %s: frames %d to %d are missing\n", m.Subject, last+1, frame.Seq-1)
	}
	r.taken[s] = frame.Seq
	node := m.Header.Get("Trawl-Node") // of results that were sent on
	if node == "" {
		node = m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]
	}
	if frame.Data != nil {
		for _, c := range frame.Data.Chunks {
			for line := range strings.Lines(string(c.Text)) { // one of more than 128 KiB comes in parts
				fmt.Fprintf(r.out, "%s:%s:%s\n", node, c.File, strings.TrimSuffix(line, "\n"))
			}
		}
	}
	if frame.End != nil {
		fmt.Fprintf(r.out, "# %s: %s, %d lines\n", m.Subject, frame.End.Status, frame.End.Lines)
		time.AfterFunc(time.Minute, func() { r.forget(s) }) // by then it is not repeated any more
	}
}

func (r *reader) forget(s stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.taken, s)
}
