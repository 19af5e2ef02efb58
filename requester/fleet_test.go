package requester_test

import (
	"bytes"
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/responder/outbox"
	"github.com/trawl-logs/trawl/schemas"
)

// fleet is a Transport whose nodes live in this process: by name, the text of each node's one log
// file. A node without text is down.
type fleet struct {
	logs map[string]string
	most int // bytes of a query; 0: schemas.MaxQuery

	mu        sync.Mutex
	quits     int
	cancelled string // the query that was cancelled last
	grants    int
}

func (f *fleet) User() string   { return "ann" }
func (f *fleet) Client() string { return "c0ffee" }
func (f *fleet) MaxQuery() int  { return cmp.Or(f.most, schemas.MaxQuery) }

func (f *fleet) Open(_ context.Context, _ string, recv func(requester.Incoming)) (requester.Session, error) {
	s := &fleetSession{fleet: f, recv: recv, boxes: map[string]*outbox.Outbox{}, done: make(chan struct{})}
	s.ticks.Go(s.tick)
	return s, nil
}

// fleetSession runs every node's search by hand: a line matches if it holds the pattern.
type fleetSession struct {
	fleet *fleet
	mu    sync.Mutex
	recv  func(requester.Incoming)
	boxes map[string]*outbox.Outbox
	texts map[string][]byte
	query *schemas.Query
	ticks sync.WaitGroup
	done  chan struct{}
}

func (s *fleetSession) Send(out requester.Outgoing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch out := out.(type) {
	case requester.Ask:
		s.query = out.Query
		for name, text := range s.fleet.logs {
			if out.To.Node == "" || out.To.Node == name {
				s.ask(name, text, now)
			}
		}
		if _, known := s.fleet.logs[out.To.Node]; out.To.Node != "" && !known {
			s.recv(requester.NoResponders{Node: out.To.Node})
		}
	case requester.Grant:
		s.fleet.mu.Lock()
		s.fleet.grants++
		s.fleet.mu.Unlock()
		if box := s.boxes[out.Node]; box != nil {
			box.Control(&out.Control, now)
			s.work(out.Node, box, now)
		}
	case requester.Probe:
		s.recv(requester.Probed{})
	case requester.Quit:
		s.fleet.mu.Lock()
		s.fleet.quits++
		s.fleet.cancelled = s.query.ID
		s.fleet.mu.Unlock()
		for name, box := range s.boxes {
			box.Cancelled("cancelled", now)
			s.work(name, box, now)
		}
	}
	return nil
}

func (s *fleetSession) ask(name, text string, now time.Time) {
	if box := s.boxes[name]; box != nil {
		box.Asked(now)
		s.work(name, box, now)
		return
	}
	var found []byte
	for _, line := range bytes.SplitAfter([]byte(text), []byte("\n")) {
		if bytes.Contains(line, []byte(s.query.Patterns[0])) {
			found = append(found, line...)
		}
	}
	if s.texts == nil {
		s.texts = map[string][]byte{}
	}
	box := outbox.New(outbox.Options{Run: 1, Terminator: '\n', Credit: s.query.Credit, Timeout: s.query.Timeout}, now)
	box.Hello(&schemas.Hello{Instance: name, Host: name, Files: 1, Bytes: int64(len(text))}, now)
	s.boxes[name], s.texts[name] = box, found
	s.work(name, box, now)
}

// work sends what there is room for.
func (s *fleetSession) work(name string, box *outbox.Outbox, now time.Time) {
	_, _, over := box.Over()
	for box.Room() > 0 && len(s.texts[name]) > 0 && !over {
		text := s.texts[name]
		n := min(len(text), 1<<16)
		n = bytes.LastIndexByte(text[:n], '\n') + 1
		c := schemas.Chunk{File: "app.log", Text: text[:n]}
		if p := s.query.Plan; p != nil && len(p.Read) > 0 {
			c.Origin = &schemas.Origin{Node: p.Read[0].Home, Log: schemas.BlockID{1}}
		}
		for at, i := int64(0), 0; s.query.Columns&schemas.ColumnOffset != 0 && i < c.Lines('\n'); i++ {
			c.Offsets = append(c.Offsets, at)
			at += int64(bytes.IndexByte(text[at:], '\n') + 1)
		}
		box.Data([]schemas.Chunk{c}, now)
		s.texts[name] = text[n:]
	}
	if box.State() == outbox.Working && (over || len(s.texts[name]) == 0) {
		lines := 0
		for _, line := range bytes.SplitAfter([]byte(s.fleet.logs[name]), []byte("\n")) {
			if bytes.Contains(line, []byte(s.query.Patterns[0])) {
				lines++
			}
		}
		box.End(&schemas.End{Lines: int64(lines), Files: 1, BytesRead: int64(len(s.fleet.logs[name])), BytesConsidered: int64(len(s.fleet.logs[name]))}, now)
	}
	for _, msg := range box.Take() {
		s.recv(requester.FrameMsg{Node: name, Msg: msg})
	}
}

// tick runs the nodes' clocks.
func (s *fleetSession) tick() {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-s.done:
			return
		case now := <-ticker.C:
			s.mu.Lock()
			for name, box := range s.boxes {
				box.Tick(now)
				s.work(name, box, now)
			}
			s.mu.Unlock()
		}
	}
}

func (s *fleetSession) Close() error {
	close(s.done)
	s.ticks.Wait()
	return nil
}
