package scan

import (
	"context"
	"errors"
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// run is one call of Run. A planner opens inputs and cuts them into segments; it queues each twice:
// in work, for the workers, and in order, for the calling goroutine, which emits their batches.
type run struct {
	parent     context.Context
	ctx        context.Context
	cancel     context.CancelFunc
	inputs     []Input
	newMatcher func() Matcher
	o          *Options
	emit       func(*Batch) error

	order   chan *segment
	work    chan *segment
	queue   int // batches that a segment may have waiting
	workers sync.WaitGroup

	stats Stats
	bytes atomic.Int64
	text  atomic.Int64 // bytes of batches that workers have handed on
	err   error        // from emit: ends the run
	over  bool         // nothing more is wanted
	cur   fileState
}

// openFile is an input that is being searched.
type openFile struct {
	input int
	in    *Input
	f     File
	src   source
	stop  atomic.Bool  // nothing more of it is wanted
	hit   atomic.Int64 // number of the first segment known to hold a selected line, where one is enough
	nul   atomic.Int64 // number of the first segment known to hold a NUL
}

// segment is a part of a file: the lines that start in [start, end).
type segment struct {
	file       *openFile
	n          int64
	start, end int64
	more       []Range // further stretches that belong to it
	line       int64   // lines before start; -1: those of the segments before
	last       bool
	out        chan *Batch // closed when res is set
	res        result
}

// result is what a worker says of a segment when it is done with it.
type result struct {
	selected  int64
	lines     int64 // terminators, if line numbers are wanted
	binary    bool  // a NUL was seen
	binaryHit bool  // and a line was selected since
	badText   bool  // a line could not be printed: its bytes are not text
	err       error
	lineErr   error // of a line that could not be given; the rest was searched
}

// fileState is what is known of the file whose segments are being emitted.
type fileState struct {
	result
	done bool
}

func newRun(ctx context.Context, inputs []Input, newMatcher func() Matcher, o *Options, emit func(*Batch) error) *run {
	window := 2 * o.Threads
	r := &run{
		parent: ctx, inputs: inputs, newMatcher: newMatcher, o: o, emit: emit,
		order: make(chan *segment, window), work: make(chan *segment, window),
		queue: min(16, max(2, 64/window)),
	}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r
}

func (r *run) run() (Stats, error) {
	defer r.cancel()
	go r.plan()
	for seg := range r.order {
		r.consume(seg)
	}
	r.workers.Wait()
	r.stats.Bytes = r.bytes.Load()
	switch {
	case r.err != nil && !errors.Is(r.err, ErrStop):
		return r.stats, r.err
	case r.over:
		return r.stats, nil
	}
	return r.stats, r.parent.Err()
}

// plan opens the inputs one after another and queues their segments.
func (r *run) plan() {
	defer close(r.order)
	defer close(r.work)
	started := 0
	queue := func(seg *segment) bool {
		select {
		case r.order <- seg:
		case <-r.ctx.Done():
			return false
		}
		if seg.file == nil || seg.file.src == nil {
			return true
		}
		if started < r.o.Threads {
			started++
			r.workers.Add(1)
			go r.worker()
		}
		r.work <- seg // has room: order has the same capacity
		return true
	}
	for i := range r.inputs {
		if r.ctx.Err() != nil {
			return
		}
		file, err := r.open(i)
		if err != nil {
			seg := &segment{file: file, line: -1, last: true, out: make(chan *Batch), res: result{err: err}}
			close(seg.out)
			if !queue(seg) {
				return
			}
			continue
		}
		if !r.segments(file, queue) {
			return
		}
	}
}

// segments cuts a file up.
func (r *run) segments(file *openFile, queue func(*segment) bool) bool {
	size := int64(math.MaxInt64)
	step := size
	if file.f.At != nil {
		size = file.f.Size
		if step = r.o.geometry.segment; r.o.whole() || file.f.InOrder {
			step = max(size, 1)
		}
	}
	if file.f.At != nil && file.f.Ranges != nil {
		return r.ranged(file, step, queue)
	}
	long := step
	for n, start := int64(0), min(file.f.From, size); ; n++ {
		end := size
		if step = long; long == r.o.geometry.segment && r.talkative() {
			step = max(long/3, r.o.geometry.window)
		}
		if size-start-step > step/4 { // no short last segment
			end = (start + step) / r.o.geometry.window * r.o.geometry.window
		}
		seg := &segment{file: file, n: n, start: start, end: end, line: -1, last: end == size, out: make(chan *Batch, r.queue)}
		if file.stop.Load() {
			seg.start, seg.last = size, true // only to close the file in its turn
		}
		if !queue(seg) {
			if n == 0 {
				file.close()
			}
			return false
		}
		if seg.last {
			return true
		}
		start = end
	}
}

// talkative says that workers wait for one another: much of what they read is given on, in order, and but a part of a
// segment's lines finds room until those of the segment before are gone. Where most lines match, two workers with segments of a
// third of the length take 0.87 of the time.
func (r *run) talkative() bool {
	const much = 8 // one byte in so many
	return r.o.Threads > 1 && r.text.Load()*much > r.bytes.Load()
}

// open opens an input. It gives up when the run is cancelled, even if Open hangs (a FIFO nobody
// writes to, a dead file server).
func (r *run) open(i int) (*openFile, error) {
	in := &r.inputs[i]
	file := &openFile{input: i, in: in}
	file.hit.Store(math.MaxInt64)
	file.nul.Store(math.MaxInt64)
	type opened struct {
		f   File
		err error
	}
	done := make(chan opened, 1)
	go func() {
		var o opened
		defer func() {
			if p := recover(); p != nil {
				o.err = &PanicError{Value: p, Stack: debug.Stack()}
			}
			done <- o
		}()
		o.f, o.err = in.Open()
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return file, o.err
		}
		file.f = o.f
	case <-r.ctx.Done():
		go func() {
			if o := <-done; o.err == nil && o.f.Closer != nil {
				_ = o.f.Closer.Close()
			}
		}()
		return file, r.ctx.Err()
	}
	if file.f.At != nil {
		file.src = &fileSource{at: file.f.At, size: file.f.Size}
	} else {
		src := newStreamSource(r.ctx, file.f.Stream, r.o.MaxKept)
		src.origin = file.f.Origin
		file.src = src
	}
	return file, nil
}

func (f *openFile) close() {
	if s, ok := f.src.(*streamSource); ok {
		s.close()
	}
	if f.f.Closer != nil {
		_ = f.f.Closer.Close() // opened for reading: nothing is lost
	}
}

func (r *run) worker() {
	defer r.workers.Done()
	s := newSearcher(r)
	defer func() { s.free() }()
	for seg := range r.work {
		if !s.guarded(seg) {
			s = newSearcher(r)
		}
		close(seg.out)
	}
}

// lower keeps the smallest of the values given to it.
func lower(a *atomic.Int64, n int64) {
	for old := a.Load(); n < old && !a.CompareAndSwap(old, n); old = a.Load() {
	}
}
