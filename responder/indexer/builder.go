package indexer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/trawl-logs/trawl/responder/block"
)

const (
	// pieceBytes is how much is read at once. While a piece is indexed, one of the process's processors is
	// held: by a thread that the system leaves waiting, if others want it. So pieces are short.
	pieceBytes = 64 << 10
	// turnBytes is how much of a log is indexed before the newer ones are looked at again.
	turnBytes = 256 << 20
	// sampleBytes of the heads of sampleLogs logs tell how long lines are.
	sampleBytes = 64 << 10
	sampleLogs  = 16
	// missedFor is for how many looks a log must have been away that its index is removed.
	missedFor = 3
)

// ErrNotIndexed is the error of a log that is not to be indexed, and of which nothing need be said.
var ErrNotIndexed = errors.New("not indexed")

// Opened is a log that is being indexed.
type Opened struct {
	File  *os.File    // closed by the Builder
	Clock block.Clock // nil: its lines have no times
	Form  uint64      // of the times

	// Archive, if set, is what the File holds, which is compressed and has Size bytes; Head is the first part
	// of the content, and Rules number how it is read, as Content of package block has them.
	Archive Archive
	Size    int64
	Head    []byte
	Rules   uint64
}

// close closes what is open.
func (o *Opened) close() {
	if o.Archive != nil {
		o.Archive.Close()
	}
	_ = o.File.Close() // opened for reading: nothing is lost
}

// Options are what a Builder goes by. All are set but Shape.
type Options struct {
	Level block.Level
	Share float64 // of one core, in (0, 1]
	Most  int64   // bytes of all indexes
	// Logs are the files that there are.
	Logs func() []Log
	// Open opens one of them for reading.
	Open func(context.Context, Log) (Opened, error)
	// Busy tells that a search runs.
	Busy func() bool
	// Shape, if set, is what blocks are made, whatever the disk: tests make them small.
	Shape block.Options
}

// Builder builds the indexes of a Store.
type Builder struct {
	store *Store
	o     Options
	pace  pace
	buf   []byte
	block *block.Builder
	made  block.Options // what block makes
	disk  disk

	packing *packing     // an archive that is not through
	due     map[ID]int64 // size from which on a log is worth a look
	missed  map[ID]int   // looks for which a log was away
	other   map[ID]bool  // logs whose blocks have another shape than those that are made now

	mu      sync.Mutex
	figures figures
	looks   int  // that are over
	settled bool // the last of them left nothing to do
}

// NewBuilder returns a Builder.
func NewBuilder(s *Store, o Options) *Builder {
	return &Builder{store: s, o: o, pace: pace{share: o.Share, busy: o.Busy, sleep: sleep}, buf: make([]byte, pieceBytes),
		due: map[ID]int64{}, missed: map[ID]int{}, other: map[ID]bool{}, figures: load(s.dir)}
}

// Run builds until ctx ends, first of all at once and then whenever it is woken. It takes over the
// goroutine's thread.
func (b *Builder) Run(ctx context.Context) {
	yield()
	defer b.abandon()
	for {
		more := b.look(ctx)
		b.mu.Lock()
		b.looks++
		b.settled = !more
		b.mu.Unlock()
		if ctx.Err() != nil {
			return
		}
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-b.store.wake:
		}
	}
}

// Wake has the logs looked at again.
func (b *Builder) Wake() { b.store.poke() }

// Looks returns how often the logs were looked at, and whether the last time left nothing to be indexed.
func (b *Builder) Looks() (n int, settled bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.looks, b.settled
}

// Sizing returns what the size of the blocks follows from, the rate at which the disk was seen to read,
// and whether it was.
func (b *Builder) Sizing() (s block.Sizing, rate float64, measured bool) {
	_, rate, intervals := b.disk.rate()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.figures.sizing(b.o.Level), rate, intervals > 0
}

// look goes over the logs once. It says whether it left any work.
func (b *Builder) look(ctx context.Context) (more bool) {
	logs := b.o.Logs()
	if len(logs) == 0 {
		return false
	}
	stored, err := block.List(b.store.dir)
	if err != nil {
		b.store.log.Error("indexes", "err", err)
		return false
	}
	shape := b.shape(ctx, logs)
	build, remove := choose(logs, stored, b.o.Most, blockBytes(shape, b.figures.MeanLine)/4)
	b.remove(logs, remove)
	if p := b.packing; p != nil && !slices.ContainsFunc(build, func(l Log) bool { return l.ID == p.log.ID }) {
		b.abandon()
	}
	for _, l := range build {
		if l.Size < b.due[l.ID] && !b.store.isSuspect(l.ID) {
			continue
		}
		left, err := b.guarded(l, func() (bool, error) { return b.extend(ctx, l, shape) })
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			b.due[l.ID] = l.Size + 1 // when it has grown
			b.warn(l, err)
		}
		if left {
			return true // the newer ones first
		}
	}
	return b.reshape(ctx, build, shape, b.o.Most-bytesOf(stored))
}

