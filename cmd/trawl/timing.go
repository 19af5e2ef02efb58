package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/bench/procs"
	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/schemas"
)

// begun is when this process came as far as its own code.
var begun = time.Now()

// timing notes where the time of a query to the fleet goes, for --timing. It stands between the
// requester and what that uses.
type timing struct {
	transport requester.Transport

	connecting, connected, asked time.Time
	roster, printed              time.Duration

	mu                    sync.Mutex
	firstFrame, lastFrame time.Time
	frames, bytes         int64 // that came, repeated ones included
}

// User is the transport's.
func (t *timing) User() string { return t.transport.User() }

// Client is the transport's.
func (t *timing) Client() string { return t.transport.Client() }

// MaxQuery is the transport's.
func (t *timing) MaxQuery() int { return t.transport.MaxQuery() }

// Open begins a session of the transport, and notes when frames come.
func (t *timing) Open(ctx context.Context, id string, recv func(requester.Incoming)) (requester.Session, error) {
	t.asked = time.Now()
	return t.transport.Open(ctx, id, func(in requester.Incoming) {
		if frame, ok := in.(requester.FrameMsg); ok {
			t.mu.Lock()
			t.frames, t.bytes = t.frames+1, t.bytes+int64(len(frame.Msg))
			t.lastFrame = time.Now()
			if t.firstFrame.IsZero() {
				t.firstFrame = t.lastFrame
			}
			t.mu.Unlock()
		}
		recv(in)
	})
}

// timedRoster notes how long it takes to read the roster.
type timedRoster struct {
	requester.Roster
	t *timing
}

// Known reads the roster.
func (r timedRoster) Known(ctx context.Context) ([]schemas.Node, requester.RosterKind, error) {
	before := time.Now()
	defer func() { r.t.roster = time.Since(before) }()
	return r.Roster.Known(ctx)
}

// Remembered gives what is remembered of it; to find out whether that holds goes on beside the query.
func (r timedRoster) Remembered() (nodes []schemas.Node, kind requester.RosterKind, holds requester.Holds, ok bool) {
	if m, can := r.Roster.(requester.Rememberer); can {
		return m.Remembered()
	}
	return nil, "", nil, false
}

// stage is one line of what --timing says.
type stage struct {
	name  string
	took  time.Duration
	about string
}

// stages tells what is known of the query that ended now.
func (t *timing) stages(receipt *requester.Receipt, now time.Time) []stage {
	t.mu.Lock()
	defer t.mu.Unlock()
	var scan time.Duration
	for i := range receipt.Nodes {
		scan = max(scan, time.Duration(receipt.Nodes[i].ElapsedMS)*time.Millisecond)
	}
	all := []stage{
		{"start", t.connecting.Sub(begun), "flags"},
		{"connect", t.connected.Sub(t.connecting), "to the bus; the pattern is compiled beside it"},
		{"roster", t.roster, "who is to answer"},
	}
	if !t.firstFrame.IsZero() {
		all = append(all,
			stage{"scatter", t.firstFrame.Sub(t.asked), "until the first node answered"},
			stage{"scan", scan, "the slowest node, by its own clock, waiting for credit included"},
			stage{"transfer", t.lastFrame.Sub(t.firstFrame), "until the last frame was here; goes on beside scan"})
	}
	return append(all,
		stage{"print", t.printed, "formatting and writing; goes on beside transfer"},
		stage{"total", now.Sub(begun), ""})
}

// say prints a line a stage, and what was moved and searched.
func (t *timing) say(w io.Writer, receipt *requester.Receipt, now time.Time) {
	for _, s := range t.stages(receipt, now) {
		line := fmt.Sprintf("trawl: time: %-8s %10.3f ms", s.name, float64(s.took.Microseconds())/1000)
		if s.about != "" {
			line += "  " + s.about
		}
		fmt.Fprintln(w, line)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(w, "trawl: moved: %d bytes in %d frames; searched: %d of %d bytes\n", t.bytes, t.frames, receipt.BytesRead, receipt.BytesConsidered)
	if _, peak, err := procs.Memory(os.Getpid()); err == nil { // not every system tells
		fmt.Fprintf(w, "trawl: memory: %d bytes at most\n", peak)
	}
}
