package responder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/trawl-logs/trawl/responder/mover"
	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/schemas"
)

// movingDisk is the node's blocks, its own and those of others, as the mover sees them.
type movingDisk struct {
	r      *Responder
	fleet  Fleet
	most   int64 // bytes for blocks
	rate   int64 // bytes a second that are copied
	worked func(context.Context) error
	sleep  func(context.Context, time.Duration) error
	number map[seal.ID]int64

	foreign atomic.Int64 // bytes of other nodes' blocks
	mu      sync.Mutex
	retired map[schemas.BlockID]bool // own ones
}

func newMovingDisk(r *Responder, f Fleet) *movingDisk {
	c := &r.config.Sealed
	return &movingDisk{r: r, fleet: f, most: int64(c.Size), rate: int64(c.Bandwidth), sleep: sleepFor, worked: func(ctx context.Context) error { return ctx.Err() }}
}

func sleepFor(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// own are the node's own blocks; nil: it seals none.
func (d *movingDisk) own() *seal.Store {
	if d.r.sealing == nil {
		return nil
	}
	return d.r.sealing.store
}

// store is where blocks of a home lie; nil: there are none.
func (d *movingDisk) store(home string) *seal.Store {
	if home == d.r.config.Node {
		return d.own()
	}
	return d.r.foreign.of(home)
}

// Held is mover.Disk's.
func (d *movingDisk) Held(take func(home string, id schemas.BlockID, h mover.Holding)) error {
	if d.r.sealing != nil && d.own() == nil || !d.r.foreign.opened() {
		return errNotOpen
	}
	d.number = map[seal.ID]int64{}
	if s := d.own(); s != nil {
		d.held(d.r.config.Node, s, take)
	}
	var bytes int64
	for _, home := range d.r.foreign.homes() {
		if home != d.r.config.Node {
			bytes += d.held(home, d.r.foreign.of(home), take)
		}
	}
	d.foreign.Store(bytes)
	return nil
}

// held calls take with the blocks of one home, and returns what they take. It numbers them within their service and
// window, in which order they come.
func (d *movingDisk) held(home string, s *seal.Store, take func(string, schemas.BlockID, mover.Holding)) (bytes int64) {
	var before *seal.Block
	for _, b := range s.Blocks() {
		if before != nil && before.Service == b.Service && before.Window == b.Window {
			d.number[b.ID] = d.number[before.ID] + 1
		}
		before = b
		what := mover.Whole
		if b.Away {
			what = mover.Stub
		} else {
			bytes += mover.Taken(b.Stored)
			if s.Spoiled(b.ID) != nil {
				what = mover.Damaged
			}
		}
		take(home, schemas.BlockID(b.ID), what)
	}
	return bytes
}

// Record is mover.Disk's. Of another node's block it is what was listed when it was copied, since the block does not know its labels.
func (d *movingDisk) Record(home string, id schemas.BlockID) *schemas.BlockRecord {
	s := d.store(home)
	if s == nil {
		return nil
	}
	b, err := s.Block(seal.ID(id))
	if err != nil || b.Away {
		return nil
	}
	if home != d.r.config.Node {
		if msg, err := os.ReadFile(sidecar(s, id)); err == nil {
			if known, err := schemas.DecodeBlockRecord(msg); err == nil && known.ID == id {
				known.Owners, known.State, known.Since = nil, schemas.BlockKept, b.Sealed
				return known
			}
		}
	}
	record := &schemas.BlockRecord{ID: id, Home: home, Service: b.Service, Window: b.Window, Span: b.Span, Number: d.number[b.ID],
		Timed: b.Timed, Lines: b.Lines, Bytes: b.Bytes, Stored: b.Stored, Checksum: b.Checksum, Since: b.Sealed}
	if b.Timed {
		record.MinTime, record.MaxTime = b.MinTime, b.MaxTime
	}
	if home == d.r.config.Node {
		record.Labels = d.r.labelsOf(b)
	}
	return record
}

// sidecarSuffix is of the names of what was listed of other nodes' blocks.
const sidecarSuffix = ".listed"

func sidecar(s *seal.Store, id schemas.BlockID) string {
	return filepath.Join(s.Dir(), id.String()+sidecarSuffix)
}

// Fetch is mover.Disk's.
func (d *movingDisk) Fetch(ctx context.Context, b *schemas.BlockRecord, from string) error {
	if err := d.fits(b); err != nil {
		return err
	}
	s := d.own()
	if b.Home != d.r.config.Node {
		var err error
		if s, err = d.r.foreign.make(b.Home); err == nil {
			err = os.WriteFile(sidecar(s, b.ID), schemas.AppendBlockRecord(nil, b), 0o600) // it may be lost: there is but less to say then
		}
		if err != nil {
			return noRoom(err)
		}
	}
	if s == nil {
		return seal.ErrUnknown
	}
	err := d.copy(ctx, s, b, from)
	if err == nil {
		err = s.Adopt(ctx, seal.ID(b.ID), b.Checksum, d.worked)
	}
	if err = noRoom(err); errors.Is(err, mover.ErrNoRoom) {
		err = errors.Join(err, s.Abandon(seal.ID(b.ID)))
	}
	if err == nil && b.Home != d.r.config.Node {
		d.foreign.Add(mover.Taken(b.Stored))
	}
	return err
}

// noRoom tells a full disk by its name.
func noRoom(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", mover.ErrNoRoom, err)
	}
	return err
}

