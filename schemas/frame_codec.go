package schemas

import (
	"math"
	"time"
)

// A frame on the wire, a msgpack array whose absent bodies are nil:
//
//	[ version, run, seq, hello, data, progress, end ]
//	hello    = [ instance, host, trawl_version, files, bytes ]
//	data     = [ offset, raw, packing, chunks ]           (chunk_codec.go)
//	progress = [ bytes_read, sent, waiting, watermark ]
//	end      = [ status, reason, lines, chunks, raw_bytes, text_bytes, bytes_read,
//	             bytes_considered, files, blocks_considered, blocks_skipped, blocks_read,
//	             elapsed_ns, [[file, error]…], error_count, selected, blocks_skipped_time, index_bytes,
//	             assumed_sorted ]
//
// selected, the two behind it, and the last may be missing.
const (
	frameFields    = 6
	helloFields    = 5
	dataFields     = 4
	progressFields = 4
	endFields      = 19
	endFieldsOld   = 15
)

// Bounds of the strings in small frames, chosen so that a Hello and an End together, with a reason
// and at least one error, stay within MaxSmall.
const (
	maxHost    = 255
	maxVersion = 64
	maxReason  = 200
	maxErrFile = 160
	maxErrText = 100
)

// AppendFrame appends the encoded frame to dst. It sets f.Data.Raw, and cuts strings and drops
// errors of Hello and End that would not fit MaxSmall (End.ErrorCount still counts them).
func AppendFrame(dst []byte, f *Frame) []byte {
	w := appending(dst)
	w.open(frameFields)
	w.uint(f.Run)
	w.uint(f.Seq)
	start := w.position()
	w.hello(f.Hello)
	w.data(f.Data)
	w.progress(f.Progress)
	w.end(f.End, MaxSmall-32-(w.position()-start))
	return w.done()
}

func (w *writer) hello(h *Hello) {
	if h == nil {
		w.null()
		return
	}
	w.array(helloFields)
	w.string(cut(h.Instance, MaxToken))
	w.string(cut(h.Host, maxHost))
	w.string(cut(h.Version, maxVersion))
	w.int(h.Files)
	w.int(h.Bytes)
}

func (w *writer) progress(p *Progress) {
	if p == nil {
		w.null()
		return
	}
	w.array(progressFields)
	w.int(p.BytesRead)
	w.int(p.Sent)
	w.bool(p.Waiting)
	w.int(p.Watermark)
}

// end writes an End into at most budget bytes.
func (w *writer) end(e *End, budget int) {
	if e == nil {
		w.null()
		return
	}
	start := w.position()
	w.array(endFields)
	w.uint(uint64(e.Status))
	w.string(cut(e.Reason, maxReason))
	for _, v := range []int64{e.Lines, e.Chunks, e.RawBytes, e.TextBytes, e.BytesRead, e.BytesConsidered, e.Files,
		e.Blocks.Considered, e.Blocks.Skipped, e.Blocks.Read, int64(e.Elapsed)} {
		w.int(v)
	}
	const countSize = 5*9 + 3 // error_count, what follows it, and the list's own head
	left := budget - (w.position() - start) - countSize
	n := 0
	for ; n < len(e.Errors) && n < MaxErrors; n++ {
		const heads = 1 + 2*2
		if left -= heads + min(len(e.Errors[n].File), maxErrFile) + min(len(e.Errors[n].Err), maxErrText); left < 0 {
			break
		}
	}
	w.array(n)
	for _, fe := range e.Errors[:n] {
		w.array(2)
		w.string(cutFront(fe.File, maxErrFile))
		w.string(cut(fe.Err, maxErrText))
	}
	w.int(max(e.ErrorCount, int64(len(e.Errors))))
	w.int(e.Selected)
	w.int(e.Blocks.SkippedTime)
	w.int(e.Blocks.IndexBytes)
	w.int(e.AssumedSorted)
}

// cut shortens s to limit bytes, and marks it.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit-3] + "..."
}

// cutFront is cut for a path, whose end says more than its start.
func cutFront(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return "..." + s[len(s)-limit+3:]
}

// DecodeFrame decodes and validates a frame. The Text of its chunks are slices of msg, or of one
// buffer of their own where they were compressed.
func DecodeFrame(msg []byte) (*Frame, error) {
	if len(msg) > MaxFrame {
		return nil, fieldErrorf("frame", "has %d bytes, more than %d", len(msg), MaxFrame)
	}
	r := &reader{msg: msg}
	f := &Frame{}
	extra := r.open("frame", frameFields)
	f.Run = r.uint("frame.run")
	f.Seq = r.uint("frame.seq")
	f.Hello = r.hello()
	f.Data = r.data()
	f.Progress = r.progress()
	f.End = r.end()
	if err := r.close("frame", extra); err != nil {
		return nil, err
	}
	if f.Data == nil && len(msg) > MaxSmall {
		return nil, fieldErrorf("frame", "has %d bytes without data, more than %d", len(msg), MaxSmall)
	}
	if err := f.Validate(); err != nil {
		return nil, err
	}
	return f, nil
}

