package responder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/responder/follow"
	"github.com/trawl-logs/trawl/responder/source"
)

const (
	// placeOverlap is how many bytes before a place are kept, to know the file again by them.
	placeOverlap = 64
	// placeSlack is how much older than the places a file may be that has none and is read from its
	// start all the same: it may have come just before they were written.
	placeSlack = time.Minute
)

// place is how far a file was published, and that was acknowledged.
type place struct {
	Dev    uint64 `json:"dev"`
	Ino    uint64 `json:"ino"`
	At     int64  `json:"at"`
	Before []byte `json:"before"` // up to placeOverlap bytes that stand before At
}

func (p *place) id() source.ID { return source.ID{Dev: p.Dev, Ino: p.Ino} }

// continues says whether a file has, before the place, what was read there.
func (p *place) continues(at io.ReaderAt, size int64) bool {
	if size < p.At {
		return false
	}
	b := make([]byte, len(p.Before))
	n, _ := at.ReadAt(b, p.At-int64(len(b))) // fewer bytes differ
	return bytes.Equal(b[:n], p.Before)
}

// places are those of a durable standing query, kept in the node's state directory over its restart. They
// are safe for concurrent use.
type places struct {
	name string // of their file; empty: they are not kept

	mu      sync.Mutex
	created int64 // of the standing query that they belong to
	known   map[source.ID]*place
	resumed bool      // there were places from before
	saved   time.Time // when those were written
	dirty   bool
}

// placesFile is their JSON form.
type placesFile struct {
	Created int64     `json:"created"`
	Saved   time.Time `json:"saved"`
	Places  []*place  `json:"places"`
}

// loadPlaces reads the places of a standing query. Those of another one that had its name, and those that
// cannot be read, which the error says, are none.
func loadPlaces(name string, created int64) (*places, error) {
	p := &places{name: name, created: created, known: map[source.ID]*place{}}
	if name == "" {
		return p, nil
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	var f placesFile
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		return p, fmt.Errorf("places: %w", err)
	}
	if f.Created != created {
		return p, nil
	}
	p.resumed, p.saved = true, f.Saved
	for _, q := range f.Places {
		if q == nil || q.At < int64(len(q.Before)) || len(q.Before) > placeOverlap {
			return &places{name: name, created: created, known: map[source.ID]*place{}}, fmt.Errorf("places %s: damaged", name)
		}
		p.known[q.id()] = q
	}
	return p, nil
}

// resume says where following a file begins, as follow.Options.Resume does; there are the files of the
// node by what they are.
func (p *places) resume(e *source.Entry, at io.ReaderAt, size int64, there map[source.ID]*source.Entry) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.resumed {
		return -1
	}
	if q := p.known[e.ID]; q != nil {
		if q.continues(at, size) {
			return q.At
		}
		return 0 // it was cut, or is another one
	}
	for id, q := range p.known {
		// A copy of a file that was cut, or deleted, after it goes on where that was read to.
		if o := there[id]; len(q.Before) > 0 && (o == nil || o.Size < q.At) && q.continues(at, size) {
			return q.At
		}
	}
	if e.ModTime.Before(p.saved.Add(-placeSlack)) {
		return -1 // it was not selected before, and nothing was written to it since
	}
	return 0
}

// begin notes where following the files has begun.
func (p *places) begin(past []follow.Past) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = map[source.ID]*place{}
	for i := range past {
		q := &place{Dev: past[i].Entry.ID.Dev, Ino: past[i].Entry.ID.Ino, At: past[i].Size}
		q.Before = make([]byte, min(q.At, placeOverlap))
		if n, err := past[i].At.ReadAt(q.Before, q.At-int64(len(q.Before))); n < len(q.Before) && err != nil {
			q.Before = nil
		}
		p.known[q.id()] = q
	}
	p.dirty = true
}

// passed notes that a piece is published and acknowledged.
func (p *places) passed(piece *follow.Piece) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := piece.Entry.ID
	q := p.known[id]
	if q == nil || piece.Cut || q.At != piece.Offset {
		q = &place{Dev: id.Dev, Ino: id.Ino}
	}
	if p.dirty = true; !piece.Cut {
		text := piece.Text[:piece.End-piece.Offset]
		if len(text) < placeOverlap {
			text = append(q.Before, text...)
		}
		q.Before = bytes.Clone(text[max(0, len(text)-placeOverlap):])
		q.At = piece.End
	}
	p.known[id] = q
}

// save writes the places, if any has changed, of the files that are there. Whatever happens meanwhile,
// the file holds the places of before or of now.
func (p *places) save(there map[source.ID]*source.Entry, now time.Time) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dirty || p.name == "" {
		return nil
	}
	f := placesFile{Created: p.created, Saved: now}
	for id, q := range p.known {
		if there[id] != nil {
			f.Places = append(f.Places, q)
		}
	}
	text, err := json.Marshal(&f)
	if err != nil {
		return fmt.Errorf("places: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(p.name), 0o700); err != nil {
		return fmt.Errorf("places: %w", err)
	}
	out, err := os.CreateTemp(filepath.Dir(p.name), ".places-*")
	if err != nil {
		return fmt.Errorf("places: %w", err)
	}
	_, err = out.Write(text)
	if err = errors.Join(err, out.Sync(), out.Close()); err == nil {
		err = os.Rename(out.Name(), p.name)
	}
	if err != nil {
		_ = os.Remove(out.Name()) // it is of no use
		return fmt.Errorf("places: %w", err)
	}
	p.dirty = false
	return nil
}
