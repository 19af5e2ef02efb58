package responder

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/schemas"
)

// blockFile opens the file of the block that a query of mode ModeBlock is of.
func (r *Responder) blockFile(q *schemas.Query) (*os.File, *seal.Block, error) {
	read := &q.Plan.Read[0]
	store := r.foreign.of(read.Home)
	if read.Home == r.config.Node && r.sealing != nil {
		store = r.sealing.store
	}
	if store == nil {
		return nil, nil, seal.ErrUnknown
	}
	return store.File(seal.ID(read.Blocks[0]))
}

// sendBlock answers with the bytes of a block's file from byte Last on.
func (s *session) sendBlock() *schemas.End {
	f, b, err := s.r.blockFile(s.q)
	if err != nil {
		return s.failed(err)
	}
	defer f.Close()
	s.locked(func(now time.Time) { s.box.Hello(s.r.hello(1, b.Stored), now) })
	end := &schemas.End{BytesConsidered: b.Stored, Files: 1}
	if end.BytesRead, err = s.sendFile(f, b, s.q.Last); err != nil {
		end.Status, end.Reason = s.ending(err)
	}
	return end
}

// blockChunk is how much of a block's file goes into one chunk.
const blockChunk = 96 << 10

// sendFile sends a file from a byte on, as there is room.
func (s *session) sendFile(f *os.File, b *seal.Block, at int64) (sent int64, err error) {
	buf := make([]byte, blockChunk)
	origin := &schemas.Origin{Node: s.q.Plan.Read[0].Home}
	for at < b.Stored {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), b.Stored-at)], at)
		if n == 0 {
			if errors.Is(err, io.EOF) {
				err = seal.ErrDamaged
			}
			return sent, err
		}
		if err := s.sendBytes(buf[:n], at, origin); err != nil {
			return sent, err
		}
		at, sent = at+int64(n), sent+int64(n)
		s.read.Store(sent)
	}
	return sent, nil
}

// sendBytes sends bytes of a file, waiting for room.
func (s *session) sendBytes(p []byte, at int64, origin *schemas.Origin) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p) > 0 {
		c := schemas.Chunk{Kind: schemas.ChunkBytes, Count: at, Origin: origin}
		room := s.frameRoom() - heads(&c)
		if room < min(minFragment, len(p)) {
			if err := s.await(); err != nil {
				return err
			}
			continue
		}
		c.Text = p[:min(room, len(p))]
		if err := s.data(0, c); err != nil {
			return err
		}
		p, at = p[len(c.Text):], at+int64(len(c.Text))
	}
	return nil
}
