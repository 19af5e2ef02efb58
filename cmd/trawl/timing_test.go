package main

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/requester"
)

// deaf is a transport that says what it is told to.
type deaf struct {
	requester.Transport
	recv func(requester.Incoming)
}

func (d *deaf) Open(_ context.Context, _ string, recv func(requester.Incoming)) (requester.Session, error) {
	d.recv = recv
	return nil, nil
}

func TestTimingSaysEveryStage(t *testing.T) {
	at := func(ms int) time.Time { return begun.Add(time.Duration(ms) * time.Millisecond) }
	d := &deaf{}
	tm := &timing{transport: d, connecting: at(3), connected: at(5), roster: time.Millisecond, printed: 40 * time.Millisecond}
	receipt := &requester.Receipt{BytesRead: 4096, BytesConsidered: 9000, Nodes: []requester.NodeReceipt{{ElapsedMS: 20}, {ElapsedMS: 70}}}
	names := func() string {
		var out bytes.Buffer
		tm.say(&out, receipt, at(100))
		text, moved, _ := strings.Cut(out.String(), "trawl: moved: ")
		moved, memory, _ := strings.Cut(moved, "trawl: memory: ")
		var peak int64
		if _, err := fmt.Sscanf(memory, "%d bytes at most\n", &peak); err != nil || peak < 1<<20 {
			t.Errorf("memory: %q: %v", memory, err)
		}
		if moved != fmt.Sprintf("%d bytes in %d frames; searched: 4096 of 9000 bytes\n", tm.bytes, tm.frames) {
			t.Errorf("moved: %q", moved)
		}
		return strings.Join(strings.Fields(regexp.MustCompile(`trawl: time: (\w+).*`).ReplaceAllString(text, "$1")), " ")
	}
	if got, want := names(), "start connect roster print total"; got != want {
		t.Errorf("before any answer: %q, want %q", got, want)
	}
	heard := 0
	if _, err := tm.Open(context.Background(), "q", func(requester.Incoming) { heard++ }); err != nil {
		t.Fatal(err)
	}
	d.recv(requester.NoResponders{Node: "n"})
	if !tm.firstFrame.IsZero() {
		t.Error("what is no frame counts as one")
	}
	d.recv(requester.FrameMsg{Node: "n"})
	first := tm.firstFrame
	d.recv(requester.FrameMsg{Node: "n", Msg: []byte("12345")})
	if tm.frames != 2 || tm.bytes != 5 {
		t.Errorf("%d bytes in %d frames, want 5 in 2", tm.bytes, tm.frames)
	}
	if heard != 3 || first.IsZero() || tm.firstFrame != first || tm.lastFrame.Before(first) {
		t.Errorf("heard %d; first frame %v, then %v, last %v", heard, first, tm.firstFrame, tm.lastFrame)
	}
	if got, want := names(), "start connect roster scatter scan transfer print total"; got != want {
		t.Errorf("after an answer: %q, want %q", got, want)
	}
	tm.asked, tm.firstFrame, tm.lastFrame = at(6), at(7), at(90)
	want := map[string]int{"start": 3, "connect": 2, "roster": 1, "scatter": 1, "scan": 70, "transfer": 83, "print": 40, "total": 100}
	for _, s := range tm.stages(receipt, at(100)) {
		if s.took != time.Duration(want[s.name])*time.Millisecond {
			t.Errorf("%s took %v, want %d ms", s.name, s.took, want[s.name])
		}
	}
}
