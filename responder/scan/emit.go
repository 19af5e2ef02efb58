package scan

import (
	"context"
	"errors"
)

// consume emits what a worker found in a segment, waits until it is done with it, and closes the file
// after its last one. After the end of the run it only waits and closes.
func (r *run) consume(seg *segment) {
	if seg.n == 0 {
		r.cur = fileState{}
	}
	if seg.line >= 0 {
		r.cur.lines = seg.line
	}
	for b := range seg.out {
		r.give(seg, b)
	}
	st := &r.cur
	if !st.done && !r.ended() {
		r.settle(seg)
	}
	if r.o.Searched != nil && !r.ended() {
		r.o.Searched(seg.file.input, seg.end)
	}
	if !seg.last {
		return
	}
	if seg.file.src != nil {
		seg.file.close()
		if !r.ended() {
			r.stats.Files++
			r.finish(seg)
		}
	}
}

func (r *run) ended() bool { return r.over || r.err != nil || r.ctx.Err() != nil }

// end ends the run in good order.
func (r *run) end() {
	r.over = true
	r.cancel()
}

// give emits a batch of lines, unless an earlier segment made it void.
func (r *run) give(seg *segment, b *Batch) {
	defer b.recycle()
	if r.cur.done || r.cur.binary || r.ended() {
		return
	}
	for i := range b.Numbers {
		b.Numbers[i] += r.cur.lines
	}
	b.Input, b.Service, b.File = seg.file.input, seg.file.in.Service, seg.file.in.Name
	limit := r.o.Limit
	full := limit > 0 && r.stats.Results+b.Selected >= limit
	if full {
		b.cut(limit-r.stats.Results, r.o.Terminator)
	}
	r.stats.Results += b.Selected
	r.pass(b)
	// A line in pieces is given to its end.
	if full && !b.More && r.err == nil {
		r.stats.Limited = true
		r.stats.Selected += b.Selected
		r.end()
	}
}

func (r *run) pass(b *Batch) {
	if err := r.emit(b); err != nil {
		r.err = err
		if errors.Is(err, ErrStop) {
			r.over = true
		}
		r.cancel()
	}
}

// settle adds a segment's result to its file's.
func (r *run) settle(seg *segment) {
	st, res := &r.cur, &seg.res
	if res.err != nil && errors.Is(res.err, context.Canceled) {
		return // by the end of the run, or of the file
	}
	if st.binary && r.o.Mode == Lines { // one line is enough, and the worker may not have known
		res.selected = min(res.selected, 1)
		st.binaryHit = st.binaryHit || res.selected > 0
	}
	st.binary = st.binary || res.binary
	st.binaryHit = st.binaryHit || res.binaryHit
	st.badText = st.badText || res.badText
	st.selected += res.selected
	st.lines += res.lines
	for _, err := range []error{res.lineErr, res.err} {
		if err != nil {
			r.stats.Errors++
			if r.o.OnError != nil {
				r.o.OnError(seg.file.input, err)
			}
		}
	}
	if st.binary && r.o.Binary == BinaryWithout {
		st.selected, st.done = 0, true
	}
	oneIsEnough := r.o.Mode == Files || r.o.Mode == FilesWithout || r.o.Mode == Quiet
	if res.err != nil || st.binaryHit || oneIsEnough && st.selected > 0 {
		st.done = true
	}
	if st.done {
		seg.file.stop.Store(true)
	}
	if r.o.Mode == Quiet && st.selected > 0 {
		r.stats.Selected += st.selected
		st.selected = 0
		r.end()
	}
}

// finish reports what is said of a file as a whole.
func (r *run) finish(seg *segment) {
	st := &r.cur
	r.stats.Selected += st.selected
	b := newBatch()
	defer b.recycle()
	b.Input, b.Service, b.File = seg.file.input, seg.file.in.Service, seg.file.in.Name
	switch r.o.Mode {
	case Lines:
		if r.o.Binary != BinaryReport || !st.binaryHit && !st.badText {
			return
		}
		b.Kind = KindBinary
		r.pass(b)
		return
	case Count:
		b.Kind, b.Count = KindCount, st.selected
		r.stats.Results += st.selected
		r.pass(b)
		return
	case Files, FilesWithout:
		if (st.selected > 0) != (r.o.Mode == Files) {
			return
		}
		b.Kind = KindFile
		r.stats.Results++
		r.pass(b)
	case Quiet:
		return
	}
	if r.o.Limit > 0 && r.stats.Results >= r.o.Limit && r.err == nil {
		r.stats.Limited = true
		r.end()
	}
}