func (r *reader) hello() *Hello {
	if r.null() || r.err != nil {
		return nil
	}
	h := &Hello{}
	extra := r.record("hello", helloFields)
	h.Instance = r.string("hello.instance", MaxToken)
	h.Host = r.string("hello.host", maxHost)
	h.Version = r.string("hello.trawl_version", maxVersion)
	h.Files = r.count("hello.files")
	h.Bytes = r.count("hello.bytes")
	r.skip("hello", extra)
	return h
}

func (r *reader) progress() *Progress {
	if r.null() || r.err != nil {
		return nil
	}
	p := &Progress{}
	extra := r.record("progress", progressFields)
	p.BytesRead = r.count("progress.bytes_read")
	p.Sent = r.count("progress.sent")
	p.Waiting = r.bool("progress.waiting")
	p.Watermark = r.int("progress.watermark")
	r.skip("progress", extra)
	return p
}

func (r *reader) end() *End {
	if r.null() || r.err != nil {
		return nil
	}
	e := &End{Selected: -1}
	extra := r.record("end", endFieldsOld)
	e.Status = Status(r.enum("end.status"))
	e.Reason = r.string("end.reason", maxReason)
	e.Lines = r.count("end.lines")
	e.Chunks = r.count("end.chunks")
	e.RawBytes = r.count("end.raw_bytes")
	e.TextBytes = r.count("end.text_bytes")
	e.BytesRead = r.count("end.bytes_read")
	e.BytesConsidered = r.count("end.bytes_considered")
	e.Files = r.count("end.files")
	e.Blocks.Considered = r.count("end.blocks_considered")
	e.Blocks.Skipped = r.count("end.blocks_skipped")
	e.Blocks.Read = r.count("end.blocks_read")
	e.Elapsed = time.Duration(r.count("end.elapsed"))
	for range r.array("end.errors", MaxErrors) {
		extra := r.record("end.errors", 2)
		e.Errors = append(e.Errors, FileError{r.string("end.errors", maxErrFile), r.string("end.errors", maxErrText)})
		r.skip("end.errors", extra)
	}
	e.ErrorCount = r.count("end.error_count")
	if extra > 0 {
		e.Selected = r.int("end.selected")
		extra--
	}
	if extra > 1 {
		e.Blocks.SkippedTime = r.count("end.blocks_skipped_time")
		e.Blocks.IndexBytes = r.count("end.index_bytes")
		extra -= 2
	}
	if extra > 0 {
		e.AssumedSorted = r.count("end.assumed_sorted")
		extra--
	}
	r.skip("end", extra)
	return e
}

// Validate says what is wrong with a frame in itself; what only the query can tell (whether the
// columns are those asked for) is Chunk.Check's. The error is a *FieldError.
func (f *Frame) Validate() error {
	bodies := 0
	for _, set := range []bool{f.Hello != nil, f.Data != nil, f.Progress != nil, f.End != nil} {
		if set {
			bodies++
		}
	}
	switch {
	case f.Run == 0:
		return fieldErrorf("frame.run", "is 0")
	case f.Hello != nil && f.Seq != 1:
		return fieldErrorf("frame.seq", "is %d in a hello, not 1", f.Seq)
	case f.Hello == nil && f.Seq == 1 && f.Progress == nil:
		return fieldErrorf("frame.seq", "is 1 without a hello")
	case f.Seq == 0 || f.Seq == math.MaxUint64:
		return fieldErrorf("frame.seq", "is %d", f.Seq)
	case bodies == 2 && f.Hello != nil && f.End != nil:
	case bodies != 1:
		return fieldErrorf("frame", "has %d bodies", bodies)
	}
	if f.Data != nil {
		if err := f.Data.validate(); err != nil {
			return err
		}
	}
	if f.End != nil {
		return f.End.validate()
	}
	return nil
}

func (d *Data) validate() error {
	switch {
	case d.Offset < 0 || d.Offset > math.MaxInt64-MaxRaw:
		return fieldErrorf("data.offset", "is %d", d.Offset)
	case d.Raw < 0 || d.Raw > MaxRaw:
		return fieldErrorf("data.raw", "is %d, more than %d", d.Raw, MaxRaw)
	case len(d.Chunks) == 0:
		return fieldErrorf("data.chunks", "is empty")
	case len(d.Chunks) > MaxChunks:
		return fieldErrorf("data.chunks", "has %d chunks, more than %d", len(d.Chunks), MaxChunks)
	}
	for i := range d.Chunks {
		if err := d.Chunks[i].validate(); err != nil {
			return err
		}
	}
	return nil
}

func (e *End) validate() error {
	switch e.Status {
	case StatusComplete, StatusPartial, StatusStopped, StatusError:
	default:
		return fieldErrorf("end.status", "%s is not for a node to say", e.Status)
	}
	switch {
	case e.Status == StatusComplete && (e.ErrorCount > 0 || len(e.Errors) > 0):
		return fieldErrorf("end.status", "is complete with %d errors", e.ErrorCount)
	case e.ErrorCount < int64(len(e.Errors)):
		return fieldErrorf("end.error_count", "is %d with %d errors listed", e.ErrorCount, len(e.Errors))
	}
	return nil
}