// warn says why a log is not indexed.
func (b *Builder) warn(l Log, err error) {
	if !errors.Is(err, ErrNotIndexed) && !errors.Is(err, fs.ErrNotExist) {
		b.store.log.Warn("not indexed", "path", l.Path, "err", err)
	}
}

// remove drops the indexes of logs that are too old for the room there is, and of those that are gone.
func (b *Builder) remove(logs []Log, ids []ID) {
	there := map[ID]bool{}
	for _, l := range logs {
		there[l.ID] = true
		delete(b.missed, l.ID)
	}
	for _, id := range ids {
		if !there[id] {
			if b.missed[id]++; b.missed[id] < missedFor {
				continue
			}
		}
		delete(b.missed, id)
		delete(b.due, id)
		delete(b.other, id)
		b.store.mu.Lock()
		b.store.remove(id)
		b.store.mu.Unlock()
	}
}

// shape is what blocks are made now.
func (b *Builder) shape(ctx context.Context, logs []Log) block.Options {
	largest := slices.MaxFunc(logs, func(x, y Log) int { return int(min(max(x.Size-y.Size, -1), 1)) })
	b.disk.sample(largest.Path)
	device, rate, intervals := b.disk.rate()
	next := b.figures.renew(device, b.o.Level.String(), rate, intervals, func() float64 { return b.meanLine(ctx, logs) })
	if next != b.figures {
		if err := next.save(b.store.dir); err != nil {
			b.store.log.Error("indexes", "err", err)
		}
		b.store.log.Info("blocks", "sizing", next.sizing(b.o.Level).Explain())
		clear(b.due)
		b.mu.Lock()
		b.figures = next
		b.mu.Unlock()
	}
	if b.o.Shape != (block.Options{}) {
		return b.o.Shape
	}
	return b.figures.sizing(b.o.Level).Shape()
}

func blockBytes(o block.Options, meanLine float64) int64 {
	return int64(float64(o.Strips*o.StripLines) * meanLine)
}

// meanLine is how long the lines at the heads of the largest logs are in the mean; 0 if there are none.
func (b *Builder) meanLine(ctx context.Context, logs []Log) float64 {
	largest := slices.Clone(logs)
	slices.SortStableFunc(largest, func(x, y Log) int { return int(min(max(y.Size-x.Size, -1), 1)) })
	sum, lines := 0, 0
	for _, l := range largest[:min(len(largest), sampleLogs)] {
		n := 0 // of what there is
		_, _ = b.guarded(l, func() (bool, error) {
			o, err := b.o.Open(ctx, l)
			if err != nil {
				return false, err
			}
			defer o.close()
			if n, _ = o.File.ReadAt(b.buf[:sampleBytes], 0); o.Archive != nil {
				n, _ = io.ReadFull(o.Archive, b.buf[:sampleBytes])
			}
			return false, nil
		})
		if end := bytes.LastIndexByte(b.buf[:n], '\n') + 1; end > 0 {
			sum, lines = sum+end, lines+bytes.Count(b.buf[:end], []byte{'\n'})
		}
	}
	if lines == 0 {
		return block.DefaultMeanLine
	}
	return float64(sum) / float64(lines)
}

// guarded works on a log; a panic is an error of that log.
func (b *Builder) guarded(l Log, work func() (left bool, err error)) (left bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			b.store.log.Error("panic in the index", "path", l.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			b.abandon()
			b.block, left, err = nil, false, errors.New("internal error")
		}
	}()
	return work()
}

// open opens a log, and says in which state it is.
func (b *Builder) open(ctx context.Context, l Log) (o Opened, state block.State, err error) {
	if o, err = b.o.Open(ctx, l); err != nil {
		return o, state, err
	}
	state, id, err := StateOf(o.File)
	if err == nil && id != l.ID {
		err = fs.ErrNotExist // the name is another file's by now; the next look finds it
	}
	if err != nil {
		o.close()
	}
	return o, state, err
}