// copy has the Partial of a block be all of it.
func (d *movingDisk) copy(ctx context.Context, s *seal.Store, b *schemas.BlockRecord, from string) error {
	f, at, err := s.Partial(seal.ID(b.ID))
	if err != nil {
		return err
	}
	defer f.Close()
	if at > b.Stored {
		return errors.Join(fmt.Errorf("%w: %d bytes are more than %d", seal.ErrDamaged, at, b.Stored), s.Abandon(seal.ID(b.ID)))
	}
	if at == b.Stored {
		return nil
	}
	w := &pacedWriter{ctx: ctx, w: f, left: b.Stored - at, rate: d.rate, sleep: d.sleep}
	if err := d.fleet.Copy(ctx, from, b.Home, b.ID, at, w); err != nil {
		return err
	}
	if w.left > 0 {
		return fmt.Errorf("%w: %d of its %d bytes did not come", io.ErrUnexpectedEOF, w.left, b.Stored)
	}
	return nil
}

// pacedWriter lets through so many bytes a second, and no more than left.
type pacedWriter struct {
	ctx   context.Context
	w     io.Writer
	left  int64
	rate  int64
	sleep func(context.Context, time.Duration) error
	owed  time.Duration
}

// pacedRest is the least that a pacedWriter sleeps at a time.
const pacedRest = 20 * time.Millisecond

func (p *pacedWriter) Write(b []byte) (int, error) {
	if int64(len(b)) > p.left {
		return 0, fmt.Errorf("%w: more bytes came than it has", seal.ErrDamaged)
	}
	n, err := p.w.Write(b)
	p.left -= int64(n)
	if err != nil {
		return n, err
	}
	if p.owed += time.Duration(float64(n) / float64(p.rate) * float64(time.Second)); p.owed < pacedRest {
		return n, p.ctx.Err()
	}
	rest := p.owed
	p.owed = 0
	return n, p.sleep(p.ctx, rest)
}

// Verify is mover.Disk's.
func (d *movingDisk) Verify(ctx context.Context, home string, id schemas.BlockID) error {
	s := d.store(home)
	if s == nil {
		return seal.ErrUnknown
	}
	b, err := s.Block(seal.ID(id))
	if err == nil {
		err = s.Verify(b)
	}
	return errors.Join(err, d.worked(ctx))
}

// Drop is mover.Disk's.
func (d *movingDisk) Drop(home string, id schemas.BlockID) error {
	s := d.store(home)
	if s == nil {
		return nil
	}
	if err := s.Shed(seal.ID(id)); err != nil && !errors.Is(err, seal.ErrUnknown) {
		return err
	}
	if home == d.r.config.Node {
		return nil
	}
	if err := os.Remove(sidecar(s, id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Retired is mover.Disk's.
func (d *movingDisk) Retired(own map[schemas.BlockID]bool) {
	d.mu.Lock()
	d.retired = own
	d.mu.Unlock()
	if len(own) > 0 && d.r.sealing != nil {
		d.r.sealing.poke()
	}
}

// isRetired says whether nobody is to search an own block any more.
func (d *movingDisk) isRetired(id seal.ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.retired[schemas.BlockID(id)]
}

// used is what blocks take.
func (d *movingDisk) used() (bytes int64) {
	if s := d.own(); s != nil {
		bytes = mover.Taken(s.Stored())
	}
	return bytes + d.foreign.Load()
}

// room refuses to seal what there is no room for.
func (d *movingDisk) room(more int64) error {
	if used := d.used(); used+more > d.most {
		return fmt.Errorf("sealed blocks take %d bytes of the %d that they may, and none of them may go yet", used, d.most)
	}
	return nil
}

// fits refuses to copy what there is no room for: a twentieth is for what is sealed here.
func (d *movingDisk) fits(b *schemas.BlockRecord) error {
	if used := d.used(); !mover.Fits(used, b.Stored, d.most) {
		return fmt.Errorf("%w: sealed blocks take %d bytes of the %d that they may", mover.ErrNoRoom, used, d.most)
	}
	return nil
}

// abandon removes what was copied of blocks that are not wanted any more, and what was listed of blocks that are not here.
func (d *movingDisk) abandon() {
	stores := []*seal.Store{d.own()}
	for _, home := range d.r.foreign.homes() {
		stores = append(stores, d.r.foreign.of(home))
	}
	for _, s := range stores {
		if s == nil {
			continue
		}
		ids, err := s.Partials()
		for _, id := range ids {
			err = errors.Join(err, s.Abandon(id))
		}
		if err != nil {
			d.r.log.Warn("copies of sealed blocks that are not wanted", "err", err)
		}
		d.abandonRecords(s)
	}
}

// abandonRecords removes what was listed of blocks that are not in a store.
func (d *movingDisk) abandonRecords(s *seal.Store) {
	there := map[string]bool{}
	for _, b := range s.Blocks() {
		there[b.ID.String()] = true
	}
	entries, err := os.ReadDir(s.Dir())
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), sidecarSuffix); ok && !there[id] {
			err = errors.Join(err, os.Remove(filepath.Join(s.Dir(), e.Name())))
		}
	}
	if err != nil {
		d.r.log.Warn("what was listed of sealed blocks that are not here", "err", err)
	}
}
