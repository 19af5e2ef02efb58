package responder

import (
	"strings"
	"time"

	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/schemas"
)

const (
	// followFlush is how long a line that is followed waits for more to go with it.
	followFlush = 20 * time.Millisecond
	// followKept bounds, in bytes, the lines that wait for credit while logs are followed; beyond it they
	// are left out, and counted. The node and the writers of logs never wait.
	followKept = 512 << 10
)

// follow answers a query that wants lines as they are written: first those of its history, for which
// the search waits as any other, then, without a worker, those that come, until the query ends.
func (s *session) follow(p *plan) *schemas.End {
	end := &schemas.End{BytesConsidered: p.bytes, Files: int64(len(p.files))}
	t, err := s.r.newTail(s.ctx, s.q, p.newMatcher, p.options(s), func(file string, err error) {
		s.log.Warn("not followed", "path", file, "reason", err)
		s.emitFailed(p, file, err)
	}, nil)
	if err != nil {
		return s.failed(err)
	}
	defer t.follower.Close()
	filter, err := selection(&s.q.Select).Compile()
	if err != nil {
		return s.failed(err)
	}
	t.addJournals(s.ctx, filter)
	end.Files, end.BytesConsidered = int64(len(t.past)+len(t.journals)), t.bytes()
	t.emit, t.cut = s.emit, s.emitCut
	if s.q.Last != 0 {
		t.addPacked(p.set, p.archives)
		if end.BytesRead, err = t.history(s.ctx); err == nil {
			s.mu.Lock()
			err = s.sendKept()
			s.mu.Unlock()
		}
	}
	end.Files += int64(len(t.packed))
	end.BytesConsidered += p.archives.grown.Load()
	for _, f := range t.packed {
		end.BytesConsidered += f.Entry.Size
	}
	p.set.Close()
	if err == nil {
		s.release()
		t.emit = s.emitNew
		err = t.run(s.ctx)
	}
	end.Status, end.Reason = s.ending(err)
	end.Errors, end.ErrorCount = p.problems.first, p.problems.count
	s.mu.Lock()
	_, reason, over := s.box.Over()
	s.lost = s.dead || over && reason == "the requester is gone"
	s.mu.Unlock()
	return end
}

// emitNew takes lines that were just written. It never waits: without room they are counted.
func (s *session) emitNew(b *scan.Batch) error {
	c, ok := s.pack.chunk(b)
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepNew(&c, b.Selected)
	return s.followed()
}

// emitCut says that a file was cut.
func (s *session) emitCut(e *source.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(schemas.Chunk{Kind: schemas.ChunkCut, Service: e.Service, File: e.Path})
	return s.followed()
}

// emitFailed says what became of a file that cannot be followed, or was not followed for a while.
func (s *session) emitFailed(p *plan, file string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.problems.add(file, err)
	text := err.Error()
	text = strings.ToValidUTF8(text[:min(len(text), schemas.MaxFailure)], "")
	s.tell(schemas.Chunk{Kind: schemas.ChunkFailed, File: file, Text: []byte(text)})
}

// keepNew keeps a chunk to be sent, or counts its lines. Between the lines that were left out and the
// next ones stands how many they were. A line that was begun is kept to its end. mu is held.
func (s *session) keepNew(c *schemas.Chunk, lines int64) {
	if !c.Continues {
		if s.skipped > 0 && len(s.pack.kept) == 0 {
			s.tellSkipped()
		}
		s.skipping = s.skipped > 0 || len(s.pack.kept) > 0 && s.pack.keptSize+size(c) > followKept
	}
	if s.skipping {
		s.skipped += lines
	} else {
		s.keepSoon(c)
	}
	if s.begun = c.More; !s.begun {
		s.keepNews()
	}
}

// tell keeps news of a file, behind the line that is being given. mu is held.
func (s *session) tell(c schemas.Chunk) {
	s.news = append(s.news, c)
	if !s.begun {
		s.keepNews()
	}
}

// keepNews keeps the news to be sent. They are not left out with the lines around them: how many lines
// were left out before them is said first. Only beyond twice what may wait are they, which are logged at
// this end.
func (s *session) keepNews() {
	for i := range s.news {
		c := &s.news[i]
		if s.pack.keptSize+size(c) > 2*followKept {
			s.log.Warn("news of a file left out, the requester is too slow", "path", c.File)
			continue
		}
		if s.skipped > 0 {
			s.keepSoon(&schemas.Chunk{Kind: schemas.ChunkSkipped, Count: s.skipped})
			s.skipped = 0
		}
		s.keepSoon(c)
	}
	s.news = s.news[:0]
}

// keepSoon keeps a chunk, to be sent soon. mu is held.
func (s *session) keepSoon(c *schemas.Chunk) {
	s.pack.keep(c)
	if s.flushAt.IsZero() {
		s.flushAt = time.Now().Add(followFlush)
		s.wake()
	}
}

// followed says whether the query still wants lines. mu is held.
func (s *session) followed() error {
	if _, _, over := s.box.Over(); over {
		return errOver
	}
	return nil
}

// tellSkipped sends how many lines were left out; false if there is no room. mu is held.
func (s *session) tellSkipped() bool {
	c := schemas.Chunk{Kind: schemas.ChunkSkipped, Count: s.skipped}
	if int(s.box.Room()) < size(&c)+frameHeads || s.ctx.Err() != nil || s.data(0, c) != nil {
		return false
	}
	s.skipped = 0
	return true
}