// extend verifies, makes or goes on with the index of a log. left says that it is not through with it.
// An index that has blocks goes on with such as it has, whatever shape is.
func (b *Builder) extend(ctx context.Context, l Log, shape block.Options) (left bool, err error) {
	b.store.cleared(l.ID)
	if b.packing != nil && b.packing.log.ID == l.ID {
		return b.goOn(ctx)
	}
	if b.packing != nil && l.Packed {
		return false, nil // it is its turn when that one is through
	}
	o, state, err := b.open(ctx, l)
	if err != nil {
		return false, err
	}
	if o.Archive != nil {
		return b.extendPacked(ctx, l, o, state, shape)
	}
	defer o.File.Close()
	u, err := b.current(ctx, l, &o, state)
	if err != nil {
		return false, err
	}
	defer u.Done()
	delete(b.other, l.ID)
	if list := u.Blocks(); len(list) > 0 && list[0].Shape() != shape {
		shape = list[0].Shape()
		b.other[l.ID] = true
	}
	left, err = b.feed(ctx, u.Index, u, &o, state, shape)
	if changed(o.File, state) {
		b.store.Drop(l.ID, fmt.Errorf("%s changed while it was indexed", l.Path))
		return false, err
	}
	if err != nil { // what could be written is right; the builder has nothing begun
		return false, err
	}
	if b.due[l.ID] = b.block.Due(); left {
		b.due[l.ID] = 0
	}
	if len(u.Blocks()) == 0 { // nothing to keep
		b.store.Drop(l.ID, fs.ErrNotExist)
	}
	return left, err
}

// changed says whether a file was written to since it was in state, other than by growing.
func changed(f *os.File, state block.State) bool {
	now, _, err := StateOf(f)
	return err != nil || now.Size < state.Size || now.Size == state.Size && now.ModTime != state.ModTime
}

// current returns the index of a log as it can be gone on with, an empty one if there is none.
func (b *Builder) current(ctx context.Context, l Log, o *Opened, state block.State) (*Use, error) {
	if u := b.store.Use(l.ID); u != nil {
		ok, err := b.holds(ctx, u, l, o, state)
		if ok && err == nil {
			return u, nil
		}
		u.Done()
		if err != nil {
			return nil, err
		}
	}
	f, err := fileOf(l, o, state)
	if err != nil {
		return nil, err
	}
	return b.store.create(f)
}

// fileOf is what an index of a log says it is of.
func fileOf(l Log, o *Opened, state block.State) (f block.File, err error) {
	f = block.File{Dev: l.ID.Dev, Ino: l.ID.Ino, Service: l.Service, Form: o.Form}
	return f, f.Fingerprint(o.File, state.Size)
}

// holds says whether an index speaks of its log. One that does not is dropped.
func (b *Builder) holds(ctx context.Context, u *Use, l Log, o *Opened, state block.State) (bool, error) {
	if u.File().Packed {
		b.store.Drop(l.ID, fs.ErrNotExist) // of an archive that is gone
		return false, nil
	}
	if u.File().Form != o.Form {
		b.store.Drop(l.ID, errors.New("the log's times are read otherwise now"))
		return false, nil
	}
	verdict, err := u.Check(o.File, state)
	if err == nil && verdict == block.Unsure {
		if err = b.verify(ctx, u, o.File); err == nil {
			u.Trust(state)
			return true, nil
		}
		if ctx.Err() == nil {
			b.store.Drop(l.ID, err)
			return false, nil
		}
	}
	if err == nil && verdict == block.Stale {
		b.store.Drop(l.ID, fmt.Errorf("%s was truncated or rewritten", l.Path))
		return false, nil
	}
	return true, err
}

// verify looks at all that is indexed. The error says what is wrong.
func (b *Builder) verify(ctx context.Context, u *Use, r io.ReaderAt) (err error) {
	last := used()
	readErr := u.Verify(ctx, r, func(_ block.Block, wrong error) bool {
		now := used()
		err = errors.Join(wrong, b.pace.worked(ctx, now-last))
		last = used()
		return err == nil
	})
	return errors.Join(err, readErr)
}

// feed indexes in x, for as long as u is not dropped, what there is of a log, up to turnBytes, in blocks of
// a shape.
func (b *Builder) feed(ctx context.Context, x *block.Index, u *Use, o *Opened, state block.State, shape block.Options) (left bool, err error) {
	if b.block == nil || b.made != shape {
		if b.block, err = block.NewBuilder(shape); err != nil {
			return false, err
		}
		b.made = shape
	}
	left, err = b.fill(ctx, x, u, o, state)
	if err == nil || ctx.Err() != nil {
		err = errors.Join(err, b.block.Finish())
	}
	return left, err
}

func (b *Builder) fill(ctx context.Context, x *block.Index, u *Use, o *Opened, state block.State) (left bool, err error) {
	at := b.block.Start(x, state, o.Clock)
	end := min(state.Size, at+turnBytes)
	for last := used(); at < end; {
		p := b.buf[:min(pieceBytes, end-at)]
		if n, err := o.File.ReadAt(p, at); n < len(p) {
			return false, fmt.Errorf("read log: %w", err)
		}
		if u.gone() {
			return false, nil
		}
		if err := b.block.Feed(p); err != nil {
			return false, err
		}
		at += int64(len(p))
		now := used()
		if err := b.pace.worked(ctx, now-last); err != nil {
			return false, err
		}
		last = now
	}
	return end < state.Size, nil
}
