package responder

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/block"
	"github.com/trawl-logs/trawl/responder/clock"
	"github.com/trawl-logs/trawl/responder/indexer"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/responder/timestamp"
)

// index is the blocks of the node's logs, while the responder runs.
type index struct {
	store   *indexer.Store
	builder *indexer.Builder
	entries map[indexer.ID]*source.Entry // as of the builder's last look; it alone uses them
}

// startIndex has the index built from now on, and used, unless the configuration wants none. stop ends that.
func (r *Responder) startIndex(ctx context.Context) (stop func()) {
	level, err := block.ParseLevel(r.config.Index.Level)
	if r.config.State == "" || err != nil { // off
		return func() {}
	}
	store, err := indexer.OpenStore(filepath.Join(r.config.State, "index"), r.log)
	if err != nil {
		r.log.Warn("no index: every query reads all", "err", err)
		return func() {}
	}
	x := &index{store: store}
	x.builder = indexer.NewBuilder(store, indexer.Options{
		Level: level, Share: float64(r.config.Index.CPU) / 100, Most: int64(r.config.Index.Size), Shape: r.blocks,
		Logs: func() []indexer.Log { return x.logs(r) },
		Open: func(ctx context.Context, l indexer.Log) (indexer.Opened, error) {
			return r.openToIndex(ctx, x.entries[l.ID])
		},
		Busy: func() bool { return len(r.workers) < cap(r.workers) },
	})
	ctx, cancel := context.WithCancel(ctx)
	var building sync.WaitGroup
	building.Go(func() { x.builder.Run(ctx) })
	r.index.Store(x)
	return func() {
		r.index.Store(nil)
		cancel()
		building.Wait()
		store.Close()
	}
}

// logs are the registered files whose blocks can be known.
func (x *index) logs(r *Responder) (logs []indexer.Log) {
	snap := r.catalog.Newest()
	if snap == nil {
		return nil
	}
	x.entries = make(map[indexer.ID]*source.Entry, len(snap.Files))
	for _, e := range snap.Files {
		if id := indexer.ID(e.ID); r.feeds.formats[e.Source()] == 0 && e.Size > 0 && !r.sealed(e) {
			x.entries[id] = e
			_, packed := source.PackedFrom(e.Path)
			logs = append(logs, indexer.Log{ID: id, Path: e.Path, Service: e.Service, Size: e.Size, ModTime: e.ModTime, Packed: packed})
		}
	}
	return logs
}

// openKind opens a registered file, and says how it is packed.
func (r *Responder) openKind(ctx context.Context, e *source.Entry) (*source.File, archive.Kind, error) {
	f, err := r.catalog.Open(ctx, e)
	if err != nil {
		return nil, archive.Plain, err
	}
	head := make([]byte, archive.HeadSize)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		_ = f.Close() // opened for reading: nothing is lost
		return nil, archive.Plain, err
	}
	return f, archive.Detect(head[:n]), nil
}

// openToIndex opens a registered file.
func (r *Responder) openToIndex(ctx context.Context, e *source.Entry) (o indexer.Opened, err error) {
	f, kind, err := r.openKind(ctx, e)
	if err != nil {
		return o, err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // opened for reading: nothing is lost
		}
	}()
	if kind != archive.Plain {
		return r.archiveToIndex(f, e, kind)
	}
	o = indexer.Opened{File: f.Raw()}
	o.Clock, o.Form, err = r.blockClock(f, f.Size(), e)
	return o, err
}

// blockClock returns the clock of a file's lines, and a number for the form of its times; none where what
// they mean depends on when the file was written.
func (r *Responder) blockClock(at io.ReaderAt, size int64, e *source.Entry) (block.Clock, uint64, error) {
	about := r.timesOf(e)
	return r.clockOf(at, size, &about)
}

// clockOf is blockClock for what is known of a file.
func (r *Responder) clockOf(at io.ReaderAt, size int64, about *clock.File) (block.Clock, uint64, error) {
	form, err := r.clocks.Form(at, size, about)
	if err != nil {
		return nil, 0, err
	}
	clock, number := formClock(form)
	return clock, number, nil
}

func formClock(form *timestamp.Form) (block.Clock, uint64) {
	if form == nil || form.Stateful() {
		return nil, 0
	}
	clock := form.NewReader()
	read := func(line []byte) (int64, bool) { return clock.Time(line[:min(len(line), scan.HeadBytes)]) }
	return read, form.Sum()
}
