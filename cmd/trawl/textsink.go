package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Bounds of an answer in text. A reader that the server has as a slow consumer has missed lines, so no
// answer may come near to what the server and the nats command keep for one: 64 MiB.
const (
	textMessage  = 64 << 10               // bytes of lines in one message, as a rule
	textLine     = 256 << 10              // a longer line is cut
	textKept     = 4 << 10                // to this
	textBytes    = 16 << 20               // of one answer
	textMessages = 30_000                 // the nats command stops at 32,767
	textRate     = 16 << 20               // bytes a second
	textDelay    = 50 * time.Millisecond  // lines wait so long for more to go with them
	textSilence  = 200 * time.Millisecond // then "# waiting…"
	textTick     = 25 * time.Millisecond
)

// errTruncated says that an answer in text has become too large.
var errTruncated = errors.New("the answer is too large")

// sender takes parts of an answer, each the payload of a message.
type sender interface {
	Send(data []byte) error
}

// textSink turns what a Printer writes into messages of whole lines, and says at least every 250 ms
// that it is still there. What it says by itself begins with "# ", as no line of a log does: before that
// stands the name of its node. In JSON all are objects of a type of their own.
type textSink struct {
	to    sender
	json  bool
	limit int64
	now   func() time.Time
	pause func(time.Duration)
	about func() string // how far the query is

	mu       sync.Mutex
	whole    []byte // lines that have not been sent
	part     []byte // of a line that is not finished, at most textLine
	cut      int64  // bytes of it that are not in part
	since    time.Time
	quiet    time.Time // when something was sent last
	next     time.Time // no message before
	sent     int64
	messages int
	err      error
}

func newTextSink(to sender, asJSON bool) *textSink {
	return &textSink{to: to, json: asJSON, limit: textBytes, now: time.Now, pause: time.Sleep, about: func() string { return "" }, quiet: time.Now()}
}

// Write takes results; it blocks while the answer is ahead of its pace.
func (s *textSink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(b)
	for len(b) > 0 && s.err == nil {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			s.grow(b)
			break
		}
		s.grow(b[:end])
		b = b[end+1:]
		s.finish()
		if len(s.whole) >= textMessage {
			s.send()
		}
	}
	if s.err != nil {
		return 0, s.err
	}
	return n, nil
}

// grow adds to the line that is not finished.
func (s *textSink) grow(b []byte) {
	keep := min(len(b), textLine-len(s.part))
	s.part = append(s.part, b[:keep]...)
	s.cut += int64(len(b) - keep)
}

// finish ends the line.
func (s *textSink) finish() {
	if len(s.whole) == 0 {
		s.since = s.now()
	}
	switch {
	case s.cut == 0:
		s.whole = append(append(s.whole, s.part...), '\n')
	case s.json:
		s.whole = fmt.Appendf(s.whole, `{"type":"omitted","bytes":%d}`+"\n", s.cut+int64(len(s.part)))
	default:
		s.whole = append(append(s.whole, bytes.ToValidUTF8(s.part[:textKept], nil)...), '\n')
		s.whole = fmt.Appendf(s.whole, "# note: the line above has %d bytes more\n", s.cut+int64(len(s.part))-textKept)
	}
	s.part, s.cut = s.part[:0], 0
	if cap(s.part) > textMessage {
		s.part = nil
	}
}

// say adds what is said about the answer, a line or several: kind is "note", "error", "usage",
// "receipt" and the like. It is not bound by the answer's limit.
func (s *textSink) say(kind, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said(kind, text)
}

func (s *textSink) said(kind, text string) {
	if len(s.whole) == 0 {
		s.since = s.now()
	}
	text = strings.TrimRight(text, "\n")
	if s.json {
		line, _ := json.Marshal(map[string]string{"type": kind, kind: text}) // strings can be marshalled
		s.whole = append(append(s.whole, line...), '\n')
		return
	}
	before := "# " + kind + ": "
	for line := range strings.SplitSeq(text, "\n") {
		s.whole = append(append(s.whole, strings.TrimRight(before+shown(line), " ")...), '\n')
		before = "#   "
	}
}

// tick sends what has waited long enough, or says that there is nothing yet.
func (s *textSink) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	switch {
	case s.err != nil:
	case len(s.whole) > 0 && now.Sub(s.since) >= textDelay:
		s.send()
	case len(s.whole) == 0 && now.Sub(s.quiet) >= textSilence:
		about := s.about()
		if s.json {
			line, _ := json.Marshal(map[string]string{"type": "waiting", "waiting": about}) // strings can be marshalled
			s.whole = append(append(s.whole, line...), '\n')
		} else {
			s.whole = append(append(s.whole, "# waiting… "...), about+"\n"...)
		}
		s.send()
	}
}

// send sends all whole lines, at the pace of textRate. Beyond the limit it says so once, and fails.
func (s *textSink) send() {
	if s.err != nil || len(s.whole) == 0 {
		return
	}
	if s.sent+int64(len(s.whole)) > s.limit || s.messages >= textMessages {
		room := max(s.limit-s.sent, 0)
		s.whole = s.whole[:bytes.LastIndexByte(s.whole[:min(room, int64(len(s.whole)))], '\n')+1]
		s.said("truncated", fmt.Sprintf("an answer has at most %s, in %d messages; narrow the question, or ask with trawl grep", formatBytes(s.limit), textMessages))
		s.publish()
		if s.err == nil {
			s.err = errTruncated
		}
		return
	}
	s.publish()
}

// publish sends all whole lines in messages of about textMessage bytes.
func (s *textSink) publish() {
	for rest := s.whole; len(rest) > 0 && s.err == nil; {
		n := len(rest)
		if n > textMessage {
			if n = bytes.LastIndexByte(rest[:textMessage], '\n') + 1; n == 0 {
				n = bytes.IndexByte(rest, '\n') + 1
			}
		}
		if wait := s.next.Sub(s.now()); wait > 0 {
			s.pause(wait)
		}
		now := s.now()
		if s.err = s.to.Send(rest[:n]); s.err != nil {
			break
		}
		s.next, s.quiet = now.Add(time.Duration(n)*time.Second/textRate), now
		s.sent += int64(n)
		s.messages++
		rest = rest[n:]
	}
	s.whole = s.whole[:0]
}

// keepAlive ticks until stop is called.
func (s *textSink) keepAlive() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(textTick)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				s.tick()
			}
		}
	}()
	return func() { close(done); <-ended }
}

// end sends what is left, with what is said last, whatever the answer's size: text as said, or as a line
// of its own if kind is empty. It fails if a part could not be sent.
func (s *textSink) end(kind, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.part) > 0 || s.cut > 0 {
		s.finish()
	}
	if s.sent+int64(len(s.whole)) > s.limit {
		s.send()
	}
	if errors.Is(s.err, errTruncated) {
		s.err = nil
	}
	switch {
	case kind != "":
		s.said(kind, text)
	case text != "":
		s.whole = append(append(s.whole, text...), '\n')
	}
	s.publish()
	return s.err
}

// notes is a writer of what a search has to say beside its results, a line a time.
func (s *textSink) notes() io.Writer { return textNotes{s} }

type textNotes struct{ sink *textSink }

// Write takes whole lines.
func (n textNotes) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		n.sink.say("note", strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "trawl: "))
	}
	return len(b), nil
}
